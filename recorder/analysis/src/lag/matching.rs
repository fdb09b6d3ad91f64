//! Which events of two streams belong together.
//!
//! **The constant lag.** Of all pairs whose difference is within the window, those that belong together
//! agree on one difference, all others are spread. For windows of rising width the place that holds most
//! differences is found; the width is taken where that number stands out most from what chance puts
//! there (in standard deviations of a Poisson count). The lag is the median of what lies there.
//!
//! **The pairs.** Among all ways to match one to one, in order, and within the tolerance, the one with
//! the highest sum of `1 - (residual / tolerance)^2`: a match is always worth something, and a good one
//! more than two bad ones. This is exact, by dynamic programming over each group of events that compete.
//!
//! **The tolerance** is six robust sigmas of the pairs, at least [`MIN_TOLERANCE_S`] (more than a frame
//! at 60 Hz, so that a frame that came late is a late frame and not a missed one), at most 0.4 of the
//! median interval between events. The lag may drift (a clock that was not synchronized): a line
//! through the pairs is refined together with the tolerance.

use super::stats::{median, robust_sigma};

/// A pair may be at least this far from the usual lag.
pub(super) const MIN_TOLERANCE_S: f64 = 0.02;

/// Differences that are looked at; of more events than give these, a regular part votes.
const MAX_DIFFERENCES: usize = 4_000_000;

/// Cells of the table of one group of competing events; beyond that it is cut.
const MAX_CELLS: usize = 1 << 24;

/// What was matched.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matched {
    /// Indices of pairs, both rising.
    pub(super) pairs: Vec<(usize, usize)>,
    pub(super) tolerance_s: f64,
    pub(super) remarks: Vec<String>,
}

/// The usual lag as a function of the event's time.
#[derive(Debug, Clone, Copy)]
struct Line {
    reference_s: f64,
    lag_s: f64,
    slope: f64,
}

impl Line {
    fn at(&self, time_s: f64) -> f64 {
        self.lag_s + self.slope * (time_s - self.reference_s)
    }
}

/// Match two rising lists of times for lags (`against - events`) within the window.
pub(super) fn run(
    events_s: &[f64],
    against_s: &[f64],
    window_s: (f64, f64),
    tolerance_s: Option<f64>,
) -> Matched {
    let mut remarks = Vec::new();
    let differences = differences(events_s, against_s, window_s);
    let Some(peak) = peak(&differences, window_s, &[]) else {
        return Matched { pairs: Vec::new(), tolerance_s: tolerance_s.unwrap_or(MIN_TOLERANCE_S), remarks };
    };
    let spacing_s = spacing(events_s).min(spacing(against_s));
    // Events that come in pairs have no interval to speak of.
    let most_s = (0.4 * spacing_s).max(peak.width_s);
    let mut tolerance = tolerance_s.unwrap_or_else(|| (2.0 * peak.width_s).max(MIN_TOLERANCE_S).min(most_s));
    let mut line = Line { reference_s: middle(events_s), lag_s: peak.lag_s, slope: 0.0 };
    let mut pairs = matches(events_s, against_s, line, tolerance);
    for _ in 0..4 {
        let Some((refined, sigma_s)) = refine(events_s, against_s, &pairs, line) else { break };
        line = refined;
        if tolerance_s.is_none() {
            tolerance = (6.0 * sigma_s).max(MIN_TOLERANCE_S).min(most_s);
        }
        let again = matches(events_s, against_s, line, tolerance);
        if again == pairs {
            break;
        }
        pairs = again;
    }
    if let Some(other) = peak_beside(&differences, window_s, peak)
        && other.count as f64 > 0.8 * peak.count as f64
    {
        remarks.push(format!(
            "a lag of {:.1} ms fits nearly as well ({} pairs against {}): narrow the window to the one that can be",
            1e3 * other.lag_s,
            other.count,
            peak.count
        ));
    }
    Matched { pairs, tolerance_s: tolerance, remarks }
}

fn middle(times_s: &[f64]) -> f64 {
    times_s.get(times_s.len() / 2).copied().unwrap_or(0.0)
}

/// Median interval.
fn spacing(times_s: &[f64]) -> f64 {
    let intervals: Vec<f64> = times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    median(&intervals).unwrap_or(f64::INFINITY)
}

/// All differences within the window, rising; of a regular part of the events where there are too many.
fn differences(events_s: &[f64], against_s: &[f64], (from_s, to_s): (f64, f64)) -> Vec<f64> {
    let of = |event_s: f64| {
        let first = against_s.partition_point(|&other_s| other_s - event_s < from_s);
        let end = against_s.partition_point(|&other_s| other_s - event_s <= to_s);
        first..end.max(first)
    };
    let all: usize = events_s.iter().map(|&event_s| of(event_s).len()).sum();
    let step = all.div_ceil(MAX_DIFFERENCES).max(1);
    let mut out = Vec::with_capacity(all / step);
    for &event_s in events_s.iter().step_by(step) {
        out.extend(against_s[of(event_s)].iter().map(|other_s| other_s - event_s));
    }
    out.sort_unstable_by(f64::total_cmp);
    out
}

/// Where differences agree.
#[derive(Debug, Clone, Copy)]
struct Peak {
    lag_s: f64,
    width_s: f64,
    count: usize,
}

/// The peak that stands out most, outside of the stretches to leave out.
fn peak(differences: &[f64], (from_s, to_s): (f64, f64), leave_out: &[(f64, f64)]) -> Option<Peak> {
    let span_s = to_s - from_s;
    let mut best: Option<(f64, Peak)> = None;
    let mut width_s = (span_s * 1e-5).max(20e-6);
    while width_s < 0.5 * span_s {
        if let Some((first, count)) = fullest(differences, width_s, leave_out) {
            let chance = differences.len() as f64 * width_s / span_s;
            let score = (count as f64 - chance) / (chance + 1.0).sqrt();
            if best.is_none_or(|(so_far, _)| score > so_far) {
                let lag_s = median(&differences[first..first + count])?;
                best = Some((score, Peak { lag_s, width_s, count }));
            }
        }
        width_s *= std::f64::consts::SQRT_2;
    }
    best.map(|(_, peak)| peak)
}

/// The next best peak of the same width elsewhere.
fn peak_beside(differences: &[f64], window_s: (f64, f64), peak_s: Peak) -> Option<Peak> {
    let out = (peak_s.lag_s - 2.0 * peak_s.width_s, peak_s.lag_s + 2.0 * peak_s.width_s);
    let (first, count) = fullest(differences, peak_s.width_s, &[out])?;
    let lag_s = median(&differences[first..first + count])?;
    (window_s.0..=window_s.1).contains(&lag_s).then_some(Peak { lag_s, width_s: peak_s.width_s, count })
}

/// First index and count of the fullest stretch of a width.
fn fullest(differences: &[f64], width_s: f64, leave_out: &[(f64, f64)]) -> Option<(usize, usize)> {
    let mut best: Option<(usize, usize)> = None;
    let mut first = 0;
    for end in 1..=differences.len() {
        while differences[end - 1] - differences[first] > width_s {
            first += 1;
        }
        let count = end - first;
        let outside =
            |&(from_s, to_s): &(f64, f64)| differences[end - 1] < from_s || differences[first] > to_s;
        if best.is_none_or(|(_, most)| count > most) && leave_out.iter().all(outside) {
            best = Some((first, count));
        }
    }
    best
}

/// The line through the pairs and the robust sigma about it. A slope only with enough pairs to tell it
/// from noise.
fn refine(events_s: &[f64], against_s: &[f64], pairs: &[(usize, usize)], line: Line) -> Option<(Line, f64)> {
    const MIN_PAIRS_FOR_SLOPE: usize = 20;
    let lags_s: Vec<f64> = pairs.iter().map(|&(i, j)| against_s[j] - events_s[i]).collect();
    let mut line = line;
    if pairs.len() < MIN_PAIRS_FOR_SLOPE {
        line.lag_s = median(&lags_s)?;
        line.slope = 0.0;
    } else {
        // Medians of the first and the last third: robust, and enough for a tolerance.
        let third = pairs.len() / 3;
        let at = |range: std::ops::Range<usize>| {
            let times_s: Vec<f64> = pairs[range.clone()].iter().map(|&(i, _)| events_s[i]).collect();
            Some((median(&times_s)?, median(&lags_s[range])?))
        };
        let (early, late) = (at(0..third)?, at(pairs.len() - third..pairs.len())?);
        let span_s = late.0 - early.0;
        line.slope = if span_s > 0.0 { (late.1 - early.1) / span_s } else { 0.0 };
        line.reference_s = early.0;
        line.lag_s = early.1;
        let rest: Vec<f64> =
            pairs.iter().zip(&lags_s).map(|(&(i, _), lag_s)| lag_s - line.at(events_s[i])).collect();
        line.lag_s += median(&rest)?;
    }
    let rest: Vec<f64> =
        pairs.iter().zip(&lags_s).map(|(&(i, _), lag_s)| lag_s - line.at(events_s[i])).collect();
    Some((line, robust_sigma(&rest)?))
}

/// The best matching in order.
fn matches(events_s: &[f64], against_s: &[f64], line: Line, tolerance_s: f64) -> Vec<(usize, usize)> {
    let expected_s = |event: usize| events_s[event] + line.at(events_s[event]);
    let mut pairs = Vec::new();
    let (mut event, mut other) = (0, 0);
    while event < events_s.len() && other < against_s.len() {
        if against_s[other] < expected_s(event) - tolerance_s {
            other += 1;
            continue;
        }
        if against_s[other] > expected_s(event) + tolerance_s {
            event += 1;
            continue;
        }
        // A group: all that compete, directly or through others.
        let (mut event_end, mut other_end) = (event + 1, other + 1);
        loop {
            let before = (event_end, other_end);
            while other_end < against_s.len()
                && against_s[other_end] <= expected_s(event_end - 1) + tolerance_s
                && cells(event, event_end, other, other_end + 1) <= MAX_CELLS
            {
                other_end += 1;
            }
            while event_end < events_s.len()
                && expected_s(event_end) - tolerance_s <= against_s[other_end - 1]
                && cells(event, event_end + 1, other, other_end) <= MAX_CELLS
            {
                event_end += 1;
            }
            if before == (event_end, other_end) {
                break;
            }
        }
        let worth = |i: usize, j: usize| {
            let residual = (against_s[other + j] - expected_s(event + i)) / tolerance_s;
            1.0 - residual * residual
        };
        let group = align(event_end - event, other_end - other, &worth);
        pairs.extend(group.into_iter().map(|(i, j)| (event + i, other + j)));
        (event, other) = (event_end, other_end);
    }
    pairs
}

fn cells(event: usize, event_end: usize, other: usize, other_end: usize) -> usize {
    (event_end - event + 1).saturating_mul(other_end - other + 1)
}

/// The matching in order with the highest sum of worths; pairs of negative worth are none.
fn align(rows: usize, columns: usize, worth: &dyn Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    if rows == 1 && columns == 1 {
        return if worth(0, 0) >= 0.0 { vec![(0, 0)] } else { Vec::new() };
    }
    let width = columns + 1;
    // best[i * width + j]: the highest sum of the first i and the first j.
    let mut best = vec![0.0f64; (rows + 1) * width];
    for i in 1..=rows {
        for j in 1..=columns {
            let skipped = best[(i - 1) * width + j].max(best[i * width + j - 1]);
            let worth = worth(i - 1, j - 1);
            let matched =
                if worth >= 0.0 { best[(i - 1) * width + j - 1] + worth } else { f64::NEG_INFINITY };
            best[i * width + j] = skipped.max(matched);
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (rows, columns);
    while i > 0 && j > 0 {
        let here = best[i * width + j];
        if best[(i - 1) * width + j] >= here {
            i -= 1;
        } else if best[i * width + j - 1] >= here {
            j -= 1;
        } else {
            pairs.push((i - 1, j - 1));
            (i, j) = (i - 1, j - 1);
        }
    }
    pairs.reverse();
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_lost_and_one_added_move_nothing() {
        let events_s: Vec<f64> = (0..30).map(f64::from).collect();
        let mut against_s: Vec<f64> = events_s.iter().map(|t| t + 0.1 + 1e-3 * (t * 7.0).sin()).collect();
        against_s.remove(7);
        against_s.insert(12, 12.85);
        against_s.sort_by(f64::total_cmp);
        let matched = run(&events_s, &against_s, (-0.5, 0.5), None);
        assert_eq!(matched.pairs.len(), 29);
        assert!(matched.pairs.iter().all(|&(i, j)| (against_s[j] - events_s[i] - 0.1).abs() < 2e-3));
        assert_eq!(matched.tolerance_s, MIN_TOLERANCE_S);
        assert!(matched.remarks.is_empty(), "{:?}", matched.remarks);
    }

    #[test]
    fn a_drifting_lag_is_followed() {
        // 400 ppm over 600 s: 240 ms.
        let events_s: Vec<f64> = (0..600).map(f64::from).collect();
        let against_s: Vec<f64> = events_s.iter().map(|t| t - 0.1 + 4e-4 * t).collect();
        let matched = run(&events_s, &against_s, (-0.5, 0.5), None);
        assert_eq!(matched.pairs.len(), 600);
        assert!(matched.pairs.iter().all(|(i, j)| i == j));
    }

    #[test]
    fn two_lags_that_fit_alike_are_told() {
        let events_s: Vec<f64> = (0..100).map(|i| 0.3 * f64::from(i)).collect();
        let against_s: Vec<f64> = events_s.iter().map(|t| t + 0.02).collect();
        let matched = run(&events_s, &against_s, (-0.5, 0.5), None);
        assert_eq!(matched.pairs.len(), 100, "the lag with most pairs");
        assert_eq!(matched.remarks.len(), 1, "{:?}", matched.remarks);
        assert!(run(&events_s, &against_s, (-0.1, 0.1), None).remarks.is_empty());
    }

    #[test]
    fn nothing_matches_nothing() {
        for (a, b) in [(&[][..], &[][..]), (&[1.0][..], &[][..]), (&[1.0][..], &[9.0][..])] {
            assert!(run(a, b, (-0.5, 0.5), None).pairs.is_empty());
        }
        assert_eq!(run(&[1.0], &[1.1], (-0.5, 0.5), None).pairs, [(0, 0)]);
    }

    /// All matchings, one by one.
    fn brute(rows: usize, columns: usize, worth: &dyn Fn(usize, usize) -> f64) -> f64 {
        fn go(i: usize, j: usize, r: usize, c: usize, worth: &dyn Fn(usize, usize) -> f64) -> f64 {
            if i == r || j == c {
                return 0.0;
            }
            let skipped = go(i + 1, j, r, c, worth).max(go(i, j + 1, r, c, worth));
            if worth(i, j) >= 0.0 {
                skipped.max(worth(i, j) + go(i + 1, j + 1, r, c, worth))
            } else {
                skipped
            }
        }
        go(0, 0, rows, columns, worth)
    }

    proptest! {
        #[test]
        fn the_alignment_is_the_best_there_is(
            rows in 1usize..6, columns in 1usize..6,
            worths in proptest::collection::vec(-1.0f64..1.0, 36),
        ) {
            let worth = |i: usize, j: usize| worths[i * 6 + j];
            let pairs = align(rows, columns, &worth);
            prop_assert!(pairs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
            let sum: f64 = pairs.iter().map(|&(i, j)| worth(i, j)).sum();
            prop_assert!((sum - brute(rows, columns, &worth)).abs() < 1e-12);
        }

        #[test]
        fn pairs_are_one_to_one_and_within_the_tolerance(
            mut events_s in proptest::collection::vec(0.0f64..20.0, 0..60),
            mut against_s in proptest::collection::vec(0.0f64..20.0, 0..60),
        ) {
            events_s.sort_by(f64::total_cmp);
            against_s.sort_by(f64::total_cmp);
            let matched = run(&events_s, &against_s, (-1.0, 1.0), Some(0.05));
            prop_assert!(matched.pairs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        }
    }
}
