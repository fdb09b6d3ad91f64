//! A simulated eye tracker at a USB port, as a library in the same process sees it.
//!
//! There are no sockets here: [`Tracker`] is told the host time and says what has arrived by then, so it
//! runs as well in simulated time. Libraries that stand in for Tobii's (`tests/standins`) put their
//! functions over it.
//!
//! | Room | Purpose |
//! |---|---|
//! | `config`, and its `config_clock` and `config_parts` | the keys of the TOML file |
//! | `time` | the device clock, restarts included; waiting in real time |
//! | `signals` | values by index |
//! | `tracker` | connection, samples on their way, time syncs, what happens when |
//! | `schedule`, `supply` | what happens at which time; what is taken, and when it arrives |
//! | `conversion` | how a library gives samples a system time |
//! | `truth` | the logs |
//!
//! Times named `host` are seconds of the recorder's time base, those named `system` microseconds of
//! it, which is what Tobii's libraries call the system clock.

mod config;
mod config_clock;
mod config_parts;
mod conversion;
mod schedule;
mod signals;
mod streams;
mod supply;
mod time;
mod tracker;
mod truth;

#[cfg(test)]
mod tests;

pub use config::{TrackerConfig, VARIABLE, version};
pub use config_clock::{ClockConfig, CycleConfig, LoadConfig, StepConfig, WarmUpConfig};
pub use config_parts::{
    AutoSync, Delay, GazeLayout, Invalid, Level, Licence, PlannedNotification, Span, SyncPort, Usb,
};
pub use conversion::Conversion;
pub use signals::{Eye, Head, Point, Values};
pub use streams::{NotificationKind, NotificationValue, Stream};
pub use time::{system_us, wait_until};
pub use tracker::{Delivery, Refusal, Sample, SyncPortChange, TimesyncPlan, Told, Tracker};
pub use truth::{SyncKind, Timesync};
