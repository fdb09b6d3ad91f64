//! What is lost is counted, shown, written into the file and told by the exit code; what is missing
//! is never taken for recorded; nothing is overwritten.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::{
    Process, Recorder, Recording, Simulator, TestDir, assert_closed_cleanly, check, events, lockstep, stream,
};

fn config(recording: &str, source: &str) -> String {
    format!(
        "[experiment]\nname = \"losses\"\n[recording]\n{recording}\n\
         [[source]]\nname = \"it\"\nplugin = \"faulty\"\n{source}\n"
    )
}

fn fault(fault: &str) -> String {
    config("queue_mb = 1", &format!("options = {{ in = \"thread\", fault = \"{fault}\" }}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a count"))
}

fn stream_status(status: &Value) -> &Value {
    &status["sources"][0]["streams"][0]
}

/// Record with one fault until a status says of the stream what is waited for.
fn record_until(dir: &TestDir, config: &str, reached: impl Fn(&Value) -> bool) -> Recording {
    let recorder = Recorder::start(dir, config);
    recorder.wait_until_recording();
    recorder.wait_for_status("the fault", |s| reached(stream_status(s)));
    recorder.interrupt()
}

/// All lines for the user that are alarms of a failure, with the time since the start.
fn has_alarm(status: &Value, text: &str) -> bool {
    let alarms = status["alarms"].as_array().expect("a list of alarms");
    alarms.iter().any(|a| a["severity"] == "failure" && a["text"].as_str().is_some_and(|t| t.contains(text)))
}

#[test]
fn samples_dropped_by_a_full_queue_are_counted_everywhere() {
    let dir = TestDir::new();
    let recording = record_until(&dir, &fault("flood"), |s| s["dropped"].as_u64() > Some(0));
    recording.expect_code(3).expect_told("samples dropped: the queue was full");
    let verdict = recording.verdict_of("it");
    assert_eq!(verdict["outcome"], "lossy", "{verdict}");
    let (samples, dropped) = (number(&verdict["status"]["samples"]), number(&verdict["status"]["dropped"]));
    // What was pushed is either in the file or counted: 65,536,000 at once, and some before and after.
    let flood = 65_536_000;
    assert!(samples + dropped >= flood + 20 && samples + dropped < flood + 100_000, "{verdict}");
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(stream(&info, "it")["samples"], samples);
    assert_eq!(stream(&info, "it")["lost_samples"], dropped);
    let told: u64 = events(&info, "dropped").iter().map(|e| number(&e["samples"])).sum();
    assert_eq!(told, dropped, "the events of the file tell of every drop");
}

#[test]
fn stamps_that_are_no_numbers_are_rejected_and_stamps_that_go_back_are_kept() {
    let dir = TestDir::new();
    let recording = record_until(&dir, &fault("bad_stamps"), |s| s["timestamps_back"] == 1);
    recording.expect_code(3).expect_told("the timestamp of sample 0 of the chunk is NaN");
    let verdict = recording.verdict_of("it");
    assert_eq!((&verdict["status"]["rejected"], &verdict["outcome"]), (&json!(1), &json!("lossy")));
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(events(&info, "rejected").len(), 1, "{info}");
    assert_eq!(events(&info, "timestamps_back").len(), 1, "{info}");
    assert_eq!(stream(&info, "it")["timestamps_back"], 1);
    check("gone_back", [recording.file.as_os_str(), "it".as_ref()]);
}

#[test]
fn a_gap_that_the_source_reports_is_counted_as_lost() {
    let dir = TestDir::new();
    let recording = record_until(&dir, &fault("gap"), |s| s["lost"] == 7);
    recording.expect_code(3).expect_told("7 samples lost: on request").expect_told("a warning on request");
    assert_eq!(recording.verdict_of("it")["status"]["lost"], 7);
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(stream(&info, "it")["lost_samples"], 7);
    let gaps = events(&info, "gap");
    assert_eq!(gaps.len(), 1, "{info}");
    let expected = json!({"source": "it", "stream": "it", "lost_samples": 7, "reason": "on request"});
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&gaps[0][key], value, "{key}");
    }
    let resets = events(&info, "clock_reset");
    assert_eq!((resets.len(), &resets[0]["clock"]), (1, &json!("it-clock")));
    assert!(events(&info, "warning").iter().any(|e| e["text"] == "a warning on request"), "{info}");
    check("counts", [recording.file.as_os_str(), "it".as_ref()]);
}

#[test]
fn a_silent_source_is_an_alarm_within_seconds_and_never_recording() {
    let dir = TestDir::new();
    let config = config("wait_s = 6", "options = { in = \"thread\", fault = \"silent\" }");
    let recorder = Recorder::start(&dir, &config);
    let status = recorder.wait_for_status("an alarm", |s| has_alarm(s, "nothing received"));
    let elapsed_s = status["elapsed_s"].as_f64().expect("a time");
    assert!(elapsed_s < 6.0, "the alarm came {elapsed_s} s after the start");
    let recording = recorder.wait();
    recording.expect_code(1).expect_told("no sample on disk after 6 s from it");
    assert_eq!(recording.phases(), ["starting", "stopping"]);
    let verdict = recording.verdict_of("it");
    assert_eq!((&verdict["outcome"], &verdict["status"]["samples"]), (&json!("lossy"), &json!(0)));
    assert_eq!(recording.verdict()["outcome"], json!("failed"));
    for status in recording.all("status") {
        assert_eq!((&status["on_disk"], &status["required"]), (&json!(0), &json!(1)));
        assert_eq!(status["missing"], json!(["it"]));
    }
    assert!(!recording.file.exists(), "without a sample it must not stand in the way of another try");
}

#[test]
fn with_warn_a_recording_goes_on_without_what_is_missing_and_is_not_called_complete() {
    let dir = TestDir::new();
    let config = config(
        "when_missing = \"warn\"\nwait_s = 0.5",
        "options = { in = \"thread\", fault = \"silent\" }\n\
         [[source]]\nname = \"good\"\nplugin = \"faulty\"",
    );
    let recorder = Recorder::start(&dir, &config);
    recorder.wait_for_notice("recording without it: nothing of it on disk");
    recorder
        .wait_for_status("more samples", |s| s["sources"][1]["streams"][0]["samples"].as_u64() > Some(100));
    let recording = recorder.interrupt();
    recording.expect_code(3);
    assert_eq!(recording.phases(), ["starting", "recording", "stopping"]);
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(events(&info, "recording")[0]["missing"], json!(["it"]));
    assert_eq!(recording.verdict_of("it")["outcome"], json!("lossy"));
    check("counts", [recording.file.as_os_str(), "good".as_ref()]);
}

#[test]
fn with_wait_a_source_that_fails_to_start_has_its_time_all_the_same() {
    let dir = TestDir::new();
    let config = config(
        "when_missing = \"wait\"\nwait_s = 1.5",
        "options = { in = \"start\", fault = \"error\" }\n\
         [[source]]\nname = \"good\"\nplugin = \"faulty\"",
    );
    let recording = Recorder::start(&dir, &config).wait();
    recording.expect_code(1).expect_told("no sample on disk after 1.5 s from it");
    let duration_s = recording.verdict()["duration_s"].as_f64().expect("a time");
    assert!(duration_s >= 1.5, "it gave up after {duration_s} s");
    check("counts", [recording.file.as_os_str(), "good".as_ref()]);
}

#[test]
fn a_silent_source_that_is_not_required_is_an_alarm_and_does_not_hold_up_the_others() {
    let dir = TestDir::new();
    let config = config(
        "",
        "required = false\noptions = { in = \"thread\", fault = \"silent\" }\n\
         [[source]]\nname = \"good\"\nplugin = \"faulty\"",
    );
    let recorder = Recorder::start(&dir, &config);
    recorder.wait_until_recording();
    recorder.wait_for_status("an alarm", |s| has_alarm(s, "nothing received"));
    let recording = recorder.interrupt();
    assert_eq!(recording.verdict_of("good")["outcome"], "complete");
    assert_eq!(recording.verdict_of("it")["status"]["samples"], 0);
    check("counts", [recording.file.as_os_str(), "good".as_ref()]);
}

#[test]
fn when_every_source_has_finished_the_recording_ends_by_itself() {
    let dir = TestDir::new();
    let finish = "options = { in = \"thread\", fault = \"finish\" }";
    let config = config("", &format!("{finish}\n[[source]]\nname = \"too\"\nplugin = \"faulty\"\n{finish}"));
    let recording = Recorder::start(&dir, &config).wait();
    recording.expect_code(0).expect_told("end of input: every source has finished");
    assert_closed_cleanly(&recording.info());
    for name in ["it", "too"] {
        assert_eq!(recording.verdict_of(name)["status"]["samples"], 20);
    }
    check("counts", [recording.file.as_os_str(), "it".as_ref(), "too".as_ref()]);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let dir = TestDir::new();
    let file = dir.write("out.xdf", "years of work");
    let recording = Recorder::start(&dir, &config("", "")).wait();
    recording.expect_code(2);
    recording.finished.expect_stderr(&["out.xdf already exists, and nothing is ever overwritten"]);
    assert_eq!(std::fs::read(file).expect("it is there"), b"years of work");
}

#[test]
fn run_auto_takes_the_next_free_number() {
    let dir = TestDir::new();
    let text = "[experiment]\nname = \"x\"\nparticipant = \"P1\"\ntask = \"t\"\nrun = \"auto\"\n\
        [[source]]\nname = \"it\"\nplugin = \"faulty\"\n\
        options = { in = \"thread\", fault = \"finish\" }\n";
    let config = dir.write("config.toml", text);
    for run in 1..=3 {
        let mut command = lockstep(["record".as_ref(), config.as_os_str()]);
        Process::start(command.current_dir(&*dir)).wait(support::PATIENCE).expect_code(0);
        let file = dir.join(format!("sub-P1/beh/sub-P1_task-t_run-{run:03}_beh.xdf"));
        assert!(file.is_file(), "{} is not there", file.display());
        let info = support::info(&file);
        assert_eq!(events(&info, "start")[0]["experiment"]["run"], run, "the number is in the file");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let dir = TestDir::new();
    dir.write("a_file", "");
    let file = dir.join("a_file/out.xdf");
    let recording = Recorder::start_into(&dir, &config("", ""), &file, &[]).wait();
    recording.expect_code(1);
    recording.finished.expect_stderr(&["a_file", "check the folder, its permissions and the disk"]);
}

#[test]
fn a_folder_of_the_configuration_that_cannot_be_made_is_told_at_its_line() {
    let dir = TestDir::new();
    dir.write("a_file", "");
    let path = dir.write("config.toml", config("directory = \"a_file/below\"", ""));
    let mut command = lockstep(["record".as_ref(), path.as_os_str()]);
    let finished = Process::start(command.current_dir(&*dir)).wait(support::PATIENCE).expect_code(2);
    finished.expect_stderr(&["config.toml:4:13", "directory = \"a_file/below\"", "^^^^^^^^^^^^^^"]);
}

#[test]
fn a_folder_without_permission_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TestDir::new();
    let closed = dir.join("closed");
    std::fs::create_dir(&closed).expect("a folder");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).expect("permissions");
    if std::fs::write(closed.join("probe"), "").is_ok() {
        println!("SKIPPED: root may write everywhere");
        return;
    }
    let recording = Recorder::start_into(&dir, &config("", ""), &closed.join("out.xdf"), &[]).wait();
    recording.expect_code(1);
    recording.finished.expect_stderr(&["closed/out.xdf", "check the folder, its permissions and the disk"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_a_file_that_exists_and_is_not_written_to() {
    let dir = TestDir::new();
    let recording = Recorder::start_into(&dir, &config("", ""), "/dev/full".as_ref(), &[]).wait();
    recording.expect_code(2);
    recording.finished.expect_stderr(&["/dev/full already exists"]);
}

/// A recording of 130 kB a second into `file`, begun by `start`, meets a file that cannot grow: it
/// tells so, goes on, and what came before is whole.
fn goes_on_when_full(dir: &TestDir, reason: &str, start: impl FnOnce(&str) -> Recorder) {
    let simulator = Simulator::new(&dir.join("truth"), 1, "--rate-hz=1000 --channels=32 --exchange=none");
    let recorder = start(&format!("[experiment]\nname = \"full\"\n{}", simulator.sources()));
    recorder.wait_until_listening(1);
    let devices = simulator.start();
    recorder.wait_until_recording();
    recorder.wait_for_notice(reason);
    let mut recording = recorder.interrupt();
    devices.stop();
    let kept = dir.join("kept.xdf");
    std::fs::copy(&recording.file, &kept).expect("a copy");
    recording.file = kept;
    recording.expect_code(3).expect_told("until the end").expect_told(reason);
    let info = recording.info();
    assert_closed_cleanly(&info);
    assert_eq!(info["damage"], json!([]), "it ends with a whole chunk: {info}");
    let samples = number(&stream(&info, "sim")["samples"]);
    assert!(samples > 0, "{info}");
    let unwritten = number(&recording.verdict_of("sim")["status"]["samples"]) - samples;
    assert!(unwritten > 0, "{}", recording.verdict());
}

#[test]
fn a_file_that_may_not_grow_is_followed_by_another() {
    let dir = TestDir::new();
    let simulator = Simulator::new(&dir.join("truth"), 1, "--rate-hz=1000 --channels=32 --exchange=none");
    let config = format!("[experiment]\nname = \"full\"\n{}", simulator.sources());
    let (config, file) = (dir.write("config.toml", config), dir.join("out.xdf"));
    let inner = lockstep(["record"]);
    // A limit of the shell's own: blocks of 512 or 1024 bytes.
    let script = "ulimit -f 512; exec \"$0\" record \"$1\" --json --output \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(inner.get_program()).arg(config).arg(&file);
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let recorder = Recorder::from_command(&mut command, &file);
    recorder.wait_until_listening(1);
    let devices = simulator.start();
    recorder.wait_for_notice("File too large");
    recorder.wait_for_notice("out_part-2.xdf");
    let recording = recorder.interrupt();
    devices.stop();
    recording.expect_code(3).expect_told("nothing was lost");
    let files = [file, dir.join("out_part-2.xdf")].map(|file| support::info(&file));
    let kept: u64 = files.iter().map(|file| number(&stream(file, "sim")["samples"])).sum();
    assert_eq!(kept, number(&recording.verdict_of("sim")["status"]["samples"]));
    assert!(files.iter().all(|file| file["damage"] == json!([])));
    assert_closed_cleanly(&files[1]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_what_it_has_and_gets_its_footers() {
    let dir = TestDir::new();
    let disk = dir.join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=512k", "none"]).arg(&disk);
    if !mount.output().is_ok_and(|o| o.status.success()) {
        println!("SKIPPED: a small disk can be mounted by root only");
        return;
    }
    let _mounted = Mounted(&disk);
    goes_on_when_full(&dir, "No space left on device", |config| {
        Recorder::start_into(&dir, config, &disk.join("out.xdf"), &["--set=recording.min_free_mb=0"])
    });
}

/// A file system that is unmounted when dropped.
#[cfg(target_os = "linux")]
struct Mounted<'a>(&'a std::path::Path);

#[cfg(target_os = "linux")]
impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}
