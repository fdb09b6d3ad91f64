//! How fast a count grows.

use std::collections::VecDeque;

/// Rates are taken over this time.
pub const RATE_WINDOW_S: f64 = 10.0;
/// Rates are unknown before they can be taken over this time.
const SHORTEST_WINDOW_S: f64 = 1.0;

/// The rate of a growing count over its last seconds, taken between
/// the instants at which it grew, so that a pause shorter than the window shows
/// as age and not as a lower rate.
#[derive(Debug)]
pub struct RateMeter {
    window_s: f64,
    points: VecDeque<(f64, u64)>,
}

impl Default for RateMeter {
    fn default() -> Self {
        Self::over(RATE_WINDOW_S)
    }
}

impl RateMeter {
    /// A meter over the last `window_s` seconds.
    pub fn over(window_s: f64) -> Self {
        Self { window_s, points: VecDeque::new() }
    }

    /// A meter for a stream of this nominal rate: at least ten samples are in its window.
    pub fn of_stream(nominal_rate_hz: f64) -> Self {
        let interval_s = if nominal_rate_hz > 0.0 { 1.0 / nominal_rate_hz } else { 0.0 };
        Self::over(RATE_WINDOW_S.max(10.0 * interval_s))
    }

    /// At time `at_s` the count is `count`, as of `grown_s`; its rate a second,
    /// or `None` while it is not known.
    pub fn update(&mut self, at_s: f64, grown_s: f64, count: u64) -> Option<f64> {
        if self.points.back().is_none_or(|p| grown_s > p.0) {
            self.points.push_back((grown_s, count));
        }
        // Keep one point that is older than the window.
        while self.points.get(1).is_some_and(|p| at_s - p.0 >= self.window_s) {
            self.points.pop_front();
        }
        let ((from_s, from), (to_s, to)) = (*self.points.front()?, *self.points.back()?);
        if at_s - to_s > self.window_s {
            return Some(0.0);
        }
        let span_s = to_s - from_s;
        (span_s >= SHORTEST_WINDOW_S).then(|| to.saturating_sub(from) as f64 / span_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_unknown_then_right_then_follows_the_last_ten_seconds() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.update(100.0, 100.0, 0), None);
        assert_eq!(meter.update(100.5, 100.5, 50), None);
        assert_eq!(meter.update(101.1, 101.0, 100), Some(100.0));
        assert_eq!(meter.update(105.0, 101.0, 100), Some(100.0), "a pause is told by its age");
        assert_eq!(meter.update(111.5, 101.0, 100), Some(0.0), "nothing came for more than ten seconds");
        meter.update(112.0, 112.0, 200);
        assert_eq!(meter.update(114.0, 114.0, 400), Some(300.0 / 13.0));
    }
}
