//! Corrupted last offsets: pyxdf's `_truncate_corrupted_offsets`.

use crate::Offset;
use crate::methods::median;

/// The last interval counts as corrupted above this many times the median interval.
const INTERVALS: f64 = 10.0;
/// The last value counts as corrupted above this many scaled median absolute deviations.
const DEVIATIONS: f64 = 10.0;

/// What is to be kept of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// Offsets to keep, from the first.
    pub offsets: usize,
    /// Samples to keep, from the first.
    pub samples: u64,
}

/// pyxdf's remedy for what an outlet leaves that is destroyed while it is read (pylsl issue 67, liblsl
/// issue 246): where a stream has more samples than its footer says, and its last offset stands out in
/// time or in value among at least three, both are cut off. `None`: keep everything. It has false
/// positives (pyxdf issue 176), so it is for compatibility only.
pub fn truncate_corrupted_offsets(
    offsets: &[Offset],
    samples: u64,
    footer_samples: Option<u64>,
) -> Option<Truncation> {
    let footer_samples = footer_samples.filter(|footer| samples > *footer)?;
    let (last, before) = offsets.split_last().filter(|(_, before)| before.len() >= 2)?;

    let steps: Vec<f64> =
        offsets.windows(2).map(|pair| pair[1].device_time_s - pair[0].device_time_s).collect();
    let (last_step, steps) = steps.split_last()?;
    let usual_s = median(steps);
    let late = if usual_s > 0.0 { last_step.abs() / usual_s > INTERVALS } else { last_step.abs() > 0.0 };

    let values: Vec<f64> = before.iter().map(|o| o.offset_s).collect();
    let middle_s = median(&values);
    let spread_s = median(&values.iter().map(|v| (v - middle_s).abs()).collect::<Vec<_>>());
    let off = spread_s > f64::EPSILON && (last.offset_s - middle_s).abs() / (1.4826 * spread_s) > DEVIATIONS;

    (late || off).then_some(Truncation { offsets: before.len(), samples: footer_samples })
}
