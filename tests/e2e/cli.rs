//! The commands that record nothing, and the demo: help, completions, the documentation of plugins,
//! and `info` on files that are whole, cut off, or something else.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{
    Finished, Process, Recorder, TestDir, assert_closed_cleanly, check, info, lockstep, repository, run,
    stream,
};

const COMMANDS: [&[&str]; 11] = [
    &[],
    &["record"],
    &["validate"],
    &["import-labrecorder"],
    &["plugins"],
    &["simulate"],
    &["simulate", "udp"],
    &["simulate", "neon"],
    &["info"],
    &["demo"],
    &["completions"],
];

fn assert_no_panic(finished: &Finished) {
    assert!(!finished.stderr.contains("panicked"), "{finished}");
}

#[test]
fn the_help_of_every_command_tells_the_exit_codes() {
    for command in COMMANDS {
        for flag in ["--help", "-h"] {
            let help = run(command.iter().copied().chain([flag])).expect_code(0);
            assert_no_panic(&help);
            for text in ["Usage: lockstep", "Exit codes:", "  0  ", "  1  ", "  2  ", "  3  "] {
                assert!(help.stdout.contains(text), "{text:?} is not in {help}");
            }
        }
    }
}

#[test]
fn wrong_usage_has_exit_code_2() {
    for arguments in [
        &["nonsense"][..],
        &[],
        &["record"],
        &["record", "--lsl", " "],
        &["record", "--lsl"],
        &["record", "a.toml", "--duration", "-1"],
        &["record", "a.toml", "--duration", "soon"],
        &["info", "nowhere.xdf"],
        &["plugins", "nonsense"],
        &["completions", "nonsense"],
        &["simulate", "udp", "--payload", "nonsense"],
    ] {
        let finished = run(arguments).expect_code(2);
        assert_no_panic(&finished);
        assert!(!finished.stderr.is_empty(), "{finished}");
    }
}

#[test]
fn a_recording_without_a_configuration_is_told_what_is_wrong_as_one_with_it() {
    let dir = TestDir::new();
    let refused = |arguments: &[&str], texts: &[&str]| {
        let mut command = lockstep(["record", "--lsl", "type='EEG'"]);
        command.args(arguments).current_dir(&*dir);
        let finished =
            Process::start(&mut command).wait(support::PATIENCE).expect_code(2).expect_stderr(texts);
        assert_no_panic(&finished);
    };
    refused(&["--set", "clock.probes=many"], &["must be an integer from 1 to 64"]);
    refused(&["--set", "experiment.participant=a/b"], &["participant"]);
    refused(
        &["--set", "source.lsl.required=false"],
        &["there is no source named \"lsl\"", "did you mean `LSL`?"],
    );
    refused(&["--set", "source.LSL.plugin=nonesuch"], &["there is no plugin \"nonesuch\""]);
    dir.write("wrong.toml", "[experiment]\nname = x\n");
    refused(&["wrong.toml"], &["wrong.toml:2:8"]);
    refused(&["nowhere.toml"], &["there is no file nowhere.toml"]);
}

#[test]
fn completions_are_there_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(["completions", shell]).expect_code(0).stdout;
        for word in ["record", "simulate", "plugin-dir"] {
            assert!(script.contains(word), "{shell}: {word:?} is not in the script");
        }
        let dir = TestDir::new();
        let file = dir.write("script", &script);
        // Where the shell is there, it has to understand the script.
        if let Ok(output) = std::process::Command::new(shell).arg("-n").arg(&file).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// Paths of all options of a schema, as `lockstep plugins NAME` writes them.
fn option_paths(schema: &Value, prefix: &str, paths: &mut Vec<String>) {
    for (name, option) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        option_paths(option, &format!("{path}."), paths);
        option_paths(&option["items"], &format!("{path}[]."), paths);
        paths.push(path);
    }
}

#[test]
fn every_option_of_the_udp_plugin_is_explained() {
    let schema = run(["plugins", "udp", "--json"]).expect_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("a JSON Schema");
    let mut paths = Vec::new();
    option_paths(&schema, "", &mut paths);
    assert!(paths.len() > 30, "{paths:?}");
    let text = run(["plugins", "udp"]).expect_code(0).stdout;
    for path in paths {
        let heading = format!("  {path}  (");
        let mut lines = text.lines().skip_while(|line| !line.starts_with(&heading));
        assert!(lines.next().is_some(), "{path} is not explained:\n{text}");
        assert!(lines.next().is_some_and(|line| line.starts_with("      ")), "{path} has no description");
    }
    let listed = run(["plugins"]).expect_code(0).stdout;
    assert!(listed.lines().any(|line| line.starts_with("udp ")), "{listed}");
}

#[test]
fn info_reads_the_official_example_files() {
    let data = repository().join("tests/data");
    let minimal = info(&data.join("minimal.xdf"));
    let expected = [("SendDataC", "int16", 3, 9, 2), ("SendDataString", "string", 1, 9, 0)];
    for (name, format, channels, samples, offsets) in expected {
        let found = stream(&minimal, name);
        assert_eq!(found["format"], format);
        assert_eq!(found["channel_count"], channels);
        assert_eq!(found["samples"], samples);
        assert_eq!(found["clock_offsets"], offsets);
        assert_eq!(found["first_timestamp_s"], 5.1);
    }
    assert_eq!(minimal["closed_cleanly"], true);
    for file in ["minimal.xdf", "empty_streams.xdf"] {
        let shown = run([Path::new("info"), &data.join(file)]).expect_code(0);
        assert!(shown.stdout.contains(file), "{shown}");
    }
}

/// A recording of 40 samples or more.
fn recording(dir: &TestDir) -> Recorder {
    let config = "[experiment]\nname = \"short\"\n[[source]]\nname = \"it\"\nplugin = \"faulty\"\n";
    let recorder = Recorder::start(dir, config);
    recorder.wait_until_recording();
    recorder.wait_for_status("40 samples", |s| s["sources"][0]["streams"][0]["samples"].as_u64() > Some(40));
    recorder
}

#[test]
fn info_says_where_a_recording_was_cut_off_and_reads_what_is_before() {
    let dir = TestDir::new();
    let whole = recording(&dir).interrupt();
    whole.expect_code(0);
    let bytes = std::fs::read(&whole.file).expect("a recording");
    let samples = stream(&whole.info(), "it")["samples"].as_u64().expect("a count");
    let mut before = 0;
    for length in (bytes.len() / 3..bytes.len() - 1).step_by(bytes.len() / 50) {
        let cut = dir.write("cut.xdf", &bytes[..length]);
        let found = info(&cut);
        assert_eq!(found["closed_cleanly"], false, "cut to {length} bytes");
        let kept = found["streams"].as_array().expect("a list").iter().find(|s| s["name"] == "it");
        let kept = kept.map_or(0, |s| s["samples"].as_u64().expect("a count"));
        assert!((before..=samples).contains(&kept), "{kept} samples in {length} bytes, {before} in fewer");
        before = kept;
        let shown = run([Path::new("info"), &cut]);
        assert_no_panic(&shown);
        match found["damage"].as_array().expect("a list").first() {
            // Between two chunks, nothing but the footers is missing.
            None => assert!(shown.stdout.contains("not closed cleanly"), "{shown}"),
            Some(damage) => {
                assert_eq!(shown.code, Some(3), "{shown}");
                let place = format!("at byte {}", damage["offset"]);
                assert!(shown.stdout.contains(&place), "{place} is not in {shown}");
            }
        }
    }
    assert!(before > 0, "the longest cut keeps samples");
}

#[test]
fn a_recorder_that_was_killed_leaves_a_file_that_can_be_read() {
    let dir = TestDir::new();
    let recorder = recording(&dir);
    let file = recorder.file.clone();
    recorder.signal(nix::sys::signal::Signal::SIGKILL);
    recorder.wait();
    let found = info(&file);
    assert_eq!(found["closed_cleanly"], false);
    assert_eq!(found["damage"], serde_json::json!([]), "whole chunks only: {found}");
    // What waited 200 ms for the writer is lost, and no more.
    assert!(stream(&found, "it")["samples"].as_u64() >= Some(15), "{found}");
}

#[test]
fn info_refuses_what_is_no_xdf_file() {
    let dir = TestDir::new();
    for (name, bytes) in [("text.xdf", &b"nothing of the kind"[..]), ("gzip.xdf", b"\x1f\x8b\x08\0\0")] {
        let file = dir.write(name, bytes);
        let finished = run([Path::new("info"), &file]).expect_code(1);
        assert_no_panic(&finished);
        finished.expect_stderr(&[name, "not an XDF file"]);
    }
}

#[test]
fn the_demo_records_through_the_real_plugin_and_loses_nothing() {
    let dir = TestDir::new();
    let mut command = lockstep(["demo"]);
    let demo = Process::start(command.current_dir(&*dir)).wait(support::PATIENCE).expect_code(0);
    let library = support::library_name("udp");
    assert!(demo.stderr.contains(&library), "the plugin comes from its library: {demo}");
    assert!(demo.stdout.contains("COMPLETE"), "{demo}");
    let mut files = std::fs::read_dir(&*dir).expect("a folder");
    let file = files.next().expect("a recording").expect("an entry").path();
    assert!(files.next().is_none(), "one file");
    let info = info(&file);
    assert_closed_cleanly(&info);
    for (name, at_least) in [("eeg", 8000), ("imu", 800), ("markers", 5)] {
        let samples = stream(&info, name)["samples"].as_u64().expect("a count");
        assert!(samples >= at_least, "{samples} samples of {name}");
    }
    check("loads", [file.as_os_str(), "eeg".as_ref(), "imu".as_ref(), "markers".as_ref()]);
}
