//! When the disk fails: nothing is lost that fits into memory, what is lost is counted exactly, and the recording
//! goes on in another place, or when there is room again. The disk fails by `tests/peers/failing_disk.c`.
#![cfg(target_os = "linux")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{
    Recorder, Recording, Running, Simulator, TestDir, assert_closed_cleanly, check, events, info, lockstep,
    repository, run, stream,
};

/// A recorder whose disk fails on request.
struct Lab {
    dir: TestDir,
    library: PathBuf,
    orders: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let dir = TestDir::in_memory();
        let library = dir.join("failing_disk.so");
        let source = repository().join("tests/peers/failing_disk.c");
        let compiled = Command::new("cc")
            .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
            .arg(source)
            .arg("-o")
            .arg(&library)
            .arg("-ldl")
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "cc");
        let orders = dir.join("orders");
        Self { dir, library, orders }
    }

    /// From now on the disk does this; `""`: it works.
    fn order(&self, order: &str) {
        let next = self.dir.join("next");
        std::fs::write(&next, order).expect("written");
        std::fs::rename(next, &self.orders).expect("renamed");
    }

    fn fail_writes(&self, error: &str, folder: &str) {
        self.order(&format!("write {error} {}", self.dir.join(folder).display()));
    }

    /// Record `sources` into `disk/out.xdf`.
    fn record(&self, recording: &str, sources: &str) -> Recorder {
        let config = format!("[experiment]\nname = \"disk\"\n[recording]\n{recording}\n{sources}\n");
        let (config, file) = (self.dir.write("config.toml", config), self.dir.join("disk/out.xdf"));
        let mut command = lockstep(["record".as_ref(), config.as_os_str()]);
        command.arg("--json").arg("--output").arg(&file).current_dir(&*self.dir);
        command.env("LD_PRELOAD", &self.library).env("FAILING_DISK", &self.orders);
        Recorder::from_command(&mut command, &file)
    }
}

const COUNTER: &str = "[[source]]\nname = \"it\"\nplugin = \"faulty\"";

fn wait_for_more(recorder: &Recorder, more: u64) {
    let samples = |s: &Value| s["sources"][0]["streams"][0]["samples"].as_u64().unwrap_or(0);
    let mut first = None;
    recorder.wait_for_status("more samples", |s| samples(s) >= *first.get_or_insert(samples(s)) + more);
}

#[track_caller]
fn expect_unwritten(recording: &Recording, stream: &str) {
    let verdict = recording.verdict_of(stream);
    let text = verdict["text"].as_str().unwrap_or_default();
    assert!(text.contains("received and not in the file: writing failed"), "{verdict}");
}

fn in_file(recording: &Recording, stream: &str) -> u64 {
    recording.verdict_of(stream)["samples_in_file"].as_u64().expect("a count")
}

fn received(recording: &Recording, stream: &str) -> u64 {
    recording.verdict_of(stream)["status"]["samples"].as_u64().expect("a count")
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing_that_fits_into_memory() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    lab.fail_writes("ENOSPC", "disk");
    recorder.wait_for_notice("No space left on device");
    let status = recorder.wait_for_status("an alarm", |s| {
        s["alarms"].as_array().is_some_and(|a| {
            a.iter().any(|a| a["text"].as_str().is_some_and(|t| t.contains("writing fails")))
        })
    });
    assert_eq!(status["phase"], "recording", "it goes on");
    wait_for_more(&recorder, 50);
    lab.order("");
    recorder.wait_for_notice("nothing was lost");
    wait_for_more(&recorder, 20);
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("nothing was lost");
    let recorded = recording.info();
    assert_closed_cleanly(&recorded);
    assert_eq!(in_file(&recording, "it"), received(&recording, "it"));
    assert_eq!(events(&recorded, "write_error").len(), 1, "{recorded}");
    assert_eq!(events(&recorded, "write_resumed")[0]["lost_samples"], 0);
    assert_eq!(recorded["damage"], serde_json::json!([]));
    check("counts", [recording.file.as_os_str(), "it".as_ref()]);
}

/// A device that sends enough to fill a small memory in seconds: a megabyte each second.
fn loud(dir: &TestDir) -> Simulator {
    Simulator::new(&dir.join("truth"), 1, "--rate-hz=4000 --channels=64 --exchange=none")
}

fn start(lab: &Lab, simulator: &Simulator, settings: &str) -> (Recorder, Running) {
    let recorder = lab.record(settings, &simulator.sources());
    recorder.wait_until_listening(1);
    let devices = simulator.start();
    recorder.wait_until_recording();
    (recorder, devices)
}

#[test]
fn what_does_not_fit_into_memory_is_the_oldest_and_is_counted_exactly() {
    let lab = Lab::new();
    let simulator = loud(&lab.dir);
    let (recorder, devices) = start(&lab, &simulator, "hold_mb = 1");
    lab.fail_writes("EIO", "disk");
    recorder.wait_for_status("losses", |s| {
        s["alarms"]
            .as_array()
            .is_some_and(|a| a.iter().any(|a| a["text"].as_str().is_some_and(|t| t.contains("lost so far"))))
    });
    lab.order("");
    recorder.wait_for_notice("lost: no file could be written");
    let recording = recorder.interrupt();
    devices.stop();
    recording.expect_code(3);
    expect_unwritten(&recording, "sim");
    let lost = received(&recording, "sim") - in_file(&recording, "sim");
    assert!(lost > 0);
    let all: Vec<Value> = parts(&lab.dir, "disk").iter().map(|file| info(file)).collect();
    let unwritten: Vec<_> = all.iter().flat_map(|file| events(file, "unwritten")).collect();
    assert_eq!(unwritten.iter().filter_map(|e| e["samples"].as_u64()).sum::<u64>(), lost, "{unwritten:?}");
    let kept: u64 = all.iter().map(|file| stream(file, "sim")["samples"].as_u64().unwrap_or(0)).sum();
    assert_eq!(kept + lost, received(&recording, "sim"));
    for file in &all {
        assert_closed_cleanly(file);
    }
    let told: u64 = all.iter().map(|file| stream(file, "sim")["lost_samples"].as_u64().unwrap_or(0)).sum();
    assert_eq!(told, lost, "the footers tell it, too");
    let checked = run(["check".as_ref(), recording.file.as_os_str()]).expect_code(3);
    assert!(checked.stdout.contains("no file could be written in time"), "{}", checked.stdout);
}

fn parts(dir: &Path, folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join(folder)).expect("a folder");
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "xdf"));
    paths.sort();
    paths
}

#[test]
fn with_a_second_directory_it_goes_on_there_at_once_in_a_file_that_stands_alone() {
    let lab = Lab::new();
    let simulator =
        Simulator::new(&lab.dir.join("truth"), 1, "--rate-hz=200 --channels=4 --clock-offset-s=50");
    let second = format!(
        "second_directory = {:?}\n[clock]\ninterval_s = 0.5",
        lab.dir.join("other").display().to_string()
    );
    let (recorder, devices) = start(&lab, &simulator, &second);
    recorder.wait_for_status("offsets", |s| s["sources"][0]["clocks"][0]["offsets"].as_u64() > Some(1));
    lab.fail_writes("EROFS", "disk");
    recorder.wait_for_notice("goes on in");
    recorder.wait_for_status("more offsets in the other file", |s| {
        s["file"]["path"].as_str().is_some_and(|p| p.ends_with("other/out_part-2.xdf"))
            && s["sources"][0]["clocks"][0]["offsets"].as_u64() > Some(3)
    });
    let recording = recorder.interrupt();
    devices.stop();
    recording.expect_code(3).expect_told("Read-only file system").expect_told("nothing was lost");
    let continued = &recording.verdict()["continued_in"];
    assert_eq!(continued.as_array().map(Vec::len), Some(1), "{continued}");
    let (first, other) = (recording.info(), info(&lab.dir.join("other/out_part-2.xdf")));
    assert_closed_cleanly(&other);
    let of = |file: &Value| stream(file, "sim")["samples"].as_u64().expect("a count");
    assert_eq!(of(&first) + of(&other), received(&recording, "sim"));
    assert_eq!(in_file(&recording, "sim"), received(&recording, "sim"));
    // The second one has the offsets of the first, too.
    assert!(
        stream(&other, "sim")["clock_offsets"].as_u64() > stream(&first, "sim")["clock_offsets"].as_u64()
    );
    assert_eq!(events(&other, "file_continued").len(), 1);
    assert!(recording.told("lockstep recover"), "the first could not be given its footers");
    let checked = run(["check".as_ref(), lab.dir.join("other/out_part-2.xdf").as_os_str()]);
    assert!(!checked.stdout.contains("offset-unfounded"), "{}", checked.stdout);
}

#[test]
fn a_write_that_takes_half_is_undone_and_a_failing_file_with_room_is_left_for_another() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    lab.order(&format!("half EIO {}", lab.dir.join("disk/out.xdf").display()));
    recorder.wait_for_notice("out_part-2.xdf");
    wait_for_more(&recorder, 20);
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("Input/output error").expect_told("nothing was lost");
    assert_eq!(recording.info()["damage"], serde_json::json!([]), "it ends with a whole chunk");
    let files: Vec<Value> = parts(&lab.dir, "disk").iter().map(|file| info(file)).collect();
    let kept: u64 = files.iter().map(|f| stream(f, "it")["samples"].as_u64().unwrap_or(0)).sum();
    assert_eq!((files.len(), kept), (2, received(&recording, "it")));
    assert_closed_cleanly(&files[1]);
}

#[test]
fn a_piece_of_a_chunk_that_cannot_be_cut_off_at_once_is_cut_off_before_anything_else_is_written() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    let folder = lab.dir.join("disk");
    lab.order(&format!("half EIO {0}\ncut EIO {0}", folder.display()));
    recorder.wait_for_notice("Input/output error");
    wait_for_more(&recorder, 50);
    lab.order("");
    recorder.wait_for_notice("nothing was lost");
    let recording = recorder.interrupt();
    recording.expect_code(3);
    let files: Vec<Value> = parts(&lab.dir, "disk").iter().map(|file| info(file)).collect();
    for file in &files {
        assert_eq!(file["damage"], serde_json::json!([]));
    }
    let kept: u64 = files.iter().map(|f| stream(f, "it")["samples"].as_u64().unwrap_or(0)).sum();
    assert_eq!(kept, received(&recording, "it"));
}

#[test]
fn a_folder_that_is_deleted_is_made_again_with_all_that_was_in_the_file() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    std::fs::remove_dir_all(lab.dir.join("disk")).expect("removed");
    recorder.wait_for_notice("was deleted while it was recorded");
    wait_for_more(&recorder, 20);
    // And once more, just before the end.
    std::fs::remove_file(lab.dir.join("disk/out.xdf")).expect("removed");
    let recording = recorder.interrupt();
    recording.expect_code(3);
    let recorded = recording.info();
    assert_closed_cleanly(&recorded);
    assert_eq!(in_file(&recording, "it"), received(&recording, "it"));
    assert_eq!(stream(&recorded, "it")["samples"].as_u64(), Some(received(&recording, "it")));
    assert_eq!(events(&recorded, "file_restored").len(), 1);
}

#[test]
fn a_file_that_is_moved_away_is_told_and_another_in_its_place_is_left_alone() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    let (path, moved) = (recorder.file.clone(), lab.dir.join("moved.xdf"));
    std::fs::rename(&path, &moved).expect("moved");
    recorder.wait_for_notice("is not there any more");
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("is not there any more");
    assert_closed_cleanly(&info(&moved));
    // Another program deletes it, and writes a file of its own.
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    std::fs::write(&moved, "of another").expect("written");
    std::fs::rename(&moved, &path).expect("moved");
    recorder.wait_for_notice("was deleted while it was recorded");
    let recording = recorder.interrupt();
    recording.expect_code(3);
    assert_eq!(std::fs::read(&path).expect("it is there"), b"of another");
    let restored = info(&lab.dir.join("disk/out_restored.xdf"));
    assert_closed_cleanly(&restored);
    assert_eq!(stream(&restored, "it")["samples"].as_u64(), Some(received(&recording, "it")));
}

#[test]
fn a_disk_that_fails_to_the_end_is_told_with_all_that_is_lost() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    lab.fail_writes("ENOSPC", "disk");
    recorder.wait_for_notice("No space left on device");
    wait_for_more(&recorder, 30);
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("until the end");
    expect_unwritten(&recording, "it");
    let recorded = recording.info();
    assert_eq!(recorded["damage"], serde_json::json!([]));
    let kept = stream(&recorded, "it")["samples"].as_u64().expect("a count");
    assert_eq!(kept, in_file(&recording, "it"));
    assert!(kept > 0 && kept < received(&recording, "it"));
}

#[test]
fn a_sync_that_fails_is_told_and_the_recording_goes_on() {
    let lab = Lab::new();
    let recorder = lab.record("sync_s = 0.5", COUNTER);
    recorder.wait_until_recording();
    lab.order(&format!("sync EIO {}", lab.dir.join("disk").display()));
    recorder.wait_for_notice("the disk did not keep what was written");
    wait_for_more(&recorder, 20);
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("the disk did not keep what was written");
    assert_closed_cleanly(&recording.info());
    assert_eq!(events(&recording.info(), "sync_error").len(), 1);
}

#[test]
fn it_is_closed_at_the_floor_and_not_because_of_an_answer_that_did_not_come() {
    let lab = Lab::new();
    let free = |bytes: &str| lab.order(&format!("free {bytes} {}", lab.dir.display()));
    free("1000000");
    let refused = lab.record("", COUNTER).wait();
    refused.expect_code(1);
    refused.finished.expect_stderr(&["only 1.0 MB are free", "min_free_mb"]);
    assert!(!refused.file.exists(), "what was not begun is not there");
    free("1000000000");
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    free("10000000");
    let recording = recorder.wait();
    recording.expect_code(3).expect_told("ended early: only 10.0 MB are free");
    assert_closed_cleanly(&recording.info());
    let other = format!("second_directory = {:?}", lab.dir.join("other").display().to_string());
    std::fs::remove_file(&recording.file).expect("removed");
    free("1000000000");
    let recorder = lab.record(&other, COUNTER);
    recorder.wait_until_recording();
    lab.order(&format!("free 1000000 {}", lab.dir.join("disk").display()));
    recorder.wait_for_notice("goes on in");
    // Longer than it takes to ask for the free space again, and to confirm the answer.
    wait_for_more(&recorder, 300);
    let recording = recorder.interrupt();
    recording.expect_code(3);
    assert_eq!(recording.verdict()["ended_by"], "Ctrl-C (SIGINT)");
    for file in [&recording.file, &lab.dir.join("other/out_part-2.xdf")] {
        assert_closed_cleanly(&info(file));
    }
}

#[test]
fn a_file_that_is_being_recorded_says_so_and_is_not_recovered() {
    let lab = Lab::new();
    let recorder = lab.record("", COUNTER);
    recorder.wait_until_recording();
    let path = recorder.file.clone();
    assert_eq!(info(&path)["is_being_recorded"], true);
    let refused = run(["recover".as_ref(), path.as_os_str()]).expect_code(2);
    refused.expect_stderr(&["is being recorded at this moment"]);
    assert_eq!(parts(&lab.dir, "disk"), std::slice::from_ref(&path));
    let recording = recorder.interrupt();
    recording.expect_code(0);
    assert_eq!(info(&path)["is_being_recorded"], false);
    run(["recover".as_ref(), path.as_os_str()]).expect_code(0);
}

#[test]
fn checksums_cover_the_file_from_its_first_byte() {
    let lab = Lab::new();
    let recorder = lab.record("checksum = true", COUNTER);
    recorder.wait_until_recording();
    recorder.wait_for_status("three seconds", |s| s["elapsed_s"].as_f64() > Some(3.0));
    let recording = recorder.interrupt();
    recording.expect_code(0);
    let (recorded, bytes) = (recording.info(), std::fs::read(&recording.file).expect("readable"));
    let sums = events(&recorded, "checksum");
    assert!(sums.len() >= 2, "{recorded}");
    let mut end = 0;
    for sum in sums {
        let number = |key: &str| sum[key].as_u64().expect("a number") as usize;
        assert_eq!(number("from_byte"), end);
        end = number("to_byte");
        // By the bits, so that it is not our own code that is asked.
        let crc = bytes[number("from_byte")..end].iter().fold(u32::MAX, |crc, byte| {
            (0..8)
                .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        });
        assert_eq!(sum["crc32"], format!("{:08x}", !crc));
    }
    assert!(end > 1000);
}
