//! How far a simple method can be off: from what its own points say of it.

use super::median;
use super::points::Point;
use crate::History;
use crate::asymmetry::usual_sigma_s;

/// Bound that the usual asymmetry is reckoned from where no round-trip time is known: a Wi-Fi's.
const UNKNOWN_BOUND_S: f64 = 1e-3;
/// Sigma of a single offset of which nothing more is known.
const UNKNOWN_OFFSET_S: f64 = 1e-3;
/// How many blocks the residuals are averaged in: short enough to follow a clock that wanders within
/// minutes in a recording of an hour, long enough to average the network out.
const BLOCKS: usize = 24;

/// The error figures of a piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Errors {
    pub sigma_s: f64,
    pub asymmetry_sigma_s: f64,
    pub bound_s: f64,
}

impl Errors {
    /// Nothing is known.
    pub(crate) const NONE: Self =
        Self { sigma_s: f64::INFINITY, asymmetry_sigma_s: f64::INFINITY, bound_s: f64::INFINITY };

    /// Those of a curve through the points themselves, but for `sigma_s`, which is 0.
    pub(crate) fn of_path(points: &[Point], history: &History) -> Self {
        let lowest_s = points.iter().filter_map(|p| p.round_trip_s).reduce(f64::min);
        let known = history.known_asymmetry_s.filter(|b| b.is_finite());
        // Even a known asymmetry leaves the truth where the round trip confines it: around the offset
        // as measured.
        let bound_s = lowest_s.map_or(f64::INFINITY, |lowest_s| {
            0.5 * (lowest_s.max(0.0) + history.reading.resolution_s) + known.unwrap_or(0.0).abs()
        });
        let path_s = if bound_s.is_finite() { bound_s } else { UNKNOWN_BOUND_S };
        let asymmetry_sigma_s = usual_sigma_s(path_s, known.is_some(), 0.0);
        Self { sigma_s: 0.0, asymmetry_sigma_s, bound_s }
    }

    /// Those of a straight line past points: `residuals_s[i]` is what is measured at `points[i]` minus
    /// the line. The clock wanders about the line, the network adds to what is measured: the points
    /// with the lower round trips tell the two apart best, and means over blocks of them, for the
    /// residuals of a wandering clock are alike for minutes.
    pub(crate) fn of_line(points: &[Point], residuals_s: &[f64], history: &History) -> Self {
        let path = Self::of_path(points, history);
        let trips: Vec<f64> = points.iter().filter_map(|p| p.round_trip_s).collect();
        let limit_s = if trips.len() == points.len() { median(&trips) } else { f64::INFINITY };
        let trusted: Vec<(f64, f64)> = points
            .iter()
            .zip(residuals_s)
            .filter(|(p, _)| p.round_trip_s.is_none_or(|trip_s| trip_s <= limit_s))
            .map(|(p, r)| (*r, p.round_trip_s.unwrap_or(f64::INFINITY).max(0.0)))
            .collect();
        let values: Vec<f64> = trusted.iter().map(|(r, _)| *r).collect();
        let farthest_s = trusted.iter().map(|(r, trip_s)| r.abs() + 0.5 * trip_s).fold(0.0, f64::max);
        let bound_s = path.bound_s.max(farthest_s + 0.5 * history.reading.resolution_s);
        Self { sigma_s: scatter_s(&values, path.bound_s), bound_s, ..path }
    }
}

/// Sigma of a line's error, from residuals in order of time.
fn scatter_s(residuals_s: &[f64], bound_s: f64) -> f64 {
    let n = residuals_s.len();
    if n < 3 {
        // Too few to contradict the line.
        let one_s = if bound_s.is_finite() { 0.5 * bound_s } else { UNKNOWN_OFFSET_S };
        return residuals_s.iter().fold(one_s, |sigma_s, r| sigma_s.max(r.abs()));
    }
    let length = n.div_ceil(BLOCKS);
    let (mut squares, mut noise) = (0.0, 0.0);
    let mut blocks = 0.0;
    for block in residuals_s.chunks(length) {
        let middle_s = median(block);
        squares += middle_s * middle_s;
        if block.len() > 3 {
            let deviations: Vec<f64> = block.iter().map(|r| (r - middle_s).abs()).collect();
            let sigma_s = 1.4826 * median(&deviations);
            // Variance of a median of normal values.
            noise += 1.571 * sigma_s * sigma_s / block.len() as f64;
        }
        blocks += 1.0;
    }
    // What the network alone would do to the blocks is not an error of the line; two parameters'
    // worth of it is.
    let wander_s2 = ((squares - noise) / blocks).max(0.0) + 2.0 * noise / (blocks * blocks);
    wander_s2.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(n: usize, round_trip_s: Option<f64>) -> Vec<Point> {
        (0..n).map(|i| Point { device_s: i as f64 * 5.0, offset_s: 0.0, round_trip_s }).collect()
    }

    /// Deterministic noise of sigma about 1.
    fn noise(i: usize) -> f64 {
        let hash = |k: usize| (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) % 1000;
        (0..12).map(|j| hash(i * 13 + j) as f64 / 1000.0).sum::<f64>() - 6.0
    }

    #[test]
    fn wander_is_not_averaged_away_but_noise_is() {
        let n = 720;
        let wander: Vec<f64> =
            (0..n).map(|i| 1e-3 * (i as f64 / 720.0 * 6.0).sin() + 1e-4 * noise(i)).collect();
        let got = Errors::of_line(&points(n, Some(0.001)), &wander, &History::default());
        assert!((0.6e-3..0.85e-3).contains(&got.sigma_s), "{got:?}");
        let still: Vec<f64> = (0..n).map(|i| 1e-4 * noise(i)).collect();
        let got = Errors::of_line(&points(n, Some(0.001)), &still, &History::default());
        assert!(got.sigma_s < 0.2e-4, "{got:?}");
    }

    #[test]
    fn the_bound_has_the_largest_residual_and_is_infinite_without_round_trips() {
        let mut residuals = vec![0.0; 10];
        residuals[3] = -0.004;
        let got = Errors::of_line(&points(10, Some(0.002)), &residuals, &History::default());
        assert!((got.bound_s - 0.005).abs() < 1e-12, "{got:?}");
        assert!((got.asymmetry_sigma_s - 0.0004).abs() < 1e-12);
        let blind = Errors::of_line(&points(10, None), &residuals, &History::default());
        assert!(blind.bound_s.is_infinite() && blind.asymmetry_sigma_s > 0.0);
    }

    #[test]
    fn one_point_says_what_its_round_trip_allows() {
        let got = Errors::of_line(&points(1, Some(0.002)), &[0.0], &History::default());
        assert_eq!(got.sigma_s, 0.0005);
    }
}
