//! Slow wander of an oscillator: a seeded random walk of its frequency.

use crate::rng::Draws;

/// Spacing of the knots between which the frequency is constant, in seconds of host time.
const KNOT_S: f64 = 4.0;
/// Number of knots: 48 h. After the last one the frequency stays as it is.
const KNOTS: usize = 48 * 900;
/// Largest frequency the walk may reach, so that no seed can stop a clock.
const LIMIT_PPM: f64 = 10_000.0;

/// Phase that the wander has added at any time since the epoch, piecewise linear.
#[derive(Debug, Clone)]
pub(super) struct Wander {
    /// Accumulated phase in seconds at knot `k`, time `k * KNOT_S`; empty when nothing wanders.
    phase_s: Vec<f64>,
}

impl Wander {
    /// A walk whose frequency changes by `ppm_per_sqrt_s * sqrt(T)` (standard deviation) in `T` s.
    pub(super) fn new(ppm_per_sqrt_s: f64, seed: u64) -> Self {
        if ppm_per_sqrt_s == 0.0 {
            return Self { phase_s: Vec::new() };
        }
        let mut draws = Draws::new(seed, "clock/wander");
        let step_ppm = ppm_per_sqrt_s * KNOT_S.sqrt();
        let mut frequency_ppm = 0.0_f64;
        let mut phase_s = Vec::with_capacity(KNOTS);
        let mut phase = 0.0;
        for _ in 0..KNOTS {
            phase_s.push(phase);
            frequency_ppm = (frequency_ppm + step_ppm * draws.normal()).clamp(-LIMIT_PPM, LIMIT_PPM);
            phase += frequency_ppm * 1e-6 * KNOT_S;
        }
        Self { phase_s }
    }

    /// Phase in seconds after `elapsed_s` of host time; zero before the epoch.
    pub(super) fn phase_s(&self, elapsed_s: f64) -> f64 {
        if self.phase_s.is_empty() || elapsed_s <= 0.0 {
            return 0.0;
        }
        let (start_s, phase, slope) = self.segment((elapsed_s / KNOT_S) as usize);
        phase + slope * (elapsed_s - start_s)
    }

    /// The host time elapsed when an oscillator of mean frequency `rate` has counted
    /// `oscillator_s`: the inverse of `u -> u * rate + phase_s(u)`.
    pub(super) fn invert(&self, oscillator_s: f64, rate: f64) -> f64 {
        if self.phase_s.is_empty() || oscillator_s <= 0.0 {
            return oscillator_s / rate;
        }
        let counted_at = |knot: usize, phase: f64| knot as f64 * KNOT_S * rate + phase;
        // The count rises from knot to knot, so the segment is found by bisection.
        let (mut low, mut high) = (0, self.phase_s.len());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if counted_at(middle, self.phase_s[middle]) <= oscillator_s {
                low = middle;
            } else {
                high = middle;
            }
        }
        let (start_s, phase, slope) = self.segment(low);
        start_s + (oscillator_s - counted_at(low, phase)) / (rate + slope)
    }

    /// Start time, phase there and slope of the segment that begins at `knot` (the last if beyond).
    fn segment(&self, knot: usize) -> (f64, f64, f64) {
        let last = self.phase_s.len() - 1;
        let knot = knot.min(last);
        let from = knot.min(last - 1);
        let slope = (self.phase_s[from + 1] - self.phase_s[from]) / KNOT_S;
        (knot as f64 * KNOT_S, self.phase_s[knot], slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequency_spreads_with_the_square_root_of_time() {
        // After 400 s of 0.01 ppm/sqrt(s) the frequency should be 0.2 ppm, one standard deviation.
        let seeds = 400;
        let variance = (0..seeds)
            .map(|seed| {
                let wander = Wander::new(0.01, seed);
                let ppm = (wander.phase_s(400.0) - wander.phase_s(399.0)) * 1e6;
                ppm * ppm
            })
            .sum::<f64>()
            / seeds as f64;
        assert!((variance.sqrt() - 0.2).abs() < 0.02, "standard deviation {}", variance.sqrt());
    }

    #[test]
    fn the_walk_goes_straight_on_after_its_last_knot() {
        let wander = Wander::new(0.1, 3);
        let end_s = KNOTS as f64 * KNOT_S;
        let slope = wander.phase_s(end_s + 1.0) - wander.phase_s(end_s);
        let later = wander.phase_s(end_s + 1001.0) - wander.phase_s(end_s + 1000.0);
        assert!((slope - later).abs() < 1e-9);
        let rate = 1.0 + 40e-6;
        let far_s = end_s + 5000.0;
        let back_s = wander.invert(far_s * rate + wander.phase_s(far_s), rate);
        assert!((back_s - far_s).abs() < 1e-9);
    }
}
