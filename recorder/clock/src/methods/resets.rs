//! Where a clock was reset: pyxdf's `_detect_clock_resets`.

use super::RobustOptions;

/// Ranges of offsets between resets, as half-open index ranges in file order. A reset is between two
/// offsets whose times go back, or whose distance in time and in value both stand out. `times_s` and
/// `values_s` are equally long; fewer than two offsets are one range.
pub(crate) fn ranges(
    times_s: &[f64],
    values_s: &[f64],
    options: &RobustOptions,
) -> Vec<std::ops::Range<usize>> {
    if times_s.is_empty() {
        return Vec::new();
    }
    let time_steps = steps(times_s);
    let late = outstanding(&time_steps, options.reset_threshold_stds, options.reset_threshold_s);
    let jumped =
        outstanding(&steps(values_s), options.reset_threshold_offset_stds, options.reset_threshold_offset_s);
    let mut ranges = Vec::new();
    let mut first = 0;
    if options.handle_clock_resets {
        for (i, step_s) in time_steps.iter().enumerate() {
            if *step_s < 0.0 || (late[i] && jumped[i]) {
                ranges.push(first..i + 1);
                first = i + 1;
            }
        }
    }
    ranges.push(first..times_s.len());
    ranges
}

fn steps(values: &[f64]) -> Vec<f64> {
    values.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// pyxdf's `_segment_clock_diff`: farther from the median than `stds` median absolute deviations (not
/// scaled to a normal distribution's sigma) and than `distance_s`.
fn outstanding(steps_s: &[f64], stds: f64, distance_s: f64) -> Vec<bool> {
    let middle_s = median(steps_s);
    let away: Vec<f64> = steps_s.iter().map(|step_s| step_s - middle_s).collect();
    let spread_s = median(&away.iter().map(|a| a.abs()).collect::<Vec<_>>()) + f64::EPSILON;
    away.iter().map(|a| (a / spread_s).abs() > stds && a.abs() > distance_s).collect()
}

/// The median as numpy takes it: mean of the middle two, NaN where a NaN is among the values or there
/// are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    let even = sorted.len().is_multiple_of(2);
    let (below, upper, _) = sorted.select_nth_unstable_by(middle, f64::total_cmp);
    if !even {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + *upper) / 2.0
}
