//! A simulated photodiode whose delay is known.

use lockstep_sim::clock::{ClockModel, SimClock};
use lockstep_xdf::ChannelFormat;

use super::written::{Draws, Written, exchanges};
use super::*;
use crate::{Recording, SyncOptions};

const MEAN_S: f64 = 0.0234;
const SIGMA_S: f64 = 0.0011;

/// What was simulated.
struct Truth {
    matched: u64,
    missed: u64,
    extra: u64,
}

/// Markers on a device clock of their own (40 ppm, wandering, exchanges each 5 s), a photodiode at
/// 1 kHz on the recorder's: 2 % of the flashes are missed, 2 % are extra.
fn photodiode(seed: u64, flashes: usize, offset_mean_s: Option<f64>) -> (Vec<u8>, Truth) {
    let mut draws = Draws::new(seed);
    let host = SimClock::new(&ClockModel::default(), 1000.0, seed);
    let model = ClockModel { offset_s: -5e4, skew_ppm: 40.0, wander_ppm: 1e-3, ..ClockModel::default() };
    let device = SimClock::new(&model, 1000.0, seed + 1);
    let (mut at_s, mut markers_s, mut lights_s) = (1002.0, Vec::new(), Vec::new());
    let mut truth = Truth { matched: 0, missed: 0, extra: 0 };
    for _ in 0..flashes {
        markers_s.push(at_s);
        if draws.chance(0.02) {
            truth.missed += 1;
        } else {
            truth.matched += 1;
            lights_s.push(at_s + MEAN_S + SIGMA_S * draws.normal());
        }
        let next_s = at_s + draws.between(0.8, 1.2);
        if draws.chance(0.02) {
            truth.extra += 1;
            lights_s.push(draws.between(at_s + 0.2, next_s - 0.2));
        }
        at_s = next_s;
    }
    // Light that rises within 4 ms and stays for 80 ms.
    let samples = ((at_s - 1000.0) * 1000.0) as usize;
    let stamps_s: Vec<f64> = (0..samples).map(|i| 1000.0 + i as f64 / 1000.0).collect();
    let mut values: Vec<f32> = stamps_s.iter().map(|_| (0.02 * draws.normal()) as f32).collect();
    for light_s in lights_s {
        let first = ((light_s - 1000.002) * 1000.0).ceil() as usize;
        for i in first..(first + 80).min(samples) {
            values[i] += ((stamps_s[i] - light_s) / 0.004 + 0.5).clamp(0.0, 1.0) as f32;
        }
    }
    let mut file = Written::new("Lockstep test");
    let mut info = Written::info("Markers", "Markers", 0.0, ChannelFormat::String, Some("pc"));
    offset_mean_s.iter().for_each(|&mean_s| Written::offset_mean(&mut info, mean_s));
    let stamped_s: Vec<f64> = markers_s.iter().map(|&s| device.device_time_s(s)).collect();
    let texts = vec!["flash".to_owned(); stamped_s.len()];
    file.texts(1, &info, &stamped_s, &texts, &[]);
    let info = Written::info("Photodiode", "Light", 1000.0, ChannelFormat::Float32, None);
    file.floats(2, &info, &stamps_s, &values);
    let measured = exchanges(&host, &device, (1000.5, at_s, 5.0), 8, (200e-6, 200e-6, 100e-6), &mut draws);
    file.exchanges(3, "pc", "device", &measured, &[]);
    (file.bytes(), truth)
}

fn options() -> LagOptions {
    LagOptions {
        events: Source::new(Query::Bare("Markers".to_owned())),
        against: Source::new(Query::Bare("Photodiode".to_owned())),
        window_s: (-0.5, 0.5),
        tolerance_s: None,
        block_for: BlockFor::Events,
    }
}

fn measure(bytes: Vec<u8>, options: &LagOptions) -> Result<Lag, LagError> {
    let scan = lockstep_xdf::scan(&bytes, &mut |_| {}).unwrap();
    let recording = Recording::from_source("test.xdf".as_ref(), Box::new(bytes), scan);
    let synchronizer = Synchronizer::new(&recording, SyncOptions::default()).unwrap();
    lag(&synchronizer, options, &mut |_| {})
}

#[test]
fn the_five_figures_are_within_their_standard_errors() {
    // The 95th centile of a normal distribution.
    let tail_s = 1.644_853_6 * SIGMA_S;
    let truths = [MEAN_S, SIGMA_S, MEAN_S, MEAN_S - tail_s, MEAN_S + tail_s];
    let mut scores: [Vec<f64>; 5] = Default::default();
    for seed in 0..16 {
        let (bytes, truth) = photodiode(seed, 300, None);
        let lag = measure(bytes, &options()).unwrap();
        // What comes after the last marker is not counted as extra.
        let counts = (lag.missed, lag.extra + lag.not_covered, lag.matched);
        assert_eq!(counts, (truth.missed, truth.extra, truth.matched), "{seed}");
        assert!(lag.outliers == 0 && lag.not_covered <= 1, "{lag:?}");
        let clocks_s = lag.clock_sigma_s.unwrap();
        assert!(clocks_s > 1e-6 && clocks_s < 200e-6, "{clocks_s}");
        let of = |f: &Figures| {
            [f.offset_mean_s, f.offset_rms_s, f.offset_median_s, f.offset_5_centile_s, f.offset_95_centile_s]
        };
        for ((figure, truth), scores) in of(&lag.lag).into_iter().zip(truths).zip(&mut scores) {
            scores.push((figure.value - truth) / figure.error);
        }
        let drift = lag.drift.unwrap();
        assert!(drift.slope.value.abs() < 4.5 * drift.slope.error, "{drift:?}");
        assert!(lag.remarks.is_empty(), "{:?}", lag.remarks);
    }
    for (scores, name) in scores.iter().zip(["mean", "rms", "median", "5", "95"]) {
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let rms = (scores.iter().map(|z| z * z).sum::<f64>() / n).sqrt();
        println!("{name}: mean score {mean:.2}, rms {rms:.2}, {scores:.2?}");
        assert!(mean.abs() < 3.5 / n.sqrt(), "{name} is off by {mean} of its standard errors: {scores:?}");
        assert!((0.5..1.6).contains(&rms), "{name}: its standard error is wrong by {rms}: {scores:?}");
    }
}

#[test]
fn the_block_brings_the_lag_to_zero() {
    let (bytes, _) = photodiode(3, 200, None);
    let block = measure(bytes, &options()).unwrap().synchronization.unwrap();
    assert!((block.offset_mean + MEAN_S).abs() < 0.5e-3, "{block:?}");
    assert!(block.offset_5_centile < block.offset_median && block.offset_median < block.offset_95_centile);
    assert!(
        block.to_toml().starts_with("[source.synchronization]\noffset_mean = -0.0"),
        "{}",
        block.to_toml()
    );

    // The header states it now: what remains is nothing, but the numbers to state stay.
    let (bytes, _) = photodiode(3, 200, Some(block.offset_mean));
    let again = measure(bytes.clone(), &options()).unwrap();
    assert!((again.synchronization.unwrap().offset_mean - block.offset_mean).abs() < 1e-12);
    let rest = measure(bytes, &LagOptions { block_for: BlockFor::Neither, ..options() }).unwrap();
    assert!(rest.lag.offset_mean_s.value.abs() < 1e-6, "{:?}", rest.lag);
    assert!(rest.events.offset_mean_applied && rest.synchronization.is_none());

    let (bytes, _) = photodiode(3, 200, None);
    let other = measure(bytes, &LagOptions { block_for: BlockFor::Against, ..options() }).unwrap();
    assert!((other.synchronization.unwrap().offset_mean + block.offset_mean).abs() < 1e-12);
}

#[test]
fn what_cannot_be_is_said() {
    let (bytes, _) = photodiode(1, 20, None);
    let with = |change: &dyn Fn(&mut LagOptions)| {
        let mut options = options();
        change(&mut options);
        measure(bytes.clone(), &options).unwrap_err().to_string()
    };
    assert!(with(&|o| o.events.threshold = Some(Threshold::Auto)).contains("texts"));
    assert!(with(&|o| o.events.text = Some("beep".to_owned())).contains("0 of 0 events"));
    assert!(with(&|o| o.against.channel = Some("2".to_owned())).contains("no channel 2"));
    assert!(with(&|o| o.window_s = (1.0, -1.0)).contains("the first must be lower"));
    assert!(with(&|o| o.window_s = (-0.5, 0.0)).contains("at least 2"));
    assert!(with(&|o| o.against.threshold = Some(Threshold::At(9.0))).contains("0 of \"Photodiode\""));
    assert!(with(&|o| o.events = o.against.clone()).contains("the same stream"));
    let prefix = |o: &mut LagOptions| o.events.text = Some("fla*".to_owned());
    let mut options = options();
    prefix(&mut options);
    assert_eq!(measure(bytes.clone(), &options).unwrap().events.events, 20);
}
