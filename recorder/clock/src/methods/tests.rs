use proptest::prelude::*;

use crate::{ClockMap, EventKind, Exchange, History, Method, Offset, Reading, fit};

/// The table of Tobii's worked example, in microseconds: device time, host time, round trip.
const TOBII: [(i64, i64, i64); 5] = [
    (31_324_564, 56_363_235_478, 612),
    (32_324_523, 56_364_235_543, 822),
    (33_324_453, 56_365_235_985, 4412),
    (34_324_938, 56_366_235_194, 542),
    (35_324_129, 56_367_235_037, 2612),
];

fn tobii() -> History {
    let offsets = TOBII.map(|(device_us, host_us, trip_us)| Offset {
        device_time_s: device_us as f64 * 1e-6,
        offset_s: (host_us - device_us) as f64 * 1e-6,
        round_trip_s: Some(trip_us as f64 * 1e-6),
    });
    History { offsets: offsets.to_vec(), ..History::default() }
}

#[test]
fn the_worked_example_of_tobii() {
    let map = fit(Method::Interpolate, &tobii());
    let got = map.in_piece(0, 33.654_613);
    // 56365565723.92 us, rounded to the nearest microsecond.
    assert!((got.host_time_s - 56_365.565_723_920_07).abs() < 1e-10, "{}", got.host_time_s);
    assert_eq!((got.host_time_s * 1e6).round(), 56_365_565_724.0);
    // Point 2 took 4.4 ms: it may be off by nearly 2 ms, and the figures say so.
    assert!(got.relative_s > 1e-3 && got.bound_s > 542e-6 / 2.0 + 4e-3, "{got:?}");
    // The nearest segments go on.
    let slope = |a: usize, b: usize| (TOBII[b].1 - TOBII[a].1) as f64 / (TOBII[b].0 - TOBII[a].0) as f64;
    for (device_s, from, slope) in [(30.0, 0, slope(0, 1)), (40.0, 4, slope(3, 4))] {
        let expected_s = TOBII[from].1 as f64 * 1e-6 + slope * (device_s - TOBII[from].0 as f64 * 1e-6);
        assert!((map.in_piece(0, device_s).host_time_s - expected_s).abs() < 1e-9);
    }
}

#[test]
fn the_same_from_exchanges() {
    // A device reads its clock once an exchange; of four in quick succession the fastest counts.
    let exchanges = TOBII.iter().flat_map(|&(device_us, host_us, trip_us)| {
        (0..4).map(move |i| {
            let wait_s = f64::from(i) * 0.02;
            let half_s = 0.5e-6 * trip_us as f64 + if i == 2 { 0.0 } else { 0.002 };
            let t0_s = host_us as f64 * 1e-6 - half_s + wait_s - 0.04;
            let device_s = device_us as f64 * 1e-6 + wait_s - 0.04;
            Exchange { t0_s, t1_s: device_s, t2_s: device_s, t3_s: t0_s + 2.0 * half_s }
        })
    });
    let history = History { exchanges: exchanges.collect(), ..History::default() };
    let got = fit(Method::Interpolate, &history).in_piece(0, 33.654_613);
    assert!((got.host_time_s - 56_365.565_723_92).abs() < 1e-8, "{}", got.host_time_s);
}

#[test]
fn last_mean_and_linear_of_three_offsets() {
    let offsets = [(10.0, 1.0), (20.0, 3.0), (30.0, 2.0)].map(|(device_time_s, offset_s)| Offset {
        device_time_s,
        offset_s,
        round_trip_s: None,
    });
    let history = History { offsets: offsets.to_vec(), ..History::default() };
    let at = |method| fit(method, &history).in_piece(0, 110.0).host_time_s;
    assert_eq!(at(Method::None), 110.0);
    assert_eq!(at(Method::Last), 112.0);
    assert_eq!(at(Method::Mean), 112.0);
    // Slope 0.05 about (20, 2).
    assert!((at(Method::Linear) - (110.0 + 2.0 + 0.05 * 90.0)).abs() < 1e-12);
}

#[test]
fn the_mean_is_over_all_exchanges_with_the_sign_of_xdf() {
    // Neon's own simulator: the client is 250 ms ahead, stamps are whole milliseconds.
    let exchange = |i: i32, there_ms: f64, back_ms: f64| {
        let t0_s = 1000.0 + f64::from(i) * 0.1;
        let t1_s = t0_s + there_ms * 1e-3 - 0.25;
        Exchange { t0_s, t1_s, t2_s: t1_s, t3_s: t0_s + (there_ms + back_ms) * 1e-3 }
    };
    let history = History {
        exchanges: vec![exchange(0, 1.0, 1.0), exchange(1, 5.0, 1.0), exchange(2, 1.0, 3.0)],
        offsets: vec![Offset { device_time_s: 1.0, offset_s: 99.0, round_trip_s: None }],
        ..History::default()
    };
    let got = fit(Method::Mean, &history).in_piece(0, 2000.0);
    // Off by half the asymmetries: 0, -2 and 1 ms.
    assert!((got.host_time_s - (2000.0 + 0.25 - 1e-3 / 3.0)).abs() < 1e-9, "{got:?}");
    assert!(got.bound_s >= 1e-3, "half the shortest round trip: {got:?}");
}

#[test]
fn a_known_asymmetry_shifts_every_method_and_shrinks_the_total() {
    let exchanges: Vec<Exchange> = (0..40)
        .map(|i| {
            let t0_s = 100.0 + 5.0 * f64::from(i);
            let t1_s = t0_s + 0.003 - 7.0;
            Exchange { t0_s, t1_s, t2_s: t1_s, t3_s: t0_s + 0.004 }
        })
        .collect();
    let unknown = History { exchanges, ..History::default() };
    let known = History { known_asymmetry_s: Some(0.001), ..unknown.clone() };
    for method in &Method::ALL[1..] {
        let (a, b) = (fit(*method, &unknown).in_piece(0, 200.0), fit(*method, &known).in_piece(0, 200.0));
        assert!((a.host_time_s - 206.999).abs() < 1e-9, "{method:?} {a:?}");
        assert!((b.host_time_s - 207.0).abs() < 1e-9, "{method:?} {b:?}");
        assert!(
            b.total_s < 0.2 * a.total_s && a.bound_s >= 0.002 && b.bound_s >= 0.002,
            "{method:?} {a:?} {b:?}"
        );
    }
}

#[test]
fn a_reset_is_an_event_with_its_size() {
    let offsets = (0..40).map(|i| {
        let host_s = 5.0 * f64::from(i);
        let offset_s = if i < 20 { -50.0 } else { 850.0 };
        Offset { device_time_s: host_s - offset_s, offset_s, round_trip_s: None }
    });
    let history = History { offsets: offsets.collect(), ..History::default() };
    for method in [Method::Robust, Method::Interpolate] {
        let map = fit(method, &history);
        assert_eq!((map.pieces.len(), map.events.len()), (2, 1), "{method:?}");
        let event = map.events[0];
        assert_eq!((event.kind, event.size_s), (EventKind::Reset, 900.0));
        assert_eq!((event.host_from_s, event.host_to_s), (95.0, 100.0));
        assert!((map.in_piece(0, 60.0).host_time_s - 10.0).abs() < 1e-9);
        assert!((map.in_piece(1, -745.0).host_time_s - 105.0).abs() < 1e-9);
        assert!((map.device_time_s(105.0).0 + 745.0).abs() < 1e-9);
    }
}

#[test]
fn offsets_at_one_time_determine_no_line() {
    let offset = |offset_s| Offset { device_time_s: 7.0, offset_s, round_trip_s: None };
    let history = History { offsets: vec![offset(1.0), offset(2.0)], ..History::default() };
    let robust = fit(Method::Robust, &history);
    let got = robust.in_piece(0, 9.0);
    assert!(got.host_time_s == 9.0 && got.total_s.is_infinite() && !robust.remarks.is_empty());
    assert_eq!(fit(Method::Linear, &history).in_piece(0, 9.0).host_time_s, 10.5);
    let interpolated = fit(Method::Interpolate, &history);
    assert_eq!((interpolated.in_piece(0, 9.0).host_time_s, interpolated.remarks.len()), (10.0, 1));
}

/// Exchanges of 8, each 5 s, over delays of one sign, of a clock that wanders by a millisecond.
fn wandering(seed: u64, bursts: u32, delay_s: f64) -> (History, impl Fn(f64) -> f64) {
    let mut state = seed;
    let mut even = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / 2f64.powi(53)
    };
    let offset = |host_s: f64| -30.0 + 2e-5 * host_s + 1e-3 * (host_s / 400.0).sin();
    let mut exchanges = Vec::new();
    for burst in 0..bursts {
        for probe in 0..8 {
            let t0_s = 5000.0 + f64::from(burst) * 5.0 + f64::from(probe) * 0.064;
            let mut delay = || delay_s * (1.0 - (1.0 - even()).ln());
            let (there_s, back_s) = (delay(), delay());
            let t1_s = t0_s + there_s - offset(t0_s + there_s);
            exchanges.push(Exchange { t0_s, t1_s, t2_s: t1_s, t3_s: t0_s + there_s + back_s });
        }
    }
    (History { exchanges, ..History::default() }, offset)
}

#[test]
fn the_figures_cover_what_a_straight_line_misses() {
    for delay_s in [1e-4, 1e-3] {
        let (history, offset) = wandering(3, 720, delay_s);
        for method in [Method::Last, Method::Mean, Method::Linear, Method::Robust, Method::Interpolate] {
            let map = fit(method, &history);
            let (mut within, mut squares, mut count) = (0, 0.0, 0);
            let mut sigma_s = 0.0;
            for i in 0..3600 {
                let host_s = 5000.0 + f64::from(i);
                let device_s = host_s - offset(host_s);
                let got = map.in_piece(0, device_s);
                let error_s = (got.host_time_s - host_s).abs();
                assert!(error_s <= got.bound_s, "{method:?}: {error_s} {got:?}");
                within += i32::from(error_s <= 1.96 * got.relative_s);
                squares += error_s * error_s;
                sigma_s = got.relative_s;
                count += 1;
            }
            let rms_s = (squares / f64::from(count)).sqrt();
            let share = f64::from(within) / f64::from(count);
            println!(
                "{method:?} {delay_s}: rms {rms_s:.2e} sigma {sigma_s:.2e} within 1.96 sigma {share:.3}"
            );
            assert!(share >= 0.85, "{method:?} {delay_s} {share}");
            assert!(method == Method::Interpolate || (0.8..1.3).contains(&(sigma_s / rms_s)), "{method:?}");
        }
    }
}

#[test]
fn a_coarse_reading_widens_the_bound() {
    let (history, _) = wandering(4, 20, 1e-3);
    let coarse = History { reading: Reading { resolution_s: 1e-3, ..Reading::FINE }, ..history.clone() };
    for method in &Method::ALL[1..] {
        let bound_s = |history| fit(*method, history).pieces[0].bound_s;
        assert!((bound_s(&coarse) - bound_s(&history) - 0.5e-3).abs() < 1e-9, "{method:?}");
    }
}

fn finite_and_inverse(map: &ClockMap, times_s: &[f64]) -> Result<(), TestCaseError> {
    for piece in 0..map.pieces.len() {
        let mut last = f64::NEG_INFINITY;
        for device_s in times_s {
            let got = map.in_piece(piece, *device_s);
            prop_assert!(got.host_time_s.is_finite() && got.relative_s >= 0.0, "{got:?}");
            prop_assert!(got.total_s >= got.relative_s && got.bound_s >= 0.0, "{got:?}");
            prop_assert!(got.host_time_s > last, "{} after {last}", got.host_time_s);
            last = got.host_time_s;
            let back_s = map.pieces[piece].device_time_s(got.host_time_s);
            let digits_s = 16.0 * f64::EPSILON * (got.host_time_s.abs() + device_s.abs());
            prop_assert!((back_s - device_s).abs() <= digits_s + 1e-9, "{back_s} for {device_s}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Maps of clocks that are clocks increase, and their inverse is one.
    #[test]
    fn maps_increase_and_can_be_inverted(seed: u64, bursts in 1_u32..60, delay_s in 1e-5..0.02f64) {
        let (history, _) = wandering(seed, bursts, delay_s);
        let times_s: Vec<f64> = (-100..500).map(|i| 5030.0 + f64::from(i)).collect();
        for method in Method::ALL {
            finite_and_inverse(&fit(method, &history), &times_s)?;
        }
    }

    /// Whatever the stamps of exchanges.
    #[test]
    fn any_exchanges_are_survived(stamps in proptest::collection::vec(proptest::collection::vec(
        prop_oneof![8 => -1e2..1e2f64, 1 => Just(f64::NAN), 1 => Just(1e300), 1 => Just(-1e308), 1 => Just(0.0)],
        4..=4), 0..30)) {
        let exchanges = stamps.into_iter().map(|t| Exchange { t0_s: t[0], t1_s: t[1], t2_s: t[2], t3_s: t[3] });
        let history = History { exchanges: exchanges.collect(), ..History::default() };
        for method in Method::ALL {
            let map = fit(method, &history);
            for piece in 0..map.pieces.len().max(1) {
                prop_assert!(map.in_piece(piece, 12.0).host_time_s.is_finite(), "{method:?} {map:?}");
            }
        }
    }

    /// Whatever the offsets: no panic, and finite stamps stay finite.
    #[test]
    fn any_offsets_are_survived(offsets in proptest::collection::vec((
        prop_oneof![6 => -1e3..1e3f64, 1 => Just(f64::NAN), 1 => Just(1e300), 1 => Just(-1e308), 1 => Just(f64::INFINITY)],
        prop_oneof![6 => -1e3..1e3f64, 1 => Just(f64::NAN), 1 => Just(1e300), 1 => Just(-1e308)],
        proptest::option::of(-1.0..1.0f64),
    ), 0..20), known in proptest::option::of(prop_oneof![Just(f64::NAN), -1.0..1.0f64])) {
        let offsets = offsets.into_iter().map(|(device_time_s, offset_s, round_trip_s)| {
            Offset { device_time_s, offset_s, round_trip_s }
        });
        let history = History { offsets: offsets.collect(), known_asymmetry_s: known, ..History::default() };
        for method in Method::ALL {
            let map = fit(method, &history);
            for piece in 0..map.pieces.len().max(1) {
                prop_assert!(!map.in_piece(piece, 12.0).host_time_s.is_nan(), "{method:?} {map:?}");
            }
            prop_assert!(map.events.len() + 1 == map.pieces.len().max(1), "{method:?}");
        }
    }
}
