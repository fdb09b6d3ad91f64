//! The clock of a device over host time. Pure.

use crate::clock::{ClockModel, SimClock, TickUnit};

/// A device's clock over host time.
#[derive(Debug, Clone)]
pub(crate) struct DeviceTime {
    clock: SimClock,
    start_host_s: f64,
}

/// One instant, as each of the clocks has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// Seconds that the device's oscillator has counted since the start.
    pub(crate) oscillator_s: f64,
    /// Host time.
    pub(crate) host_s: f64,
    /// The device's clock: nanoseconds since 1970.
    pub(crate) device_ns: i64,
}

impl DeviceTime {
    /// The clock of `model`, whose offset is to this machine's monotonic clock, from `start_host_s` on.
    pub(crate) fn new(model: &ClockModel, start_host_s: f64, seed: u64) -> Self {
        Self { clock: SimClock::new(model, start_host_s, seed), start_host_s }
    }

    /// Host time of the start.
    pub(crate) fn start_host_s(&self) -> f64 {
        self.start_host_s
    }

    /// Seconds of host time since the start.
    pub(crate) fn elapsed_s(&self, host_s: f64) -> f64 {
        host_s - self.start_host_s
    }

    /// The instant of a host time.
    pub(crate) fn at_host(&self, host_s: f64) -> Moment {
        let oscillator_s = self.clock.oscillator_s(host_s);
        Moment { oscillator_s, host_s, device_ns: self.device_ns(oscillator_s) }
    }

    /// The instant of a count of the oscillator.
    pub(crate) fn at_oscillator(&self, oscillator_s: f64) -> Moment {
        let host_s = self.clock.host_at_oscillator_s(oscillator_s);
        Moment { oscillator_s, host_s, device_ns: self.device_ns(oscillator_s) }
    }

    /// The device's clock at a count of the oscillator, in nanoseconds since 1970.
    pub(crate) fn device_ns(&self, oscillator_s: f64) -> i64 {
        self.clock.ticks_at_oscillator(oscillator_s, TickUnit::Nanoseconds.ticks_per_s())
    }

    /// The device's clock at a host time in whole milliseconds, floored.
    pub(crate) fn device_ms(&self, host_s: f64) -> i64 {
        self.clock.ticks(host_s, TickUnit::Milliseconds.ticks_per_s())
    }
}

impl Moment {
    /// The device's clock in whole microseconds, floored.
    pub(crate) fn device_us(&self) -> i64 {
        self.device_ns.div_euclid(1000)
    }
}
