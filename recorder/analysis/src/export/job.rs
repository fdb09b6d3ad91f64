//! An export under way: which stretch of time, where the files go, how far it is.

use std::path::Path;

use lockstep_xdf::ScannedStream;

use super::metadata::Metadata;
use super::output::Output;
use super::table::{self, Rows, Table};
use super::{ExportError, ExportOptions, Exported, Format, Progress, csv, names, npz, parquet};
use crate::{Recording, SyncError, SyncedBlocks, Synchronizer, Timing};

/// The wanted stretch of time on the synchronized axis.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    /// When the recording begins; only known when a stretch was asked for.
    pub(super) start_s: Option<f64>,
    /// First time wanted and first one not wanted any more.
    pub(super) times_s: Option<(f64, f64)>,
}

impl Range {
    fn of(synchronizer: &Synchronizer<'_>, options: &ExportOptions) -> Result<Self, SyncError> {
        if options.from_s.is_none() && options.to_s.is_none() {
            return Ok(Self::default());
        }
        let start_s = synchronizer.start_s()?;
        let zero_s = start_s.unwrap_or(0.0);
        let from_s = options.from_s.map_or(f64::NEG_INFINITY, |from_s| zero_s + from_s);
        let to_s = options.to_s.map_or(f64::INFINITY, |to_s| zero_s + to_s);
        Ok(Self { start_s, times_s: Some((from_s, to_s)) })
    }
}

/// An export under way.
pub(super) struct Job<'a, 'p> {
    pub(super) synchronizer: &'a Synchronizer<'a>,
    pub(super) options: &'a ExportOptions,
    pub(super) range: Range,
    /// File names without extension, one for each stream of the recording.
    pub(super) stems: Vec<String>,
    pub(super) output: Output,
    pub(super) meter: Meter<'p>,
}

impl<'a, 'p> Job<'a, 'p> {
    pub(super) fn new(
        synchronizer: &'a Synchronizer<'a>,
        options: &'a ExportOptions,
        folder: &Path,
        chosen: &[usize],
        progress: &'p mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, ExportError> {
        let recording = synchronizer.recording;
        Ok(Self {
            synchronizer,
            options,
            range: Range::of(synchronizer, options)?,
            stems: names::stems(&recording.scan.streams),
            output: Output::new(folder, options.overwrite)?,
            meter: Meter::new(recording, chosen, progress),
        })
    }

    /// See to it that no file of the export is there already, before any work is done.
    pub(super) fn claim(&self, chosen: &[usize]) -> Result<(), ExportError> {
        for &stream in chosen {
            for extension in [self.options.format.name(), "json"] {
                self.output.check(&format!("{}.{extension}", self.stems[stream]))?;
            }
        }
        Ok(())
    }

    /// The samples that are wanted of a stream.
    pub(super) fn blocks<'t>(
        &self,
        timing: &'t Timing<'t>,
        channels: Option<Vec<usize>>,
    ) -> SyncedBlocks<'t> {
        let blocks = timing.blocks(channels);
        match self.range.times_s {
            Some((from_s, to_s)) => blocks.within(from_s, to_s),
            None => blocks,
        }
    }

    /// First pass over a stream.
    pub(super) fn time(&mut self, stream: usize) -> Result<Timing<'a>, ExportError> {
        let synchronizer = self.synchronizer;
        self.meter.begin(&synchronizer.recording.scan.streams[stream]);
        let meter = &mut self.meter;
        Ok(synchronizer.time(stream, &mut |done| meter.first_pass(done))?)
    }

    /// Write the table of one stream and its JSON.
    pub(super) fn table(&mut self, stream: usize, exported: &mut Exported) -> Result<(), ExportError> {
        let info = &self.synchronizer.recording.scan.streams[stream].info;
        let timing = self.time(stream)?;
        let columns = names::columns(info);
        let name = format!("{}.{}", self.stems[stream], self.options.format.name());
        let mut table: Box<dyn Table> = match self.options.format {
            Format::Csv => Box::new(csv::CsvTable::new(self.output.create(&name)?, &columns)?),
            Format::Npz => {
                let counts = table::count(self, &timing)?;
                let file = self.output.create(&name)?;
                Box::new(npz::NpzTable::new(file, &columns, info.format, &counts)?)
            }
            Format::Parquet | Format::Xdf => {
                Box::new(parquet::ParquetTable::new(self.output.create(&name)?, &columns, info.format)?)
            }
        };
        let mut metadata = Metadata::new(self, &timing, columns);
        let mut blocks = self.blocks(&timing, None);
        let mut rows = Rows::default();
        while let Some(block) = blocks.next_block()? {
            metadata.count(&block);
            rows.take(&block);
            table.write(&rows, block.values)?;
            self.meter.second_pass(metadata.rows());
        }
        metadata.finish(&blocks);
        exported.damage.extend_from_slice(blocks.damage());
        let json = metadata.to_json();
        table.finish(&json)?;
        self.output.write(&format!("{}.json", self.stems[stream]), json.as_bytes())?;
        exported.streams.push(metadata.exported(self.output.path(&name)));
        Ok(())
    }
}

/// Turns samples into progress.
pub(super) struct Meter<'p> {
    progress: &'p mut dyn FnMut(Progress<'_>),
    of: u64,
    /// Work of the streams that are done.
    before: u64,
    stream: String,
    /// Bytes of samples of the stream under way: half of its work.
    bytes: u64,
    samples: u64,
}

impl<'p> Meter<'p> {
    fn new(recording: &Recording, chosen: &[usize], progress: &'p mut dyn FnMut(Progress<'_>)) -> Self {
        let of = chosen.iter().map(|&stream| 2 * body_bytes(&recording.scan.streams[stream])).sum();
        Self { progress, of, before: 0, stream: String::new(), bytes: 0, samples: 1 }
    }

    fn begin(&mut self, stream: &ScannedStream) {
        self.before += 2 * self.bytes;
        self.bytes = body_bytes(stream);
        self.samples = stream.sample_count.max(1);
        self.stream.clone_from(&stream.info.name);
        self.tell(0.0);
    }

    fn tell(&mut self, share: f64) {
        let done = self.before + (share.clamp(0.0, 2.0) * self.bytes as f64) as u64;
        (self.progress)(Progress { stream: &self.stream, done, of: self.of.max(1) });
    }

    fn first_pass(&mut self, done: u64) {
        self.tell(done as f64 / (2 * self.samples) as f64);
    }

    pub(super) fn second_pass(&mut self, done: u64) {
        self.tell(1.0 + done as f64 / self.samples as f64);
    }
}

fn body_bytes(stream: &ScannedStream) -> u64 {
    stream.chunks.iter().map(|chunk| u64::from(chunk.body_bytes)).sum()
}
