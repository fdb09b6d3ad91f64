//! Neon: what simulated glasses send is in the file as they sent it, each sample once, whatever the network does to
//! it. Simulated device only; that it behaves as glasses do is for the maker's client to say (neon_simulator.rs).
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{
    NeonPhone, Recorder, Recording, TestDir, assert_closed_cleanly, check_for_json, events, note, run, stream,
};

/// A phone with these flags and a recording of it, until `enough` gaze points are there.
fn record(dir: &TestDir, flags: &str, options: &str, enough: u64) -> (Recording, Value) {
    let truth = dir.join("truth");
    let all = flags.split_whitespace().chain(["--truth"]).chain(truth.to_str());
    let phone = NeonPhone::start(all);
    let config = format!(
        "[experiment]\nname = \"neon\"\n[clock]\ninterval_s = 1\n[[source]]\nname = \"glasses\"\nplugin = \"neon\"\n\
         [source.options]\naddress = \"127.0.0.1:{}\"\nsensors = {{ gaze = true, imu = true, eye_events = true, scene = true }}\n{options}",
        phone.port
    );
    let recorder = Recorder::start(dir, &config);
    recorder.wait_until_recording();
    post_event(&phone.port, "trial 1");
    recorder.wait_for_status("enough gaze", |status| {
        let streams = status["sources"][0]["streams"].as_array().expect("a list of streams");
        let gaze =
            streams.iter().find(|s| s["name"].as_str().is_some_and(|name| name.ends_with("Neon Gaze")));
        gaze.is_some_and(|gaze| gaze["samples"].as_u64() >= Some(enough))
    });
    let (recording, took) = recorder.stop(Signal::SIGINT);
    note(&format!("ended after {took:?}"));
    // The truth is complete when the phone has ended.
    phone.stop();
    let info = recording.info();
    assert_closed_cleanly(&info);
    (recording, info)
}

fn post_event(port: &str, name: &str) {
    let body = format!("{{\"name\": \"{name}\"}}");
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the phone");
    let request = format!(
        "POST /api/event HTTP/1.1\r\nHost: phone\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// What the checker finds when stamps may be off by `tolerance_s`.
fn found(dir: &TestDir, recording: &Recording, tolerance_s: &str) -> Value {
    let (file, truth) = (recording.file.display().to_string(), dir.join("truth").display().to_string());
    // Reports of the kind that pair the time with the last packet are off by as long as that was ago.
    // That is longest where samples are rare.
    let rare = [
        "--event-stamps",
        "0.7",
        "--frame-stamps",
        if tolerance_s == "12e-6" { tolerance_s } else { "0.11" },
    ];
    check_for_json("neon", [file.as_str(), &truth, "--stamps", tolerance_s].into_iter().chain(rare))
}

fn gaze(info: &Value) -> &Value {
    stream(info, "Simulated Neon_Neon Gaze")
}

#[test]
fn what_glasses_send_is_recorded_bit_for_bit_in_every_layout() {
    let dir = TestDir::in_memory();
    let layouts = "--layout dual-monocular --layout-at 1:binocular --layout-at 2:full --layout-at 3:eye-state \
                   --layout-at 4:eye-state-lids --layout-at 5:binocular-monocular";
    let flags =
        format!("{layouts} --clock-offset-s 1234.567 --skew-ppm 40 --eye-events-hz 3 --report-interval-s 1");
    let (recording, info) = record(&dir, &flags, "", 1400);
    recording.expect_code(0);
    let found = found(&dir, &recording, "12e-6");
    note(&found.to_string());
    assert!(found["gaze"]["samples"].as_u64() >= Some(1400), "{found}");
    assert!(
        found["imu"]["samples"].as_u64() > Some(500) && found["eye_events"]["samples"].as_u64() > Some(5)
    );
    assert!(events(&info, "gap").is_empty() && events(&info, "clock_reset").is_empty(), "{info}");
    assert!(found["scene"]["decoded"].as_u64() > Some(100), "{found}");
    assert_eq!(stream(&info, "Simulated Neon_Neon Events")["samples"], 1, "{info}");
    assert_eq!(events(&info, "side_file_closed")[0]["lost_bytes"], 0, "{info}");
    assert!(gaze(&info)["clock_offsets"].as_u64() > Some(3), "{info}");
}

#[test]
fn loss_reordering_duplicates_late_reports_and_a_wrap_cost_only_what_the_network_lost() {
    let dir = TestDir::in_memory();
    let flags = "--up-loss 0.02 --up-reorder 0.03 --up-duplicate 0.02 --up-delay-ms 1 --first-report-s 2.5 \
                 --report-style last-packet --mark-each-unit --rtp-wrap-s 3 --report-interval-s 1 --odd-gaze-every 150";
    let (recording, info) = record(&dir, flags, "", 1400);
    recording.expect_code(3);
    // A report of this kind may be ahead by as long as packets are apart.
    let found = found(&dir, &recording, "0.006");
    note(&found.to_string());
    let lost = found["gaze"]["lost_by_network"].as_u64().expect("a count");
    assert!(lost > 5, "{found}");
    let scene = &found["scene"];
    assert!(scene["incomplete"].as_u64() > Some(3) && scene["decoded"].as_u64() > Some(20), "{found}");
    let told: u64 = events(&info, "gap")
        .iter()
        .filter(|gap| gap["stream"].as_str().is_some_and(|name| name.ends_with("Gaze")))
        .filter_map(|gap| gap["lost_samples"].as_u64())
        .sum();
    assert!(told >= lost, "{told} told, {lost} lost: {info}");
}

#[test]
fn an_outage_a_step_of_the_clock_and_a_disturbed_tcp_connection_are_told_and_nothing_else_is_lost() {
    let dir = TestDir::in_memory();
    let flags = "--hide-channels --garbage-every 25 --split-echo-every 3 --wrong-echo-every 7 --outage 3:1.5 \
                 --step 7:0.1 --rtp-clock monotonic --report-interval-s 0.5";
    let (recording, info) = record(&dir, flags, "transport = \"tcp\"\n", 1800);
    recording.expect_code(3);
    // Between the step and the next report stamps are those of the clock before.
    let found = found(&dir, &recording, "0.11");
    note(&found.to_string());
    let resets = events(&info, "clock_reset");
    assert_eq!(resets.len(), 1, "{info}");
    assert!(resets[0].to_string().contains("+0.1"), "{resets:?}");
    let gaps = events(&info, "gap");
    assert!(gaps.iter().any(|gap| gap.to_string().contains("nothing was received")), "{gaps:?}");
}

#[test]
fn two_phones_are_found_by_their_names_and_record_with_us_or_say_why_not() {
    let dir = TestDir::in_memory();
    let truth = dir.join("truth").display().to_string();
    let willing = NeonPhone::announced(["--name", "Willing", "--truth", &truth, "--clock-offset-s", "3"]);
    let refusing = NeonPhone::announced(["--name", "Refusing", "--refuse-recording", "No wearer selected"]);
    let source = |name: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nplugin = \"neon\"\n[source.options]\ndevice = \"{name}\"\n\
             control = {{ recording = true, sync_events_s = 1 }}\n"
        )
    };
    let config = format!("[experiment]\nname = \"two\"\n{}{}", source("Willing"), source("Refusing"));
    let recorder = Recorder::start(&dir, &config);
    recorder.wait_until_recording();
    let address = format!("127.0.0.1:{}", willing.port);
    let said = run(["neon", "event", "trial 1", &address]).expect_code(0).stdout;
    assert!(said.contains("\"trial 1\"") && said.contains("kept in its recording"), "{said}");
    let refused = run(["neon", "recording", "start", "--device", "Refusing"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("the phone refuses: No wearer selected"),
        "{refused}"
    );
    let sync = |status: &Value| {
        let streams = status["sources"][0]["streams"].as_array().expect("a list of streams");
        streams.iter().find(|s| s["name"] == "Willing_Neon Events").and_then(|s| s["samples"].as_u64())
    };
    recorder.wait_for_status("three events", |status| sync(status) >= Some(4));
    let (recording, _) = recorder.stop(Signal::SIGINT);
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    willing.stop();
    refusing.stop();
    let told: Vec<String> = events(&info, "plugin_event").iter().map(ToString::to_string).collect();
    for wanted in ["neon_recording_started", "neon_recording_saved", "No wearer selected"] {
        assert!(told.iter().any(|event| event.contains(wanted)), "no {wanted}: {told:?}");
    }
    assert_eq!(
        stream(&info, "Refusing_Neon Events")["samples"],
        0,
        "events are sent to a phone that records: {info}"
    );
    let found = check_for_json("neon_sync", [recording.file.display().to_string().as_str(), &truth]);
    note(&found.to_string());
}

#[test]
fn the_offset_of_a_phone_is_told_as_the_maker_tells_it_and_better() {
    let phone =
        NeonPhone::start(["--clock-offset-s", "12.345", "--down-delay-ms", "4", "--up-delay-ms", "4"]);
    let address = format!("127.0.0.1:{}", phone.port);
    let finished = run(["neon", "offset", &address, "--json"]).expect_code(0);
    phone.stop();
    let told: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    note(&told.to_string());
    let ms = |value: &Value| value.as_f64().expect("a number");
    assert!((ms(&told["official"]["time_offset_ms"]["mean"]) - 12_345.0).abs() < 3.0, "{told}");
    assert!((ms(&told["time_offset_ms"]) - 12_345.0).abs() <= ms(&told["bound_ms"]), "{told}");
    let nobody = run(["neon", "offset", "127.0.0.1:9", "--json"]);
    assert_eq!(nobody.code, Some(1), "{nobody}");
    nobody.expect_stderr(&["127.0.0.1:9", "Companion app"]);
}
