//! `interpolate`: straight from one synchronization point to the next.

use super::errors::Errors;
use super::line;
use super::points::{Point, Points};
use crate::{Assignment, ClockMap, Curve, Event, EventKind, History, Knot, Method, Shape};

use super::median;

/// Random walk of a phone's frequency between points: (4e-9 per sqrt(s))^2.
const WANDER_S2_PER_S3: f64 = 1.6e-17;

/// Tobii, "Time Synchronization": four exchanges in quick succession, the one with the lowest round trip
/// is a synchronization point; stamps are interpolated between the two nearest. Beyond the first and
/// the last, the nearest segment is continued.
pub(crate) fn interpolate(history: &History) -> ClockMap {
    let mut map = ClockMap::identity(Method::Interpolate);
    map.assignment = Assignment::Nearest;
    let found = Points::bursts(history);
    map.remarks.extend(found.remark());
    let (pieces, out_of_order) = increasing(&found.points);
    if out_of_order > 0 {
        map.remarks.push(format!("{out_of_order} synchronization points are out of order and left out"));
    }
    if pieces.is_empty() {
        map.remarks.push("the clock was not measured: its stamps are taken as they are".to_owned());
    }
    for points in &pieces {
        let Some(curve) = curve(points, history.reading.resolution_s) else { continue };
        let errors = Errors::of_path(points, history);
        map.pieces.push(line::with_errors(points, Shape::Curve(curve), errors));
    }
    for pair in pieces.windows(2) {
        if let (Some(before), Some(after)) = (pair[0].last(), pair[1].first()) {
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

/// Runs of points in which both clocks advance, and how many points fit nowhere. A device clock that
/// goes back while the host's goes on was set back: a new run.
fn increasing(points: &[Point]) -> (Vec<Vec<Point>>, usize) {
    let mut runs: Vec<Vec<Point>> = Vec::new();
    let mut left_out = 0;
    for point in points {
        match runs.last_mut() {
            None => runs.push(vec![*point]),
            Some(run) => {
                let (Some(first), Some(before)) = (run.first(), run.last()) else { continue };
                // As the curve will have it: relative to the first.
                let device_on = point.device_s - first.device_s > before.device_s - first.device_s;
                match (device_on, point.host_s() > before.host_s()) {
                    (true, true) => run.push(*point),
                    (false, true) if point.device_s < before.device_s => runs.push(vec![*point]),
                    _ => left_out += 1,
                }
            }
        }
    }
    (runs, left_out)
}

/// The broken line. Each inner point has two knots, one for each of its slopes.
fn curve(points: &[Point], resolution_s: f64) -> Option<Curve> {
    let first = points.first()?;
    let (device_ref_s, host_ref_s) = (first.device_s, first.host_s());
    // Not by way of the offsets: the difference of large numbers would cost digits.
    let at = |p: &Point| (p.device_s - device_ref_s, p.offset_s - first.offset_s);
    let slopes: Vec<f64> = points
        .windows(2)
        .map(|pair| {
            let (a, b) = (at(&pair[0]), at(&pair[1]));
            (b.1 - a.1) / (b.0 - a.0)
        })
        .collect();
    let noises = noises_s2(points, resolution_s);
    let mut knots = Vec::with_capacity(2 * points.len());
    for (i, point) in points.iter().enumerate() {
        let (x_s, y_s) = at(point);
        let before = i.checked_sub(1).and_then(|i| slopes.get(i));
        let after = slopes.get(i);
        let sides = [before, after];
        let mut sides: Vec<f64> = sides.into_iter().flatten().copied().collect();
        if sides.is_empty() {
            sides.push(0.0);
        }
        knots.extend(sides.into_iter().map(|slope| Knot {
            x_s,
            y_s,
            slope,
            variance_s2: noises[i],
            covariance_s: 0.0,
            slope_variance: 0.0,
            noise_s2_per_s3: WANDER_S2_PER_S3,
        }));
    }
    Some(Curve { device_ref_s, host_ref_s, knots, corridors: Vec::new() })
}

/// Variance of each point's offset, asymmetry of the fastest path left out: half of what its round trip
/// took longer than the lowest, and the step of the readings. Where round trips are not known: from how
/// far points are off the line between their neighbours.
fn noises_s2(points: &[Point], resolution_s: f64) -> Vec<f64> {
    let lowest_s = points.iter().filter_map(|p| p.round_trip_s).fold(f64::INFINITY, f64::min);
    let bends: Vec<f64> = points
        .windows(3)
        .map(|w| {
            let u = (w[1].device_s - w[0].device_s) / (w[2].device_s - w[0].device_s);
            (w[1].offset_s - w[0].offset_s - u * (w[2].offset_s - w[0].offset_s)).abs()
        })
        .collect();
    // Of the middle minus the mean of its neighbours: sqrt(1.5) sigma.
    let blind_s = if bends.is_empty() { 1e-3 } else { 1.4826 * median(&bends) / 1.5_f64.sqrt() };
    points
        .iter()
        .map(|p| {
            let sigma_s = p.round_trip_s.map_or(blind_s, |trip_s| 0.5 * (trip_s - lowest_s));
            sigma_s * sigma_s + resolution_s * resolution_s / 12.0
        })
        .collect()
}
