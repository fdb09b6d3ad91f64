//! Whether two devices read one clock, and whether one clock is still what it was.

use crate::clock::Exchange;

/// How much two clocks may drift apart, in seconds a second.
const DRIFT: f64 = 200e-6;
/// Readings may be rounded, and a question may be answered before it is stamped.
const SLACK_S: f64 = 50e-6;

/// A running clock that is slewed as fast as systems do it is off by less than this in a second...
const SLEW: f64 = 1000e-6;
/// ...and what is less than this beside is no jump: a reading that took its time, say.
const JUMP_S: f64 = 10e-3;

/// Where the offset of a clock (host minus device) must have been, by exchanges: no delay is below zero, so
/// it is at least t0 - t1 and at most t3 - t2, of all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corridor {
    lowest_s: f64,
    highest_s: f64,
    at_s: f64,
}

impl Corridor {
    /// By exchanges of one burst with a clock that floors its readings to steps of `resolution_s` seconds (0: to none
    /// that matter); `None` without any.
    pub fn new(burst: &[Exchange], resolution_s: f64) -> Option<Self> {
        let lowest_s = burst.iter().map(|e| e.t0_s - e.t1_s - resolution_s).max_by(f64::total_cmp)?;
        let highest_s = burst.iter().map(|e| e.t3_s - e.t2_s).min_by(f64::total_cmp)?;
        let at_s = burst.iter().map(|e| e.t3_s).max_by(f64::total_cmp)?;
        Some(Self { lowest_s, highest_s, at_s })
    }

    /// Whether one clock can have been in both.
    pub fn agrees(&self, other: &Self) -> bool {
        let slack_s = SLACK_S + DRIFT * (self.at_s - other.at_s).abs();
        self.lowest_s.max(other.lowest_s) <= self.highest_s.min(other.highest_s) + slack_s
    }

    /// By how many seconds a clock has jumped ahead since `before`, if it has: it stood still while its machine was
    /// suspended, or was started again.
    pub fn jump_s(&self, before: &Self) -> Option<f64> {
        // One jump within a burst makes a corridor that no clock fits, and says nothing of its size.
        if !self.is_possible() {
            return None;
        }
        let apart_s = (self.lowest_s - before.highest_s).max(before.lowest_s - self.highest_s);
        let allowed_s = JUMP_S + SLEW * (self.at_s - before.at_s).abs();
        (apart_s > allowed_s).then(|| before.middle_s() - self.middle_s())
    }

    /// Whether one clock can have been in it at all.
    pub fn is_possible(&self) -> bool {
        self.lowest_s <= self.highest_s + SLACK_S
    }

    /// When the last of its exchanges ended, in seconds of recorder time.
    pub fn at_s(&self) -> f64 {
        self.at_s
    }

    /// How wide it is, in seconds; below zero where no clock fits.
    pub fn width_s(&self) -> f64 {
        self.highest_s - self.lowest_s
    }

    /// The middle of it: the offset, in seconds.
    pub fn middle_s(&self) -> f64 {
        f64::midpoint(self.lowest_s, self.highest_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corridor(offset_s: f64, at_s: f64) -> Corridor {
        let exchange = |out_s: f64, back_s: f64| {
            let t1_s = at_s - offset_s + out_s;
            Exchange { t0_s: at_s, t1_s, t2_s: t1_s, t3_s: at_s + out_s + back_s }
        };
        Corridor::new(&[exchange(1e-4, 9e-3), exchange(9e-3, 1e-4)], 0.0).expect("exchanges")
    }

    #[test]
    fn one_clock_agrees_with_itself_later_and_another_does_not() {
        let then = corridor(5.0, 100.0);
        assert!((then.middle_s() - 5.0).abs() < 1e-4);
        assert!(then.agrees(&corridor(5.0, 100.0)));
        assert!(then.agrees(&corridor(5.0 + 0.01, 200.0)), "100 ppm");
        assert!(!then.agrees(&corridor(5.001, 100.0)));
        assert!(!then.agrees(&corridor(100_005.0, 105.0)));
        assert_eq!(Corridor::new(&[], 0.0), None);
    }

    #[test]
    fn a_reading_that_is_floored_may_be_of_any_time_in_its_step() {
        let exchange =
            |t0_s: f64, device_s: f64| Exchange { t0_s, t1_s: device_s, t2_s: device_s, t3_s: t0_s + 1e-4 };
        // The clock is 5 s behind, and is read in whole milliseconds.
        let burst = [exchange(100.0001, 95.0), exchange(100.0019, 95.001)];
        let floored = Corridor::new(&burst, 1e-3).expect("exchanges");
        assert!(floored.is_possible() && (floored.middle_s() - 5.0).abs() < 3e-4, "{floored:?}");
        assert!(!Corridor::new(&burst, 0.0).expect("exchanges").is_possible());
    }
    #[test]
    fn a_clock_that_stood_still_has_jumped_and_one_that_is_slewed_has_not() {
        let then = corridor(5.0, 100.0);
        assert_eq!(corridor(5.0, 105.0).jump_s(&then), None);
        assert_eq!(corridor(5.0 - 0.5e-3 * 60.0, 160.0).jump_s(&then), None, "500 ppm for a minute");
        let jump_s = corridor(8.0, 105.0).jump_s(&then).expect("a jump");
        assert!((jump_s + 3.0).abs() < 1e-3, "three seconds suspended: {jump_s}");
        assert!(corridor(4.9, 105.0).jump_s(&then).is_some_and(|s| s > 0.09));
        let within = Corridor { lowest_s: 8.0, highest_s: 5.0, at_s: 105.0 };
        assert!(!within.is_possible() && within.jump_s(&then).is_none());
    }
}
