//! Device clocks and the exchanges that measure them.

use crate::error::Error;
use crate::host::Host;
use crate::stream::Pushed;
use crate::sys;

/// One exchange with a device clock, all in seconds: `t0_s` when the question
/// left (recorder time), `t1_s` when the device received it and `t2_s` when its
/// answer left (device time), `t3_s` when the answer arrived (recorder time). A
/// device that takes one stamp gives `t1_s = t2_s`.
///
/// Give the stamps as they were read; the recorder does the arithmetic.
pub type Exchange = sys::Exchange;

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

/// How a reading relates to the instant it was taken at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Rounded to the nearest step, or finer than matters.
    Exact,
    /// The last step that had passed: the true time is in `[reading, reading + resolution)`.
    Floor,
}

/// Description of a device clock.
#[derive(Debug, Clone)]
pub struct ClockInfo {
    name: String,
    domain: Domain,
    resolution_s: f64,
    stamp: Stamp,
    interval_s: f64,
}

impl ClockInfo {
    /// A clock whose readings are finer than matters. The name is unique within
    /// the source and names the recorded stream of its exchanges.
    pub fn new(name: impl Into<String>, domain: Domain) -> Self {
        Self { name: name.into(), domain, resolution_s: 0.0, stamp: Stamp::Exact, interval_s: 0.0 }
    }

    /// Readings step by `resolution_s` seconds and relate to time as `stamp` says.
    pub fn resolution_s(mut self, resolution_s: f64, stamp: Stamp) -> Self {
        (self.resolution_s, self.stamp) = (resolution_s, stamp);
        self
    }

    /// It is measured each `interval_s` seconds, and not as often as the experiment asks
    /// ([`Host::probe_settings`]): the operator is warned when it was not for much longer.
    pub fn interval_s(mut self, interval_s: f64) -> Self {
        self.interval_s = interval_s;
        self
    }
}

/// A clock the recorder knows. Copies are the same clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    host: Host,
    id: u32,
}

impl Clock {
    pub(crate) fn add(host: Host, info: &ClockInfo) -> Result<Self, Error> {
        let raw = sys::ClockInfo {
            struct_size: size_of::<sys::ClockInfo>() as u32,
            domain: match info.domain {
                Domain::Device => sys::DOMAIN_DEVICE,
                Domain::Unix => sys::DOMAIN_UNIX,
                Domain::Monotonic => sys::DOMAIN_MONOTONIC,
            },
            stamp: match info.stamp {
                Stamp::Exact => sys::STAMP_EXACT,
                Stamp::Floor => sys::STAMP_FLOOR,
            },
            reserved: 0,
            resolution_s: info.resolution_s,
            interval_s: info.interval_s,
            name: sys::Str::new(&info.name),
        };
        let mut id = 0;
        let call = host.table().add_clock.ok_or(Error::NotRunning)?;
        // SAFETY: the table's function with its own ctx; `raw` and `id` live for the call.
        Error::check(unsafe { call(host.table().ctx, &raw, &mut id) }, "add_clock")?;
        Ok(Self { host, id })
    }

    pub(crate) fn id(self) -> u32 {
        self.id
    }

    /// Record the exchanges of one burst, all of them. The one with the lowest
    /// round-trip time becomes a clock offset of every stream of this clock.
    pub fn push_exchanges(&self, burst: &[Exchange]) -> Result<Pushed, Error> {
        let Some(call) = self.host.table().push_exchanges else { return Err(Error::NotRunning) };
        // SAFETY: the table's function with its own ctx; `burst` lives for the call.
        Pushed::check(
            unsafe { call(self.host.table().ctx, self.id, burst.as_ptr(), burst.len()) },
            "push_exchanges",
        )
    }

    /// The clock restarted or jumped: what follows is on another time line.
    pub fn reset(&self, reason: &str) -> Result<(), Error> {
        let Some(call) = self.host.table().clock_reset else { return Err(Error::NotRunning) };
        // SAFETY: the table's function with its own ctx; `reason` lives for the call.
        Error::check(unsafe { call(self.host.table().ctx, self.id, sys::Str::new(reason)) }, "clock_reset")
    }
}
