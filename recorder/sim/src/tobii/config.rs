//! What a simulated eye tracker is like, as TOML.
//!
//! Every key may be left out; the values here are what holds then. Unknown keys are refused.
//! Times `at_s` are seconds of host time after the start, which is when the device is opened first.
//! The folder of the truth logs is below that of the file. Logs are never overwritten: where there are
//! some, no device can be opened, and why is said on standard error.
//!
//! ```toml
//! serial = "SIM-0001"
//! model = "Simulated tracker"
//! generation = "SIM"
//! name = ""                        # given by the user; Pro SDK only
//! firmware = "0.1-simulated"
//! url = "tobii-prp://SIM-0001"     # address of the device, for both libraries
//! present = true                   # false: no device is found, and none can be opened
//! frequency_hz = 120.0             # 60 to 1200, by the device's own crystal
//! seed = 1
//! # truth = "folder"               # where the truth logs go; without it there are none
//!
//! api_version = "5.7.0.4"          # what the Stream Engine says; below 4 its functions differ
//! sdk_version = "2.1.0.1"          # what the Pro SDK says; below 2 its structs differ
//! gaze_data_layout = "v4"          # "v4": 176 bytes, "v3": 168 bytes, whatever the version says
//! unsupported = []                 # streams that are refused, such as ["head_pose"]
//! invalid = "nan"                  # what stands in fields that are not valid: "nan" or "zero"
//!
//! sample_loss = 0.0                # probability that a sample never arrives
//! burst = 1                        # samples arrive in groups of this many
//! restart_at_us = 100000           # what the device clock shows right after a restart
//! clock_restarts_s = []            # when the device clock begins again
//! idle_disconnect_s = 0.0          # connection drops when callbacks are not processed so long; 0: never
//!
//! [licence]
//! level = "professional"           # "professional", "consumer", or "none": only interactive use
//! needs_key = false                # true: "professional" holds only with a key
//! key_result = 0                   # what is said of each key that is given; not 0: refused
//! # revoked_at_s = 10.0            # from then on it is "consumer"
//!
//! [clock]                          # the device's: whole microseconds
//! offset_s = 0.0                   # host minus device at the start
//! skew_ppm = 0.0                   # positive: the device runs fast
//! wander_ppm = 0.0                 # random walk of the frequency, ppm per root second
//! flicker_allan = 0.0              # Allan deviation of its flicker noise
//! # load = { level_ppm = 1.5, mean_interval_s = 600.0, lag_s = 180.0 }
//! # warm_up = { change_ppm = 10.0, time_constant_s = 600.0 }
//! # room = { amplitude_ppm = 1.0, period_s = 1200.0, phase = 0.0 }
//! # day = { amplitude_ppm = 2.0, period_s = 36000.0, phase = 0.0 }
//! steps = []                       # such as [{ at_s = 5.0, delta_s = 0.02 }]
//!
//! [usb.request]                    # of a time-sync question to the device
//! base_us = 150.0
//! jitter_us = 30.0                 # mean of an exponential
//! spike_probability = 0.0
//! spike_us = 50000.0
//! [usb.reply]                      # of its answer; the same keys
//! [usb.samples]                    # of samples; the same keys
//!
//! [sync_port]
//! interval_s = 0.0                 # the value changes this often, by the device's crystal; 0: never
//!
//! [auto_sync]                      # time syncs that the Pro SDK makes by itself
//! requests = 4                     # in a round; that of the lowest round-trip time is used
//! first_interval_s = 1.0           # between the first `often` rounds
//! often = 5
//! interval_s = 10.0                # between later ones
//!
//! [[disconnects]]                  # the cable is out
//! at_s = 5.0
//! for_s = 2.0
//! # [[paused]], [[firmware_upgrades]], [[away]] (nobody is in front of it): the same keys
//!
//! [[notifications]]
//! at_s = 3.0
//! kind = "warnings"                # a name of `NotificationKind`
//! number = 0.0                     # what it says, if that is a number
//! text = "too much light"          # what it says, if that is a text
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{ModelError, SimError, check};

use super::config_clock::ClockConfig;
use super::config_parts::{AutoSync, GazeLayout, Invalid, Licence, PlannedNotification, Span, SyncPort, Usb};
use super::streams::Stream;

/// Names the file with the configuration, for libraries that stand in for Tobii's.
pub const VARIABLE: &str = "LOCKSTEP_TOBII_STANDIN";

/// A simulated eye tracker. The keys of the TOML file are at the top of this module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // each field is one of the keys above
pub struct TrackerConfig {
    pub serial: String,
    pub model: String,
    pub generation: String,
    pub name: String,
    pub firmware: String,
    pub url: String,
    pub present: bool,
    pub frequency_hz: f64,
    pub seed: u64,
    /// Where files of one machine are means nothing to who reads them on another.
    #[serde(skip_serializing)]
    pub truth: Option<PathBuf>,
    pub api_version: String,
    pub sdk_version: String,
    pub gaze_data_layout: GazeLayout,
    pub unsupported: Vec<Stream>,
    pub invalid: Invalid,
    pub sample_loss: f64,
    pub burst: u32,
    pub restart_at_us: i64,
    pub clock_restarts_s: Vec<f64>,
    pub idle_disconnect_s: f64,
    pub licence: Licence,
    pub clock: ClockConfig,
    pub usb: Usb,
    pub sync_port: SyncPort,
    pub auto_sync: AutoSync,
    pub disconnects: Vec<Span>,
    pub paused: Vec<Span>,
    pub firmware_upgrades: Vec<Span>,
    pub away: Vec<Span>,
    pub notifications: Vec<PlannedNotification>,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            serial: "SIM-0001".to_owned(),
            model: "Simulated tracker".to_owned(),
            generation: "SIM".to_owned(),
            name: String::new(),
            firmware: "0.1-simulated".to_owned(),
            url: "tobii-prp://SIM-0001".to_owned(),
            present: true,
            frequency_hz: 120.0,
            seed: 1,
            truth: None,
            api_version: "5.7.0.4".to_owned(),
            sdk_version: "2.1.0.1".to_owned(),
            gaze_data_layout: GazeLayout::V4,
            unsupported: Vec::new(),
            invalid: Invalid::Nan,
            sample_loss: 0.0,
            burst: 1,
            restart_at_us: 100_000,
            clock_restarts_s: Vec::new(),
            idle_disconnect_s: 0.0,
            licence: Licence::default(),
            clock: ClockConfig::default(),
            usb: Usb::default(),
            sync_port: SyncPort::default(),
            auto_sync: AutoSync::default(),
            disconnects: Vec::new(),
            paused: Vec::new(),
            firmware_upgrades: Vec::new(),
            away: Vec::new(),
            notifications: Vec::new(),
        }
    }
}

impl TrackerConfig {
    /// The tracker that `text` describes.
    ///
    /// # Errors
    /// The first key that is unknown or out of its range.
    pub fn from_toml(text: &str) -> Result<Self, SimError> {
        let config: Self = toml::from_str(text).map_err(|error| SimError::Config {
            device: "eye tracker".to_owned(),
            problem: error.to_string(),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The tracker that the file named by the environment variable [`VARIABLE`] describes, or that
    /// of the defaults. A folder of truth logs is below the folder of that file.
    ///
    /// # Errors
    /// [`SimError::Config`] when the file cannot be read, or says what cannot be.
    pub fn from_environment() -> Result<Self, SimError> {
        let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
            return Ok(Self::default());
        };
        let path = Path::new(&path);
        let text = std::fs::read_to_string(path).map_err(|error| SimError::Config {
            device: "eye tracker".to_owned(),
            problem: format!("cannot read {}, which {VARIABLE} names: {error}", path.display()),
        })?;
        let mut config = Self::from_toml(&text)?;
        if let (Some(truth), Some(folder)) = (config.truth.take(), path.parent()) {
            config.truth = Some(folder.join(truth));
        }
        Ok(config)
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

    fn check_models(&self) -> Result<(), ModelError> {
        check("frequency_hz", self.frequency_hz, 60.0..=1200.0, "give 60 to 1200 Hz")?;
        check("sample_loss", self.sample_loss, 0.0..=1.0, "give a probability, 0 to 1")?;
        check("idle_disconnect_s", self.idle_disconnect_s, 0.0..=3600.0, "give 0 to 3600 s")?;
        self.clock.model().validate()?;
        for delay in [self.usb.request, self.usb.reply, self.usb.samples] {
            delay.validate()?;
        }
        if self.sync_port.interval_s != 0.0 {
            check(
                "sync_port interval_s",
                self.sync_port.interval_s,
                0.001..=1e6,
                "give 0.001 s or more, or 0",
            )?;
        }
        let auto = &self.auto_sync;
        check("auto_sync first_interval_s", auto.first_interval_s, 0.01..=3600.0, "give 0.01 to 3600 s")?;
        check("auto_sync interval_s", auto.interval_s, 0.01..=3600.0, "give 0.01 to 3600 s")?;
        let spans = [&self.disconnects, &self.paused, &self.firmware_upgrades, &self.away];
        for span in spans.into_iter().flatten() {
            check("begin of a span", span.at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
            check("length of a span", span.for_s, 0.0..=f64::INFINITY, "give seconds, 0 or more")?;
        }
        let notified = self.notifications.iter().map(|planned| planned.at_s);
        for at_s in notified.chain(self.clock_restarts_s.iter().copied()).chain(self.licence.revoked_at_s) {
            check("at_s", at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
        }
        Ok(())
    }

    fn misfit(&self) -> Option<&'static str> {
        if !(1..=1000).contains(&self.burst) {
            return Some("samples arrive in groups of 1 to 1000");
        }
        if !(1..=64).contains(&self.auto_sync.requests) {
            return Some("a round of time syncs has 1 to 64 requests");
        }
        if version(&self.api_version).is_none() || version(&self.sdk_version).is_none() {
            return Some("a version is up to four numbers with dots between them, such as 5.7.0.4");
        }
        let texts = [&self.serial, &self.model, &self.generation, &self.name, &self.firmware, &self.url];
        if texts.iter().any(|text| text.len() > 60 || text.contains('\0')) {
            return Some("names are at most 60 bytes long");
        }
        None
    }
}

/// The four numbers of a version; those that are left out are 0.
pub fn version(text: &str) -> Option<[i32; 4]> {
    let mut numbers = [0; 4];
    let mut parts = text.split('.');
    for number in &mut numbers {
        let Some(part) = parts.next() else { break };
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}
