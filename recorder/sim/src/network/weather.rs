//! States of a network that both directions share, as functions of time.

use crate::rng::Draws;

/// Longest story that is drawn; it repeats after that.
const LONGEST_S: f64 = 12.0 * 3600.0;

/// How long a story to draw for someone who looks for `horizon_s`.
fn story_s(horizon_s: f64) -> f64 {
    horizon_s.clamp(1.0, LONGEST_S)
}

/// Busy or not, changing at random times.
#[derive(Debug, Clone)]
pub(super) struct OnOff {
    /// Times at which it changes; it begins off.
    changes_s: Vec<f64>,
    length_s: f64,
}

impl OnOff {
    /// Stays on for `mean_on_s` and off for `mean_off_s` on average, each exponential.
    pub(super) fn new(mean_on_s: f64, mean_off_s: f64, horizon_s: f64, draws: &mut Draws) -> Self {
        let length_s = story_s(horizon_s);
        // A start in the middle of the story: on with the share of time it is on.
        let mut on = draws.chance(mean_on_s / (mean_on_s + mean_off_s));
        let mut changes_s = if on { vec![0.0] } else { Vec::new() };
        let mut at_s = 0.0;
        while at_s < length_s {
            at_s += draws.exponential(if on { mean_on_s } else { mean_off_s }).max(1e-3);
            changes_s.push(at_s);
            on = !on;
        }
        Self { changes_s, length_s }
    }

    pub(super) fn on(&self, elapsed_s: f64) -> bool {
        let at_s = elapsed_s.max(0.0) % self.length_s;
        self.changes_s.partition_point(|change| *change <= at_s) % 2 == 1
    }
}

/// Minimum delays that change at random times, as when a device roams between access points.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    /// When a level begins, and what it adds in each direction, to the device first.
    levels: Vec<(f64, [f64; 2])>,
    length_s: f64,
}

impl Levels {
    /// Levels that last `mean_s` on average and add 0 to `most_s`; the first of them, or the lowest,
    /// adds nothing. The two directions of a level differ by up to 30 % of what it adds.
    pub(super) fn new(mean_s: f64, most_s: f64, horizon_s: f64, draws: &mut Draws) -> Self {
        let length_s = story_s(horizon_s);
        let places = 3 + (draws.unit() * 3.0) as usize;
        let place: Vec<[f64; 2]> = (0..places)
            .map(|index| {
                let adds_s = if index == 0 { 0.0 } else { most_s * draws.unit() };
                let tilt = 0.3 * (2.0 * draws.unit() - 1.0);
                [adds_s * (1.0 + tilt), adds_s * (1.0 - tilt)]
            })
            .collect();
        let mut here = (draws.unit() * places as f64) as usize % places;
        let mut levels = Vec::new();
        let mut at_s = 0.0;
        while at_s < length_s {
            levels.push((at_s, place[here]));
            at_s += 30.0 + draws.exponential((mean_s - 30.0).max(1.0));
            here = (here + 1 + (draws.unit() * (places - 1) as f64) as usize) % places;
        }
        Self { levels, length_s }
    }

    pub(super) fn added_s(&self, elapsed_s: f64, direction: usize) -> f64 {
        let at_s = elapsed_s.max(0.0) % self.length_s;
        let begun = self.levels.partition_point(|level| level.0 <= at_s);
        begun.checked_sub(1).map_or(0.0, |last| self.levels[last].1[direction])
    }

    /// The least that is ever added.
    pub(super) fn least_s(&self, direction: usize) -> f64 {
        self.levels.iter().map(|level| level.1[direction]).fold(f64::INFINITY, f64::min)
    }
}

/// A queue that never empties: the time it takes to get through.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    wait_s: Vec<f64>,
}

/// Spacing of the drawn waits, in seconds; linear in between.
const QUEUE_STEP_S: f64 = 0.25;

impl Queue {
    /// At least `least_s`, plus a lognormal of median `median_s` whose logarithm (spread 0.8)
    /// forgets itself within `memory_s`.
    pub(super) fn new(least_s: f64, median_s: f64, memory_s: f64, horizon_s: f64, draws: &mut Draws) -> Self {
        let count = (story_s(horizon_s) / QUEUE_STEP_S) as usize + 2;
        let keep = (-QUEUE_STEP_S / memory_s).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        let mut level = draws.normal();
        let wait_s = (0..count)
            .map(|_| {
                level = keep * level + fresh * draws.normal();
                least_s + median_s * (0.8 * level).exp()
            })
            .collect();
        Self { wait_s }
    }

    pub(super) fn wait_s(&self, elapsed_s: f64) -> f64 {
        let segments = self.wait_s.len() - 1;
        let place = (elapsed_s.max(0.0) / QUEUE_STEP_S) % segments as f64;
        let index = (place as usize).min(segments - 1);
        let part = place - index as f64;
        self.wait_s[index] * (1.0 - part) + self.wait_s[index + 1] * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_times_have_their_share() {
        let mut draws = Draws::new(1, "weather");
        let busy = OnOff::new(6.0, 24.0, 40_000.0, &mut draws);
        let share = (0..40_000).filter(|at| busy.on(f64::from(*at))).count() as f64 / 40_000.0;
        assert!((share - 0.2).abs() < 0.02, "{share}");
        // Neighbouring seconds are alike.
        let changes = (1..40_000).filter(|at| busy.on(f64::from(*at)) != busy.on(f64::from(at - 1))).count();
        assert!(changes < 3200, "{changes}");
    }

    #[test]
    fn a_story_is_told_again_when_it_is_over() {
        let mut draws = Draws::new(2, "weather");
        let busy = OnOff::new(6.0, 24.0, f64::INFINITY, &mut draws);
        assert_eq!(busy.on(100.0), busy.on(100.0 + LONGEST_S));
        let queue = Queue::new(0.002, 0.005, 3.0, 100.0, &mut draws);
        for at in 0..10_000 {
            let wait_s = queue.wait_s(f64::from(at) * 0.1);
            assert!((0.002..1.0).contains(&wait_s), "{wait_s}");
        }
    }

    #[test]
    fn the_best_place_adds_nothing() {
        let mut draws = Draws::new(3, "weather");
        let levels = Levels::new(400.0, 0.005, 40_000.0, &mut draws);
        assert_eq!((levels.least_s(0), levels.least_s(1)), (0.0, 0.0));
        assert!((0..40_000).any(|at| levels.added_s(f64::from(at), 0) > 1e-4));
    }
}
