//! Copy samples that lie evenly into columns.

use std::sync::Arc;

use crate::columns::TextColumn;
use crate::layout::{FLAG_BYTES, STAMP_BYTES, Value};

/// Bytes of samples that are gone through once per channel, so that they stay in the first cache.
const TILE_BYTES: usize = 16 * 1024;
/// Fewer samples than this per tile would make every write a cache miss.
const MIN_TILE_SAMPLES: usize = 16;

/// Where samples go: stamps and columns of the same length, filled from the front.
pub(crate) struct Rows<'t, T> {
    pub(crate) stamps: &'t mut [f64],
    pub(crate) columns: Vec<&'t mut [T]>,
    /// Samples that are there.
    pub(crate) filled: usize,
}

/// Stamps that were left out follow from the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StampClock {
    /// The stamp before; `None` at the start of a part whose predecessor another thread reads.
    pub(crate) last_s: Option<f64>,
    pub(crate) interval_s: f64,
    /// Samples without a stamp before the first one with one; they are computed later.
    pub(crate) pending: usize,
}

impl StampClock {
    pub(crate) fn new(last_s: Option<f64>, interval_s: f64) -> Self {
        Self { last_s, interval_s, pending: 0 }
    }

    /// The stamp of a sample that has none.
    pub(crate) fn next(&mut self) -> f64 {
        match &mut self.last_s {
            Some(last_s) => {
                *last_s += self.interval_s;
                *last_s
            }
            None => {
                self.pending += 1;
                0.0
            }
        }
    }
}

/// Bytes of one sample, the mark of its stamp and the stamp included.
pub(crate) fn stride(stamped: bool, sample_bytes: usize) -> usize {
    FLAG_BYTES + if stamped { STAMP_BYTES } else { 0 } + sample_bytes
}

impl<T: Value> Rows<'_, T> {
    pub(crate) fn room(&self) -> usize {
        self.stamps.len() - self.filled
    }

    /// Adds all samples in `bytes`, which all have a stamp or all have none. The caller has seen to
    /// it that there is room.
    pub(crate) fn add(
        &mut self,
        bytes: &[u8],
        stamped: bool,
        sample_bytes: usize,
        channels: &Channels,
        clock: &mut StampClock,
    ) {
        let stride = stride(stamped, sample_bytes);
        let count = bytes.len() / stride;
        let end = (self.filled + count).min(self.stamps.len());
        let stamps = &mut self.stamps[self.filled..end];
        if stamped {
            for (stamp, sample) in stamps.iter_mut().zip(bytes.chunks_exact(stride)) {
                *stamp = f64::from_file(&sample[FLAG_BYTES..]);
            }
            if let Some(&last_s) = stamps.last() {
                clock.last_s = Some(last_s);
            }
        } else {
            stamps.fill_with(|| clock.next());
        }
        let values_at = stride - sample_bytes;
        let tile = (TILE_BYTES / stride).max(MIN_TILE_SAMPLES);
        let mut begin = self.filled;
        for tile_bytes in bytes.chunks(tile * stride) {
            let tile_end = (begin + tile_bytes.len() / stride).min(end);
            for (index, column) in self.columns.iter_mut().enumerate() {
                let at = values_at + channels.of_column(index) * T::BYTES;
                copy_column(&mut column[begin..tile_end], tile_bytes, stride, at);
            }
            begin = tile_end;
        }
        self.filled = end;
    }
}

/// Copies the value at byte `at` of every sample.
#[inline]
fn copy_column<T: Value>(column: &mut [T], samples: &[u8], stride: usize, at: usize) {
    for (value, sample) in column.iter_mut().zip(samples.chunks_exact(stride)) {
        if let Some(raw) = sample.get(at..at + T::BYTES) {
            *value = T::from_file(raw);
        }
    }
}

/// Which channel goes to which column.
#[derive(Clone, Debug)]
pub(crate) enum Channels {
    /// Each to its own.
    All,
    /// Some.
    Chosen(Arc<[usize]>),
}

impl Channels {
    /// Adds the text of a channel to the columns it goes to.
    pub(crate) fn give(&self, channel: usize, text: &[u8], columns: &mut [TextColumn]) {
        match self {
            Self::All => {
                if let Some(column) = columns.get_mut(channel) {
                    column.push_bytes(text);
                }
            }
            Self::Chosen(list) => {
                for (_, column) in list.iter().zip(columns).filter(|(chosen, _)| **chosen == channel) {
                    column.push_bytes(text);
                }
            }
        }
    }

    pub(crate) fn of_column(&self, column: usize) -> usize {
        match self {
            Self::All => column,
            Self::Chosen(list) => list.get(column).copied().unwrap_or_default(),
        }
    }
}
