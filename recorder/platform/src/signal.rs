//! Being asked to stop, by the user or the system.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows;

/// Listens for Ctrl-C and for the system's requests to end: SIGTERM, a closed
/// terminal or console.
#[cfg(unix)]
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

#[cfg(unix)]
impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub fn new() -> io::Result<Self> {
        // A file that reaches the limit of the process (ulimit -f) must be a failed write, which can
        // be told and leaves what was recorded whole, not the end of the process.
        drop(signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next request to stop, in words.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C (SIGINT)",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "the terminal was closed (SIGHUP)",
        }
    }
}

/// Listens for Ctrl-C and for the system's requests to end: a closed console,
/// a logoff, a shutdown.
#[cfg(windows)]
#[derive(Debug)]
pub struct StopSignals {
    interrupt: windows::CtrlC,
    pause: windows::CtrlBreak,
    close: windows::CtrlClose,
    logoff: windows::CtrlLogoff,
    shutdown: windows::CtrlShutdown,
}

#[cfg(windows)]
impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            pause: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            logoff: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    /// The next request to stop, in words.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.pause.recv() => "Ctrl-Break",
            _ = self.close.recv() => "the console was closed",
            _ = self.logoff.recv() => "logoff",
            _ = self.shutdown.recv() => "shutdown",
        }
    }
}
