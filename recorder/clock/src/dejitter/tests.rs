use proptest::prelude::*;

use super::*;

/// Deterministic noise, even in [-1, 1).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / f64::from(2).powi(52) - 1.0
    }
}

fn relative(nominal_rate_hz: f64) -> DejitterOptions {
    DejitterOptions { nominal_rate_hz, ..DejitterOptions::default() }
}

fn video(nominal_rate_hz: f64) -> DejitterOptions {
    DejitterOptions { can_drop_samples: true, ..relative(nominal_rate_hz) }
}

/// Both passes, in blocks of odd sizes.
fn dejittered(options: DejitterOptions, device: &[f64], host: &[f64]) -> (DejitterPlan, Vec<f64>) {
    let mut fit = DejitterFit::new(options);
    for (device, host) in device.chunks(997).zip(host.chunks(997)) {
        fit.push(device, host);
    }
    let plan = fit.finish();
    let mut out = host.to_vec();
    let mut first = 0;
    for (device, host) in device.chunks(1013).zip(out.chunks_mut(1013)) {
        plan.apply(first, device, host);
        first += host.len() as u64;
    }
    (plan, out)
}

/// Error that remains after the mean of it is taken out: root mean square and largest.
fn errors(got: &[f64], truth: &[f64]) -> (f64, f64) {
    let off: Vec<f64> = got.iter().zip(truth).map(|(a, b)| a - b).collect();
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    let rms = (off.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / off.len() as f64).sqrt();
    (rms, off.iter().fold(0.0, |m: f64, x| m.max((x - mean).abs())))
}

/// A clock that wanders by about a millisecond within an hour.
fn wandering(index: usize, rate_hz: f64) -> f64 {
    let t = index as f64 / rate_hz;
    1000.0 + t + 1e-3 * (t / 600.0).sin()
}

#[test]
fn a_wandering_clock_is_not_straightened() {
    let truth: Vec<f64> = (0..360_000).map(|i| wandering(i, 100.0)).collect();
    let mut noise = Noise(1);
    let host: Vec<f64> = truth.iter().map(|t| t + 2e-3 * noise.next()).collect();
    let (plan, ours) = dejittered(relative(100.0), &host, &host);
    let pyxdf = DejitterOptions { method: DejitterMethod::Pyxdf, ..relative(100.0) };
    let (_, theirs) = dejittered(pyxdf, &host, &host);
    let (ours_s, theirs_s) = (errors(&ours, &truth).0, errors(&theirs, &truth).0);
    println!("rms error: {:.1} us, straight line {:.1} us", ours_s * 1e6, theirs_s * 1e6);
    assert!(ours_s < 30e-6 && theirs_s > 300e-6, "{ours_s} {theirs_s}");
    assert!((plan.effective_rate_hz / 100.0 - 1.0).abs() < 1e-5, "{}", plan.effective_rate_hz);
    assert!((plan.jitter_rms_s - 2e-3 / 3f64.sqrt()).abs() < 2e-5, "{}", plan.jitter_rms_s);
    assert_eq!(plan.segments, [(0, 359_999)]);
}

#[test]
fn stamps_without_jitter_are_not_moved() {
    for epoch_s in [0.0, 1.7e9] {
        let host: Vec<f64> = (0..200_000).map(|i| epoch_s + wandering(i, 250.0)).collect();
        let (_, ours) = dejittered(relative(250.0), &host, &host);
        for (a, b) in ours.iter().zip(&host) {
            // What a period changes by from one sample to the next.
            assert!((a - b).abs() < 1e-8 + 4.0 * f64::EPSILON * epoch_s, "{a} {b}");
        }
    }
}

#[test]
fn straight_device_times_are_straightened_as_a_whole_and_then_mapped() {
    // The device stamps its samples by the clock they are taken by, with jitter; the map wanders, and
    // slews for a while.
    let map = |d: f64| d + 5.0 + 1e-3 * (d / 500.0).sin() + 5e-4 * (d - 1000.0).clamp(0.0, 50.0);
    let mut noise = Noise(2);
    let device: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 50.0 * (1.0 + 3e-5)).collect();
    let truth: Vec<f64> = device.iter().map(|d| map(*d)).collect();
    let device: Vec<f64> = device.iter().map(|d| d + 5e-3 * noise.next()).collect();
    let host: Vec<f64> = device.iter().map(|d| map(*d)).collect();
    let (_, ours) = dejittered(relative(50.0), &device, &host);
    let (rms_s, max_s) = errors(&ours, &truth);
    println!("rms {:.2} us, max {:.2} us", rms_s * 1e6, max_s * 1e6);
    assert!(rms_s < 15e-6 && max_s < 40e-6, "{rms_s} {max_s}");
}

#[test]
fn straight_host_times_are_used_where_the_device_clock_is_slewed() {
    // The samples are taken evenly, only their stamps are of a clock that is slewed.
    let mut noise = Noise(3);
    let truth: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 50.0).collect();
    let jitter: Vec<f64> = truth.iter().map(|_| 2e-3 * noise.next()).collect();
    let host: Vec<f64> = truth.iter().zip(&jitter).map(|(t, j)| t + j).collect();
    let device: Vec<f64> = host.iter().map(|h| h - 5e-4 * (h - 1000.0).clamp(0.0, 100.0)).collect();
    let (_, ours) = dejittered(relative(50.0), &device, &host);
    assert!(errors(&ours, &truth).1 < 40e-6, "{:?}", errors(&ours, &truth));
}

#[test]
fn a_step_of_the_device_clock_does_not_show() {
    let mut noise = Noise(4);
    let truth: Vec<f64> = (0..60_000).map(|i| 50.0 + f64::from(i) / 100.0).collect();
    let host: Vec<f64> = truth.iter().map(|t| t + 1e-3 * noise.next()).collect();
    let stepped =
        |t: &f64| t - 700.0 + if *t > 300.0 { 0.1 } else { 0.0 } - if *t > 500.0 { 3600.0 } else { 0.0 };
    let device: Vec<f64> = host.iter().map(stepped).collect();
    let (plan, ours) = dejittered(relative(100.0), &device, &host);
    assert_eq!(plan.segments.len(), 1);
    assert!(errors(&ours, &truth).1 < 40e-6, "{:?}", errors(&ours, &truth));
}

#[test]
fn missing_samples_are_a_gap_and_late_ones_are_not() {
    let mut noise = Noise(5);
    let mut truth: Vec<f64> = (0..50_000).map(|i| f64::from(i) / 500.0).collect();
    truth.drain(20_000..20_100); // 0.2 s are missing
    truth.drain(40_000..40_013); // 26 ms
    let mut host: Vec<f64> = truth.iter().map(|t| t + 1e-3 * noise.next()).collect();
    for stamp in &mut host[30_000..30_150] {
        // A network that stalls for 0.3 s: all come at its end.
        *stamp = stamp.max(truth[30_150]);
    }
    host[10_000] += 0.5;
    let (plan, ours) = dejittered(relative(500.0), &host, &host);
    let gaps: Vec<u64> = plan.gaps.iter().map(|gap| gap.after_sample).collect();
    assert_eq!(gaps, [19_999, 39_999], "{:?}", plan.gaps);
    assert!((plan.gaps[0].missing_s - 0.2).abs() < 3e-3, "{:?}", plan.gaps);
    assert_eq!(plan.segments, [(0, 19_999), (20_000, 39_999), (40_000, 49_886)]);
    assert!((plan.effective_rate_hz / 500.0 - 1.0).abs() < 1e-4, "{}", plan.effective_rate_hz);
    assert!(errors(&ours, &truth).1 < 0.15e-3, "{:?}", errors(&ours, &truth));
}

#[test]
fn a_step_that_the_map_has_beside_its_place_moves_nothing_around_it() {
    let mut noise = Noise(9);
    let truth: Vec<f64> = (0..20_000).map(|i| f64::from(i) / 20.0).collect();
    let device: Vec<f64> =
        truth.iter().map(|t| t + if *t > 502.0 { 0.1 } else { 0.0 } + 1e-4 * noise.next()).collect();
    // Mapped as if it had happened 3 s later.
    let host: Vec<f64> =
        device.iter().zip(&truth).map(|(d, t)| d - if *t > 505.0 { 0.1 } else { 0.0 }).collect();
    let (_, ours) = dejittered(relative(20.0), &device, &host);
    assert!(errors(&ours, &truth).1 < 30e-6, "{:?}", errors(&ours, &truth));
}

#[test]
fn long_breaks_are_found_at_once_also_backwards() {
    let mut host: Vec<f64> = (0..1000).map(|i| f64::from(i) / 100.0).collect();
    host.extend((0..1000).map(|i| 500.0 + f64::from(i) / 100.0));
    host.extend((0..3).map(|i| 100.0 + f64::from(i) / 100.0));
    let (plan, ours) = dejittered(relative(100.0), &host, &host);
    assert_eq!(plan.segments, [(0, 999), (1000, 1999), (2000, 2002)]);
    assert!(ours.iter().zip(&host).all(|(a, b)| (a - b).abs() < 1e-9));
    assert!((plan.effective_rate_hz - 100.0).abs() < 1e-6);
}

#[test]
fn a_nominal_rate_that_is_wrong_does_no_harm() {
    for (nominal_hz, real_hz) in [(250.0, 256.0), (100.0, 60.0), (60.0, 100.0), (1e-3, 100.0), (1e6, 100.0)] {
        let mut noise = Noise(6);
        let truth: Vec<f64> = (0..60_000).map(|i| f64::from(i) / real_hz).collect();
        let host: Vec<f64> = truth.iter().map(|t| t + 1e-3 * noise.next()).collect();
        let (plan, ours) = dejittered(relative(nominal_hz), &host, &host);
        assert_eq!(plan.segments.len(), 1, "{nominal_hz} {real_hz}");
        assert!((plan.effective_rate_hz / real_hz - 1.0).abs() < 1e-5, "{}", plan.effective_rate_hz);
        assert!(errors(&ours, &truth).0 < 0.15e-3, "{nominal_hz} {real_hz} {:?}", errors(&ours, &truth));
    }
}

/// Frames at a rate, some dropped in runs of one to three, stamped with even noise; a few very late.
fn frames(rate_hz: f64, count: u32, drop: f64, noise_s: f64, late: f64) -> (Vec<f64>, Vec<f64>, u64) {
    let mut noise = Noise(7);
    let (mut truth, mut host) = (Vec::new(), Vec::new());
    let mut dropped = 0;
    let mut frame = 0_u32;
    while frame < count {
        let t = 10.0 + f64::from(frame) / rate_hz;
        truth.push(t);
        let late_s = if noise.next() > 1.0 - 2.0 * late { 0.9 / rate_hz } else { 0.0 };
        host.push(t + noise_s * noise.next() + late_s);
        let missing =
            if noise.next() > 1.0 - 2.0 * drop { 1 + (1.5 * (noise.next() + 1.0)) as u32 } else { 0 };
        frame += 1 + missing;
        dropped += if frame < count { u64::from(missing) } else { 0 };
    }
    (truth, host, dropped)
}

#[test]
fn dropped_frames_are_found_and_counted() {
    for (nominal_hz, rate_hz, drop, noise_s, late) in [
        (60.0, 59.94, 0.02, 2e-3, 0.0),
        (60.0, 59.94, 0.02, 2e-3, 0.01),
        (30.0, 29.5, 0.3, 5e-3, 0.0),
        (30.0, 25.0, 0.05, 4e-3, 0.005),
        (200.0, 200.0, 0.001, 0.0, 0.0),
        (60.0, 30.0, 0.01, 3e-3, 0.0),
    ] {
        let (truth, host, dropped) = frames(rate_hz, 50_000, drop, noise_s, late);
        let (plan, ours) = dejittered(video(nominal_hz), &host, &host);
        let what = format!("{nominal_hz} {rate_hz} {drop} {noise_s} {late}");
        assert_eq!(plan.dropped_frames(), dropped, "{what} {:?}", plan.remarks);
        assert!((plan.effective_rate_hz / rate_hz - 1.0).abs() < 1e-5, "{what}: {}", plan.effective_rate_hz);
        let (rms_s, max_s) = errors(&ours, &truth);
        println!("{what}: rms {:.1} us, max {:.1} us", rms_s * 1e6, max_s * 1e6);
        assert!(rms_s < 0.5e-3, "{what}: {rms_s} {max_s}");
        if late > 0.0 {
            // A frame that is late by nearly a period, just before one that is dropped: which of the two
            // is missing does not show.
            continue;
        }
        assert!(max_s < 0.5e-3, "{what}: {rms_s} {max_s}");
        for drop in &plan.dropped {
            let i = drop.after_sample as usize;
            let frames = ((truth[i + 1] - truth[i]) * rate_hz).round() as u64;
            assert_eq!(frames, drop.frames + 1, "{what}: {drop:?}");
        }
    }
}

#[test]
fn frames_on_no_raster_stay_as_they_are() {
    let mut noise = Noise(8);
    let mut t = 0.0;
    let host: Vec<f64> = (0..5000)
        .map(|_| {
            t += (1.5 + noise.next()) / 30.0;
            t
        })
        .collect();
    let (plan, ours) = dejittered(video(30.0), &host, &host);
    assert_eq!(ours, host);
    assert!(plan.dropped.is_empty() && !plan.remarks.is_empty());
}

#[test]
fn irregular_and_empty_streams_stay_as_they_are() {
    let stamps = [3.0, 1.0, 4.0, 1.0, 5.0];
    for method in [DejitterMethod::None, DejitterMethod::Pyxdf, DejitterMethod::Relative] {
        let options = DejitterOptions { method, ..relative(0.0) };
        let (plan, ours) = dejittered(options, &stamps, &stamps);
        assert_eq!(ours, stamps);
        assert_eq!((plan.segments, plan.effective_rate_hz), (vec![(0, 4)], 0.0));
        for rate_hz in [0.0, 100.0] {
            let (plan, _) = dejittered(DejitterOptions { nominal_rate_hz: rate_hz, ..options }, &[], &[]);
            assert_eq!((plan.segments, plan.effective_rate_hz), (vec![], 0.0));
        }
        let one = DejitterOptions { nominal_rate_hz: 100.0, ..options };
        let (plan, ours) = dejittered(one, &[7.5], &[7.5]);
        assert_eq!((plan.segments, plan.effective_rate_hz, ours), (vec![(0, 0)], 0.0, vec![7.5]));
    }
}

#[test]
fn without_dejitter_the_rate_is_that_of_first_and_last_stamp() {
    let stamps: Vec<f64> = (0..11).map(|i| f64::from(i) * 0.1).collect();
    let options = DejitterOptions { method: DejitterMethod::None, ..relative(3.0) };
    let (plan, _) = dejittered(options, &stamps, &stamps);
    assert!((plan.effective_rate_hz - 10.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the stamps: no panic, segments that cover all, no stamp moved by more than the jitter.
    #[test]
    fn any_stamps_are_survived(
        stamps in proptest::collection::vec(prop_oneof![
            8 => -1e3..1e3f64,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(1e300),
            1 => Just(1.7e9),
        ], 0..200),
        rate_hz in prop_oneof![Just(0.0), Just(100.0), Just(-5.0), Just(f64::NAN), Just(1e-300), Just(1e300)],
        can_drop_samples: bool,
        method in prop_oneof![Just(DejitterMethod::None), Just(DejitterMethod::Pyxdf), Just(DejitterMethod::Relative)],
    ) {
        let options = DejitterOptions { method, can_drop_samples, ..relative(rate_hz) };
        let (plan, out) = dejittered(options, &stamps, &stamps);
        prop_assert_eq!(out.len(), stamps.len());
        let mut next = 0;
        for (first, last) in &plan.segments {
            prop_assert!(*first == next && last >= first, "{:?}", plan.segments);
            next = last + 1;
        }
        prop_assert_eq!(next, stamps.len() as u64);
        for (after, before) in out.iter().zip(&stamps) {
            prop_assert!(after.is_finite() || !before.is_finite(), "{before} became {after}");
        }
    }

    /// Regular stamps with noise come out increasing and better, in whatever blocks they are given.
    #[test]
    fn noise_goes_and_order_stays(seed: u64, rate_hz in 5.0..2000.0f64, share in 0.0..2.0f64, n in 50_usize..3000) {
        let mut noise = Noise(seed);
        let truth: Vec<f64> = (0..n).map(|i| i as f64 / rate_hz).collect();
        let host: Vec<f64> = truth.iter().map(|t| t + share / rate_hz * noise.next()).collect();
        let (plan, out) = dejittered(relative(rate_hz), &host, &host);
        prop_assert_eq!(&plan.segments, &[(0, n as u64 - 1)]);
        prop_assert!(out.windows(2).all(|pair| pair[1] > pair[0]));
        let mut fit = DejitterFit::new(relative(rate_hz));
        fit.push(&host, &host);
        let mut whole = host.clone();
        fit.finish().apply(0, &host, &mut whole);
        prop_assert_eq!(whole, out);
    }

    /// Whatever is in the stamps, it does not matter in what blocks they are given, to the last bit.
    #[test]
    fn blocks_do_not_matter(
        seed: u64,
        rate_hz in 20.0..2000.0f64,
        jitter_s in 0.0..3e-3f64,
        events in proptest::collection::vec((0_usize..5000, 0_u8..5, -1.0..1.0f64), 0..8),
        blocks in proptest::collection::vec(1_usize..700, 1..20),
        can_drop_samples: bool,
    ) {
        let mut noise = Noise(seed);
        let mut device: Vec<f64> = (0..5000).map(|i| f64::from(i) / rate_hz + jitter_s * noise.next()).collect();
        let mut host: Vec<f64> = device.iter().map(|d| d * (1.0 + 2e-5) + 77.0).collect();
        for (at, kind, size) in events {
            match kind {
                // A gap, a step of the device's clock, one late sample, a stamp that is none, an outage.
                0 => device[at..].iter_mut().chain(&mut host[at..]).for_each(|t| *t += size),
                1 => device[at..].iter_mut().for_each(|t| *t += size),
                2 => host[at] += size,
                3 => (device[at], host[at]) = if size > 0.0 { (f64::NAN, f64::NAN) } else { (f64::INFINITY, 1.0) },
                _ => device[at..].iter_mut().chain(&mut host[at..]).for_each(|t| *t += 100.0 * size),
            }
        }
        let options = DejitterOptions { can_drop_samples, ..relative(rate_hz) };
        let mut one_by_one = DejitterFit::new(options);
        for i in 0..device.len() {
            one_by_one.push(&device[i..=i], &host[i..=i]);
        }
        let one_by_one = one_by_one.finish();
        let (mut fit, mut at) = (DejitterFit::new(options), 0);
        let mut out = host.clone();
        for block in blocks.iter().cycle() {
            let end = (at + block).min(host.len());
            fit.push(&device[at..end], &host[at..end]);
            at = end;
            if at == host.len() {
                break;
            }
        }
        let plan = fit.finish();
        prop_assert_eq!(format!("{plan:?}"), format!("{one_by_one:?}"));
        plan.apply(0, &device, &mut out);
        for (i, (device_s, out_s)) in device.iter().zip(&out).enumerate() {
            let mut alone = [host[i]];
            plan.apply(i as u64, &[*device_s], &mut alone);
            prop_assert_eq!(alone[0].to_bits(), out_s.to_bits(), "sample {}", i);
        }
    }
}
