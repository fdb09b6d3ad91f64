//! Order statistics.

/// The median; NaN for nothing. Reorders.
pub(super) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value with a share `q` of all below it, interpolated; NaN for nothing. Reorders.
pub(super) fn quantile(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let at = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    let (_, &mut value, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    if share == 0.0 {
        return value;
    }
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    value + share * (next - value)
}

/// The `k`-th lowest value, counted from 0 and at most the highest; NaN for nothing. Reorders.
pub(super) fn kth_lowest(values: &mut [f64], k: usize) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let k = k.min(values.len() - 1);
    *values.select_nth_unstable_by(k, f64::total_cmp).1
}
