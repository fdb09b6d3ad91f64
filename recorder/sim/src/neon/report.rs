//! What a simulated phone has done, counted.

use super::layout::Sensor;

/// Counts of one phone over its run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NeonReport {
    /// Name of the phone.
    pub name: String,
    /// Its sensors, those that are not there included.
    pub sensors: Vec<SensorReport>,
    /// HTTP requests that were answered.
    pub requests: u64,
    /// Status sockets that were opened.
    pub status_sockets: u64,
    /// Events that were posted.
    pub events: u64,
    /// Questions to the Time Echo that were answered.
    pub echoes: u64,
    /// TCP connections that an outage reset, also those that somebody tried to make in it.
    pub resets: u64,
}

/// Counts of one sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorReport {
    /// Which it is.
    pub sensor: Sensor,
    /// Samples taken.
    pub samples: u64,
    /// Clients that played it.
    pub clients: u64,
    /// RTP packets sent into the simulated network, once for each client.
    pub packets: u64,
    /// Packets the simulated network lost on purpose.
    pub lost: u64,
    /// Second copies delivered.
    pub duplicated: u64,
    /// Packets delivered after a later one.
    pub reordered: u64,
    /// Sender reports sent into the simulated network.
    pub reports: u64,
    /// Packets lost because a queue was full: the simulator could not hold as much as the delay
    /// asks for, or a client did not read. Logged as not delivered where that was known in time.
    pub queue_full: u64,
    /// Packets that the operating system refused to send. The truth log counts them as delivered.
    pub send_errors: u64,
    /// Longest time between a sample being due and its sending, in seconds.
    pub worst_lateness_s: f64,
}

impl SensorReport {
    /// Nothing yet.
    pub(super) fn new(sensor: Sensor) -> Self {
        Self {
            sensor,
            samples: 0,
            clients: 0,
            packets: 0,
            lost: 0,
            duplicated: 0,
            reordered: 0,
            reports: 0,
            queue_full: 0,
            send_errors: 0,
            worst_lateness_s: 0.0,
        }
    }
}
