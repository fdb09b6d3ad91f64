//! What the maker's estimator (`TimeOffsetEstimator` of pupil-labs-realtime-api) says of the same exchanges. Pure.
//!
//! It reads its own clock in whole milliseconds, floored, and takes for each exchange the middle of its two
//! readings, rounded half to even, minus the phone's time. Its mean is what it recommends: the clock of the client
//! minus that of the phone.

use lockstep_plugin_api::Exchange;

/// Mean, sample standard deviation and median, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation.
    pub std: f64,
    /// Median.
    pub median: f64,
}

/// The estimate of the maker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Official {
    /// Client minus phone.
    pub time_offset_ms: Statistics,
    /// Round-trip time.
    pub roundtrip_duration_ms: Statistics,
}

impl Official {
    /// By `exchanges` of a recorder whose UTC is ahead of its own time by `utc_minus_host_s`; `None`: fewer than two.
    pub fn new(exchanges: &[Exchange], utc_minus_host_s: f64) -> Option<Self> {
        let unix_ms = |host_s: f64| ((host_s + utc_minus_host_s) * 1e3).floor();
        let both: Vec<(f64, f64)> = exchanges
            .iter()
            .map(|e| {
                let (asked_ms, answered_ms) = (unix_ms(e.t0_s), unix_ms(e.t3_s));
                let middle_ms = f64::midpoint(asked_ms, answered_ms).round_ties_even();
                (middle_ms - (e.t1_s * 1e3).round(), answered_ms - asked_ms)
            })
            .collect();
        Some(Self {
            time_offset_ms: Statistics::new(both.iter().map(|(offset_ms, _)| *offset_ms).collect())?,
            roundtrip_duration_ms: Statistics::new(both.iter().map(|(_, rtt_ms)| *rtt_ms).collect())?,
        })
    }
}

impl Statistics {
    fn new(mut values: Vec<f64>) -> Option<Self> {
        let count = values.len();
        if count < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.get((count - 1) / 2)?, values.get(count / 2)?);
        Some(Self { mean, std: (squares / (count - 1) as f64).sqrt(), median: f64::midpoint(*low, *high) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_floored_and_middles_rounded_to_even() {
        let exchange =
            |t0_s: f64, t3_s: f64, device_s: f64| Exchange { t0_s, t1_s: device_s, t2_s: device_s, t3_s };
        // 10 ms and 13 ms: the middle 11.5 becomes 12. 20 ms and 21 ms: 20.5 becomes 20.
        let both = [exchange(0.0109, 0.0131, 0.002), exchange(0.0205, 0.0215, 0.012)];
        let official = Official::new(&both, 1000.0).expect("two");
        let offsets = official.time_offset_ms;
        assert!(
            (offsets.mean - 1_000_009.0).abs() < 1e-6 && (offsets.std - 2f64.sqrt()).abs() < 1e-6,
            "{offsets:?}"
        );
        assert!((official.roundtrip_duration_ms.median - 2.0).abs() < 1e-6);
        assert_eq!(Official::new(&both[..1], 0.0), None);
    }
}
