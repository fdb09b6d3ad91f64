//! What the device sends, as functions of the number of the sample. `tests/check/night.py` has the same ones.

use lockstep_plugin_api::Exchange;

/// The device's life goes on in steps of this length.
pub const STEP_US: u64 = 100_000;
/// Its clock begins anew so often.
pub const RESET_EVERY_US: u64 = 3 * 3_600_000_000;
/// A burst of exchanges so often.
pub const EXCHANGE_EVERY_US: u64 = 5_000_000;
/// What its clock shows when it begins.
const EPOCH_US: u64 = 5_000_000;
/// Stamps are off by no more than this to either side.
const JITTER_US: u64 = 200;
const PROBES: u64 = 8;
const PROBE_EVERY_US: u64 = 20_000;
/// Each way of an exchange takes at least this long, and up to as long again and more.
const WAY_US: u64 = 200;
const INSIDE_US: u64 = 100;
/// Its crystal against the recorder's: too slow by so much, and by a sine of an hour on top.
const SKEW: f64 = 30e-6;
const WANDER_S: f64 = 1e-3;
const WANDER_PERIOD_S: f64 = 3600.0;

/// Mixes the bits of a number: as good as random, and the same in every language.
fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What the device's clock shows, by the time that its crystal has counted since it was made.
fn reading_us(crystal_us: u64) -> u64 {
    crystal_us % RESET_EVERY_US + EPOCH_US
}

/// Stamp of a sample: when it was due, and some jitter.
pub fn stamp_s(number: u64, rate_hz: u64) -> f64 {
    let jitter_us = mixed(number) % (2 * JITTER_US + 1);
    (reading_us(number * 1_000_000 / rate_hz) + jitter_us - JITTER_US) as f64 / 1e6
}

/// One value of the signal.
pub fn signal_value(number: u64, channel: usize) -> i16 {
    (number.wrapping_mul(31).wrapping_add(channel as u64 * 1009) & 0xFFFF) as u16 as i16
}

/// One value of gaze; exact in 24 bits.
pub fn gaze_value(number: u64, channel: usize) -> f32 {
    (number & 0xF_FFFF) as f32 + channel as f32 * 0.25
}

/// Recorder time at which the crystal has counted so far.
fn host_s(crystal_us: u64, begin_s: f64) -> f64 {
    let crystal_s = crystal_us as f64 / 1e6;
    let turn = crystal_s * std::f64::consts::TAU / WANDER_PERIOD_S;
    begin_s + crystal_s * (1.0 + SKEW) + WANDER_S * turn.sin()
}

/// A burst of exchanges.
pub fn exchanges(crystal_us: u64, begin_s: f64) -> Vec<Exchange> {
    let one = |probe: u64| {
        let asked_us = crystal_us + probe * PROBE_EVERY_US;
        let way_us = |salt: u64| WAY_US + mixed(asked_us ^ salt) % (4 * WAY_US);
        let received_us = asked_us + way_us(1);
        let answered_us = received_us + INSIDE_US;
        Exchange {
            t0_s: host_s(asked_us, begin_s),
            t1_s: reading_us(received_us) as f64 / 1e6,
            t2_s: reading_us(answered_us) as f64 / 1e6,
            t3_s: host_s(answered_us + way_us(2), begin_s),
        }
    };
    (0..PROBES).map(one).collect()
}

/// The last `lasts` of each `every` samples are missing.
#[derive(Debug, Clone, Copy)]
pub struct Gaps {
    /// In samples.
    pub every: u64,
    /// In samples.
    pub lasts: u64,
}

impl Gaps {
    /// Whether this sample is missing.
    pub fn has(self, number: u64) -> bool {
        number % self.every >= self.every - self.lasts
    }

    /// Where this is the first sample after a gap: how many were missing.
    pub fn ended_at(self, number: u64) -> Option<u64> {
        (number > 0 && number.is_multiple_of(self.every)).then_some(self.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_within_a_time_line_and_begin_anew_after_a_reset() {
        let reset = RESET_EVERY_US / 2000;
        let stamps: Vec<f64> = (reset - 1000..reset + 1000).map(|number| stamp_s(number, 500)).collect();
        assert!(stamps[..1000].is_sorted() && stamps[1000..].is_sorted());
        assert!((stamps[1000] - 5.0).abs() <= 2e-4 && (stamps[999] - 10_805.0).abs() < 3e-3);
    }

    #[test]
    fn exchanges_are_possible_and_near_the_truth() {
        for exchange in exchanges(3_600_000_000, 1000.0) {
            let Exchange { t0_s, t1_s, t2_s, t3_s } = exchange;
            assert!(t0_s < t3_s && t1_s < t2_s && t3_s - t0_s < 0.003);
            let offset_s = 0.5 * ((t0_s - t1_s) + (t3_s - t2_s));
            let truth_s = 1000.0 - 5.0 + 3600.0 * SKEW;
            assert!((offset_s - truth_s).abs() < 0.001, "{offset_s} {truth_s}");
        }
    }

    #[test]
    fn gaps_are_told_with_their_length() {
        let gaps = Gaps { every: 10, lasts: 3 };
        let missing: Vec<u64> = (0..20).filter(|number| gaps.has(*number)).collect();
        assert_eq!(missing, [7, 8, 9, 17, 18, 19]);
        assert_eq!((gaps.ended_at(0), gaps.ended_at(9), gaps.ended_at(10)), (None, None, Some(3)));
    }
}
