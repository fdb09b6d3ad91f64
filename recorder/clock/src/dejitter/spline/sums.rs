//! Sums over the samples of one stretch, four samples side by side.
//!
//! A sample's lane is its place in the stretch, so that the sums come out the same to the last bit in
//! whatever blocks the samples are given.

use super::{Interval, Track};

/// Samples that are added at once: one each to so many sums.
const LANES: usize = 4;

type Lanes = [f64; LANES];

/// Some samples of one quantity: `values_s`, to which a shift is added before the reference is taken off.
#[derive(Debug, Clone, Copy)]
pub(in crate::dejitter) struct Column<'a> {
    pub values_s: &'a [f64],
    pub shift_s: f64,
    pub reference_s: f64,
}

/// The sums of one stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums<const N: usize> {
    count: usize,
    aa: Lanes,
    ab: Lanes,
    bb: Lanes,
    tracks: [TrackSums; N],
    jumps_s: Lanes,
}

#[derive(Debug, Clone, Copy, Default)]
struct TrackSums {
    ra: Lanes,
    rb: Lanes,
    xx: Lanes,
}

/// What the samples are held against: an interval's start and length, one over that, its lines, and the
/// slope of the last one per position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Against<const N: usize> {
    pub start: f64,
    pub length: f64,
    pub scale: f64,
    pub lines_s: [(f64, f64); N],
    pub slope_s: f64,
}

impl Column<'_> {
    #[inline]
    fn value_s(&self, index: usize) -> f64 {
        (self.values_s[index] + self.shift_s) - self.reference_s
    }

    fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self { values_s: &self.values_s[range], ..*self }
    }
}

/// The same part of each column.
pub(super) fn part<'a, const N: usize>(
    columns: &[Column<'a>; N],
    range: std::ops::Range<usize>,
) -> [Column<'a>; N] {
    std::array::from_fn(|track| columns[track].part(range.clone()))
}

/// The values of one sample.
pub(super) fn values_s<const N: usize>(columns: &[Column<'_>; N], index: usize) -> [f64; N] {
    std::array::from_fn(|track| columns[track].value_s(index))
}

fn total(lanes: Lanes) -> f64 {
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

impl<const N: usize> Sums<N> {
    pub(super) const EMPTY: Self = {
        let zero = [0.0; LANES];
        let track = TrackSums { ra: zero, rb: zero, xx: zero };
        Self { count: 0, aa: zero, ab: zero, bb: zero, tracks: [track; N], jumps_s: zero }
    };

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// As the sums of an interval.
    pub(super) fn interval(&self, against: &Against<N>) -> Interval<N> {
        let mut interval = Interval::new(against.start, against.length, against.lines_s);
        interval.count = self.count as f64;
        (interval.aa, interval.ab, interval.bb) = (total(self.aa), total(self.ab), total(self.bb));
        for (track, sums) in interval.tracks.iter_mut().zip(&self.tracks) {
            let (ra, rb, xx) = (total(sums.ra), total(sums.rb), total(sums.xx));
            *track = Track { ra, rb, xx, ..*track };
        }
        interval.jump_s = self.jumps_s.into_iter().fold(0.0, f64::max);
        interval
    }

    /// Adds one sample.
    #[inline]
    pub(super) fn add(&mut self, against: &Against<N>, position: f64, values_s: [f64; N]) {
        let lane = self.count % LANES;
        let b = (position - against.start) * against.scale;
        let a = 1.0 - b;
        self.aa[lane] += a * a;
        self.ab[lane] += a * b;
        self.bb[lane] += b * b;
        for ((track, (left_s, right_s)), value_s) in self.tracks.iter_mut().zip(against.lines_s).zip(values_s)
        {
            let x = value_s - (left_s * a + right_s * b);
            track.ra[lane] += a * x;
            track.rb[lane] += b * x;
            track.xx[lane] += x * x;
        }
        self.count += 1;
    }

    /// A step between neighbouring samples, relative to the line.
    #[inline]
    pub(super) fn jump(&mut self, step_s: f64) {
        let largest_s = &mut self.jumps_s[0];
        *largest_s = largest_s.max(step_s.abs());
    }

    /// Adds samples at one position after the other, from `position` on.
    pub(super) fn add_all(&mut self, against: &Against<N>, position: f64, columns: &[Column<'_>; N]) {
        let count = columns.first().map_or(0, |column| column.values_s.len());
        let mut at = 0;
        // To the first lane.
        while at < count && !self.count.is_multiple_of(LANES) {
            self.add(against, position + at as f64, values_s(columns, at));
            at += 1;
        }
        let rows = (count - at) / LANES;
        self.add_rows(against, position + at as f64, &part(columns, at..at + rows * LANES));
        for at in at + rows * LANES..count {
            self.add(against, position + at as f64, values_s(columns, at));
        }
    }

    /// The same for samples whose first one's lane is the first, and their last one's the last. What [`add`]
    /// computes, operation by operation.
    ///
    /// [`add`]: Self::add
    #[allow(clippy::needless_range_loop, reason = "an index into the rows of all tracks")]
    fn add_rows(&mut self, against: &Against<N>, position: f64, columns: &[Column<'_>; N]) {
        let Against { start, scale, lines_s, .. } = *against;
        let mut sums = *self;
        let mut positions: Lanes = std::array::from_fn(|lane| position + lane as f64);
        let rows = columns.map(|column| column.values_s.as_chunks::<LANES>().0);
        let count = rows.first().map_or(0, |rows| rows.len());
        for row in 0..count {
            let b = positions.map(|position| (position - start) * scale);
            let a = b.map(|b| 1.0 - b);
            for lane in 0..LANES {
                sums.aa[lane] += a[lane] * a[lane];
                sums.ab[lane] += a[lane] * b[lane];
                sums.bb[lane] += b[lane] * b[lane];
                positions[lane] += LANES as f64;
            }
            for track in 0..N {
                let (values_s, column, line) = (rows[track][row], &columns[track], lines_s[track]);
                let sums = &mut sums.tracks[track];
                for lane in 0..LANES {
                    let value_s = (values_s[lane] + column.shift_s) - column.reference_s;
                    let x = value_s - (line.0 * a[lane] + line.1 * b[lane]);
                    sums.ra[lane] += a[lane] * x;
                    sums.rb[lane] += b[lane] * x;
                    sums.xx[lane] += x * x;
                }
            }
        }
        sums.count += count * LANES;
        *self = sums;
    }

    /// Adds the steps between samples that are one position apart.
    pub(super) fn add_jumps(&mut self, slope_s: f64, column: &Column<'_>) {
        let Column { values_s, shift_s, reference_s } = *column;
        let Some((_, after)) = values_s.split_first() else { return };
        let step_s = |before: f64, after: f64| {
            let value_s = |value: f64| (value + shift_s) - reference_s;
            ((value_s(after) - value_s(before)) - slope_s).abs()
        };
        let mut largest_s = self.jumps_s;
        let (afters, rest) = after.as_chunks::<LANES>();
        let (befores, _) = values_s.as_chunks::<LANES>();
        for (before, after) in befores.iter().zip(afters) {
            for lane in 0..LANES {
                let step_s = step_s(before[lane], after[lane]);
                // Not `f64::max`, which takes longer for the sake of what is no number.
                largest_s[lane] = if step_s > largest_s[lane] { step_s } else { largest_s[lane] };
            }
        }
        self.jumps_s = largest_s;
        let done = afters.len() * LANES;
        for (before, after) in values_s[done..].iter().zip(rest) {
            self.jump(step_s(*before, *after));
        }
    }
}
