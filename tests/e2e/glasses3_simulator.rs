//! `lockstep simulate tobii`: a client of plain WebSockets gets what the truth logs say. Simulated
//! device only: no glasses were there to compare with.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use support::{Glasses, TestDir, check};

#[test]
fn a_plain_client_gets_exactly_what_the_truth_logs_say() {
    let dir = TestDir::in_memory();
    let truth = dir.join("truth").display().to_string();
    let flags = "--clock-offset-s 1234.567 --skew-ppm 40 --sync-port-every 0.2 --seed 5";
    let glasses = Glasses::start(flags.split_whitespace().chain(["--truth", &truth]));
    check("glasses3_client", ["127.0.0.1", &glasses.port, &truth]);
    let said = glasses.stop();
    assert!(said.starts_with("SIMULATED Tobii Glasses 3"), "{said}");
    assert!(said.contains("time began at zero 2 times"), "{said}");
}

#[test]
fn the_same_is_true_over_a_slow_and_uneven_network() {
    let dir = TestDir::in_memory();
    let truth = dir.join("truth").display().to_string();
    let flags = "--skew-ppm -30 --up-delay-ms 15 --down-delay-ms 40 --jitter-ms 5 --gaze-hz 100 --seed 9 \
                 --event-first";
    let glasses = Glasses::start(flags.split_whitespace().chain(["--truth", &truth]));
    check("glasses3_client", ["127.0.0.1", &glasses.port, &truth]);
    glasses.stop();
}

#[test]
fn they_are_found_by_mdns() {
    let glasses = Glasses::announced(["--serial", "TG03B-FOUND-BY-A-TEST"]);
    check("glasses3_found", ["TG03B-FOUND-BY-A-TEST", &glasses.port]);
    glasses.stop();
}
