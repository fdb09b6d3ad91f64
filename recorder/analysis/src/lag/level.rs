//! The two levels of a signal, and a threshold between them.

use serde::Serialize;

/// Values that are kept for the centiles.
const KEPT: usize = 1 << 18;

/// A pulse that lasts less than a twentieth of the time does not reach the 95th centile. A signal is
/// taken for that when its extremes are this many times as far apart as its 5th and 95th centiles
/// (2.3 for normal noise, 1 for a square wave).
const BRIEF: f64 = 4.0;

/// The levels of a signal and the threshold between them, in units of the channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Levels {
    /// The threshold.
    pub threshold: f64,
    /// Half of the distance between both edges of the hysteresis.
    pub hysteresis: f64,
    /// The low level.
    pub low: f64,
    /// The high level.
    pub high: f64,
    /// How the levels and the threshold were found.
    pub how: String,
}

/// A random part of a signal, of limited size: the same for the same signal.
#[derive(Debug)]
pub(super) struct Reservoir {
    kept: Vec<f64>,
    seen: u64,
    state: u64,
}

impl Reservoir {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new(), seen: 0, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Algorithm R (Vitter 1985).
    pub(super) fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.seen += 1;
        if self.kept.len() < KEPT {
            self.kept.push(value);
            return;
        }
        // SplitMix64, reduced without bias that would matter here.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let at = (z ^ (z >> 31)) % self.seen;
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.kept.get_mut(at)) {
            *slot = value;
        }
    }

    /// The levels; `None` where no value is finite. `stated`: a threshold that was given, and
    /// `hysteresis`, likewise.
    pub(super) fn levels(mut self, stated: Option<f64>, hysteresis: Option<f64>) -> Option<Levels> {
        self.kept.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * self.kept.len().saturating_sub(1) as f64;
            self.kept.get(place.round() as usize).copied()
        };
        let (low, high, middle) = (at(0.05)?, at(0.95)?, at(0.5)?);
        let (lowest, highest) = (at(0.0001)?, at(0.9999)?);
        let brief = highest - lowest > BRIEF * (high - low);
        let (low, high, levels) = match () {
            () if !brief => (low, high, "the 5th and the 95th centile"),
            () if highest - middle > middle - lowest => {
                (middle, highest, "the median and the 99.99th centile, for the pulses are brief")
            }
            () => (lowest, middle, "the 0.01th centile and the median, for the pulses are brief"),
        };
        // A centile lies in the tail of a level's noise: its middle does not.
        let below = self.kept.partition_point(|&value| value < 0.5 * (low + high));
        let middle_of = |range: &[f64]| range.get(range.len() / 2).copied();
        let low = middle_of(&self.kept[..below]).unwrap_or(low);
        let high = middle_of(&self.kept[below..]).unwrap_or(high);
        let threshold = stated.unwrap_or(0.5 * (low + high));
        let levels = format!("the medians of both sides of midway between {levels}");
        let how = match stated {
            Some(_) => format!("given; the levels are {levels}"),
            None => format!("auto: midway between the levels, {levels}"),
        };
        // A tenth of the step, but never so much that a level is inside.
        let room = (high - threshold).min(threshold - low);
        let usual = (0.1 * (high - low)).min(0.5 * room).max(0.0);
        Some(Levels { threshold, hysteresis: hysteresis.unwrap_or(usual), low, high, how })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(values: impl IntoIterator<Item = f64>) -> Levels {
        let mut reservoir = Reservoir::new();
        values.into_iter().for_each(|value| reservoir.push(value));
        reservoir.levels(None, None).unwrap()
    }

    #[test]
    fn the_threshold_is_midway() {
        let square = levels((0..10_000).map(|i| if i % 100 < 50 { 1.0 } else { 3.0 }));
        assert_eq!((square.low, square.high, square.threshold), (1.0, 3.0, 2.0));
        assert!(square.how.contains("5th and the 95th"), "{}", square.how);
        assert!((square.hysteresis - 0.2).abs() < 1e-12);
    }

    #[test]
    fn brief_pulses_count() {
        // Noise in between, or the two centiles would be equal.
        let noise = |i: i32| 0.01 * f64::from(i % 7);
        let up = levels((0..100_000).map(|i| noise(i) + if i % 1000 < 10 { 5.0 } else { 0.0 }));
        assert!(up.high > 5.0 && up.low < 0.1 && (up.threshold - 2.5).abs() < 0.1, "{up:?}");
        let down = levels((0..100_000).map(|i| noise(i) - if i % 1000 < 10 { 5.0 } else { 0.0 }));
        assert!(down.low < -4.9 && (down.threshold + 2.5).abs() < 0.1, "{down:?}");
    }

    #[test]
    fn much_is_sampled_evenly_and_nothing_is_no_level() {
        let ramp = levels((0..2_000_000).map(f64::from));
        assert!((ramp.threshold / 1e6 - 1.0).abs() < 0.01, "{ramp:?}");
        assert_eq!(Reservoir::new().levels(None, None), None);
        let mut bad = Reservoir::new();
        bad.push(f64::NAN);
        assert_eq!(bad.levels(Some(1.0), None), None);
    }
}
