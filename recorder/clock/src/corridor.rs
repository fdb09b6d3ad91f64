//! The hard bound along a curve: what exchanges allow, however unequal the ways are.
//!
//! An exchange leaves an interval for host minus device at its instant, for neither way takes less than
//! no time. Between two instants the truth is nearer to one of them than the clock's steady rate can
//! carry it; a step or a slew in between takes it from one interval to the other, and no further. So
//! between two knots the truth is between the lowest and the highest of both intervals, carried along
//! at the steady rate. Beyond the first and the last of all, a slew may have begun at once.

use crate::Knot;

/// No device clock runs off by more than this, even while it is slewed.
pub(crate) const MAX_RATE: f64 = 600e-6;

/// Sigmas of a rate that are allowed for.
const SIGMAS: f64 = 4.0;

/// What exchanges allow at a knot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corridor {
    /// The truth is no less than the knot's `y_s` minus this.
    pub below_s: f64,
    /// And no more than the knot's `y_s` plus this.
    pub above_s: f64,
    /// Rates of `y_s` at which the clock may run towards the next knot, steps and slews apart: what it does
    /// in the seconds around, and in the minutes around.
    pub steady_slopes: [f64; 2],
}

/// By how much `y_s` at `x_s` can be off between two knots.
#[inline]
pub(crate) fn between(a: (&Knot, &Corridor), b: (&Knot, &Corridor), x_s: f64, y_s: f64) -> f64 {
    let rate_off = SIGMAS * a.0.slope_variance.max(b.0.slope_variance).sqrt();
    let off = |(knot, corridor): (&Knot, &Corridor), slope: f64| {
        let dx_s = x_s - knot.x_s;
        let carried_s = knot.y_s + slope * dx_s - y_s;
        (corridor.below_s - carried_s).max(corridor.above_s + carried_s) + rate_off * dx_s.abs()
    };
    let by = |slope: f64| off(a, slope).max(off(b, slope));
    let [near, wide] = a.1.steady_slopes;
    if near == wide { by(near) } else { by(near).max(by(wide)) }
}

/// The same before the first knot or after the last.
#[inline]
pub(crate) fn beyond((knot, corridor): (&Knot, &Corridor), x_s: f64) -> f64 {
    corridor.below_s.max(corridor.above_s) + MAX_RATE * (x_s - knot.x_s).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knot(x_s: f64, y_s: f64, slope: f64) -> Knot {
        Knot {
            x_s,
            y_s,
            slope,
            variance_s2: 0.0,
            covariance_s: 0.0,
            slope_variance: 0.0,
            noise_s2_per_s3: 0.0,
        }
    }

    #[test]
    fn between_knots_nothing_is_added_where_the_clock_runs_steadily() {
        let corridor = Corridor { below_s: 1e-4, above_s: 2e-4, steady_slopes: [1e-5; 2] };
        let (a, b) = (knot(0.0, 0.0, 1e-5), knot(5.0, 5e-5, 1e-5));
        for x_s in [0.0, 1.0, 4.9] {
            let got_s = between((&a, &corridor), (&b, &corridor), x_s, 1e-5 * x_s);
            assert!((got_s - 2e-4).abs() < 1e-12, "{got_s}");
        }
    }

    #[test]
    fn a_jump_between_knots_can_have_been_anywhere() {
        let corridor = Corridor { below_s: 1e-4, above_s: 1e-4, steady_slopes: [0.0; 2] };
        let (a, b) = (knot(0.0, 0.0, 0.0), knot(5.0, 2e-3, 0.0));
        let got_s = between((&a, &corridor), (&b, &corridor), 2.5, 1e-3);
        assert!((got_s - 1.1e-3).abs() < 1e-12, "{got_s}");
    }

    #[test]
    fn beyond_the_last_knot_the_clock_may_be_slewed() {
        let corridor = Corridor { below_s: 1e-4, above_s: 2e-4, steady_slopes: [0.0; 2] };
        let got_s = beyond((&knot(7.0, 0.0, 0.0), &corridor), 9.0);
        assert!((got_s - 1.4e-3).abs() < 1e-12, "{got_s}");
    }
}
