//! `last` and `mean`: one offset for all stamps.

use super::line;
use super::points::Points;
use crate::{Assignment, ClockMap, History, Method};

/// LSL online: "adding the most recent clock offset value to each remotely collected timestamp".
pub(crate) fn last(history: &History) -> ClockMap {
    constant(Method::Last, history, Points::offsets(history), |points| points.last().copied())
}

/// Neon's `TimeOffsetEstimator`: the arithmetic mean over all exchanges of client minus device at the
/// middle of each, `(t0 + t3) / 2 - (t1 + t2) / 2` (the original has one device stamp, t1 = t2, and both
/// clocks in whole milliseconds). The sign is XDF's too: it is added to device stamps.
pub(crate) fn mean(history: &History) -> ClockMap {
    constant(Method::Mean, history, Points::every(history), |offsets| {
        let first = offsets.first()?;
        // About the first one: offsets between epochs are large, their differences are not.
        let sum: f64 = offsets.iter().map(|offset| offset - first).sum();
        Some(first + sum / offsets.len() as f64)
    })
}

fn constant(
    method: Method,
    history: &History,
    points: Points,
    choose: impl FnOnce(&[f64]) -> Option<f64>,
) -> ClockMap {
    let mut map = ClockMap::identity(method);
    map.assignment = Assignment::Nearest;
    map.remarks.extend(points.remark());
    let offsets: Vec<f64> = points.points.iter().map(|p| p.offset_s).collect();
    match choose(&offsets) {
        Some(offset_s) if offset_s.is_finite() => {
            map.pieces.push(line::piece(&points.points, (offset_s, 0.0), history));
        }
        _ => map.remarks.push("the clock was not measured: its stamps are taken as they are".to_owned()),
    }
    map
}
