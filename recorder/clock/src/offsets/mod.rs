//! The fallback of `smooth` where a file has clock offsets but no exchanges.
//!
//! Model: offset and frequency, the frequency a random walk; the offsets' errors Student-t with 2.5 degrees
//! of freedom, their scale and the walk's intensity from the data (the intensity by leave-one-out
//! prediction). Clock resets and steps divide the map into pieces. Where round-trip times are known, an
//! offset counts less the more its own exceeds the lowest.

mod clean;
#[cfg(test)]
pub(crate) mod sim;
mod smoother;
mod steps;
mod student;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::clean::{Clean, RESET_S, STALENESS_SIGMA_S, clean, continuous, host_s, median};
use self::smoother::Smoothed;
use self::student::{Fit, Sample, ScalePrior};
use crate::asymmetry::usual_sigma_s;
use crate::{Assignment, ClockMap, Curve, Event, EventKind, History, Knot, Method, Offset, Piece, Shape};

/// A clock that is read with the same readings all the time is the host's own.
const SAME_CLOCK_S: f64 = 1e-9;
/// What can't be resolved by any estimate: timer readings, rounding of stamps.
const FLOOR_S: f64 = 0.15e-6;

/// A straight line that is taken off before smoothing.
#[derive(Debug, Clone, Copy)]
struct Base {
    device_ref_s: f64,
    offset_s: f64,
    slope: f64,
}

/// Smooth the clock offsets of a history; its exchanges are not looked at.
///
/// One or two offsets give a constant or a line. Round-trip times unknown: `bound_s` is infinite, and the
/// asymmetry to be expected is guessed from the scatter of the offsets.
pub fn smooth_offsets(history: &History) -> ClockMap {
    let Clean { mut offsets, stale, remarks } = clean(history);
    let mut map = ClockMap { remarks, ..ClockMap::identity(Method::Smooth) };
    map.assignment = Assignment::Events;
    if offsets.is_empty() {
        map.remarks.push("no clock offset can be used: times are the device's own".into());
        return map;
    }
    // A path that is slower towards the device makes the offset (host minus device) too low.
    let asymmetry_s = history.known_asymmetry_s.filter(|a| a.is_finite());
    for offset in &mut offsets {
        offset.offset_s += asymmetry_s.unwrap_or(0.0);
    }
    let resolution_s = Some(history.reading.resolution_s).filter(|r| r.is_finite()).unwrap_or(0.0).max(0.0);
    if offsets.iter().all(|o| o.offset_s.abs() <= SAME_CLOCK_S) {
        map.remarks.push("all clock offsets are 0: the stamps are the recorder's own".into());
        map.pieces.push(same_clock(&offsets, resolution_s));
        return map;
    }

    let epochs = epochs(&offsets);
    let bases: Vec<Base> = epochs.iter().map(|epoch| base(&offsets[epoch.clone()])).collect();
    let (samples, lowest_s) = samples(&offsets, &epochs, &bases, resolution_s);
    let scale_prior = ScalePrior {
        // Of a handful of offsets nobody can tell the scatter.
        scale_us: lowest_s.map_or(300.0, |r| 0.25e6 * r.max(0.0)),
        weight: 4.0 * (1.0 - samples.len() as f64 / 12.0).max(0.0),
        floor_us: 0.01 + 1e6 * resolution_s / 12f64.sqrt(),
    };
    let (stretches, fit) = steps::fit_with_steps(&samples, &epochs, scale_prior);

    for stretch in &stretches {
        let epoch = epochs.iter().position(|e| e.contains(&stretch.start)).unwrap_or(0);
        let part = &offsets[stretch.clone()];
        let mut piece = piece(part, &fit, stretch.clone(), bases[epoch]);
        let skew = mean_slope(&piece.shape);
        let staleness_s = if stale { skew.abs() * STALENESS_SIGMA_S } else { 0.0 };
        piece.sigma_s = FLOOR_S.hypot(staleness_s);
        let round_trip_s = lowest_round_trip_s(part);
        piece.bound_s = round_trip_s.map_or(f64::INFINITY, |r| 0.5 * (r.max(0.0) + resolution_s));
        piece.asymmetry_sigma_s = expected_asymmetry_s(round_trip_s, fit.scale_us, asymmetry_s.is_some());
        map.pieces.push(piece);
    }
    let margin_s = if stale { 1.25 } else { 0.0 };
    map.events = map.pieces.windows(2).map(|pair| event(&pair[0], &pair[1], margin_s)).collect();
    map
}

fn same_clock(offsets: &[Offset], resolution_s: f64) -> Piece {
    let span_s = (offsets[0].device_time_s, offsets[offsets.len() - 1].device_time_s);
    Piece {
        device_span_s: span_s,
        host_span_s: span_s,
        shape: Shape::Line { intercept_s: 0.0, slope: 0.0 },
        sigma_s: 0.0,
        asymmetry_sigma_s: 0.0,
        bound_s: lowest_round_trip_s(offsets).map_or(f64::INFINITY, |r| 0.5 * (r.max(0.0) + resolution_s)),
    }
}

/// Stretches without a reset: the device's time runs on, and the offset doesn't jump.
fn epochs(offsets: &[Offset]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for i in 1..offsets.len() {
        let (a, b) = (&offsets[i - 1], &offsets[i]);
        if b.device_time_s < a.device_time_s || !continuous(a, b) {
            found.push(start..i);
            start = i;
        }
    }
    found.push(start..offsets.len());
    found
}

/// Two measurements of a clock are further apart than this.
const CLOSEST_S: f64 = 1e-6;

/// A robust line: the median of the slopes between offsets half the stretch apart, and of what is left.
fn base(offsets: &[Offset]) -> Base {
    let n = offsets.len();
    let device_ref_s = offsets[n / 2].device_time_s;
    let mut slopes: Vec<f64> = (0..n - n.div_ceil(2))
        .filter_map(|i| {
            let (a, b) = (&offsets[i], &offsets[i + n.div_ceil(2)]);
            let passed_s = b.device_time_s - a.device_time_s;
            // No two measurements are closer; what is says nothing of a rate.
            (passed_s > CLOSEST_S).then(|| (b.offset_s - a.offset_s) / passed_s)
        })
        .collect();
    let slope = Some(median(&mut slopes)).filter(|s| s.is_finite()).unwrap_or(0.0);
    let mut rest: Vec<f64> =
        offsets.iter().map(|o| o.offset_s - slope * (o.device_time_s - device_ref_s)).collect();
    Base { device_ref_s, offset_s: median(&mut rest), slope }
}

fn lowest_round_trip_s(offsets: &[Offset]) -> Option<f64> {
    offsets.iter().map(|o| o.round_trip_s).try_fold(f64::INFINITY, |low, r| Some(low.min(r?)))
}

/// What is smoothed, and the lowest round-trip time where all are known.
fn samples(
    offsets: &[Offset],
    epochs: &[Range<usize>],
    bases: &[Base],
    resolution_s: f64,
) -> (Vec<Sample>, Option<f64>) {
    let lowest_s = lowest_round_trip_s(offsets);
    let mut excess: Vec<f64> =
        offsets.iter().map(|o| o.round_trip_s.unwrap_or(0.0) - lowest_s.unwrap_or(0.0)).collect();
    let excesses = excess.clone();
    excess.sort_by(f64::total_cmp);
    let usual_s = excess[excess.len() / 4].max(2e-6).max(resolution_s);
    let mut out = Vec::with_capacity(offsets.len());
    for (epoch, base) in epochs.iter().zip(bases) {
        for i in epoch.clone() {
            let x_s = offsets[i].device_time_s - base.device_ref_s;
            let z_us = 1e6 * (offsets[i].offset_s - base.offset_s - base.slope * x_s);
            let spread = lowest_s.map_or(1.0, |_| 1.0 + (0.5 * excesses[i] / usual_s).powi(2));
            out.push(Sample { x_s, z_us, spread });
        }
    }
    (out, lowest_s)
}

fn piece(offsets: &[Offset], fit: &Fit, stretch: Range<usize>, base: Base) -> Piece {
    let host_ref_s = base.device_ref_s + base.offset_s;
    let noise = 1e-12 * fit.q_us;
    let knot = |x_s: f64, i: usize| {
        // Numbers that no clock has can leave nothing that could be fitted: then the line stands, for what it is.
        let state =
            fit.states.get(i).copied().unwrap_or(Smoothed { variance_us2: 1e12, ..Smoothed::default() });
        Knot {
            x_s,
            y_s: base.slope * x_s + 1e-6 * state.offset_us,
            slope: base.slope + 1e-6 * state.frequency,
            variance_s2: 1e-12 * state.variance_us2,
            covariance_s: 1e-12 * state.covariance,
            slope_variance: 1e-12 * state.frequency_variance,
            noise_s2_per_s3: noise,
        }
    };
    let mut knots: Vec<Knot> = Vec::with_capacity(offsets.len());
    let x_s = |i: usize| offsets[i].device_time_s - base.device_ref_s;
    let last = offsets.len() - 1;
    for i in 0..offsets.len() {
        // Equal times would leave no room between knots.
        if i == 0 || x_s(i) > x_s(i - 1) {
            knots.push(knot(x_s(i), stretch.start + i));
        }
    }
    Piece {
        device_span_s: (offsets[0].device_time_s, offsets[last].device_time_s),
        host_span_s: (host_s(&offsets[0]), host_s(&offsets[last])),
        shape: Shape::Curve(Curve {
            device_ref_s: base.device_ref_s,
            host_ref_s,
            knots,
            corridors: Vec::new(),
        }),
        sigma_s: 0.0,
        asymmetry_sigma_s: 0.0,
        bound_s: f64::INFINITY,
    }
}

fn mean_slope(shape: &Shape) -> f64 {
    match shape {
        Shape::Line { slope, .. } => *slope,
        Shape::Curve(curve) if curve.knots.is_empty() => 0.0,
        Shape::Curve(curve) => {
            curve.knots.iter().map(|knot| knot.slope).sum::<f64>() / curve.knots.len() as f64
        }
    }
}

/// Sigma of the asymmetry of a path: the usual one where round trips are known, otherwise a guess from how much the offsets scatter.
fn expected_asymmetry_s(round_trip_s: Option<f64>, scale_us: f64, known: bool) -> f64 {
    let guess_s = match round_trip_s {
        Some(round_trip_s) => return usual_sigma_s(0.5 * round_trip_s.max(0.0), known, 0.0),
        None => 50e-6f64.hypot(2.5e-6 * scale_us),
    };
    if known { 0.2 * guess_s } else { guess_s }
}

fn event(a: &Piece, b: &Piece, margin_s: f64) -> Event {
    let host_from_s = a.host_span_s.1 - margin_s;
    let host_to_s = (b.host_span_s.0 + margin_s).max(host_from_s);
    let middle_s = 0.5 * (host_from_s + host_to_s);
    let offset_at = |piece: &Piece| {
        let device_time_s = piece.device_time_s(middle_s);
        (middle_s - device_time_s, piece.at(device_time_s).relative_s)
    };
    let ((before_s, sigma_a_s), (after_s, sigma_b_s)) = (offset_at(a), offset_at(b));
    let size_s = after_s - before_s;
    let edge_slope = |piece: &Piece, last: bool| match &piece.shape {
        Shape::Curve(curve) if last => curve.knots.last().map_or(0.0, |k| k.slope),
        Shape::Curve(curve) => curve.knots.first().map_or(0.0, |k| k.slope),
        Shape::Line { slope, .. } => *slope,
    };
    // Two lines of different slope that meet within the interval: nothing jumped.
    let turn = (edge_slope(b, false) - edge_slope(a, true)).abs();
    let explained_s = 0.5 * turn * (host_to_s - host_from_s) + 3.0 * sigma_a_s.hypot(sigma_b_s);
    let kind = if size_s.abs() > RESET_S || b.device_span_s.0 < a.device_span_s.1 {
        EventKind::Reset
    } else if size_s.abs() <= explained_s && turn > 20e-6 {
        EventKind::Slew
    } else {
        EventKind::Step
    };
    Event { kind, host_from_s, host_to_s, size_s }
}
