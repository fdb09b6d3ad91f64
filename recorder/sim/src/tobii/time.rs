//! The time of a simulated tracker: its clock of whole microseconds, which can begin again.

use std::time::Duration;

use crate::clock::{SimClock, TickUnit};
use crate::host;

use super::config::TrackerConfig;

/// Sleeping ends this much before the time, for the rest is waited awake.
const AWAKE_S: f64 = 600e-6;

/// The device clock over host time, restarts included.
#[derive(Debug, Clone)]
pub(super) struct DeviceTime {
    clock: SimClock,
    start_host_s: f64,
    /// Counts of the oscillator at which the clock began again, in order.
    restarts: Vec<f64>,
    restart_at_us: i64,
}

/// One instant, as each of the clocks has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) host_s: f64,
    pub(super) device_us: i64,
}

impl DeviceTime {
    pub(super) fn new(config: &TrackerConfig, start_host_s: f64) -> Self {
        let clock = SimClock::new(&config.clock.model(), start_host_s, config.seed);
        let mut restarts: Vec<f64> =
            config.clock_restarts_s.iter().map(|at_s| clock.oscillator_s(start_host_s + at_s)).collect();
        restarts.sort_by(f64::total_cmp);
        Self { clock, start_host_s, restarts, restart_at_us: config.restart_at_us }
    }

    /// Seconds of host time since the start.
    pub(super) fn elapsed_s(&self, host_s: f64) -> f64 {
        host_s - self.start_host_s
    }

    /// The instant of a host time.
    pub(super) fn at_host(&self, host_s: f64) -> Moment {
        Moment { host_s, device_us: self.device_us(self.clock.oscillator_s(host_s)) }
    }

    /// The instant of a count of the oscillator.
    pub(super) fn at_oscillator(&self, oscillator_s: f64) -> Moment {
        let host_s = self.clock.host_at_oscillator_s(oscillator_s);
        Moment { host_s, device_us: self.device_us(oscillator_s) }
    }

    fn device_us(&self, oscillator_s: f64) -> i64 {
        let ticks = |at_s: f64| self.clock.ticks_at_oscillator(at_s, TickUnit::Microseconds.ticks_per_s());
        let begun = self.restarts.partition_point(|at_s| *at_s <= oscillator_s);
        match begun.checked_sub(1) {
            None => ticks(oscillator_s),
            Some(last) => ticks(oscillator_s) - ticks(self.restarts[last]) + self.restart_at_us,
        }
    }
}

/// What the library's own clock reads at a host time: whole microseconds of the monotonic clock.
pub fn system_us(host_s: f64) -> i64 {
    // A reading of the clock is within a few nanoseconds of its double.
    (host_s * 1e6 + 0.5e-3).floor() as i64
}

/// Waits until a host time and says when that was: mostly asleep, at the end awake, so that it is
/// late by a few microseconds only, unless the machine has no processor free.
pub fn wait_until(host_s: f64) -> f64 {
    loop {
        let now_s = host::now_s();
        let left_s = host_s - now_s;
        if left_s <= 0.0 {
            return now_s;
        }
        if left_s > AWAKE_S {
            // No wait is longer than an hour, whatever is asked for.
            std::thread::sleep(Duration::from_secs_f64((left_s - AWAKE_S).min(3600.0)));
        } else {
            std::hint::spin_loop();
        }
    }
}
