//! What the end-to-end tests share: the real binary, run in folders of their own, watched by its
//! JSON and its exit code.

// Each test binary compiles this and uses a part of it.
#![allow(dead_code, unused_imports)]
// What is printed is shown by the test runner when a test fails, or when it is asked for.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod dir;
mod lsl;
mod plugins;
mod process;
mod python;
mod recorder;
#[cfg(unix)]
mod served;
mod simulator;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

pub use dir::TestDir;
pub use lsl::{ELSEWHERE_S, LslNet, Outlets, check_lsl, check_lsl_file, other_clock, with};
pub use plugins::{compile_plugin, counter_source, library_name};
pub use process::{Finished, Process};
pub use python::{check, check_for_json, python};
pub use recorder::{Recorder, Recording};
#[cfg(unix)]
pub use served::{Glasses, NeonPhone, Served};
pub use simulator::{Running, Simulator, config_for, free_ports, record_all};

/// Longest time anything may take that is expected to end by itself. Generous: a machine that is
/// busy with other work must not fail a test; what must be quick is measured by the test itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Say something that a reader of the test's output wants to know.
pub fn note(text: &str) {
    println!("{text}");
}

/// The top folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `lockstep` with these arguments. Plugins come from where cargo has just built them: beside the
/// binary there may be older ones.
pub fn lockstep<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_lockstep"));
    let mut command = Command::new(binary);
    command.args(arguments);
    command.env("LOCKSTEP_PLUGIN_PATH", binary.with_file_name("deps"));
    // A backtrace of a debug build takes longer to print than a source has to stop.
    command.env_remove("RUST_LOG").env("RUST_BACKTRACE", "0");
    command
}

/// Run `lockstep` to its end.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    Process::start(&mut lockstep(arguments)).wait(PATIENCE)
}

/// What `lockstep info --json` says of a file that can be read.
pub fn info(file: &Path) -> Value {
    let finished = run([Path::new("info"), file, Path::new("--json")]);
    assert!(matches!(finished.code, Some(0 | 3)), "info: {finished}");
    serde_json::from_str(&finished.stdout).expect("info --json prints JSON")
}

/// What `info` says of the stream `name`.
pub fn stream<'a>(info: &'a Value, name: &str) -> &'a Value {
    let streams = info["streams"].as_array().expect("a list of streams");
    streams.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no stream {name} in {info}"))
}

/// Panic unless the file was closed cleanly and every footer agrees with the samples before it.
pub fn assert_closed_cleanly(info: &Value) {
    assert_eq!(info["closed_cleanly"], true, "{info}");
    assert_eq!(info["damage"], serde_json::json!([]), "{info}");
    for stream in info["streams"].as_array().expect("a list of streams") {
        assert_eq!(stream["footer_agrees"], true, "{stream}");
    }
}

/// The events of this kind in a file, as `info` shows them.
pub fn events<'a>(info: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = info["events"].as_array().expect("a list of events");
    all.iter().filter(|e| e["event"] == kind).collect()
}
