//! Sources in processes of their own: whatever a plugin does to its process, what it had pushed is in the file, the
//! other sources are complete, the end is told with its cause, another process is started, and stopping is quick.
#![cfg(target_os = "linux")]

mod support;

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{
    Recorder, Recording, Simulator, TestDir, assert_closed_cleanly, check, compile_plugin, events, lockstep,
    note, repository, stream,
};

/// A recorder must end within this time, whatever its children do. The deadline is 0.7 s; the rest is for machines
/// that are busy.
const STOPS_WITHIN: Duration = Duration::from_millis(1500);
/// Samples that the plugin pushes before it does what it is asked to.
const COUNT: u64 = 50;

/// One source that behaves, in the recorder's process, and one in a process of its own that has this fault.
fn config(fault: &str, more: &str) -> String {
    format!(
        "[experiment]\nname = \"faults\"\n[[source]]\nname = \"good\"\nplugin = \"faulty\"\n\
         [[source]]\nname = \"bad\"\nplugin = \"crash\"\nisolation = \"process\"\nrequired = false\n{more}\n\
         options = {{ fault = \"{fault}\" }}\n"
    )
}

fn start(dir: &TestDir, fault: &str, more: &str) -> Recorder {
    let source = repository().join("tests/plugins/crash/crash.c");
    compile_plugin(&source, &dir.join("plugins"), "crash", &[]);
    Recorder::start_with(dir, &config(fault, more), &["--plugin-dir=plugins"])
}

/// What the recorder says of the process of the second source.
fn child(status: &Value) -> &Value {
    &status["sources"][1]["child"]
}

fn wait_for_restarts(recorder: &Recorder, restarts: u64) {
    recorder.wait_for_status("another process", |s| child(s)["restarts"].as_u64() >= Some(restarts));
}

/// The other source is complete, and the file whole.
fn assert_good_is_complete(recording: &Recording) {
    assert_eq!(recording.verdict_of("good")["outcome"], "complete", "{}", recording.verdict());
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(stream(&info, "good")["samples"], recording.verdict_of("good")["status"]["samples"]);
    check("counts", [recording.file.as_os_str(), "good".as_ref()]);
}

/// What the bad one had pushed is there, and its end was told as this.
fn assert_told_and_kept(recording: &Recording, fate: &str) {
    recording.expect_code(3).expect_told(fate);
    assert_good_is_complete(recording);
    check("prefix", [recording.file.as_os_str(), "crash".as_ref(), COUNT.to_string().as_ref()]);
    let info = recording.info();
    let exits = events(&info, "child_exit");
    assert!(exits.iter().any(|e| e["reason"].as_str().is_some_and(|r| r.contains(fate))), "{exits:?}");
    let gaps = events(&info, "gap");
    let of_it = |e: &&&Value| e["stream"] == "crash" && e["lost_samples"].is_null();
    assert!(gaps.iter().filter(of_it).count() >= 1, "{gaps:?}");
    assert!(recording.verdict_of("crash")["status"]["gaps_of_unknown_size"].as_u64() >= Some(1));
}

#[test]
fn a_process_that_ends_is_told_with_its_cause_and_another_goes_on_in_the_same_stream() {
    for (fault, fate, signal, code) in [
        ("segfault", "its process was killed by SIGSEGV", Some("SIGSEGV"), None),
        ("abort", "its process was killed by SIGABRT", Some("SIGABRT"), None),
        ("kill", "its process was killed by SIGKILL", Some("SIGKILL"), None),
        ("exit", "its process exited with code 3", None, Some(3)),
    ] {
        let dir = TestDir::in_memory();
        let recorder = start(&dir, fault, "");
        wait_for_restarts(&recorder, 1);
        recorder.wait_for_status("its samples", |s| {
            s["sources"][1]["streams"][0]["samples"].as_u64() >= Some(2 * COUNT)
        });
        let (recording, took) = recorder.stop(Signal::SIGINT);
        note(&format!("{fault}: ended after {took:?}"));
        assert!(took < STOPS_WITHIN, "{fault}: {took:?}");
        assert_told_and_kept(&recording, fate);
        let info = recording.info();
        let exit = events(&info, "child_exit")[0];
        assert_eq!((exit["signal"].as_str(), exit["code"].as_i64()), (signal, code), "{exit}");
        assert_eq!((exit["restart_in_s"].as_f64(), &exit["source"]), (Some(0.5), &"bad".into()), "{exit}");
        assert_eq!(events(&info, "child_restart")[0]["restarts"], 1);
        // All of its processes are in the one stream, and each is there from its first sample to its last.
        let streams = info["streams"].as_array().expect("a list");
        assert_eq!(
            streams.iter().filter(|s| s["name"].as_str().is_some_and(|n| n.contains("crash"))).count(),
            1
        );
    }
}

#[test]
fn a_process_that_does_nothing_any_more_is_ended_and_another_started() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "freeze", "");
    recorder.wait_for_notice("its process did not answer for 3 s and was killed");
    wait_for_restarts(&recorder, 1);
    let (recording, took) = recorder.stop(Signal::SIGINT);
    assert!(took < STOPS_WITHIN, "{took:?}");
    assert_told_and_kept(&recording, "did not answer for 3 s");
}

#[test]
fn memory_without_end_is_ended() {
    for fault in ["leak", "allocate"] {
        let dir = TestDir::in_memory();
        let recorder = start(&dir, fault, "memory_mb = 64");
        recorder.wait_for_notice("memory_mb = 64");
        let (recording, took) = recorder.stop(Signal::SIGINT);
        assert!(took < STOPS_WITHIN, "{fault}: {took:?}");
        assert_told_and_kept(&recording, "memory_mb = 64");
        let info = recording.info();
        let used = events(&info, "child_exit")[0]["memory_bytes"].as_u64();
        // Twice that and a quarter of a GiB at the most.
        assert!(used > Some(60 << 20) && used < Some(400 << 20), "{used:?}");
    }
}

#[test]
fn a_process_that_closes_its_pipe_is_ended() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "close", "");
    wait_for_restarts(&recorder, 1);
    let recording = recorder.interrupt();
    recording.expect_code(3);
    assert_good_is_complete(&recording);
    check("prefix", [recording.file.as_os_str(), "crash".as_ref(), COUNT.to_string().as_ref()]);
    assert!(!events(&recording.info(), "child_exit").is_empty());
}

#[test]
fn a_process_that_does_not_stop_is_ended_in_time() {
    for fault in ["loop", "sleep-in-stop"] {
        let dir = TestDir::in_memory();
        let recorder = start(&dir, fault, "");
        recorder.wait_for_status("its samples", |s| {
            s["sources"][1]["streams"][0]["samples"].as_u64() >= Some(COUNT)
        });
        recorder.wait_until_recording();
        let (recording, took) = recorder.stop(Signal::SIGINT);
        note(&format!("{fault}: ended after {took:?}"));
        assert!(took < STOPS_WITHIN, "{fault}: {took:?}");
        recording.expect_code(3).expect_told("did not stop within");
        assert_good_is_complete(&recording);
        check("prefix", [recording.file.as_os_str(), "crash".as_ref(), COUNT.to_string().as_ref()]);
    }
}

#[test]
fn a_process_that_ends_while_it_stops_is_told_and_complete() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "crash-in-stop", "");
    recorder
        .wait_for_status("its samples", |s| s["sources"][1]["streams"][0]["samples"].as_u64() >= Some(COUNT));
    recorder.wait_until_recording();
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("source bad: its process was killed by SIGSEGV");
    assert_good_is_complete(&recording);
    assert_eq!(events(&recording.info(), "child_exit")[0]["signal"], "SIGSEGV");
    check("prefix", [recording.file.as_os_str(), "crash".as_ref(), COUNT.to_string().as_ref()]);
}

#[test]
fn what_it_prints_is_told_and_tears_nothing() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "print-once", "");
    recorder.wait_for_notice("a torn frame? no: a line");
    recorder.wait_for_notice("and one on standard error");
    recorder.wait_until_recording();
    let recording = recorder.interrupt();
    recording.expect_code(0);
    assert_good_is_complete(&recording);
    check("counts", [recording.file.as_os_str(), "crash".as_ref()]);
}

#[test]
fn a_flood_of_lines_is_cut_and_holds_up_nobody() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "print", "");
    recorder.wait_for_notice("lines were left out");
    recorder.wait_until_recording();
    let (recording, took) = recorder.stop(Signal::SIGINT);
    assert!(took < STOPS_WITHIN, "{took:?}");
    recording.expect_told("of a library that talks");
    assert_good_is_complete(&recording);
    check("prefix", [recording.file.as_os_str(), "crash".as_ref(), COUNT.to_string().as_ref()]);
}

#[test]
fn a_flood_of_samples_is_dropped_counted_and_holds_up_nobody() {
    let dir = TestDir::in_memory();
    let source = repository().join("tests/plugins/crash/crash.c");
    compile_plugin(&source, &dir.join("plugins"), "crash", &[]);
    let config = config("flood", "")
        .replace("[[source]]\nname = \"good\"", "[recording]\nqueue_mb = 1\n[[source]]\nname = \"good\"");
    let recorder = Recorder::start_with(&dir, &config, &["--plugin-dir=plugins"]);
    recorder
        .wait_for_status("samples dropped", |s| s["sources"][1]["streams"][0]["dropped"].as_u64() > Some(0));
    recorder.wait_until_recording();
    let (recording, took) = recorder.stop(Signal::SIGINT);
    note(&format!("flood: ended after {took:?}: {}", recording.verdict_of("crash")["text"]));
    recording.expect_code(3);
    assert_good_is_complete(&recording);
}

#[test]
fn one_that_never_starts_has_failed_after_three_times() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "start", "");
    recorder.wait_for_status("a failure", |s| s["sources"][1]["state"] == "failed");
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("its process was killed by SIGSEGV, 3 times before it had started");
    assert_good_is_complete(&recording);
    assert_eq!(events(&recording.info(), "child_exit").len(), 3);
}

#[test]
fn a_required_source_whose_process_never_starts_ends_the_recording() {
    let dir = TestDir::in_memory();
    let source = repository().join("tests/plugins/crash/crash.c");
    compile_plugin(&source, &dir.join("plugins"), "crash", &[]);
    let config = config("start", "").replace("required = false", "required = true");
    let recording = Recorder::start_with(&dir, &config, &["--plugin-dir=plugins"]).wait();
    recording
        .expect_code(1)
        .expect_told("a required source cannot start: bad: its process was killed by SIGSEGV");
}

#[test]
fn one_that_hangs_in_start_is_ended_at_the_stop() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "hang-in-start", "");
    recorder.wait_until_recording();
    let (recording, took) = recorder.stop(Signal::SIGINT);
    assert!(took < STOPS_WITHIN, "{took:?}");
    recording.expect_code(3);
    assert!(recording.verdict().to_string().contains("did not stop within"));
    assert_good_is_complete(&recording);
}

#[test]
fn a_plugin_that_cannot_be_loaded_or_made_harms_only_its_process() {
    let source = repository().join("tests/plugins/crash/crash.c");
    for (flags, fault, text) in [
        (&["-DCRASH_WHEN_LOADED"][..], "", "while it was loaded, its process was killed by SIGSEGV"),
        (&[], "create", "while an instance was made, its process was killed by SIGSEGV"),
    ] {
        let dir = TestDir::new();
        compile_plugin(&source, &dir.join("plugins"), "crash", flags);
        let recording = Recorder::start_with(&dir, &config(fault, ""), &["--plugin-dir=plugins"]).wait();
        recording.expect_code(2);
        recording.finished.expect_stderr(&["source \"bad\"", text, "config.toml:8:10"]);
        assert!(!recording.file.exists(), "nothing was begun");
        let mut command = lockstep(["validate", "config.toml", "--plugin-dir=plugins"]);
        let validated = support::Process::start(command.current_dir(&*dir)).wait(support::PATIENCE);
        validated.expect_code(2).expect_stderr(&[text]);
    }
}

#[test]
fn refusals_of_plugins_and_options_are_told_as_for_those_in_the_recorders_process() {
    let dir = TestDir::new();
    let config = |plugin: &str, options: &str| {
        format!(
            "[experiment]\nname = \"x\"\n[[source]]\nplugin = \"{plugin}\"\nname = \"it\"\n\
             isolation = \"process\"\noptions = {{ {options} }}\n"
        )
    };
    for (config, texts) in [
        (config("fulty", ""), vec!["there is no plugin \"fulty\"", "config.toml:4:10", "looked for"]),
        (
            config("faulty", "fault = \"pnic\""),
            vec!["\"pnic\"", "did you mean \"panic\"?", "config.toml:7:21"],
        ),
        (
            config("faulty", "in = \"create\", fault = \"bad_option\""),
            vec!["source \"it\": refused on request", "config.toml:7:36", "explains the options"],
        ),
        (
            config("faulty", "in = \"create\", fault = \"panic\""),
            vec!["create panicked: on request, in Create", "config.toml:4:10", "tell its author"],
        ),
    ] {
        let recording = Recorder::start(&dir, &config).wait();
        recording.expect_code(2);
        recording.finished.expect_stderr(&texts);
    }
    dir.write("config.toml", config("udp", "").replace("isolation = \"process\"", "memory_mb = 64"));
    let mut command = lockstep(["validate", "config.toml"]);
    let refused = support::Process::start(command.current_dir(&*dir)).wait(support::PATIENCE);
    refused.expect_code(2).expect_stderr(&["memory_mb is for a process of its own", "config.toml:6:13"]);
}

#[test]
fn a_device_is_recorded_bit_for_bit_through_a_process_of_its_own() {
    let dir = TestDir::new();
    let simulator = Simulator::new(
        &dir.join("truth"),
        1,
        "--rate-hz=500 --channels=4 --duration-s=2 --clock-offset-s=-77.125",
    );
    let config = support::config_for(std::slice::from_ref(&simulator))
        .replace("plugin = \"udp\"", "plugin = \"udp\"\nisolation = \"process\"")
        // The device ends before the recording does.
        .replace("[source.options]\n", "[source.options]\nsilence_s = 60\n");
    let recorder = Recorder::start(&dir, &config);
    recorder.wait_until_listening(1);
    simulator.start().wait();
    let recording = recorder.interrupt();
    recording.expect_code(0);
    assert_closed_cleanly(&recording.info());
    assert!(recording.verdict()["sources"][0]["clocks"][0]["offsets"].as_u64() >= Some(1));
    let truths = simulator.truths();
    let truth = truths[0].as_os_str();
    check("bit_exact", [recording.file.as_os_str(), truth]);
}

#[test]
fn no_process_outlives_the_recorder() {
    let dir = TestDir::in_memory();
    let recorder = start(&dir, "none", "");
    recorder.wait_until_recording();
    let status = recorder.wait_for_status("its process", |s| child(s)["pid"].is_u64());
    let pid = child(&status)["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("an id");
    let pid = Pid::from_raw(pid);
    assert!(kill(pid, None).is_ok(), "it is there");
    // The whole recorder, in a way that it cannot do anything about.
    recorder.signal(Signal::SIGKILL);
    let begun = std::time::Instant::now();
    while kill(pid, None).is_ok() {
        assert!(begun.elapsed() < support::PATIENCE, "its process is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}
