//! What a child does to itself before it lets a plugin in.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{dup2_stdin, dup2_stdout, getppid};

fn own(fd: impl AsFd) -> io::Result<File> {
    // Closed by exec: what a plugin starts must not hold it open.
    Ok(File::from(fd.as_fd().try_clone_to_owned()?))
}

/// Take standard input and standard output for the caller alone. What anybody reads from standard input from then on
/// is nothing, what anybody prints goes to standard error.
///
/// # Errors
/// Those of the system.
pub fn take_standard_streams() -> io::Result<(File, File)> {
    let taken = (own(io::stdin())?, own(io::stdout())?);
    dup2_stdin(OpenOptions::new().read(true).open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok(taken)
}

/// Die with the parent, whose id is `parent`; leave no core; be stopped by nobody else; and have no more than
/// `data_bytes` of memory of its own.
///
/// # Errors
/// Those of the system, and that the parent has ended already.
pub fn confine(parent: u32, data_bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if u32::try_from(getppid().as_raw()) != Ok(parent) {
        return Err(io::Error::other("the recorder has ended"));
    }
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP] {
        // SAFETY: no handler is installed, and none was before.
        unsafe { signal(ignored, SigHandler::SigIgn)? };
    }
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // macOS takes no such limit; there the parent's looks are the only bound.
    #[cfg(target_os = "linux")]
    setrlimit(Resource::RLIMIT_DATA, data_bytes, data_bytes)?;
    #[cfg(not(target_os = "linux"))]
    let _ = data_bytes;
    Ok(())
}

/// End this process at once, with this exit code: nothing that a library wants to do at the end is done.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: it does not return, and runs nothing of this process.
    unsafe { nix::libc::_exit(code) }
}
