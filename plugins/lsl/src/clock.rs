//! The clocks of other machines: LSL's time service, asked in bursts.
//!
//! `wire` is the form of questions and answers, `rounds` when to ask whom and what becomes of it; `prober` is
//! the thread.

mod prober;
mod rounds;
pub mod wire;

pub use prober::{Counters, Order, Prober, Report, look};
