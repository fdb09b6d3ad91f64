//! The flags of a simulated device's clock.

use std::time::Duration;

use clap::Args;
use lockstep_sim::clock::{ClockKind, ClockModel, ClockStep};

use super::args::{choice, parse_step};

/// What all devices with a clock of their own share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Device clock")]
pub(super) struct ClockFlags {
    /// Kind of clock, with the drift, steps and slews of a seed; the other flags come on top
    #[arg(long, value_name = "KIND", value_parser = choice(&CLOCKS, ClockKind::name))]
    clock: Option<ClockKind>,
    /// Host minus device at the start: the clock offset a recorder should find
    #[arg(long, value_name = "S", default_value_t = 0.0, allow_negative_numbers = true)]
    clock_offset_s: f64,
    /// How fast the device's crystal runs, in parts per million; positive gains
    #[arg(long, value_name = "PPM", default_value_t = 0.0, allow_negative_numbers = true)]
    skew_ppm: f64,
    /// Random walk of its frequency, in ppm per square root of a second; 0.004 is a quiet phone
    #[arg(long, value_name = "PPM", default_value_t = 0.0)]
    wander_ppm: f64,
    /// Jump of the clock: seconds after the start, and how far ahead it jumps; may be repeated
    #[arg(long = "step", value_name = "AT_S:DELTA_S", value_parser = parse_step)]
    steps: Vec<ClockStep>,
}

impl ClockFlags {
    /// The clock for a run of this length.
    pub(super) fn model(&self, duration: Option<Duration>, seed: u64) -> ClockModel {
        let duration_s = duration.map_or(NO_END_S, |duration| duration.as_secs_f64());
        let kind = self.clock.map(|kind| kind.plan(0.0, duration_s, seed).model).unwrap_or_default();
        ClockModel {
            // The offset is what somebody will look for, so it stays the one that was asked for.
            offset_s: self.clock_offset_s,
            skew_ppm: kind.skew_ppm + self.skew_ppm,
            wander_ppm: kind.wander_ppm.hypot(self.wander_ppm),
            steps: kind.steps.iter().chain(&self.steps).copied().collect(),
            ..kind
        }
    }
}

/// Events of a clock are drawn for this long when there is no end to the run.
const NO_END_S: f64 = 8.0 * 3600.0;

/// The clocks of devices that are there all the time; sockets neither sleep nor restart.
const CLOCKS: [ClockKind; 9] = [
    ClockKind::Const,
    ClockKind::Pc,
    ClockKind::Phone,
    ClockKind::PhoneStep,
    ClockKind::PhoneSlew,
    ClockKind::Warm,
    ClockKind::Hvac,
    ClockKind::Flicker,
    ClockKind::Ntp,
];
