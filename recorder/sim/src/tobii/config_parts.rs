//! The parts of the configuration: licence, cable, and what happens when.

use serde::{Deserialize, Serialize};

use crate::error::{ModelError, check};
use crate::rng::Draws;

use super::streams::NotificationKind;

/// A stretch of time, in seconds of host time after the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// When it begins.
    pub at_s: f64,
    /// How long it lasts; for ever if it is left out.
    #[serde(default = "for_ever")]
    pub for_s: f64,
}

fn for_ever() -> f64 {
    f64::INFINITY
}

impl Span {
    /// Whether it holds at this time.
    pub fn holds(&self, elapsed_s: f64) -> bool {
        elapsed_s >= self.at_s && elapsed_s < self.at_s + self.for_s
    }
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Interactive use of the consumer functions.
    None,
    /// Consumer functions, for analysis as well.
    Consumer,
    /// Everything.
    Professional,
}

/// The licence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Licence {
    /// What a client may do.
    pub level: Level,
    /// Whether `level` holds only for those who give a key.
    pub needs_key: bool,
    /// What is said of a key; 0 is approval.
    pub key_result: i32,
    /// From when on nothing professional is allowed.
    pub revoked_at_s: Option<f64>,
}

impl Default for Licence {
    fn default() -> Self {
        Self { level: Level::Professional, needs_key: false, key_result: 0, revoked_at_s: None }
    }
}

/// How long something is on its way over USB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delay {
    /// The shortest.
    pub base_us: f64,
    /// Mean of the exponential tail added to it.
    pub jitter_us: f64,
    /// Probability of a spike.
    pub spike_probability: f64,
    /// What a spike adds.
    pub spike_us: f64,
}

impl Default for Delay {
    fn default() -> Self {
        Self { base_us: 150.0, jitter_us: 30.0, spike_probability: 0.0, spike_us: 50_000.0 }
    }
}

impl Delay {
    /// One delay in seconds. Each takes the same number of draws.
    pub(super) fn draw_s(&self, draws: &mut Draws) -> f64 {
        let tail_us = draws.exponential(self.jitter_us);
        let spike_us = if draws.chance(self.spike_probability) { self.spike_us } else { 0.0 };
        (self.base_us + tail_us + spike_us) * 1e-6
    }

    pub(super) fn validate(&self) -> Result<(), ModelError> {
        check("usb base_us", self.base_us, 0.0..=1e7, "give 0 to 1e7 us")?;
        check("usb jitter_us", self.jitter_us, 0.0..=1e6, "give 0 to 1e6 us")?;
        check("usb spike_probability", self.spike_probability, 0.0..=1.0, "give a probability, 0 to 1")?;
        check("usb spike_us", self.spike_us, 0.0..=1e7, "give 0 to 1e7 us")
    }
}

/// The cable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usb {
    /// Time-sync questions to the device.
    pub request: Delay,
    /// Their answers.
    pub reply: Delay,
    /// Samples.
    pub samples: Delay,
}

/// The digital input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncPort {
    /// Between changes of its value, by the device's oscillator; 0 for none.
    pub interval_s: f64,
}

/// Time syncs that a library makes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoSync {
    /// Questions in a round.
    pub requests: u32,
    /// Between the first rounds.
    pub first_interval_s: f64,
    /// How many of these there are.
    pub often: u32,
    /// Between later rounds.
    pub interval_s: f64,
}

impl Default for AutoSync {
    fn default() -> Self {
        Self { requests: 4, first_interval_s: 1.0, often: 5, interval_s: 10.0 }
    }
}

/// Which fields the struct of the professional gaze stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GazeLayout {
    /// 168 bytes: the position in the track box has no validity of its own.
    V3,
    /// 176 bytes.
    V4,
}

/// What stands in fields that are not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalid {
    /// No number.
    Nan,
    /// 0.
    Zero,
}

impl Invalid {
    /// The value.
    pub const fn value(self) -> f32 {
        match self {
            Self::Nan => f32::NAN,
            Self::Zero => 0.0,
        }
    }
}

/// Something that the device tells at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedNotification {
    /// When.
    pub at_s: f64,
    /// What it is about.
    pub kind: NotificationKind,
    /// What it says, if that is a number.
    #[serde(default)]
    pub number: f64,
    /// What it says, if that is a text.
    #[serde(default)]
    pub text: String,
}
