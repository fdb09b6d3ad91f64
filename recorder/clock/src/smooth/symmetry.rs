//! Where the delays of both ways begin, and whether they are alike: what centres theta.

use super::delays::end_point;
use super::paths::Path;
use super::stats::{median, quantile};

/// Blocks over time that show how uncertain a difference of quantiles is.
const SYMMETRY_BLOCKS: usize = 10;
const SYMMETRY_QUANTILES: [f64; 5] = [0.05, 0.1, 0.15, 0.2, 0.3];

/// Where the delays of both ways are alike but for a shift of theta: that shift, and its sigma. `None`
/// where they differ, or where there are too few to say.
///
/// Soft edges are hard to find; that both distributions coincide over their lower part is a far
/// sharper condition, where it can be had.
pub(super) fn symmetric_shift(delays: &[Vec<f64>; 2]) -> Option<(f64, f64)> {
    let n = delays[0].len();
    if n < 20 * SYMMETRY_BLOCKS {
        return None;
    }
    let differences = |range: std::ops::Range<usize>| {
        let mut there = delays[0][range.clone()].to_vec();
        let mut back = delays[1][range].to_vec();
        SYMMETRY_QUANTILES.map(|q| quantile(&mut there, q) - quantile(&mut back, q))
    };
    let whole = differences(0..n);
    let last = SYMMETRY_QUANTILES.len() - 1;
    let contrast = |d: &[f64; 5]| d[last] - d[0];
    let mean = |d: &[f64; 5]| d.iter().sum::<f64>() / d.len() as f64;
    let blocks: Vec<[f64; 5]> = (0..SYMMETRY_BLOCKS)
        .map(|i| differences(i * n / SYMMETRY_BLOCKS..(i + 1) * n / SYMMETRY_BLOCKS))
        .collect();
    let error = |f: &dyn Fn(&[f64; 5]) -> f64| {
        let values: Vec<f64> = blocks.iter().map(f).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let sum: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (sum / (SYMMETRY_BLOCKS * (SYMMETRY_BLOCKS - 1)) as f64).sqrt()
    };
    let spread = |delays: &[f64]| {
        let mut delays = delays.to_vec();
        quantile(&mut delays, SYMMETRY_QUANTILES[last]) - quantile(&mut delays, SYMMETRY_QUANTILES[0])
    };
    let width = 0.5 * (spread(&delays[0]) + spread(&delays[1]));
    let (seen, sigma) = (contrast(&whole).abs(), error(&contrast));
    if seen > 2.5 * sigma || seen + 2.0 * sigma > 0.35 * width {
        return None;
    }
    Some((0.5 * mean(&whole), 0.5 * error(&mean)))
}

/// How differently the delays of both ways are spread above their ends, 0 to 1.
pub(super) fn unlike(delays: &[Vec<f64>; 2]) -> f64 {
    let above = |delays: &[f64]| {
        let mut delays = delays.to_vec();
        let low = quantile(&mut delays, 0.02);
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7].map(|q| quantile(&mut delays, q) - low)
    };
    let (there, back) = (above(&delays[0]), above(&delays[1]));
    let ratio = |(a, b): (&f64, &f64)| if a + b > 0.0 { (a - b).abs() / (a + b) } else { 0.0 };
    there.iter().zip(&back).map(ratio).sum::<f64>() / there.len() as f64
}

/// End points of both directions.
pub(super) struct Edge {
    /// Of one way, as if both were alike.
    pub middle_us: f64,
    shift_us: f64,
    pub sigma_us: f64,
}

/// Exchanges of a block for the common end point, and for the shift.
const MIDDLE_BLOCK: usize = 1200;
const SHIFT_BLOCK: usize = 800;
/// Least share that the common end point has of the one by the round-trip times.
const LEAST_SHARE: f64 = 0.5;

impl Edge {
    pub fn of(delays: &[Vec<f64>; 2], soft: [bool; 2], step_us: f64, half_us: f64) -> Self {
        let n = delays[0].len();
        let ends = |range: std::ops::Range<usize>| {
            let there = end_point(&mut delays[0][range.clone()].to_vec(), soft[0]);
            let back = end_point(&mut delays[1][range].to_vec(), soft[1]);
            [there, back]
        };
        let blocks = |size: usize, most: usize| {
            let count = (n / size).clamp(1, most);
            (0..count).map(move |i| i * n / count..(i + 1) * n / count)
        };
        // What both ways take together does not depend on theta; but its end is harder to find.
        let mut rtts: Vec<f64> = delays[0].iter().zip(&delays[1]).map(|(a, b)| a + b).collect();
        let together_us = 0.5 * end_point(&mut rtts, soft[0] || soft[1]).0;
        let middle_us = if step_us > 0.0 {
            together_us
        } else {
            let mut middles: Vec<f64> = blocks(MIDDLE_BLOCK, usize::MAX)
                .map(|range| {
                    let [there, back] = ends(range);
                    0.5 * (there.0 + back.0)
                })
                .collect();
            // Theta's own errors make both ends seem earlier than they are.
            median(&mut middles).max(LEAST_SHARE * together_us)
        };
        let [there, back] = ends(0..n);
        let shift_us = if n >= 2 * SHIFT_BLOCK {
            let mut shifts: Vec<f64> = blocks(SHIFT_BLOCK, 9)
                .map(|range| {
                    let [there, back] = ends(range);
                    0.5 * (there.0 - back.0)
                })
                .collect();
            median(&mut shifts)
        } else {
            0.5 * (there.0 - back.0)
        };
        Self {
            middle_us: middle_us.clamp(0.0, half_us.max(0.0)),
            shift_us,
            sigma_us: 0.5 * there.1.hypot(back.1),
        }
    }

    /// By how much theta is off its middle on a path.
    pub fn shift(&self, path: &Path) -> f64 {
        path.shift_within_reason(self.shift_us)
    }
}
