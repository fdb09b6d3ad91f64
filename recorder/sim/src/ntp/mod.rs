//! A simulated master clock: an SNTP server with a clock, a network and faults of its own.
//!
//! [`NtpServer`] answers real clients on a socket. [`Scene`] makes the four stamps of exchanges
//! without sockets and without waiting, for any two clocks: so recordings as of several machines,
//! whose clocks differ and which share one server, can be made in a test.
//!
//! Packets are those of RFC 5905, section 7.3, answered as RFC 4330, section 6, says.

mod config;
mod packet;
mod scene;
mod server;
mod truth;

#[cfg(test)]
mod tests;

pub use config::{Fault, FaultPlan, NtpServerConfig};
pub use scene::{Hop, Scene, Stamps, stamps};
pub use server::{NtpReport, NtpServer};
