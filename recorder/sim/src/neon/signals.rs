//! What the simulated eyes and head do: values by index, and a course of eye events. Pure.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use crate::rng::{Draws, derive_seed, mix, unit_from_bits};

use super::layout::GazeValues;
use super::payload::{EyeEvent, ImuValues, Movement};

/// Centre and swing of each gaze channel, in the order of
/// [`GAZE_CHANNELS`](super::layout::GAZE_CHANNELS).
const GAZE_SWINGS: [(f64, f64); 26] = [
    (800.0, 600.0),
    (600.0, 450.0),
    (3.5, 1.2),
    (-31.0, 0.5),
    (12.0, 0.5),
    (-41.0, 0.5),
    (0.1, 0.3),
    (0.05, 0.25),
    (0.95, 0.04),
    (3.6, 1.2),
    (32.0, 0.5),
    (12.0, 0.5),
    (-41.0, 0.5),
    (-0.1, 0.3),
    (0.05, 0.25),
    (0.95, 0.04),
    (0.4, 0.2),
    (-0.4, 0.2),
    (9.0, 2.5),
    (0.4, 0.2),
    (-0.4, 0.2),
    (9.0, 2.5),
    (790.0, 600.0),
    (600.0, 450.0),
    (810.0, 600.0),
    (600.0, 450.0),
];

/// Two sines of a frequency and phase of its own for each channel, between -1 and 1.
#[derive(Debug, Clone)]
struct Waves {
    seed: u64,
    rate_hz: f64,
}

impl Waves {
    fn at(&self, index: u64, channel: u64) -> f64 {
        let draw = |purpose: u64| unit_from_bits(mix(self.seed ^ mix(channel << 8 | purpose)));
        let time_s = index as f64 / self.rate_hz;
        let slow = (TAU * (time_s * (0.1 + 0.4 * draw(0)) + draw(1))).sin();
        let fast = (TAU * (time_s * (0.8 + 1.5 * draw(2)) + draw(3))).sin();
        0.85 * slow + 0.15 * fast
    }
}

/// Gaze as a function of seed and index.
#[derive(Debug, Clone)]
pub(super) struct GazeSignal(Waves);

impl GazeSignal {
    pub(super) fn new(rate_hz: f64, seed: u64) -> Self {
        Self(Waves { seed: derive_seed(seed, "neon/gaze"), rate_hz })
    }

    /// All channels of datum `index`.
    pub(super) fn values(&self, index: u64) -> GazeValues {
        std::array::from_fn(|channel| {
            let (centre, swing) = GAZE_SWINGS[channel];
            (centre + swing * self.0.at(index, channel as u64)) as f32
        })
    }
}

/// Movements of the head as a function of seed and index. At rest it would feel 1 g along z.
#[derive(Debug, Clone)]
pub(super) struct ImuSignal(Waves);

impl ImuSignal {
    pub(super) fn new(rate_hz: f64, seed: u64) -> Self {
        Self(Waves { seed: derive_seed(seed, "neon/imu"), rate_hz })
    }

    /// What is measured at sample `index`.
    pub(super) fn values(&self, index: u64) -> ImuValues {
        let wave = |channel| self.0.at(index, channel);
        // Small turns about two axes, as a quaternion of length one.
        let (half_yaw, half_pitch) = (0.3 * wave(0), 0.15 * wave(1));
        let (yaw, pitch) = (half_yaw.sin_cos(), half_pitch.sin_cos());
        ImuValues {
            acceleration: [0.05 * wave(2), 0.05 * wave(3), 1.0 + 0.05 * wave(4)].map(|g| g as f32),
            rotation: [40.0 * wave(5), 20.0 * wave(6), 60.0 * wave(7)].map(|dps| dps as f32),
            quaternion: [yaw.1 * pitch.1, yaw.1 * pitch.0, -yaw.0 * pitch.0, yaw.0 * pitch.1]
                .map(|part| part as f32),
        }
    }
}

/// How long after something has happened the phone tells of it, in seconds: it has to be found.
const FOUND_AFTER_S: f64 = 0.05;
/// Between two messages that only keep the connection, in seconds.
const KEEP_ALIVE_S: f64 = 1.0;
/// The share of rounds with a blink.
const BLINKS: f64 = 0.25;
/// Pixels of the scene camera in a degree, about.
const PIXELS_PER_DEGREE: f64 = 15.5;

/// What the eyes do: saccade, fixation, now and then a blink, in oscillator time from 0 on.
#[derive(Debug, Clone)]
pub(super) struct EyeCourse {
    draws: Draws,
    round_s: f64,
    planned: VecDeque<(f64, Plan)>,
    /// Where and when the last round ended.
    at: [f64; 2],
    ended_s: f64,
    keep_alive_s: f64,
}

/// An eye event with its times by the oscillator.
#[derive(Debug, Clone, Copy)]
enum Plan {
    Saccade { start_s: f64, end_s: f64, values: [f32; 10] },
    Fixation { start_s: f64, end_s: f64, values: [f32; 10] },
    SaccadeOnset { start_s: f64 },
    FixationOnset { start_s: f64 },
    Blink { start_s: f64, end_s: f64 },
    KeepAlive,
}

impl EyeCourse {
    /// A course of `rounds_hz` rounds a second on average.
    pub(super) fn new(rounds_hz: f64, seed: u64) -> Self {
        let mut course = Self {
            draws: Draws::new(seed, "neon/eyes"),
            round_s: 1.0 / rounds_hz,
            planned: VecDeque::new(),
            at: [800.0, 600.0],
            ended_s: 0.0,
            keep_alive_s: KEEP_ALIVE_S,
        };
        course.plan_round();
        course
    }

    /// When the phone tells of the next one.
    pub(super) fn next_s(&self) -> f64 {
        self.planned.front().map_or(self.keep_alive_s, |(due_s, _)| due_s.min(self.keep_alive_s))
    }

    /// The next one; `to_ns` is the phone's clock over its oscillator.
    pub(super) fn take(&mut self, to_ns: impl Fn(f64) -> i64) -> EyeEvent {
        let due = self.planned.front().map(|(due_s, _)| *due_s).filter(|due_s| *due_s <= self.keep_alive_s);
        let plan = if due.is_some() { self.planned.pop_front() } else { None };
        if plan.is_none() {
            self.keep_alive_s += KEEP_ALIVE_S;
        }
        if self.planned.is_empty() {
            self.plan_round();
        }
        match plan.map_or(Plan::KeepAlive, |(_, plan)| plan) {
            Plan::Saccade { start_s, end_s, values } => {
                EyeEvent::Saccade(Movement { start_ns: to_ns(start_s), end_ns: to_ns(end_s), values })
            }
            Plan::Fixation { start_s, end_s, values } => {
                EyeEvent::Fixation(Movement { start_ns: to_ns(start_s), end_ns: to_ns(end_s), values })
            }
            Plan::SaccadeOnset { start_s } => EyeEvent::SaccadeOnset { start_ns: to_ns(start_s) },
            Plan::FixationOnset { start_s } => EyeEvent::FixationOnset { start_ns: to_ns(start_s) },
            Plan::Blink { start_s, end_s } => {
                EyeEvent::Blink { start_ns: to_ns(start_s), end_ns: to_ns(end_s) }
            }
            Plan::KeepAlive => EyeEvent::KeepAlive,
        }
    }

    /// Plans one round more. Ends come after beginnings, and each is told of a little later.
    fn plan_round(&mut self) {
        let draws = &mut self.draws;
        let saccade_s = draws.within(0.02, 0.06);
        let fixation_s = (self.round_s * draws.within(0.6, 1.4) - saccade_s).max(0.06);
        let to = [draws.within(50.0, 1550.0), draws.within(50.0, 1150.0)];
        let drift = [draws.within(-8.0, 8.0), draws.within(-8.0, 8.0)];
        let blink_s = draws.chance(BLINKS).then(|| draws.within(0.08, 0.25));
        let rested = [to[0] + drift[0], to[1] + drift[1]];
        let start_s = self.ended_s;
        let (moved_s, rested_s) = (start_s + saccade_s, start_s + saccade_s + fixation_s);
        let mut plan = |at_s: f64, plan: Plan| self.planned.push_back((at_s + FOUND_AFTER_S, plan));
        plan(start_s, Plan::SaccadeOnset { start_s });
        let values = movement(self.at, to, saccade_s);
        plan(moved_s, Plan::Saccade { start_s, end_s: moved_s, values });
        plan(moved_s, Plan::FixationOnset { start_s: moved_s });
        let values = movement(to, rested, fixation_s);
        plan(rested_s, Plan::Fixation { start_s: moved_s, end_s: rested_s, values });
        self.ended_s = rested_s;
        if let Some(blink_s) = blink_s {
            self.ended_s += blink_s;
            plan(self.ended_s, Plan::Blink { start_s: rested_s, end_s: self.ended_s });
        }
        self.at = rested;
    }
}

/// The numbers of a movement between two points.
fn movement(from: [f64; 2], to: [f64; 2], seconds: f64) -> [f32; 10] {
    let pixels = (to[0] - from[0]).hypot(to[1] - from[1]);
    let mean = [(from[0] + to[0]) / 2.0, (from[1] + to[1]) / 2.0];
    let velocity = pixels / seconds;
    let last = [pixels, pixels / PIXELS_PER_DEGREE, velocity, 1.8 * velocity];
    let all = [from[0], from[1], to[0], to[1], mean[0], mean[1], last[0], last[1], last[2], last[3]];
    all.map(|value| value as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaze_depends_on_its_index_alone_and_stays_in_the_scene() {
        let signal = GazeSignal::new(200.0, 3);
        let first = signal.values(7);
        let _ = signal.values(8);
        assert_eq!(first, GazeSignal::new(200.0, 3).values(7));
        assert_ne!(first, GazeSignal::new(200.0, 4).values(7));
        for index in 0..5000 {
            let values = signal.values(index);
            assert!((0.0..1600.0).contains(&values[0]) && (0.0..1200.0).contains(&values[1]));
            assert!((signal.values(index + 1)[0] - values[0]).abs() < 30.0, "smooth");
        }
    }

    #[test]
    fn attitudes_have_length_one() {
        let signal = ImuSignal::new(110.0, 1);
        for index in 0..500 {
            let length: f32 = signal.values(index).quaternion.iter().map(|part| part * part).sum();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }

    #[test]
    fn eye_events_are_told_after_they_ended_and_in_order() {
        let mut course = EyeCourse::new(2.0, 5);
        let mut kinds = [0; 6];
        let mut last_s = 0.0;
        let mut ended_ns = 0;
        while course.next_s() < 120.0 {
            let due_s = course.next_s();
            assert!(due_s >= last_s, "{due_s} after {last_s}");
            last_s = due_s;
            let event = course.take(|s| (s * 1e9).round() as i64);
            kinds[event.number() as usize] += 1;
            let (start_ns, end_ns) = event.times_ns();
            let told_ns = (due_s * 1e9) as i64;
            for time_ns in [start_ns, end_ns].into_iter().flatten() {
                assert!(time_ns <= told_ns, "{event:?} told at {told_ns}");
            }
            if let EyeEvent::Fixation(movement) = event {
                assert!(movement.start_ns > ended_ns && movement.end_ns > movement.start_ns);
                ended_ns = movement.end_ns;
            }
        }
        assert!((180..260).contains(&kinds[1]), "about two rounds a second: {kinds:?}");
        assert!(kinds[0] == kinds[2] || kinds[0] + 1 == kinds[2]);
        assert!(kinds[4] > 20 && kinds[5] >= 118, "{kinds:?}");
    }
}
