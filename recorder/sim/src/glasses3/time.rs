//! The clock of simulated glasses, and how long their signals are alive. Pure.

use crate::clock::{ClockModel, SimClock, TickUnit};

/// How long signals are sent after somebody has asked to keep them alive, in seconds.
pub const KEPT_ALIVE_S: f64 = 6.0;

/// The glasses' clock over host time.
#[derive(Debug, Clone)]
pub(super) struct DeviceTime {
    clock: SimClock,
    start_host_s: f64,
}

/// One instant, as each of the clocks has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    /// Seconds that the oscillator has counted since the start.
    pub(super) oscillator_s: f64,
    /// Host time.
    pub(super) host_s: f64,
    /// The glasses' clock: microseconds since 1970.
    pub(super) device_us: i64,
}

impl DeviceTime {
    /// The clock of `model`, whose offset is to this machine's monotonic clock, from `start_host_s` on.
    pub(super) fn new(model: &ClockModel, start_host_s: f64, seed: u64) -> Self {
        Self { clock: SimClock::new(model, start_host_s, seed), start_host_s }
    }

    /// Host time of the start.
    pub(super) fn start_host_s(&self) -> f64 {
        self.start_host_s
    }

    /// Seconds of host time since the start.
    pub(super) fn elapsed_s(&self, host_s: f64) -> f64 {
        host_s - self.start_host_s
    }

    /// The instant of a host time.
    pub(super) fn at_host(&self, host_s: f64) -> Moment {
        let oscillator_s = self.clock.oscillator_s(host_s);
        Moment { oscillator_s, host_s, device_us: self.device_us(oscillator_s) }
    }

    /// The instant of a count of the oscillator.
    pub(super) fn at_oscillator(&self, oscillator_s: f64) -> Moment {
        let host_s = self.clock.host_at_oscillator_s(oscillator_s);
        Moment { oscillator_s, host_s, device_us: self.device_us(oscillator_s) }
    }

    fn device_us(&self, oscillator_s: f64) -> i64 {
        self.clock.ticks_at_oscillator(oscillator_s, TickUnit::Microseconds.ticks_per_s())
    }
}

impl Moment {
    /// The glasses' clock as ISO 8601 has it, in UTC.
    pub(super) fn iso(&self) -> String {
        let (seconds, us) = (self.device_us.div_euclid(1_000_000), self.device_us.rem_euclid(1_000_000));
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us:06}Z")
    }
}

/// The date so many days after 1970-01-01. The year is thought to begin in March, so that the day
/// that is not always there is its last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
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
                let zero_us = going_on.unwrap_or(now.device_us);
                self.open = Some(Open { since_s: now.oscillator_s, until_s, zero_us });
                self.zeros += u64::from(going_on.is_none());
                Kept::Opened { zero: going_on.is_none() }
            }
        }
    }

    /// The time stamp of a moment in microseconds; `None` while nothing is sent.
    pub(super) fn stamp_us(&self, at: &Moment) -> Option<i64> {
        let alive = |open: &&Open| (open.since_s..open.until_s).contains(&at.oscillator_s);
        self.open.as_ref().filter(alive).map(|open| at.device_us - open.zero_us)
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
    use crate::clock::ClockStep;

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
        let iso = |device_us| Moment { oscillator_s: 0.0, host_s: 0.0, device_us }.iso();
        assert_eq!(iso(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(iso(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(iso(1_735_689_599_999_999), "2024-12-31T23:59:59.999999Z");
        assert_eq!(iso(1_772_323_200_000_001), "2026-03-01T00:00:00.000001Z");
    }
}
