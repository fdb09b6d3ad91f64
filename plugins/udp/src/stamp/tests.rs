//! Tests of time lines and of the notice of jumps.

use proptest::prelude::*;

use super::*;

const S: i64 = 1_000_000_000;

proptest! {

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
            prop_assert_eq!(got, ticks_as_seconds(reading, 1_000_000));
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
    assert_eq!(got, ticks_as_seconds(truth, 1_000_000));
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
