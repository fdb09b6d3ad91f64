//! Tests of the device clock against closed formulas.

use proptest::prelude::*;

use super::*;

const NS: i64 = 1_000_000_000;

fn model(offset_s: f64, skew_ppm: f64, wander_ppm: f64) -> ClockModel {
    ClockModel { offset_s, skew_ppm, wander_ppm, ..ClockModel::default() }
}

#[test]
fn a_default_clock_is_the_host_clock() {
    let clock = SimClock::new(&ClockModel::default(), 1e6 + 0.25, 1);
    assert_eq!(clock.device_time_s(1e6 + 10.25), 1e6 + 10.25);
    assert_eq!(clock.ticks(1e6 + 10.25, NS), 1_000_010_250_000_000);
    assert_eq!(clock.offset_at(1e6 + 77.0), 0.0);
}

#[test]
fn offset_and_skew_follow_the_formula() {
    let clock = SimClock::new(&model(1234.567, 40.0, 0.0), 5000.0, 1);
    assert_eq!(clock.offset_at(5000.0), 1234.567);
    assert!((clock.offset_at(5100.0) - (1234.567 - 4e-3)).abs() < 1e-12);
    assert!((clock.device_time_s(5100.0) - (5100.0 - 1234.567 + 4e-3)).abs() < 1e-9);
}

#[test]
fn a_unix_clock_in_nanoseconds_keeps_its_digits() {
    // f64 alone would round 1.7e9 s to 238 ns.
    let clock = SimClock::new(&model(-1_700_000_000.0, 0.0, 0.0), 0.5, 1);
    assert_eq!(clock.ticks(0.500_000_010_1, NS), 1_700_000_000_500_000_010);
}

#[test]
fn a_step_jumps_the_reading_and_not_the_oscillator() {
    let steps = vec![ClockStep { at_s: 20.0, delta_s: -0.5 }, ClockStep { at_s: 10.0, delta_s: 0.25 }];
    let clock = SimClock::new(&ClockModel { steps, ..ClockModel::default() }, 100.0, 1);
    assert_eq!(clock.device_time_s(109.5), 109.5);
    assert_eq!(clock.device_time_s(110.0), 110.25);
    assert_eq!(clock.offset_at(115.0), -0.25);
    assert_eq!(clock.offset_at(120.0), 0.25);
    assert_eq!(clock.oscillator_s(120.0), 20.0);
    // Skipped by the step ahead: the step itself. Shown twice around the step back: the first.
    assert_eq!(clock.host_time_s(110.125), 110.0);
    assert_eq!(clock.host_time_s(120.0), 119.75);
    assert_eq!(clock.host_time_s(125.0), 125.25);
}

#[test]
fn resolution_floors_readings() {
    let coarse = ClockModel { resolution_s: 1e-3, ..ClockModel::default() };
    let clock = SimClock::new(&coarse, 0.0, 1);
    assert_eq!(clock.ticks(12.345_678_9, 1_000_000), 12_345_000);
    assert_eq!(clock.ticks(-0.000_1, 1_000_000), -1_000);
    let crystal = ClockModel { resolution_s: 1.0 / 32768.0, ..ClockModel::default() };
    let clock = SimClock::new(&crystal, 0.0, 1);
    assert_eq!(clock.ticks(100.0 / 32768.0 + 1e-5, 1_000_000), 3_051);
}

#[test]
fn bad_parameters_are_named() {
    let error = model(f64::NAN, 0.0, 0.0).validate().expect_err("NaN is no offset");
    assert_eq!(error.parameter, "clock offset_s");
    let error = model(0.0, 1e6, 0.0).validate().expect_err("twice the speed is no skew");
    assert!(error.to_string().contains("skew_ppm = 1000000"), "{error}");
    assert!(ClockModel::default().validate().is_ok());
}

proptest! {
    #[test]
    fn host_and_device_time_invert_each_other(
        offset_s in -1e5..1e5_f64,
        skew_ppm in -200.0..200.0_f64,
        wander_ppm in prop_oneof![Just(0.0), 0.0..0.1_f64],
        elapsed_s in 0.0..200_000.0_f64,
        seed in any::<u64>(),
    ) {
        let epoch_s = 1e6;
        let clock = SimClock::new(&model(offset_s, skew_ppm, wander_ppm), epoch_s, seed);
        let host_s = epoch_s + elapsed_s;
        prop_assert!((clock.host_time_s(clock.device_time_s(host_s)) - host_s).abs() < 1e-9);
        let oscillator_s = clock.oscillator_s(host_s);
        prop_assert!((clock.host_at_oscillator_s(oscillator_s) - host_s).abs() < 1e-9);
        prop_assert!((clock.device_time_s(host_s) + clock.offset_at(host_s) - host_s).abs() < 1e-9);
    }

    #[test]
    fn the_clock_rises_between_steps_and_repeats_for_its_seed(
        skew_ppm in -1000.0..1000.0_f64,
        wander_ppm in 0.0..10.0_f64,
        times in proptest::collection::vec(0.0..10_000.0_f64, 2..20),
        seed in any::<u64>(),
    ) {
        let build = || SimClock::new(&model(-3.5, skew_ppm, wander_ppm), 1e6, seed);
        let (clock, again) = (build(), build());
        let mut times = times;
        times.sort_by(f64::total_cmp);
        for pair in times.windows(2) {
            let (first, second) = (1e6 + pair[0], 1e6 + pair[1]);
            prop_assert!(clock.device_time_s(first) <= clock.device_time_s(second));
            prop_assert!(clock.ticks(first, NS) <= clock.ticks(second, NS));
            prop_assert_eq!(clock.device_time_s(first), again.device_time_s(first));
        }
    }

    #[test]
    fn ticks_floor_the_true_time(
        offset_s in -1e4..1e4_f64,
        elapsed_s in 0.0..10_000.0_f64,
        unit in prop_oneof![
            Just(TickUnit::Microseconds), Just(TickUnit::Milliseconds), Just(TickUnit::Seconds)
        ],
        resolution_ticks in prop_oneof![Just(0.0), 1.5..1000.0_f64],
    ) {
        let ticks_per_s = unit.ticks_per_s();
        let resolution_s = resolution_ticks / ticks_per_s as f64;
        let coarse = ClockModel { offset_s, resolution_s, ..ClockModel::default() };
        let clock = SimClock::new(&coarse, 1e4, 1);
        let exact = clock.device_time_s(1e4 + elapsed_s) * ticks_per_s as f64;
        let read = clock.ticks(1e4 + elapsed_s, ticks_per_s) as f64;
        prop_assert!(read <= exact + 1e-4, "read {read}, exact {exact}");
        prop_assert!(exact - read < resolution_ticks.max(1.0) + 1.0, "read {read}, exact {exact}");
    }
}
