//! The smoother on simulated recordings whose truth is known: that nothing breaks, and that figures are
//! of the right size. How good it is, is measured by `lockstep benchmark clock`.
#![allow(clippy::unwrap_used)]

use lockstep_clock::{Estimate, EventKind, Exchange, History, Method, Offset, Reading, Stamp, fit};
use lockstep_sim::study::{Case, Recorded, family_a, family_b, record};

fn case(name: &str) -> Case {
    let all = family_a().into_iter().chain(family_b());
    all.into_iter().find(|case| case.name() == name).expect(name)
}

fn history(case: &Case, recorded: &Recorded) -> History {
    let resolution_s = case.reading.resolution_s();
    let stamp = if resolution_s > 0.0 { Stamp::Floor } else { Stamp::Exact };
    let exchange = |e: &lockstep_sim::study::SimExchange| Exchange {
        t0_s: e.t0_s,
        t1_s: e.t1_s,
        t2_s: e.t2_s,
        t3_s: e.t3_s,
    };
    History {
        reading: Reading { resolution_s, stamp },
        exchanges: recorded.exchanges.iter().map(exchange).collect(),
        ..History::default()
    }
}

/// Error in microseconds and estimate of every sample.
fn errors(history: &History, recorded: &Recorded) -> Vec<(f64, Estimate)> {
    let map = fit(Method::Smooth, history);
    let stamps: Vec<f64> = recorded.samples.iter().map(|s| s.device_time_s).collect();
    let mut survey = map.survey();
    for block in stamps.chunks(4096) {
        survey.push(block, None);
    }
    let placement = survey.finish();
    let mut estimates = Vec::new();
    placement.apply(0, &stamps, &mut estimates);
    let truth = recorded.samples.iter().map(|s| s.host_time_s);
    estimates.into_iter().zip(truth).map(|(e, t)| ((e.host_time_s - t) * 1e6, e)).collect()
}

fn p95(errors: &[(f64, Estimate)]) -> f64 {
    let mut sizes: Vec<f64> = errors.iter().map(|(e, _)| e.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes[sizes.len() * 95 / 100]
}

fn share(errors: &[(f64, Estimate)], within: impl Fn(f64, &Estimate) -> bool) -> f64 {
    errors.iter().filter(|(e, estimate)| within(e.abs() * 1e-6, estimate)).count() as f64
        / errors.len() as f64
}

#[test]
fn errors_are_of_the_size_they_should_be() {
    // Row, and a p95 in us that is far above what is usual and far below what lines reach.
    for (row, limit_us) in [
        ("const, lan, 600, lsl", 1.0),
        ("pc, usb, 3600, lsl", 15.0),
        ("phone, wifi, 3600, lsl", 30.0),
        ("phone_step, lan, 3600, lsl", 2.0),
        ("phone_slew, wifi, 3600, lsl", 60.0),
        ("phone, lan, 3600, tobii", 20.0),
        ("flicker, oneway, 7200, p8x5", 20.0),
        ("suspend, lan, 1800, p8x2", 2.0),
        ("restart, wifi, 7200, p8x5", 30.0),
        ("hvac, wifi, 1800, neon4", 100.0),
    ] {
        let case = case(row);
        let recorded = record(&case, 7);
        let errors = errors(&history(&case, &recorded), &recorded);
        let seen_us = p95(&errors);
        assert!(seen_us < limit_us, "{row}: p95 {seen_us} us");
        assert_eq!(share(&errors, |e, x| e <= x.bound_s || x.flagged), 1.0, "{row}: bound");
        assert!(share(&errors, |e, x| e <= 1.96 * x.total_s) > 0.9, "{row}: total");
    }
}

/// Clocks that are set between two bursts, short slews among them, and paths that change: the bound holds
/// wherever it is not said that it may not.
#[test]
fn the_bound_holds_whatever_happens_between_bursts() {
    for (row, seed) in [
        ("ntp, lan, 7200, p4x60", 4),
        ("ntp, lan, 7200, p4x60", 17),
        ("ntp, gamma, 1800, p20x30", 4),
        ("ntp, lan, 7200, p8x5", 3),
        ("phone_slew, wifi, 3600, lsl", 2),
        ("phone_step, wifi, 3600, tobii", 57),
        ("flicker, ble, 1800, p8x2", 3),
        ("hvac, roam, 7200, p8x5", 3),
    ] {
        let case = case(row);
        let recorded = record(&case, seed);
        let errors = errors(&history(&case, &recorded), &recorded);
        let outside = errors.iter().filter(|(e, x)| !x.flagged && e.abs() * 1e-6 > x.bound_s).count();
        assert_eq!(outside, 0, "{row}, seed {seed}");
        let flagged = errors.iter().filter(|(_, x)| x.flagged).count();
        assert!(flagged < errors.len() / 10, "{row}, seed {seed}: {flagged} samples flagged");
    }
}

/// Where nothing happens it is half the shortest round trip, and little more.
#[test]
fn the_bound_is_no_wider_than_it_must_be() {
    for row in
        ["pc, lan, 3600, lsl", "phone, usb, 600, lsl", "phone, wifi, 3600, lsl", "pc, lan, 3600, tobii"]
    {
        let case = case(row);
        let recorded = record(&case, 5);
        let shortest_s = recorded.exchanges.iter().map(|e| (e.t3_s - e.t0_s) - (e.t2_s - e.t1_s));
        let half_s = 0.5 * shortest_s.fold(f64::INFINITY, f64::min);
        let errors = errors(&history(&case, &recorded), &recorded);
        let narrow = share(&errors, |_, x| x.bound_s < 1.3 * half_s);
        assert!(narrow > 0.8, "{row}: {narrow}");
        assert!(share(&errors, |_, x| x.bound_s >= half_s) > 0.999, "{row}");
    }
}

/// A bound is half the shortest round trip of the place the device is at, where the way there and back
/// changes; and a place that was met for a minute only does not shift the clock of all others.
#[test]
fn places_do_not_shift_the_clock() {
    let case = case("hvac, roam, 7200, p8x5");
    for seed in [3, 18] {
        let recorded = record(&case, seed);
        let errors = errors(&history(&case, &recorded), &recorded);
        assert!(p95(&errors) < 300.0, "seed {seed}: {} us", p95(&errors));
        assert!(share(&errors, |e, x| e <= 1.96 * x.total_s) > 0.93, "seed {seed}: total");
    }
}

/// A path that takes longer one way has the exchanges of a symmetric one with another offset: no method
/// can tell, so `total` must allow for it, and a calibration must take it away.
#[test]
fn asymmetry_is_allowed_for_and_can_be_told() {
    let case = case("pc, wifi_asym, 3600, lsl");
    let recorded = record(&case, 3);
    let mut history = history(&case, &recorded);
    let blind = errors(&history, &recorded);
    assert!((400.0..600.0).contains(&p95(&blind)), "{}", p95(&blind));
    assert!(share(&blind, |e, x| e <= 1.96 * x.total_s) > 0.99);
    assert!(share(&blind, |e, x| e <= x.bound_s) > 0.999);
    history.known_asymmetry_s = Some(recorded.asymmetry_s());
    let told = errors(&history, &recorded);
    assert!(p95(&told) < 20.0, "{}", p95(&told));
    assert!(told[1000].1.total_s < 0.05 * blind[1000].1.total_s);
}

#[test]
fn steps_are_listed_with_time_and_size() {
    let case = case("phone_step, lan, 3600, lsl");
    let recorded = record(&case, 11);
    let map = fit(Method::Smooth, &history(&case, &recorded));
    for &(at_s, _) in &recorded.disturbed {
        let found = map.events.iter().filter(|e| e.host_from_s <= at_s && at_s <= e.host_to_s).count();
        assert_eq!(found, 1, "step at {at_s}: {:?}", map.events);
    }
    assert!(map.events.iter().all(|e| e.kind != EventKind::Reset || e.size_s.abs() > 0.3));
    assert_eq!(map.pieces.len(), map.events.len() + 1);
}

#[test]
fn the_map_can_be_inverted() {
    let case = case("phone, lan, 600, lsl");
    let recorded = record(&case, 5);
    let map = fit(Method::Smooth, &history(&case, &recorded));
    for sample in recorded.samples.iter().step_by(97) {
        let host_s = map.in_piece(0, sample.device_time_s).host_time_s;
        let (device_s, estimate) = map.device_time_s(host_s);
        assert!((device_s - sample.device_time_s).abs() < 1e-8);
        assert!(estimate.relative_s < 1e-5);
    }
}

/// Only what LabRecorder writes: offsets without round-trip times, stamped late.
#[test]
fn lab_recorder_files_are_timed_from_offsets_alone() {
    let case = case("phone, lan, 3600, lsl");
    let recorded = record(&case, 5);
    let offsets = recorded.lab_recorder_offsets.iter();
    let history = History {
        offsets: offsets
            .map(|&(device_time_s, offset_s)| Offset { device_time_s, offset_s, round_trip_s: None })
            .collect(),
        stale_stamps: true,
        ..History::default()
    };
    let seen_us = p95(&errors(&history, &recorded));
    assert!(seen_us < 60.0, "{seen_us}");
}

/// However little was measured.
#[test]
fn any_subset_of_exchanges_is_survived() {
    let case = case("phone_step, wifi, 3600, tobii");
    let recorded = record(&case, 2);
    let whole = history(&case, &recorded);
    for keep in [0, 1, 2, 3, 5, 9, 17, 40, 120] {
        let history = History { exchanges: whole.exchanges[..keep].to_vec(), ..whole.clone() };
        let errors = errors(&history, &recorded);
        assert_eq!(errors.len(), recorded.samples.len());
        if keep > 0 {
            assert!(errors.iter().all(|(e, x)| e.is_finite() && x.relative_s >= 0.0), "{keep}");
        }
    }
}
