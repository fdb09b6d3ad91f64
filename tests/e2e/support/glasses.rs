//! Simulated Glasses 3.

use nix::sys::signal::Signal;

use super::{PATIENCE, Process, lockstep, note};

/// Simulated glasses at work.
#[derive(Debug)]
pub struct Glasses {
    process: Process,
    /// Where they answer, on this machine.
    pub port: String,
}

impl Glasses {
    /// Some with these flags, on a free port, that nobody finds by themselves.
    #[track_caller]
    pub fn start<'a>(flags: impl IntoIterator<Item = &'a str>) -> Self {
        Self::announced(flags.into_iter().chain(["--no-mdns"]))
    }

    /// Some that announce themselves.
    #[track_caller]
    pub fn announced<'a>(flags: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = lockstep(["simulate", "tobii", "--port", "0"]);
        let process = Process::start(command.args(flags));
        let port = process.wait_for_line("the glasses to answer", |line| {
            let rest = line.trim().strip_prefix("WebSocket ws://127.0.0.1:")?;
            rest.split_once('/').map(|(port, _)| port.to_owned())
        });
        Self { process, port }
    }

    /// End them; what they say of themselves.
    #[track_caller]
    pub fn stop(self) -> String {
        self.process.signal(Signal::SIGINT);
        let said = self.process.wait(PATIENCE).expect_code(0).stdout;
        note(&said);
        said
    }
}
