//! The intervals of a broken line while the samples come in.

use super::super::outliers::outlying;
use super::sums::{Against, Sums, part, values_s};
use super::{Broken, Column, Interval, below, joined_pairs, solve};

/// An interval is taken in so many stretches, so that some can be left out.
const STRETCHES: f64 = 32.0;
/// More intervals than this are joined in pairs: 68 h at 30 s.
const MAX_INTERVALS: usize = 8192;

/// The intervals of one segment while its samples come in. The values are relative to whatever the
/// caller chooses; the last track is the one whose jitter is watched.
#[derive(Debug)]
pub(in crate::dejitter) struct Accumulator<const N: usize> {
    length: f64,
    /// The last one is open: without sums as yet.
    intervals: Vec<Interval<N>>,
    /// Its stretches, with its hats and lines: the full ones, and the one that is being filled.
    stretches: Vec<Interval<N>>,
    filling: Sums<N>,
    against: Against<N>,
    /// Where `filling` ends, and where its interval does.
    stretch_end: f64,
    end: f64,
    last: (f64, f64),
}

impl<const N: usize> Accumulator<N> {
    /// With `length` positions between knots, and `slope_s` per position as a first guess.
    pub(in crate::dejitter) fn new(length: f64, slope_s: f64) -> Self {
        let first = Interval::new(0.0, length, [(0.0, slope_s * length); N]);
        let mut new = Self {
            length,
            intervals: vec![first],
            stretches: Vec::new(),
            filling: Sums::EMPTY,
            against: against(&first),
            stretch_end: 0.0,
            end: 0.0,
            last: (-1.0, 0.0),
        };
        new.open(first);
        new
    }

    fn open(&mut self, interval: Interval<N>) {
        self.filling = Sums::EMPTY;
        self.against = against(&interval);
        self.end = interval.start + interval.length;
        self.stretch_end = interval.start + interval.length / STRETCHES;
    }

    /// Positions must increase, from 0 or more.
    #[inline]
    pub(in crate::dejitter) fn push(&mut self, position: f64, values_s: [f64; N]) {
        if position >= self.stretch_end {
            self.advance(position);
        }
        self.filling.add(&self.against, position, values_s);
        if self.last.0 >= 0.0 {
            let step_s = (values_s[N - 1] - self.last.1) - self.against.slope_s * (position - self.last.0);
            self.filling.jump(step_s);
        }
        self.last = (position, values_s[N - 1]);
    }

    /// Samples at one position after the other, from `position` on: as if each was pushed, faster. The
    /// columns are equally long.
    pub(in crate::dejitter) fn push_all(&mut self, position: f64, columns: &[Column<'_>; N]) {
        let count = columns.first().map_or(0, |column| column.values_s.len());
        let mut at = 0;
        while at < count {
            // The first of a stretch leads to it; its step is from whatever was before.
            self.push(position + at as f64, values_s(columns, at));
            let next = position + (at + 1) as f64;
            let more = below(self.stretch_end, next, count - at - 1);
            let end = at + 1 + more;
            self.filling.add_all(&self.against, next, &part(columns, at + 1..end));
            self.filling.add_jumps(self.against.slope_s, &part(columns, at..end)[N - 1]);
            self.last = (position + (end - 1) as f64, values_s(columns, end - 1)[N - 1]);
            at = end;
        }
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
        let Against { start, length, scale, .. } = self.against;
        let stretch = ((position - start) * scale * STRETCHES).floor();
        self.stretch_end = start + length * ((stretch + 1.0) / STRETCHES);
    }

    /// The stretch at hand is full.
    fn keep_stretch(&mut self) {
        if !self.filling.is_empty() {
            self.stretches.push(self.filling.interval(&self.against));
            self.filling = Sums::EMPTY;
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
    pub(in crate::dejitter) fn finish(mut self) -> Vec<[Option<Broken>; N]> {
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

fn against<const N: usize>(interval: &Interval<N>) -> Against<N> {
    Against {
        start: interval.start,
        length: interval.length,
        scale: 1.0 / interval.length,
        lines_s: interval.tracks.map(|track| (track.left_s, track.right_s)),
        slope_s: interval.slope(N - 1),
    }
}
