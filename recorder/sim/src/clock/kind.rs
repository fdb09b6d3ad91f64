//! Kinds of device clock: parameters and events of a run, drawn from a seed.
//!
//! Every figure is a **choice**, made from how such clocks work; none was measured. "Per run" is
//! drawn once for a seed; `U(a, b)` is uniform, `LU` uniform in the logarithm, signs at random.
//! Every clock starts within 5000 s of the host's, its frequency off by U(20, 50) ppm.
//!
//! | Kind | What the clock does |
//! |---|---|
//! | `const` | nothing else |
//! | `pc` | random walk of the frequency, Allan deviation 3e-8 at 1000 s |
//! | `phone` | random walk 4e-9 per root second; by load a new level within 1.5 ppm about each 600 s, followed with a lag of 180 s |
//! | `phone_step` | `phone`, stepped about 2 times an hour (at least once) by LU(5, 800) ms |
//! | `phone_slew` | `phone`, slewed by 500 ppm about 1.5 times an hour (at least once) over LU(10, 150) ms |
//! | `warm` | `pc`, warming up: U(6, 20) ppm with a time constant of U(300, 1500) s |
//! | `hvac` | random walk 2e-9 per root second; a room that swings by U(0.5, 2) ppm each U(900, 2400) s; by day U(1, 4) ppm over U(8, 24) h |
//! | `flicker` | flicker noise, Allan deviation LU(2e-9, 2e-8); no walk |
//! | `ntp` | `phone`, its frequency corrected to within 12 ppm; polls a time server each 256, 512 or 1024 s (per run), wrong by 3 ms (sd), each tenth by 20 ms, each 100th by 0.15 to 0.3 s; more than 128 ms is stepped, less slewed at U(200, 500) ppm (per run) |
//! | `suspend` | `phone`; 1 to 3 times the host or the device sleeps, LU(1, 120) s: a host that slept finds the device's clock ahead, a device that slept stands still, sends and answers nothing |
//! | `restart` | `phone`; 1 or 2 times the device is off for U(3, 20) s, and its clock begins again at U(0.5, 5) s |

use super::{ClockModel, ClockSlew, ClockStep, Cycle, Drift, Load, SimClock, WarmUp};
use crate::rng::Draws;

/// A kind of device clock. The table is at the top of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockKind {
    /// A constant frequency.
    Const,
    /// A computer's crystal.
    Pc,
    /// A phone's crystal, heated by load.
    Phone,
    /// A phone that is stepped by its network time.
    PhoneStep,
    /// A phone that is slewed by its network time.
    PhoneSlew,
    /// A device that warms up.
    Warm,
    /// A room whose temperature goes up and down.
    Hvac,
    /// Flicker noise of the frequency.
    Flicker,
    /// A phone that follows a time server.
    Ntp,
    /// The host or the device sleeps.
    Suspend,
    /// The device restarts.
    Restart,
}

/// A clock's parameters for one run, and what it does to the device.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClockPlan {
    /// The clock.
    pub model: ClockModel,
    /// From when to when the device is off or asleep, in seconds of host time after the start: it
    /// takes no samples and answers nothing.
    pub outages_s: Vec<(f64, f64)>,
    /// From when to when the clock is stepped, slewed, suspended or restarted, likewise.
    pub disturbed_s: Vec<(f64, f64)>,
}

/// Random walk of a frequency with the Allan deviation 3e-8 at 1000 s, in ppm per root second: the
/// Allan variance of a random walk of variance `d` per second is `d * tau / 3`.
pub(super) const PC_WALK_PPM: f64 = 1.643e-3;
const PHONE_WALK_PPM: f64 = 4e-3;
const PHONE_LOAD: Load = Load { level_ppm: 1.5, mean_interval_s: 600.0, lag_s: 180.0 };
/// Spacing of samples by the device's own clock, in seconds. A sleep of the host lasts a whole number
/// of them, so that the samples it missed are missing and the others stay regular.
pub(crate) const SAMPLE_PERIOD_S: f64 = 0.05;

impl ClockKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Const,
        Self::Pc,
        Self::Phone,
        Self::PhoneStep,
        Self::PhoneSlew,
        Self::Warm,
        Self::Hvac,
        Self::Flicker,
        Self::Ntp,
        Self::Suspend,
        Self::Restart,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Const => "const",
            Self::Pc => "pc",
            Self::Phone => "phone",
            Self::PhoneStep => "phone_step",
            Self::PhoneSlew => "phone_slew",
            Self::Warm => "warm",
            Self::Hvac => "hvac",
            Self::Flicker => "flicker",
            Self::Ntp => "ntp",
            Self::Suspend => "suspend",
            Self::Restart => "restart",
        }
    }

    /// Draws the clock of one run of `duration_s`. The same arguments give the same plan; give the
    /// same seed to [`SimClock`], for `ntp` corrects the very frequency noise that it draws.
    pub fn plan(self, host_epoch_s: f64, duration_s: f64, seed: u64) -> ClockPlan {
        let draws = &mut Draws::new(seed, "clock/plan");
        let offset_s = draws.within(-5000.0, 5000.0);
        let skew_ppm = draws.sign() * draws.within(20.0, 50.0);
        let mut plan = ClockPlan {
            model: ClockModel { offset_s, skew_ppm, ..ClockModel::default() },
            ..ClockPlan::default()
        };
        plan.model.wander_ppm = match self {
            Self::Const | Self::Flicker => 0.0,
            Self::Pc | Self::Warm => PC_WALK_PPM,
            Self::Hvac => 2e-3,
            _ => PHONE_WALK_PPM,
        };
        plan.model.drift = self.drift(draws);
        match self {
            Self::PhoneStep => plan.add_steps(duration_s, draws),
            Self::PhoneSlew => plan.add_slews(duration_s, draws),
            Self::Ntp => plan.discipline(duration_s, seed, draws),
            Self::Suspend => plan.suspend(duration_s, draws),
            Self::Restart => plan.restart(host_epoch_s, duration_s, draws),
            _ => {}
        }
        plan
    }

    fn drift(self, draws: &mut Draws) -> Drift {
        let none = Drift::default();
        match self {
            Self::Const | Self::Pc => none,
            Self::Warm => {
                let change_ppm = draws.sign() * draws.within(6.0, 20.0);
                let time_constant_s = draws.within(300.0, 1500.0);
                Drift { warm_up: Some(WarmUp { change_ppm, time_constant_s }), ..none }
            }
            Self::Hvac => {
                let mut cycle = |amplitude: (f64, f64), period: (f64, f64)| {
                    let amplitude_ppm = draws.within(amplitude.0, amplitude.1);
                    let period_s = draws.within(period.0, period.1);
                    Some(Cycle { amplitude_ppm, period_s, phase: draws.unit() })
                };
                let room = cycle((0.5, 2.0), (900.0, 2400.0));
                Drift { room, day: cycle((1.0, 4.0), (28_800.0, 86_400.0)), ..none }
            }
            Self::Flicker => Drift { flicker_allan: draws.log_within(2e-9, 2e-8), ..none },
            _ => Drift { load: Some(PHONE_LOAD), ..none },
        }
    }
}

impl ClockPlan {
    fn add_steps(&mut self, duration_s: f64, draws: &mut Draws) {
        for at_s in moments(2.0, duration_s, draws) {
            let delta_s = draws.sign() * draws.log_within(5e-3, 0.8);
            self.model.steps.push(ClockStep { at_s, delta_s });
            self.disturbed_s.push((at_s, at_s));
        }
    }

    fn add_slews(&mut self, duration_s: f64, draws: &mut Draws) {
        for at_s in moments(1.5, duration_s, draws) {
            let rate_ppm = draws.sign() * 500.0;
            let slew_s = draws.log_within(10e-3, 150e-3) / 500e-6;
            self.slew(at_s, slew_s, rate_ppm);
        }
    }

    fn slew(&mut self, at_s: f64, duration_s: f64, rate_ppm: f64) {
        self.model.slews.push(ClockSlew { at_s, duration_s, rate_ppm });
        self.disturbed_s.push((at_s, at_s + duration_s));
    }

    /// A simple client of a time server: at each poll it corrects the offset it measured, and
    /// nothing else.
    fn discipline(&mut self, duration_s: f64, seed: u64, draws: &mut Draws) {
        // The frequency was corrected before, but not for what has changed since.
        self.model.skew_ppm = draws.within(-12.0, 12.0);
        let poll_s = 256.0 * 2.0_f64.powf((draws.unit() * 3.0).floor().min(2.0));
        let slew_ppm = draws.within(200.0, 500.0);
        // How far ahead of true time the clock is, before corrections. The host's clock is true here.
        let started_s = draws.within(-0.05, 0.05);
        let free = SimClock::with_horizon(&self.model, 0.0, duration_s, seed);
        let mut corrected_s = 0.0;
        let mut at_s = poll_s * draws.unit();
        while at_s < duration_s {
            let gained_s = self.model.offset_s - free.offset_at(at_s);
            let measured_s = started_s + gained_s + corrected_s + measurement_error_s(draws);
            // The next poll cuts a slew that has not ended; its size is then as far as it came.
            let next_s = at_s + poll_s * draws.within(0.95, 1.05);
            if measured_s.abs() > 0.128 {
                self.model.steps.push(ClockStep { at_s, delta_s: -measured_s });
                self.disturbed_s.push((at_s, at_s));
                corrected_s -= measured_s;
            } else {
                let slew_s = (measured_s.abs() / (slew_ppm * 1e-6)).min(next_s - at_s - 1.0);
                let rate_ppm = -slew_ppm * measured_s.signum();
                self.slew(at_s, slew_s, rate_ppm);
                corrected_s += rate_ppm * 1e-6 * slew_s;
            }
            at_s = next_s;
        }
    }

    fn suspend(&mut self, duration_s: f64, draws: &mut Draws) {
        let times = 1 + (draws.unit() * 3.0) as usize;
        for at_s in apart(times, duration_s, draws) {
            let slept_s = draws.log_within(1.0, 120.0).min(0.1 * duration_s);
            if draws.chance(0.5) {
                let slept_s = (slept_s / SAMPLE_PERIOD_S).round() * SAMPLE_PERIOD_S;
                self.model.steps.push(ClockStep { at_s, delta_s: slept_s });
                self.disturbed_s.push((at_s, at_s));
            } else {
                self.slew(at_s, slept_s, -1e6);
                self.outages_s.push((at_s, at_s + slept_s));
            }
        }
    }

    fn restart(&mut self, host_epoch_s: f64, duration_s: f64, draws: &mut Draws) {
        let times = 1 + (draws.unit() * 2.0) as usize;
        let mut device_at_epoch_s = host_epoch_s - self.model.offset_s;
        for at_s in apart(times, duration_s, draws) {
            let off_s = draws.within(3.0, 20.0).min(0.1 * duration_s);
            let again_s = at_s + off_s;
            let begins_s = draws.within(0.5, 5.0);
            // The skew moves the start by less than a second; it is drawn anyway.
            let delta_s = begins_s - (device_at_epoch_s + again_s);
            device_at_epoch_s += delta_s;
            self.model.steps.push(ClockStep { at_s: again_s, delta_s });
            self.outages_s.push((at_s, again_s));
            self.disturbed_s.push((at_s, again_s));
        }
    }
}

/// What a poll of a time server over a mobile network gets wrong.
fn measurement_error_s(draws: &mut Draws) -> f64 {
    let luck = draws.unit();
    if luck < 0.01 {
        draws.sign() * draws.within(0.15, 0.3)
    } else if luck < 0.11 {
        20e-3 * draws.normal()
    } else {
        3e-3 * draws.normal()
    }
}

/// A Poisson process of `per_hour` within the middle 90 % of a run, at least one, in order.
fn moments(per_hour: f64, duration_s: f64, draws: &mut Draws) -> Vec<f64> {
    let (from_s, to_s) = (0.05 * duration_s, 0.95 * duration_s);
    let mut found = Vec::new();
    let mut at_s = from_s + draws.exponential(3600.0 / per_hour);
    while at_s < to_s {
        found.push(at_s);
        at_s += draws.exponential(3600.0 / per_hour);
    }
    if found.is_empty() {
        found.push(draws.within(from_s, to_s));
    }
    found
}

/// This many moments, each in its own part of a run and in the middle of it.
fn apart(times: usize, duration_s: f64, draws: &mut Draws) -> Vec<f64> {
    let part_s = duration_s / times as f64;
    (0..times).map(|index| part_s * (index as f64 + draws.within(0.2, 0.8))).collect()
}
