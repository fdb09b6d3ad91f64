//! A continuous broken line, fitted by least squares in one pass.
//!
//! Each interval between two knots keeps the sums of its part of the normal equations. The sums of
//! two neighbours can be joined exactly into those of one longer interval, so that fits with fewer
//! and fewer knots cost no further look at the samples. Everything is kept relative to a straight
//! line in each interval that is already near the samples: with unix times, and with a nominal rate that
//! is far off, no digits are lost.

use super::outliers::{Stretch, outlying};

/// An interval is taken in so many stretches, so that some can be left out.
const STRETCHES: f64 = 32.0;
/// More intervals than this are joined in pairs: 68 h at 30 s.
const MAX_INTERVALS: usize = 8192;

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

/// The intervals of one segment while its samples come in. The values are relative to whatever the
/// caller chooses; the last track is the one whose jitter is watched.
#[derive(Debug)]
pub(super) struct Accumulator<const N: usize> {
    length: f64,
    /// The last one is open: without sums as yet.
    intervals: Vec<Interval<N>>,
    /// Its stretches, with its hats and lines: the full ones, and the one that is being filled.
    stretches: Vec<Interval<N>>,
    filling: Interval<N>,
    /// For the samples of `filling`: where it ends, and where its interval does.
    stretch_end: f64,
    end: f64,
    /// One over the interval's length.
    scale: f64,
    /// Slope of the last track's reference line.
    slope_s: f64,
    last: (f64, f64),
}

impl<const N: usize> Accumulator<N> {
    /// With `length` positions between knots, and `slope_s` per position as a first guess.
    pub(super) fn new(length: f64, slope_s: f64) -> Self {
        let first = Interval::new(0.0, length, [(0.0, slope_s * length); N]);
        let mut new = Self {
            length,
            intervals: vec![first],
            stretches: Vec::new(),
            filling: first,
            stretch_end: 0.0,
            end: 0.0,
            scale: 0.0,
            slope_s: 0.0,
            last: (-1.0, 0.0),
        };
        new.open(first);
        new
    }

    fn open(&mut self, interval: Interval<N>) {
        self.filling = interval;
        self.end = interval.start + interval.length;
        self.stretch_end = interval.start + interval.length / STRETCHES;
        self.scale = 1.0 / interval.length;
        self.slope_s = interval.slope(N - 1);
    }

    /// Positions must increase, from 0 or more.
    #[inline]
    pub(super) fn push(&mut self, position: f64, values_s: [f64; N]) {
        if position >= self.stretch_end {
            self.advance(position);
        }
        let open = &mut self.filling;
        let b = (position - open.start) * self.scale;
        let a = 1.0 - b;
        open.count += 1.0;
        open.aa += a * a;
        open.ab += a * b;
        open.bb += b * b;
        for (track, value_s) in open.tracks.iter_mut().zip(values_s) {
            let x = value_s - (track.left_s * a + track.right_s * b);
            track.ra += a * x;
            track.rb += b * x;
            track.xx += x * x;
        }
        if self.last.0 >= 0.0 {
            let step_s = (values_s[N - 1] - self.last.1) - self.slope_s * (position - self.last.0);
            open.jump_s = open.jump_s.max(step_s.abs());
        }
        self.last = (position, values_s[N - 1]);
    }

    /// To the stretch, and where need be the interval, of a position.
    fn advance(&mut self, position: f64) {
        if position >= self.end {
            self.close();
            let Some(closed) = self.intervals.last() else { return };
            // Long enough that there is a sample in it.
            let beyond = (position - self.end) / self.length;
            let length = self.length * (beyond.floor() + 1.0);
            let open = Interval::new(self.end, length, closed.continued(length));
            if self.intervals.len() >= MAX_INTERVALS {
                self.intervals = joined_pairs(&self.intervals);
                self.length *= 2.0;
            }
            self.intervals.push(open);
            self.open(open);
        } else {
            self.keep_stretch();
        }
        let stretch = ((position - self.filling.start) * self.scale * STRETCHES).floor();
        self.stretch_end = self.filling.start + self.filling.length * ((stretch + 1.0) / STRETCHES);
    }

    /// The stretch at hand is full.
    fn keep_stretch(&mut self) {
        if self.filling.count > 0.0 {
            let lines = self.filling.tracks.map(|t| (t.left_s, t.right_s));
            let empty = Interval::new(self.filling.start, self.filling.length, lines);
            self.stretches.push(std::mem::replace(&mut self.filling, empty));
        }
    }

    /// Add the stretches to the open interval, but for outliers.
    fn close(&mut self) {
        self.keep_stretch();
        let Some(open) = self.intervals.last_mut() else { return };
        let out = outlying(&self.stretches.iter().map(Interval::stretch).collect::<Vec<_>>());
        for (stretch, out) in self.stretches.drain(..).zip(out) {
            if !out {
                open.add(&stretch);
            }
            // Outliers are what is to be moved most.
            open.jump_s = open.jump_s.max(stretch.jump_s);
        }
    }

    /// Fits of each track with all knots, then with every second one, and so on to a single line. None
    /// for fewer than two samples.
    pub(super) fn finish(mut self) -> Vec<[Option<Broken>; N]> {
        let last_position = self.last.0;
        if last_position <= 0.0 {
            return Vec::new();
        }
        self.close();
        if let Some(open) = self.intervals.pop() {
            let f = (last_position - open.start) / open.length;
            match self.intervals.pop() {
                // Its only sample is at its left knot.
                Some(mut before) if f <= 0.0 => {
                    before.bb += open.aa;
                    before.count += open.count;
                    before.jump_s = before.jump_s.max(open.jump_s);
                    for (t, o) in before.tracks.iter_mut().zip(open.tracks) {
                        let moved = o.about(open.sums(), o.left_s - t.right_s, 0.0);
                        t.rb += moved.ra;
                        t.xx += moved.xx;
                    }
                    self.intervals.push(before);
                }
                Some(before) if f < 0.5 => self.intervals.push(before.joined(&open.shortened(f))),
                Some(before) => self.intervals.extend([before, open.shortened(f)]),
                None => self.intervals.push(open.shortened(f)),
            }
        }
        let mut fits = Vec::new();
        loop {
            fits.push(std::array::from_fn(|track| solve(&self.intervals, track)));
            if self.intervals.len() < 2 {
                return fits;
            }
            self.intervals = joined_pairs(&self.intervals);
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

    /// The value at a position of interval `j`.
    pub(super) fn at(&self, position: f64, j: usize) -> f64 {
        let u = (position - self.knots[j]) / (self.knots[j + 1] - self.knots[j]);
        self.values_s[j] + u * (self.values_s[j + 1] - self.values_s[j])
    }
}
