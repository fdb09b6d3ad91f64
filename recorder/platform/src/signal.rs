//! Being asked to stop, by the user or the system.

use std::io;

/// Listens from now on for Ctrl-C and for the system's request to end (SIGTERM,
/// a closed console). The future resolves to what came.
///
/// # Errors
/// When the system refuses to deliver signals.
///
/// # Panics
/// Outside of a tokio runtime with I/O enabled.
#[cfg(unix)]
pub fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A file that reaches the limit of the process (ulimit -f) must be a failed write, which can be
    // told and leaves what was recorded whole, not the end of the process.
    drop(signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "Ctrl-C (SIGINT)",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// Listens from now on for Ctrl-C and for the system's request to end (SIGTERM,
/// a closed console). The future resolves to what came.
///
/// # Errors
/// When the system refuses to deliver signals.
///
/// # Panics
/// Outside of a tokio runtime with I/O enabled.
#[cfg(windows)]
pub fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::windows;
    let (mut interrupt, mut close) = (windows::ctrl_c()?, windows::ctrl_close()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "Ctrl-C",
            _ = close.recv() => "the console was closed",
        }
    })
}
