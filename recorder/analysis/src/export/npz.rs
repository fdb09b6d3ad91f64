//! NumPy archives: a ZIP of one NPY array for each column.
//!
//! The sizes of all arrays are known from the first pass, so each block is written at its place in each
//! of them.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use lockstep_xdf::{ChannelFormat, Columns, TextColumn};

use super::ExportError;
use super::names::{Column, TIME_COLUMNS};
use super::output::OutputFile;
use super::table::{Counts, Rows, Table, TextCount};
use super::zip::{self, Member};

/// Largest fixed-width array of text, in bytes.
const MAX_FIXED_BYTES: u64 = 64 << 20;

/// A NumPy archive.
pub(super) struct NpzTable {
    file: File,
    path: PathBuf,
    arrays: Vec<Array>,
    buffer: Vec<u8>,
    texts: Vec<TextLayout>,
    /// Bytes of text so far, for each channel.
    text_bytes: Vec<u64>,
}

/// One array under way.
struct Array {
    member: Member,
    crc: crc32fast::Hasher,
    written: u64,
}

/// How a column of text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextLayout {
    /// One array of that many characters for each text.
    Fixed(usize),
    /// All bytes, and where each text ends.
    Joined,
}

impl TextLayout {
    fn of(rows: u64, text: &TextCount) -> Self {
        let width = text.longest.max(1);
        // NumPy takes NULs at the end for padding.
        let fits = rows.checked_mul(4 * width).is_some_and(|bytes| bytes <= MAX_FIXED_BYTES);
        match usize::try_from(width) {
            Ok(width) if fits && !text.ends_with_nul => Self::Fixed(width),
            _ => Self::Joined,
        }
    }
}

impl NpzTable {
    pub(super) fn new(
        file: OutputFile,
        columns: &[Column],
        format: ChannelFormat,
        counts: &Counts,
    ) -> Result<Self, ExportError> {
        let texts: Vec<_> = counts.texts.iter().map(|text| TextLayout::of(counts.rows, text)).collect();
        let text_bytes = vec![0; texts.len()];
        let mut table = Self {
            file: file.file,
            path: file.path,
            arrays: Vec::new(),
            buffer: Vec::new(),
            texts,
            text_bytes,
        };
        let written = table.layout(columns, format, counts);
        written.map_err(|source| ExportError::Write { path: table.path.clone(), source })?;
        Ok(table)
    }

    /// Give each array its place, and write their beginnings.
    fn layout(&mut self, columns: &[Column], format: ChannelFormat, counts: &Counts) -> io::Result<()> {
        for name in TIME_COLUMNS {
            self.add(name, "<f8", 8, counts.rows)?;
        }
        for (channel, column) in columns.iter().enumerate() {
            let name = &column.name;
            match (self.texts.get(channel).copied(), format.value_bytes()) {
                (None, Some(bytes)) => self.add(name, number_type(format), bytes as u64, counts.rows)?,
                (Some(TextLayout::Fixed(width)), _) => {
                    self.add(name, &format!("<U{width}"), 4 * width as u64, counts.rows)?;
                }
                _ => {
                    let bytes = counts.texts.get(channel).map_or(0, |text| text.bytes);
                    self.add(&format!("{name}.utf8"), "|u1", 1, bytes)?;
                    self.add(&format!("{name}.ends"), "<i8", 8, counts.rows)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, descr: &str, item_bytes: u64, items: u64) -> io::Result<()> {
        let header = npy_header(descr, items);
        let offset = self.arrays.last().map_or(0, |array| array.member.end());
        let size = item_bytes
            .checked_mul(items)
            .and_then(|bytes| bytes.checked_add(header.len() as u64))
            .ok_or_else(|| io::Error::other("the array is too large"))?;
        let member = Member { name: format!("{name}.npy"), offset, size, crc: 0 };
        let mut array = Array { member, crc: crc32fast::Hasher::new(), written: 0 };
        array.write(&mut self.file, &header)?;
        self.arrays.push(array);
        Ok(())
    }

    fn write_rows(&mut self, rows: &Rows, values: &Columns) -> io::Result<()> {
        for (array, column) in self.arrays.iter_mut().zip(&rows.times) {
            bytes_into(&mut self.buffer, column, |value| value.to_le_bytes());
            array.write(&mut self.file, &self.buffer)?;
        }
        match values {
            Columns::Int8(list) => self.numbers(list, |value| value.to_le_bytes()),
            Columns::Int16(list) => self.numbers(list, |value| value.to_le_bytes()),
            Columns::Int32(list) => self.numbers(list, |value| value.to_le_bytes()),
            Columns::Int64(list) => self.numbers(list, |value| value.to_le_bytes()),
            Columns::Float32(list) => self.numbers(list, |value| value.to_le_bytes()),
            Columns::Double64(list) => self.numbers(list, |value| value.to_le_bytes()),
            Columns::Text(list) => self.all_texts(list),
        }
    }

    fn numbers<T: Copy, const N: usize>(
        &mut self,
        list: &[Vec<T>],
        bytes: impl Fn(T) -> [u8; N] + Copy,
    ) -> io::Result<()> {
        for (array, column) in self.arrays[TIME_COLUMNS.len()..].iter_mut().zip(list) {
            bytes_into(&mut self.buffer, column, bytes);
            array.write(&mut self.file, &self.buffer)?;
        }
        Ok(())
    }

    fn all_texts(&mut self, list: &[TextColumn]) -> io::Result<()> {
        let mut arrays = self.arrays[TIME_COLUMNS.len()..].iter_mut();
        for ((column, layout), total) in list.iter().zip(&self.texts).zip(&mut self.text_bytes) {
            let mut write = |bytes: &[u8]| match arrays.next() {
                Some(array) => array.write(&mut self.file, bytes),
                None => Ok(()),
            };
            self.buffer.clear();
            match *layout {
                TextLayout::Fixed(width) => {
                    for text in column.iter() {
                        let begin = self.buffer.len();
                        for c in text.chars().take(width) {
                            self.buffer.extend_from_slice(&u32::from(c).to_le_bytes());
                        }
                        self.buffer.resize(begin + 4 * width, 0);
                    }
                    write(&self.buffer)?;
                }
                TextLayout::Joined => {
                    column.iter().for_each(|text| self.buffer.extend_from_slice(text.as_bytes()));
                    write(&self.buffer)?;
                    self.buffer.clear();
                    for text in column.iter() {
                        *total += text.len() as u64;
                        self.buffer.extend_from_slice(&total.to_le_bytes());
                    }
                    write(&self.buffer)?;
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let mut members = Vec::new();
        for array in &mut self.arrays {
            if array.written != array.member.size {
                return Err(io::Error::other(
                    "the recording has changed while it was read; export it again when it is closed",
                ));
            }
            array.member.crc = array.crc.clone().finalize();
            self.file.seek(SeekFrom::Start(array.member.offset))?;
            self.file.write_all(&array.member.local_header())?;
            members.push(array.member.clone());
        }
        self.file.seek(SeekFrom::Start(members.last().map_or(0, Member::end)))?;
        self.file.write_all(&zip::directory(&members))
    }
}

impl Array {
    /// Write the next bytes of the array at their place.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        file.seek(SeekFrom::Start(self.member.content_offset() + self.written))?;
        self.written += bytes.len() as u64;
        if self.written > self.member.size {
            return Err(io::Error::other("the recording has grown while it was read; export it again"));
        }
        file.write_all(bytes)
    }
}

impl Table for NpzTable {
    fn write(&mut self, rows: &Rows, values: &Columns) -> Result<(), ExportError> {
        let written = self.write_rows(rows, values);
        written.map_err(|source| ExportError::Write { path: self.path.clone(), source })
    }

    fn finish(mut self: Box<Self>, _metadata: &str) -> Result<(), ExportError> {
        self.close().map_err(|source| ExportError::Write { path: self.path.clone(), source })
    }
}

fn number_type(format: ChannelFormat) -> &'static str {
    match format {
        ChannelFormat::Int8 => "|i1",
        ChannelFormat::Int16 => "<i2",
        ChannelFormat::Int32 => "<i4",
        ChannelFormat::Int64 => "<i8",
        ChannelFormat::Float32 => "<f4",
        ChannelFormat::Double64 | ChannelFormat::String => "<f8",
    }
}

/// What stands before the data of an array of one dimension: format version 1.0 of
/// `numpy.lib.format`.
fn npy_header(descr: &str, items: u64) -> Vec<u8> {
    let mut dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({items},), }}");
    // Ten bytes before it; all together a multiple of 64, and a line feed at the end.
    let padded = (10 + dict.len() + 1).next_multiple_of(64) - 11;
    dict.extend(std::iter::repeat_n(' ', padded - dict.len()));
    dict.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend_from_slice(&(dict.len() as u16).to_le_bytes());
    out.extend_from_slice(dict.as_bytes());
    out
}

fn bytes_into<T: Copy, const N: usize>(out: &mut Vec<u8>, values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    out.clear();
    out.reserve(values.len() * N);
    values.iter().for_each(|&value| out.extend_from_slice(&bytes(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_aligned() {
        for items in [0, 1, 10, 12_345_678_901] {
            let header = npy_header("<f8", items);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(header.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn long_texts_and_texts_with_nul_are_joined() {
        let text = TextCount { bytes: 10, longest: 5, ends_with_nul: false };
        assert_eq!(TextLayout::of(2, &text), TextLayout::Fixed(5));
        assert_eq!(TextLayout::of(2, &TextCount { ends_with_nul: true, ..text }), TextLayout::Joined);
        assert_eq!(TextLayout::of(1 << 24, &text), TextLayout::Joined);
        assert_eq!(TextLayout::of(2, &TextCount::default()), TextLayout::Fixed(1));
    }
}
