//! From readings of a device's counter to seconds on one time line.
//!
//! Samples and clock exchanges share a [`Timeline`], so that a counter that wraps is unwrapped
//! alike for both. Each of the two threads has a [`JumpWatch`] of its own: what it compares must
//! come from one place, because a device may well send samples later than it answers.

use lockstep_platform::ticks_as_seconds;
use lockstep_plugin_api::wrap;

/// Nanoseconds in a second.
const NS_PER_S: i128 = 1_000_000_000;

/// A time as it stood in the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawStamp {
    /// Whole ticks.
    Ticks(i64),
    /// A number with a fraction, in the same unit.
    Fraction(f64),
}

/// The time line of a device's clock.
#[derive(Debug)]
pub struct Timeline {
    ticks_per_s: u64,
    bits: u32,
    /// Last reading placed, and when it arrived.
    last: Option<Placed>,
    /// Counts restarts.
    epoch: u32,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    ticks: i64,
    arrival_ns: i64,
}

impl Timeline {
    /// A clock of `ticks_per_s` ticks a second, whose counter has `bits` bits.
    pub fn new(ticks_per_s: u64, bits: u32) -> Self {
        Self { ticks_per_s, bits, last: None, epoch: 0 }
    }

    /// How often the time line has started anew.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The device's clock restarted: the next reading begins a new time line.
    pub fn restart(&mut self) {
        self.last = None;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// The seconds of a stamp that arrived at `arrival_ns` of the recorder's time.
    ///
    /// A reading of a counter that wraps goes to the congruent value nearest to the last one;
    /// after more than half the counter's range without a reading, nearest to the last one plus
    /// the time that has passed. The two threads may therefore come in any order, and a device may
    /// be silent for longer than its counter runs.
    pub fn place_s(&mut self, stamp: RawStamp, arrival_ns: i64) -> f64 {
        match stamp {
            RawStamp::Fraction(value) => value / self.ticks_per_s as f64,
            RawStamp::Ticks(reading) => ticks_as_seconds(self.place(reading, arrival_ns), self.ticks_per_s),
        }
    }

    fn place(&mut self, reading: i64, arrival_ns: i64) -> i64 {
        if self.bits >= 64 {
            return reading;
        }
        let ticks = match self.last {
            None => wrap::first(reading, self.bits),
            Some(last) => {
                let passed = self.ticks_in(arrival_ns.saturating_sub(last.arrival_ns));
                let half = 1_i64 << (self.bits - 1);
                let near = if passed > half { last.ticks.saturating_add(passed) } else { last.ticks };
                wrap::nearest(reading, near, self.bits)
            }
        };
        self.last = Some(Placed { ticks, arrival_ns });
        ticks
    }

    fn ticks_in(&self, elapsed_ns: i64) -> i64 {
        let ticks = i128::from(elapsed_ns) * i128::from(self.ticks_per_s) / NS_PER_S;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

/// Going back by more than this is a restart; less is a network that reorders or a clock that was
/// corrected a little, which the exchanges show.
const BACK_S: f64 = 1.0;
/// Going forward by more than this beyond the time that passed is a jump. Wide, because a device
/// may hold data back for seconds and then send all of it.
const FORWARD_S: f64 = 10.0;
/// How wrong the rate of a device's clock may be (a ceramic resonator: 0.5 %).
const RATE_TOLERANCE: f64 = 0.01;

/// Notices that a device's clock restarted or jumped, from stamps that came one way.
#[derive(Debug, Default)]
pub struct JumpWatch {
    last: Option<(f64, i64)>,
    epoch: u32,
}

impl JumpWatch {
    /// Compare a group of stamps that arrived together, oldest first, with what was seen before.
    /// By how many seconds the clock jumped, if it did. `epoch` is that of the time line: after a
    /// restart somebody else noticed there is nothing to compare with.
    pub fn check(&mut self, first_s: f64, last_s: f64, arrival_ns: i64, epoch: u32) -> Option<f64> {
        if epoch != self.epoch {
            self.forget(epoch);
        }
        let (before_s, before_ns) = self.last?;
        let back_s = first_s - before_s;
        if back_s < -BACK_S {
            return Some(back_s);
        }
        let ahead = ahead(before_s, before_ns, last_s, arrival_ns);
        (ahead.surplus_s > FORWARD_S + ahead.tolerance_s).then_some(ahead.surplus_s)
    }

    /// The sender started anew: whether its clock did too, that is, whether a stamp is not where
    /// the time that passed would have brought it.
    pub fn restarted(&self, first_s: f64, arrival_ns: i64) -> bool {
        let Some((before_s, before_ns)) = self.last else { return false };
        let ahead = ahead(before_s, before_ns, first_s, arrival_ns);
        ahead.surplus_s.abs() > BACK_S + ahead.tolerance_s
    }

    /// Remember a stamp, for the next one to be compared with.
    pub fn see(&mut self, stamp_s: f64, arrival_ns: i64) {
        self.last = Some((stamp_s, arrival_ns));
    }

    /// Forget what came before, for a time line of this epoch.
    pub fn forget(&mut self, epoch: u32) {
        (self.last, self.epoch) = (None, epoch);
    }
}

struct Ahead {
    /// Device time that passed less the recorder time that passed.
    surplus_s: f64,
    tolerance_s: f64,
}

fn ahead(before_s: f64, before_ns: i64, now_s: f64, now_ns: i64) -> Ahead {
    let passed_s = now_ns.saturating_sub(before_ns) as f64 / NS_PER_S as f64;
    Ahead { surplus_s: now_s - before_s - passed_s, tolerance_s: RATE_TOLERANCE * passed_s.abs() }
}

#[cfg(test)]
mod tests;
