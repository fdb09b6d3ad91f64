//! A simulated device clock: offset, skew, drift, steps, slews and resolution, over host time.
//!
//! The model. With `u = host - epoch`, the device's **oscillator** has counted
//! `osc(u) = u * (1 + skew) + wander(u)` seconds, where `wander` integrates the random walk and the
//! [`Drift`] of its frequency; it never stops or jumps and paces the device's sampling. The device's
//! **clock** shows `device = epoch - offset + osc(u) + adjustments(osc)`: its steps and slews.
//! So right at the epoch (before any step) host minus device is `offset`.
//!
//! Precision. All sums are taken relative to the epoch, and whole seconds of the device's time are
//! kept as integers, so readings in ticks stay exact to well below a nanosecond for host times of
//! 1e6 s and for device clocks that count unix seconds.

mod adjust;
mod drift;
mod kind;
mod oscillator;

#[cfg(test)]
mod tests;

use crate::error::{ModelError, check};
use adjust::Adjustments;
pub use drift::{Cycle, Drift, Load, WarmUp};
pub(crate) use kind::SAMPLE_PERIOD_S;
pub use kind::{ClockKind, ClockPlan};
use oscillator::Oscillator;

/// Units of a device's tick counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickUnit {
    /// 1e9 ticks a second.
    Nanoseconds,
    /// 1e6 ticks a second.
    Microseconds,
    /// 1e3 ticks a second.
    Milliseconds,
    /// 1 tick a second.
    Seconds,
}

impl TickUnit {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Nanoseconds, Self::Microseconds, Self::Milliseconds, Self::Seconds];

    /// Ticks in one second of device time.
    pub const fn ticks_per_s(self) -> i64 {
        match self {
            Self::Nanoseconds => 1_000_000_000,
            Self::Microseconds => 1_000_000,
            Self::Milliseconds => 1_000,
            Self::Seconds => 1,
        }
    }

    /// Symbol of the unit: `ns`, `us`, `ms` or `s`.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// A jump of the device clock, such as a time service setting it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockStep {
    /// When: seconds of host time after the epoch.
    pub at_s: f64,
    /// How far the device clock jumps ahead (negative: back), in seconds.
    pub delta_s: f64,
}

/// A stretch in which the device clock is made to run faster or slower than its oscillator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockSlew {
    /// When it begins: seconds of host time after the epoch.
    pub at_s: f64,
    /// How long it lasts, in seconds of host time.
    pub duration_s: f64,
    /// How much faster the clock runs, in ppm of its oscillator; -1e6 makes it stand still.
    pub rate_ppm: f64,
}

/// Parameters of a device clock. The default is a perfect clock equal to the host's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClockModel {
    /// Host minus device at the epoch, in seconds: what a clock offset chunk should say then.
    pub offset_s: f64,
    /// How fast the device's oscillator runs, in parts per million: at +40 the device gains 40 us
    /// a second, so host minus device falls.
    pub skew_ppm: f64,
    /// Random walk of the frequency, in ppm per square root of a second.
    pub wander_ppm: f64,
    /// Other changes of the frequency.
    pub drift: Drift,
    /// Jumps of the clock, in any order.
    pub steps: Vec<ClockStep>,
    /// Slews of the clock, in any order; where they overlap, their rates add.
    pub slews: Vec<ClockSlew>,
    /// Readings are floored to multiples of this many seconds of device time; 0 for none. Ticks
    /// are floored to whole ticks in any case.
    pub resolution_s: f64,
}

impl ClockModel {
    /// Checks every parameter.
    ///
    /// # Errors
    /// Names the first parameter that is not finite or out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        check("clock offset_s", self.offset_s, -1e10..=1e10, "give seconds, at most 1e10 either way")?;
        check("skew_ppm", self.skew_ppm, -1e5..=1e5, "give at most 100000 ppm either way")?;
        check("wander_ppm", self.wander_ppm, 0.0..=1e3, "give 0 to 1000 ppm per sqrt(s)")?;
        check("resolution_s", self.resolution_s, 0.0..=1e3, "give 0 to 1000 s")?;
        self.drift.validate()?;
        for slew in &self.slews {
            check("clock slew at_s", slew.at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
            check("clock slew duration_s", slew.duration_s, 0.0..=1e9, "give seconds, 0 or more")?;
            check("clock slew rate_ppm", slew.rate_ppm, -1e6..=1e6, "give at most 1000000 ppm either way")?;
        }
        for step in &self.steps {
            check("clock step at_s", step.at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
            check("clock step delta_s", step.delta_s, -1e9..=1e9, "give seconds, at most 1e9 either way")?;
        }
        Ok(())
    }
}

/// A device clock with its true relation to the host clock. Pure: it never looks at a real clock.
#[derive(Debug, Clone)]
pub struct SimClock {
    host_epoch_s: f64,
    offset_s: f64,
    /// Seconds of oscillator time per second of host time, without its changes.
    rate: f64,
    oscillator: Oscillator,
    adjustments: Adjustments,
    /// Device time at the epoch, split so that neither part loses digits.
    device_epoch_whole_s: i64,
    device_epoch_fraction_s: f64,
    resolution_s: f64,
}

impl SimClock {
    /// Sets up the clock of `model` so that the offset holds at host time `host_epoch_s`.
    ///
    /// The same arguments give the same clock. Call [`ClockModel::validate`] first: parameters out
    /// of range give useless times, never a panic.
    pub fn new(model: &ClockModel, host_epoch_s: f64, seed: u64) -> Self {
        Self::with_horizon(model, host_epoch_s, f64::INFINITY, seed)
    }

    /// The same clock for someone who looks at it for `horizon_s` after the epoch only; after that
    /// its frequency stays as it is (without a horizon: after 48 h).
    pub fn with_horizon(model: &ClockModel, host_epoch_s: f64, horizon_s: f64, seed: u64) -> Self {
        let rate = 1.0 + model.skew_ppm * 1e-6;
        let oscillator = Oscillator::new(model.wander_ppm, &model.drift, horizon_s, seed);
        let adjustments =
            Adjustments::new(&model.steps, &model.slews, |at_s| at_s * rate + oscillator.phase_s(at_s));
        let whole_s = host_epoch_s.floor() - model.offset_s.floor();
        Self {
            host_epoch_s,
            offset_s: model.offset_s,
            rate,
            oscillator,
            adjustments,
            // A cast from f64 saturates.
            device_epoch_whole_s: whole_s as i64,
            device_epoch_fraction_s: (host_epoch_s - host_epoch_s.floor())
                - (model.offset_s - model.offset_s.floor()),
            resolution_s: model.resolution_s,
        }
    }

    /// Seconds the oscillator has counted since the epoch; strictly rising, untouched by steps and slews.
    pub fn oscillator_s(&self, host_s: f64) -> f64 {
        let elapsed_s = host_s - self.host_epoch_s;
        elapsed_s * self.rate + self.oscillator.phase_s(elapsed_s)
    }

    /// The host time at which the oscillator has counted `oscillator_s` since the epoch.
    pub fn host_at_oscillator_s(&self, oscillator_s: f64) -> f64 {
        self.host_epoch_s + self.oscillator.invert(oscillator_s, self.rate)
    }

    /// True device time in seconds at a host time, before any flooring.
    pub fn device_time_s(&self, host_s: f64) -> f64 {
        self.device_time_at_oscillator_s(self.oscillator_s(host_s))
    }

    /// True device time in seconds when the oscillator has counted `oscillator_s`.
    pub fn device_time_at_oscillator_s(&self, oscillator_s: f64) -> f64 {
        self.device_epoch_whole_s as f64 + self.relative_s(oscillator_s)
    }

    /// What the device reads at a host time: its counter of `ticks_per_s`, floored.
    pub fn ticks(&self, host_s: f64, ticks_per_s: i64) -> i64 {
        self.ticks_at_oscillator(self.oscillator_s(host_s), ticks_per_s)
    }

    /// What the device reads when its oscillator has counted `oscillator_s` since the epoch.
    pub fn ticks_at_oscillator(&self, oscillator_s: f64, ticks_per_s: i64) -> i64 {
        let relative_ticks = (self.relative_s(oscillator_s) * ticks_per_s as f64).floor();
        let ticks = i128::from(self.device_epoch_whole_s) * i128::from(ticks_per_s) + relative_ticks as i128;
        let cell_ticks = self.resolution_s * ticks_per_s as f64;
        let floored = if cell_ticks > 1.0 { floor_to_cell(ticks, cell_ticks) } else { ticks };
        floored.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// True clock offset at a host time: host minus device, in seconds.
    pub fn offset_at(&self, host_s: f64) -> f64 {
        let elapsed_s = host_s - self.host_epoch_s;
        let gained_s = elapsed_s * (self.rate - 1.0) + self.oscillator.phase_s(elapsed_s);
        self.offset_s - gained_s - self.adjustments.at(self.oscillator_s(host_s))
    }

    /// The first host time at which the device clock shows `device_s` or more.
    ///
    /// This inverts [`SimClock::device_time_s`]. A time that a step skips belongs to the step; a
    /// time that a step back shows twice belongs to the first showing.
    pub fn host_time_s(&self, device_s: f64) -> f64 {
        let relative_s = (device_s - self.device_epoch_whole_s as f64) - self.device_epoch_fraction_s;
        self.host_at_oscillator_s(self.adjustments.invert(relative_s))
    }

    /// Device time minus its whole seconds at the epoch.
    fn relative_s(&self, oscillator_s: f64) -> f64 {
        self.device_epoch_fraction_s + oscillator_s + self.adjustments.at(oscillator_s)
    }
}

/// The last tick at or below `ticks` that begins a cell of `cell_ticks` (which need not be whole).
fn floor_to_cell(ticks: i128, cell_ticks: f64) -> i128 {
    let whole = cell_ticks.round();
    if (cell_ticks - whole).abs() <= 1e-9 * cell_ticks {
        let cell = whole as i128;
        return ticks.div_euclid(cell) * cell;
    }
    // A cell such as 1/32768 s in us: its start is floored to a whole tick as well. The tick the
    // clock is in may have begun before the cell, so the end of the tick decides.
    let cell = ((ticks as f64 + 1.0) / cell_ticks).ceil() - 1.0;
    ((cell * cell_ticks).floor() as i128).min(ticks)
}
