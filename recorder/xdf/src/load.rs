//! Samples of chosen streams, whole, in memory.

use std::io;

use crate::columns::{Columns, StreamData};
use crate::sample_decoder::{SampleDecoder, SampleValues};
use crate::scan::Scan;
use crate::source::{ReadAt, read_full};

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
/// `threads` work at once. `progress` is told how many bytes of samples are done so far, by
/// whichever thread did them.
///
/// # Errors
/// [`LoadError`]; never because of damage.
pub fn load(
    source: &dyn ReadAt,
    scan: &Scan,
    wanted: &[(usize, Selection)],
    _threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<StreamData>, LoadError> {
    let mut done = 0;
    wanted
        .iter()
        .map(|(index, selection)| {
            let data = load_one(source, scan, *index, selection)?;
            done += scan.streams[*index].chunks.iter().map(|c| u64::from(c.body_bytes)).sum::<u64>();
            progress(done);
            Ok(data)
        })
        .collect()
}

/// Adds the chosen channels of one sample.
pub(crate) fn push(columns: &mut Columns, channels: &[usize], values: SampleValues<'_>) {
    macro_rules! number {
        ($list:expr, $type:ty) => {
            for (column, &channel) in $list.iter_mut().zip(channels) {
                let at = channel * size_of::<$type>();
                if let Some(raw) = values.bytes().get(at..).and_then(|rest| rest.first_chunk()) {
                    column.push(<$type>::from_le_bytes(*raw));
                }
            }
        };
    }
    match columns {
        Columns::Int8(list) => number!(list, i8),
        Columns::Int16(list) => number!(list, i16),
        Columns::Int32(list) => number!(list, i32),
        Columns::Int64(list) => number!(list, i64),
        Columns::Float32(list) => number!(list, f32),
        Columns::Double64(list) => number!(list, f64),
        Columns::Text(list) => {
            for (column, &channel) in list.iter_mut().zip(channels) {
                column.push(&values.strings()[channel]);
            }
        }
    }
}

fn load_one(
    source: &dyn ReadAt,
    scan: &Scan,
    index: usize,
    selection: &Selection,
) -> Result<StreamData, LoadError> {
    let missing = LoadError::NoStream { index, count: scan.streams.len() };
    let (Some(stream), Some(mut data)) = (scan.streams.get(index), scan.empty_data(index, selection)) else {
        return Err(missing);
    };
    let count = stream.info.channel_count;
    let channels = selection.channels.clone().unwrap_or_else(|| (0..count).collect());
    if let Some(&channel) = channels.iter().find(|&&channel| channel >= count) {
        return Err(LoadError::NoChannel { stream_id: stream.id, channel, count });
    }
    let mut decoder = SampleDecoder::new(stream.info.format, count, stream.info.nominal_rate_hz);
    let mut body = Vec::new();
    for chunk in &stream.chunks {
        body.resize(chunk.body_bytes as usize, 0);
        let offset = chunk.body_offset();
        read_full(source, offset, &mut body).map_err(|source| LoadError::Io { offset, source })?;
        // Damage is found by the complete implementation.
        let _ = decoder.decode(u64::from(chunk.samples), &body, |stamp_s, values| {
            if selection.time_range_s.is_none_or(|(from_s, to_s)| from_s <= stamp_s && stamp_s <= to_s) {
                data.time_stamps_s.push(stamp_s);
                push(&mut data.values, &channels, values);
            }
        });
    }
    Ok(data)
}
