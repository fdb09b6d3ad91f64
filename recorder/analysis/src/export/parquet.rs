//! Apache Parquet.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::{ColumnPath, Type};
use lockstep_xdf::{ChannelFormat, Columns, TextColumn};

use super::ExportError;
use super::names::{Column, TIME_COLUMNS};
use super::output::OutputFile;
use super::table::{Rows, Table};

/// A row group is written when its columns have this many bytes.
const GROUP_BYTES: usize = 12 << 20;

/// Key of the JSON in the file's metadata.
const METADATA_KEY: &str = "lockstep";

type Sink = BufWriter<File>;

/// A Parquet file. Row groups are gathered in memory, for their columns are written one after another.
pub(super) struct ParquetTable {
    writer: SerializedFileWriter<Sink>,
    path: PathBuf,
    pending: Vec<(Rows, Columns)>,
    pending_bytes: usize,
}

impl ParquetTable {
    pub(super) fn new(
        file: OutputFile,
        columns: &[Column],
        format: ChannelFormat,
    ) -> Result<Self, ExportError> {
        let path = file.path;
        let writer = open(file.file, columns, format).map_err(|e| failed(&path, e))?;
        Ok(Self { writer, path, pending: Vec::new(), pending_bytes: 0 })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in 0..TIME_COLUMNS.len() {
            next_column::<DoubleType>(
                &mut group,
                self.pending.iter().map(|(rows, _)| &rows.times[column][..]),
            )?;
        }
        let channels = self.pending.first().map_or(0, |(_, values)| values.channel_count());
        for channel in 0..channels {
            write_channel(&mut group, &self.pending, channel)?;
        }
        group.close()?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }
}

impl Table for ParquetTable {
    fn write(&mut self, rows: &Rows, values: &Columns) -> Result<(), ExportError> {
        self.pending_bytes += bytes_of(rows, values);
        self.pending.push((rows.clone(), values.clone()));
        if self.pending_bytes >= GROUP_BYTES {
            self.write_group().map_err(|e| failed(&self.path, e))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, metadata: &str) -> Result<(), ExportError> {
        let written = self.write_group().and_then(|()| {
            self.writer
                .append_key_value_metadata(KeyValue::new(METADATA_KEY.to_owned(), metadata.to_owned()));
            self.writer.finish()?;
            Ok(std::io::Write::flush(self.writer.inner_mut())?)
        });
        written.map_err(|e| failed(&self.path, e))
    }
}

fn open(
    file: File,
    columns: &[Column],
    format: ChannelFormat,
) -> Result<SerializedFileWriter<Sink>, ParquetError> {
    let mut fields = Vec::new();
    let required = |name: &str, physical, logical| {
        let field = Type::primitive_type_builder(name, physical);
        field.with_repetition(Repetition::REQUIRED).with_logical_type(logical).build().map(Arc::new)
    };
    for name in TIME_COLUMNS {
        fields.push(required(name, Physical::DOUBLE, None)?);
    }
    let (physical, logical) = type_of(format);
    for column in columns {
        fields.push(required(&column.name, physical, logical.clone())?);
    }
    let schema = Type::group_type_builder("samples").with_fields(fields).build()?;
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("Lockstep {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_dictionary_enabled(false);
    // Errors are few different numbers, and texts often repeat.
    let repeated = TIME_COLUMNS[2..].iter().map(|&name| name.to_owned());
    let texts = columns.iter().filter(|_| format == ChannelFormat::String).map(|column| column.name.clone());
    for name in repeated.chain(texts) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::new(vec![name]), true);
    }
    SerializedFileWriter::new(
        BufWriter::with_capacity(1 << 18, file),
        Arc::new(schema),
        Arc::new(properties.build()),
    )
}

fn type_of(format: ChannelFormat) -> (Physical, Option<LogicalType>) {
    let whole = |bit_width| Some(LogicalType::integer(bit_width, true));
    match format {
        ChannelFormat::Int8 => (Physical::INT32, whole(8)),
        ChannelFormat::Int16 => (Physical::INT32, whole(16)),
        ChannelFormat::Int32 => (Physical::INT32, whole(32)),
        ChannelFormat::Int64 => (Physical::INT64, whole(64)),
        ChannelFormat::Float32 => (Physical::FLOAT, None),
        ChannelFormat::Double64 => (Physical::DOUBLE, None),
        ChannelFormat::String => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    }
}

/// About how much memory a block takes.
fn bytes_of(rows: &Rows, values: &Columns) -> usize {
    let times = rows.len() * 8 * TIME_COLUMNS.len();
    times
        + match values {
            Columns::Text(list) => {
                list.iter().map(|column| column.text_bytes() + 8 * column.len()).sum::<usize>()
            }
            numbers => rows.len() * numbers.channel_count() * numbers.format().value_bytes().unwrap_or(8),
        }
}

/// Write one channel of all pending blocks.
fn write_channel(
    group: &mut SerializedRowGroupWriter<'_, Sink>,
    pending: &[(Rows, Columns)],
    channel: usize,
) -> Result<(), ParquetError> {
    /// The channel of each block, if the blocks are of this kind.
    macro_rules! of {
        ($kind:ident) => {
            pending.iter().filter_map(|(_, values)| match values {
                Columns::$kind(list) => list.get(channel),
                _ => None,
            })
        };
    }
    match pending.first().map(|(_, values)| values.format()) {
        Some(ChannelFormat::Int8) => next_column::<Int32Type>(group, of!(Int8).map(|column| widened(column))),
        Some(ChannelFormat::Int16) => {
            next_column::<Int32Type>(group, of!(Int16).map(|column| widened(column)))
        }
        Some(ChannelFormat::Int32) => next_column::<Int32Type>(group, of!(Int32)),
        Some(ChannelFormat::Int64) => next_column::<Int64Type>(group, of!(Int64)),
        Some(ChannelFormat::Float32) => next_column::<FloatType>(group, of!(Float32)),
        Some(ChannelFormat::Double64) => next_column::<DoubleType>(group, of!(Double64)),
        Some(ChannelFormat::String) => next_column::<ByteArrayType>(group, of!(Text).map(byte_arrays)),
        None => Ok(()),
    }
}

fn widened<T: Copy + Into<i32>>(column: &[T]) -> Vec<i32> {
    column.iter().map(|&value| value.into()).collect()
}

/// The texts of a column, all in one piece of memory.
fn byte_arrays(column: &TextColumn) -> Vec<ByteArray> {
    let all: Vec<u8> = column.iter().flat_map(str::bytes).collect();
    let all = ByteArray::from(all);
    let mut from = 0;
    let slices = column.iter().map(|text| {
        let slice = all.slice(from, text.len());
        from += text.len();
        slice
    });
    slices.collect()
}

/// Write the next column of a group, piece after piece.
fn next_column<T: ::parquet::data_type::DataType>(
    group: &mut SerializedRowGroupWriter<'_, Sink>,
    pieces: impl Iterator<Item = impl AsRef<[T::T]>>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("there are more columns than in the schema".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    for piece in pieces {
        column.typed::<T>().write_batch(piece.as_ref(), None, None)?;
    }
    column.close()
}

fn failed(path: &std::path::Path, error: ParquetError) -> ExportError {
    let source = match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(io) => *io,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    };
    ExportError::Write { path: path.to_owned(), source }
}
