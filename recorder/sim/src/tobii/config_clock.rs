//! The device clock in the configuration: the parameters of [`ClockModel`] with their keys.

use serde::{Deserialize, Serialize};

use crate::clock::{ClockModel, ClockStep, Cycle, Drift, Load, WarmUp};

/// A device clock; each field is the one of the same name of [`ClockModel`] or [`Drift`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ClockConfig {
    pub offset_s: f64,
    pub skew_ppm: f64,
    pub wander_ppm: f64,
    pub flicker_allan: f64,
    pub load: Option<LoadConfig>,
    pub warm_up: Option<WarmUpConfig>,
    pub room: Option<CycleConfig>,
    pub day: Option<CycleConfig>,
    pub steps: Vec<StepConfig>,
}

/// [`Load`] with its keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LoadConfig {
    pub level_ppm: f64,
    pub mean_interval_s: f64,
    pub lag_s: f64,
}

/// [`WarmUp`] with its keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct WarmUpConfig {
    pub change_ppm: f64,
    pub time_constant_s: f64,
}

/// [`Cycle`] with its keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CycleConfig {
    pub amplitude_ppm: f64,
    pub period_s: f64,
    #[serde(default)]
    pub phase: f64,
}

/// [`ClockStep`] with its keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct StepConfig {
    pub at_s: f64,
    pub delta_s: f64,
}

impl ClockConfig {
    /// The clock's model.
    pub fn model(&self) -> ClockModel {
        let cycle = |cycle: CycleConfig| Cycle {
            amplitude_ppm: cycle.amplitude_ppm,
            period_s: cycle.period_s,
            phase: cycle.phase,
        };
        ClockModel {
            offset_s: self.offset_s,
            skew_ppm: self.skew_ppm,
            wander_ppm: self.wander_ppm,
            drift: Drift {
                flicker_allan: self.flicker_allan,
                load: self.load.map(|load| Load {
                    level_ppm: load.level_ppm,
                    mean_interval_s: load.mean_interval_s,
                    lag_s: load.lag_s,
                }),
                warm_up: self.warm_up.map(|warm| WarmUp {
                    change_ppm: warm.change_ppm,
                    time_constant_s: warm.time_constant_s,
                }),
                room: self.room.map(cycle),
                day: self.day.map(cycle),
            },
            steps: self
                .steps
                .iter()
                .map(|step| ClockStep { at_s: step.at_s, delta_s: step.delta_s })
                .collect(),
            ..ClockModel::default()
        }
    }
}
