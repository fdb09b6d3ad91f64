//! `lockstep recover`: recordings that were torn off, damaged ones, whole ones, and what is none.
// Processes are watched with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{Recorder, Recording, TestDir, assert_closed_cleanly, check, info, repository, run};

const CONFIG: &str = "[experiment]\nname = \"torn\"\n[[source]]\nname = \"it\"\nplugin = \"faulty\"\n";

fn record(dir: &TestDir, end: Signal) -> Recording {
    let recorder = Recorder::start(dir, CONFIG);
    recorder.wait_for_status("samples", |s| s["elapsed_s"].as_f64() > Some(1.5));
    recorder.stop(end).0
}

/// What `recover --json` says of a file, and how it ended.
#[track_caller]
fn recover(file: &Path, arguments: &[&str]) -> (Value, i32) {
    let mut all = vec!["recover".into(), file.as_os_str().to_owned(), "--json".into()];
    all.extend(arguments.iter().map(Into::into));
    let finished = run(all);
    let mut said: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished}"));
    (said[0].take(), finished.code.expect("not killed"))
}

#[test]
fn a_recording_that_was_killed_is_closed() {
    let dir = TestDir::new();
    let recording = record(&dir, Signal::SIGKILL);
    let before = std::fs::read(&recording.file).expect("a recording");
    let touched = std::fs::metadata(&recording.file).and_then(|m| m.modified()).expect("a time");
    let (said, code) = recover(&recording.file, &[]);
    let new = dir.join("out_recovered.xdf");
    assert_eq!(said["output"], new.display().to_string().as_str(), "{said}");
    // The writer writes whole chunks, but the kill may come within one.
    assert_eq!(code, if said["bytes_skipped"] == 0 { 0 } else { 3 }, "{said}");
    assert!(said["streams"].as_array().expect("streams").iter().all(|stream| stream["footer"] == "made"));
    check("recovered", ["--closed".as_ref(), new.as_os_str()]);
    assert_closed_cleanly(&info(&new));
    run(["check".as_ref(), new.as_os_str()]).expect_code(code);
    // The original is as it was.
    assert_eq!(std::fs::read(&recording.file).expect("it"), before);
    assert_eq!(std::fs::metadata(&recording.file).and_then(|m| m.modified()).expect("a time"), touched);
    // Nothing is replaced, and nothing else is left behind.
    run(["recover".as_ref(), recording.file.as_os_str()])
        .expect_code(2)
        .expect_stderr(&["exists", "--output"]);
    assert_eq!(std::fs::read_dir(&*dir).expect("folder").count(), 3, "config, recording, recovered");
}

#[test]
fn a_recording_that_was_cut_anywhere_is_closed_and_its_loss_is_told() {
    let dir = TestDir::new();
    let recording = record(&dir, Signal::SIGINT);
    recording.expect_code(0);
    let whole = std::fs::read(&recording.file).expect("a recording");
    for share in [50, 73, 99] {
        let cut = dir.join(format!("cut_{share}.xdf"));
        std::fs::write(&cut, &whole[..whole.len() * share / 100]).expect("written");
        let (said, code) = recover(&cut, &[]);
        let new = cut.with_file_name(format!("cut_{share}_recovered.xdf"));
        check("recovered", ["--closed".as_ref(), new.as_os_str()]);
        assert_closed_cleanly(&info(&new));
        assert!(matches!(code, 0 | 3), "{said}");
        let lost = said["bytes_skipped"].as_u64().expect("a number");
        assert_eq!(code == 3, lost > 0, "{said}");
    }
    // A sector in the middle is gone.
    let mut damaged = whole.clone();
    let middle = whole.len() / 2;
    damaged[middle..middle + 512].fill(0);
    let file = dir.write("damaged.xdf", &damaged);
    let (said, code) = recover(&file, &["--dry-run"]);
    assert_eq!((code, &said["output"]), (3, &Value::Null), "{said}");
    assert!(!dir.join("damaged_recovered.xdf").exists(), "a dry run writes nothing");
    let new = dir.join("elsewhere.xdf");
    let (said, code) = recover(&file, &["--output", new.to_str().expect("UTF-8")]);
    assert_eq!(code, 3, "{said}");
    assert!(!said["skipped"].as_array().expect("places").is_empty());
    check("recovered", ["--closed".as_ref(), new.as_os_str()]);
    // What is lost stays known.
    run(["check".as_ref(), new.as_os_str()]).expect_code(3);
}

#[test]
fn whole_files_stay_what_they_are() {
    let dir = TestDir::new();
    let recording = record(&dir, Signal::SIGINT);
    recording.expect_code(0);
    let mut files = vec![recording.file.clone()];
    for name in ["minimal.xdf", "empty_streams.xdf"] {
        let copy = dir.join(name);
        std::fs::copy(repository().join("tests/data").join(name), &copy).expect("an official file");
        files.push(copy);
    }
    for file in &files {
        let (said, code) = recover(file, &[]);
        assert_eq!(code, 0, "{said}");
        let new = said["output"].as_str().expect("a path").to_owned();
        check("recovered", [file.as_os_str(), new.as_ref()]);
    }
    // All at once, and read from packed ones: there is nothing more to recover.
    let again = run(["recover".as_ref(), dir.join("out_recovered.xdf").as_os_str()]).expect_code(0);
    assert!(again.stdout.contains("nothing was to be mended"), "{again}");
}

#[test]
fn what_is_no_recording_is_refused() {
    let dir = TestDir::new();
    let file = |name: &str, bytes: &[u8]| dir.write(name, bytes);
    let none = dir.join("none.xdf");
    run(["recover".as_ref(), none.as_os_str()]).expect_code(2);
    run(["recover".as_ref(), dir.as_os_str()]).expect_code(2).expect_stderr(&["folder"]);
    for (name, bytes) in
        [("text.xdf", &b"no recording at all"[..]), ("empty.xdf", b""), ("only_magic.xdf", b"XDF:")]
    {
        run(["recover".as_ref(), file(name, bytes).as_os_str()]).expect_code(1);
    }
    let minimal = dir.join("minimal.xdf");
    std::fs::copy(repository().join("tests/data/minimal.xdf"), &minimal).expect("an official file");
    let onto_itself = ["recover".as_ref(), minimal.as_os_str(), "-o".as_ref(), minimal.as_os_str()];
    run(onto_itself).expect_code(2).expect_stderr(&["the file to recover from"]);
    let nowhere = dir.join("not/there.xdf");
    run(["recover".as_ref(), minimal.as_os_str(), "-o".as_ref(), nowhere.as_os_str()]).expect_code(1);
    let two = ["recover".as_ref(), minimal.as_os_str(), none.as_os_str(), "-o".as_ref(), nowhere.as_os_str()];
    run(two).expect_code(2);
    // One that cannot be read does not keep the others from being recovered.
    run(["recover".as_ref(), none.as_os_str(), minimal.as_os_str()]).expect_code(2);
    assert!(dir.join("minimal_recovered.xdf").exists());
    let left: Vec<_> = std::fs::read_dir(&*dir).expect("folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}
