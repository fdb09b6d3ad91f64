//! The RTP times of the phone's streams, and its clock in sender reports. Pure but for where it begins.

use crate::clock::TickUnit;
use crate::rng::Draws;
use crate::serve::time::{DeviceTime, Moment};
use crate::udp::exchange::ntp_timestamp;

use super::config::{NeonConfig, RtpClock};
use super::layout::Sensor;
use super::rtp::TICKS_PER_S;

/// A moment as an NTP time stamp of the phone's clock.
pub(super) fn ntp(moment: &Moment) -> u64 {
    ntp_timestamp(moment.device_ns, TickUnit::Nanoseconds)
}

/// The RTP time of one sensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct RtpTime {
    clock: RtpClock,
    /// The count at the start.
    initial: u32,
    /// The phone's clock at the start.
    start_ns: i64,
}

impl RtpTime {
    /// The RTP time of `sensor` as it was configured.
    pub(super) fn new(config: &NeonConfig, sensor: Sensor, phone: &DeviceTime) -> Self {
        let random = (Draws::new(config.seed, sensor.name()).unit() * f64::from(u32::MAX)) as u32;
        // So many ticks before 2^32.
        let before_wrap = |after_s: f64| ((after_s * f64::from(TICKS_PER_S)) as u32).wrapping_neg();
        Self {
            clock: config.rtp.clock,
            initial: config.rtp.wrap_after_s.map_or(random, before_wrap),
            start_ns: phone.device_ns(0.0),
        }
    }

    /// The count at a moment, modulo 2^32.
    pub(super) fn at(&self, moment: &Moment) -> u32 {
        let ticks = match self.clock {
            // A cast from f64 saturates, after three million years.
            RtpClock::Monotonic => (moment.oscillator_s * f64::from(TICKS_PER_S)).floor() as i64,
            RtpClock::Wall => {
                let elapsed_ns = i128::from(moment.device_ns) - i128::from(self.start_ns);
                let ticks = (elapsed_ns * i128::from(TICKS_PER_S)).div_euclid(1_000_000_000);
                ticks as i64
            }
        };
        self.initial.wrapping_add(ticks as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::{ClockModel, ClockStep};

    fn config() -> NeonConfig {
        NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into())
    }

    fn phone(steps: Vec<ClockStep>) -> DeviceTime {
        let model = ClockModel { offset_s: -1.7e9, steps, ..ClockModel::default() };
        DeviceTime::new(&model, 1000.0, 1)
    }

    #[test]
    fn milliseconds_are_floored_and_nanoseconds_exact() {
        let phone = phone(Vec::new());
        let moment = phone.at_host(1000.0029);
        assert!((moment.device_ns - 1_700_001_000_002_900_000).abs() < 200, "{moment:?}");
        assert_eq!(phone.device_ms(1000.0029), 1_700_001_000_002);
        assert_eq!(ntp(&moment) >> 32, 1_700_001_000 + 2_208_988_800);
        let back = phone.at_oscillator(moment.oscillator_s);
        assert!((back.host_s - moment.host_s).abs() < 1e-9);
    }

    #[test]
    fn rtp_times_wrap_when_they_are_told_to() {
        let mut config = config();
        config.rtp.wrap_after_s = Some(2.0);
        let phone = phone(Vec::new());
        let rtp = RtpTime::new(&config, Sensor::Gaze, &phone);
        let at = |s: f64| rtp.at(&phone.at_oscillator(s));
        assert_eq!(at(0.0), 180_000_u32.wrapping_neg());
        assert_eq!((at(1.999_99), at(2.0), at(3.0)), (u32::MAX, 0, 90_000));
    }

    #[test]
    fn only_wall_times_know_of_a_step() {
        let step = ClockStep { at_s: 1.0, delta_s: -0.1 };
        let phone = phone(vec![step]);
        let mut config = config();
        for (clock, ticks) in [(RtpClock::Monotonic, 180_000), (RtpClock::Wall, 171_000)] {
            config.rtp.clock = clock;
            let rtp = RtpTime::new(&config, Sensor::Imu, &phone);
            let at = |s: f64| rtp.at(&phone.at_oscillator(s));
            let passed = at(2.0).wrapping_sub(at(0.0));
            assert!(passed.abs_diff(ticks) <= 1, "{clock:?}: {passed}");
        }
        let other = RtpTime::new(&config, Sensor::Gaze, &phone);
        assert_ne!(other.initial, RtpTime::new(&config, Sensor::Imu, &phone).initial);
    }
}
