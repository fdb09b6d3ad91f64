//! What one method makes of one clock.

use lockstep_clock::{ClockMap, Event, EventKind, History, Method, Piece, fit};
use serde::Serialize;

use super::measured::{Pick, picks, usable};
use crate::{ClockEvent, Uncertainty};

/// Instants at which errors and courses are looked at, for all pieces together.
pub(super) const INSTANTS: usize = 600;

/// One clock by one method.
#[derive(Debug, Clone, Serialize)]
pub struct Study {
    /// The method.
    pub method: &'static str,
    /// Exchanges in the file.
    pub exchanges: u64,
    /// Exchanges whose stamps cannot be those of one.
    pub exchanges_unusable: u64,
    /// Clock offsets in the file.
    pub offsets: u64,
    /// The offsets look like cached values, stamped when they were read.
    pub stale_stamps: bool,
    /// Round-trip times of all exchanges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_s: Option<RoundTrips>,
    /// First and last host time at which the clock was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_span_s: Option<(f64, f64)>,
    /// Host minus device at the first and last measurement, by the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_s: Option<(f64, f64)>,
    /// Mean drift in parts per million: how much slower the clock runs than the recorder's. Without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// Lowest and highest drift along the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_range_ppm: Option<(f64, f64)>,
    /// Wander: how far the map is from a straight line, root mean square, in seconds. Without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wander_rms_s: Option<f64>,
    /// What the picks (the fastest exchange of each burst, or the offsets) are off the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residuals: Option<Residuals>,
    /// Medians of the errors along the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// Steps, slews and resets.
    pub events: Vec<ClockEvent>,
    /// What else should be known.
    pub remarks: Vec<String>,
    /// The picks.
    #[serde(skip)]
    pub picks: Vec<Pick>,
    /// Host time and round-trip time of every exchange.
    #[serde(skip)]
    pub round_trips: Vec<(f64, f64)>,
    /// The map.
    #[serde(skip)]
    pub map: ClockMap,
}

/// Round-trip times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RoundTrips {
    /// Lowest.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// 95th centile.
    pub p95: f64,
    /// Highest.
    pub max: f64,
}

/// Residuals in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Residuals {
    /// How many.
    pub count: u64,
    /// Median; its sign shows on which side the delays are.
    pub median: f64,
    /// Root mean square.
    pub rms: f64,
    /// 95th centile of the magnitude.
    pub p95: f64,
    /// Largest magnitude.
    pub max: f64,
}

/// Fit one method to what was measured of a clock, and look at the result.
pub fn study(history: &History, method: Method) -> Study {
    let map = if history.is_empty() { ClockMap::identity(method) } else { fit(method, history) };
    study_map(history, map)
}

/// Look at a map that was made of a clock's history.
pub fn study_map(history: &History, map: ClockMap) -> Study {
    let picks = picks(history);
    let usable = history.exchanges.iter().filter_map(|e| Some((e, usable(e, history.reading)?)));
    let round_trips: Vec<(f64, f64)> =
        usable.map(|(e, m)| (0.5 * (e.t0_s + e.t3_s), m.round_trip_s)).collect();
    let mut values: Vec<f64> = round_trips.iter().map(|r| r.1).collect();
    values.sort_by(f64::total_cmp);
    let round_trip_s = quantile(&values, 0.0).map(|min| RoundTrips {
        min,
        median: quantile(&values, 0.5).unwrap_or(min),
        p95: quantile(&values, 0.95).unwrap_or(min),
        max: quantile(&values, 1.0).unwrap_or(min),
    });
    let courses: Vec<Course> = map.pieces.iter().map(Course::of).collect();
    let end = |piece: &Piece, device_s: f64| piece.at(device_s).host_time_s - device_s;
    Study {
        method: map.method.name(),
        exchanges: history.exchanges.len() as u64,
        exchanges_unusable: (history.exchanges.len() - round_trips.len()) as u64,
        offsets: history.offsets.len() as u64,
        stale_stamps: history.stale_stamps,
        round_trip_s,
        host_span_s: map
            .pieces
            .first()
            .zip(map.pieces.last())
            .map(|(a, b)| (a.host_span_s.0, b.host_span_s.1)),
        offset_s: map
            .pieces
            .first()
            .zip(map.pieces.last())
            .map(|(a, b)| (end(a, a.device_span_s.0), end(b, b.device_span_s.1))),
        drift_ppm: drift(&courses).map(|drift| 1e6 * drift),
        drift_range_ppm: drift_range(&courses),
        wander_rms_s: wander(&courses),
        residuals: residuals(&map, &picks),
        uncertainty: uncertainty(&map),
        events: map.events.iter().map(event).collect(),
        remarks: map.remarks.clone(),
        picks,
        round_trips,
        map,
    }
}

/// The map's course along one piece: host time and host minus device, evenly spaced.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub(super) points: Vec<(f64, f64)>,
}

impl Course {
    pub(super) fn of(piece: &Piece) -> Self {
        let points = instants(piece, 100).map(|device_s| {
            let host_s = piece.at(device_s).host_time_s;
            (host_s, host_s - device_s)
        });
        Self { points: points.collect() }
    }
}

/// Evenly spaced device times of a piece; at most `most + 1`, at least both ends.
pub(super) fn instants(piece: &Piece, most: usize) -> impl Iterator<Item = f64> {
    let (from_s, to_s) = piece.device_span_s;
    let steps = if to_s > from_s { most.max(1) } else { 0 };
    (0..=steps).map(move |k| match steps {
        0 => from_s,
        _ => from_s + (to_s - from_s) * k as f64 / steps as f64,
    })
}

/// Seconds gained for each second, over all pieces.
pub(super) fn drift(courses: &[Course]) -> Option<f64> {
    let (mut time_s, mut gained_s) = (0.0, 0.0);
    for course in courses {
        if let (Some(first), Some(last)) = (course.points.first(), course.points.last()) {
            time_s += last.0 - first.0;
            gained_s += last.1 - first.1;
        }
    }
    (time_s > 0.0).then(|| gained_s / time_s)
}

/// Lowest and highest slope over a tenth of a piece.
fn drift_range(courses: &[Course]) -> Option<(f64, f64)> {
    let mut range: Option<(f64, f64)> = None;
    for course in courses {
        let over = (course.points.len() / 10).max(1);
        for (a, b) in course.points.iter().zip(course.points.iter().skip(over)) {
            if b.0 > a.0 {
                let ppm = 1e6 * (b.1 - a.1) / (b.0 - a.0);
                range = Some(range.map_or((ppm, ppm), |(low, high)| (low.min(ppm), high.max(ppm))));
            }
        }
    }
    range
}

/// Root mean square of the course about a line with a level of its own in each piece.
fn wander(courses: &[Course]) -> Option<f64> {
    let drift = drift(courses)?;
    let (mut sum, mut count) = (0.0, 0usize);
    for course in courses {
        let Some(first) = course.points.first() else { continue };
        let off = || course.points.iter().map(|p| p.1 - first.1 - drift * (p.0 - first.0));
        let mean = off().sum::<f64>() / course.points.len() as f64;
        sum += off().map(|o| (o - mean).powi(2)).sum::<f64>();
        count += course.points.len();
    }
    (count > 0).then(|| (sum / count as f64).sqrt())
}

/// The piece that a host time belongs to: the one it is in, or else the nearest.
pub(super) fn piece_at(map: &ClockMap, host_s: f64) -> Option<&Piece> {
    let away = |piece: &Piece| (piece.host_span_s.0 - host_s).max(host_s - piece.host_span_s.1).max(0.0);
    map.pieces.iter().min_by(|a, b| away(a).total_cmp(&away(b)))
}

/// What a pick is off the map.
pub(super) fn residual_s(map: &ClockMap, pick: &Pick) -> Option<f64> {
    let piece = piece_at(map, pick.host_time_s())?;
    let residual_s = pick.host_time_s() - piece.at(pick.device_time_s).host_time_s;
    residual_s.is_finite().then_some(residual_s)
}

fn residuals(map: &ClockMap, picks: &[Pick]) -> Option<Residuals> {
    let mut values: Vec<f64> = picks.iter().filter_map(|pick| residual_s(map, pick)).collect();
    values.sort_by(f64::total_cmp);
    let median = quantile(&values, 0.5)?;
    let rms = (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
    let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    Some(Residuals {
        count: values.len() as u64,
        median,
        rms,
        p95: quantile(&sizes, 0.95)?,
        max: quantile(&sizes, 1.0)?,
    })
}

fn uncertainty(map: &ClockMap) -> Option<Uncertainty> {
    let per_piece = (INSTANTS / map.pieces.len().max(1)).max(2);
    let (mut relative, mut total, mut bound) = (Vec::new(), Vec::new(), Vec::new());
    for piece in &map.pieces {
        for device_s in instants(piece, per_piece) {
            let at = piece.at(device_s);
            relative.push(at.relative_s);
            total.push(at.total_s);
            bound.push(at.bound_s);
        }
    }
    for values in [&mut relative, &mut total, &mut bound] {
        values.sort_by(f64::total_cmp);
    }
    Some(Uncertainty {
        relative_s: quantile(&relative, 0.5)?,
        total_s: quantile(&total, 0.5)?,
        bound_s: quantile(&bound, 0.5)?,
        total_max_s: quantile(&total, 1.0)?,
    })
}

fn event(event: &Event) -> ClockEvent {
    let kind = match event.kind {
        EventKind::Step => "step",
        EventKind::Slew => "slew",
        EventKind::Reset => "reset",
    };
    ClockEvent { kind, from_s: event.host_from_s, to_s: event.host_to_s, size_s: event.size_s }
}

/// Quantile of values in order, with linear interpolation; `None` without values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)?) as f64;
    let low = place.floor() as usize;
    let (a, b) = (*sorted.get(low)?, *sorted.get(low + 1).or(sorted.get(low))?);
    // Infinity minus infinity is no number.
    Some(if a == b { a } else { a + (b - a) * (place - low as f64) })
}
