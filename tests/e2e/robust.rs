//! What others do wrong costs at most their own data: a terminal that is stopped, a plugin that
//! floods or breaks the contract, sources that name their clocks alike.
// Pipes and signals; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{
    Recorder, TestDir, assert_closed_cleanly, compile_plugin, counter_source, events, info, lockstep,
    repository, stream,
};

const HEAD: &str = "[experiment]\nname = \"robust\"\n";

fn rude(dir: &TestDir, flags: &[&str]) {
    let source = repository().join("tests/plugins/rude/rude.c");
    compile_plugin(&source, dir, "rude", flags);
}

fn plugin_dir(dir: &TestDir) -> String {
    format!("--plugin-dir={}", dir.display())
}

#[test]
fn a_reader_that_does_not_read_does_not_hold_up_the_recording_or_its_end() {
    // In memory: the final sync of a busy disk takes its own time.
    let dir = TestDir::in_memory();
    let config = dir.write("config.toml", format!("{HEAD}[[source]]\nname = \"it\"\nplugin = \"faulty\"\n"));
    let file = dir.join("out.xdf");
    // A pipe that is full from the start, and stays so.
    let (_reader, mut pipe) = std::io::pipe().expect("a pipe");
    pipe.write_all(&[b' '; 65536]).expect("a pipe holds 64 KiB");
    let mut recorder = lockstep([
        "record".as_ref(),
        config.as_os_str(),
        "--json".as_ref(),
        "--output".as_ref(),
        file.as_os_str(),
    ])
    .stdout(pipe)
    .spawn()
    .expect("the recorder");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(&file).map_or(0, |m| m.len()) < 8000 {
        assert!(Instant::now() < deadline, "nothing is recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
    let asked = Instant::now();
    kill(Pid::from_raw(recorder.id() as i32), Signal::SIGTERM).expect("a signal");
    while recorder.try_wait().expect("a status").is_none() {
        assert!(asked.elapsed() < Duration::from_secs(5), "it did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let recorded = info(&file);
    assert_closed_cleanly(&recorded);
    assert!(stream(&recorded, "it")["samples"].as_u64() > Some(20));
}

#[test]
fn a_plugin_that_changes_its_state_without_end_is_cut_short_and_counted() {
    let dir = TestDir::new();
    rude(&dir, &["-DCHATTER"]);
    let config = format!(
        "{HEAD}[[source]]\nname = \"rude\"\nplugin = \"rude\"\n[[source]]\nname = \"good\"\nplugin = \"faulty\"\n"
    );
    let recorder = Recorder::start_with(&dir, &config, &[&plugin_dir(&dir)]);
    recorder.wait_for_status("two seconds", |s| s["elapsed_s"].as_f64() > Some(2.0));
    let recording = recorder.interrupt();
    recording.expect_code(0);
    let recorded = recording.info();
    assert_closed_cleanly(&recorded);
    let states = events(&recorded, "state").len();
    assert!(states < 2000, "{states} state events in a few seconds");
    assert!(events(&recorded, "hidden").iter().any(|e| e["count"].as_u64() > Some(1000)), "{recorded}");
}

#[test]
fn chunks_that_cannot_be_read_are_counted_sample_by_sample() {
    let dir = TestDir::new();
    rude(&dir, &[]);
    let config = format!("{HEAD}[[source]]\nname = \"rude\"\nplugin = \"rude\"\n");
    let recorder = Recorder::start_with(&dir, &config, &[&plugin_dir(&dir)]);
    recorder.wait_for_status("refused samples", |s| s["sources"][0]["streams"][0]["rejected"] == 15);
    let recording = recorder.interrupt();
    recording.expect_code(3).expect_told("(15 in all)");
    let recorded = recording.info();
    assert_eq!(stream(&recorded, "rude")["lost_samples"], 15);
    let written: u64 = events(&recorded, "rejected").iter().filter_map(|e| e["samples"].as_u64()).sum();
    assert_eq!(written, 15);
    assert!(!recording.told("a chunk without stamps was taken"));
}

#[test]
fn clocks_of_one_name_in_two_sources_are_told_apart_by_the_id_of_their_stream() {
    let dir = TestDir::new();
    compile_plugin(&counter_source(), &dir, "counter", &[]);
    let config = format!(
        "{HEAD}[[source]]\nname = \"a\"\nplugin = \"counter\"\n[[source]]\nname = \"b\"\nplugin = \"counter\"\n"
    );
    let recorder = Recorder::start_with(&dir, &config, &[&plugin_dir(&dir)]);
    recorder.wait_until_recording();
    let recording = recorder.interrupt();
    recording.expect_code(0);
    let recorded = recording.info();
    let clocks: Vec<_> =
        recorded["clocks"].as_array().expect("clocks").iter().map(|c| &c["stream_id"]).collect();
    assert_eq!(clocks.len(), 2);
    assert_ne!(clocks[0], clocks[1]);
    for id in clocks {
        let users =
            recorded["streams"].as_array().expect("streams").iter().filter(|s| &s["clock_stream_id"] == id);
        assert_eq!(users.count(), 2, "each clock stamps the two streams of its source: {recorded}");
    }
}
