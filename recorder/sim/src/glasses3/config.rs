//! What simulated glasses are like.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::ClockModel;
use crate::error::{ModelError, SimError, check};
use crate::network::PathModel;
use crate::serve::Span;

/// Gaze data a second that the glasses can be set to.
pub const GAZE_RATES_HZ: [u32; 2] = [50, 100];
/// Magnetic fields a second.
pub const MAGNETOMETER_HZ: f64 = 10.0;

/// A simulated recording unit with its head unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Glasses3Config {
    /// Serial number of the recording unit, which is also its name on the network.
    pub serial: String,
    /// Address of this machine where it answers.
    pub host: IpAddr,
    /// Port of WebSocket and HTTP; 0 takes a free one.
    pub port: u16,
    /// Whether it announces itself by mDNS.
    pub mdns: bool,
    /// Its clock, of all time stamps and of `system.time`. The offset is this machine's UTC minus its
    /// own, at the start; time stamps know nothing of it.
    pub clock: ClockModel,
    /// From the glasses to whoever listens.
    pub uplink: PathModel,
    /// From whoever asks to the glasses.
    pub downlink: PathModel,
    /// Gaze data a second at the start: one of [`GAZE_RATES_HZ`].
    pub gaze_hz: u32,
    /// Accelerations and turns a second; 0 for none.
    pub imu_hz: f64,
    /// Between changes at the sync port, in seconds; 0 for none.
    pub sync_port_every_s: f64,
    /// Whether time stamps begin again at zero when nobody kept the signals alive for a while.
    pub zero_restarts: bool,
    /// Nothing is ever missing: both eyes are found in each datum, and each sample of the IMU is whole.
    pub whole: bool,
    /// An event comes back before the action that sent it is answered, not after.
    pub event_first: bool,
    /// When they are away: connections are reset, and nobody gets in.
    pub outages: Vec<Span>,
    /// Seed of everything random.
    pub seed: u64,
    /// Ends by itself after this time.
    pub duration: Option<Duration>,
    /// Folder of the truth logs.
    pub truth: Option<PathBuf>,
}

impl Glasses3Config {
    /// Glasses without faults on `host`, on a free port, with this machine's clock.
    pub fn new(serial: impl Into<String>, host: IpAddr) -> Self {
        Self {
            serial: serial.into(),
            host,
            port: 0,
            mdns: false,
            clock: ClockModel::default(),
            uplink: PathModel::default(),
            downlink: PathModel::default(),
            gaze_hz: 50,
            imu_hz: 119.0,
            sync_port_every_s: 1.0,
            zero_restarts: true,
            whole: false,
            event_first: false,
            outages: Vec::new(),
            seed: 1,
            duration: None,
            truth: None,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first one that is out of its range, with the mend.
    pub fn validate(&self) -> Result<(), SimError> {
        self.check_models().map_err(|source| SimError::Model { device: self.serial.clone(), source })?;
        self.misfit().map_or(Ok(()), |problem| {
            Err(SimError::Config { device: self.serial.clone(), problem: problem.to_owned() })
        })
    }

    /// Whether they are away at a time.
    pub fn is_out(&self, elapsed_s: f64) -> bool {
        self.outages.iter().any(|span| span.holds(elapsed_s))
    }

    fn check_models(&self) -> Result<(), ModelError> {
        self.clock.validate()?;
        self.uplink.validate()?;
        self.downlink.validate()?;
        if self.imu_hz != 0.0 {
            check("imu_hz", self.imu_hz, 0.1..=1000.0, "give 0.1 to 1000 Hz, or 0 for none")?;
        }
        if self.sync_port_every_s != 0.0 {
            let accepted = "give 0.001 to 3600 s, or 0 for none";
            check("sync_port_every_s", self.sync_port_every_s, 0.001..=3600.0, accepted)?;
        }
        for span in &self.outages {
            check("begin of an outage", span.at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
            check("length of an outage", span.for_s, 0.0..=f64::INFINITY, "give seconds, 0 or more")?;
        }
        Ok(())
    }

    fn misfit(&self) -> Option<&'static str> {
        if !GAZE_RATES_HZ.contains(&self.gaze_hz) {
            return Some("the glasses have 50 or 100 gaze data a second: give one of them");
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        // It becomes a label of a name in DNS.
        if !(1..=40).contains(&self.serial.len()) || !self.serial.chars().all(fits) {
            return Some("give a serial number of 1 to 40 letters, digits and '-'");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn misfits_are_refused_with_the_mend() {
        let glasses = || Glasses3Config::new("TG03B-1", Ipv4Addr::LOCALHOST.into());
        assert!(glasses().validate().is_ok());
        let says = |config: Glasses3Config, text: &str| {
            let error = config.validate().expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        };
        says(Glasses3Config { gaze_hz: 60, ..glasses() }, "50 or 100");
        says(Glasses3Config { imu_hz: -1.0, ..glasses() }, "0.1 to 1000 Hz");
        says(Glasses3Config { sync_port_every_s: f64::NAN, ..glasses() }, "0.001 to 3600 s");
        says(Glasses3Config { serial: "a b".to_owned(), ..glasses() }, "letters, digits");
        says(Glasses3Config { outages: vec![Span { at_s: -1.0, for_s: 1.0 }], ..glasses() }, "0 or more");
    }
}
