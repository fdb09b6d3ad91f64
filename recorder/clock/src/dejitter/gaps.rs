//! Gaps in regular streams: stamps that jump and stay so.
//!
//! A late stamp is followed by stamps that are not late. So a jump is judged by what follows it: as many
//! samples as would have fitted into it, for late samples may come at once, and a few more.

use std::collections::VecDeque;

/// A jump of fewer samples than this is jitter ...
const SAMPLES: f64 = 5.0;
/// ... and so is one of less time.
const TIME_S: f64 = 0.02;
/// Samples looked at beyond those that the gap could have held.
const MORE: usize = 32;
/// No more than this, which bounds the memory.
const MOST: usize = 1024;
/// Share of a sample in the level and in the period that jumps are judged by.
const LEVEL_GAIN: f64 = 0.05;
const PERIOD_GAIN: f64 = 0.001;

/// One sample: device time and host time.
pub(super) type Pair = (f64, f64);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// A sample of the segment.
    Sample(Pair),
    /// A break before the next sample, and how much more than one sample it is.
    Break(f64),
}

#[derive(Debug)]
pub(super) struct GapFinder {
    break_s: f64,
    period_s: f64,
    last_s: Option<f64>,
    /// Where the last stamp would have been without jitter.
    level_s: f64,
    pending: Option<Pending>,
}

/// A jump that is not judged yet.
#[derive(Debug)]
struct Pending {
    size_s: f64,
    /// Level before the jump.
    from_s: f64,
    wanted: usize,
    held: VecDeque<Pair>,
}

impl GapFinder {
    pub(super) fn new(period_s: f64, break_s: f64) -> Self {
        Self { break_s, period_s, last_s: None, level_s: 0.0, pending: None }
    }

    /// How many samples from the first on are of the segment without further ado, as nearly all are; they
    /// are taken, the next one is to be pushed.
    pub(super) fn take_ordinary(&mut self, host_times_s: &[f64]) -> usize {
        let Some(mut last_s) = self.last_s.filter(|_| self.pending.is_none()) else { return 0 };
        // Each sample waits for the one before it: no detour by memory.
        let (break_s, mut level_s, mut period_s) = (self.break_s, self.level_s, self.period_s);
        let mut taken = 0;
        for &host_s in host_times_s {
            let off_s = host_s - (level_s + period_s);
            // NaN fails the first comparison.
            if !(off_s.abs() <= TIME_S && (host_s - last_s).abs() <= break_s) {
                break;
            }
            (level_s, period_s) = followed(level_s, period_s, off_s);
            last_s = host_s;
            taken += 1;
        }
        (self.level_s, self.period_s, self.last_s) = (level_s, period_s, Some(last_s));
        taken
    }

    /// The next sample. What is certain now goes to `out`, in order.
    pub(super) fn push(&mut self, pair: Pair, out: &mut Vec<Step>) {
        if !pair.1.is_finite() {
            self.settle(out);
            out.push(Step::Sample(pair));
            return;
        }
        let step_s = self.last_s.map_or(0.0, |last_s| pair.1 - last_s);
        if self.last_s.is_some() && step_s.abs() > self.break_s {
            self.settle(out);
            out.push(Step::Break(step_s - self.period_s));
            self.restart(pair, out);
            return;
        }
        if let Some(mut pending) = self.pending.take() {
            pending.held.push_back(pair);
            self.last_s = Some(pair.1);
            let expected_s = pending.from_s + self.period_s * pending.held.len() as f64;
            let still = (pair.1 - expected_s) / pending.size_s > 0.5;
            if !still {
                pending.held.into_iter().for_each(|pair| self.accept(pair, out));
            } else if pending.held.len() >= pending.wanted {
                self.confirm(pending, out);
            } else {
                self.pending = Some(pending);
            }
            return;
        }
        let more_s = pair.1 - (self.level_s + self.period_s);
        let limit_s = (SAMPLES * self.period_s).max(TIME_S);
        if self.last_s.is_some() && (step_s - self.period_s).abs() > limit_s && more_s.abs() > limit_s {
            let fits = (more_s / self.period_s).abs().min(MOST as f64) as usize;
            let wanted = (fits + MORE).min(MOST);
            self.last_s = Some(pair.1);
            self.pending =
                Some(Pending { size_s: more_s, from_s: self.level_s, wanted, held: [pair].into() });
            return;
        }
        self.accept(pair, out);
    }

    /// The stream ends: a jump near its end counts as a gap unless too little follows.
    pub(super) fn finish(&mut self, out: &mut Vec<Step>) {
        self.settle(out);
    }

    fn settle(&mut self, out: &mut Vec<Step>) {
        if let Some(pending) = self.pending.take() {
            if pending.held.len() >= MORE / 4 {
                self.confirm(pending, out);
            } else {
                pending.held.into_iter().for_each(|pair| self.accept(pair, out));
            }
        }
    }

    fn confirm(&mut self, pending: Pending, out: &mut Vec<Step>) {
        out.push(Step::Break(pending.size_s));
        let mut held = pending.held.into_iter();
        if let Some(first) = held.next() {
            self.restart(first, out);
        }
        held.for_each(|pair| self.accept(pair, out));
    }

    fn restart(&mut self, pair: Pair, out: &mut Vec<Step>) {
        self.level_s = pair.1;
        self.last_s = Some(pair.1);
        out.push(Step::Sample(pair));
    }

    fn accept(&mut self, pair: Pair, out: &mut Vec<Step>) {
        if self.last_s.is_none() {
            self.restart(pair, out);
            return;
        }
        let off_s = pair.1 - (self.level_s + self.period_s);
        (self.level_s, self.period_s) = followed(self.level_s, self.period_s, off_s);
        self.last_s = Some(pair.1);
        out.push(Step::Sample(pair));
    }
}

/// Level and period after a sample that was off by so much. The period is above 0.
#[inline]
fn followed(level_s: f64, period_s: f64, off_s: f64) -> (f64, f64) {
    let most_s = 0.5 * period_s;
    // Plain comparisons take half the time of `f64::clamp`; NaN does not come here.
    let near_s = if off_s > -most_s { off_s } else { -most_s };
    let near_s = if near_s < most_s { near_s } else { most_s };
    (level_s + (period_s + LEVEL_GAIN * off_s), period_s + PERIOD_GAIN * near_s)
}
