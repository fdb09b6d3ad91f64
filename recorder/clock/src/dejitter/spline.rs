//! A continuous broken line, fitted by least squares in one pass.
//!
//! Each interval between two knots keeps the sums of its part of the normal equations. The sums of
//! two neighbours can be joined exactly into those of one longer interval, so that fits with fewer
//! and fewer knots cost no further look at the samples. Everything is kept relative to a straight
//! line in each interval that is already near the samples: with unix times, and with a nominal rate that
//! is far off, no digits are lost.

mod accumulator;
mod sums;

pub(super) use accumulator::Accumulator;
pub(super) use sums::Column;

use super::outliers::Stretch;

/// Sums of one quantity over one interval.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Track {
    /// The reference line's values at the two knots.
    left_s: f64,
    right_s: f64,
    /// Residuals times the hat of the left and of the right knot; their squares.
    ra: f64,
    rb: f64,
    xx: f64,
}

/// One interval between two knots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval<const N: usize> {
    start: f64,
    length: f64,
    count: f64,
    aa: f64,
    ab: f64,
    bb: f64,
    tracks: [Track; N],
    /// Largest step between neighbouring residuals of the last track: the jitter seen.
    jump_s: f64,
}

/// A fitted broken line of one quantity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Broken {
    /// Positions of the knots, increasing.
    pub knots: Vec<f64>,
    /// Values there.
    pub values_s: Vec<f64>,
    /// For each interval: the jitter seen in it and beside it.
    pub jumps_s: Vec<f64>,
    /// Sum of squared residuals, and how many.
    pub squares_s2: f64,
    pub count: f64,
}

impl Track {
    /// The same sums about a line that is lower by `left_s` and `right_s` at the knots.
    fn about(mut self, sums: (f64, f64, f64), left_s: f64, right_s: f64) -> Self {
        let (aa, ab, bb) = sums;
        self.xx += 2.0 * (left_s * self.ra + right_s * self.rb)
            + left_s * left_s * aa
            + 2.0 * left_s * right_s * ab
            + right_s * right_s * bb;
        self.ra += left_s * aa + right_s * ab;
        self.rb += left_s * ab + right_s * bb;
        self.left_s -= left_s;
        self.right_s -= right_s;
        self
    }
}

impl<const N: usize> Interval<N> {
    fn new(start: f64, length: f64, lines: [(f64, f64); N]) -> Self {
        let tracks = lines.map(|(left_s, right_s)| Track { left_s, right_s, ..Track::default() });
        Self { start, length, count: 0.0, aa: 0.0, ab: 0.0, bb: 0.0, tracks, jump_s: 0.0 }
    }

    fn sums(&self) -> (f64, f64, f64) {
        (self.aa, self.ab, self.bb)
    }

    /// Slope of the reference line of a track, per position.
    fn slope(&self, track: usize) -> f64 {
        (self.tracks[track].right_s - self.tracks[track].left_s) / self.length
    }

    /// Lines for the next interval: this one's own least squares lines, continued.
    fn continued(&self, length: f64) -> [(f64, f64); N] {
        let determinant = self.aa * self.bb - self.ab * self.ab;
        self.tracks.map(|t| {
            let (mut left_s, mut right_s) = (t.left_s, t.right_s);
            if determinant > 1e-3 * self.aa * self.bb && self.count > 3.0 {
                left_s += (t.ra * self.bb - t.rb * self.ab) / determinant;
                right_s += (t.rb * self.aa - t.ra * self.ab) / determinant;
            }
            (right_s, right_s + (right_s - left_s) * (length / self.length))
        })
    }

    /// The hats change to those of an interval `f` times as long that holds all samples.
    fn shortened(mut self, f: f64) -> Self {
        // New right hat: b / f; new left hat: a + b (1 - 1 / f).
        let (p, q) = (1.0 - 1.0 / f, 1.0 / f);
        let (aa, ab, bb) = self.sums();
        self.aa = aa + 2.0 * p * ab + p * p * bb;
        self.ab = q * (ab + p * bb);
        self.bb = q * q * bb;
        for t in &mut self.tracks {
            (t.ra, t.rb) = (t.ra + p * t.rb, q * t.rb);
            t.right_s = t.left_s + (t.right_s - t.left_s) * f;
        }
        self.length *= f;
        self
    }

    /// Two neighbours as one interval.
    fn joined(&self, next: &Self) -> Self {
        let length = self.length + next.length;
        // The left part's share. Its left hat: a + (1 - f) b, its right hat: f b; and so on.
        let f = self.length / length;
        let e = 1.0 - f;
        let mut joined = Self {
            start: self.start,
            length,
            count: self.count + next.count,
            aa: self.aa + 2.0 * e * self.ab + e * e * self.bb + e * e * next.aa,
            ab: f * (self.ab + e * self.bb) + e * (next.ab + f * next.aa),
            bb: f * f * self.bb + f * f * next.aa + 2.0 * f * next.ab + next.bb,
            tracks: [Track::default(); N],
            jump_s: self.jump_s.max(next.jump_s),
        };
        for (i, track) in joined.tracks.iter_mut().enumerate() {
            let (one, two) = (self.tracks[i], next.tracks[i]);
            let (left_s, right_s) = (one.left_s, two.right_s);
            let middle_s = left_s + f * (right_s - left_s);
            let one = one.about(self.sums(), 0.0, one.right_s - middle_s);
            let two = two.about(next.sums(), two.left_s - middle_s, 0.0);
            *track = Track {
                left_s,
                right_s,
                ra: one.ra + e * one.rb + e * two.ra,
                rb: f * one.rb + f * two.ra + two.rb,
                xx: one.xx + two.xx,
            };
        }
        joined
    }
}

impl<const N: usize> Interval<N> {
    /// The sums of more samples about the same lines.
    fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.aa += more.aa;
        self.ab += more.ab;
        self.bb += more.bb;
        for (t, more) in self.tracks.iter_mut().zip(&more.tracks) {
            t.ra += more.ra;
            t.rb += more.rb;
            t.xx += more.xx;
        }
    }

    /// As one stretch of a longer interval. The hats add up to 1, so their sums are plain ones.
    fn stretch(&self) -> Stretch {
        let track = self.tracks[N - 1];
        let mean_s = (track.ra + track.rb) / self.count;
        Stretch {
            position: (self.ab + self.bb) / self.count,
            mean_s,
            variance_s2: (track.xx / self.count - mean_s * mean_s).max(0.0),
            count: self.count,
        }
    }
}

fn joined_pairs<const N: usize>(intervals: &[Interval<N>]) -> Vec<Interval<N>> {
    let pairs = intervals.chunks(2);
    pairs
        .map(|pair| match pair {
            [one, two] => one.joined(two),
            [one, ..] => *one,
            [] => Interval::new(0.0, 1.0, [(0.0, 0.0); N]),
        })
        .collect()
}

/// Least squares values at the knots: a tridiagonal system. `None` where it has no finite solution.
fn solve<const N: usize>(intervals: &[Interval<N>], track: usize) -> Option<Broken> {
    let n = intervals.len();
    let last = intervals.last()?;
    // Unknown: what is to be added to each interval's left value (to the last one's right value).
    let base: Vec<f64> =
        intervals.iter().map(|i| i.tracks[track].left_s).chain([last.tracks[track].right_s]).collect();
    let mut diagonal = vec![0.0; n + 1];
    let mut right_side = vec![0.0; n + 1];
    for (j, interval) in intervals.iter().enumerate() {
        let t =
            interval.tracks[track].about(interval.sums(), 0.0, interval.tracks[track].right_s - base[j + 1]);
        diagonal[j] += interval.aa;
        diagonal[j + 1] += interval.bb;
        right_side[j] += t.ra;
        right_side[j + 1] += t.rb;
    }
    for j in 1..=n {
        let ratio = intervals[j - 1].ab / diagonal[j - 1];
        diagonal[j] -= ratio * intervals[j - 1].ab;
        right_side[j] -= ratio * right_side[j - 1];
    }
    let mut added = vec![0.0; n + 1];
    for j in (0..=n).rev() {
        let after = if j < n { intervals[j].ab * added[j + 1] } else { 0.0 };
        added[j] = (right_side[j] - after) / diagonal[j];
    }
    let mut squares_s2 = 0.0;
    for (j, interval) in intervals.iter().enumerate() {
        let t =
            interval.tracks[track].about(interval.sums(), 0.0, interval.tracks[track].right_s - base[j + 1]);
        squares_s2 += t.about(interval.sums(), -added[j], -added[j + 1]).xx.max(0.0);
    }
    let values_s: Vec<f64> = base.iter().zip(&added).map(|(base, added)| base + added).collect();
    let knots = intervals.iter().map(|i| i.start).chain([last.start + last.length]).collect();
    let jumps_s = (0..n)
        .map(|j| intervals[j.saturating_sub(1)..(j + 2).min(n)].iter().map(|i| i.jump_s).fold(0.0, f64::max))
        .collect();
    let count = intervals.iter().map(|i| i.count).sum();
    (squares_s2.is_finite() && values_s.iter().all(|v| v.is_finite())).then_some(Broken {
        knots,
        values_s,
        jumps_s,
        squares_s2,
        count,
    })
}

impl Broken {
    /// The interval of a position, beginning the search at `hint`.
    pub(super) fn interval(&self, position: f64, hint: usize) -> usize {
        let last = self.jumps_s.len().saturating_sub(1);
        let mut j = hint.min(last);
        if self.knots[j] > position {
            j = self.knots.partition_point(|knot| *knot <= position).saturating_sub(1).min(last);
        }
        while j < last && self.knots[j + 1] <= position {
            j += 1;
        }
        j
    }

    /// How many of `most` positions from this one on are of interval `j`.
    pub(super) fn left(&self, position: f64, j: usize, most: usize) -> usize {
        // The last one goes on.
        if j + 1 < self.jumps_s.len() { below(self.knots[j + 1], position, most) } else { most }
    }

    /// The value at a position of interval `j`.
    pub(super) fn of_interval(&self, j: usize) -> impl Fn(f64) -> f64 + use<> {
        let (from, length) = (self.knots[j], self.knots[j + 1] - self.knots[j]);
        let (value_s, step_s) = (self.values_s[j], self.values_s[j + 1] - self.values_s[j]);
        move |position| value_s + (position - from) / length * step_s
    }
}

/// How many of `most` positions from this one on are below a limit.
fn below(limit: f64, position: f64, most: usize) -> usize {
    let mut count = (limit - position).ceil().clamp(0.0, most as f64);
    // Differences round; what counts is the comparison.
    while count > 0.0 && position + (count - 1.0) >= limit {
        count -= 1.0;
    }
    count as usize
}
