//! `lockstep check` and `lockstep clock` on whole and on damaged files.
// Processes are watched with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use support::{TestDir, repository, run};

#[test]
fn a_file_that_was_cut_is_found_out() {
    let dir = TestDir::new();
    let whole = std::fs::read(repository().join("tests/data/minimal.xdf")).expect("official file");
    let cut = dir.join("cut.xdf");
    std::fs::write(&cut, &whole[..1500]).expect("written");
    run(["check".into(), cut.clone()]).expect_code(3);
    let finished = run(["check".into(), cut, "--json".into()]).expect_code(3);
    let found: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let text = found.to_string();
    assert!(text.contains("\"cut\"") && text.contains("1286"), "{text}");
}

#[test]
fn no_such_file_and_no_recording_are_told_apart() {
    let dir = TestDir::new();
    run(["check".into(), dir.join("none.xdf")]).expect_code(2);
    let other = dir.join("other.xdf");
    std::fs::write(&other, "not a recording at all").expect("written");
    run(["check".into(), other.clone()]).expect_code(1);
    run(["clock".into(), other]).expect_code(1);
}

#[test]
fn a_clock_is_shown_and_drawn() {
    let dir = TestDir::new();
    let figures = dir.join("figures");
    std::fs::create_dir(&figures).expect("folder");
    let file = repository().join("tests/data/empty_streams.xdf");
    run(["clock".into(), file, "--plot".into(), figures.join("clock.svg")]).expect_code(0);
    let drawn: Vec<_> = std::fs::read_dir(&figures).expect("folder").flatten().collect();
    assert!(!drawn.is_empty(), "no figure");
    for entry in drawn {
        let svg = std::fs::read_to_string(entry.path()).expect("figure");
        assert!(svg.starts_with("<svg") || svg.starts_with("<?xml"), "{}", &svg[..40]);
    }
}
