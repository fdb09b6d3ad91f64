//! Simulated glasses and their phone.

use nix::sys::signal::Signal;

use super::{PATIENCE, Process, lockstep, note};

/// A simulated phone at work.
#[derive(Debug)]
pub struct NeonPhone {
    process: Process,
    /// Where its interface is, on this machine.
    pub port: String,
}

impl NeonPhone {
    /// One with these flags, on a free port, that nobody finds by itself.
    #[track_caller]
    pub fn start<'a>(flags: impl IntoIterator<Item = &'a str>) -> Self {
        Self::announced(flags.into_iter().chain(["--no-mdns"]))
    }

    /// One that announces itself.
    #[track_caller]
    pub fn announced<'a>(flags: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = lockstep(["simulate", "neon", "--port", "0"]);
        let process = Process::start(command.args(flags));
        let port = process.wait_for_line("the phone to answer", |line| {
            let rest = line.trim().strip_prefix("REST http://127.0.0.1:")?;
            rest.split_once(',').map(|(port, _)| port.to_owned())
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
