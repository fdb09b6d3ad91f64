//! The benchmark itself: that it judges rightly.

use lockstep_clock::Method;
use lockstep_sim::study::{Case, family_a, family_b, record, seeds};

use super::score::{Given, Score, judge, percentile, seen, waves};
use super::*;

fn row(name: &str, duration_s: f64) -> Case {
    let case = family_a().into_iter().chain(family_b()).find(|case| case.name() == name).expect("a row");
    Case { duration_s, ..case }
}

fn settings(cases: Vec<Case>) -> Settings {
    Settings {
        cases,
        seeds: seeds::tuning(2),
        methods: vec![Method::None, Method::Linear],
        given: Given::Exchanges,
        online: false,
        threads: 2,
    }
}

#[test]
fn percentiles_are_nearest_ranks() {
    let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    assert_eq!(percentile(&mut values, 0.95), 95.0);
    assert_eq!(percentile(&mut values, 0.5), 50.0);
    assert_eq!(percentile(&mut values, 1.0), 100.0);
    assert_eq!(percentile(&mut [], 0.5), 0.0);
}

#[test]
fn waves_end_at_gaps() {
    let case = row("const, lan, 600, lsl", 120.0);
    let waves = waves(&record(&case, 1));
    assert!(waves.iter().all(|wave| wave.len() == 8), "{:?}", waves.iter().map(Vec::len).collect::<Vec<_>>());
    let case = row("flicker, lan, 7200, neon4", 120.0);
    let waves = super::score::waves(&record(&case, 1));
    assert!(waves.iter().all(|wave| wave.len() <= 9) && waves.len() >= 50, "{}", waves.len());
}

#[test]
fn a_line_fits_a_constant_clock_and_no_map_none() {
    let case = row("const, lan, 600, lsl", 600.0);
    let recorded = record(&case, 1);
    let seen = seen(&case, &recorded, Given::Exchanges);
    let line = judge(Method::Linear, &seen, &recorded);
    assert!(line.p95_us < 20.0 && line.max_us >= line.p95_us, "{line:?}");
    assert!((line.p95_us - line.p95_bias_removed_us).abs() < 1e-6, "a symmetric path has no bias");
    assert_eq!(line.bound_holds, 1.0, "{line:?}");
    let none = judge(Method::None, &seen, &recorded);
    assert!(none.p95_us > 1e6, "clocks are seconds apart: {none:?}");
}

#[test]
fn an_asymmetric_path_shows_its_bias_and_its_removal_removes_it() {
    let case = row("pc, wifi_asym, 3600, lsl", 600.0);
    let recorded = record(&case, 1);
    let seen = seen(&case, &recorded, Given::Exchanges);
    let score = judge(Method::Smooth, &seen, &recorded);
    assert!((score.p95_us - 500.0).abs() < 60.0, "{score:?}");
    assert!(score.p95_bias_removed_us < 60.0, "{score:?}");
}

#[test]
fn rows_come_in_order_with_every_seed() {
    let cases = vec![row("const, lan, 600, lsl", 60.0), row("warm, lan, 1800, p8x5", 90.0)];
    let seen = parking_lot::Mutex::new(Vec::new());
    let rows = run(&settings(cases.clone()), &|done, all| seen.lock().push((done, all)));
    assert_eq!(seen.into_inner(), [(1, 4), (2, 4), (3, 4), (4, 4)]);
    let names: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.family)).collect();
    assert_eq!(names, [("const, lan, 60, lsl", "A"), ("warm, lan, 90, p8x5", "B")]);
    for row in &rows {
        assert_eq!(row.methods.len(), 2);
        assert_eq!(row.methods[0].p95_us.len(), 2);
        let mean = row.methods[1].p95_us.iter().sum::<f64>() / 2.0;
        assert!((row.methods[1].mean.p95_us - mean).abs() < 1e-9);
    }
    assert!(render::tables(&rows).contains("const, lan, 60, lsl"));
    // One thread finds the same, but for the time it takes.
    let alone = run(&Settings { threads: 1, ..settings(cases) }, &|_, _| {});
    assert_eq!(alone[1].methods[1].p95_us, rows[1].methods[1].p95_us);
}

#[test]
fn what_is_missed_is_named() {
    let score = Score {
        p95_us: 2.0,
        relative_coverage: 0.5,
        total_coverage: 0.95,
        total_us: 10.0,
        bound_holds: 0.9999,
        ..Score::default()
    };
    let method = run::MethodRow { method: "smooth", mean: score, p95_us: vec![2.0] };
    let mut row = Row {
        name: "x".into(),
        family: "A",
        symmetric: true,
        target_us: Some(1.0),
        methods: vec![method],
        online: None,
    };
    assert_eq!(row.misses(), ["p95", "relative", "width", "bound"]);
    row.symmetric = false;
    assert_eq!(row.misses(), ["p95", "bound"], "coverage of relative needs a symmetric path");
}

#[test]
fn online_is_judged_by_time_since_the_start() {
    let rows =
        run(&Settings { online: true, ..settings(vec![row("const, lan, 600, lsl", 400.0)]) }, &|_, _| {});
    let score = rows[0].online.expect("online");
    assert!(score.last_us.iter().all(|us| us.is_some_and(|us| us > 1.0 && us < 2000.0)), "{score:?}");
    assert!(score.filter_us.iter().all(Option::is_some));
    assert!(render::tables(&rows).contains("FILTER"));
}

#[test]
fn lab_recorder_files_hold_offsets_only() {
    let case = row("phone, lan, 3600, lsl", 300.0);
    let seen = seen(&case, &record(&case, 1), Given::LabRecorder);
    let history = seen.history;
    assert!(history.exchanges.is_empty() && history.stale_stamps);
    assert!(history.offsets.len() > 50 && history.offsets.iter().all(|o| o.round_trip_s.is_none()));
}
