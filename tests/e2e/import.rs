//! `lockstep import-labrecorder`, as a user meets it.
#![cfg(unix)]

mod support;

use std::path::Path;

use support::{TestDir, repository, run};

#[test]
fn a_configuration_is_written_once_and_what_is_different_is_told() {
    let dir = TestDir::new();
    let source = repository().join("tests/data/labrecorder/default.cfg");
    let output = dir.join("out.toml");
    let command = [Path::new("import-labrecorder"), &source, Path::new("-o"), &output];
    let finished = run(command).expect_code(0);
    finished.expect_stderr(&["note: OnlineSync is not carried over", "until `bind` says otherwise"]);
    let text = std::fs::read_to_string(&output).expect("a file");
    assert!(text.starts_with("# Made from default.cfg"), "{text}");
    run(command).expect_code(2).expect_stderr(&["already exists, and nothing is ever overwritten"]);
    assert_eq!(std::fs::read_to_string(&output).expect("a file"), text);
    assert_eq!(run([Path::new("import-labrecorder"), &source]).expect_code(0).stdout, text);
}

#[test]
fn what_is_none_is_refused() {
    let dir = TestDir::new();
    let other = dir.write("other.cfg", "colour = red\n");
    run([Path::new("import-labrecorder"), &other])
        .expect_code(2)
        .expect_stderr(&["none of LabRecorder's keys"]);
    run(["import-labrecorder", "nowhere.cfg"]).expect_code(2).expect_stderr(&["nowhere.cfg cannot be read"]);
}
