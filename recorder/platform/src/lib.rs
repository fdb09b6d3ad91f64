//! Everything that depends on the operating system, in one place.
//!
//! | what | Linux | other Unix | Windows |
//! |---|---|---|---|
//! | [`monotonic_ns`] | `CLOCK_MONOTONIC` | `CLOCK_MONOTONIC` | `QueryPerformanceCounter` |
//! | [`UdpReceiver`] arrival stamps | kernel (`SO_TIMESTAMPNS`) | user space | user space |
//! | [`UdpReceiver`] kernel drops | `SO_RXQ_OVFL` | unknown | unknown |
//! | [`free_bytes`] | `statvfs` | `statvfs` | `GetDiskFreeSpaceExW` |
//! | [`StopSignals`] | SIGINT, SIGTERM, SIGHUP | the same | Ctrl-C, Ctrl-Break, closed console, logoff, shutdown |
//! | [`open_library`] | never unloaded | never unloaded | never unloaded |
//!
//! Linux is complete and tested. The others are written to the documentation of
//! their systems and have not been run.

mod clock;
mod disk;
mod library;
mod signal;
mod udp;

pub use clock::{monotonic_ns, monotonic_s, seconds};
pub use disk::free_bytes;
pub use library::{LIBRARY_PREFIX, LIBRARY_SUFFIX, open_library};
pub use signal::StopSignals;
pub use udp::{Datagram, UdpOptions, UdpReceiver};
