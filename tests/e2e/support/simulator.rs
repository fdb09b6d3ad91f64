//! `lockstep simulate udp`: simulated devices and their truth logs.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::Signal;

use super::dir::TestDir;
use super::process::{Finished, Process};
use super::recorder::{Recorder, Recording};

/// Ports given out lie here: below those the system gives to sockets that ask for any.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// The first of `count` free UDP ports after one another on the loopback address. No two calls in
/// a process give the same port, so tests that run at the same time never meet.
#[track_caller]
pub fn free_ports(count: u16) -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let size = PORTS.end - PORTS.start;
    // Test binaries that run at the same time begin at different places.
    let begin = u16::try_from(std::process::id() * 101 % u32::from(size)).expect("less than the size");
    for _ in 0..1000 {
        let given = GIVEN.fetch_add(count, Ordering::Relaxed);
        let first = PORTS.start + begin.wrapping_add(given) % (size - count);
        if (first..first + count).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no {count} free ports after one another");
}

/// Flags of a simulated device (or several), and where its truth log goes.
#[derive(Debug)]
pub struct Simulator {
    flags: Vec<String>,
    streams: u16,
    name: String,
    truth: PathBuf,
    /// Port to which its first stream goes.
    pub port: u16,
}

impl Simulator {
    /// The devices that `flags` describe (separated by spaces), with free ports for data and
    /// exchanges, `streams` of each, and the truth log in `truth`.
    #[track_caller]
    pub fn new(truth: &Path, streams: u16, flags: &str) -> Self {
        let port = free_ports(2 * streams);
        let mut all: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        let name = all.iter().find_map(|flag| flag.strip_prefix("--name=")).unwrap_or("sim").to_owned();
        all.extend([
            format!("--streams={streams}"),
            format!("--to=127.0.0.1:{}", port),
            format!("--exchange-port={}", port + streams),
            format!("--truth={}", truth.display()),
        ]);
        Self { flags: all, streams, name, truth: truth.to_owned(), port }
    }

    /// The truth log of each stream.
    pub fn truths(&self) -> Vec<PathBuf> {
        let log = |stream: &str| self.truth.join(stream).with_extension("csv");
        match self.streams {
            1 => vec![log(&self.name)],
            streams => (0..streams).map(|k| log(&format!("{}{k}", self.name))).collect(),
        }
    }

    /// The sources that record it, without the `[experiment]` above them.
    #[track_caller]
    pub fn sources(&self) -> String {
        let mut arguments = vec!["simulate", "udp", "--print-config"];
        arguments.extend(self.flags.iter().map(String::as_str));
        let config = super::run(arguments).expect_code(0).stdout;
        let at = config.find("[[source]]").expect("a source");
        config[at..].to_owned()
    }

    /// The command that starts it, word by word.
    pub fn command(&self) -> Vec<String> {
        let mut words: Vec<String> =
            [env!("CARGO_BIN_EXE_lockstep"), "simulate", "udp"].map(str::to_owned).into();
        words.extend(self.flags.iter().cloned());
        words
    }

    /// Start it.
    #[track_caller]
    pub fn start(&self) -> Running {
        Running(Process::start(&mut super::lockstep(&self.command()[1..])))
    }
}

/// A configuration that records `simulators`.
#[track_caller]
pub fn config_for(simulators: &[Simulator]) -> String {
    let sources: Vec<String> = simulators.iter().map(Simulator::sources).collect();
    format!("[experiment]\nname = \"simulated\"\n\n{}", sources.join("\n"))
}

/// Record all that `simulators` send until their durations are over.
#[track_caller]
pub fn record_all(dir: &TestDir, simulators: &[Simulator]) -> Recording {
    // Devices that end a little before the others have not gone missing.
    let config = config_for(simulators).replace("[source.options]\n", "[source.options]\nsilence_s = 60\n");
    let recorder = Recorder::start(dir, &config);
    recorder.wait_until_listening(config.matches("[[source]]").count());
    let running: Vec<Running> = simulators.iter().map(Simulator::start).collect();
    for devices in running {
        println!("{}", devices.wait().stdout);
    }
    recorder.interrupt()
}

/// Simulated devices at work.
#[derive(Debug)]
pub struct Running(Process);

impl Running {
    /// Wait until their duration is over and the truth is written.
    #[track_caller]
    pub fn wait(self) -> Finished {
        self.0.wait(2 * super::PATIENCE).expect_code(0)
    }

    /// End them now.
    #[track_caller]
    pub fn stop(self) -> Finished {
        self.0.signal(Signal::SIGINT);
        self.wait()
    }
}
