//! LSL: outlets of liblsl, by pylsl, and outlets that misbehave, each test's on ports of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::dir::TestDir;
use super::process::{Finished, Process};
use super::recorder::{Recorder, Recording};

/// Ports on which the peers of a test look for each other; each outlet has one.
const PORTS: u16 = 64;
/// How far another clock is ahead of this machine's, in seconds.
pub const ELSEWHERE_S: f64 = 100_000.0;

/// What gives a program another clock; `None`: the system does not allow it here.
pub fn other_clock() -> Option<Vec<String>> {
    let monotonic = format!("--monotonic={ELSEWHERE_S}");
    let words = ["unshare", "--time", "--fork", "--kill-child", monotonic.as_str()];
    let mut probe = Command::new(words[0]);
    probe.args(&words[1..]).arg("true").stderr(Stdio::null());
    let allowed = probe.status().is_ok_and(|status| status.success());
    allowed.then(|| words.map(str::to_owned).to_vec())
}

/// What is said of a stream, with `more` put over it.
pub fn with(mut stream: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("no object: {more}") };
    stream.as_object_mut().expect("an object").extend(more);
    stream
}

/// A network of this machine alone, and of one test.
#[derive(Debug)]
pub struct LslNet<'a> {
    dir: &'a TestDir,
    config: PathBuf,
}

/// Outlets at work.
#[derive(Debug)]
pub struct Outlets {
    process: Process,
    /// Where their truth will be.
    pub truth: PathBuf,
}

impl<'a> LslNet<'a> {
    /// A new one; its peers and recorders live in `dir`.
    pub fn new(dir: &'a TestDir) -> Self {
        let first = super::free_ports(PORTS + 1);
        // The address of this machine alone reaches only one outlet, a known peer all of its range.
        let text = format!(
            "[ports]\nMulticastPort = {first}\nBasePort = {}\nPortRange = {PORTS}\nIPv6 = disable\n\
             [multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {{127.0.0.1}}\n[log]\nlevel = -1\n",
            first + 1
        );
        Self { dir, config: dir.write("lsl_api.cfg", text) }
    }

    /// Outlets as tests/peers/lsl_outlets.py makes them of `spec`, when they exist.
    #[track_caller]
    pub fn outlets(&self, name: &str, spec: &Value) -> Outlets {
        self.outlets_by(&[], name, spec)
    }

    /// The same, started by another program: `before` are its words.
    #[track_caller]
    pub fn outlets_by(&self, before: &[String], name: &str, spec: &Value) -> Outlets {
        let truth = self.dir.join(name).with_extension("json");
        let plain = super::python("tests/peers/lsl_outlets.py");
        let mut command = before.first().map_or_else(|| Command::new(plain.get_program()), Command::new);
        if let [_, more @ ..] = before {
            command.args(more).arg(plain.get_program());
        }
        command.args(plain.get_args()).arg(&truth).arg(spec.to_string()).env("LSLAPICFG", &self.config);
        let process = Process::start(&mut command);
        process.wait_for_line("the outlets to exist", |line| line.starts_with("ready").then_some(()));
        Outlets { process, truth }
    }

    /// An outlet that misbehaves, as tests/peers/lsl_hung.py does it. Dropping it ends it.
    #[track_caller]
    pub fn misbehaving(&self, how: &str, name: &str) -> Process {
        let mut command = super::python("tests/peers/lsl_hung.py");
        let process = Process::start(command.args([how, name]).env("LSLAPICFG", &self.config));
        process.wait_for_line("the outlet to exist", |line| line.starts_with("ready").then_some(()));
        process
    }

    /// Record what `config` says.
    #[track_caller]
    pub fn record(&self, config: &str) -> Recorder {
        let config = self.dir.write("config.toml", config);
        self.record_by(["record".as_ref(), config.as_os_str()])
    }

    /// Record with these arguments of `lockstep`.
    #[track_caller]
    pub fn record_by<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Recorder {
        let file = self.dir.join("out.xdf");
        Recorder::from_command(self.command(arguments).arg("--json").arg("--output").arg(&file), &file)
    }

    /// `lockstep` with these arguments, on this network.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = super::lockstep(arguments);
        command.current_dir(&**self.dir).env("LSLAPICFG", &self.config);
        command
    }
}

impl Outlets {
    /// Wait until they have sent all and written the truth; how many samples it was.
    #[track_caller]
    pub fn wait_until_done(&self) -> u64 {
        self.process.wait_for_line("all samples to be sent", |line| {
            line.strip_prefix("done ").map(|count| count.trim().parse().expect("a count"))
        })
    }

    /// End them; where their truth is.
    #[track_caller]
    pub fn end(self) -> PathBuf {
        self.process.signal(Signal::SIGTERM);
        self.wait_until_gone().1
    }

    /// Wait until their process has ended, by itself or by a crash.
    #[track_caller]
    pub fn wait_until_gone(self) -> (Finished, PathBuf) {
        (self.process.wait(super::PATIENCE), self.truth)
    }
}

/// What tests/check/lsl.py finds of a recording when it is satisfied: its streams.
#[track_caller]
pub fn check_lsl(recording: &Recording, truths: &[&Path], flags: &[&str]) -> Vec<Value> {
    check_lsl_file(&recording.file, truths, flags)
}

/// The same of any file.
#[track_caller]
pub fn check_lsl_file(file: &Path, truths: &[&Path], flags: &[&str]) -> Vec<Value> {
    let mut arguments = vec![file.as_os_str()];
    arguments.extend(truths.iter().map(|truth| truth.as_os_str()));
    arguments.extend(flags.iter().map(OsStr::new));
    let found = super::check_for_json("lsl", arguments);
    found["streams"].as_array().expect("a list of streams").clone()
}
