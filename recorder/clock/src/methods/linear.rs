//! `linear`: the least squares line through the offsets.

use super::line;
use super::points::{Point, Points};
use crate::{Assignment, ClockMap, History, Method};

/// LSL, "Synchronization in Multi-Stream Recordings": a linear fit through all offsets. No outliers, no
/// resets: `robust` knows of those.
pub(crate) fn linear(history: &History) -> ClockMap {
    let mut map = ClockMap::identity(Method::Linear);
    map.assignment = Assignment::Nearest;
    let points = Points::offsets(history);
    map.remarks.extend(points.remark());
    match least_squares(&points.points) {
        Some(fitted) => map.pieces.push(line::piece(&points.points, fitted, history)),
        None => map.remarks.push("the clock was not measured: its stamps are taken as they are".to_owned()),
    }
    map
}

/// Intercept at device time 0, and slope. Constant where the points have one time only; `None` without
/// points.
fn least_squares(points: &[Point]) -> Option<(f64, f64)> {
    let first = points.first()?;
    let n = points.len() as f64;
    // About the means: sums of squares of unix times have no digits left for the drift.
    let mean_x = first.device_s + points.iter().map(|p| p.device_s - first.device_s).sum::<f64>() / n;
    let mean_y = first.offset_s + points.iter().map(|p| p.offset_s - first.offset_s).sum::<f64>() / n;
    let (mut xx, mut xy) = (0.0, 0.0);
    for p in points {
        let x = p.device_s - mean_x;
        xx += x * x;
        xy += x * (p.offset_s - mean_y);
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    let fitted = (mean_y - slope * mean_x, slope);
    (fitted.0.is_finite() && fitted.1.is_finite()).then_some(fitted)
}
