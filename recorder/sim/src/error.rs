//! What can go wrong while a device is simulated.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A model parameter outside the range in which the model means anything.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{parameter} = {value} is not usable: {accepted}")]
pub struct ModelError {
    /// Name of the parameter, with its unit.
    pub parameter: &'static str,
    /// The value that was given.
    pub value: f64,
    /// What would be accepted.
    pub accepted: &'static str,
}

/// Checks one parameter against an inclusive range; NaN is never inside.
pub(crate) fn check(
    parameter: &'static str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    accepted: &'static str,
) -> Result<(), ModelError> {
    if range.contains(&value) { Ok(()) } else { Err(ModelError { parameter, value, accepted }) }
}

/// Why a simulation could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A clock or network parameter of the named device is out of range.
    #[error("simulated device '{device}': {source}")]
    Model {
        /// Name of the device.
        device: String,
        /// The parameter at fault.
        source: ModelError,
    },
    /// The parts of a device's configuration do not fit together.
    #[error("simulated device '{device}': {problem}")]
    Config {
        /// Name of the device.
        device: String,
        /// What is wrong and what to change.
        problem: String,
    },
    /// A socket could not be opened.
    #[error(
        "simulated device '{device}': cannot open a UDP socket at {address}; choose a free port and an address of this machine"
    )]
    Bind {
        /// Name of the device.
        device: String,
        /// The local address that was asked for.
        address: SocketAddr,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A port could not be opened for connections.
    #[error(
        "simulated device '{device}': cannot listen at {address}: {source}; choose a free port and an address of this machine"
    )]
    Listen {
        /// Name of the device.
        device: String,
        /// The local address that was asked for.
        address: SocketAddr,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A device could not be announced on the network.
    #[error(
        "simulated device '{device}': cannot announce it by mDNS: {problem}; do without (--no-mdns) and tell others its address"
    )]
    Announce {
        /// Name of the device.
        device: String,
        /// What the announcer says.
        problem: String,
    },
    /// A truth log could not be created or written.
    #[error("cannot write the truth log {}: {source}; logs are never overwritten, so name a new place with room on its disk", path.display())]
    Truth {
        /// The file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A datagram came out larger than UDP can carry.
    #[error(
        "simulated device '{device}': a datagram of {bytes} bytes is more than the {limit} that UDP can carry; lower the samples per datagram or the channels"
    )]
    DatagramTooLarge {
        /// Name of the device.
        device: String,
        /// Size of the encoded datagram.
        bytes: usize,
        /// Largest size that fits.
        limit: usize,
    },
    /// The asynchronous runtime could not be started.
    #[error("cannot start the simulator's runtime: {0}")]
    Runtime(#[source] io::Error),
    /// The task of a device ended by a panic, which is a defect of the simulator.
    #[error(
        "a simulated device ended unexpectedly: {0}; this is a defect of the simulator, please report it"
    )]
    Task(String),
}
