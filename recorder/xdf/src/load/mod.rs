//! Samples of chosen streams, whole, in memory.

pub(crate) mod block;
mod numbers;
mod pieces;
mod rows;
mod run;
mod texts;
mod work;

use std::io;

use crate::columns::StreamData;
use crate::layout::SampleLayout;
use crate::scan::{SampleChunk, Scan, ScannedStream};
use crate::source::ReadAt;

pub use pieces::{SampleRun, SampleRuns};
pub(crate) use rows::Channels;
pub(crate) use run::Run;

/// Most columns of one call, so that headers alone can't take all memory.
pub const MAX_COLUMNS: usize = 1 << 24;

/// What is wanted of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// The channels, counted from 0, in the wanted order; `None`: all.
    pub channels: Option<Vec<usize>>,
    /// First and last stamp of the samples, both included, in seconds as recorded; `None`: all.
    pub time_range_s: Option<(f64, f64)>,
}

/// Why samples could not be loaded. Damage is no error: it is listed in [`StreamData::damage`].
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read the file at byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no such stream.
    #[error("there is no stream with index {index}; the file has {count}")]
    NoStream {
        /// What was asked for.
        index: usize,
        /// Streams in the file.
        count: usize,
    },
    /// There is no such channel.
    #[error("stream {stream_id} has no channel {channel} (counted from 0); it has {count}")]
    NoChannel {
        /// The stream.
        stream_id: u32,
        /// What was asked for.
        channel: usize,
        /// Channels of the stream.
        count: usize,
    },
    /// More columns than this reader allows.
    #[error("{columns} columns at once are more than {limit}; choose fewer streams or channels")]
    TooManyColumns {
        /// What was asked for.
        columns: usize,
        /// The limit.
        limit: usize,
    },
    /// Other bytes than when it was scanned.
    #[error("the file has changed since it was scanned, at byte {offset}; scan it again")]
    Changed {
        /// Where.
        offset: u64,
    },
}

/// Loads streams: index in [`Scan::streams`] and what is wanted of each; the answer is in the same
/// order.
///
/// `threads` work at once, on parts of all streams. `progress` is told how many bytes of samples
/// are done so far, by whichever thread did them. Memory is what the answer takes, and less than a
/// megabyte per thread.
///
/// # Errors
/// [`LoadError`]; never because of damage.
pub fn load(
    source: &dyn ReadAt,
    scan: &Scan,
    wanted: &[(usize, Selection)],
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<StreamData>, LoadError> {
    let chosen: Vec<Chosen<'_>> = wanted
        .iter()
        .map(|(index, selection)| Chosen::new(scan, *index, selection))
        .collect::<Result<_, _>>()?;
    let columns: usize = chosen.iter().map(|chosen| chosen.columns).sum();
    if columns > MAX_COLUMNS {
        return Err(LoadError::TooManyColumns { columns, limit: MAX_COLUMNS });
    }
    work::load(source, &chosen, threads, progress)
}

/// A stream and what is wanted of it, checked.
#[derive(Clone)]
pub(crate) struct Chosen<'s> {
    pub(crate) stream: &'s ScannedStream,
    pub(crate) layout: SampleLayout,
    pub(crate) channels: Channels,
    /// How many columns that makes.
    pub(crate) columns: usize,
    pub(crate) time_range_s: Option<(f64, f64)>,
}

impl<'s> Chosen<'s> {
    pub(crate) fn new(scan: &'s Scan, index: usize, selection: &Selection) -> Result<Self, LoadError> {
        let missing = LoadError::NoStream { index, count: scan.streams.len() };
        let stream = scan.streams.get(index).ok_or(missing)?;
        let count = stream.info.channel_count;
        // Only a scan that was changed by hand has streams without a layout.
        let layout = SampleLayout::new(&stream.info)
            .ok_or(LoadError::TooManyColumns { columns: count, limit: MAX_COLUMNS })?;
        let (channels, columns) = match &selection.channels {
            None => (Channels::All, count),
            Some(list) => {
                if let Some(&channel) = list.iter().find(|&&channel| channel >= count) {
                    return Err(LoadError::NoChannel { stream_id: stream.id, channel, count });
                }
                (Channels::Chosen(list.as_slice().into()), list.len())
            }
        };
        Ok(Self { stream, layout, channels, columns, time_range_s: selection.time_range_s })
    }

    /// No samples, with the chosen columns.
    pub(crate) fn empty(&self) -> StreamData {
        StreamData::empty(self.stream.info.format, self.columns)
    }

    /// A run over some of its chunks; `last_s` is the stamp before the first of them.
    pub(crate) fn run<'r>(
        &self,
        source: &'r dyn ReadAt,
        chunks: &'r [SampleChunk],
        last_s: Option<f64>,
    ) -> Run<'r> {
        Run::new(source, self.layout, self.stream.id, self.channels.clone(), chunks, last_s)
    }
}
