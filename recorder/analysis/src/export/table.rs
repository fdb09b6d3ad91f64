//! What all formats of tables have in common.

use lockstep_xdf::{ChannelFormat, Columns};

use super::ExportError;
use super::job::Job;
use crate::{SyncedBlock, Timing};

/// A table that is being written, block after block.
pub(super) trait Table {
    /// The next rows: the columns of time, and one of values for each channel.
    fn write(&mut self, rows: &Rows, values: &Columns) -> Result<(), ExportError>;

    /// The end; `metadata` is JSON, for formats with a place for it.
    fn finish(self: Box<Self>, metadata: &str) -> Result<(), ExportError>;
}

/// The columns of time of one block, in the order of [`super::names::TIME_COLUMNS`].
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// All of the same length.
    pub(super) times: [Vec<f64>; 5],
}

impl Rows {
    /// Take over the times of a block.
    pub(super) fn take(&mut self, block: &SyncedBlock<'_>) {
        let times = block.times;
        let [time_s, device_time_s, sigma_s, relative_s, bound_s] = &mut self.times;
        time_s.clone_from(&times.time_s);
        device_time_s.clear();
        device_time_s.extend_from_slice(block.device_time_s);
        rounded(sigma_s, &times.sigma_total_s);
        rounded(relative_s, &times.sigma_relative_s);
        rounded(bound_s, &times.bound_s);
    }

    pub(super) fn len(&self) -> usize {
        self.times[0].len()
    }
}

/// Errors rounded up to four digits: more mean nothing, and would take most of a file's bytes.
fn rounded(out: &mut Vec<f64>, errors: &[f64]) {
    out.clear();
    let mut last = (f64::NAN, f64::NAN);
    out.extend(errors.iter().map(|&error| {
        // Neighbours are often the same.
        if error.to_bits() != last.0.to_bits() {
            last = (error, round_up(error));
        }
        last.1
    }));
}

/// The lowest number of four decimal digits that is not below `error`; unchanged outside of 1e-18 to
/// 1000.
pub(super) fn round_up(error: f64) -> f64 {
    if !(1e-18..1e3).contains(&error) {
        return error;
    }
    let digits = 3 - error.log10().floor() as i32;
    // Powers up to 1e22 are exact, so that the quotient is the double nearest to the decimal number.
    let scale = 10f64.powi(digits);
    let scaled = error * scale;
    // What is a decimal number already, but for the last bit, stays.
    let nearest = scaled.round();
    let up = if (scaled - nearest).abs() <= 1e-9 { nearest } else { scaled.ceil() };
    up / scale
}

/// How many rows a table will have, and how much text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) rows: u64,
    /// One for each channel of text.
    pub(super) texts: Vec<TextCount>,
}

/// How much text a column has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TextCount {
    /// Bytes of all texts.
    pub(super) bytes: u64,
    /// Characters of the longest one.
    pub(super) longest: u64,
    /// One of them ends with a NUL character.
    pub(super) ends_with_nul: bool,
}

/// Look over the wanted samples of a stream, for formats that must know sizes before they write.
pub(super) fn count(job: &Job<'_, '_>, timing: &Timing<'_>) -> Result<Counts, ExportError> {
    let info = &timing.scanned().info;
    let is_text = info.format == ChannelFormat::String;
    if !is_text && job.range.times_s.is_none() {
        return Ok(Counts { rows: timing.samples, texts: Vec::new() });
    }
    let mut counts = Counts::default();
    if is_text {
        counts.texts = vec![TextCount::default(); info.channel_count];
    }
    let mut blocks = job.blocks(timing, if is_text { None } else { Some(Vec::new()) });
    while let Some(block) = blocks.next_block()? {
        counts.rows += block.times.len() as u64;
        if let Columns::Text(columns) = block.values {
            for (count, column) in counts.texts.iter_mut().zip(columns) {
                for text in column.iter() {
                    count.bytes += text.len() as u64;
                    count.longest = count.longest.max(text.chars().count() as u64);
                    count.ends_with_nul |= text.ends_with('\0');
                }
            }
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_have_four_digits() {
        for (error, rounded) in [
            (1.234_501e-6, 1.235e-6),
            (1.234e-6, 1.234e-6),
            (0.002, 0.002),
            (9.9999e-5, 1e-4),
            (0.0, 0.0),
            (f64::INFINITY, f64::INFINITY),
            (12_345.678, 12_345.678),
        ] {
            assert_eq!(round_up(error), rounded, "{error}");
        }
        assert!(round_up(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn rounding_is_upwards_and_slight(exponent in -17.9f64..2.9) {
            let error = 10f64.powf(exponent);
            let rounded = round_up(error);
            prop_assert!(rounded >= error * (1.0 - 1e-9) && rounded <= error * 1.001_1, "{error} {rounded}");
            let digits = format!("{rounded:e}").split('e').next().map_or(0, |d| d.replace('.', "").len());
            prop_assert!(digits <= 4, "{rounded:e}");
        }
    }
}
