//! Tobii Glasses 3: what simulated glasses send is in the file as they sent it, and their clock is measured by events
//! that come back. Simulated device only; that it answers as it should is for a plain client to say
//! (glasses3_simulator.rs).
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{
    Glasses, Recorder, Served, TestDir, assert_closed_cleanly, check_for_json, events, note, stream,
};

fn config(glasses: &Served) -> String {
    format!(
        "[experiment]\nname = \"glasses\"\n[[source]]\nname = \"glasses\"\nplugin = \"tobii\"\n[source.options]\n\
         backend = \"glasses3\"\naddress = \"127.0.0.1:{}\"\ntime_sync = {{ interval_s = 1 }}\n",
        glasses.port
    )
}

fn gaze(status: &Value) -> Option<u64> {
    let streams = status["sources"][0]["streams"].as_array()?;
    streams.iter().find(|s| s["name"] == "Tobii_gaze").and_then(|s| s["samples"].as_u64())
}

#[test]
fn what_glasses_send_is_recorded_bit_for_bit_with_their_clock() {
    let dir = TestDir::in_memory();
    let truth = dir.join("truth").display().to_string();
    let flags = "--gaze-hz 100 --sync-port-every 0.5 --skew-ppm 40 --up-delay-ms 2 --down-delay-ms 2";
    let glasses = Glasses::start(flags.split(' ').chain(["--truth", &truth]));
    let recorder = Recorder::start(&dir, &config(&glasses));
    recorder.wait_until_recording();
    recorder.wait_for_status("enough gaze", |status| gaze(status) >= Some(600));
    let (recording, _) = recorder.stop(Signal::SIGINT);
    glasses.stop();
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    let found = check_for_json("glasses3", [recording.file.display().to_string().as_str(), &truth]);
    note(&found.to_string());
    assert!(found["Tobii_gaze"]["samples"].as_u64() >= Some(600), "{found}");
    assert!(found["time_syncs"]["recorded"].as_u64() > Some(15), "{found}");
    for (name, least) in [("Tobii_accelerometer", 500), ("Tobii_magnetometer", 40), ("Tobii_syncPort", 8)] {
        assert!(found[name]["samples"].as_u64() > Some(least), "{name}: {found}");
    }
    assert!(stream(&info, "Tobii_gaze")["clock_offsets"].as_u64() > Some(3), "{info}");
    assert!(events(&info, "gap").is_empty() && events(&info, "clock_reset").is_empty(), "{info}");
}

#[test]
fn glasses_that_go_away_come_back_on_another_time_line() {
    let dir = TestDir::in_memory();
    let glasses = Glasses::start(["--outage", "3:7.5"]);
    let recorder = Recorder::start(&dir, &config(&glasses));
    recorder.wait_until_recording();
    recorder.wait_for_status("gaze after the outage", |status| {
        gaze(status) >= Some(200) && status["elapsed_s"].as_f64() > Some(14.0)
    });
    let (recording, _) = recorder.stop(Signal::SIGINT);
    glasses.stop();
    recording.expect_code(3);
    let info = recording.info();
    // Nobody kept their signals alive meanwhile, so that their time begins anew.
    assert_eq!(events(&info, "clock_reset").len(), 1, "{info}");
    let gaps: Vec<Value> = events(&info, "gap").into_iter().cloned().collect();
    // One of each stream; gaze tells how much.
    assert_eq!(gaps.len(), 6, "{gaps:?}");
    let of_gaze = gaps.iter().find(|gap| gap["stream"] == "Tobii_gaze").expect("a gap of gaze");
    let lost = of_gaze["lost_samples"].as_u64();
    note(&format!("{lost:?} lost"));
    assert!(lost.is_none_or(|lost| (300..450).contains(&lost)), "{gaps:?}");
}
