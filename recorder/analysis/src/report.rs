//! What a user wants to know of one clock: a summary for displays, files and checks.

use lockstep_clock::{ClockMap, EventKind, measure};
use serde::Serialize;

use crate::Synchronizer;

/// Why the errors of a clock can never be known completely; shown wherever they are.
pub const ASYMMETRY_NOTE: &str = "No exchange can show whether the path to the device takes as long as the \
path back: half of any difference goes into the time unseen. time_bound_s holds whatever the difference; \
time_sigma_s allows for usual ones; time_sigma_relative_s for none.";

/// One clock of a recording, summarized.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockReport {
    /// Its name.
    pub name: String,
    /// What its numbers count from, where the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Names of the streams it stamps.
    pub streams: Vec<String>,
    /// The method that mapped it.
    pub method: &'static str,
    /// Step of its readings in seconds; 0: finer than matters.
    pub resolution_s: f64,
    /// "exact" or "floor".
    pub stamp: &'static str,
    /// Exchanges in the file.
    pub exchanges: u64,
    /// Exchanges whose stamps cannot be those of one.
    pub exchanges_unusable: u64,
    /// ClockOffset chunks (of the stream that has most).
    pub offsets: u64,
    /// The offsets look like cached values, stamped when they were read: what LabRecorder writes.
    pub stale_stamps: bool,
    /// Round-trip times of the exchanges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_s: Option<Spread>,
    /// Offset of the clock in the middle of the recording, host minus device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_s: Option<f64>,
    /// Mean drift over the recording in parts per million: how much slower the clock runs than the
    /// recorder's. Without its steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// The errors of its times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// Steps, slews and resets, in order.
    pub events: Vec<ClockEvent>,
    /// Asymmetry that was given by the user, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_asymmetry_s: Option<f64>,
    /// What else should be known.
    pub remarks: Vec<String>,
}

/// Smallest, median and largest of something, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

/// Medians of the errors along the recording, in seconds; `null` in JSON where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Uncertainty {
    /// One sigma, as if paths were symmetric.
    pub relative_s: f64,
    /// One sigma of everything to be expected.
    pub total_s: f64,
    /// The largest error there can be.
    pub bound_s: f64,
    /// The largest `total_s` along the recording.
    pub total_max_s: f64,
}

/// Something that happened to a clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockEvent {
    /// "step", "slew" or "reset".
    pub kind: &'static str,
    /// It happened after this host time ...
    pub from_s: f64,
    /// ... and before this one.
    pub to_s: f64,
    /// By how much host minus device changed, in seconds.
    pub size_s: f64,
}

impl Spread {
    /// Of the finite ones among `values`; `None` without any. `values` is put in order.
    pub fn of(values: &mut Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Self { min, median: median(values)?, max })
    }
}

/// Median of values in order.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(half.checked_sub(1)?).map(|lower| 0.5 * (lower + upper))
}

impl Synchronizer<'_> {
    /// Summaries of all clocks, in the order of `clocks.list`. With `compat_pyxdf` there are none: each
    /// stream has a map of its own then.
    pub fn clock_reports(&self) -> Vec<ClockReport> {
        if self.options.compat_pyxdf {
            return Vec::new();
        }
        (0..self.clocks.list.len()).filter_map(|clock| self.clock_report(clock)).collect()
    }

    /// Summary of one clock of `clocks.list`; `None` if there is no such clock.
    pub fn clock_report(&self, clock: usize) -> Option<ClockReport> {
        if self.options.compat_pyxdf {
            return None;
        }
        let (clock, map) = (self.clocks.list.get(clock)?, self.maps.get(clock)?);
        let history = &clock.history;
        let usable = history.exchanges.iter().filter_map(|exchange| measure(exchange, history.reading));
        let mut round_trips_s: Vec<f64> = usable.map(|measured| measured.round_trip_s).collect();
        let exchanges = history.exchanges.len() as u64;
        let streams = &self.recording.scan.streams;
        let (offset_s, drift_ppm) = course(map);
        Some(ClockReport {
            name: clock.name.clone(),
            domain: clock.domain.clone(),
            streams: clock.streams.iter().map(|&stream| streams[stream].info.name.clone()).collect(),
            method: map.method.name(),
            resolution_s: history.reading.resolution_s,
            stamp: history.reading.stamp.name(),
            exchanges,
            exchanges_unusable: exchanges - round_trips_s.len() as u64,
            offsets: history.offsets.len() as u64,
            stale_stamps: history.stale_stamps,
            round_trip_s: Spread::of(&mut round_trips_s),
            offset_s,
            drift_ppm,
            uncertainty: uncertainty(map),
            events: map.events.iter().map(event).collect(),
            known_asymmetry_s: history.known_asymmetry_s,
            remarks: map.remarks.clone(),
        })
    }
}

fn event(event: &lockstep_clock::Event) -> ClockEvent {
    let kind = match event.kind {
        EventKind::Step => "step",
        EventKind::Slew => "slew",
        EventKind::Reset => "reset",
    };
    ClockEvent { kind, from_s: event.host_from_s, to_s: event.host_to_s, size_s: event.size_s }
}

/// Host minus device in the middle of the longest piece, and the mean drift over all pieces.
fn course(map: &ClockMap) -> (Option<f64>, Option<f64>) {
    let span_s = |piece: &&lockstep_clock::Piece| piece.device_span_s.1 - piece.device_span_s.0;
    let offset_s = map.pieces.iter().max_by(|a, b| span_s(a).total_cmp(&span_s(b))).map(|piece| {
        let middle_s = 0.5 * (piece.device_span_s.0 + piece.device_span_s.1);
        piece.at(middle_s).host_time_s - middle_s
    });
    let (mut device_s, mut gained_s) = (0.0, 0.0);
    for piece in &map.pieces {
        let (from_s, to_s) = piece.device_span_s;
        device_s += to_s - from_s;
        gained_s += (piece.at(to_s).host_time_s - to_s) - (piece.at(from_s).host_time_s - from_s);
    }
    (offset_s, (device_s > 0.0).then(|| 1e6 * gained_s / device_s))
}

/// Errors at evenly spaced instants of what was measured.
fn uncertainty(map: &ClockMap) -> Option<Uncertainty> {
    const INSTANTS: u32 = 201;
    let (mut relative_s, mut total_s, mut bound_s) = (Vec::new(), Vec::new(), Vec::new());
    for piece in &map.pieces {
        let (from_s, to_s) = piece.device_span_s;
        for step in 0..INSTANTS {
            let at = piece.at(from_s + (to_s - from_s) * f64::from(step) / f64::from(INSTANTS - 1));
            relative_s.push(at.relative_s);
            total_s.push(at.total_s);
            bound_s.push(at.bound_s);
        }
    }
    let middle = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        median(values)
    };
    Some(Uncertainty {
        relative_s: middle(&mut relative_s)?,
        total_s: middle(&mut total_s)?,
        bound_s: middle(&mut bound_s)?,
        total_max_s: total_s.last().copied()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_leaves_out_what_is_no_number() {
        let spread = Spread::of(&mut vec![3.0, f64::NAN, 1.0, f64::INFINITY, 2.0, 8.0]);
        assert_eq!(spread, Some(Spread { min: 1.0, median: 2.5, max: 8.0 }));
        assert_eq!(Spread::of(&mut vec![f64::NAN]), None);
        assert_eq!(Spread::of(&mut Vec::new()), None);
    }
}
