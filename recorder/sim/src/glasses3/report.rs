//! What simulated glasses have done, counted.

use super::feed::Signal;

/// Counts of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Glasses3Report {
    /// Serial number of the recording unit.
    pub serial: String,
    /// Its signals, in the order of [`Signal::ALL`].
    pub signals: Vec<SignalReport>,
    /// WebSockets that were opened.
    pub sockets: u64,
    /// Requests that were answered, over WebSockets and HTTP.
    pub requests: u64,
    /// Those of them that were refused.
    pub refused: u64,
    /// How often time stamps began at zero.
    pub zeros: u64,
    /// Connections that an outage reset, also those that somebody tried to make in it.
    pub resets: u64,
}

/// Counts of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalReport {
    /// Which it is.
    pub signal: Signal,
    /// Messages there were, whether or not anybody kept the signals alive.
    pub messages: u64,
    /// Those with a time stamp: the signals were alive.
    pub alive: u64,
    /// Messages sent into the simulated network, once for each client that listened.
    pub sent: u64,
    /// Messages that a client missed because it did not read for long. Logged as not delivered.
    pub queue_full: u64,
    /// Longest time between a message being due and its sending, in seconds.
    pub worst_lateness_s: f64,
}

impl SignalReport {
    /// Nothing yet.
    pub(super) fn new(signal: Signal) -> Self {
        Self { signal, messages: 0, alive: 0, sent: 0, queue_full: 0, worst_lateness_s: 0.0 }
    }
}
