//! A crystal oscillator: how much it has gained over its mean frequency at any time.
//!
//! The frequency is constant within a second and the sum of a random walk, flicker noise and the
//! parts of [`Drift`]; the gain is its integral, piecewise linear and exactly invertible.

use super::drift::{Cycle, Drift, Load};
use crate::rng::Draws;

/// Spacing of the knots between which the frequency is constant, in seconds of host time.
const KNOT_S: f64 = 1.0;
/// Longest time for which the frequency changes. After it, it stays as it is.
const LONGEST_S: f64 = 48.0 * 3600.0;
/// Largest frequency that any noise may reach, so that no seed can stop a clock.
const LIMIT_PPM: f64 = 10_000.0;
/// Time constants of the processes whose sum is flicker noise, from 2 s by factors of 4.
const FLICKER_PROCESSES: usize = 9;

/// Phase that the changes of frequency have added at any time since the epoch, piecewise linear.
#[derive(Debug, Clone)]
pub(super) struct Oscillator {
    /// Accumulated phase in seconds at knot `k`, time `k * KNOT_S`; empty when nothing changes.
    phase_s: Vec<f64>,
}

impl Oscillator {
    /// An oscillator whose frequency changes for `horizon_s` (at most 48 h): by a random walk of
    /// `walk_ppm * sqrt(T)` (standard deviation) in `T` seconds, and by `drift`.
    pub(super) fn new(walk_ppm: f64, drift: &Drift, horizon_s: f64, seed: u64) -> Self {
        if walk_ppm == 0.0 && drift.is_none() {
            return Self { phase_s: Vec::new() };
        }
        // The cast saturates, and two knots make a segment.
        let knots = (horizon_s.clamp(0.0, LONGEST_S) / KNOT_S).ceil() as usize + 2;
        let mut frequency = vec![0.0; knots];
        add_walk(&mut frequency, walk_ppm, seed);
        add_flicker(&mut frequency, drift.flicker_allan, seed);
        if let Some(load) = drift.load {
            add_load(&mut frequency, load, seed);
        }
        if let Some(warm) = drift.warm_up {
            for (ppm, at_s) in with_time(&mut frequency) {
                *ppm += warm.change_ppm * (1.0 - (-at_s / warm.time_constant_s).exp());
            }
        }
        if let Some(room) = drift.room {
            add_room(&mut frequency, room);
        }
        if let Some(day) = drift.day {
            for (ppm, at_s) in with_time(&mut frequency) {
                let turns = at_s / day.period_s + day.phase;
                *ppm += day.amplitude_ppm * (std::f64::consts::TAU * turns).sin();
            }
        }
        let mut phase = 0.0;
        let phase_s = frequency
            .iter()
            .map(|ppm| {
                let before = phase;
                phase += ppm.clamp(-LIMIT_PPM, LIMIT_PPM) * 1e-6 * KNOT_S;
                before
            })
            .collect();
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

/// Each frequency with its time.
fn with_time(frequency_ppm: &mut [f64]) -> impl Iterator<Item = (&mut f64, f64)> {
    frequency_ppm.iter_mut().enumerate().map(|(knot, ppm)| (ppm, knot as f64 * KNOT_S))
}

fn add_walk(frequency_ppm: &mut [f64], walk_ppm: f64, seed: u64) {
    if walk_ppm == 0.0 {
        return;
    }
    let mut draws = Draws::new(seed, "clock/wander");
    let step_ppm = walk_ppm * KNOT_S.sqrt();
    let mut level = 0.0_f64;
    for ppm in frequency_ppm {
        level = (level + step_ppm * draws.normal()).clamp(-LIMIT_PPM, LIMIT_PPM);
        *ppm += level;
    }
}

/// Flicker noise as the sum of first-order processes of equal variance whose time constants are a
/// factor `r` apart: the sum's spectral density is `variance / (ln r * f)`, and flicker noise
/// `h / f` has the Allan variance `2 ln 2 h` (IEEE Std 1139). With `r = 4` the two factors cancel,
/// so each process has the Allan deviation as its standard deviation.
fn add_flicker(frequency_ppm: &mut [f64], allan: f64, seed: u64) {
    if allan == 0.0 {
        return;
    }
    let mut draws = Draws::new(seed, "clock/flicker");
    let deviation_ppm = allan * 1e6;
    for process in 0..FLICKER_PROCESSES {
        let time_constant_s = 2.0 * 4.0_f64.powi(process as i32);
        let keep = (-KNOT_S / time_constant_s).exp();
        let fresh = deviation_ppm * (1.0 - keep * keep).sqrt();
        let mut level = deviation_ppm * draws.normal();
        for ppm in frequency_ppm.iter_mut() {
            *ppm += level;
            level = keep * level + fresh * draws.normal();
        }
    }
}

fn add_load(frequency_ppm: &mut [f64], load: Load, seed: u64) {
    let mut draws = Draws::new(seed, "clock/load");
    let follow = 1.0 - (-KNOT_S / load.lag_s).exp();
    let mut target = 0.0;
    let mut level = 0.0;
    let mut next_s = draws.exponential(load.mean_interval_s);
    for (ppm, at_s) in with_time(frequency_ppm) {
        while next_s <= at_s {
            target = load.level_ppm * (2.0 * draws.unit() - 1.0);
            // Never less than a knot, whatever was asked for: the loop has an end.
            next_s += draws.exponential(load.mean_interval_s).max(KNOT_S);
        }
        *ppm += level;
        level += follow * (target - level);
    }
}

/// A room heated half of the time: the temperature relaxes towards one of two ends, with a quarter
/// of the period as time constant, so it swings between plus and minus the amplitude.
fn add_room(frequency_ppm: &mut [f64], room: Cycle) {
    let time_constant_s = room.period_s / 4.0;
    // Half a period lasts two time constants; starting at -1 it must end at +1.
    let reach = (1.0 + (-2.0_f64).exp()) / (1.0 - (-2.0_f64).exp());
    for (ppm, at_s) in with_time(frequency_ppm) {
        let turn = (at_s / room.period_s + room.phase).fract();
        let (since_s, sign) = if turn < 0.5 { (turn, 1.0) } else { (turn - 0.5, -1.0) };
        let decay = (-since_s * room.period_s / time_constant_s).exp();
        *ppm += room.amplitude_ppm * sign * (reach - (reach + 1.0) * decay);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WarmUp;

    fn walk(ppm: f64, horizon_s: f64, seed: u64) -> Oscillator {
        Oscillator::new(ppm, &Drift::default(), horizon_s, seed)
    }

    /// Overlapping Allan deviation of the frequency at averaging time `tau_s`.
    fn allan(oscillator: &Oscillator, tau_s: f64, length_s: f64) -> f64 {
        let count = (length_s - 2.0 * tau_s) as usize;
        let sum: f64 = (0..count)
            .map(|start| {
                let at = |lag: f64| oscillator.phase_s(start as f64 + lag);
                (at(2.0 * tau_s) - 2.0 * at(tau_s) + at(0.0)).powi(2)
            })
            .sum();
        (sum / (2.0 * tau_s * tau_s * count as f64)).sqrt()
    }

    #[test]
    fn frequency_spreads_with_the_square_root_of_time() {
        // After 400 s of 0.01 ppm/sqrt(s) the frequency should be 0.2 ppm, one standard deviation.
        let seeds = 400;
        let variance = (0..seeds)
            .map(|seed| {
                let wander = walk(0.01, 500.0, seed);
                let ppm = (wander.phase_s(400.0) - wander.phase_s(399.0)) * 1e6;
                ppm * ppm
            })
            .sum::<f64>()
            / seeds as f64;
        assert!((variance.sqrt() - 0.2).abs() < 0.02, "standard deviation {}", variance.sqrt());
    }

    #[test]
    fn a_computer_has_the_allan_deviation_it_is_said_to_have() {
        let seeds = 20;
        let walks = (0..seeds).map(|seed| walk(super::super::kind::PC_WALK_PPM, 20_000.0, seed));
        let mean_square = walks.map(|pc| allan(&pc, 1000.0, 20_000.0).powi(2)).sum::<f64>() / seeds as f64;
        let got = mean_square.sqrt();
        assert!((got / 3e-8 - 1.0).abs() < 0.15, "{got}");
    }

    #[test]
    fn flicker_has_its_allan_deviation_at_every_averaging_time() {
        let drift = Drift { flicker_allan: 1e-8, ..Drift::default() };
        for tau_s in [30.0, 300.0, 3000.0] {
            let seeds = 12;
            let mean_square = (0..seeds)
                .map(|seed| allan(&Oscillator::new(0.0, &drift, 20_000.0, seed), tau_s, 20_000.0).powi(2))
                .sum::<f64>()
                / seeds as f64;
            let got = mean_square.sqrt();
            assert!((got / 1e-8 - 1.0).abs() < 0.2, "{got} at {tau_s} s");
        }
    }

    #[test]
    fn a_warm_up_ends_at_its_change() {
        let warm_up = Some(WarmUp { change_ppm: -8.0, time_constant_s: 100.0 });
        let oscillator = Oscillator::new(0.0, &Drift { warm_up, ..Drift::default() }, 2000.0, 1);
        let ppm_at = |at_s: f64| (oscillator.phase_s(at_s + 1.0) - oscillator.phase_s(at_s)) * 1e6;
        assert_eq!(ppm_at(0.0), 0.0);
        assert!((ppm_at(100.0) + 8.0 * (1.0 - (-1.0_f64).exp())).abs() < 1e-6);
        assert!((ppm_at(1999.0) + 8.0).abs() < 1e-6);
    }

    #[test]
    fn a_room_swings_between_its_ends() {
        let room = Some(Cycle { amplitude_ppm: 0.5, period_s: 600.0, phase: 0.0 });
        let oscillator = Oscillator::new(0.0, &Drift { room, ..Drift::default() }, 3000.0, 1);
        let ppm: Vec<f64> = (0..3000)
            .map(|at| (oscillator.phase_s(f64::from(at + 1)) - oscillator.phase_s(f64::from(at))) * 1e6)
            .collect();
        let ends = ppm.iter().fold((0.0_f64, 0.0_f64), |(low, high), p| (low.min(*p), high.max(*p)));
        assert!((ends.0 + 0.5).abs() < 1e-3 && (ends.1 - 0.5).abs() < 0.01, "{ends:?}");
        assert!(ppm.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.01), "never at once");
    }

    #[test]
    fn a_load_stays_within_its_levels_and_takes_its_time() {
        let load = Some(Load { level_ppm: 1.5, mean_interval_s: 600.0, lag_s: 180.0 });
        let oscillator = Oscillator::new(0.0, &Drift { load, ..Drift::default() }, 20_000.0, 5);
        let ppm: Vec<f64> = (0..20_000)
            .map(|at| (oscillator.phase_s(f64::from(at + 1)) - oscillator.phase_s(f64::from(at))) * 1e6)
            .collect();
        assert!(ppm.iter().all(|p| p.abs() <= 1.5));
        assert!(ppm.iter().any(|p| *p > 0.5) && ppm.iter().any(|p| *p < -0.5));
        assert!(ppm.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= 3.0 / 180.0 + 1e-6));
    }

    #[test]
    fn the_walk_goes_straight_on_after_its_last_knot() {
        let wander = walk(0.1, 5000.0, 3);
        let end_s = wander.phase_s.len() as f64 * KNOT_S;
        let slope = wander.phase_s(end_s + 1.0) - wander.phase_s(end_s);
        let later = wander.phase_s(end_s + 1001.0) - wander.phase_s(end_s + 1000.0);
        assert!((slope - later).abs() < 1e-9);
        let rate = 1.0 + 40e-6;
        let far_s = end_s + 5000.0;
        let back_s = wander.invert(far_s * rate + wander.phase_s(far_s), rate);
        assert!((back_s - far_s).abs() < 1e-9);
    }

    #[test]
    fn a_longer_horizon_tells_the_same_story() {
        let (short, long) = (walk(0.1, 100.0, 3), walk(0.1, 1000.0, 3));
        assert_eq!(short.phase_s(99.5), long.phase_s(99.5));
    }
}
