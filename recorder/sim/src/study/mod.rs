//! Recordings with known truth, for judging estimators of clocks.
//!
//! [`record`] draws a whole recording of one device from a seed: exchanges, sample stamps, and what
//! is true. [`family_a`] and [`family_b`] are the rows of the benchmark. Everything is a pure
//! function of the case and the seed, without I/O.
//!
//! The models are those of [`ClockKind`] and [`PathKind`], each with its table of parameters, which
//! are choices and no measurements. What is common to all:
//!
//! | What | Choice |
//! |---|---|
//! | host's clock | begins at 0 in family A, at U(0, 10000) s in family B |
//! | samples | 20 Hz by the device's oscillator, from start to end; a stamp is the device's clock then |
//! | probes | leave exp 20 us late; none in the last second |
//! | device | answers at once and reads its clock once (t1 = t2); in family B over `weibull`, `bimodal` and `roam` it needs exp 50 us and reads twice |
//! | LabRecorder | each 5 s the best exchange of the newest of LSL's waves (8 exchanges, each 2 s), stamped with the time of writing |

mod case;
mod probes;
mod record;
pub mod seeds;

#[cfg(test)]
mod tests;

pub use crate::clock::ClockKind;
pub use crate::network::PathKind;
pub use case::{Case, CaseReading, Family, family_a, family_b};
pub use probes::ProbeKind;
pub use record::{Recorded, SimExchange, SimSample, record};
