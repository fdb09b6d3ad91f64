//! The clocks of a recording, those that stamp no stream included, and what was measured of them.

use lockstep_clock::{Exchange, History, Measurement, Reading, measure};
use lockstep_xdf::LoadError;

use crate::Recording;
use crate::clocks::{Clocks, clock_text, holds_exchanges, read_exchanges, reading};

/// Exchanges that leave within this time of one another are one burst ...
const BURST_GAP_S: f64 = 0.5;
/// ... as long as the burst is no longer than this.
const BURST_LENGTH_S: f64 = 2.05;

/// Times and offsets beyond 30 million years are no measurements: they have no digits left.
const FARTHEST_S: f64 = 1e15;

/// One clock, with everything that was measured of it.
#[derive(Debug, Clone)]
pub struct MeasuredClock {
    /// Its name.
    pub name: String,
    /// What its numbers count from, where the file says so.
    pub domain: Option<String>,
    /// Index in `scan.streams` of the stream of its exchanges, where there is one.
    pub companion: Option<usize>,
    /// Indices in `scan.streams` of the streams it stamps; none for a master clock.
    pub streams: Vec<usize>,
    /// Everything that was measured.
    pub history: History,
}

/// The best of a burst of exchanges, or an offset of a file that has no exchanges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    /// Time on the device's clock.
    pub device_time_s: f64,
    /// Host minus device, a known asymmetry taken off.
    pub offset_s: f64,
    /// Round-trip time, where it is known.
    pub round_trip_s: Option<f64>,
}

impl Pick {
    /// Host time.
    pub fn host_time_s(&self) -> f64 {
        self.device_time_s + self.offset_s
    }
}

/// All clocks of a recording: those that stamp streams, in their order, then those that were only
/// measured, as a master clock is.
///
/// # Errors
/// When the file cannot be read.
pub fn measured_clocks(recording: &Recording, clocks: &Clocks) -> Result<Vec<MeasuredClock>, LoadError> {
    let mut list: Vec<MeasuredClock> = clocks
        .list
        .iter()
        .map(|clock| MeasuredClock {
            name: clock.name.clone(),
            domain: clock.domain.clone(),
            companion: clock.companion,
            streams: clock.streams.clone(),
            history: clock.history.clone(),
        })
        .collect();
    for (index, stream) in recording.scan.streams.iter().enumerate() {
        let known = clocks.list.iter().any(|clock| clock.companion == Some(index));
        if known || !holds_exchanges(stream) {
            continue;
        }
        let text = |name: &str| clock_text(stream, name).map(str::to_owned);
        let (exchanges, _) = read_exchanges(recording, index)?;
        let history = History { exchanges, reading: reading(stream), ..History::default() };
        list.push(MeasuredClock {
            name: text("name").unwrap_or_else(|| stream.info.name.clone()),
            domain: text("domain"),
            companion: Some(index),
            streams: Vec::new(),
            history,
        });
    }
    Ok(list)
}

fn near(time_s: f64) -> bool {
    time_s.abs() <= FARTHEST_S
}

/// What an exchange shows, if its stamps can be those of one.
pub(super) fn usable(exchange: &Exchange, reading: Reading) -> Option<Measurement> {
    measure(exchange, reading).filter(|m| near(m.device_time_s) && near(m.offset_s) && near(m.round_trip_s))
}

/// The fastest exchange of each burst; without exchanges, the offsets of the file.
pub(super) fn picks(history: &History) -> Vec<Pick> {
    let shift_s = history.known_asymmetry_s.filter(|shift_s| shift_s.is_finite()).unwrap_or(0.0);
    if history.exchanges.is_empty() {
        let all = history.offsets.iter().filter(|o| near(o.device_time_s) && near(o.offset_s));
        return all
            .map(|o| Pick {
                device_time_s: o.device_time_s,
                offset_s: o.offset_s + shift_s,
                round_trip_s: o.round_trip_s.filter(|round_trip_s| round_trip_s.is_finite()),
            })
            .collect();
    }
    let mut list: Vec<Pick> = Vec::new();
    let mut burst: Option<(f64, f64, Measurement)> = None;
    let pick = |m: &Measurement| Pick {
        device_time_s: m.device_time_s,
        offset_s: m.offset_s + shift_s,
        round_trip_s: Some(m.round_trip_s),
    };
    for exchange in &history.exchanges {
        let Some(measured) = usable(exchange, history.reading) else { continue };
        burst = match burst {
            Some((first_s, last_s, best))
                if (exchange.t0_s - last_s).abs() <= BURST_GAP_S
                    && (exchange.t0_s - first_s).abs() <= BURST_LENGTH_S =>
            {
                let best = if measured.round_trip_s < best.round_trip_s { measured } else { best };
                Some((first_s, exchange.t0_s, best))
            }
            before => {
                list.extend(before.map(|(_, _, best)| pick(&best)));
                Some((exchange.t0_s, exchange.t0_s, measured))
            }
        };
    }
    list.extend(burst.map(|(_, _, best)| pick(&best)));
    list
}
