//! The simulation core: clocks, networks, signals and truth logs that every simulated device shares.
//!
//! Each part is a pure, seeded model without I/O; only [`truth`], [`ntp`], [`neon`],
//! [`tobii`] and [`glasses3`] write files, and only [`udp`], [`ntp`], [`neon`] and [`glasses3`] open
//! sockets.
//!
//! | Simulated | Where | What is known exactly |
//! |---|---|---|
//! | device clock: offset, skew, drift of its crystal, steps, slews, resolution; kinds of it | [`clock`] | host minus device at any host time |
//! | network, one direction: delay, jitter, loss, reordering, duplication; kinds of it | [`network`] | the fate of every datagram |
//! | channel values in all seven XDF formats | [`signal`] | the value of every sample index |
//! | record of what was done | [`truth`] | send time, device stamp, values, every exchange |
//! | NTP server: its clock, network and faults; and exchanges of any two clocks | [`ntp`] | every question and its answer |
//! | UDP device: payloads, sampling by its own crystal, `echo` and `ntp` exchanges | [`udp`] | all of the above |
//! | Neon glasses with their phone: REST, status, Time Echo, RTSP, mDNS | [`neon`] | every sample, exchange and event |
//! | eye tracker at a USB port, as the libraries of Tobii have it | [`tobii`] | every sample and time sync |
//! | Tobii Pro Glasses 3: the API over WebSocket and HTTP, its signals, mDNS | [`glasses3`] | every message, exchange and event |
//! | whole recordings for judging clock estimators | [`study`] | when each sample was taken |
//!
//! What is **not** simulated: missed samples inside the device, and a UDP device that sleeps or
//! restarts (recordings of such devices are in [`study`]). Parameters are choices; no real device
//! was measured for them.
//!
//! Times named `host` are seconds of the recorder's time base, CLOCK_MONOTONIC.
#![forbid(unsafe_code)]

mod csv;
mod describe;
mod error;
mod host;
mod rng;
mod serve;

pub mod clock;
pub mod format;
pub mod glasses3;
pub mod neon;
pub mod network;
pub mod ntp;
pub mod queue;
pub mod signal;
pub mod study;
pub mod tobii;
pub mod truth;
pub mod udp;

pub use error::{ModelError, SimError};
