//! What a simulated NTP server is like.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::ClockModel;
use crate::error::{ModelError, SimError};
use crate::network::PathModel;

/// A server that does not answer as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No answer.
    Silent,
    /// Kiss-o'-death `RATE`.
    Rate,
    /// Kiss-o'-death `DENY`.
    Deny,
    /// Leap indicator 3: not synchronised.
    Unsynchronised,
    /// Stratum 16: not synchronised.
    Stratum16,
    /// The transmit time stamp is zero.
    NoTime,
    /// The origin time stamp is not the question's: as of someone who guesses.
    WrongOrigin,
    /// Mode 3 instead of 4: the question comes back.
    WrongMode,
    /// The answer is cut after 20 bytes.
    Short,
    /// Bytes at random.
    Garbage,
    /// The answer comes twice.
    Twice,
    /// The answer comes from another port.
    OtherPort,
    /// The server says that it held the question for a second.
    Impossible,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Silent,
        Self::Rate,
        Self::Deny,
        Self::Unsynchronised,
        Self::Stratum16,
        Self::NoTime,
        Self::WrongOrigin,
        Self::WrongMode,
        Self::Short,
        Self::Garbage,
        Self::Twice,
        Self::OtherPort,
        Self::Impossible,
    ];

    /// The name on the command line and in truth logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Rate => "rate",
            Self::Deny => "deny",
            Self::Unsynchronised => "unsynchronised",
            Self::Stratum16 => "stratum16",
            Self::NoTime => "no-time",
            Self::WrongOrigin => "wrong-origin",
            Self::WrongMode => "wrong-mode",
            Self::Short => "short",
            Self::Garbage => "garbage",
            Self::Twice => "twice",
            Self::OtherPort => "other-port",
            Self::Impossible => "impossible",
        }
    }
}

/// Which questions meet a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// The fault.
    pub fault: Fault,
    /// The first question that meets it, from 0.
    pub from: u64,
    /// How many questions meet it.
    pub count: u64,
}

impl FaultPlan {
    /// The fault that question number `question` meets, if any.
    pub fn of(&self, question: u64) -> Option<Fault> {
        let since = question.checked_sub(self.from)?;
        (since < self.count).then_some(self.fault)
    }
}

/// One simulated NTP server.
#[derive(Debug, Clone, PartialEq)]
pub struct NtpServerConfig {
    /// Name, for messages and the truth log.
    pub name: String,
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Its clock. The offset is this machine's UTC minus the server's, at the start; the resolution
    /// is also what the server states as its precision, 0 being a nanosecond.
    pub clock: ClockModel,
    /// Stratum of its answers.
    pub stratum: u8,
    /// Which clock it says to follow.
    pub reference_id: [u8; 4],
    /// Round-trip time to that clock, as it says, in seconds.
    pub root_delay_s: f64,
    /// Dispersion to that clock, as it says, in seconds.
    pub root_dispersion_s: f64,
    /// From the server to whoever asks.
    pub uplink: PathModel,
    /// From whoever asks to the server.
    pub downlink: PathModel,
    /// What goes wrong, and when.
    pub fault: Option<FaultPlan>,
    /// Seed of everything random.
    pub seed: u64,
    /// Ends by itself after this time.
    pub duration: Option<Duration>,
    /// Truth log, a CSV file.
    pub truth: Option<PathBuf>,
}

impl NtpServerConfig {
    /// A perfect server at `address` whose clock is this machine's.
    pub fn new(name: impl Into<String>, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            address,
            clock: ClockModel::default(),
            stratum: 1,
            reference_id: *b"SIM\0",
            root_delay_s: 0.0,
            root_dispersion_s: 0.0,
            uplink: PathModel::default(),
            downlink: PathModel::default(),
            fault: None,
            seed: 1,
            duration: None,
            truth: None,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first one that is out of its range.
    pub fn validate(&self) -> Result<(), SimError> {
        let named = |source: ModelError| SimError::Model { device: self.name.clone(), source };
        let short = |parameter, value| {
            crate::error::check(parameter, value, 0.0..=65_535.0, "give 0 to 65535 s").map_err(named)
        };
        self.clock.validate().map_err(named)?;
        self.uplink.validate().map_err(named)?;
        self.downlink.validate().map_err(named)?;
        short("root_delay_s", self.root_delay_s)?;
        short("root_dispersion_s", self.root_dispersion_s)?;
        if !(1..=15).contains(&self.stratum) {
            let problem = format!("stratum {}: give 1 to 15", self.stratum);
            return Err(SimError::Config { device: self.name.clone(), problem });
        }
        Ok(())
    }
}
