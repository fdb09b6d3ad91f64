//! The checkers in Python, under tests/check: they read recordings with pyxdf, never with our code.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::process::Process;

/// The interpreter that has the packages of tests/requirements.txt.
fn interpreter() -> PathBuf {
    if let Some(path) = std::env::var_os("LOCKSTEP_TEST_PYTHON") {
        return path.into();
    }
    // The binary is in TARGET/PROFILE.
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_lockstep"));
    let target = binary.parent().and_then(|profile| profile.parent()).expect("a target folder");
    let venv = target.join("test-venv/bin/python");
    assert!(
        venv.is_file(),
        "there is no Python with pyxdf at {}: run the tests with tests/run, which makes it, \
         or set LOCKSTEP_TEST_PYTHON to an interpreter that has tests/requirements.txt",
        venv.display()
    );
    venv
}

/// A program in Python of this repository, with its path below the top.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(interpreter());
    // No __pycache__ in the sources, nothing from the user's own packages.
    command.args(["-B", "-s"]).arg(super::repository().join(script));
    command
}

/// Run `tests/check/NAME.py`; the test fails with what it says when it is not satisfied.
#[track_caller]
pub fn check<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> String {
    let mut command = python(&format!("tests/check/{name}.py"));
    let finished = Process::start(command.args(arguments)).wait(2 * super::PATIENCE);
    print!("{}", finished.stdout);
    finished.expect_code(0).stdout
}

/// The same, of one whose last line is JSON: that line.
#[track_caller]
pub fn check_for_json<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Value {
    let said = check(name, arguments);
    serde_json::from_str(said.lines().last().expect("a line")).expect("JSON")
}
