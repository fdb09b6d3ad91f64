//! Clock maths: exchanges with a device clock in, offsets out. No I/O.
//!
//! An exchange is a question and its answer, with four stamps: `t0` when the
//! question left and `t3` when the answer arrived, on the recorder's clock;
//! `t1` when the device received the question and `t2` when its answer left, on
//! the device's clock. The arithmetic is that of NTP (RFC 5905, section 8) and
//! of LSL's time synchronization; the sign is XDF's: an offset is **host minus
//! device**, to be added to device stamps.
#![forbid(unsafe_code)]

mod exchange;

pub use exchange::{Exchange, Measurement, Reading, Stamp, best, measure};
