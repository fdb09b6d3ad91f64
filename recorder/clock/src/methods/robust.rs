//! `robust`: what pyxdf's `load_xdf` does.

use super::errors::Errors;
use super::huber::huber_line;
use super::points::{Point, Points};
use super::{line, resets};
use crate::{Assignment, ClockMap, Event, EventKind, History, Method, Shape};

/// pyxdf's parameters of clock synchronization, with its defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RobustOptions {
    /// Look for resets of the clock: `handle_clock_resets`.
    pub handle_clock_resets: bool,
    /// A reset comes with an offset that is late by at least so many seconds:
    /// `clock_reset_threshold_seconds`.
    pub reset_threshold_s: f64,
    /// ... and by so many median absolute deviations: `clock_reset_threshold_stds`.
    pub reset_threshold_stds: f64,
    /// ... and with a change of the offset that is so many seconds from the median change:
    /// `clock_reset_threshold_offset_seconds`.
    pub reset_threshold_offset_s: f64,
    /// ... and so many median absolute deviations: `clock_reset_threshold_offset_stds`.
    pub reset_threshold_offset_stds: f64,
    /// Offsets farther than this from the line count as outliers, in seconds: `winsor_threshold`.
    pub winsor_threshold_s: f64,
}

impl Default for RobustOptions {
    fn default() -> Self {
        Self {
            handle_clock_resets: true,
            reset_threshold_s: 5.0,
            reset_threshold_stds: 5.0,
            reset_threshold_offset_s: 1.0,
            reset_threshold_offset_stds: 10.0,
            winsor_threshold_s: 1e-4,
        }
    }
}

/// Fit as pyxdf does: ranges between clock resets, in each a Huber line through the offsets. Gives the
/// digits of pyxdf 1.17.5.
pub fn fit_robust(history: &History, options: &RobustOptions) -> ClockMap {
    let mut map = ClockMap::identity(Method::Robust);
    map.assignment = Assignment::Nearest;
    let points = Points::offsets(history);
    map.remarks.extend(points.remark());
    let points = points.points;
    if points.is_empty() {
        map.remarks.push("the clock was not measured: its stamps are taken as they are".to_owned());
        return map;
    }
    let times_s: Vec<f64> = points.iter().map(|p| p.device_s).collect();
    let values_s: Vec<f64> = points.iter().map(|p| p.offset_s).collect();
    let ranges = resets::ranges(&times_s, &values_s, options);
    for range in &ranges {
        let points = &points[range.clone()];
        match coefficients(points, options.winsor_threshold_s) {
            Some(fitted) => map.pieces.push(line::piece(points, fitted, history)),
            None => {
                map.remarks.push(format!(
                    "offsets {} to {} do not determine a line: stamps near them are taken as they are",
                    range.start + 1,
                    range.end
                ));
                let as_it_is = Shape::Line { intercept_s: 0.0, slope: 0.0 };
                map.pieces.push(line::with_errors(points, as_it_is, Errors::NONE));
            }
        }
    }
    for pair in ranges.windows(2) {
        if let (Some(before), Some(after)) = (points.get(pair[0].end - 1), points.get(pair[1].start)) {
            map.events.push(Event {
                kind: EventKind::Reset,
                host_from_s: before.host_s(),
                host_to_s: after.host_s(),
                size_s: after.offset_s - before.offset_s,
            });
        }
    }
    map
}

/// Intercept and slope of one range; `None` where pyxdf gives up.
fn coefficients(points: &[Point], winsor_threshold_s: f64) -> Option<(f64, f64)> {
    if let [single] = points {
        return Some((single.offset_s, 0.0));
    }
    let x: Vec<f64> = points.iter().map(|p| p.device_s / winsor_threshold_s).collect();
    let y: Vec<f64> = points.iter().map(|p| p.offset_s / winsor_threshold_s).collect();
    let (intercept, slope) = huber_line(&x, &y).ok()?;
    let intercept_s = intercept * winsor_threshold_s;
    (intercept_s.is_finite() && slope.is_finite()).then_some((intercept_s, slope))
}
