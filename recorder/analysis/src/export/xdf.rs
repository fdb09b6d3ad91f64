//! A synchronized XDF file: stamps that are right for any tool, and no clock offsets for it to apply.
//!
//! Values are the same bytes, headers are kept. Of the header only what would make a reader correct
//! the stamps again is moved: the recorder's `clock` and an `offset_mean` that was subtracted go into
//! `desc/lockstep_synchronized`, where it is also noted what was done.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use lockstep_xdf::part::recorders_part_mut;
use lockstep_xdf::{
    ChannelFormat, Columns, Element, EncodeError, SampleBlock, SampleEncoder, ScannedStream, StreamFooter,
    encode,
};
use serde_json::{Value, json};

use super::job::Job;
use super::metadata::Metadata;
use super::output::OutputFile;
use super::{ExportError, Exported, names};
use crate::clocks::{CLOCK, SYNCHRONIZED_NOTE};
use crate::{StreamClock, Timing};

/// Samples of about this many bytes become one chunk.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks between two boundaries.
const BOUNDARY_EVERY: u32 = 40;

/// Write the chosen streams, one after another, into one file.
pub(super) fn export(
    job: &mut Job<'_, '_>,
    chosen: &[usize],
    exported: &mut Exported,
) -> Result<(), ExportError> {
    let recording = job.synchronizer.recording;
    let stem = recording.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = [".gz", ".xdfz", ".xdf"]
        .iter()
        .fold(stem, |stem, end| stem.strip_suffix(end).map_or(stem.clone(), str::to_owned));
    let stem = names::portable(&format!("{stem}_synchronized"));
    let (name, json_name) = (format!("{stem}.xdf"), format!("{stem}.json"));
    job.output.check(&json_name)?;
    let mut file = Writer::new(job.output.create(&name)?);
    file.begin(recording.scan.header_xml.as_deref())?;
    // Ids that occur twice are given anew: the chunks of both streams are in one file.
    let mut ids = Vec::new();
    for &stream in chosen {
        let scanned = &recording.scan.streams[stream];
        let id = if ids.contains(&scanned.id) { free_id(job, &ids) } else { scanned.id };
        ids.push(id);
    }
    let mut footers = Vec::new();
    let mut streams = Vec::new();
    for (&stream, &id) in chosen.iter().zip(&ids) {
        let timing = job.time(stream)?;
        file.header(id, &header(&timing).to_xml())?;
        let info = &timing.scanned().info;
        let mut metadata = Metadata::new(job, &timing, names::columns(info));
        let mut blocks = job.blocks(&timing, None);
        let mut samples = Samples::new(id, timing.scanned());
        while let Some(block) = blocks.next_block()? {
            metadata.count(&block);
            samples.write(&mut file, &block.times.time_s, block.values)?;
            job.meter.second_pass(metadata.rows());
        }
        metadata.finish(&blocks);
        exported.damage.extend_from_slice(blocks.damage());
        footers.push((id, samples.footer()));
        exported.streams.push(metadata.exported(job.output.path(&name)));
        streams.push(metadata.value());
    }
    for (id, footer) in footers {
        file.footer(id, &footer)?;
    }
    file.flush()?;
    let json = format!("{:#}\n", json!({ "streams": Value::Array(streams) }));
    job.output.write(&json_name, json.as_bytes())
}

/// An id that no stream of the recording has.
fn free_id(job: &Job<'_, '_>, given: &[u32]) -> u32 {
    let streams = &job.synchronizer.recording.scan.streams;
    let taken = |id: u32| given.contains(&id) || streams.iter().any(|stream| stream.id == id);
    (1..).find(|&id| !taken(id)).unwrap_or(u32::MAX)
}

/// The header of a stream, with a note of what was done.
pub(crate) fn header(timing: &Timing<'_>) -> Element {
    let scanned = timing.scanned();
    let mut info = Element::parse(&scanned.header_xml)
        .or_else(|_| Element::parse(&scanned.info.to_xml()))
        .unwrap_or_else(|_| Element::new("info"));
    if info.child("desc").is_none() {
        info.push_child(Element::new("desc"));
    }
    let note = note(timing);
    if let Some(desc) = info.child_mut("desc") {
        desc.children.retain(|child| child.name != SYNCHRONIZED_NOTE);
        let mut note = note;
        if scanned.info.kind != crate::clocks::EXCHANGE_TYPE {
            // A reader that knows it would correct the stamps again.
            let part = recorders_part_mut(desc);
            let (clocks, rest) = part.children.drain(..).partition(|child| child.name == CLOCK);
            part.children = rest;
            note.children.extend::<Vec<Element>>(clocks);
        }
        if timing.offset_mean_applied_s != 0.0
            && let Some(synchronization) = desc.child_mut("synchronization")
        {
            for child in &mut synchronization.children {
                if child.name == "offset_mean" {
                    "0".clone_into(&mut child.text);
                }
            }
        }
        desc.push_child(note);
    }
    info
}

fn note(timing: &Timing<'_>) -> Element {
    let synchronizer = timing.synchronizer();
    let options = &synchronizer.options;
    let text = |name: &str, text: String| Element::new(name).with_text(text);
    let clock = match synchronizer.clocks.of_stream.get(timing.stream) {
        Some(StreamClock::Host) => "recorder".to_owned(),
        Some(StreamClock::Measured(clock)) => synchronizer.clocks.list[*clock].name.clone(),
        _ => "unknown".to_owned(),
    };
    let mut note = Element::new(SYNCHRONIZED_NOTE)
        .with_child(text("by", format!("Lockstep {}", env!("CARGO_PKG_VERSION"))))
        .with_child(text("method", options.method.name().to_owned()))
        .with_child(text("dejitter", crate::sync::dejitter_name(options.dejitter).to_owned()))
        .with_child(text("stamped_by", clock));
    if options.compat_pyxdf {
        note.push_child(text("compat", "pyxdf".to_owned()));
    }
    if timing.offset_mean_applied_s != 0.0 {
        note.push_child(text("offset_mean_subtracted", timing.offset_mean_applied_s.to_string()));
    }
    note
}

/// The file under way.
pub(crate) struct Writer {
    out: io::BufWriter<File>,
    path: PathBuf,
    buffer: Vec<u8>,
    chunks: u32,
}

impl Writer {
    pub(crate) fn new(file: OutputFile) -> Self {
        let out = io::BufWriter::with_capacity(1 << 18, file.file);
        Self { out, path: file.path, buffer: Vec::new(), chunks: 0 }
    }

    pub(crate) fn begin(&mut self, header_xml: Option<&str>) -> Result<(), ExportError> {
        encode::file_header(&mut self.buffer, header_xml.unwrap_or("<info><version>1.0</version></info>"));
        self.put()
    }

    pub(crate) fn header(&mut self, id: u32, xml: &str) -> Result<(), ExportError> {
        encode::stream_header(&mut self.buffer, id, xml);
        self.put()
    }

    fn samples(&mut self, id: u32, block: &SampleBlock) -> Result<(), ExportError> {
        encode::samples(&mut self.buffer, id, block);
        self.chunks += 1;
        if self.chunks.is_multiple_of(BOUNDARY_EVERY) {
            encode::boundary(&mut self.buffer);
        }
        self.put()
    }

    pub(crate) fn footer(&mut self, id: u32, footer: &StreamFooter) -> Result<(), ExportError> {
        encode::stream_footer(&mut self.buffer, id, &footer.to_xml());
        self.put()
    }

    fn put(&mut self) -> Result<(), ExportError> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| self.failed(source))
    }

    pub(crate) fn flush(&mut self) -> Result<(), ExportError> {
        self.out.flush().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ExportError {
        ExportError::Write { path: self.path.clone(), source }
    }
}

/// The samples of one stream on their way into the file.
pub(crate) struct Samples {
    id: u32,
    encoder: SampleEncoder,
    spare: SampleBlock,
    /// Samples that make a chunk.
    chunk_samples: usize,
    rows: Vec<u8>,
    footer: StreamFooter,
}

impl Samples {
    pub(crate) fn new(id: u32, scanned: &ScannedStream) -> Self {
        let info = &scanned.info;
        // Texts have no size; chunks of them are cut by what they turn out to have.
        let sample_bytes = info.format.value_bytes().unwrap_or(1).saturating_mul(info.channel_count);
        Self {
            id,
            encoder: SampleEncoder::new(info.format, info.channel_count, info.nominal_rate_hz),
            spare: SampleBlock::default(),
            chunk_samples: match info.format {
                ChannelFormat::String => 1,
                _ => (CHUNK_BYTES / (sample_bytes + 9)).max(1),
            },
            rows: Vec::new(),
            footer: StreamFooter::default(),
        }
    }

    pub(crate) fn write(
        &mut self,
        file: &mut Writer,
        times_s: &[f64],
        values: &Columns,
    ) -> Result<(), ExportError> {
        self.footer.first_timestamp_s = self.footer.first_timestamp_s.or(times_s.first().copied());
        self.footer.last_timestamp_s = times_s.last().copied().or(self.footer.last_timestamp_s);
        self.footer.sample_count += times_s.len() as u64;
        let mut from = 0;
        while from < times_s.len() {
            let to = times_s.len().min(from + self.chunk_samples);
            let pushed = self.push(&times_s[from..to], values, from);
            pushed.map_err(|error| file.failed(io::Error::other(error)))?;
            from = to;
            if self.chunk_samples > 1 || self.encoder.pending_bytes() >= CHUNK_BYTES {
                self.flush(file)?;
            }
        }
        self.flush(file)
    }

    fn flush(&mut self, file: &mut Writer) -> Result<(), ExportError> {
        let block = self.encoder.take(std::mem::take(&mut self.spare));
        if !block.is_empty() {
            file.samples(self.id, &block)?;
        }
        self.spare = block;
        Ok(())
    }

    /// The samples from `from` on, as many as there are times.
    fn push(&mut self, times_s: &[f64], values: &Columns, from: usize) -> Result<(), EncodeError> {
        macro_rules! numbers {
            ($list:expr) => {{
                interleave(&mut self.rows, $list, from, times_s.len(), |value| value.to_ne_bytes());
                self.encoder.push(times_s, &self.rows)
            }};
        }
        match values {
            Columns::Int8(list) => numbers!(list),
            Columns::Int16(list) => numbers!(list),
            Columns::Int32(list) => numbers!(list),
            Columns::Int64(list) => numbers!(list),
            Columns::Float32(list) => numbers!(list),
            Columns::Double64(list) => numbers!(list),
            Columns::Text(list) => {
                for (index, time_s) in times_s.iter().enumerate() {
                    let texts = list.iter().map(|column| column.get(from + index));
                    self.encoder.push_strings(std::slice::from_ref(time_s), texts)?;
                }
                Ok(())
            }
        }
    }

    /// What the footer says.
    pub(crate) fn footer(self) -> StreamFooter {
        self.footer
    }
}

/// Columns as rows, in the bytes of memory.
fn interleave<T: Copy, const N: usize>(
    rows: &mut Vec<u8>,
    columns: &[Vec<T>],
    from: usize,
    count: usize,
    bytes: impl Fn(T) -> [u8; N],
) {
    rows.clear();
    rows.resize(count * columns.len() * N, 0);
    let stride = columns.len() * N;
    for (index, column) in columns.iter().enumerate() {
        let values = column.iter().skip(from);
        for (row, &value) in rows.chunks_exact_mut(stride).zip(values) {
            row[index * N..(index + 1) * N].copy_from_slice(&bytes(value));
        }
    }
}
