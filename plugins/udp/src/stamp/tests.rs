//! Tests of time lines and of the notice of jumps.

use proptest::prelude::*;

use super::*;

const S: i64 = 1_000_000_000;

#[test]
fn seconds_equal_pythons_integer_division() {
    // python3: n / 10**k
    assert_eq!(seconds(1_234_567_890_123_456_789, 1_000_000_000), 1_234_567_890.123_456_7);
    assert_eq!(seconds(1_763_820_000_123_456_789, 1_000_000_000), 1_763_820_000.123_456_7);
    assert_eq!(seconds(i64::MAX, 1_000_000_000), 9_223_372_036.854_776);
    assert_eq!(seconds(i64::MIN, 1000), -9_223_372_036_854_776.0);
    assert_eq!(seconds(9_007_199_254_740_993, 1), 9_007_199_254_740_992.0);
    assert_eq!(seconds(9_007_199_254_740_995, 1), 9_007_199_254_740_996.0);
    assert_eq!(seconds(1_234_567, 1_000_000), 1.234_567);
}

proptest! {
    #[test]
    fn the_long_division_agrees_with_the_short_one_and_is_nearest(ticks: i64, k in 0u32..4) {
        let per_s = 1000_u64.pow(k);
        let value = seconds(ticks, per_s);
        // |value * per_s - ticks| must not exceed half a unit in the last place of value, in exact
        // arithmetic: value = m * 2^e.
        let bits = value.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
        let mantissa = i128::from((bits & ((1 << 52) - 1)) | (1 << 52));
        prop_assume!(ticks.unsigned_abs() > 1 << 54);
        let (mut left, mut right) = (mantissa * i128::from(per_s), i128::from(ticks.unsigned_abs()));
        let mut half_ulp = i128::from(per_s); // of 2^(e - 1)
        if exponent >= 0 {
            left <<= exponent + 1;
            half_ulp <<= exponent;
            right <<= 1;
        } else {
            let shift = (-exponent) as u32;
            prop_assume!(right.leading_zeros() > shift + 2);
            left <<= 1;
            right <<= shift + 1;
        }
        prop_assert!((left - right).abs() <= half_ulp);
    }

    #[test]
    fn samples_and_exchanges_in_any_order_stay_on_one_time_line(
        steps in proptest::collection::vec((0i64..5_000_000, -20_000i64..20_000), 1..100),
    ) {
        let mut line = Timeline::new(1_000_000, 32);
        let mut truth = 0xFFF0_0000_i64;
        let mut arrival = 7 * S;
        line.place_s(RawStamp::Ticks(truth), arrival);
        for (advance, out_of_order) in steps {
            truth += advance;
            arrival += advance * 1000;
            let reading = truth + out_of_order;
            let got = line.place_s(RawStamp::Ticks(reading & 0xFFFF_FFFF), arrival);
            prop_assert_eq!(got, seconds(reading, 1_000_000));
        }
    }
}

#[test]
fn a_silence_longer_than_the_counter_runs_is_bridged() {
    let mut line = Timeline::new(1_000_000, 32);
    assert_eq!(line.place_s(RawStamp::Ticks(1000), 0), 0.001);
    // Five hours later; the counter has wrapped four times, and runs 100 ppm fast.
    let truth = 1000 + 18_001_800_000_i64;
    let got = line.place_s(RawStamp::Ticks(truth & 0xFFFF_FFFF), 18_000 * S);
    assert_eq!(got, seconds(truth, 1_000_000));
}

#[test]
fn fractions_are_divided_once() {
    let mut line = Timeline::new(1000, 64);
    assert_eq!(line.place_s(RawStamp::Fraction(1234.5), 0), 1.2345);
}

/// Check a group and remember it.
fn next(watch: &mut JumpWatch, first_s: f64, last_s: f64, arrival_s: i64, epoch: u32) -> Option<f64> {
    let jump = watch.check(first_s, last_s, arrival_s * S, epoch);
    watch.see(last_s, arrival_s * S);
    jump
}

#[test]
fn a_restart_is_noticed_and_batches_and_silence_are_not() {
    let mut watch = JumpWatch::default();
    assert_eq!(next(&mut watch, 98.0, 100.0, 10, 0), None);
    // The next batch of 2 s, and then 5 s that were held back.
    assert_eq!(next(&mut watch, 100.01, 102.0, 12, 0), None);
    assert_eq!(next(&mut watch, 102.01, 107.0, 12, 0), None);
    // A long silence.
    assert_eq!(next(&mut watch, 3700.0, 3701.0, 3606, 0), None);
    assert_eq!(next(&mut watch, 0.1, 0.1, 3607, 0), Some(0.1 - 3701.0));
}

#[test]
fn a_jump_forward_is_noticed_once() {
    let mut watch = JumpWatch::default();
    assert_eq!(next(&mut watch, 1.0, 1.0, 1, 0), None);
    assert_eq!(next(&mut watch, 3602.0, 3602.0, 2, 0), Some(3600.0));
    assert_eq!(next(&mut watch, 3603.0, 3603.0, 3, 0), None);
}

#[test]
fn a_new_epoch_has_no_past() {
    let mut watch = JumpWatch::default();
    assert_eq!(next(&mut watch, 100.0, 100.0, 1, 0), None);
    assert_eq!(next(&mut watch, 0.0, 0.0, 2, 1), None);
}

#[test]
fn a_sender_that_starts_anew_need_not_have_a_new_clock() {
    let mut watch = JumpWatch::default();
    assert!(!watch.restarted(5.0, 0));
    assert_eq!(next(&mut watch, 100.0, 100.0, 0, 0), None);
    assert!(!watch.restarted(130.1, 30 * S));
    assert!(watch.restarted(0.2, 30 * S));
}
