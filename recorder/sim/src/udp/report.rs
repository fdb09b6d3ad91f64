//! What a simulated device has done, counted.

/// Counts of one device over its run. Datagrams are those of samples, not of exchanges.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceReport {
    /// Name of the device.
    pub name: String,
    /// Samples taken and sent into the simulated network.
    pub samples: u64,
    /// Datagrams sent into the simulated network.
    pub datagrams: u64,
    /// Datagrams the simulated network lost on purpose.
    pub lost: u64,
    /// Second copies delivered.
    pub duplicated: u64,
    /// Datagrams delivered after a later one.
    pub reordered: u64,
    /// Datagrams lost because the delay queue was full: the simulator could not hold as much as
    /// the delay asks for. Logged as not delivered.
    pub queue_full: u64,
    /// Datagrams and replies that the operating system refused to send. The truth log counts them
    /// as delivered.
    pub send_errors: u64,
    /// Bytes of samples handed to the operating system.
    pub bytes: u64,
    /// Longest time between a datagram being due and its sending, in seconds.
    pub worst_lateness_s: f64,
    /// Clock exchanges.
    pub exchanges: ExchangeReport,
}

/// Counts of the exchange server of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeReport {
    /// Valid requests received from the real network.
    pub requests: u64,
    /// Requests the simulated network lost.
    pub requests_lost: u64,
    /// Requests the device answered; a duplicated one counts twice.
    pub answered: u64,
    /// Replies the simulated network lost.
    pub replies_lost: u64,
    /// Datagrams that were no request of the protocol.
    pub ignored: u64,
}
