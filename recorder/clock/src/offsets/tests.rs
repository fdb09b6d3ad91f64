use super::sim::{Clock, Crystal, Dice, Network, Path, burst};
use super::*;
use proptest::prelude::*;

/// What LabRecorder writes: each 5 s the cached result of liblsl's last burst of 8 probes (each 2 s, at
/// least 6 answers within 0.64 s of the first), stamped when it was read.
fn lab_recorder(clock: &Clock, path: Path, length_s: f64, dice: &mut Dice) -> Vec<Offset> {
    let mut network = Network::new(path, dice);
    // Timers are a little late, each by its own.
    let (late_burst_s, late_read_s) = (1e-3 * dice.unit(), 3e-3 * dice.unit());
    let mut burst_s = -6.0 + 2.0 * dice.unit();
    let mut cached = None;
    let mut waiting: Option<(f64, f64)> = None;
    let mut offsets = Vec::new();
    let mut read_s = 5.0 * dice.unit();
    while read_s < length_s {
        while burst_s + 0.64 <= read_s {
            let answers: Vec<_> = burst(&mut network, clock, burst_s, 8, dice)
                .into_iter()
                .filter(|e| e.t3_s < burst_s + 0.64)
                .collect();
            if answers.len() >= 6 {
                let best = crate::best(&answers, crate::Reading::FINE).expect("answers");
                waiting = Some((burst_s + 0.64, best.offset_s));
            }
            if let Some((_, offset_s)) = waiting.take() {
                cached = Some(offset_s);
            }
            burst_s += 2.0 + late_burst_s * (0.5 + dice.unit());
        }
        if let Some(offset_s) = cached {
            offsets.push(Offset { device_time_s: read_s - offset_s, offset_s, round_trip_s: None });
        }
        read_s += 5.0 + late_read_s * (0.5 + dice.unit());
    }
    offsets
}

struct Score {
    p95_us: f64,
    max_us: f64,
    coverage: f64,
}

/// Errors each second of the recording, by the piece that measured the time (or the nearer).
fn score(map: &ClockMap, clock: &Clock, length_s: f64, margin_s: f64) -> Score {
    let (mut errors, mut covered) = (Vec::new(), 0);
    for second in 0..length_s as usize {
        let host_s = second as f64;
        if !clock.quiet(host_s, margin_s) {
            continue;
        }
        let device_s = clock.device_s(host_s);
        let away = |p: &Piece| (p.host_span_s.0 - host_s).max(host_s - p.host_span_s.1).max(0.0);
        let piece = (0..map.pieces.len())
            .min_by(|&a, &b| away(&map.pieces[a]).total_cmp(&away(&map.pieces[b])))
            .unwrap_or(0);
        let got = map.in_piece(piece, device_s);
        let error_s = (got.host_time_s - host_s).abs();
        covered += usize::from(error_s <= 1.96 * got.relative_s);
        errors.push(1e6 * error_s);
    }
    errors.sort_by(f64::total_cmp);
    let n = errors.len();
    Score { p95_us: errors[n * 95 / 100], max_us: errors[n - 1], coverage: covered as f64 / n as f64 }
}

fn lab_recorder_score(crystal: Crystal, path: Path, length_s: f64, seed: u64) -> (Score, ClockMap, Clock) {
    let mut dice = Dice::new(seed);
    let clock = Clock::new(crystal, length_s, &mut dice);
    let offsets = lab_recorder(&clock, path, length_s, &mut dice);
    let history = History { offsets, stale_stamps: true, ..History::default() };
    let map = smooth_offsets(&history);
    (score(&map, &clock, length_s, 20.0), map, clock)
}

/// Seeds below 100 were looked at while choosing constants; reports use those from 1000.
#[test]
#[ignore = "a report: run with --ignored --nocapture"]
fn report() {
    let first: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    for (crystal, path, length_s) in [
        (Crystal::Constant, Path::Lan, 600.0),
        (Crystal::Pc, Path::Usb, 600.0),
        (Crystal::Pc, Path::Lan, 3600.0),
        (Crystal::Pc, Path::Usb, 3600.0),
        (Crystal::Pc, Path::Wifi, 3600.0),
        (Crystal::Phone, Path::Usb, 600.0),
        (Crystal::Phone, Path::Lan, 10800.0),
        (Crystal::Phone, Path::Usb, 10800.0),
        (Crystal::Phone, Path::Wifi, 600.0),
        (Crystal::Phone, Path::Wifi, 3600.0),
        (Crystal::Phone, Path::Wifi, 10800.0),
        (Crystal::PhoneStep, Path::Lan, 3600.0),
        (Crystal::PhoneStep, Path::Wifi, 10800.0),
        (Crystal::PhoneSlew, Path::Lan, 3600.0),
        (Crystal::PhoneSlew, Path::Wifi, 10800.0),
    ] {
        let start = std::time::Instant::now();
        let runs: Vec<_> =
            (first..first + 20).map(|seed| lab_recorder_score(crystal, path, length_s, seed)).collect();
        let mean = |f: &dyn Fn(&Score) -> f64| runs.iter().map(|r| f(&r.0)).sum::<f64>() / runs.len() as f64;
        let worst = |f: &dyn Fn(&Score) -> f64| runs.iter().map(|r| f(&r.0)).fold(0.0, f64::max);
        let events: usize = runs.iter().map(|r| r.1.events.len()).sum();
        let steps: usize = runs.iter().map(|r| r.2.steps.len()).sum();
        let slews: usize = runs.iter().map(|r| r.2.slews.len()).sum();
        println!(
            "{crystal:?} {path:?} {length_s}: p95 mean {:.1} worst {:.1} max {:.0} coverage {:.3} lowest {:.2} \
             events {events} (steps {steps}, slews {slews}) {:?} each",
            mean(&|s| s.p95_us),
            worst(&|s| s.p95_us),
            worst(&|s| s.max_us),
            mean(&|s| s.coverage),
            runs.iter().map(|r| r.0.coverage).fold(1.0, f64::min),
            start.elapsed() / 20,
        );
    }
}

/// What is asked of LabRecorder's files: 25 us on cables, 75 us on busy Wi-Fi, phone clocks, 3 h.
#[test]
fn lab_recorder_files_meet_their_targets() {
    for (path, seeds, most_us) in
        [(Path::Lan, 2000..2003, 25.0), (Path::Usb, 2000..2003, 25.0), (Path::Wifi, 2000..2003, 75.0)]
    {
        let mut sum_us = 0.0;
        for seed in seeds {
            let (score, map, _) = lab_recorder_score(Crystal::Phone, path, 10800.0, seed);
            assert!(map.events.is_empty(), "{path:?} {seed}: {:?}", map.events);
            assert!(score.coverage > 0.85, "{path:?} {seed}: {}", score.coverage);
            sum_us += score.p95_us;
        }
        assert!(sum_us / 3.0 <= most_us, "{path:?}: {}", sum_us / 3.0);
    }
}

fn offset(device_time_s: f64, offset_s: f64) -> Offset {
    Offset { device_time_s, offset_s, round_trip_s: None }
}

fn map_of(offsets: Vec<Offset>) -> ClockMap {
    smooth_offsets(&History { offsets, ..History::default() })
}

/// Offsets each 5 s with a little scatter.
fn scattered(count: usize, theta_s: impl Fn(f64) -> f64) -> Vec<Offset> {
    let mut dice = Dice::new(5);
    (0..count)
        .map(|i| {
            let device_s = 100.0 + 5.0 * i as f64;
            offset(device_s, theta_s(device_s) + 10e-6 * dice.normal())
        })
        .collect()
}

#[test]
fn one_offset_is_a_constant_and_two_are_a_line() {
    let one = map_of(vec![offset(10.0, -3.0)]);
    assert_eq!(one.pieces.len(), 1);
    let got = one.in_piece(0, 110.0);
    assert!((got.host_time_s - 107.0).abs() < 1e-9);
    assert!(got.relative_s > 100.0 * 40e-6, "crystals differ by 50 ppm: {}", got.relative_s);
    assert_eq!(got.bound_s, f64::INFINITY);

    let two = map_of(vec![offset(10.0, -3.0), offset(20.0, -3.0001)]);
    assert!((two.in_piece(0, 30.0).host_time_s - 26.9998).abs() < 2e-6, "{:?}", two.in_piece(0, 30.0));
    assert!(map_of(Vec::new()).pieces.is_empty());
}

#[test]
fn the_recorders_own_clock_is_left_alone() {
    let map = map_of((0..20).map(|i| offset(f64::from(i), 0.0)).collect());
    assert_eq!(map.in_piece(0, 7.5).host_time_s, 7.5);
    assert_eq!(map.in_piece(0, 7.5).relative_s, 0.0);
}

#[test]
fn what_was_never_measured_is_left_out_and_counted() {
    let theta_s = |d: f64| 50.0 + 30e-6 * d;
    let clean = map_of(scattered(200, theta_s));
    let mut offsets = scattered(200, theta_s);
    offsets.insert(180, offset(1e300, 50.0));
    offsets.insert(150, offset(f64::NAN, f64::NAN));
    offsets.insert(120, offset(850.0, 6.9e-310));
    offsets.insert(100, offset(600.0 + 50.0, 0.0));
    offsets.insert(60, offset(-1e9, 17.0));
    offsets.insert(0, offset(150.0, 0.0));
    let map = map_of(offsets);
    assert_eq!(map.events, clean.events, "no reset");
    assert!(map.remarks.iter().any(|r| r.starts_with("6 of 206")), "{:?}", map.remarks);
    let difference_s = map.in_piece(0, 700.0).host_time_s - clean.in_piece(0, 700.0).host_time_s;
    assert!(difference_s.abs() < 1e-9);
}

#[test]
fn steps_and_resets_divide_outliers_do_not() {
    let theta_s = |d: f64| 20e-6 * d + if d > 600.0 { 2e-3 } else { 0.0 };
    let mut offsets = scattered(200, theta_s);
    // Two of three in a row are far off.
    offsets[50].offset_s += 5e-3;
    offsets[52].offset_s += 5.2e-3;
    let map = map_of(offsets);
    assert_eq!(map.events.len(), 1, "{:?}", map.events);
    assert_eq!(map.events[0].kind, EventKind::Step);
    assert!((map.events[0].size_s - 2e-3).abs() < 30e-6);

    // A device that starts again.
    let mut offsets = scattered(100, |_| 1000.0);
    offsets.extend(scattered(100, |_| 1800.0));
    let map = map_of(offsets);
    assert_eq!(map.pieces.len(), 2);
    assert_eq!(map.events[0].kind, EventKind::Reset);
}

#[test]
fn repeated_values_give_a_cache_away() {
    let mut dice = Dice::new(3);
    let clock = Clock::new(Crystal::Phone, 3600.0, &mut dice);
    let mut offsets = lab_recorder(&clock, Path::Lan, 3600.0, &mut dice);
    for i in [40, 41, 200, 300, 500] {
        let host_s = host_s(&offsets[i]);
        offsets[i].offset_s = offsets[i - 1].offset_s;
        offsets[i].device_time_s = host_s - offsets[i].offset_s;
    }
    let map = map_of(offsets);
    assert!(map.remarks.iter().any(|r| r.contains("5 repeated")), "{:?}", map.remarks);
}

/// With round-trip times the slow ones count less, and there is a bound.
#[test]
fn round_trip_times_help() {
    let mut dice = Dice::new(11);
    let clock = Clock::new(Crystal::Phone, 3600.0, &mut dice);
    let mut network = Network::new(Path::Wifi, &mut dice);
    let mut offsets = Vec::new();
    for i in 0..720 {
        let answers = burst(&mut network, &clock, 5.0 * f64::from(i), 8, &mut dice);
        if let Some(best) = crate::best(&answers, crate::Reading::FINE) {
            offsets.push(Offset {
                device_time_s: best.device_time_s,
                offset_s: best.offset_s,
                round_trip_s: Some(best.round_trip_s),
            });
        }
    }
    let with = smooth_offsets(&History { offsets: offsets.clone(), ..History::default() });
    for offset in &mut offsets {
        offset.round_trip_s = None;
    }
    let without = map_of(offsets);
    let (with_score, without_score) =
        (score(&with, &clock, 3600.0, 0.0), score(&without, &clock, 3600.0, 0.0));
    assert!(with_score.p95_us < without_score.p95_us, "{} {}", with_score.p95_us, without_score.p95_us);
    assert!(with_score.p95_us < 50.0, "{}", with_score.p95_us);
    assert!((0.9e-3..1.2e-3).contains(&with.pieces[0].bound_s), "{}", with.pieces[0].bound_s);
    assert!(without.pieces[0].bound_s.is_infinite());
}

#[test]
fn offsets_that_no_clock_has_leave_a_map() {
    let raw = [(-1625.369, 0.0), (0.0, -6.527e-4), (0.0, 0.0), (1.029e-183, 0.0), (0.0, 4.777e-4)];
    let offset = |(device_time_s, offset_s)| Offset { device_time_s, offset_s, round_trip_s: None };
    let map = smooth_offsets(&History { offsets: raw.map(offset).into(), ..History::default() });
    assert!(!map.pieces.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Anything at all: no panic, knots in order, finite figures.
    #[test]
    fn whatever_a_file_holds_gives_a_map(
        raw in proptest::collection::vec(
            (
                prop_oneof![-1e4f64..1e4, any::<f64>(), Just(5.0)],
                prop_oneof![-1e-3f64..1e-3, -10f64..10.0, any::<f64>(), Just(0.0)],
                proptest::option::of(prop_oneof![0f64..0.1, any::<f64>()]),
            ),
            0..60,
        ),
        sorted in any::<bool>(),
        stale_stamps in any::<bool>(),
    ) {
        let mut offsets: Vec<Offset> = raw
            .into_iter()
            .map(|(device_time_s, offset_s, round_trip_s)| Offset { device_time_s, offset_s, round_trip_s })
            .collect();
        if sorted {
            offsets.sort_by(|a, b| a.device_time_s.total_cmp(&b.device_time_s));
        }
        let map = smooth_offsets(&History { offsets, stale_stamps, ..History::default() });
        for (i, piece) in map.pieces.iter().enumerate() {
            if let Shape::Curve(curve) = &piece.shape {
                prop_assert!(curve.knots.windows(2).all(|k| k[0].x_s < k[1].x_s));
                prop_assert!(curve.knots.iter().all(|k| k.y_s.is_finite() && k.variance_s2 >= 0.0));
            }
            let got = map.in_piece(i, piece.device_span_s.0);
            prop_assert!(got.host_time_s.is_finite() && got.relative_s.is_finite(), "{got:?}");
        }
        prop_assert_eq!(map.events.len(), map.pieces.len().saturating_sub(1));
    }
}
