//! Plugins of every kind: missing, not a plugin, of a newer ABI, declining, misbehaving in each of
//! their calls, and one written in C. Whatever a plugin does, the other sources are recorded.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::time::Duration;

use support::{
    Recorder, Recording, TestDir, assert_closed_cleanly, check, compile_plugin, counter_source, events,
    library_name, lockstep, stream,
};

/// A recorder that waits for a plugin that hangs must still end within this time. The deadline is
/// 0.7 s; the rest is for machines that are busy.
const STOPS_WITHIN: Duration = Duration::from_millis(1500);

/// One source that behaves, and one of which `bad` says how it does not.
fn config(bad: &str) -> String {
    format!(
        "[experiment]\nname = \"faults\"\n\
         [[source]]\nname = \"good\"\nplugin = \"faulty\"\n\
         [[source]]\nname = \"bad\"\nplugin = \"faulty\"\n{bad}\n"
    )
}

fn fault(place: &str, fault: &str) -> String {
    config(&format!("required = false\noptions = {{ in = \"{place}\", fault = \"{fault}\" }}"))
}

/// The source "good" is in the file, all of it, and the file is whole.
fn assert_good_is_complete(recording: &Recording) {
    assert_eq!(recording.verdict_of("good")["outcome"], "complete", "{}", recording.verdict());
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(stream(&info, "good")["samples"], recording.verdict_of("good")["status"]["samples"]);
    check("counts", [recording.file.as_os_str(), "good".as_ref()]);
}

/// `record` refuses to begin, and says each of `texts`.
fn refused(dir: &TestDir, config: &str, texts: &[&str]) {
    let recording = Recorder::start_with(dir, config, &["--plugin-dir=plugins"]).wait();
    recording.expect_code(2);
    let finished = recording.finished.expect_stderr(texts);
    assert!(finished.stderr.contains("config.toml:4:10"), "the place in the file: {finished}");
    assert!(!recording.file.exists(), "nothing was begun");
}

fn one_source(plugin: &str) -> String {
    format!("[experiment]\nname = \"x\"\n[[source]]\nplugin = \"{plugin}\"\nname = \"it\"\n")
}

#[test]
fn a_missing_plugin_is_told_with_those_there_are() {
    let dir = TestDir::new();
    let texts =
        ["there is no plugin \"fulty\"", "faulty", "--plugin-dir or LOCKSTEP_PLUGIN_PATH", "looked for"];
    refused(&dir, &one_source("fulty"), &texts);
}

#[test]
fn a_file_that_is_no_library_is_told() {
    let dir = TestDir::new();
    dir.write(&format!("plugins/{}", library_name("text")), "this is not a library");
    refused(&dir, &one_source("text"), &[&library_name("text"), "cannot be loaded"]);
}

#[test]
fn a_library_that_is_no_plugin_is_told() {
    let dir = TestDir::new();
    let source = dir.write("plugins/other.c", "int other(void);\nint other(void) { return 1; }\n");
    compile_plugin(&source, &dir.join("plugins"), "other", &[]);
    let texts = [&library_name("other"), "is not a Lockstep plugin", "lks_plugin_entry_other"];
    refused(&dir, &one_source("other"), &texts);
}

#[test]
fn a_plugin_of_a_newer_abi_is_told_with_both_versions_and_the_mend() {
    let dir = TestDir::new();
    compile_plugin(&counter_source(), &dir.join("plugins"), "counter", &["-DABI_MAJOR=2"]);
    let minor = lockstep_plugin_api::sys::ABI_MINOR;
    let (theirs, ours) =
        (format!("was built for plugin ABI 2.{minor}"), format!("this Lockstep speaks 1.{minor}"));
    let texts = [&theirs, &ours, "Update Lockstep"];
    refused(&dir, &one_source("counter"), &texts);
}

#[test]
fn a_plugin_of_an_older_abi_is_told_with_both_versions_and_the_mend() {
    let dir = TestDir::new();
    compile_plugin(&counter_source(), &dir.join("plugins"), "counter", &["-DABI_MAJOR=0"]);
    refused(&dir, &one_source("counter"), &["was built for plugin ABI 0.", "Rebuild the plugin"]);
}

#[test]
fn a_plugin_that_declines_is_told() {
    let dir = TestDir::new();
    let source = "#include \"lockstep_plugin.h\"\n\
        LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t major, uint32_t minor);\n\
        LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t major, uint32_t minor)\n\
        { (void)major; (void)minor; return NULL; }\n";
    let source = dir.write("plugins/decliner.c", source);
    compile_plugin(&source, &dir.join("plugins"), "decliner", &[]);
    refused(&dir, &one_source("decliner"), &[&library_name("decliner"), "cannot serve plugin ABI 1."]);
}

#[test]
fn a_broken_plugin_further_up_is_not_passed_over_for_one_further_down() {
    let dir = TestDir::new();
    dir.write(&format!("plugins/{}", library_name("faulty")), "half a download");
    refused(&dir, &one_source("faulty"), &[&library_name("faulty"), "cannot be loaded"]);
}

#[test]
fn unusable_plugins_are_listed_with_the_reason() {
    let dir = TestDir::new();
    dir.write(&format!("plugins/{}", library_name("text")), "this is not a library");
    let mut command = lockstep(["plugins", "--plugin-dir=plugins"]);
    let listed = support::Process::start(command.current_dir(&*dir)).wait(support::PATIENCE).expect_code(0);
    assert!(listed.stdout.contains("✗ text: "), "{listed}");
    assert!(listed.stdout.contains("Misbehaves on request"), "{listed}");
}

#[test]
fn a_fault_in_create_is_told_at_the_plugin_of_the_source_and_nothing_is_begun() {
    for (fault_name, text) in [
        ("panic", "create panicked: on request, in Create"),
        ("error", "create: an error on request, in Create"),
    ] {
        let dir = TestDir::new();
        let recording = Recorder::start(&dir, &fault("create", fault_name)).wait();
        recording.expect_code(2);
        assert!(!recording.file.exists(), "nothing was begun");
        recording.finished.expect_stderr(&["source \"bad\"", text, "config.toml:8:10", "tell its author"]);
    }
}

#[test]
fn a_refused_option_is_told_at_its_line() {
    let dir = TestDir::new();
    let recording = Recorder::start(&dir, &fault("create", "bad_option")).wait();
    recording.expect_code(2);
    let finished = recording.finished;
    finished.expect_stderr(&[
        "source \"bad\": refused on request",
        "config.toml:10:36",
        "options = { in = \"create\", fault = \"bad_option\" }",
        "^^^^^^^^^^^^",
        "`lockstep plugins faulty` explains the options",
    ]);
}

#[test]
fn an_option_refused_only_in_start_keeps_its_reason() {
    let dir = TestDir::new();
    let recorder = Recorder::start(&dir, &fault("start", "bad_option"));
    recorder.wait_until_recording();
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("refused on request");
    assert_good_is_complete(&recording);
}

#[test]
fn a_fault_in_start_is_told_and_the_rest_is_recorded() {
    for (fault_name, text) in
        [("panic", "start panicked: on request, in Start"), ("error", "start: an error on request, in Start")]
    {
        let dir = TestDir::new();
        let recorder = Recorder::start(&dir, &fault("start", fault_name));
        recorder.wait_until_recording();
        let recording = recorder.interrupt();
        recording.expect_code(3).expect_told(text);
        let bad = recording.verdict_of("bad");
        assert_eq!(bad["outcome"], "lossy", "{bad}");
        assert!(bad["text"].as_str().is_some_and(|t| t.contains(text)), "{bad}");
        assert_good_is_complete(&recording);
        let failed = recording.info();
        let failed = events(&failed, "state").into_iter().find(|e| e["state"] == "failed").cloned();
        assert!(failed.is_some_and(|e| e["source"] == "bad"), "{}", recording.finished);
    }
}

#[test]
fn a_required_source_that_cannot_start_ends_the_recording_with_exit_code_1() {
    let dir = TestDir::new();
    let config = config("options = { in = \"start\", fault = \"error\" }");
    let recording = Recorder::start(&dir, &config).wait();
    recording.expect_code(1).expect_told("a required source cannot start: bad: start: an error on request");
    assert_eq!(recording.verdict()["begun"], false);
    // Without a sample the file is removed; with the first few of the other source it is closed.
    if recording.file.exists() {
        assert_closed_cleanly(&recording.info());
    }
}

#[test]
fn a_fault_in_a_thread_is_a_loss_and_the_rest_is_recorded() {
    for (fault_name, text) in [
        ("panic", "thread faulty panicked: on request, in Thread"),
        ("error", "thread faulty: an error on request, in Thread"),
    ] {
        let dir = TestDir::new();
        let recorder = Recorder::start(&dir, &fault("thread", fault_name));
        recorder.wait_for_notice(text);
        let alarm = |s: &serde_json::Value| {
            s["alarms"].as_array().is_some_and(|a| a.iter().any(|a| a["source"] == "bad"))
        };
        recorder.wait_for_status("an alarm", alarm);
        let recording = recorder.interrupt();
        // It was sending, and then it was not: that is no complete recording.
        recording.expect_code(3);
        let bad = recording.verdict_of("bad");
        assert_eq!(bad["outcome"], "lossy", "{bad}");
        assert!(bad["text"].as_str().is_some_and(|t| t.contains(text)), "{bad}");
        assert_eq!(bad["status"]["samples"], 20, "what it had sent is there: {bad}");
        assert_good_is_complete(&recording);
        check("counts", [recording.file.as_os_str(), "bad".as_ref()]);
    }
}

#[test]
fn a_fault_in_stop_is_told_and_everything_is_recorded() {
    for (fault_name, text) in
        [("panic", "stop panicked: on request, in Stop"), ("error", "stop: an error on request, in Stop")]
    {
        let dir = TestDir::new();
        let recorder = Recorder::start(&dir, &fault("stop", fault_name));
        recorder.wait_until_recording();
        let recording = recorder.interrupt();
        recording.expect_code(3).expect_told(text);
        assert_good_is_complete(&recording);
        check("counts", [recording.file.as_os_str(), "bad".as_ref()]);
    }
}

#[test]
fn a_panic_in_destroy_is_told_and_everything_is_recorded() {
    let dir = TestDir::new();
    let recorder = Recorder::start(&dir, &fault("destroy", "panic"));
    recorder.wait_until_recording();
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("destroy panicked: on request, in Destroy");
    assert_good_is_complete(&recording);
    check("counts", [recording.file.as_os_str(), "bad".as_ref()]);
}

#[test]
fn an_error_in_destroy_has_no_one_to_tell_and_harms_nothing() {
    // A destructor cannot return an error: there is nothing that the recorder could be told.
    let dir = TestDir::new();
    let recorder = Recorder::start(&dir, &fault("destroy", "error"));
    recorder.wait_until_recording();
    let recording = recorder.interrupt();
    recording.expect_code(0);
    assert_good_is_complete(&recording);
}

#[test]
fn a_plugin_that_hangs_is_left_behind_and_the_file_is_closed_in_time() {
    for place in ["start", "stop"] {
        let dir = TestDir::in_memory();
        let recorder = Recorder::start(&dir, &fault(place, "hang"));
        recorder.wait_until_recording();
        let (recording, took) = recorder.stop(nix::sys::signal::Signal::SIGINT);
        println!("hanging in {place}: ended after {took:?}");
        recording.expect_code(3).expect_told("source bad did not stop within 700 ms and was left behind");
        assert!(took < STOPS_WITHIN, "it took {took:?}: {}", recording.finished);
        assert_good_is_complete(&recording);
    }
}

#[test]
fn a_plugin_in_c_is_recorded_exactly_in_the_recorders_process_and_in_one_of_its_own() {
    for isolation in ["none", "process"] {
        let dir = TestDir::new();
        compile_plugin(&counter_source(), &dir.join("plugins"), "counter", &[]);
        let config = format!(
            "[experiment]\nname = \"c\"\n\
             [[source]]\nname = \"counter\"\nplugin = \"counter\"\nisolation = \"{isolation}\"\n\
             acquisition = {{ serial_number = \"SN-7 <&>\" }}\n\
             synchronization = {{ offset_mean = 0.0125 }}\n"
        );
        let recorder = Recorder::start_with(&dir, &config, &["--plugin-dir=plugins"]);
        recorder.wait_for_status("100 samples", |s| {
            s["sources"][0]["streams"][0]["samples"].as_u64().is_some_and(|n| n >= 100)
        });
        let recording = recorder.interrupt();
        recording.expect_code(0);
        let info = recording.info();
        assert_closed_cleanly(&info);
        check("c_counter", [recording.file.as_os_str()]);
        assert_eq!(events(&info, "start")[0]["sources"][0]["isolation"], isolation);
    }
}
