//! Clock maths: exchanges with a device clock in, maps from device time to host time out. No I/O.
//!
//! An exchange is a question and its answer, with four stamps: `t0` when the
//! question left and `t3` when the answer arrived, on the recorder's clock;
//! `t1` when the device received the question and `t2` when its answer left, on
//! the device's clock. The arithmetic is that of NTP (RFC 5905, section 8) and
//! of LSL's time synchronization; the sign is XDF's: an offset is **host minus
//! device**, to be added to device stamps.
//!
//! [`fit`] makes a [`ClockMap`] of a [`History`] by one [`Method`]; [`ClockMap::survey`] places the
//! samples of a stream on it.
#![forbid(unsafe_code)]

mod allowed;
mod asymmetry;
pub mod compat;
mod corridor;
mod dejitter;
mod exchange;
mod history;
mod map;
mod method;
mod methods;
mod offsets;
mod online;
mod place;
mod smooth;

pub use allowed::allowed;
pub use corridor::Corridor;
pub use dejitter::{DejitterFit, DejitterMethod, DejitterOptions, DejitterPlan, DroppedFrames, Gap};
pub use exchange::{Exchange, Measurement, Reading, Stamp, best, measure};
pub use history::{History, Offset};
pub use map::{Assignment, ClockMap, Curve, Estimate, Knot, Piece, Shape};
pub use method::{Event, EventKind, Method, fit};
pub use methods::{RobustOptions, fit_robust};
pub use offsets::smooth_offsets;
pub use online::{Monotone, OnlineMap};
pub use place::{Around, Placement, Range, Survey};
