//! Processes of this binary's own, each for one plugin: what they are given, what is read of them, how they end.
//!
//! Only systems of the Unix family have it.

mod confined;
mod ended;
mod pipes;

use std::io;
use std::path::PathBuf;

pub use confined::{confine, exit_now, take_standard_streams};
pub use ended::{Ended, kill_group, reap, rss_bytes, signal_name};
pub use pipes::{enlarge, readable, set_nonblocking, write_within};

/// The program of this process, also when its file has been replaced since.
///
/// # Errors
/// The system does not say.
pub fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}
