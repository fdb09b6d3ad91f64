//! Lockstep source plugin: Pupil Labs Neon.
//!
//! One source is one phone. The thread `neon` finds it, reads its status and keeps listening to it; each sensor has a
//! thread of its own (`neon-gaze`, `neon-imu`, `neon-eye_events`), for each has a connection of its own; `neon-clock`
//! asks the phone for its time, and `neon-control` has it record, where that is wanted.
//!
//! What the phone sends is judged in rooms without sockets: `phone` (status), `rtsp` (sessions), `rtp` (packets, their
//! order, their time), `payload` (samples), `pipeline` (all of it in a row), `echo` (exchanges).
#![deny(unsafe_code)]

mod bracket;
mod clock;
mod control;
mod echo;
mod estimate;
mod find;
#[doc(hidden)]
pub mod fuzzing;
mod official;
mod offset;
mod options;
mod orders;
mod payload;
mod phone;
mod pipeline;
mod rest;
mod rtp;
mod rtsp;
mod sensor;
mod source;
mod status;
mod streams;

pub use entry::plugin_table;
pub use estimate::{Estimate, Watched};
pub use official::{Official, Statistics};
pub use offset::Phone;
pub use orders::tell;
pub use rest::Order;
pub use source::NeonSource;

/// The exported entry. The attribute `no_mangle` counts as unsafe because two libraries that
/// export one name clash; this name is the plugin's own.
#[allow(unsafe_code)]
mod entry {
    use crate::NeonSource;

    lockstep_plugin_api::export_source!(NeonSource, lks_plugin_entry_neon);
}
