//! The time stamps of simulated glasses, and how long their signals are alive. Pure.

use crate::serve::time::Moment;

/// How long signals are sent after somebody has asked to keep them alive, in seconds.
pub const KEPT_ALIVE_S: f64 = 6.0;

/// The glasses' clock as ISO 8601 has it, in UTC.
pub(super) fn iso(moment: &Moment) -> String {
    let at = jiff::Timestamp::from_microsecond(moment.device_us()).unwrap_or_default();
    format!("{at:.6}")
}

/// Whether signals are sent, and since when their time counts: one for all signals and clients.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    open: Option<Open>,
    zeros: u64,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    /// By the oscillator.
    since_s: f64,
    until_s: f64,
    zero_us: i64,
}

/// What a keepalive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The streams were open, and stay so.
    Longer,
    /// They have been opened; whether their time begins at zero.
    Opened {
        /// False where it goes on as if nothing had been.
        zero: bool,
    },
}

impl Streams {
    /// Somebody asks to keep them alive.
    pub(super) fn keep(&mut self, now: &Moment, zero_restarts: bool) -> Kept {
        let until_s = now.oscillator_s + KEPT_ALIVE_S;
        match &mut self.open {
            Some(open) if now.oscillator_s < open.until_s => {
                open.until_s = until_s;
                Kept::Longer
            }
            before => {
                let going_on = before.filter(|_| !zero_restarts).map(|open| open.zero_us);
                let zero_us = going_on.unwrap_or(now.device_us());
                self.open = Some(Open { since_s: now.oscillator_s, until_s, zero_us });
                self.zeros += u64::from(going_on.is_none());
                Kept::Opened { zero: going_on.is_none() }
            }
        }
    }

    /// The time stamp of a moment in microseconds; `None` while nothing is sent.
    pub(super) fn stamp_us(&self, at: &Moment) -> Option<i64> {
        let alive = |open: &&Open| (open.since_s..open.until_s).contains(&at.oscillator_s);
        self.open.as_ref().filter(alive).map(|open| at.device_us() - open.zero_us)
    }

    /// When they close if nobody keeps them alive, by the oscillator.
    pub(super) fn until_s(&self) -> Option<f64> {
        self.open.map(|open| open.until_s)
    }

    /// How often their time began at zero.
    pub(super) fn zeros(&self) -> u64 {
        self.zeros
    }
}

/// A time stamp as it is sent: seconds, in steps of a microsecond.
pub(super) fn seconds(stamp_us: i64) -> f64 {
    stamp_us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ClockModel, ClockStep};
    use crate::serve::time::DeviceTime;

    fn glasses(steps: Vec<ClockStep>) -> DeviceTime {
        let model = ClockModel { offset_s: -1.7e9, skew_ppm: 50.0, steps, ..ClockModel::default() };
        DeviceTime::new(&model, 1000.0, 1)
    }

    #[test]
    fn signals_are_alive_for_six_seconds_after_each_keepalive() {
        let time = glasses(Vec::new());
        let at = |s: f64| time.at_oscillator(s);
        let mut streams = Streams::default();
        assert_eq!(streams.stamp_us(&at(0.5)), None);
        assert_eq!(streams.keep(&at(1.0), true), Kept::Opened { zero: true });
        assert_eq!(streams.stamp_us(&at(0.99)), None, "taken before, though sent after");
        assert_eq!(streams.stamp_us(&at(1.0)), Some(0));
        assert_eq!(streams.stamp_us(&at(6.99)), Some(5_990_000));
        assert_eq!(streams.stamp_us(&at(7.0)), None);
        assert_eq!(streams.keep(&at(6.5), true), Kept::Longer);
        assert_eq!(streams.stamp_us(&at(12.4)), Some(11_400_000));
        assert_eq!(streams.stamp_us(&at(12.5)), None);
    }

    #[test]
    fn zero_begins_again_after_a_lapse_unless_told_otherwise() {
        let time = glasses(Vec::new());
        let at = |s: f64| time.at_oscillator(s);
        for (restarts, stamp_us, zeros) in [(true, 1_000_000, 2), (false, 10_000_000, 1)] {
            let mut streams = Streams::default();
            streams.keep(&at(1.0), restarts);
            assert_eq!(streams.keep(&at(10.0), restarts), Kept::Opened { zero: restarts });
            assert_eq!(streams.stamp_us(&at(11.0)), Some(stamp_us));
            assert_eq!(streams.stamp_us(&at(6.5)), None, "of the time before");
            assert_eq!(streams.zeros(), zeros);
        }
    }

    #[test]
    fn time_stamps_know_of_steps_and_skew_but_of_no_offset() {
        let time = glasses(vec![ClockStep { at_s: 2.0, delta_s: 0.25 }]);
        let mut streams = Streams::default();
        streams.keep(&time.at_host(1001.0), true);
        let stamp_us = streams.stamp_us(&time.at_host(1003.0)).expect("alive");
        assert!((stamp_us - 2_250_100).abs() <= 1, "{stamp_us}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let iso = |us: i64| iso(&Moment { oscillator_s: 0.0, host_s: 0.0, device_ns: us * 1000 });
        assert_eq!(iso(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(iso(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(iso(1_735_689_599_999_999), "2024-12-31T23:59:59.999999Z");
        assert_eq!(iso(1_772_323_200_000_001), "2026-03-01T00:00:00.000001Z");
    }
}
