//! Fill a block of limited size.

use crate::columns::{Columns, StreamData};
use crate::layout::Value;

use super::rows::Rows;
use super::{Chosen, LoadError, Run};

/// Most samples of a block.
pub(crate) const BLOCK_SAMPLES: usize = 1 << 16;
/// About how many bytes of values and stamps a block has, unless one sample has more.
const BLOCK_BYTES: usize = 4 << 20;

/// How many samples a block of this stream has at most.
pub(crate) fn samples(chosen: &Chosen<'_>) -> usize {
    // A text takes its end in the column, and some bytes.
    let value_bytes = chosen.layout.value_bytes.unwrap_or(16);
    let sample_bytes = size_of::<f64>() + chosen.columns.saturating_mul(value_bytes);
    (BLOCK_BYTES / sample_bytes).clamp(1, BLOCK_SAMPLES)
}

impl Run<'_> {
    /// Replaces what is in `block` by the next samples, at most `samples`.
    pub(crate) fn fill_block(&mut self, block: &mut StreamData, samples: usize) -> Result<(), LoadError> {
        let samples = usize::try_from(self.left()).unwrap_or(usize::MAX).min(samples);
        let stamps = &mut block.time_stamps_s;
        match &mut block.values {
            Columns::Int8(list) => self.fill_columns(stamps, list, samples),
            Columns::Int16(list) => self.fill_columns(stamps, list, samples),
            Columns::Int32(list) => self.fill_columns(stamps, list, samples),
            Columns::Int64(list) => self.fill_columns(stamps, list, samples),
            Columns::Float32(list) => self.fill_columns(stamps, list, samples),
            Columns::Double64(list) => self.fill_columns(stamps, list, samples),
            Columns::Text(list) => {
                stamps.clear();
                list.iter_mut().for_each(|column| column.clear());
                self.fill_text(stamps, list, samples, BLOCK_BYTES)
            }
        }
    }

    fn fill_columns<T: Value>(
        &mut self,
        stamps: &mut Vec<f64>,
        columns: &mut [Vec<T>],
        samples: usize,
    ) -> Result<(), LoadError> {
        stamps.resize(samples, 0.0);
        columns.iter_mut().for_each(|column| column.resize(samples, T::default()));
        let columns_now = columns.iter_mut().map(Vec::as_mut_slice).collect();
        let mut rows = Rows { stamps, columns: columns_now, filled: 0 };
        let result = self.fill(&mut rows);
        let filled = rows.filled;
        stamps.truncate(filled);
        columns.iter_mut().for_each(|column| column.truncate(filled));
        result
    }
}

/// Keeps the samples within the time range, both ends included.
pub(crate) fn keep_range(data: &mut StreamData, (from_s, to_s): (f64, f64)) {
    let keep: Vec<bool> = data.time_stamps_s.iter().map(|&s| from_s <= s && s <= to_s).collect();
    if !keep.iter().all(|&keep| keep) {
        data.retain(&keep);
    }
}
