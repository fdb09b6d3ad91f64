//! `lockstep simulate neon`: the maker's own client runs against it unchanged, and gets what the
//! truth logs say. Simulated device only: no glasses were there to compare with.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use support::{NeonPhone, TestDir, check};

#[test]
fn the_official_client_gets_what_the_truth_logs_say() {
    let dir = TestDir::in_memory();
    let truth = dir.join("truth").display().to_string();
    let layouts =
        ["binocular", "dual-monocular", "binocular-monocular", "eye-state", "eye-state-lids", "full"];
    let flags = "--clock-offset-s 1234.567 --skew-ppm 40 --eyes-hz 100 --eye-events-hz 3 --seed 5 \
                 --report-interval-s 1 --not-worn 4:2";
    let mut flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    flags.extend(["--truth".to_owned(), truth.clone()]);
    for (round, layout) in layouts.iter().cycle().skip(1).take(150).enumerate() {
        flags.extend(["--layout-at".to_owned(), format!("{}:{layout}", round + 1)]);
    }
    let phone = NeonPhone::start(flags.iter().map(String::as_str));
    check("neon_official", ["127.0.0.1", &phone.port, &truth]);
    let said = phone.stop();
    assert!(said.starts_with("SIMULATED"), "{said}");
    assert!(said.contains("4 events"), "{said}");
}

#[test]
fn the_official_client_is_told_why_a_recording_is_refused_and_that_a_sensor_is_unplugged() {
    let flags = ["--refuse-recording", "No wearer selected", "--eyes-hz", "0", "--unplug", "gaze:6:1"];
    let phone = NeonPhone::start(flags);
    check("neon_official", ["127.0.0.1", &phone.port, "--refused", "No wearer selected"]);
    phone.stop();
}
