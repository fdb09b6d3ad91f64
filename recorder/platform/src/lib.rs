//! Everything that depends on the operating system, in one place.
//!
//! | what | Linux | macOS, other Unix | Windows |
//! |---|---|---|---|
//! | [`monotonic_ns`] | `CLOCK_MONOTONIC` | macOS: `CLOCK_MONOTONIC_RAW`, others: `CLOCK_MONOTONIC` | `QueryPerformanceCounter` |
//! | [`monotonic_and_utc_ns`] | both, read together | UTC from `SystemTime` | UTC from `SystemTime` |
//! | [`UdpReceiver`] arrival stamps | kernel (`SO_TIMESTAMPNS`) | user space | user space |
//! | [`UdpReceiver`] kernel drops | `SO_RXQ_OVFL` | unknown | unknown |
//! | [`UdpReceiver`] too long a datagram | `MSG_TRUNC` | `MSG_TRUNC` | `WSAEMSGSIZE` |
//! | [`free_bytes`] | `statvfs` | `statvfs` | `GetDiskFreeSpaceExW` |
//! | [`keep_room`] | `fallocate` | no | no |
//! | [`StopSignals`] | SIGINT, SIGTERM, SIGHUP | SIGINT, SIGTERM, SIGHUP | Ctrl-C, Ctrl-Break, closed console, logoff, shutdown |
//! | [`of_anyone`], [`is_root`] | mode, effective user | mode, effective user | not asked |
//! | [`open_library`] | never unloaded | never unloaded | never unloaded |
//! | [`child`] | processes of their own for plugins | the same, without a limit of memory and without dying with the parent | none |
//!
//! Each [`monotonic_ns`] is what C++'s `steady_clock` reads on that system, and
//! so LSL's `local_clock()`.
//!
//! Linux is complete and tested. The others are written to the documentation of
//! their systems and have not been run.

mod access;
mod address;
#[cfg(unix)]
pub mod child;
mod clock;
mod disk;
mod host;
mod library;
mod seconds;
mod signal;
mod stop;
mod udp;

pub use access::{OfAnyone, is_root, of_anyone};
pub use address::{is_loopback, is_same_peer, local_for};
pub use clock::{monotonic_and_utc_ns, monotonic_ns, monotonic_s};
pub use disk::{file_identity, free_bytes, is_deleted, keep_room, sync_folder};
pub use host::hostname;
pub use library::{LIBRARY_PREFIX, LIBRARY_SUFFIX, open_library};
pub use seconds::{seconds, ticks_as_seconds};
pub use stop::StopSignals;
pub use udp::{Datagram, UdpOptions, UdpReceiver};
