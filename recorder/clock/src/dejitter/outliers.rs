//! Stretches of an interval that do not belong to its line: a network that stalled, a step of the clock
//! that the map has a little beside its place.

use crate::methods::median;

/// Fewer stretches show no line to judge one of them by.
const FEWEST: usize = 8;
/// Farther from the line than this many sigmas.
const SIGMAS: f64 = 6.0;
/// More than this share cannot be outliers: the line is none.
const SHARE: f64 = 0.25;

/// One stretch: mean position, mean value, variance of its samples, number of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub position: f64,
    pub mean_s: f64,
    pub variance_s2: f64,
    pub count: f64,
}

/// Which stretches stand out from the line through most of them (Theil and Sen: the median of all
/// slopes).
pub(super) fn outlying(stretches: &[Stretch]) -> Vec<bool> {
    let none = vec![false; stretches.len()];
    if stretches.len() < FEWEST {
        return none;
    }
    let mut slopes = Vec::with_capacity(stretches.len() * stretches.len() / 2);
    for (i, a) in stretches.iter().enumerate() {
        slopes.extend(stretches[i + 1..].iter().map(|b| (b.mean_s - a.mean_s) / (b.position - a.position)));
    }
    let slope = median(&slopes);
    let above: Vec<f64> = stretches.iter().map(|s| s.mean_s - slope * s.position).collect();
    let middle_s = median(&above);
    let off_s: Vec<f64> = above.iter().map(|a| (a - middle_s).abs()).collect();
    let usual_s = 1.4826 * median(&off_s);
    // Of a sample in a stretch like most: one that is an outlier in part must not excuse itself.
    let variance_s2 = median(&stretches.iter().map(|s| s.variance_s2).collect::<Vec<_>>());
    let far = |(s, off_s): (&Stretch, &f64)| *off_s > SIGMAS * usual_s.max((variance_s2 / s.count).sqrt());
    let out: Vec<bool> = stretches.iter().zip(&off_s).map(far).collect();
    let all: f64 = stretches.iter().map(|s| s.count).sum();
    let lost: f64 = stretches.iter().zip(&out).filter(|(_, out)| **out).map(|(s, _)| s.count).sum();
    if lost <= SHARE * all { out } else { none }
}
