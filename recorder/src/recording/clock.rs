//! One device clock on its way in: every exchange goes into a companion stream,
//! the best of each burst becomes a clock offset.

use std::sync::Arc;

use lockstep_clock::{Exchange, Measurement, Reading, best};
use lockstep_xdf::Element;
use parking_lot::Mutex;

use super::stream::{Push, StreamIntake};

/// XDF type of the stream of a clock's exchanges.
pub const EXCHANGE_TYPE: &str = "ClockExchange";

/// What the numbers of a clock count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Ticks since some start of its own.
    Device,
    /// Seconds since 1970-01-01 UTC.
    Unix,
    /// The monotonic clock of another machine or process.
    Monotonic,
}

impl Domain {
    /// As written in `desc/clock/domain`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Unix => "unix",
            Self::Monotonic => "monotonic",
        }
    }
}

/// What a clock is, settled when it is added.
#[derive(Debug, Clone)]
pub struct ClockSpec {
    /// Name, unique within its source.
    pub name: String,
    /// What its numbers count from.
    pub domain: Domain,
    /// How it is read.
    pub reading: Reading,
    /// How often it is measured; `None`: as often as the experiment asks.
    pub interval_s: Option<f64>,
    /// What else the header of its exchanges says, inside `desc`.
    pub desc: Vec<Element>,
}

/// What is known of a clock by now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClockSummary {
    /// Exchanges recorded.
    pub exchanges: u64,
    /// Bursts with no exchange that could be used.
    pub useless_bursts: u64,
    /// Times it was said to have been reset.
    pub resets: u64,
    /// Clock offsets recorded.
    pub offsets: u64,
    /// The newest offset, and the recorder time in seconds at which it was recorded.
    pub newest: Option<(Measurement, f64)>,
}

#[derive(Debug, Default)]
struct Inner {
    summary: ClockSummary,
    /// Every offset, for the footers and for streams that are added later.
    offsets: Vec<Measurement>,
}

/// One device clock on its way in.
#[derive(Debug)]
pub struct ClockIntake {
    /// What it is.
    pub spec: ClockSpec,
    /// The stream of its exchanges.
    pub companion: Arc<StreamIntake>,
    inner: Mutex<Inner>,
}

/// Offsets kept of one clock: 19 days of one each 5 s would be a third of it.
const MAX_OFFSETS: usize = 1 << 20;

impl ClockIntake {
    /// A clock never measured.
    pub fn new(spec: ClockSpec, companion: Arc<StreamIntake>) -> Self {
        Self { spec, companion, inner: Mutex::default() }
    }

    /// Take in the exchanges of one burst.
    pub fn push_burst(&self, burst: &[Exchange], now_ns: i64) -> Push {
        let mut by_arrival = burst.to_vec();
        by_arrival.sort_by(|a, b| a.t3_s.total_cmp(&b.t3_s));
        let stamps: Vec<f64> = by_arrival.iter().map(|e| e.t3_s).collect();
        let data: Vec<u8> = by_arrival
            .iter()
            .flat_map(|e| [e.t0_s, e.t1_s, e.t2_s, e.t3_s])
            .flat_map(f64::to_ne_bytes)
            .collect();
        let pushed = self.companion.push_numbers(&stamps, &data, now_ns);
        let mut inner = self.inner.lock();
        if let Push::Queued { .. } = pushed {
            inner.summary.exchanges += burst.len() as u64;
        }
        // An offset that was measured is recorded even when the exchanges found no room.
        match best(burst, self.spec.reading) {
            Some(measurement) if inner.offsets.len() < MAX_OFFSETS => {
                inner.offsets.push(measurement);
                inner.summary.offsets += 1;
                inner.summary.newest = Some((measurement, lockstep_platform::seconds(now_ns)));
            }
            Some(_) => {}
            None => inner.summary.useless_bursts += 1,
        }
        pushed
    }

    /// The clock restarted or jumped.
    pub fn reset(&self) {
        self.inner.lock().summary.resets += 1;
    }

    /// What is known by now.
    pub fn summary(&self) -> ClockSummary {
        self.inner.lock().summary
    }

    /// The offsets from number `from` on (0: the first), into `out`.
    pub fn offsets_from(&self, from: usize, out: &mut Vec<Measurement>) {
        out.extend_from_slice(self.inner.lock().offsets.get(from..).unwrap_or_default());
    }
}
