//! The named methods but the smoother: what other tools do, each with honest error figures.
//!
//! | method | source | goes through |
//! |---|---|---|
//! | `none` | | nothing |
//! | `last` | LSL, "Synchronization for Online Processing": add the most recent offset | the last offset |
//! | `mean` | Neon's `TimeOffsetEstimator` (`estimate_time_offset().time_offset_ms.mean`) | all exchanges |
//! | `linear` | LSL, "Synchronization in Multi-Stream Recordings": a linear fit | offsets |
//! | `robust` | pyxdf's `load_xdf` (`_detect_clock_resets`, `_robust_fit`, `_clock_sync`) | offsets |
//! | `interpolate` | Tobii, "Time Synchronization": interpolate between synchronization points | lowest round trips |
//!
//! "Offsets" are those of the file, or, where it has none, the exchange with the lowest round-trip time
//! of each burst; for `mean` and `interpolate` it is the exchanges, or, where the file has none, the
//! offsets. All take off a known asymmetry.

mod constant;
mod errors;
mod huber;
mod interpolate;
mod line;
mod linear;
mod points;
mod resets;
mod robust;

pub(crate) use constant::{last, mean};
pub(crate) use interpolate::interpolate;
pub(crate) use linear::linear;
pub(crate) use resets::median;
pub use robust::{RobustOptions, fit_robust};

#[cfg(test)]
mod tests;
