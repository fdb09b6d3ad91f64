//! `lockstep record --json`, watched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::dir::TestDir;
use super::process::{Finished, Process};

/// A recording that is going on.
#[derive(Debug)]
pub struct Recorder {
    process: Process,
    /// Where it records to.
    pub file: PathBuf,
}

/// A recording that has ended.
#[derive(Debug)]
pub struct Recording {
    /// How its process ended.
    pub finished: Finished,
    /// The recording.
    pub file: PathBuf,
    /// What `--json` printed, line by line.
    pub lines: Vec<Value>,
}

impl Recorder {
    /// Record what `config` says into `out.xdf` of `dir`.
    #[track_caller]
    pub fn start(dir: &TestDir, config: &str) -> Self {
        Self::start_with(dir, config, &[])
    }

    /// The same, with more arguments.
    #[track_caller]
    pub fn start_with(dir: &TestDir, config: &str, arguments: &[&str]) -> Self {
        Self::start_into(dir, config, &dir.join("out.xdf"), arguments)
    }

    /// The same, into another file.
    #[track_caller]
    pub fn start_into(dir: &TestDir, config: &str, file: &Path, arguments: &[&str]) -> Self {
        let config = dir.write("config.toml", config);
        let mut command = super::lockstep(["record".as_ref(), config.as_os_str()]);
        command.arg("--json").arg("--output").arg(file).args(arguments).current_dir(&**dir);
        Self::from_command(&mut command, file)
    }

    /// The same as [`Recorder::start_with`], with this as its standard input.
    #[track_caller]
    pub fn start_reading(dir: &TestDir, config: &str, stdin: Stdio, arguments: &[&str]) -> Self {
        let (config, file) = (dir.write("config.toml", config), dir.join("out.xdf"));
        let mut command = super::lockstep(["record".as_ref(), config.as_os_str()]);
        command.arg("--json").arg("--output").arg(&file).args(arguments).current_dir(&**dir);
        Self { process: Process::start_reading(&mut command, stdin), file }
    }

    /// Any command that records into `file` with `--json`.
    #[track_caller]
    pub fn from_command(command: &mut Command, file: &Path) -> Self {
        Self { process: Process::start(command), file: file.to_owned() }
    }

    /// `command` with remote control, and the port on which it takes commands. Where it records to is told later.
    #[track_caller]
    pub fn remote(command: &mut Command) -> (Self, u16) {
        let recorder = Self::from_command(command.args(["--json", "--remote", "127.0.0.1:0"]), Path::new(""));
        let port = recorder.wait_for_port();
        (recorder, port)
    }

    /// Wait for a line of this kind (`status`, `notice`, `verdict`) that fulfils `condition`.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, what: &str, mut condition: impl FnMut(&Value) -> bool) -> Value {
        self.process.wait_for_line(what, |line| {
            let mut line: Value = serde_json::from_str(line).ok()?;
            (line["type"] == kind && condition(&line[kind])).then(|| line[kind].take())
        })
    }

    /// Wait for a status that fulfils `condition`.
    #[track_caller]
    pub fn wait_for_status(&self, what: &str, condition: impl FnMut(&Value) -> bool) -> Value {
        self.wait_for("status", what, condition)
    }

    /// Wait until every required stream is on the disk.
    #[track_caller]
    pub fn wait_until_recording(&self) -> Value {
        self.wait_for_status("the phase \"recording\"", |s| s["phase"] == "recording")
    }

    /// Wait until this many UDP sources have bound their sockets: what is sent from now on arrives.
    #[track_caller]
    pub fn wait_until_listening(&self, sources: usize) {
        let mut listening = 0;
        self.wait_for("notice", "all sources to listen", |n| {
            listening += usize::from(n["text"].as_str().is_some_and(|t| t.contains("listening on")));
            listening == sources
        });
    }

    /// Wait for a notice that holds `text`.
    #[track_caller]
    pub fn wait_for_notice(&self, text: &str) -> Value {
        self.wait_for("notice", text, |n| n["text"].as_str().is_some_and(|t| t.contains(text)))
    }

    /// Wait until it takes commands; its port.
    #[track_caller]
    pub fn wait_for_port(&self) -> u16 {
        let idle = self.wait_for("remote", "the address", |r| r["state"] == "idle");
        let address = idle["address"].as_str().expect("an address");
        address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// Wait until it has ended by itself.
    #[track_caller]
    pub fn wait(self) -> Recording {
        Recording::new(self.process.wait(super::PATIENCE), self.file)
    }

    /// Send it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ask it to stop; how it ended, and how long it took.
    #[track_caller]
    pub fn stop(self, signal: Signal) -> (Recording, Duration) {
        let asked = Instant::now();
        self.process.signal(signal);
        let recording = self.wait();
        let took = recording.finished.at - asked;
        (recording, took)
    }

    /// Ask it to stop as the user does.
    #[track_caller]
    pub fn interrupt(self) -> Recording {
        self.stop(Signal::SIGINT).0
    }
}

impl Recording {
    fn new(finished: Finished, file: PathBuf) -> Self {
        let lines = finished
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in the line {line}")))
            .collect();
        Self { finished, file, lines }
    }

    /// Panic with all there is to see unless it ended with this exit code.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.finished.code, Some(code), "{}", self.finished);
        self
    }

    /// What `--json` printed of this kind.
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["type"] == kind).map(move |line| &line[kind])
    }

    /// The verdict at the end.
    #[track_caller]
    pub fn verdict(&self) -> &Value {
        self.all("verdict").next().unwrap_or_else(|| panic!("no verdict: {}", self.finished))
    }

    /// The verdict on a stream.
    #[track_caller]
    pub fn verdict_of(&self, stream: &str) -> &Value {
        let streams = self.verdict()["streams"].as_array().expect("a list of streams");
        let found = streams.iter().find(|s| s["stream"] == stream);
        found.unwrap_or_else(|| panic!("no verdict on {stream}: {}", self.verdict()))
    }

    /// Whether a line for the user holds `text`.
    pub fn told(&self, text: &str) -> bool {
        let notices = self.all("notice").filter_map(|n| n["text"].as_str());
        let problems = self.all("verdict").filter_map(|v| v["problems"].as_array()).flatten();
        let ended = self.all("verdict").filter_map(|v| v["ended_by"].as_str());
        notices.chain(problems.filter_map(Value::as_str)).chain(ended).any(|t| t.contains(text))
    }

    /// Panic unless a line for the user holds `text`.
    #[track_caller]
    pub fn expect_told(&self, text: &str) -> &Self {
        assert!(self.told(text), "nowhere said: {text:?}\n{}", self.finished);
        self
    }

    /// Phases the recording went through, as the status lines showed them.
    pub fn phases(&self) -> Vec<&str> {
        let mut phases: Vec<_> = self.all("status").filter_map(|s| s["phase"].as_str()).collect();
        phases.dedup();
        phases
    }

    /// What `lockstep info --json` says of the file.
    pub fn info(&self) -> Value {
        super::info(&self.file)
    }
}
