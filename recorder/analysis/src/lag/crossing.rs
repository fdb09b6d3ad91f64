//! Edges of a signal.

use super::level::Levels;

/// Which way a signal goes through the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edge {
    /// From below to above.
    #[default]
    Rising,
    /// From above to below.
    Falling,
    /// Either.
    Both,
}

/// Finds where a signal goes through a threshold.
///
/// An edge counts once the signal has come from beyond one side of the hysteresis to beyond the other.
/// Its time is that of the last way through the threshold before, interpolated between both samples.
#[derive(Debug)]
pub(super) struct Crossing {
    threshold: f64,
    low: f64,
    high: f64,
    edge: Edge,
    longest_s: f64,
    /// Beyond the high side, beyond the low side, or not known yet.
    is_high: Option<bool>,
    last: Option<(f64, f64)>,
    /// The last way through: time, and whether it was too long for one.
    through: Option<(f64, bool)>,
    /// Edges that were left out, because they lie between samples too far apart.
    pub(super) in_gaps: u64,
}

impl Crossing {
    pub(super) fn new(levels: &Levels, edge: Edge, longest_s: f64) -> Self {
        Self {
            threshold: levels.threshold,
            low: levels.threshold - levels.hysteresis,
            high: levels.threshold + levels.hysteresis,
            edge,
            longest_s,
            is_high: None,
            last: None,
            through: None,
            in_gaps: 0,
        }
    }

    /// The next sample; the time of the edge that is certain with it.
    pub(super) fn push(&mut self, time_s: f64, value: f64) -> Option<f64> {
        if !value.is_finite() || !time_s.is_finite() {
            return None;
        }
        if let Some((last_s, last)) = self.last.replace((time_s, value))
            && (last >= self.threshold) != (value >= self.threshold)
        {
            let share = (self.threshold - last) / (value - last);
            let interval_s = time_s - last_s;
            self.through = Some((last_s + share * interval_s, interval_s > self.longest_s));
        }
        // A signal with two levels and no hysteresis lies on the threshold at the most.
        let now_high = if value >= self.high && value >= self.threshold {
            true
        } else if value <= self.low && value < self.threshold {
            false
        } else {
            return None;
        };
        let was_high = self.is_high.replace(now_high);
        if was_high.is_none_or(|was_high| was_high == now_high) {
            return None;
        }
        let (through_s, too_long) = self.through.take()?;
        let counts = match self.edge {
            Edge::Rising => now_high,
            Edge::Falling => !now_high,
            Edge::Both => true,
        };
        if counts && too_long {
            self.in_gaps += 1;
        }
        (counts && !too_long).then_some(through_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(values: &[f64], edge: Edge) -> Vec<f64> {
        let levels = Levels { threshold: 0.5, hysteresis: 0.2, low: 0.0, high: 1.0, how: String::new() };
        let mut crossing = Crossing::new(&levels, edge, 5.0);
        (0u32..).zip(values).filter_map(|(i, &value)| crossing.push(f64::from(i), value)).collect()
    }

    #[test]
    fn edges_are_found_between_samples() {
        let signal = [0.0, 0.0, 0.25, 0.75, 1.0, 1.0, 0.4, 0.0];
        assert_eq!(edges(&signal, Edge::Rising), [2.5]);
        let falling = edges(&signal, Edge::Falling);
        assert!((falling[0] - (5.0 + 5.0 / 6.0)).abs() < 1e-12, "{falling:?}");
        assert_eq!(edges(&signal, Edge::Both).len(), 2);
    }

    #[test]
    fn noise_around_the_threshold_is_one_edge_or_none() {
        assert_eq!(edges(&[0.0, 0.6, 0.4, 0.6, 0.4, 0.0], Edge::Both), [0.0; 0]);
        assert_eq!(edges(&[0.0, 0.6, 0.4, 0.6, 0.9, 0.6, 0.9], Edge::Rising), [2.5]);
        assert_eq!(edges(&[1.0, 1.0], Edge::Both), [0.0; 0], "nobody saw it rise");
        assert_eq!(edges(&[0.0, f64::NAN, 1.0], Edge::Rising), [1.0]);
    }

    #[test]
    fn an_edge_in_a_gap_is_left_out() {
        let levels = Levels { threshold: 0.5, hysteresis: 0.2, low: 0.0, high: 1.0, how: String::new() };
        let mut crossing = Crossing::new(&levels, Edge::Rising, 5.0);
        let samples = [(0.0, 0.0), (10.0, 1.0), (11.0, 0.0), (12.0, 1.0)];
        let found: Vec<f64> = samples.iter().filter_map(|&(t, v)| crossing.push(t, v)).collect();
        assert_eq!(found, [11.5]);
        assert_eq!(crossing.in_gaps, 1);
    }
}
