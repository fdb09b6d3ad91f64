//! Signals of the system that ask to stop.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows;

/// Listens for Ctrl-C and for the system's requests to end: SIGTERM, a closed
/// terminal or console.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct SystemSignals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` when the process was told to ignore it (`nohup`).
    hang_up: Option<Signal>,
}

#[cfg(unix)]
impl SystemSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub(crate) fn new() -> io::Result<Self> {
        // A file that reaches the limit of the process (ulimit -f) must be a failed write, which can
        // be told and leaves what was recorded whole, not the end of the process.
        drop(signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?);
        let hang_up = if is_ignored(nix::libc::SIGHUP) { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// The next request to stop, in words. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> &'static str {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C (SIGINT)",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hang_up => "the terminal was closed (SIGHUP)",
        }
    }
}

/// Whether this process ignores a signal now.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<nix::libc::sigaction>::zeroed();
    // SAFETY: with no new action it only writes the present one to `now`, which stays all zero (a
    // valid sigaction: the default) if it fails.
    let now = unsafe {
        nix::libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == nix::libc::SIG_IGN
}

/// Listens for Ctrl-C and for the system's requests to end: a closed console,
/// a logoff, a shutdown.
#[cfg(windows)]
#[derive(Debug)]
pub(crate) struct SystemSignals {
    interrupt: windows::CtrlC,
    pause: windows::CtrlBreak,
    close: windows::CtrlClose,
    logoff: windows::CtrlLogoff,
    shutdown: windows::CtrlShutdown,
}

#[cfg(windows)]
impl SystemSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            pause: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            logoff: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    /// The next request to stop, in words. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.pause.recv() => "Ctrl-Break",
            _ = self.close.recv() => "the console was closed",
            _ = self.logoff.recv() => "logoff",
            _ = self.shutdown.recv() => "shutdown",
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[test]
    fn every_request_to_end_is_told_one_after_the_other() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut signals = SystemSignals::new().expect("signals");
            for (signal, text) in [
                (Signal::SIGINT, "SIGINT"),
                (Signal::SIGINT, "SIGINT"),
                (Signal::SIGTERM, "SIGTERM"),
                (Signal::SIGHUP, "closed"),
            ] {
                if signal == Signal::SIGHUP && signals.hang_up.is_none() {
                    continue; // these tests run under nohup
                }
                raise(signal).expect("raised");
                let told = signals.next().await;
                assert!(told.contains(text), "{told}");
            }
        });
    }

    #[test]
    fn a_signal_that_is_ignored_is_known() {
        // SIGPIPE is ignored by Rust's runtime, SIGWINCH by nobody.
        assert!(is_ignored(nix::libc::SIGPIPE));
        assert!(!is_ignored(nix::libc::SIGWINCH));
    }
}
