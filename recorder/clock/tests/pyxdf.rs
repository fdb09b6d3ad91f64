//! Agreement with pyxdf's own functions: `tests/data/README.md` says where the files come from.

use std::collections::HashMap;

use lockstep_clock::compat::{NearestRanges, clock_segments, truncate_corrupted_offsets};
use lockstep_clock::{
    DejitterFit, DejitterMethod, DejitterOptions, History, Method, Offset, RobustOptions, Shape, fit,
    fit_robust,
};

fn data(name: &str) -> String {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a file of the repository")
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

fn pairs(text: &str) -> Vec<(u64, u64)> {
    let pair = |word: &str| {
        let (a, b) = word.split_once('-').expect("a pair");
        (a.parse().expect("an index"), b.parse().expect("an index"))
    };
    text.split_whitespace().map(pair).collect()
}

/// 1 ns, or a few digits of a stamp that has none so small.
fn largest_difference(name: &str, ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let mut largest = 0.0_f64;
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let difference = (ours - theirs).abs();
        let digits = 4.0 * f64::EPSILON * theirs.abs();
        assert!(difference <= digits.max(1e-9), "{name}, sample {i}: {ours} for {theirs}");
        largest = largest.max(difference);
    }
    largest
}

struct Case<'a> {
    name: &'a str,
    lines: HashMap<&'a str, &'a str>,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text.lines() {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        match cases.last_mut() {
            Some(case) if key != "case" => {
                case.lines.insert(key, rest);
            }
            _ => cases.push(Case { name: rest, lines: HashMap::new() }),
        }
    }
    cases
}

#[test]
fn everything_load_xdf_does_with_time() {
    let text = data("load.txt");
    let (mut synced_off, mut dejittered_off, mut rate_off) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut exact = 0;
    let cases = cases(&text);
    assert!(cases.len() >= 70);
    for Case { name, lines } in &cases {
        let stream: Vec<&str> = lines["stream"].split(' ').collect();
        let rate_hz: f64 = stream[0].parse().expect("a rate");
        let mut stamps = numbers(lines["stamps"]);
        let times = numbers(lines["times"]);
        let mut offsets: Vec<Offset> = times
            .iter()
            .zip(numbers(lines["values"]))
            .map(|(&device_time_s, offset_s)| Offset { device_time_s, offset_s, round_trip_s: None })
            .collect();
        if let Some(kept) = truncate_corrupted_offsets(&offsets, stamps.len() as u64, stream[2].parse().ok())
        {
            offsets.truncate(kept.offsets);
            stamps.truncate(kept.samples as usize);
        }
        assert_eq!(format!("{} {}", offsets.len(), stamps.len()), lines["kept"], "{name}");

        let history = History { offsets, ..History::default() };
        let options = RobustOptions { handle_clock_resets: stream[3] == "1", ..RobustOptions::default() };
        let map = fit_robust(&history, &options);
        let mut nearest = NearestRanges::new(&map.pieces);
        stamps.chunks(7).for_each(|block| nearest.push(block));
        let ranges = nearest.finish();
        assert_eq!(clock_segments(&map.pieces, &ranges), pairs(lines["clock_segments"]), "{name}");
        let mut host = stamps.clone();
        for range in ranges {
            for sample in range.first as usize..range.end as usize {
                host[sample] = map.in_piece(range.piece, stamps[sample]).host_time_s;
            }
        }
        let theirs = numbers(lines["synced"]);
        synced_off = synced_off.max(largest_difference(name, &host, &theirs));
        exact += usize::from(host == theirs);

        let mut fit = DejitterFit::new(DejitterOptions {
            method: DejitterMethod::Pyxdf,
            nominal_rate_hz: rate_hz,
            can_drop_samples: stream[1] == "1",
            ..DejitterOptions::default()
        });
        for (device, host) in stamps.chunks(11).zip(host.chunks(11)) {
            fit.push(device, host);
        }
        let plan = fit.finish();
        assert_eq!(plan.segments, pairs(lines["segments"]), "{name}");
        let their_rate_hz: f64 = lines["rate"].parse().expect("a rate");
        let off = (plan.effective_rate_hz / their_rate_hz - 1.0).abs();
        // Stamps that do not advance have a rate of digits' noise.
        if *name != "all_equal" && plan.effective_rate_hz != their_rate_hz {
            let digits = 1e-9_f64.max(4.0 * f64::EPSILON * host.first().map_or(0.0, |h| h.abs()));
            assert!(off <= digits, "{name}: {} for {their_rate_hz}", plan.effective_rate_hz);
            rate_off = rate_off.max(off);
        }
        let mut ours = host.clone();
        for (i, (device, host)) in stamps.chunks(13).zip(ours.chunks_mut(13)).enumerate() {
            plan.apply(i as u64 * 13, device, host);
        }
        let dejittered = lines["dejittered"];
        let theirs = if dejittered == "same" { theirs } else { numbers(dejittered) };
        dejittered_off = dejittered_off.max(largest_difference(name, &ours, &theirs));
    }
    println!(
        "{} cases, {exact} synchronized to the last bit; off by at most {synced_off:e} s, dejittered \
         {dejittered_off:e} s, effective rate {rate_off:e}",
        cases.len()
    );
}

/// The generator of `pyxdf_clock_cases.py`.
fn pseudo(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f64 / f64::from(1 << 24)
}

#[test]
fn the_robust_line_has_the_digits_of_pyxdf() {
    let mut exact = 0;
    let (mut count, mut largest_s) = (0, 0.0_f64);
    for line in data("huber.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [base, level, spread] = [0, 1, 3].map(|i| words[i].parse::<f64>().expect("a number"));
        let n: u32 = words[2].parse().expect("a count");
        let mut state = u64::from(n);
        let times: Vec<f64> =
            (0..n).map(|i| (base + 5.0 * f64::from(i)) + 0.25 * pseudo(&mut state)).collect();
        let offsets = times.iter().zip(0..n).map(|(&device_time_s, i)| {
            let random = pseudo(&mut state);
            let random = if i % 3 == 0 { 2f64.powi(-6) * random } else { random };
            let offset_s = level + 2f64.powi(-15) * (5.0 * f64::from(i)) + spread * random;
            Offset { device_time_s, offset_s, round_trip_s: None }
        });
        let history = History { offsets: offsets.collect(), ..History::default() };
        let map =
            fit_robust(&history, &RobustOptions { handle_clock_resets: false, ..RobustOptions::default() });
        let Shape::Line { intercept_s, slope } = map.pieces[0].shape else { panic!("a line") };
        let [a, b] = [4, 5].map(|i| f64::from_bits(u64::from_str_radix(words[i], 16).expect("bits")));
        count += 1;
        exact += usize::from(intercept_s == a && slope == b);
        for t in [times[0], times[times.len() - 1]] {
            let difference_s = ((intercept_s + slope * t) - (a + b * t)).abs();
            assert!(difference_s <= 1e-9_f64.max(4.0 * f64::EPSILON * level.abs()), "{line}");
            largest_s = largest_s.max(difference_s);
        }
    }
    assert_eq!(exact, count, "largest difference {largest_s:e} s");
}

#[test]
fn a_file_that_kept_nothing_is_taken_as_it_is() {
    for method in Method::ALL {
        let map = fit(method, &History::default());
        assert!(map.pieces.is_empty(), "{method:?}");
        let estimate = map.in_piece(0, 12.5);
        assert!(estimate.host_time_s == 12.5 && estimate.bound_s.is_infinite(), "{method:?}");
    }
}
