//! `lockstep lag`: what the block says, pasted into a header, brings the lag to zero.

mod support;
#[path = "../../recorder/analysis/src/lag/written.rs"]
mod written;

use std::path::{Path, PathBuf};

use lockstep_xdf::ChannelFormat;
use support::{TestDir, run};
use written::{Draws, Written};

/// Markers, and a photodiode that sees the light 23.4 ms later, give or take 1.1 ms; every 50th flash is
/// missed.
fn recording(path: PathBuf, offset_mean_s: Option<f64>) -> PathBuf {
    let mut draws = Draws::new(5);
    let markers_s: Vec<f64> = (0..200).map(|i| 1001.0 + f64::from(i) + draws.between(-0.2, 0.2)).collect();
    let stamps_s: Vec<f64> = (0..202_000).map(|i| 1000.0 + f64::from(i) / 1000.0).collect();
    let mut values: Vec<f32> = stamps_s.iter().map(|_| 0.01 * draws.normal() as f32).collect();
    for (number, marker_s) in markers_s.iter().enumerate() {
        let light_s = marker_s + 0.0234 + 0.0011 * draws.normal();
        if number % 50 != 49 {
            let first = ((light_s - 1000.002) * 1000.0).ceil() as usize;
            for i in first..first + 80 {
                values[i] += ((stamps_s[i] - light_s) / 0.004 + 0.5).clamp(0.0, 1.0) as f32;
            }
        }
    }
    let mut file = Written::new("Lockstep test");
    let mut info = Written::info("Markers", "Markers", 0.0, ChannelFormat::String, None);
    offset_mean_s.iter().for_each(|&mean_s| Written::offset_mean(&mut info, mean_s));
    file.texts(1, &info, &markers_s, &vec!["flash".to_owned(); markers_s.len()], &[]);
    let info = Written::info("Photodiode", "Light", 1000.0, ChannelFormat::Float32, None);
    file.floats(2, &info, &stamps_s, &values);
    std::fs::write(&path, file.bytes()).expect("write a file");
    path
}

fn lag(file: &Path, more: &[&str]) -> support::Finished {
    let arguments = ["--events", "Markers", "--against", "Photodiode"];
    let arguments = arguments.iter().chain(more).map(std::ffi::OsStr::new);
    run(["lag".as_ref(), file.as_os_str()].into_iter().chain(arguments))
}

#[test]
fn the_block_can_be_pasted_and_brings_the_lag_to_zero() {
    let dir = TestDir::new();
    let file = recording(dir.join("P01.xdf"), None);
    let finished = lag(&file, &[]);
    assert_eq!(finished.code, Some(0), "{finished}");
    support::note(&finished.stdout);
    for part in ["196 matched, 4 missed, 0 extra", "offset_5_centile", "drift:", "####", "recorder's clock"] {
        assert!(finished.stdout.contains(part), "{part}: {finished}");
    }
    // What is pasted is a configuration's.
    let block = finished.stdout.split_once("[source.synchronization]").expect("a block").1;
    let block: toml::Table = toml::from_str(block).expect("TOML");
    let mean_s = block["offset_mean"].as_float().expect("a number");
    assert!((mean_s + 0.0234).abs() < 0.0004, "markers are stamped before the light: {mean_s}");
    let synchronization: lockstep_recorder::config::Synchronization =
        block.try_into().expect("the keys of a configuration");
    assert_eq!(synchronization.offset_mean, Some(mean_s));
    assert!(synchronization.offset_5_centile < synchronization.offset_95_centile);

    let stated = recording(dir.join("P02.xdf"), Some(mean_s));
    let rest = lag(&stated, &["--block", "none", "--json"]);
    let rest: serde_json::Value = serde_json::from_str(&rest.stdout).expect("JSON");
    assert!(rest["lag"]["offset_mean_s"]["value"].as_f64().expect("a number").abs() < 1e-6, "{rest}");
}

#[test]
fn what_cannot_be_matched_is_said() {
    let dir = TestDir::new();
    let file = recording(dir.join("P01.xdf"), None);
    let none = lag(&file, &["--from", "-0.5", "--to", "0"]);
    assert_eq!(none.code, Some(1), "{none}");
    assert!(none.stderr.contains("0 of 200 events"), "{none}");
    let wrong = lag(&file, &["--channel", "red"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.stderr.contains("no channel red"), "{wrong}");
}
