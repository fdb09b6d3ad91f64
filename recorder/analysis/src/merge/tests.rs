//! Two simulated machines whose clocks are 50 ppm apart.

use std::path::PathBuf;

use lockstep_sim::clock::{ClockModel, SimClock};
use lockstep_xdf::{ChannelFormat, Columns, Element};

use super::*;
use crate::lag::written::{Draws, Written, exchanges};
use crate::open;

const LENGTH_S: f64 = 900.0;

/// What both machines have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Common {
    /// An NTP server behind a jittery path.
    Ntp,
    /// A stream, of which each has measured the clock.
    Stream,
    /// Nothing.
    Nothing,
}

/// A folder with two recordings of the same events, a.xdf and b.xdf.
fn machines(seed: u64, common: Common) -> (tempfile::TempDir, [PathBuf; 2]) {
    let mut draws = Draws::new(seed);
    let clock = |offset_s: f64, skew_ppm: f64, seed: u64| {
        let model = ClockModel { offset_s, skew_ppm, wander_ppm: 5e-4, ..ClockModel::default() };
        SimClock::new(&model, 0.0, seed)
    };
    let hosts = [clock(-1000.0, 10.0, 10 * seed), clock(-5000.0, 60.0, 10 * seed + 1)];
    // The server's clock counts from 1970, the device's from when it was switched on.
    let server = SimClock::new(&ClockModel { offset_s: -1.79e9, ..ClockModel::default() }, 0.0, 0);
    let device = clock(-77.0, -20.0, 10 * seed + 2);
    let events_s: Vec<f64> = (0..90).map(|i| 10.0 * f64::from(i) + draws.between(1.0, 9.0)).collect();
    let texts: Vec<String> = (0..events_s.len()).map(|i| format!("event {i}")).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut paths = [dir.path().join("a.xdf"), dir.path().join("b.xdf")];
    for (host, path) in hosts.iter().zip(&mut paths) {
        let mut file = Written::new("Lockstep test");
        let info = Written::info("trigger", "Markers", 0.0, ChannelFormat::String, None);
        let stamps_s: Vec<f64> = events_s.iter().map(|&s| host.device_time_s(s)).collect();
        file.texts(1, &info, &stamps_s, &texts, &[]);
        match common {
            Common::Ntp => {
                let way = (1e-3, 1e-3, 2e-3);
                let measured = exchanges(host, &server, (0.5, LENGTH_S, 16.0), 4, way, &mut draws);
                let ntp = Element::new("ntp").with_child(Element::new("server").with_text("time.example"));
                file.exchanges(2, "ntp", "unix", &measured, &[ntp]);
            }
            Common::Stream => {
                let mut info = Written::info("Shared", "Sync", 100.0, ChannelFormat::Float32, Some("box"));
                info.source_id = "box-1".to_owned();
                let samples = 100 * LENGTH_S as u32;
                let stamps_s: Vec<f64> =
                    (0..samples).map(|i| device.device_time_s(f64::from(i) / 100.0)).collect();
                // The first seconds were not recorded by the second machine.
                let from = if path.ends_with("b.xdf") { 700 } else { 0 };
                file.floats(3, &info, &stamps_s[from..], &vec![0.5; stamps_s.len() - from]);
                let way = (300e-6, 300e-6, 200e-6);
                let measured = exchanges(host, &device, (0.5, LENGTH_S, 5.0), 8, way, &mut draws);
                file.exchanges(4, "box", "device", &measured, &[]);
            }
            Common::Nothing => {}
        }
        std::fs::write(path, file.bytes()).unwrap();
    }
    (dir, paths)
}

fn merged(paths: &[PathBuf], via: Via, to: &Path) -> Result<Merged, MergeError> {
    let recordings: Vec<Recording> = paths.iter().map(|path| open(path, &mut |_| {}).unwrap()).collect();
    merge(&recordings, to, &MergeOptions { via, ..MergeOptions::default() }, &mut |_| {})
}

/// Stamps of the streams of a name, as they stand in the file.
fn stamps(path: &Path, name: &str) -> Vec<Vec<f64>> {
    let recording = open(path, &mut |_| {}).unwrap();
    assert_eq!(recording.scan.damage, []);
    let mut out = Vec::new();
    for (index, stream) in recording.scan.streams.iter().enumerate() {
        assert!(stream.clock_offsets.is_empty());
        if stream.info.name == name {
            let mut all = Vec::new();
            let mut blocks = recording.scan.blocks(recording.source(), index, Default::default());
            while let Some(block) = blocks.next_block().unwrap() {
                all.extend_from_slice(&block.data.time_stamps_s);
                assert!(
                    !matches!(&block.data.values, Columns::Text(list) if !list[0].get(0).starts_with("event"))
                );
            }
            out.push(all);
        }
    }
    out
}

/// Shares of events within 1.96 sigmas, relative and total, over seeds; the bound holds for all.
fn coverage(common: Common, seeds: std::ops::Range<u64>) -> (f64, f64) {
    let (mut all, mut relative, mut total, mut worst_s, mut sigmas) = (0.0, 0.0, 0.0, 0.0f64, Vec::new());
    for seed in seeds {
        let (dir, paths) = machines(seed, common);
        let to = dir.path().join("c.xdf");
        let merged = merged(&paths, Via::Any, &to).unwrap();
        assert!(merged.remarks.is_empty(), "{:?}", merged.remarks);
        let file = &merged.files[1];
        assert!((file.offset_s + 4000.0).abs() < 0.1, "{file:?}");
        assert!((file.drift_ppm.unwrap() + 50.0).abs() < 1.0, "{file:?}");
        let errors = file.streams[0].uncertainty;
        sigmas.push((errors.relative_s, errors.total_s));
        let both = stamps(&to, "trigger");
        for (a, b) in both[0].iter().zip(&both[1]) {
            let off_s = (a - b).abs();
            all += 1.0;
            relative += f64::from(off_s <= 1.96 * errors.relative_s);
            total += f64::from(off_s <= 1.96 * errors.total_s);
            worst_s = worst_s.max(off_s);
            assert!(off_s <= errors.bound_s, "{off_s} {errors:?}");
        }
    }
    let mean = |of: fn(&(f64, f64)) -> f64| 1e6 * sigmas.iter().map(of).sum::<f64>() / sigmas.len() as f64;
    println!(
        "{common:?}: within 1.96 relative {:.3}, total {:.3}; largest {:.1} us; mean sigmas {:.1} and {:.1} us",
        relative / all,
        total / all,
        1e6 * worst_s,
        mean(|s| s.0),
        mean(|s| s.1),
    );
    (relative / all, total / all)
}

#[test]
fn through_an_ntp_server_the_error_is_within_the_stated_uncertainty() {
    let (relative, total) = coverage(Common::Ntp, 0..20);
    assert!(relative > 0.8 && total >= 0.93, "{relative} {total}");
}

#[test]
fn through_a_shared_stream_the_error_is_within_the_stated_uncertainty() {
    let (relative, total) = coverage(Common::Stream, 100..112);
    assert!(relative > 0.8 && total >= 0.93, "{relative} {total}");
}

#[test]
fn headers_say_where_streams_are_from_and_originals_stay() {
    let (dir, paths) = machines(1, Common::Ntp);
    let before: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let to = dir.path().join("c.xdf");
    let merged_files = merged(&paths, Via::Ntp, &to).unwrap().files;
    assert_eq!(before, paths.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>());
    let recording = open(&to, &mut |_| {}).unwrap();
    let streams = &recording.scan.streams;
    let ids: std::collections::HashSet<u32> = streams.iter().map(|stream| stream.id).collect();
    assert_eq!((streams.len(), ids.len()), (4, 4));
    let last = &streams[2].info;
    let at = |path: &str| last.desc.text_at(&format!("lockstep/merge/{path}")).unwrap_or("").to_owned();
    assert_eq!(at("file"), "b.xdf");
    assert_eq!(at("file_bytes"), before[1].len().to_string());
    assert_eq!(at("file_crc32"), format!("{:08x}", crc32fast::hash(&before[1])));
    assert_eq!(at("axis"), "clock of the host of a.xdf");
    assert!(at("via").contains("ntp") && at("via").contains("time.example"), "{}", at("via"));
    let sigma_s: f64 = at("sigma_total_s").parse().unwrap();
    assert!((sigma_s - merged_files[1].streams[0].uncertainty.total_s).abs() < 1e-12);
    let kinds: Vec<&str> = streams.iter().map(|stream| stream.info.kind.as_str()).collect();
    assert_eq!(kinds, ["Markers", "ClockExchange", "Markers", "MergedClockExchange"]);
    // Another merge with the result does not take the second host's exchanges for the first one's.
    assert_eq!(Master::all(&recording, lockstep_clock::Method::Smooth).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let (dir, paths) = machines(2, Common::Nothing);
    let to = dir.path().join("c.xdf");
    let refused = merged(&paths, Via::Any, &to).unwrap_err().to_string();
    assert!(refused.contains("b.xdf has nothing in common with a.xdf"), "{refused}");
    assert!(refused.contains("a.xdf has stream \"trigger\""), "{refused}");
    assert!(!to.exists());

    let (dir, paths) = machines(2, Common::Stream);
    let to = dir.path().join("c.xdf");
    assert!(merged(&paths, Via::Ntp, &to).is_err());
    assert!(merged(&paths, Via::Named("Shared".to_owned()), &to).is_ok());
    assert!(matches!(merged(&paths, Via::Any, &to), Err(MergeError::Write(ExportError::Exists { .. }))));
    assert!(matches!(merged(&paths, Via::Any, &paths[1]), Err(MergeError::OutputIsInput(_))));
    let twice = [paths[0].clone(), paths[0].clone()];
    assert!(matches!(merged(&twice, Via::Any, &to), Err(MergeError::Twice(_))));
    assert!(matches!(merged(&paths[..1], Via::Any, &to), Err(MergeError::Few(1))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else stays");
}
