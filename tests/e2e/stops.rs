//! However a recording is stopped, its last samples are in, its footers are written, and the
//! program ends within a second. These tests run one after another: they measure time.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockstep_platform::monotonic_s;
use nix::sys::signal::Signal;
use support::{
    Recorder, Recording, Running, Simulator, TestDir, assert_closed_cleanly, check, config_for, events,
};

/// What is promised is 1 s; the rest is for machines that are busy. What it took is printed.
const STOPS_WITHIN: Duration = Duration::from_millis(1500);

fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two devices that send, and answer exchanges, until they are stopped.
struct Devices {
    simulators: [Simulator; 2],
    running: Vec<Running>,
}

/// A recording of them, begun, with more arguments.
fn begin(dir: &TestDir, arguments: &[&str]) -> (Recorder, Devices) {
    let simulators = [
        "--name=eeg --rate-hz=1000 --channels=16 --samples-per-datagram=2 --delay-ms=0.2",
        "--name=imu --rate-hz=100 --payload=json --format=double64 --exchange=ntp",
    ]
    .map(|flags| Simulator::new(&dir.join("truth"), 1, flags));
    let recorder = Recorder::start_with(dir, &config_for(&simulators), arguments);
    recorder.wait_until_listening(2);
    let running = simulators.iter().map(Simulator::start).collect();
    recorder.wait_until_recording();
    (recorder, Devices { simulators, running })
}

/// Nothing that was sent before `stopped_s` is missing, and the file is whole.
fn assert_no_tail_loss(recording: &Recording, devices: Devices, stopped_s: f64) {
    for device in devices.running {
        device.stop();
    }
    recording.expect_code(0);
    assert_closed_cleanly(&recording.info());
    let mut arguments = vec![recording.file.clone().into_os_string(), stopped_s.to_string().into()];
    arguments.extend(devices.simulators.iter().flat_map(Simulator::truths).map(Into::into));
    check("tail", arguments);
}

fn stopped_by(signal: Signal, said: &str) {
    let _alone = alone();
    let dir = TestDir::in_memory();
    let (recorder, devices) = begin(&dir, &[]);
    recorder
        .wait_for_status("some samples", |s| s["sources"][0]["streams"][0]["samples"].as_u64() > Some(1000));
    let stopped_s = monotonic_s();
    let (recording, took) = recorder.stop(signal);
    support::note(&format!("{signal}: ended after {took:?}"));
    assert!(took < STOPS_WITHIN, "it took {took:?}: {}", recording.finished);
    assert_eq!(recording.verdict()["ended_by"], said);
    assert_no_tail_loss(&recording, devices, stopped_s);
}

#[test]
fn sigint_stops_without_losing_a_sample() {
    stopped_by(Signal::SIGINT, "Ctrl-C (SIGINT)");
}

#[test]
fn sigterm_stops_without_losing_a_sample() {
    stopped_by(Signal::SIGTERM, "SIGTERM");
}

#[test]
fn the_duration_stops_without_losing_a_sample() {
    let _alone = alone();
    let dir = TestDir::in_memory();
    let (recorder, devices) = begin(&dir, &["--duration=2.5"]);
    let recording = recorder.wait();
    let ended_s = monotonic_s();
    let info = recording.info();
    let stopped_s = events(&info, "stop")[0]["time_s"].as_f64().expect("a time");
    let started_s = events(&info, "start")[0]["time_s"].as_f64().expect("a time");
    let (lasted_s, took_s) = (stopped_s - started_s, ended_s - stopped_s);
    println!("--duration: lasted {lasted_s:.3} s, ended after {took_s:.3} s");
    assert!((2.5..3.5).contains(&lasted_s), "lasted {lasted_s} s");
    assert!(took_s < STOPS_WITHIN.as_secs_f64(), "it took {took_s} s: {}", recording.finished);
    assert_no_tail_loss(&recording, devices, stopped_s);
}

#[test]
fn the_end_of_input_stops_by_itself() {
    let _alone = alone();
    let dir = TestDir::in_memory();
    let config = "[experiment]\nname = \"end\"\n[[source]]\nname = \"it\"\nplugin = \"faulty\"\n\
        options = { in = \"thread\", fault = \"finish\" }\n";
    let recording = Recorder::start(&dir, config).wait();
    let ended_s = monotonic_s();
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    let stopped_s = events(&info, "stop")[0]["time_s"].as_f64().expect("a time");
    println!("end of input: ended after {:.3} s", ended_s - stopped_s);
    assert!(ended_s - stopped_s < STOPS_WITHIN.as_secs_f64(), "{}", recording.finished);
    check("counts", [recording.file.as_os_str(), "it".as_ref()]);
}

#[test]
fn with_stop_on_stdin_a_line_or_its_end_stops_and_otherwise_neither() {
    use std::io::Write as _;
    let _alone = alone();
    let config = "[experiment]\nname = \"stdin\"\n[[source]]\nname = \"it\"\nplugin = \"faulty\"\n";
    for (typed, said) in [(Some("\n"), "Enter (standard input)"), (None, "the end of standard input")] {
        let dir = TestDir::in_memory();
        let (stdin, mut typing) = std::io::pipe().expect("a pipe");
        let recorder = Recorder::start_reading(&dir, config, stdin.into(), &["--stop-on-stdin"]);
        recorder.wait_until_recording();
        let _kept_open = typed.map(|typed| {
            typing.write_all(typed.as_bytes()).expect("typed");
            typing.try_clone().expect("kept open")
        });
        drop(typing);
        let recording = recorder.wait();
        recording.expect_code(0);
        assert_eq!(recording.verdict()["ended_by"], said);
        assert_closed_cleanly(&recording.info());
    }
    // Nobody types into a recorder that runs without a terminal.
    let dir = TestDir::in_memory();
    let recorder = Recorder::start_with(&dir, config, &["--duration=1"]);
    assert_eq!(recorder.wait().verdict()["ended_by"], "the duration of 1 s is over");
}

#[test]
fn a_device_that_answers_no_exchanges_does_not_hold_up_the_stop() {
    let _alone = alone();
    let dir = TestDir::in_memory();
    let simulator = Simulator::new(&dir.join("truth"), 1, "--name=mute --rate-hz=200");
    let config = config_for(&[Simulator::new(&dir.join("unused"), 1, "--name=mute --rate-hz=200")]);
    // A socket that takes the questions and says nothing, where the configuration expects answers.
    let exchange = config.split("address = \"").nth(1).and_then(|rest| rest.split('"').next());
    let _mute = std::net::UdpSocket::bind(exchange.expect("an address")).expect("a socket");
    let unused = config.split("listen = \"").nth(1).and_then(|rest| rest.split('"').next());
    let config = config.replace(unused.expect("an address"), &format!("127.0.0.1:{}", simulator.port));
    let recorder = Recorder::start(&dir, &config);
    recorder.wait_until_listening(1);
    let device = simulator.start();
    recorder.wait_until_recording();
    let (recording, took) = recorder.stop(Signal::SIGINT);
    device.stop();
    println!("no answers: ended after {took:?}");
    assert!(took < STOPS_WITHIN, "it took {took:?}: {}", recording.finished);
    recording.expect_code(0);
    assert_closed_cleanly(&recording.info());
}

#[test]
fn a_second_signal_while_stopping_does_no_harm() {
    let _alone = alone();
    let dir = TestDir::in_memory();
    let (recorder, devices) = begin(&dir, &[]);
    let stopped_s = monotonic_s();
    recorder.signal(Signal::SIGINT);
    recorder.signal(Signal::SIGTERM);
    let recording = recorder.interrupt();
    assert_no_tail_loss(&recording, devices, stopped_s);
}
