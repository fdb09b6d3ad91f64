//! A device clock 1234.567 s away, 40 ppm fast, behind a network with 5 ms of jitter each way: every
//! clock offset is true within half its round-trip time, and every exchange is kept as it was.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use support::{
    Recorder, Running, Simulator, TestDir, assert_closed_cleanly, check, config_for, events, stream,
};

const DEVICE: &str = "--clock-offset-s=1234.567 --skew-ppm=40 --jitter-ms=5 --unit=ns --rate-hz=100";

#[test]
fn clock_offsets_are_true_within_half_their_round_trip_time_and_every_exchange_is_kept() {
    let dir = TestDir::new();
    let simulators = [
        "--name=by-echo --exchange=echo --seed=11",
        "--name=by-ntp --exchange=ntp --seed=12",
        "--name=lossy-echo --exchange=echo --loss=0.05 --seed=13",
        "--name=lossy-ntp --exchange=ntp --loss=0.05 --seed=14",
        "--name=twice-echo --exchange=echo --duplicate=0.2 --seed=15",
    ]
    .map(|flags| Simulator::new(&dir.join("truth"), 1, &format!("{DEVICE} {flags}")));
    let config = format!("[clock]\ninterval_s = 1\n{}", config_for(&simulators));
    let recorder = Recorder::start_with(&dir, &config, &["--duration=9"]);
    recorder.wait_until_listening(simulators.len());
    // The devices outlive the recording, so that none of them fails to answer at the end.
    let devices: Vec<Running> = simulators.iter().map(Simulator::start).collect();
    let recording = recorder.wait();
    for device in devices {
        println!("{}", device.stop().stdout);
    }
    // Two of them lose samples.
    recording.expect_code(3);
    let info = recording.info();
    assert_closed_cleanly(&info);
    for name in ["by-echo", "by-ntp"] {
        assert_eq!(recording.verdict_of(name)["outcome"], "complete");
        let clock = format!("{name}-clock");
        assert_eq!(stream(&info, name)["clock"], clock);
        let clocks = info["clocks"].as_array().expect("a list of clocks");
        let clock = clocks.iter().find(|c| c["name"] == clock).expect("the clock is listed");
        assert_eq!(clock["exchanges"], stream(&info, clock["name"].as_str().expect("a name"))["samples"]);
    }
    assert!(events(&info, "clock_reset").is_empty(), "no clock was reset: {info}");
    let mut arguments = vec![recording.file.clone()];
    arguments.extend(simulators.iter().flat_map(Simulator::truths));
    check("clock_truth", arguments);
}
