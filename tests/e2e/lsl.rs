//! LSL: what outlets of liblsl send is in the file as it was sent, once; outlets that hang, die, come
//! back or have another clock cost at most their own samples.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{
    ELSEWHERE_S, LslNet, Recorder, Recording, TestDir, assert_closed_cleanly, check_lsl, events, note,
    other_clock, stream, with,
};

/// What is promised is 1 s; the rest is for machines that are busy. What it took is printed.
const STOPS_WITHIN: Duration = Duration::from_millis(1500);
/// A peer that does not answer is an alarm within 5 s of being asked; the rest is for busy machines.
const ALARM_WITHIN_S: f64 = 8.0;
/// How wrong a clock offset may be on this machine, however busy.
const BOUND: &str = "--bound=0.005";

/// The test that measures time runs alone, the others side by side.
static RUNNING: RwLock<()> = RwLock::new(());

/// A configuration that records `streams`, the value of the option of that name.
fn config(recording: &str, streams: &str) -> String {
    format!(
        "[experiment]\nname = \"lsl\"\n[recording]\n{recording}\n[clock]\ninterval_s = 1\n\
         [[source]]\nname = \"LSL\"\nplugin = \"lsl\"\noptions.streams = [{streams}]\n"
    )
}

/// What a status says of the streams of LSL.
fn streams(status: &Value) -> &[Value] {
    status["sources"][0]["streams"].as_array().map_or(&[], Vec::as_slice)
}

fn wait_for_samples(recorder: &Recorder, samples: u64) {
    recorder.wait_for_status("all samples that were sent", |s| {
        streams(s).iter().filter_map(|s| s["samples"].as_u64()).sum::<u64>() >= samples
    });
}

fn wait_for_offsets(recorder: &Recorder, offsets: u64) {
    recorder.wait_for_status("clock offsets", |s| {
        let clocks = s["sources"][0]["clocks"].as_array().expect("a list of clocks");
        !clocks.is_empty() && clocks.iter().all(|c| c["offsets"].as_u64() >= Some(offsets))
    });
}

/// Stop, and see that the file is whole.
fn stop(recorder: Recorder) -> (Recording, Value) {
    let (recording, took) = recorder.stop(Signal::SIGINT);
    note(&format!("ended after {took:?}"));
    let info = recording.info();
    assert_closed_cleanly(&info);
    (recording, info)
}

/// Of what the checker found, the stream of this name.
fn found<'a>(streams: &'a [Value], name: &str) -> &'a Value {
    streams.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no stream {name} in {streams:?}"))
}

/// Samples of a life that are not in the file, before the first that is and after the last, and those that are.
fn of_life(stream: &Value, number: usize) -> [u64; 3] {
    [0, 1, 2].map(|k| stream["missing"][number][k].as_u64().expect("a count"))
}

#[test]
fn streams_of_every_format_are_recorded_bit_for_bit_and_once() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let outlets = net.outlets(
        "truth",
        &json!({"duration_s": 6, "wait_for_consumers_s": 30, "streams": [
            {"name": "f32", "type": "EEG", "channels": 8, "rate": 1000, "source_id": "f32", "chunk": 20,
             "stamps": "deduced", "desc": {"special": true, "depth": 30}},
            {"name": "f64", "channels": 3, "rate": 500, "format": "double64", "source_id": "f64", "chunk": 10},
            {"name": "i8", "channels": 5, "rate": 100, "format": "int8", "source_id": "i8", "chunk": 7,
             "stamps": "deduced"},
            {"name": "i16", "channels": 2, "rate": 44100, "format": "int16", "source_id": "i16", "chunk": 441,
             "stamps": "deduced"},
            {"name": "i32", "channels": 4, "rate": 250, "format": "int32", "source_id": "i32"},
            {"name": "i64", "channels": 4, "rate": 250, "format": "int64", "source_id": "i64", "chunk": 5,
             "desc": {"bytes": 1_000_000}},
            {"name": "texts", "channels": 3, "rate": 50, "format": "string", "source_id": "texts", "chunk": 5,
             "irregular": true, "wild": true},
            {"name": "markers", "type": "Markers", "rate": 10, "format": "string", "source_id": "markers",
             "irregular": true},
            {"name": "gaze", "channels": 20, "rate": 200, "source_id": "gaze", "irregular": true},
            {"name": "mute", "format": "string", "source_id": "mute", "irregular": true, "silent": true},
        ]}),
    );
    let all_and_some_again =
        r#"{ predicate = "true()" }, { type = "EEG" }, { name = "f32", source_id = "f32" }"#;
    let recorder = net.record(&config("", all_and_some_again));
    recorder.wait_until_recording();
    let samples = outlets.wait_until_done();
    wait_for_samples(&recorder, samples);
    wait_for_offsets(&recorder, 2);
    let (recording, info) = stop(recorder);
    recording.expect_code(0);
    assert!(events(&info, "gap").is_empty() && events(&info, "clock_reset").is_empty(), "{info}");
    let streams = check_lsl(&recording, &[&outlets.truth], &["--offset=0", BOUND]);
    assert_eq!(streams.len(), 10);
}

#[test]
fn streams_of_one_name_late_ones_and_those_without_a_source_id_are_recorded_and_others_are_not() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let eeg = |more: Value| {
        with(json!({"name": "twin", "type": "EEG", "channels": 2, "rate": 100, "chunk": 5}), more)
    };
    let there = net.outlets(
        "there",
        // They end within 3 s of the late one, whenever in their first 6 s that begins: what has ended for longer
        // counts as lost.
        &json!({"duration_s": 8, "wait_for_consumers_s": 30, "streams": [
            eeg(json!({"source_id": "left", "seed": 1})),
            eeg(json!({"source_id": "right", "seed": 2})),
            eeg(json!({"name": "anonymous"})),
            {"name": "other", "type": "Video", "source_id": "other", "unread": true},
        ]}),
    );
    let recorder = net.record(&config("", "{ type = \"EEG\" }"));
    recorder.wait_for_status("three streams", |s| streams(s).len() == 3);
    let late = net.outlets(
        "late",
        &json!({"duration_s": 5, "wait_for_consumers_s": 30, "streams": [
            eeg(json!({"name": "late", "source_id": "late"})),
        ]}),
    );
    let samples = late.wait_until_done() + there.wait_until_done();
    // Of these, the outlet that was not selected sent 800.
    wait_for_samples(&recorder, samples - 800);
    let (recording, _) = stop(recorder);
    recording.expect_code(0);
    // It cannot be found again when it is gone.
    recording.expect_told("source_id");
    let streams = check_lsl(&recording, &[&there.truth, &late.truth], &["--unselected=other"]);
    assert_eq!(streams.len(), 4);
}

#[test]
fn outlets_that_do_not_answer_or_answer_nonsense_hold_up_nothing() {
    const BAD: [&str; 6] = ["hung", "firewalled", "garbage", "half-header", "torn", "no-time"];
    let _running = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let _bad = BAD.map(|how| net.misbehaving(how, how));
    let good = net.outlets(
        "good",
        &json!({"duration_s": 9, "wait_for_consumers_s": 30, "streams": [
            {"name": "good", "channels": 8, "rate": 500, "source_id": "good", "chunk": 10},
        ]}),
    );
    let every = r#"{ name = "good" }, { predicate = "true()", required = false }"#;
    let recorder = net.record(&config("", every));
    recorder.wait_until_recording();
    for name in ["hung", "firewalled"] {
        let status = recorder.wait_for_status(&format!("an alarm of {name}"), |s| {
            let alarms = s["alarms"].as_array().expect("a list of alarms");
            let told =
                |a: &Value| a["stream"] == name || a["text"].as_str().is_some_and(|t| t.contains(name));
            alarms.iter().any(told)
        });
        let after_s = status["elapsed_s"].as_f64().expect("a number");
        note(&format!("alarm of {name} after {after_s:.1} s"));
        assert!(after_s < ALARM_WITHIN_S, "{name}: {after_s} s");
    }
    good.wait_until_done();
    let (recording, took) = recorder.stop(Signal::SIGINT);
    note(&format!("ended after {took:?}"));
    assert!(took < STOPS_WITHIN, "it took {took:?}: {}", recording.finished);
    let info = recording.info();
    assert_closed_cleanly(&info);
    let mut flags = vec!["--offset=0", BOUND, "--also"];
    flags.extend(BAD);
    check_lsl(&recording, &[&good.truth], &flags);
    // One sends well, and its clock cannot be measured; one sends well up to a point, again and again.
    let no_time = stream(&info, "no-time");
    assert!(no_time["samples"].as_u64() > Some(100), "{no_time}");
    assert_eq!(no_time["clock_offsets"], 0, "{no_time}");
    assert!(stream(&info, "torn")["samples"].as_u64() >= Some(25), "{info}");
}

#[test]
fn a_machine_that_was_asleep_is_a_clock_reset_and_a_slow_header_is_waited_for() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let _outlets = ["asleep", "slow"].map(|how| net.misbehaving(how, how));
    let recorder = net.record(&config("", r#"{ name = "asleep" }, { name = "slow", required = false }"#));
    recorder.wait_for_status("samples of the one whose header comes slowly", |s| {
        streams(s).iter().any(|s| s["name"] == "slow" && s["samples"].as_u64() > Some(50))
    });
    wait_for_offsets(&recorder, 8);
    let (recording, info) = stop(recorder);
    recording.expect_code(0);
    let resets = events(&info, "clock_reset");
    assert_eq!(resets.len(), 1, "{info}");
    assert!(resets[0].to_string().contains("jumped by -2.5"), "{resets:?}");
    // It went on sending: no sample is lost, and nothing was connected anew.
    let asleep = stream(&info, "asleep");
    assert!(asleep["samples"].as_u64() > Some(800) && events(&info, "gap").is_empty(), "{info}");
}

/// An outlet dies and comes back, and dies for good. `moved`: it comes back where the clock is another.
fn an_outlet_that_comes_back(moved: bool) {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let elsewhere = other_clock();
    if elsewhere.is_none() {
        note("SKIPPED: another clock (unshare --time is not allowed here); the outlet has this machine's");
    }
    let is_moved = moved && elsewhere.is_some();
    let offset = if elsewhere.is_some() { -ELSEWHERE_S } else { 0.0 };
    let first_at = elsewhere.unwrap_or_default();
    let second_at = if moved { &[] } else { first_at.as_slice() };
    let offsets = [offset, if moved { 0.0 } else { offset }].map(|offset| format!("--offset={offset}"));
    // Both lives end by a crash, the second for good.
    let spec = json!({"duration_s": 4, "die_after_s": 4, "wait_for_consumers_s": 30, "streams": [
        {"name": "far", "channels": 8, "rate": 500, "source_id": "far", "chunk": 10, "stamps": "deduced"},
    ]});
    let first = net.outlets_by(&first_at, "first", &spec);
    let recorder = net.record(&config("", "{ name = \"far\" }"));
    recorder.wait_until_recording();
    let (_, first) = first.wait_until_gone();
    // Long enough for offsets to be measured, were there somebody to measure.
    std::thread::sleep(Duration::from_secs(3));
    let (_, second) = net.outlets_by(second_at, "second", &spec).wait_until_gone();
    std::thread::sleep(Duration::from_secs(3));
    let (recording, info) = stop(recorder);
    // No offset of the time without it, and none but the true one: the checker sees to that.
    let streams = check_lsl(&recording, &[&first, &second], &["--partial", &offsets[0], &offsets[1], BOUND]);
    let far = found(&streams, "far");
    let [missed, cut_off, kept] = of_life(far, 0);
    assert!(missed == 0 && kept > 1900 && cut_off <= 50, "{far}");
    let [missed, cut_off, kept] = of_life(far, 1);
    assert!(
        missed == 0 && kept > 1900 && cut_off <= 50,
        "the recorder was there before its first sample: {far}"
    );
    let gaps = events(&info, "gap");
    let tells = |uid: &str| gaps.iter().any(|gap| gap["stream"] == "far" && gap.to_string().contains(uid));
    for truth in [&first, &second] {
        let truth: Value = serde_json::from_slice(&std::fs::read(truth).expect("a truth")).expect("JSON");
        assert!(tells(truth["lives"][0]["uid"].as_str().expect("a uid")), "{gaps:?}");
    }
    assert_eq!(events(&info, "clock_reset").len(), usize::from(is_moved), "{info}");
}

#[test]
fn an_outlet_that_died_and_comes_back_goes_on_in_its_stream_and_no_offset_is_invented() {
    an_outlet_that_comes_back(false);
}

#[test]
fn an_outlet_that_comes_back_with_another_clock_is_a_clock_reset() {
    an_outlet_that_comes_back(true);
}

#[test]
fn a_required_stream_that_is_missing_ends_it_with_what_is_missing_and_what_was_found() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let _there = net.outlets(
        "there",
        &json!({"streams": [{"name": "present", "type": "EEG", "source_id": "present", "silent": true}]}),
    );
    let both = r#"{ name = "present" }, { name = "absent", host = "nowhere" }"#;
    let recording = net.record(&config("wait_s = 4", both)).wait();
    recording.expect_code(1).expect_told("absent").expect_told("nowhere").expect_told("present");
}

#[test]
fn predicates_on_the_command_line_need_no_configuration_and_markers_may_be_silent() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let net = LslNet::new(&dir);
    let outlets = net.outlets(
        "truth",
        &json!({"duration_s": 2, "wait_for_consumers_s": 30, "streams": [
            {"name": "amplifier", "type": "EEG", "channels": 4, "rate": 250, "source_id": "amplifier"},
            {"name": "Markers", "format": "string", "source_id": "markers", "irregular": true, "silent": true},
            {"name": "camera", "type": "Video", "source_id": "camera", "silent": true, "unread": true},
        ]}),
    );
    let recorder = net.record_by(["record", "--lsl", "type='EEG'", "--lsl", "name='Markers'"]);
    recorder.wait_until_recording();
    let samples = outlets.wait_until_done();
    wait_for_samples(&recorder, samples);
    let (recording, _) = stop(recorder);
    recording.expect_code(0);
    check_lsl(&recording, &[&outlets.truth], &["--unselected=camera"]);
}
