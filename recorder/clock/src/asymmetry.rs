//! What cannot be measured: by how much the fastest way there differs from the fastest way back.
//!
//! An exchange over a path whose fastest ways take `d + b` and `d - b`, with a clock offset `theta`, has
//! exactly the stamps of one over a symmetric path with the offset `theta - b`. So nothing in a
//! recording tells `b`; only that neither way takes less than no time bounds it, by half the lowest
//! round-trip time. What can be given is what is usual: two programs on one machine, over a symmetric
//! loopback, were seen off by 0.7 of that bound; polled buses (USB, Bluetooth) by 0.9 of it, and there
//! the delays of both directions are also distributed differently.

/// Usual asymmetry as a share of the bound, one sigma.
const USUAL: f64 = 0.4;
/// More of it where the delays of both ways are not distributed alike at all.
const UNLIKE: f64 = 0.15;
/// What a model is off by where the asymmetry is known.
const CALIBRATED: f64 = 0.002;

/// One sigma of the error by an asymmetric path.
///
/// `bound_s`: half the lowest round-trip time and half a step of the readings; `known`: whether the
/// asymmetry was given; `unlike`: 0 where the delays of both ways are distributed alike, to 1 where
/// they have nothing in common.
pub(crate) fn usual_sigma_s(bound_s: f64, known: bool, unlike: f64) -> f64 {
    let share = if known { CALIBRATED } else { USUAL + UNLIKE * unlike.clamp(0.0, 1.0) };
    share * bound_s
}
