//! What sets a device's clock ahead or back of its own oscillator: steps and slews.

use super::{ClockSlew, ClockStep};

/// From here on, until the next one, the clock is `total_s + rate * (osc - at)` ahead.
#[derive(Debug, Clone, Copy)]
struct Segment {
    at_oscillator_s: f64,
    total_s: f64,
    rate: f64,
}

/// Clock minus oscillator as a function of the oscillator: piecewise linear, with jumps.
#[derive(Debug, Clone)]
pub(super) struct Adjustments {
    /// In order of time.
    segments: Vec<Segment>,
}

impl Adjustments {
    /// `at_oscillator` tells the oscillator's count at seconds after the epoch.
    pub(super) fn new(steps: &[ClockStep], slews: &[ClockSlew], at_oscillator: impl Fn(f64) -> f64) -> Self {
        // Each change: when, a jump, a change of rate.
        let mut changes: Vec<(f64, f64, f64)> =
            steps.iter().map(|step| (at_oscillator(step.at_s), step.delta_s, 0.0)).collect();
        for slew in slews {
            let rate = slew.rate_ppm * 1e-6;
            changes.push((at_oscillator(slew.at_s), 0.0, rate));
            changes.push((at_oscillator(slew.at_s + slew.duration_s), 0.0, -rate));
        }
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut segments: Vec<Segment> = Vec::with_capacity(changes.len());
        for (at_oscillator_s, jump_s, rate) in changes {
            let last = segments.last().copied();
            let before_s = last.map_or(0.0, |segment| segment.at(at_oscillator_s));
            // Rates that cancel leave no rounding error behind.
            let sum = last.map_or(0.0, |segment| segment.rate) + rate;
            let rate = if sum.abs() < 1e-15 { 0.0 } else { sum.max(-1.0) };
            segments.push(Segment { at_oscillator_s, total_s: before_s + jump_s, rate });
        }
        Self { segments }
    }

    /// Clock minus oscillator. A change counts from its own instant on.
    pub(super) fn at(&self, oscillator_s: f64) -> f64 {
        let begun = self.segments.partition_point(|segment| segment.at_oscillator_s <= oscillator_s);
        begun.checked_sub(1).map_or(0.0, |last| self.segments[last].at(oscillator_s))
    }

    /// The first count of the oscillator at which the clock shows `clock_s` (in seconds of the
    /// oscillator's own count plus adjustments) or more.
    pub(super) fn invert(&self, clock_s: f64) -> f64 {
        let mut from_s = f64::NEG_INFINITY;
        let mut current = Segment { at_oscillator_s: 0.0, total_s: 0.0, rate: 0.0 };
        for next in &self.segments {
            let oscillator_s = current.invert(clock_s);
            if oscillator_s < next.at_oscillator_s {
                return oscillator_s.max(from_s);
            }
            from_s = next.at_oscillator_s;
            current = *next;
        }
        current.invert(clock_s).max(from_s)
    }
}

impl Segment {
    fn at(self, oscillator_s: f64) -> f64 {
        self.total_s + self.rate * (oscillator_s - self.at_oscillator_s)
    }

    /// Where `osc + at(osc)` is `clock_s`; never, for a clock that stands still before it.
    fn invert(self, clock_s: f64) -> f64 {
        let shown_s = self.at_oscillator_s + self.total_s;
        if self.rate <= -1.0 {
            return if shown_s >= clock_s { self.at_oscillator_s } else { f64::INFINITY };
        }
        // For a rate of 0 this is the plain difference, to the bit.
        if self.rate == 0.0 {
            return clock_s - self.total_s;
        }
        self.at_oscillator_s + (clock_s - shown_s) / (1.0 + self.rate)
    }
}
