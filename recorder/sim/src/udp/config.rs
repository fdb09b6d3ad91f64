//! What a simulated UDP device is made of.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::{ClockModel, TickUnit};
use crate::error::{ModelError, SimError, check};
use crate::format::Format;
use crate::network::PathModel;

use super::exchange::ExchangeKind;
use super::payload::Payload;

/// Most channels and most samples per datagram that are accepted.
const MOST: usize = 10_000;

/// When samples are taken, by the device's own oscillator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Evenly spaced.
    Regular {
        /// Samples in a second of the oscillator.
        hz: f64,
    },
    /// At random: a Poisson process.
    Irregular {
        /// Mean number of events in a second of the oscillator.
        mean_hz: f64,
    },
}

impl Rate {
    /// The rate in samples a second, or the mean of it.
    pub const fn mean_hz(self) -> f64 {
        match self {
            Self::Regular { hz } => hz,
            Self::Irregular { mean_hz } => mean_hz,
        }
    }

    /// The rate as a stream header states it: 0 for irregular.
    pub const fn nominal_hz(self) -> f64 {
        match self {
            Self::Regular { hz } => hz,
            Self::Irregular { .. } => 0.0,
        }
    }
}

/// Width of the device's tick counter as it appears in stamps and `echo` replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterWidth {
    /// The low 32 bits: the stamp starts again from 0 after 2^32 ticks.
    Bits32,
    /// Signed 64 bits: never wraps.
    Bits64,
}

impl CounterWidth {
    /// The reading as the device would send it.
    pub const fn wrap(self, ticks: i64) -> i64 {
        match self {
            Self::Bits32 => ticks & 0xffff_ffff,
            Self::Bits64 => ticks,
        }
    }
}

/// The device's answering of clock exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// The protocol.
    pub kind: ExchangeKind,
    /// Where the device listens; port 0 takes a free one (see
    /// [`Simulator::exchange_addresses`](super::Simulator::exchange_addresses)).
    pub address: SocketAddr,
}

/// Everything about one simulated device that sends one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct UdpDeviceConfig {
    /// Name of the device and of its stream.
    pub name: String,
    /// Where datagrams go.
    pub destination: SocketAddr,
    /// How datagrams are written.
    pub payload: Payload,
    /// Format of every channel.
    pub format: Format,
    /// One name per channel; their number is the number of channels.
    pub channel_names: Vec<String>,
    /// When samples are taken.
    pub rate: Rate,
    /// Samples in each datagram; the last one of a run may hold fewer.
    pub samples_per_datagram: usize,
    /// The device clock.
    pub clock: ClockModel,
    /// Unit of its tick counter.
    pub clock_unit: TickUnit,
    /// Width of its tick counter.
    pub counter: CounterWidth,
    /// Device to recorder, for samples and for replies.
    pub uplink: PathModel,
    /// Recorder to device, for requests.
    pub downlink: PathModel,
    /// Clock exchanges, if the device answers any.
    pub exchange: Option<ExchangeConfig>,
    /// Seed of everything random about the device.
    pub seed: u64,
    /// Time from the start of the run to the first sample; exchanges are answered at once.
    pub start_delay: Duration,
    /// How long samples are taken; `None` until stopped.
    pub duration: Option<Duration>,
    /// The truth log, which must not exist; its folder is created.
    pub truth: Option<PathBuf>,
}

impl UdpDeviceConfig {
    /// A device with a perfect clock and network: 8 channels of `float32` at 100 Hz, one sample per
    /// binary datagram, stamped in microseconds; no exchanges, no truth log, no end.
    pub fn new(name: impl Into<String>, destination: SocketAddr) -> Self {
        Self {
            name: name.into(),
            destination,
            payload: Payload::Binary,
            format: Format::Float32,
            channel_names: default_channel_names(8),
            rate: Rate::Regular { hz: 100.0 },
            samples_per_datagram: 1,
            clock: ClockModel::default(),
            clock_unit: TickUnit::Microseconds,
            counter: CounterWidth::Bits64,
            uplink: PathModel::default(),
            downlink: PathModel::default(),
            exchange: None,
            seed: 1,
            start_delay: Duration::ZERO,
            duration: None,
            truth: None,
        }
    }

    /// Mean time between datagrams in seconds.
    pub fn datagram_interval_s(&self) -> f64 {
        self.samples_per_datagram as f64 / self.rate.mean_hz()
    }

    /// Checks that every part is in range and that they fit together.
    ///
    /// # Errors
    /// [`SimError::Model`] or [`SimError::Config`], naming what to change.
    pub fn validate(&self) -> Result<(), SimError> {
        self.check_models().map_err(|source| SimError::Model { device: self.name.clone(), source })?;
        self.misfit().map_or(Ok(()), |problem| {
            Err(SimError::Config { device: self.name.clone(), problem: problem.to_owned() })
        })
    }

    fn check_models(&self) -> Result<(), ModelError> {
        check("rate_hz", self.rate.mean_hz(), 1e-6..=1e6, "give 0.000001 to 1000000 Hz")?;
        self.clock.validate()?;
        self.uplink.validate()?;
        self.downlink.validate()
    }

    fn misfit(&self) -> Option<&'static str> {
        let channels = self.channel_names.len();
        if channels == 0 || channels > MOST {
            return Some("give it 1 to 10000 channels");
        }
        if self.samples_per_datagram == 0 || self.samples_per_datagram > MOST {
            return Some("put 1 to 10000 samples into a datagram");
        }
        match (self.payload, self.format) {
            (Payload::Binary, Format::String) => {
                Some("the binary payload has no strings; use json, csv or marker")
            }
            (Payload::Marker, format) if format != Format::String => {
                Some("the marker payload is text; use the format string")
            }
            (Payload::Marker, _) if channels != 1 || self.samples_per_datagram != 1 => {
                Some("a marker datagram is one text; use 1 channel and 1 sample per datagram")
            }
            _ => None,
        }
    }
}

/// Channel names `c0`, `c1`, and so on.
pub fn default_channel_names(channels: usize) -> Vec<String> {
    (0..channels).map(|channel| format!("c{channel}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> UdpDeviceConfig {
        UdpDeviceConfig::new("imu", SocketAddr::from(([127, 0, 0, 1], 5005)))
    }

    #[test]
    fn misfits_are_refused_with_the_mend() {
        assert!(device().validate().is_ok());
        let strings = UdpDeviceConfig { format: Format::String, ..device() };
        let error = strings.validate().expect_err("binary strings").to_string();
        assert!(error.contains("'imu'") && error.contains("use json, csv or marker"), "{error}");
        let marker = UdpDeviceConfig { payload: Payload::Marker, ..strings };
        let error = marker.validate().expect_err("8 channels").to_string();
        assert!(error.contains("use 1 channel"), "{error}");
        let none = UdpDeviceConfig { channel_names: Vec::new(), ..device() };
        assert!(none.validate().is_err());
        let rate = UdpDeviceConfig { rate: Rate::Regular { hz: 0.0 }, ..device() };
        assert!(rate.validate().expect_err("no rate").to_string().contains("rate_hz = 0"));
    }

    #[test]
    fn a_narrow_counter_wraps_also_below_zero() {
        assert_eq!(CounterWidth::Bits32.wrap((1 << 32) + 5), 5);
        assert_eq!(CounterWidth::Bits32.wrap(-1), 0xffff_ffff);
        assert_eq!(CounterWidth::Bits64.wrap(-1), -1);
    }
}
