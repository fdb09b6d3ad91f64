//! LSL from outside: outlets of liblsl recorded by remote control as LabRecorder is driven, and listed.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{
    ELSEWHERE_S, LslNet, PATIENCE, Process, Recorder, TestDir, assert_closed_cleanly, check_for_json,
    check_lsl_file, info, note, other_clock, with,
};

#[test]
fn a_script_for_labrecorder_records_what_it_selects() {
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let outlets = net.outlets(
        "truth",
        &json!({"duration_s": 600, "streams": [
            {"name": "Cap", "type": "EEG", "channels": 8, "rate": 500, "source_id": "cap-1", "chunk": 10},
            {"name": "Gaze", "type": "Gaze", "channels": 4, "rate": 200, "source_id": "gaze-1", "irregular": true},
            {"name": "Markers", "type": "Markers", "rate": 20, "format": "string", "source_id": "markers-1",
             "irregular": true},
        ]}),
    );
    // No configuration and no predicate: everything comes by remote control.
    let (recorder, port) = Recorder::remote(&mut net.command(["record", "--set", "clock.interval_s=1"]));
    let root = dir.join("Data");
    let client = ["lsl", &port.to_string(), root.to_str().expect("text")];
    let recordings = check_for_json("remote_client", client);
    recorder.interrupt().expect_code(0);
    let truth = outlets.end();
    // The outlets send before and after.
    let flags = ["--partial", "--offset=0", "--bound=0.005"];
    let only_eeg = ["--unselected", "Gaze", "Markers"];
    for (number, (count, more)) in [(3, &[][..]), (1, &only_eeg)].into_iter().enumerate() {
        let file = Path::new(recordings[number]["path"].as_str().expect("a path"));
        assert_closed_cleanly(&info(file));
        let streams = check_lsl_file(file, &[&truth], &[&flags[..], more].concat());
        assert_eq!(streams.len(), count, "{streams:?}");
        let samples: u64 = streams.iter().filter_map(|s| s["samples"].as_u64()).sum();
        assert_eq!(recordings[number]["samples"], samples, "`status` told what is in the file");
    }
}

/// What `lockstep streams` prints with these arguments.
fn listed(net: &LslNet<'_>, arguments: &[&str]) -> String {
    let mut command = net.command(["streams"]);
    Process::start(command.args(arguments)).wait(PATIENCE).expect_code(0).stdout
}

#[test]
fn streams_are_listed_with_how_far_away_their_clocks_are() {
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let elsewhere = other_clock();
    if elsewhere.is_none() {
        note("SKIPPED: another clock (unshare --time is not allowed here)");
    }
    let silent = |name: &str, kind: &str, more: Value| {
        with(json!({"name": name, "type": kind, "source_id": format!("{name}-1"), "silent": true}), more)
    };
    let _here = net.outlets(
        "here",
        &json!({"streams": [
            silent("Cap", "EEG", json!({"channels": 8, "rate": 250})),
            silent("Markers", "Markers", json!({"format": "string", "irregular": true})),
        ]}),
    );
    let far =
        json!({"streams": [silent("Far", "Gaze", json!({"channels": 3, "rate": 60, "format": "double64"}))]});
    let _far = net.outlets_by(&elsewhere.clone().unwrap_or_default(), "far", &far);

    let json = listed(&net, &["--json", "--wait", "3"]);
    note(&json);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let streams = json["streams"].as_array().expect("a list");
    assert_eq!(streams.len(), 3, "{json}");
    let far_s = if elsewhere.is_some() { -ELSEWHERE_S } else { 0.0 };
    for (stream, (name, kind, channels, rate_hz, format, offset_s)) in streams.iter().zip([
        ("Cap", "EEG", 8, 250.0, "float32", 0.0),
        ("Far", "Gaze", 3, 60.0, "double64", far_s),
        ("Markers", "Markers", 1, 0.0, "string", 0.0),
    ]) {
        assert_eq!(stream["name"], name);
        assert_eq!(stream["type"], kind);
        assert_eq!(stream["channel_count"], channels);
        assert_eq!(stream["nominal_rate_hz"], rate_hz);
        assert_eq!(stream["channel_format"], format);
        assert_eq!(stream["source_id"], format!("{name}-1"));
        assert!(stream["hostname"].as_str().is_some_and(|host| !host.is_empty()), "{stream}");
        let told = |key: &str| stream[key].as_f64().expect("the clock was asked");
        // Stamps are seconds since the start of the machine; their last digit counts, too.
        let error_s = (told("clock_offset_s") - offset_s).abs();
        let round_trip_s = told("round_trip_s");
        assert!(round_trip_s > 0.0 && error_s <= round_trip_s, "{stream}: {error_s} s off");
    }

    let table = listed(&net, &["--wait", "3"]);
    note(&table);
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).expect("a row").to_owned();
    for (name, texts) in [
        ("Cap", ["EEG", "float32", "250 Hz", "Cap-1"]),
        ("Far", ["Gaze", "double64", "60 Hz", "Far-1"]),
        ("Markers", ["Markers", "string", "irregular", "Markers-1"]),
    ] {
        assert!(texts.iter().all(|text| row(name).contains(text)), "{table}");
    }
    if elsewhere.is_some() {
        let is_far = row("Far").contains("-99999.") || row("Far").contains("-100000.");
        assert!(is_far, "{table}");
    }
    let eeg = listed(&net, &["type='EEG'", "--json", "--wait", "3"]);
    let eeg: Value = serde_json::from_str(&eeg).expect("JSON");
    assert_eq!(eeg["streams"].as_array().map(Vec::len), Some(1), "{eeg}");
    assert_eq!(eeg["streams"][0]["name"], "Cap");
}
