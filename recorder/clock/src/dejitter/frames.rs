//! Frame numbers of streams with a steady frame rate that may drop frames.
//!
//! A dropped frame moves all later stamps by a whole period, a late one only itself. So the number of
//! frames missing before a sample is the least that any of the next few samples shows: one pass, a
//! fixed look ahead. (What `load_xdf` of MATLAB searches by trying every possible number of drops.)

use std::collections::VecDeque;

use super::gaps::Pair;
use crate::methods::median;

/// Samples that the period is first estimated from.
const FIRST: usize = 1024;
/// Samples that must agree that a frame is missing.
const AHEAD: usize = 16;
/// Shares of a sample in the phase and the period that follow the frames.
const PHASE_GAIN: f64 = 0.06;
const PERIOD_GAIN: f64 = 0.001;
/// As many samples off by two frames in a row: something else than drops happened.
const LOST: u32 = 16;
/// More frames than this are not missing: the stamps or the period are wrong.
const MOST_FRAMES: f64 = 1e6;

/// A sample with its place among the frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Frame {
    /// So many frames after the one before it (1: none was dropped).
    Next(u64, Pair),
    /// First of a new segment: so many seconds more than one frame after the one before it.
    Restart(f64, Pair),
}

#[derive(Debug)]
pub(super) struct FrameTracker {
    nominal_s: f64,
    break_s: f64,
    period_s: Option<f64>,
    phase_s: f64,
    last_s: Option<f64>,
    lost: u32,
    ahead: VecDeque<Pair>,
}

impl FrameTracker {
    pub(super) fn new(nominal_s: f64, break_s: f64) -> Self {
        let ahead = VecDeque::with_capacity(FIRST);
        Self { nominal_s, break_s, period_s: None, phase_s: 0.0, last_s: None, lost: 0, ahead }
    }

    /// The estimated time between frames.
    pub(super) fn period_s(&self) -> f64 {
        self.period_s.unwrap_or(self.nominal_s)
    }

    pub(super) fn push(&mut self, pair: Pair, out: &mut Vec<Frame>) {
        self.ahead.push_back(pair);
        let held = if self.period_s.is_some() { AHEAD } else { FIRST };
        if self.ahead.len() >= held {
            if self.period_s.is_none() {
                self.begin();
            }
            while self.ahead.len() >= AHEAD {
                self.place(out);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Frame>) {
        if self.period_s.is_none() {
            self.begin();
        }
        while !self.ahead.is_empty() {
            self.place(out);
        }
    }

    /// Estimate the period from the samples held: the median of the steps that are nearest to the nominal
    /// period, then better and better from longer and longer runs.
    fn begin(&mut self) {
        let steps: Vec<f64> = self
            .ahead
            .iter()
            .zip(self.ahead.iter().skip(1))
            .map(|(a, b)| b.1 - a.1)
            .filter(|step_s| step_s.is_finite() && step_s.abs() <= self.break_s)
            .collect();
        let single: Vec<f64> = steps
            .iter()
            .copied()
            .filter(|step_s| (0.5 * self.nominal_s..1.5 * self.nominal_s).contains(step_s))
            .collect();
        let enough = single.len() >= 2 && 20 * single.len() >= steps.len();
        let first_s = if enough { median(&single) } else { median(&steps) };
        let mut period_s = if first_s.is_finite() && first_s > 0.0 { first_s } else { self.nominal_s };
        let mut length = 16;
        while length <= self.ahead.len() {
            if let Some(better_s) = refined(self.ahead.iter().take(length), period_s) {
                period_s = better_s;
            }
            length *= 4;
        }
        self.period_s = Some(period_s);
    }

    fn place(&mut self, out: &mut Vec<Frame>) {
        let Some(pair) = self.ahead.pop_front() else { return };
        let period_s = self.period_s();
        let Some(last_s) = self.last_s.replace(pair.1) else {
            self.phase_s = pair.1;
            out.push(Frame::Restart(0.0, pair));
            return;
        };
        let step_s = pair.1 - last_s;
        if step_s.abs() > self.break_s || self.lost >= LOST {
            (self.phase_s, self.lost) = (pair.1, 0);
            out.push(Frame::Restart(step_s - period_s, pair));
            return;
        }
        let frames_to = |time_s: f64| ((time_s - self.phase_s) / period_s).round();
        let mut frames = frames_to(pair.1);
        if frames > 1.0 {
            for (i, later) in self.ahead.iter().take(AHEAD).enumerate() {
                frames = frames.min(frames_to(later.1) - (i + 1) as f64);
            }
        }
        if frames > MOST_FRAMES {
            self.phase_s = pair.1;
            out.push(Frame::Restart(step_s - period_s, pair));
            return;
        }
        // Also where a stamp is not a number.
        let frames = if frames > 1.0 { frames } else { 1.0 };
        let predicted_s = self.phase_s + frames * period_s;
        let off_s = pair.1 - predicted_s;
        self.lost = if off_s.abs() < 2.0 * period_s { 0 } else { self.lost + 1 };
        if !off_s.is_finite() {
            self.phase_s += period_s;
            out.push(Frame::Next(1, pair));
            return;
        }
        let near_s = off_s.clamp(-0.5 * period_s, 0.5 * period_s);
        self.phase_s = predicted_s + PHASE_GAIN * near_s;
        self.period_s = Some(period_s + PERIOD_GAIN * near_s);
        out.push(Frame::Next(frames as u64, pair));
    }
}

/// Least squares period of a run of samples whose steps are rounded to whole frames.
fn refined<'a>(samples: impl Iterator<Item = &'a Pair>, period_s: f64) -> Option<f64> {
    let mut frame = 0.0;
    let mut last_s = None;
    let (mut n, mut sum_x, mut sum_y, mut sum_xx, mut sum_xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut first_s = 0.0;
    for (_, time_s) in samples {
        match last_s {
            None => first_s = *time_s,
            // Against the line through the first sample: a late stamp is followed by an early one.
            Some(_) => frame = ((time_s - first_s) / period_s).round().max(frame + 1.0),
        }
        last_s = Some(*time_s);
        let y = time_s - first_s;
        n += 1.0;
        sum_x += frame;
        sum_y += y;
        sum_xx += frame * frame;
        sum_xy += frame * y;
    }
    let determinant = n * sum_xx - sum_x * sum_x;
    let better_s = (n * sum_xy - sum_x * sum_y) / determinant;
    // Refinement must not turn into something else.
    (determinant > 0.0 && (better_s / period_s - 1.0).abs() < 0.05).then_some(better_s)
}
