use proptest::prelude::*;

use super::*;
use crate::offsets::sim::{Clock, Crystal, Dice, Network, Path, burst};

/// Errors of one recording, in microseconds, in three parts: 10-60 s, 1-5 min, after that.
#[derive(Default)]
struct Errors {
    last: [Vec<f64>; 3],
    map: [Vec<f64>; 3],
    monotone: [Vec<f64>; 3],
    covered: usize,
}

fn run(crystal: Crystal, path: Path, length_s: f64, (probes, each_s): (usize, f64), seed: u64) -> Errors {
    let mut dice = Dice::new(seed);
    let clock = Clock::new(crystal, length_s, &mut dice);
    let mut network = Network::new(path, &mut dice);
    let mut map = OnlineMap::new(Reading::FINE);
    let mut monotone = Monotone::default();
    let mut last_offset_s = None;
    let mut errors = Errors::default();
    let mut wave_s = 0.5 * dice.unit();
    let mut wave: Vec<Exchange> = Vec::new();
    let mut done_s = f64::INFINITY;
    for tick in 0..(length_s * 2.0) as usize {
        let now_s = 0.5 * tick as f64;
        if now_s >= done_s {
            map.push_wave(&wave);
            last_offset_s = crate::best(&wave, Reading::FINE).map(|b| b.offset_s).or(last_offset_s);
            done_s = f64::INFINITY;
        }
        if now_s >= wave_s {
            wave = burst(&mut network, &clock, wave_s, probes, &mut dice);
            // As in liblsl: what was not answered 128 ms after the last question is lost.
            done_s = wave_s + 0.064 * probes as f64 + 0.128;
            wave.retain(|e| e.t3_s < done_s);
            wave_s += each_s;
        }
        let device_s = clock.device_s(now_s);
        let (Some(offset_s), Some(given)) = (last_offset_s, monotone.next(&map, device_s)) else { continue };
        let part = match now_s {
            t if t < 10.0 => continue,
            t if t < 60.0 => 0,
            t if t < 300.0 => 1,
            _ => 2,
        };
        let error_us = |host_s: f64| 1e6 * (host_s - now_s).abs();
        let got = map.at(device_s);
        errors.last[part].push(error_us(device_s + offset_s));
        errors.map[part].push(error_us(got.host_time_s));
        errors.monotone[part].push(error_us(given.host_time_s));
        errors.covered += usize::from(error_us(got.host_time_s) <= 1.96e6 * got.relative_s);
    }
    errors
}

fn p95(mut errors: Vec<f64>) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() * 95 / 100).copied().unwrap_or(f64::NAN)
}

/// Means over recordings of p95 in microseconds, [last, map, monotone] by part, and the coverage of 1.96 sigma.
fn table(
    crystal: Crystal,
    path: Path,
    length_s: f64,
    waves: (usize, f64),
    seeds: std::ops::Range<u64>,
) -> ([[f64; 3]; 3], f64) {
    let mut sums = [[0.0; 3]; 3];
    let (mut covered, mut all) = (0, 0);
    let count = seeds.clone().count() as f64;
    for seed in seeds {
        let errors = run(crystal, path, length_s, waves, seed);
        covered += errors.covered;
        all += errors.map.iter().map(Vec::len).sum::<usize>();
        for (sums, errors) in sums.iter_mut().zip([errors.last, errors.map, errors.monotone]) {
            for (sum, errors) in sums.iter_mut().zip(errors) {
                *sum += p95(errors) / count;
            }
        }
    }
    (sums, covered as f64 / all as f64)
}

/// Seeds below 100 were looked at while choosing constants; reports use those from 1000.
#[test]
#[ignore = "a report: run with --ignored --nocapture"]
fn report() {
    use Crystal::{Constant, Pc, Phone, PhoneSlew, PhoneStep};
    use Path::{Gamma, Lan, OneWay, Roam, Usb, Wifi};
    let first: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let (lsl, tobii) = ((8, 5.0), (4, 60.0));
    for (crystal, path, length_s, waves) in [
        (Constant, Lan, 3600.0, lsl),
        (Constant, Usb, 3600.0, lsl),
        (Constant, Wifi, 3600.0, lsl),
        (Pc, Lan, 3600.0, lsl),
        (Pc, Usb, 3600.0, lsl),
        (Pc, Wifi, 3600.0, lsl),
        (Phone, Lan, 3600.0, lsl),
        (Phone, Usb, 3600.0, lsl),
        (Phone, Wifi, 3600.0, lsl),
        (PhoneStep, Lan, 3600.0, lsl),
        (PhoneStep, Usb, 3600.0, lsl),
        (PhoneStep, Wifi, 3600.0, lsl),
        (PhoneSlew, Lan, 3600.0, lsl),
        (PhoneSlew, Usb, 3600.0, lsl),
        (PhoneSlew, Wifi, 3600.0, lsl),
        (Pc, Lan, 3600.0, tobii),
        (Pc, Wifi, 3600.0, tobii),
        (Phone, Lan, 3600.0, tobii),
        (Phone, Wifi, 3600.0, tobii),
        (PhoneStep, Wifi, 3600.0, tobii),
        (Phone, Wifi, 1800.0, (1, 0.5)),
        (Phone, Gamma, 1800.0, lsl),
        (Phone, OneWay, 1800.0, lsl),
        (Phone, Roam, 1800.0, lsl),
        (Phone, Roam, 1800.0, (8, 2.0)),
    ] {
        let (sums, coverage) = table(crystal, path, length_s, waves, first..first + 20);
        let cells = sums.map(|row| row.map(|v| format!("{v:>8.1}")).join(" "));
        println!(
            "{:<10} {:<5} {:>5} {:>2}/{:<3} last {} | map {} | monotone {} | coverage {coverage:.3}",
            format!("{crystal:?}"),
            format!("{path:?}"),
            length_s,
            waves.0,
            waves.1,
            cells[0],
            cells[1],
            cells[2]
        );
    }
}

/// Drifts, wander, bursts: far nearer than the last offset, after a minute and after five.
#[test]
fn it_is_nearer_than_the_last_offset() {
    for (crystal, path, minute_us, later_us) in [
        (Crystal::Phone, Path::Lan, 5.0, 5.0),
        (Crystal::Phone, Path::Usb, 25.0, 25.0),
        (Crystal::Phone, Path::Wifi, 150.0, 100.0),
        (Crystal::PhoneStep, Path::Lan, 5.0, 5.0),
    ] {
        let ([last, map, _], coverage) = table(crystal, path, 1800.0, (8, 5.0), 2000..2004);
        assert!(map[1] < minute_us && map[2] < later_us, "{crystal:?} {path:?}: {map:?}");
        assert!(map[1] < 0.2 * last[1] && map[2] < 0.2 * last[2], "{crystal:?} {path:?}: {last:?} {map:?}");
        assert!(coverage > 0.9, "{crystal:?} {path:?}: {coverage}");
    }
}

/// A wave of exact exchanges, 100 us each way.
fn wave_at(host_s: f64, offset_s: f64) -> Vec<Exchange> {
    (0..4)
        .map(|i| {
            let t0_s = host_s + 0.05 * f64::from(i);
            let t1_s = t0_s + 100e-6 - offset_s;
            Exchange { t0_s, t1_s, t2_s: t1_s + 20e-6, t3_s: t0_s + 220e-6 }
        })
        .collect()
}

#[test]
fn nothing_is_known_before_the_first_wave() {
    let map = OnlineMap::new(Reading::FINE);
    assert_eq!(map.at(5.0).host_time_s, 5.0);
    assert!(map.at(5.0).relative_s.is_infinite());
    assert_eq!(Monotone::default().next(&map, 5.0), None);
}

#[test]
fn a_step_is_taken_in_at_once_and_slewed_in_the_output() {
    let mut map = OnlineMap::new(Reading::FINE);
    let mut monotone = Monotone::default();
    for i in 0..20 {
        map.push_wave(&wave_at(5.0 * f64::from(i), 7.0));
    }
    let before = monotone.next(&map, 90.0).expect("known");
    assert!((before.host_time_s - 97.0).abs() < 5e-6 && !before.flagged);
    // The device's clock is set forward by 20 ms.
    map.push_wave(&wave_at(100.0, 6.98));
    let now = map.at(93.5);
    assert!((now.host_time_s - 100.48).abs() < 20e-6, "{now:?}");
    assert!(now.flagged);
    let slewed = monotone.next(&map, 93.5).expect("known");
    assert!((slewed.host_time_s - (100.5 - 2e-3 * 3.5)).abs() < 20e-6, "{slewed:?}");
    assert!(slewed.relative_s > 0.012, "the lag is part of the error");
    // A restart: 500 s back.
    map.push_wave(&wave_at(105.0, 506.98));
    assert!((map.at(-401.0).host_time_s - 105.98).abs() < 20e-6);
    let jumped = monotone.next(&map, -401.0).expect("known");
    assert!(jumped.flagged && (jumped.host_time_s - 105.98).abs() < 20e-6);
}

#[test]
fn floored_readings_are_placed_in_the_middle_of_their_step() {
    let reading = Reading { resolution_s: 1e-3, stamp: crate::Stamp::Floor };
    let mut map = OnlineMap::new(reading);
    let mut dice = Dice::new(1);
    for i in 0..100 {
        let mut wave = wave_at(5.0 * f64::from(i) + 0.01 * dice.unit(), 7.0 + 20e-6 * 5.0 * f64::from(i));
        for exchange in &mut wave {
            exchange.t1_s = (1e3 * exchange.t1_s).floor() / 1e3;
            exchange.t2_s = exchange.t1_s;
        }
        map.push_wave(&wave);
    }
    let error_s = map.at(490.0).host_time_s - (490.0 + 7.0 + 20e-6 * 497.0);
    assert!(error_s.abs() < 150e-6, "{error_s}");
    assert!(map.at(490.0).bound_s > 0.6e-3);
}

/// Whatever the stamps of a device do, a host clock that is read wrongly once is got over.
#[test]
fn an_impossible_host_time_is_got_over() {
    let mut map = OnlineMap::new(Reading::FINE);
    for i in 0..10 {
        map.push_wave(&wave_at(5.0 * f64::from(i), 7.0));
    }
    map.push_wave(&wave_at(1e11, 7.0));
    for i in 11..30 {
        map.push_wave(&wave_at(5.0 * f64::from(i), 7.0));
    }
    assert!((map.at(138.0).host_time_s - 145.0).abs() < 20e-6, "{:?}", map.at(138.0));
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0f64..10.0,
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(0.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Good waves and garbage in any order: no panic, covariances positive, memory bounded, the output
    /// strictly increasing; and when the garbage ends the map is right again.
    #[test]
    fn garbage_does_not_poison(
        turns in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec((number(), number(), number(), number()), 0..6), number()),
            1..60,
        ),
        resolution_s in prop_oneof![Just(0.0), Just(1e-3), any::<f64>()],
    ) {
        let mut map = OnlineMap::new(Reading { resolution_s, stamp: crate::Stamp::Exact });
        let mut monotone = Monotone::default();
        let mut last_s = f64::NEG_INFINITY;
        for (i, (good, garbage, device_s)) in turns.iter().enumerate() {
            let host_s = 5.0 * i as f64;
            let mut wave: Vec<Exchange> = garbage
                .iter()
                .map(|&(a, b, c, d)| Exchange { t0_s: host_s + a, t1_s: b, t2_s: b + c, t3_s: host_s + d })
                .collect();
            if *good {
                wave.extend(wave_at(host_s, 7.0));
            }
            map.push_wave(&wave);
            if let Some(State { p: (a, b, c), offset_s, frequency, .. }) = map.state {
                prop_assert!(offset_s.is_finite() && frequency.is_finite());
                prop_assert!(a > 0.0 && c > 0.0 && a * c >= b * b, "{a} {b} {c}");
            }
            prop_assert!(map.exchanges <= MEMORY + 64 && map.waves.len() <= MEMORY + 64);
            for device_s in [host_s - 7.0, *device_s, host_s - 6.9] {
                if let Some(got) = monotone.next(&map, device_s) {
                    prop_assert!(got.host_time_s > last_s, "{} {last_s}", got.host_time_s);
                    prop_assert!(got.relative_s >= 0.0 && got.total_s >= got.relative_s);
                    last_s = got.host_time_s;
                }
            }
        }
        let end_s = 5.0 * turns.len() as f64 + 100.0;
        for i in 0..20 {
            map.push_wave(&wave_at(end_s + 5.0 * f64::from(i), 7.0));
        }
        let error_s = (map.at(end_s + 95.0 - 7.0).host_time_s - (end_s + 95.0)).abs();
        prop_assert!(error_s < 1e-3 + 0.1 * map.resolution_s, "{error_s}");
    }
}
