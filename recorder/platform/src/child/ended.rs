//! How a child is, and how it ended.

use std::io;

use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// Most memory it ever used.
    pub most_bytes: u64,
}

fn id(pid: u32) -> io::Result<Pid> {
    let raw = i32::try_from(pid).ok().filter(|raw| *raw > 1);
    raw.map(Pid::from_raw).ok_or_else(|| io::Error::other(format!("{pid} is no id of a child")))
}

/// Whether the child `pid` has ended, and waits to be reaped.
#[cfg(target_os = "linux")]
fn has_ended(pid: Pid) -> io::Result<bool> {
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    Ok(waitid(Id::Pid(pid), flags)? != WaitStatus::StillAlive)
}

#[cfg(not(target_os = "linux"))]
fn has_ended(_: Pid) -> io::Result<bool> {
    Ok(true)
}

/// How the child `pid` ended, when it has: it is gone for good then, with all that is left of its group, and asked for
/// no second time.
///
/// # Errors
/// Those of the system: it is no child of this process.
pub fn reap(pid: u32) -> io::Result<Option<Ended>> {
    let pid = id(pid)?;
    if !has_ended(pid)? {
        return Ok(None);
    }
    if cfg!(target_os = "linux") {
        // Before it is reaped, for its number may be another's after that.
        let _ = killpg(pid, Signal::SIGKILL);
    }
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both places are this function's own, and of the types the call writes.
    let reaped = unsafe { libc::wait4(pid.as_raw(), &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
    if reaped < 0 {
        return Err(io::Error::last_os_error());
    }
    if reaped == 0 || !(libc::WIFEXITED(status) || libc::WIFSIGNALED(status)) {
        return Ok(None);
    }
    // SAFETY: of integers, zeroed, and written by the call.
    let most = unsafe { usage.assume_init() }.ru_maxrss;
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok(Some(Ended {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        most_bytes: u64::try_from(most).unwrap_or(0).saturating_mul(unit),
    }))
}

/// Kill the process `pid` and all of its group, whose leader it is. Not to be called once it was reaped.
pub fn kill_group(pid: u32) {
    if let Ok(pid) = id(pid) {
        // It fails when it has ended by itself.
        let _ = killpg(pid, Signal::SIGKILL);
    }
}

/// Memory that the process `pid` uses now; `None`: the system does not say.
pub fn rss_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages.saturating_mul(u64::try_from(page_bytes).ok()?))
}

/// The name of a signal, as SIGSEGV.
pub fn signal_name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |s| s.as_str().to_owned())
}
