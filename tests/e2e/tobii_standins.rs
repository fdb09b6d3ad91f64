//! The libraries that stand in for Tobii's: clients that others wrote run on them unchanged, and get what the
//! truth logs say. Simulated device only: no eye tracker was there to compare with.
// One client is replaced its library by the rules of this loader.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use std::path::Path;

use support::{check_for_json, note};

#[test]
fn clients_that_others_wrote_get_what_the_truth_logs_say() {
    // Where cargo has just built them.
    let libraries = Path::new(env!("CARGO_BIN_EXE_lockstep")).with_file_name("deps");
    let found = check_for_json("tobii_referee", [libraries]);
    let skipped = found["skipped"].as_array().expect("a list");
    for client in skipped {
        note(&format!("SKIPPED: {client} is not installed"));
    }
    for client in ["gaze_server", "titta_v2", "titta_v1"] {
        assert!(found[client].is_object() || skipped.iter().any(|name| name == client), "{found}");
    }
}
