//! Simulated devices that are reached over the network.

use nix::sys::signal::Signal;

use super::{PATIENCE, Process, lockstep, note};

/// A simulated device at work.
#[derive(Debug)]
pub struct Served {
    process: Process,
    /// Where it answers, on this machine.
    pub port: String,
}

impl Served {
    /// `lockstep simulate DEVICE`, on a free port, which stands between these in a line that it prints.
    #[track_caller]
    fn start<'a>(
        device: &str,
        (before, after): (&str, char),
        flags: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut command = lockstep(["simulate", device, "--port", "0"]);
        let process = Process::start(command.args(flags));
        let port = process.wait_for_line("the device to answer", |line| {
            let rest = line.trim().strip_prefix(before)?;
            rest.split_once(after).map(|(port, _)| port.to_owned())
        });
        Self { process, port }
    }

    /// End it; what it says of itself.
    #[track_caller]
    pub fn stop(self) -> String {
        self.process.signal(Signal::SIGINT);
        let said = self.process.wait(PATIENCE).expect_code(0).stdout;
        note(&said);
        said
    }
}

/// Neon glasses with their phone.
#[derive(Debug)]
pub struct NeonPhone;

impl NeonPhone {
    /// One with these flags, that nobody finds by itself.
    #[track_caller]
    pub fn start<'a>(flags: impl IntoIterator<Item = &'a str>) -> Served {
        Self::announced(flags.into_iter().chain(["--no-mdns"]))
    }

    /// One that announces itself.
    #[track_caller]
    pub fn announced<'a>(flags: impl IntoIterator<Item = &'a str>) -> Served {
        Served::start("neon", ("REST http://127.0.0.1:", ','), flags)
    }
}

/// Glasses 3.
#[derive(Debug)]
pub struct Glasses;

impl Glasses {
    /// Some with these flags, that nobody finds by themselves.
    #[track_caller]
    pub fn start<'a>(flags: impl IntoIterator<Item = &'a str>) -> Served {
        Self::announced(flags.into_iter().chain(["--no-mdns"]))
    }

    /// Some that announce themselves.
    #[track_caller]
    pub fn announced<'a>(flags: impl IntoIterator<Item = &'a str>) -> Served {
        Served::start("tobii", ("WebSocket ws://127.0.0.1:", '/'), flags)
    }
}
