//! `[clock] ntp`: the exchanges of this machine with a master clock are in the file, bit by bit as
//! they were, and a server that misbehaves costs the recording nothing but its clock.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{
    Process, Recorder, Recording, TestDir, assert_closed_cleanly, check, events, free_ports, lockstep, stream,
};

/// What is promised is 1 s for all of a recording; the rest is for machines that are busy.
const STOPS_WITHIN: Duration = Duration::from_millis(1500);

/// The test that measures time runs alone, the others side by side.
static RUNNING: RwLock<()> = RwLock::new(());

/// A source that counts, so that there is something to record.
const SOURCE: &str = "[experiment]\nname = \"ntp\"\n[[source]]\nname = \"it\"\nplugin = \"faulty\"\n";

/// A simulated master clock at work.
struct Server {
    process: Process,
    port: u16,
    truth: PathBuf,
}

impl Server {
    fn start(dir: &TestDir, flags: &str) -> Self {
        let port = free_ports(1);
        let truth = dir.join(format!("truth-{port}.csv"));
        let mut command = lockstep(["simulate", "ntp", "--port", &port.to_string()]);
        command.arg("--truth").arg(&truth).args(flags.split_whitespace());
        let process = Process::start(&mut command);
        process.wait_for_line("the server to answer", |line| line.contains("to record it").then_some(()));
        Self { process, port, truth }
    }

    fn config(&self) -> String {
        format!("[clock]\nntp = \"127.0.0.1:{}\"\nntp_interval_s = 4\n{SOURCE}", self.port)
    }

    /// End it; its truth log is whole then.
    fn stop(self) -> PathBuf {
        self.process.signal(Signal::SIGINT);
        let finished = self.process.wait(support::PATIENCE).expect_code(0);
        support::note(&finished.stdout);
        self.truth
    }
}

/// Record against a server with these flags until `done`, as its statuses and notices come; the
/// recording, how long it took to stop, and the server's truth log.
fn record(dir: &TestDir, flags: &str, done: impl FnOnce(&Recorder)) -> (Recording, Duration, PathBuf) {
    let server = Server::start(dir, flags);
    let recorder = Recorder::start_into(dir, &server.config(), &dir.join("out.xdf"), &[]);
    recorder.wait_until_recording();
    done(&recorder);
    let (recording, took) = recorder.stop(Signal::SIGINT);
    support::note(&format!("{flags}: ended after {took:?}"));
    let truth = server.stop();
    recording.expect_code(0);
    assert_closed_cleanly(&recording.info());
    (recording, took, truth)
}

/// What a status says of the master clock.
fn master(status: &Value) -> &Value {
    let sources = status["sources"].as_array().expect("a list of sources");
    sources.iter().find(|s| s["kind"] == "master_clock").expect("it is there")
}

fn wait_for_offsets(recorder: &Recorder, offsets: u64) {
    recorder.wait_for_status("offsets of the master clock", |s| {
        master(s)["clocks"][0]["offsets"].as_u64() >= Some(offsets)
    });
}

fn wait_for_alarm(recorder: &Recorder, text: &str) {
    recorder.wait_for_status(text, |s| {
        s["alarms"].as_array().is_some_and(|alarms| {
            alarms
                .iter()
                .any(|a| a["source"] == "ntp" && a["text"].as_str().is_some_and(|t| t.contains(text)))
        })
    });
}

/// The details of the client's own events of this name.
fn told<'a>(info: &'a Value, name: &str) -> Vec<&'a Value> {
    let of = |e: &&Value| e["source"] == "ntp" && e["name"] == name;
    events(info, "plugin_event").into_iter().filter(of).map(|e| &e["details"]).collect()
}

fn lines(truth: &Path) -> usize {
    std::fs::read_to_string(truth).expect("a truth log").lines().count() - 2
}

#[test]
fn every_exchange_is_kept_bit_by_bit_and_offsets_are_true_within_half_their_round_trip_time() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let flags = "--clock-offset-s 0.25 --skew-ppm 50 --delay-ms 1 --jitter-ms 1 --loss 0.05 --stratum 2 \
                 --root-delay-ms 3 --root-dispersion-ms 1.5 --seed 3";
    // At the start bursts are due after 0, 1, 2, 5 and 9 s.
    let (recording, _, truth) = record(&dir, flags, |recorder| wait_for_offsets(recorder, 4));
    let info = recording.info();
    assert_eq!(stream(&info, "ntp")["type"], "ClockExchange");
    assert_eq!(told(&info, "ntp_server").len(), 1, "one server throughout: {info}");
    let host_clock = told(&info, "host_clock");
    assert!(host_clock.len() >= 2, "at the start and at the end: {host_clock:?}");
    for told in host_clock {
        let (ahead_s, bound_s) =
            (told["host_utc_minus_master_s"].as_f64(), told["bound_s"].as_f64().expect("a bound"));
        // 50 us a second for a minute, and 1 ms for reading two clocks on a busy machine.
        assert!((ahead_s.expect("a number") - 0.25).abs() <= bound_s + 0.004, "{told}");
    }
    assert!(events(&info, "clock_reset").is_empty());
    assert!(events(&info, "alarm").iter().all(|e| e["source"] != "ntp"), "{info}");
    check("ntp_truth", [recording.file.as_os_str(), truth.as_os_str()]);
}

#[test]
fn answers_that_may_not_be_used_are_told_and_never_become_offsets() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for (fault, says) in [
            ("unsynchronised", "is not synchronised (leap indicator 3)"),
            ("stratum16", "is not synchronised (stratum 16)"),
            ("no-time", "sends no time"),
            ("impossible", "says it held the question for 1.0"),
            ("silent", "does not answer"),
            ("garbage", "does not answer"),
            ("short", "does not answer"),
            ("wrong-origin", "does not answer"),
            ("wrong-mode", "does not answer"),
            ("other-port", "does not answer"),
        ] {
            scope.spawn(move || {
                let dir = TestDir::in_memory();
                let (recording, _, _) = record(&dir, &format!("--fault {fault}"), |recorder| {
                    wait_for_alarm(recorder, says);
                });
                let info = recording.info();
                assert_eq!(stream(&info, "ntp")["samples"], 0, "{fault}");
                let clocks = info["clocks"].as_array().expect("a list of clocks");
                assert!(clocks.iter().any(|c| c["name"] == "ntp"), "it is recorded that there was one");
                let verdict = recording.verdict_of("ntp");
                assert_eq!((&verdict["outcome"], &verdict["note"]), (&"complete".into(), &true.into()));
                assert!(verdict["text"].as_str().is_some_and(|t| t.contains("never measured")), "{verdict}");
                let summary = told(&info, "ntp_summary");
                assert_eq!(summary[0]["answered"], 0, "{fault}: {summary:?}");
                let counted = match fault {
                    "silent" => "unanswered",
                    "other-port" => "foreign",
                    "garbage" | "short" | "wrong-origin" | "wrong-mode" => "unasked",
                    _ => "refused",
                };
                assert!(summary[0][counted].as_u64() > Some(0), "{fault}: {summary:?}");
                assert!(told(&info, "host_clock").is_empty(), "nothing is said that was not measured");
            });
        }
    });
}

#[test]
fn a_server_that_says_it_is_asked_too_often_is_asked_less() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let (recording, _, truth) = record(&dir, "--fault rate --fault-from 6 --fault-count 1", |recorder| {
        recorder.wait_for_notice("asked too often");
        // As it was, it would be asked six times more by then.
        std::thread::sleep(Duration::from_millis(1500));
    });
    recording.expect_told("from now on once each 64 s");
    let info = recording.info();
    // Question 6 is answered with RATE; on a busy machine the next one may have left before.
    let samples = stream(&info, "ntp")["samples"].as_u64().expect("a count");
    assert!((6..=7).contains(&samples), "{samples}");
    assert!((7..12).contains(&lines(&truth)), "{}", lines(&truth));
}

#[test]
fn a_server_that_denies_is_not_asked_again() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let (recording, _, truth) = record(&dir, "--fault deny", |recorder| {
        wait_for_alarm(recorder, "refuses to be asked (kiss code \"DENY\"): it is not asked again");
        std::thread::sleep(Duration::from_millis(2500));
    });
    assert!((1..=4).contains(&lines(&truth)), "{}", lines(&truth));
    assert_eq!(stream(&recording.info(), "ntp")["samples"], 0);
}

#[test]
fn a_server_that_comes_late_is_measured_when_it_comes_and_second_answers_are_dropped() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let (recording, _, truth) = record(&dir, "--fault silent --fault-count 4", |recorder| {
        wait_for_alarm(recorder, "does not answer");
        wait_for_offsets(recorder, 1);
    });
    let info = recording.info();
    let states: Vec<_> = events(&info, "state").into_iter().filter(|e| e["source"] == "ntp").collect();
    let states: Vec<_> = states.iter().map(|e| e["state"].as_str().expect("a state")).collect();
    assert_eq!(states, ["connecting", "degraded", "streaming"]);
    check("ntp_truth", [recording.file.as_os_str(), truth.as_os_str()]);
    let dir = TestDir::in_memory();
    let (recording, _, truth) = record(&dir, "--fault twice", |recorder| wait_for_offsets(recorder, 2));
    assert!(told(&recording.info(), "ntp_summary")[0]["duplicate"].as_u64() > Some(0));
    check("ntp_truth", [recording.file.as_os_str(), truth.as_os_str()]);
}

#[test]
fn a_server_far_away_or_without_a_name_holds_up_neither_start_nor_stop() {
    let _running = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    // Half a second each way: at the stop, answers are on their way.
    let (recording, took, _) = record(&dir, "--delay-ms 450", |recorder| wait_for_offsets(recorder, 1));
    assert!(took < STOPS_WITHIN, "it took {took:?}: {}", recording.finished);
    assert!(stream(&recording.info(), "ntp")["samples"].as_u64() > Some(0));
    let dir = TestDir::in_memory();
    let config = format!("[clock]\nntp = \"no-such-machine.invalid\"\n{SOURCE}");
    let recorder = Recorder::start(&dir, &config);
    recorder.wait_until_recording();
    // The system may take its time for it, which is told too.
    wait_for_alarm(&recorder, "address");
    let (recording, took) = recorder.stop(Signal::SIGINT);
    assert!(took < STOPS_WITHIN, "it took {took:?}: {}", recording.finished);
    recording.expect_code(0);
    let info = recording.info();
    assert_eq!(stream(&info, "ntp")["samples"], 0);
    assert_eq!(told(&info, "ntp_summary")[0]["asked"], 0);
}

#[test]
fn a_source_that_has_finished_ends_the_recording_though_the_master_clock_goes_on() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    let server = Server::start(&dir, "");
    let config = server.config() + "options = { in = \"thread\", fault = \"finish\" }\n";
    let recording = Recorder::start(&dir, &config).wait();
    recording.expect_code(0).expect_told("end of input");
    server.stop();
}

#[test]
fn another_client_reads_the_same_time_from_the_simulated_master_clock() {
    let _running = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let dir = TestDir::in_memory();
    for flags in ["--clock-offset-s 0.25", "--clock-offset-s -3600.5 --delay-ms 2 --stratum 3"] {
        let server = Server::start(&dir, flags);
        check("ntp_client", [server.port.to_string().as_str(), flags.split(' ').nth(1).expect("an offset")]);
        server.stop();
    }
}
