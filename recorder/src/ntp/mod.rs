//! The master clock: `[clock] ntp = "SERVER"` records the exchanges of this
//! machine with an SNTP server as a clock of its own, so that recordings of
//! different machines can be put on one time axis.
//!
//! It is a source like those of plugins, built in: it talks to the recording
//! through the same [`SourceIntake`](crate::recording::intake::SourceIntake),
//! has no stream of samples, and writes one companion stream of exchanges.
//! What is pure is apart from what waits:
//!
//! | pure | |
//! |---|---|
//! | [`server`] | the text of the configuration: name or address, and port |
//! | [`packet`] | the 48 bytes of a packet, and the eras of its time stamps |
//! | [`ledger`] | which questions are open |
//! | [`answer`] | whether an answer may be used, and what it says |
//! | [`manners`] | how often a server may be asked |
//!
//! | with I/O | |
//! |---|---|
//! | `resolve` | names to addresses, on a thread that may be left behind |
//! | `connection` | the socket to one server, and bursts of questions |
//! | [`client`] | the thread that asks, and what it does when nobody answers |
//! | `report` | what becomes of it in the recording: exchanges, states, events |
//!
//! After RFC 4330 (SNTP) and RFC 5905 (NTP version 4).

pub mod answer;
pub mod client;
mod connection;
pub mod ledger;
pub mod manners;
pub mod packet;
mod report;
mod resolve;
pub mod server;

pub use client::Client;
pub use server::Server;

/// Name of the source, and of its clock.
pub const NAME: &str = "ntp";
/// What the source is shown to be made by, where others have a plugin.
pub const MADE_BY: &str = "built in";
