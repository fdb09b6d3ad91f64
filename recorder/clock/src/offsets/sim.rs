//! Simulated clocks and networks for the tests of this crate: small versions of the models the methods were
//! designed against. Host minus device, as everywhere.

use crate::Exchange;

/// SplitMix64: small, seeded, good enough to draw delays.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Even in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn exp(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Crystal {
    Constant,
    Pc,
    Phone,
    PhoneStep,
    PhoneSlew,
}

/// Host minus device at each second of host time.
pub(crate) struct Clock {
    theta_s: Vec<f64>,
    /// Host times at which it was stepped; the value after is exact from there on.
    pub(crate) steps: Vec<(f64, f64)>,
    /// Begin and end of slews.
    pub(crate) slews: Vec<(f64, f64)>,
}

impl Clock {
    pub(crate) fn new(crystal: Crystal, length_s: f64, dice: &mut Dice) -> Self {
        use Crystal::{Constant, Pc, PhoneSlew, PhoneStep};
        let mut frequency = (2.0 * dice.unit() - 1.0) * 50e-6;
        let wander = match crystal {
            Constant => 0.0,
            Pc => 1.64e-9,
            _ => 4e-9,
        };
        let phone = !matches!(crystal, Constant | Pc);
        let (mut heat, mut target) = (0.0, 0.0);
        let mut theta = -4321.0 + dice.unit();
        let (mut theta_s, mut steps, mut slews) = (Vec::new(), Vec::new(), Vec::new());
        let mut slew_left_s = 0.0f64;
        for second in 0..(length_s as usize + 40) {
            theta_s.push(theta);
            frequency += wander * dice.normal();
            if phone && dice.unit() < 1.0 / 600.0 {
                target = (2.0 * dice.unit() - 1.0) * 1.5e-6;
            }
            heat += (target - heat) / 180.0;
            let mut slew = 0.0;
            if crystal == PhoneSlew {
                if slew_left_s == 0.0 && dice.unit() < 1.5 / 3600.0 {
                    slew_left_s = (0.010 + 0.140 * dice.unit()) * if dice.unit() < 0.5 { 1.0 } else { -1.0 };
                    slews.push((second as f64, second as f64 + slew_left_s.abs() / 500e-6));
                }
                slew = slew_left_s.clamp(-500e-6, 500e-6);
                slew_left_s -= slew;
            }
            theta += frequency + heat + slew;
        }
        if crystal == PhoneStep {
            let mut at_s = dice.exp(1800.0);
            while at_s < length_s {
                let size_s = 0.005 * 160f64.powf(dice.unit()) * if dice.unit() < 0.5 { 1.0 } else { -1.0 };
                steps.push((at_s, size_s));
                at_s += dice.exp(1800.0);
            }
        }
        Self { theta_s, steps, slews }
    }

    /// Host minus device at a host time (from -10 s on).
    pub(crate) fn theta_s(&self, host_s: f64) -> f64 {
        let at = (host_s + 10.0).max(0.0);
        let i = (at as usize).min(self.theta_s.len() - 2);
        let smooth = self.theta_s[i] + (at - i as f64) * (self.theta_s[i + 1] - self.theta_s[i]);
        smooth + self.steps.iter().filter(|s| s.0 <= host_s).map(|s| s.1).sum::<f64>()
    }

    pub(crate) fn device_s(&self, host_s: f64) -> f64 {
        host_s - self.theta_s(host_s)
    }

    /// Farther than `margin_s` from every step and slew edge.
    pub(crate) fn quiet(&self, host_s: f64, margin_s: f64) -> bool {
        let far = |t: f64| (t - host_s).abs() > margin_s;
        self.steps.iter().all(|s| far(s.0)) && self.slews.iter().all(|s| far(s.0 - 10.0) && far(s.1 - 10.0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Path {
    Lan,
    Usb,
    Wifi,
    /// Delays without a sharp lower edge.
    Gamma,
    /// The way back is loaded.
    OneWay,
    /// The shortest way changes each few minutes.
    Roam,
}

pub(crate) struct Network {
    path: Path,
    busy_until_s: f64,
    next_busy_s: f64,
    loss: f64,
}

impl Network {
    pub(crate) fn new(path: Path, dice: &mut Dice) -> Self {
        Self { path, busy_until_s: f64::NEG_INFINITY, next_busy_s: 0.0, loss: 0.02 + 0.08 * dice.unit() }
    }

    fn delay_s(&mut self, at_s: f64, to_device: bool, dice: &mut Dice) -> Option<f64> {
        let tail = |p: f64, mean: f64, dice: &mut Dice| if dice.unit() < p { dice.exp(mean) } else { 0.0 };
        match self.path {
            Path::Lan => Some(100e-6 + dice.exp(30e-6) + tail(0.005, 2e-3, dice)),
            Path::Usb => Some(125e-6 + 125e-6 * dice.unit() + dice.exp(60e-6) + tail(0.01, 3e-3, dice)),
            Path::Gamma => {
                Some(100e-6 + dice.exp(100e-6) + dice.exp(100e-6) + dice.exp(100e-6) + tail(0.01, 5e-3, dice))
            }
            Path::OneWay if to_device => Some(300e-6 + dice.exp(50e-6)),
            Path::OneWay => Some(300e-6 + dice.exp(50e-6) + tail(0.8, 4e-3, dice)),
            Path::Roam => {
                let longer_s = if (at_s / 400.0) as i64 % 2 == 0 { 0.0 } else { 1e-3 };
                Some(200e-6 + longer_s + dice.exp(100e-6) + tail(0.05, 5e-3, dice))
            }
            Path::Wifi => {
                while at_s > self.next_busy_s {
                    self.busy_until_s = self.next_busy_s + dice.exp(3.0);
                    self.next_busy_s = self.busy_until_s + dice.exp(12.0);
                }
                let mut delay_s = 0.9e-3 + dice.exp(0.8e-3);
                if at_s < self.busy_until_s {
                    delay_s += dice.exp(25e-3);
                    if dice.unit() < 0.1 {
                        delay_s += 60e-3 * (0.7 * dice.normal()).exp();
                    }
                }
                if to_device && dice.unit() < 0.3 {
                    delay_s += 0.102 * dice.unit();
                }
                (dice.unit() >= 0.5 * self.loss).then_some(delay_s)
            }
        }
    }

    /// Question and answer, if neither was lost.
    pub(crate) fn exchange(&mut self, clock: &Clock, at_s: f64, dice: &mut Dice) -> Option<Exchange> {
        let there_s = self.delay_s(at_s, true, dice)?;
        let back_s = self.delay_s(at_s, false, dice)?;
        let received_s = at_s + there_s;
        let sent_s = received_s + 20e-6;
        Some(Exchange {
            t0_s: at_s,
            t1_s: clock.device_s(received_s),
            t2_s: clock.device_s(sent_s),
            t3_s: sent_s + back_s,
        })
    }
}

/// liblsl's 8 probes 64 ms apart.
pub(crate) fn burst(
    network: &mut Network,
    clock: &Clock,
    at_s: f64,
    probes: usize,
    dice: &mut Dice,
) -> Vec<Exchange> {
    (0..probes).filter_map(|i| network.exchange(clock, at_s + 0.064 * i as f64, dice)).collect()
}
