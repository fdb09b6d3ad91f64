//! Properties of the recordings of every row.

use std::collections::HashSet;

use super::*;

/// The rows of both families, shortened so that all of them can be drawn in a test.
fn short_rows() -> Vec<Case> {
    all_rows().into_iter().map(|case| Case { duration_s: case.duration_s.min(400.0), ..case }).collect()
}

fn all_rows() -> Vec<Case> {
    family_a().into_iter().chain(family_b()).collect()
}

/// Every clock over every path, read in every way.
fn all_combinations() -> Vec<Case> {
    let mut cases = Vec::new();
    for clock in ClockKind::ALL {
        for (index, path) in PathKind::ALL.into_iter().enumerate() {
            let reading = [CaseReading::Exact, CaseReading::Floor { resolution_s: 1e-3 }][index % 2];
            let probes = ProbeKind::ALL[index % ProbeKind::ALL.len()];
            cases.push(Case { family: Family::B, clock, path, duration_s: 300.0, probes, reading });
        }
    }
    cases
}

/// The clock behind a recording, for asking it the truth.
fn truth(case: &Case, seed: u64) -> (crate::clock::SimClock, f64) {
    let seed = crate::rng::derive_seed(seed, &case.name());
    let start_s = match case.family {
        Family::A => 0.0,
        Family::B => crate::rng::Draws::new(seed, "study").within(0.0, 10_000.0).floor(),
    };
    let plan = case.clock.plan(start_s, case.duration_s, seed);
    (crate::clock::SimClock::with_horizon(&plan.model, start_s, case.duration_s, seed), start_s)
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let names: HashSet<String> = all_rows().iter().map(Case::name).collect();
    assert_eq!((family_a().len(), family_b().len(), names.len()), (45, 35, 80));
    assert!(names.contains("phone, wifi, 3600, lsl") && names.contains("flicker, gamma@32k, 1800, p8x5"));
}

#[test]
fn exchanges_obey_the_physics() {
    for case in short_rows().into_iter().chain(all_combinations()) {
        let name = case.name();
        let recorded = record(&case, 3);
        let (clock, _) = truth(&case, 3);
        assert!(!recorded.exchanges.is_empty(), "{name}");
        assert!(recorded.exchanges.is_sorted_by(|a, b| a.t3_s <= b.t3_s), "{name}");
        let resolution_s = case.reading.resolution_s();
        for exchange in &recorded.exchanges {
            assert!(exchange.t3_s > exchange.t0_s && exchange.t2_s >= exchange.t1_s, "{name} {exchange:?}");
            let disturbed = |(from, to): &(f64, f64)| *from <= exchange.t3_s && exchange.t0_s <= *to;
            if recorded.disturbed.iter().any(disturbed) {
                continue;
            }
            // No step on the way: host minus device lies between what each leg allows.
            let theta_s = clock.offset_at(exchange.t0_s);
            // 1 ns for the clock's drift during the exchange (50 ppm of half a second) and rounding.
            let slack_s = 1e-9 + 70e-6 * (exchange.t3_s - exchange.t0_s);
            let (low_s, high_s) = (exchange.t0_s - exchange.t1_s, exchange.t3_s - exchange.t2_s);
            assert!(low_s - resolution_s - slack_s <= theta_s, "{name} {low_s} {theta_s}");
            assert!(theta_s <= high_s + slack_s, "{name} {theta_s} {high_s}");
        }
    }
}

#[test]
fn stamps_are_the_device_clock_at_the_true_time() {
    for case in short_rows().into_iter().chain(all_combinations()) {
        let name = case.name();
        let recorded = record(&case, 5);
        let (clock, start_s) = truth(&case, 5);
        let samples = &recorded.samples;
        assert!(samples.len() > 4000, "{name}: {}", samples.len());
        assert!(samples.is_sorted_by(|a, b| a.host_time_s < b.host_time_s), "{name}");
        assert!(samples[0].host_time_s >= start_s);
        assert!(samples[samples.len() - 1].host_time_s <= start_s + case.duration_s, "{name}");
        for sample in samples {
            let late_s = clock.device_time_s(sample.host_time_s) - sample.device_time_s;
            let near_step = |(from, to): &(f64, f64)| (from - 1e-6..=to + 1e-6).contains(&sample.host_time_s);
            assert!(
                (-1e-9..=case.reading.resolution_s() + 1e-9).contains(&late_s)
                    || recorded.disturbed.iter().any(near_step),
                "{name}: {late_s}"
            );
        }
    }
}

#[test]
fn samples_are_regular_but_for_what_disturbs_the_clock() {
    for clock in ClockKind::ALL {
        let path = PathKind::Lan;
        let case = Case {
            family: Family::A,
            clock,
            path,
            duration_s: 900.0,
            probes: ProbeKind::Lsl,
            reading: CaseReading::Exact,
        };
        let recorded = record(&case, 11);
        let mut irregular = 0;
        for pair in recorded.samples.windows(2) {
            let step_s = pair[1].device_time_s - pair[0].device_time_s;
            let disturbed =
                |(from, to): &(f64, f64)| *from <= pair[1].host_time_s && pair[0].host_time_s <= *to;
            if recorded.disturbed.iter().any(disturbed) {
                irregular += usize::from((step_s - 0.05).abs() > 1e-6);
            } else {
                assert!((step_s - 0.05).abs() < 1e-10, "{clock:?}: {step_s}");
            }
        }
        let calm = recorded.disturbed.is_empty();
        assert_eq!(irregular == 0, calm, "{clock:?}: {irregular} {:?}", recorded.disturbed);
    }
}

#[test]
fn a_seed_repeats_and_another_differs() {
    for case in short_rows() {
        let first = record(&case, 7);
        assert_eq!(first, record(&case, 7));
        assert_ne!(first.exchanges, record(&case, 8).exchanges, "{}", case.name());
    }
}

#[test]
fn the_symmetric_flag_is_right() {
    for case in all_rows() {
        let recorded = record(&Case { duration_s: case.duration_s.min(1800.0), ..case }, 2);
        let asymmetry_s = recorded.asymmetry_s().abs();
        assert_eq!(asymmetry_s < 20e-6, case.is_symmetric(), "{}: {asymmetry_s}", case.name());
    }
}

#[test]
fn schedules_ask_when_they_should() {
    let mut case = family_a()[0];
    case.duration_s = 600.0;
    for (probes, exchanges) in [
        (ProbeKind::Lsl, 119 * 8),
        (ProbeKind::LslAll, 300 * 8),
        (ProbeKind::Tobii, 10 * 4),
        (ProbeKind::P8x5, 120 * 8),
        (ProbeKind::P8x2, 300 * 8),
        (ProbeKind::P20x30, 20 * 20),
        (ProbeKind::Neon4, 2395),
    ] {
        case.probes = probes;
        let got = record(&case, 1).exchanges.len();
        assert!(got.abs_diff(exchanges) <= 8, "{}: {got}", probes.name());
    }
    case.probes = ProbeKind::Lsl;
    let starts: Vec<f64> = record(&case, 1).exchanges.chunks(8).map(|wave| wave[0].t0_s).take(5).collect();
    for (got, expected) in starts.iter().zip([4.3, 8.3, 14.3, 18.3, 24.3]) {
        assert!((got - expected).abs() < 1e-3, "{starts:?}");
    }
}

#[test]
fn lab_recorder_stamps_are_late_and_its_offsets_true() {
    let mut case = family_a()[0];
    case.duration_s = 600.0;
    let (clock, _) = truth(&case, 4);
    let offsets = record(&case, 4).lab_recorder_offsets;
    assert!((118..=120).contains(&offsets.len()), "{}", offsets.len());
    for (device_s, offset_s) in offsets {
        // The stamp is the time of writing; the offset was measured 0.2 to 2.6 s before.
        let written_s = device_s + offset_s;
        assert!((written_s / 5.0 - (written_s / 5.0).round()).abs() < 1e-9);
        let measured_error = |before_s: f64| (clock.offset_at(written_s - before_s) - offset_s).abs();
        let best_s = (0..=60).map(|tenth| f64::from(tenth) * 0.05).map(measured_error).fold(1.0, f64::min);
        assert!(best_s < 60e-6, "{best_s}");
    }
}

#[test]
fn tuning_and_reporting_seeds_never_meet() {
    assert_eq!(seeds::tuning(3), 0..3);
    assert!(seeds::tuning(u64::MAX).end <= seeds::reporting(1).start);
    assert_eq!(seeds::reporting(2), 1_000_000..1_000_002);
}
