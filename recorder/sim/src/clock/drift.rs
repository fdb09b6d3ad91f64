//! What makes the frequency of an oscillator change: parameters, each of them a choice.

use crate::error::{ModelError, check};

/// Slow changes of an oscillator's frequency besides its random walk. The default is none.
///
/// | Part | What stands behind it |
/// |---|---|
/// | flicker | 1/f noise of the frequency, the floor of a crystal's Allan deviation |
/// | load | a phone's processor heats its crystal when it works |
/// | warm-up | a device that was switched on shortly before |
/// | room | heating or cooling that switches on and off |
/// | day | the temperature of a building over hours |
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Drift {
    /// Allan deviation of the flicker frequency noise, the same at every averaging time.
    pub flicker_allan: f64,
    /// Levels of heating by load.
    pub load: Option<Load>,
    /// Warming up after the start.
    pub warm_up: Option<WarmUp>,
    /// The room's temperature, switched on and off.
    pub room: Option<Cycle>,
    /// A slow swing over hours.
    pub day: Option<Cycle>,
}

/// Heating by load: at random times a new level is drawn, and the frequency follows it with a lag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Levels are uniform within plus and minus this, in ppm.
    pub level_ppm: f64,
    /// Mean time between changes of level, in seconds (a Poisson process).
    pub mean_interval_s: f64,
    /// Time constant with which the frequency follows, in seconds.
    pub lag_s: f64,
}

/// Warming up: the frequency has changed by `change_ppm` in the end, exponentially.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// Frequency in the end minus frequency at the start, in ppm.
    pub change_ppm: f64,
    /// Time constant, in seconds.
    pub time_constant_s: f64,
}

/// A swing between plus and minus `amplitude_ppm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cycle {
    /// Half the distance between the extremes, in ppm.
    pub amplitude_ppm: f64,
    /// Length of a cycle, in seconds.
    pub period_s: f64,
    /// Where in the cycle the clock starts, 0 to 1.
    pub phase: f64,
}

impl Drift {
    /// Checks every parameter.
    pub(super) fn validate(&self) -> Result<(), ModelError> {
        check("flicker_allan", self.flicker_allan, 0.0..=1e-3, "give 0 to 0.001")?;
        if let Some(load) = self.load {
            check("load level_ppm", load.level_ppm, 0.0..=1e3, "give 0 to 1000 ppm")?;
            check("load mean_interval_s", load.mean_interval_s, 1.0..=1e9, "give 1 s or more")?;
            check("load lag_s", load.lag_s, 1.0..=1e9, "give 1 s or more")?;
        }
        if let Some(warm) = self.warm_up {
            check("warm-up change_ppm", warm.change_ppm, -1e3..=1e3, "give at most 1000 ppm either way")?;
            check("warm-up time_constant_s", warm.time_constant_s, 1.0..=1e9, "give 1 s or more")?;
        }
        for cycle in [self.room, self.day].into_iter().flatten() {
            check("cycle amplitude_ppm", cycle.amplitude_ppm, 0.0..=1e3, "give 0 to 1000 ppm")?;
            check("cycle period_s", cycle.period_s, 10.0..=1e9, "give 10 s or more")?;
            check("cycle phase", cycle.phase, 0.0..=1.0, "give 0 to 1")?;
        }
        Ok(())
    }

    /// True when the frequency never changes for any of these reasons.
    pub(super) fn is_none(&self) -> bool {
        self == &Self::default()
    }
}
