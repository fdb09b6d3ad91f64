//! `lockstep merge`: two machines whose clocks are 50 ppm apart, with only an NTP server in common.

mod support;
#[path = "../../recorder/analysis/src/lag/written.rs"]
mod written;

use std::path::{Path, PathBuf};

use lockstep_sim::clock::{ClockModel, SimClock};
use lockstep_xdf::ChannelFormat;
use support::{TestDir, check, run};
use written::{Draws, Written, exchanges};

/// a.xdf and b.xdf: the same events, and, if wanted, exchanges with the same server.
fn machines(dir: &Path, ntp: bool) -> [PathBuf; 2] {
    let mut draws = Draws::new(7);
    let clock = |offset_s: f64, skew_ppm: f64| {
        SimClock::new(&ClockModel { offset_s, skew_ppm, ..ClockModel::default() }, 0.0, 1)
    };
    let server = clock(-1.79e9, 0.0);
    let events_s: Vec<f64> = (0..60).map(|i| 5.0 * f64::from(i) + draws.between(1.0, 4.0)).collect();
    let texts: Vec<String> = (0..events_s.len()).map(|i| format!("event {i}")).collect();
    [("a.xdf", clock(-1000.0, 0.0)), ("b.xdf", clock(-5000.0, 50.0))].map(|(name, host)| {
        let mut file = Written::new("Lockstep test");
        let info = Written::info("trigger", "Markers", 0.0, ChannelFormat::String, None);
        let stamps_s: Vec<f64> = events_s.iter().map(|&s| host.device_time_s(s)).collect();
        file.texts(1, &info, &stamps_s, &texts, &[]);
        if ntp {
            let measured = exchanges(&host, &server, (0.5, 300.0, 16.0), 4, (1e-3, 1e-3, 1e-3), &mut draws);
            file.exchanges(2, "ntp", "unix", &measured, &[]);
        }
        let path = dir.join(name);
        std::fs::write(&path, file.bytes()).expect("write a file");
        path
    })
}

#[test]
fn the_same_events_are_at_the_same_times_for_pyxdf() {
    let dir = TestDir::new();
    let [a, b] = machines(&dir, true);
    let before = std::fs::read(&a).expect("a file");
    let c = dir.join("c.xdf");
    let files = [a.as_os_str(), b.as_os_str(), "-o".as_ref(), c.as_os_str()];
    let finished = run([&["merge".as_ref()], &files[..], &["--json".as_ref()]].concat());
    assert_eq!(finished.code, Some(0), "{finished}");
    let merged: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let file = &merged["files"][1];
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    assert!((number(&file["drift_ppm"]) + 50.0).abs() < 2.0, "{file}");
    let errors = &file["streams"][0]["uncertainty"];
    let sigma_s = number(&errors["total_s"]);
    assert!(sigma_s > 1e-6 && sigma_s < 2e-3, "{file}");
    let largest_s = (1.96 * sigma_s).to_string();
    check("merged", [c.as_os_str(), largest_s.as_ref()]);
    assert_eq!(before, std::fs::read(&a).expect("a file"), "originals are only read");

    let again = run([&["merge".as_ref()], &files[..]].concat());
    assert_eq!(again.code, Some(2), "{again}");
    assert!(again.stderr.contains("--force"), "{again}");
    let onto = [a.as_os_str(), b.as_os_str(), "-o".as_ref(), a.as_os_str(), "--force".as_ref()];
    let refused = run([&["merge".as_ref()], &onto[..]].concat());
    assert_eq!(refused.code, Some(2), "{refused}");
    assert_eq!(before, std::fs::read(&a).expect("a file"), "not even with --force");
}

#[test]
fn nothing_in_common_is_said_with_what_there_is() {
    let dir = TestDir::new();
    let [a, b] = machines(&dir, false);
    let c = dir.join("c.xdf");
    let refused = run(["merge".as_ref(), a.as_os_str(), b.as_os_str(), "-o".as_ref(), c.as_os_str()]);
    assert_eq!(refused.code, Some(1), "{refused}");
    for part in ["nothing in common", "a.xdf has stream \"trigger\"", "[clock] ntp"] {
        assert!(refused.stderr.contains(part), "{part}: {refused}");
    }
    assert!(!c.exists());
}
