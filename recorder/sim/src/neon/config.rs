//! What simulated glasses and their phone are like.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::ClockModel;
use crate::error::{ModelError, SimError, check};
use crate::network::PathModel;
use crate::serve::Span;

use super::layout::{Layout, Sensor};

/// Samples a second of each sensor, by the phone's oscillator; 0 for a sensor that is not there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Gaze.
    pub gaze_hz: f64,
    /// IMU.
    pub imu_hz: f64,
    /// Scene camera.
    pub world_hz: f64,
    /// Eye cameras.
    pub eyes_hz: f64,
    /// Rounds of saccade and fixation; some have a blink.
    pub eye_events_hz: f64,
}

impl Rates {
    /// The rate of one sensor.
    pub const fn of(&self, sensor: Sensor) -> f64 {
        match sensor {
            Sensor::Gaze => self.gaze_hz,
            Sensor::Imu => self.imu_hz,
            Sensor::EyeEvents => self.eye_events_hz,
            Sensor::World => self.world_hz,
            Sensor::Eyes => self.eyes_hz,
        }
    }
}

/// The gaze that is streamed.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaze {
    /// The layout at the start.
    pub layout: Layout,
    /// From when on there is another one: seconds after the start.
    pub switches: Vec<(f64, Layout)>,
    /// When the glasses are not worn.
    pub not_worn: Vec<Span>,
    /// Each so many data, one has a length that is none of the layouts.
    pub odd_every: Option<u64>,
}

impl Gaze {
    /// The layout at a time.
    pub fn layout_at(&self, elapsed_s: f64) -> Layout {
        let begun = self.switches.iter().filter(|(at_s, _)| *at_s <= elapsed_s);
        begun.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(self.layout, |(_, layout)| *layout)
    }
}

/// Which time a sender report gives to which RTP time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStyle {
    /// Both are read at the same instant.
    Exact,
    /// The time is that of the report, the RTP time that of the last packet.
    LastPacket,
}

impl ReportStyle {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Exact, Self::LastPacket];

    /// The name on the command line and in truth logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::LastPacket => "last-packet",
        }
    }
}

/// What RTP times count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtpClock {
    /// The phone's oscillator: it does not know of steps.
    Monotonic,
    /// The phone's clock, steps and slews included.
    Wall,
}

impl RtpClock {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Monotonic, Self::Wall];

    /// The name on the command line and in truth logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monotonic => "monotonic",
            Self::Wall => "wall",
        }
    }
}

/// RTP and its sender reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RtpConfig {
    /// From PLAY to the first sender report, in seconds.
    pub first_report_s: f64,
    /// Between sender reports, in seconds.
    pub report_interval_s: f64,
    /// How they pair times.
    pub report_style: ReportStyle,
    /// Cameras mark the last packet of each unit, and not only of each picture.
    pub mark_each_unit: bool,
    /// What RTP times count.
    pub clock: RtpClock,
    /// When the 32 bits of RTP times wrap, in seconds after the start; else they begin at random.
    pub wrap_after_s: Option<f64>,
}

/// What is wrong with RTP over the RTSP connection. Over UDP nothing of it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterleavedFaults {
    /// The answer to SETUP does not repeat the channels.
    pub hide_channels: bool,
    /// In the middle of each so many frames there is an answer `400 Bad Request` to nothing.
    pub garbage_every: Option<u64>,
}

/// What is wrong with the Time Echo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EchoFaults {
    /// Each so many replies, one comes in two parts.
    pub split_every: Option<u64>,
    /// Each so many replies, one answers another question.
    pub wrong_every: Option<u64>,
}

/// One simulated phone with its glasses.
#[derive(Debug, Clone, PartialEq)]
pub struct NeonConfig {
    /// Name of the phone.
    pub name: String,
    /// Address of this machine where it answers.
    pub host: IpAddr,
    /// Port of REST and the status; 0 takes a free one, here and below.
    pub port: u16,
    /// Port of RTSP.
    pub rtsp_port: u16,
    /// Port of the Time Echo; without one there is none, as on old phones.
    pub echo_port: Option<u16>,
    /// Whether it announces itself by mDNS.
    pub mdns: bool,
    /// The phone's clock. The offset is this machine's UTC minus the phone's, at the start.
    pub clock: ClockModel,
    /// From the phone to whoever listens.
    pub uplink: PathModel,
    /// From whoever asks to the phone.
    pub downlink: PathModel,
    /// Samples a second.
    pub rates: Rates,
    /// Gaze.
    pub gaze: Gaze,
    /// RTP.
    pub rtp: RtpConfig,
    /// RTP over the RTSP connection.
    pub interleaved: InterleavedFaults,
    /// Time Echo.
    pub echo: EchoFaults,
    /// When the phone is away: all its TCP connections are reset, and nothing is answered or sent.
    pub outages: Vec<Span>,
    /// When a sensor is unplugged.
    pub unplugged: Vec<(Sensor, Span)>,
    /// Why the phone refuses to start a recording, if it does.
    pub refusal: Option<String>,
    /// Most clients that may play a sensor at a time.
    pub clients: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Ends by itself after this time.
    pub duration: Option<Duration>,
    /// Folder of the truth logs.
    pub truth: Option<PathBuf>,
}

impl NeonConfig {
    /// A faultless phone on `host` with this machine's clock, with free ports and all sensors.
    pub fn new(name: impl Into<String>, host: IpAddr) -> Self {
        Self {
            name: name.into(),
            host,
            port: 0,
            rtsp_port: 0,
            echo_port: Some(0),
            mdns: false,
            clock: ClockModel::default(),
            uplink: PathModel::default(),
            downlink: PathModel::default(),
            rates: Rates {
                gaze_hz: 200.0,
                imu_hz: 110.0,
                world_hz: 30.0,
                eyes_hz: 200.0,
                eye_events_hz: 2.0,
            },
            gaze: Gaze {
                layout: Layout::Binocular,
                switches: Vec::new(),
                not_worn: Vec::new(),
                odd_every: None,
            },
            rtp: RtpConfig {
                first_report_s: 0.0,
                report_interval_s: 3.0,
                report_style: ReportStyle::Exact,
                mark_each_unit: false,
                clock: RtpClock::Monotonic,
                wrap_after_s: None,
            },
            interleaved: InterleavedFaults::default(),
            echo: EchoFaults::default(),
            outages: Vec::new(),
            unplugged: Vec::new(),
            refusal: None,
            clients: 8,
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
        self.check_models().map_err(|source| SimError::Model { device: self.name.clone(), source })?;
        self.misfit().map_or(Ok(()), |problem| {
            Err(SimError::Config { device: self.name.clone(), problem: problem.to_owned() })
        })
    }

    /// Whether a sensor is plugged in at a time.
    pub fn is_plugged(&self, sensor: Sensor, elapsed_s: f64) -> bool {
        let away = |(of, span): &(Sensor, Span)| *of == sensor && span.holds(elapsed_s);
        self.rates.of(sensor) > 0.0 && !self.unplugged.iter().any(away)
    }

    /// Whether the phone is away at a time.
    pub fn is_out(&self, elapsed_s: f64) -> bool {
        self.outages.iter().any(|span| span.holds(elapsed_s))
    }

    fn check_models(&self) -> Result<(), ModelError> {
        self.clock.validate()?;
        self.uplink.validate()?;
        self.downlink.validate()?;
        let rates = &self.rates;
        for (parameter, hz, most_hz) in [
            ("gaze_hz", rates.gaze_hz, 1000.0),
            ("imu_hz", rates.imu_hz, 1000.0),
            ("world_hz", rates.world_hz, 60.0),
            ("eyes_hz", rates.eyes_hz, 200.0),
            ("eye_events_hz", rates.eye_events_hz, 4.0),
        ] {
            if hz != 0.0 {
                check(parameter, hz, 0.1..=most_hz, rate_range(most_hz))?;
            }
        }
        check("first_report_s", self.rtp.first_report_s, 0.0..=3600.0, "give 0 to 3600 s")?;
        check("report_interval_s", self.rtp.report_interval_s, 0.01..=3600.0, "give 0.01 to 3600 s")?;
        let wrap_s = self.rtp.wrap_after_s.unwrap_or(0.0);
        check("wrap_after_s", wrap_s, 0.0..=47_000.0, "give 0 to 47000 s, within one round of 32 bits")?;
        let unplugged = self.unplugged.iter().map(|(_, span)| span);
        for span in self.outages.iter().chain(&self.gaze.not_worn).chain(unplugged) {
            check("begin of a span", span.at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
            check("length of a span", span.for_s, 0.0..=f64::INFINITY, "give seconds, 0 or more")?;
        }
        for (at_s, _) in &self.gaze.switches {
            check("time of a layout", *at_s, 0.0..=1e9, "give seconds after the start, 0 or more")?;
        }
        Ok(())
    }

    fn misfit(&self) -> Option<&'static str> {
        let every = [
            self.gaze.odd_every,
            self.interleaved.garbage_every,
            self.echo.split_every,
            self.echo.wrong_every,
        ];
        if every.contains(&Some(0)) {
            return Some("a fault each 0 times means nothing: give 1 or more");
        }
        if !(1..=64).contains(&self.clients) {
            return Some("let 1 to 64 clients play a sensor");
        }
        if self.name.is_empty() || self.name.len() > 40 || self.name.contains([':', '.', '\n']) {
            return Some("give the phone a name of 1 to 40 bytes without ':', '.' and line breaks");
        }
        None
    }
}

fn rate_range(most_hz: f64) -> &'static str {
    match most_hz as u32 {
        4 => "give 0.1 to 4 Hz, or 0 for none",
        60 => "give 0.1 to 60 Hz, or 0 for none",
        200 => "give 0.1 to 200 Hz, or 0 for none",
        _ => "give 0.1 to 1000 Hz, or 0 for none",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn phone() -> NeonConfig {
        NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into())
    }

    #[test]
    fn misfits_are_refused_with_the_mend() {
        assert!(phone().validate().is_ok());
        let says = |config: NeonConfig, text: &str| {
            let error = config.validate().expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        };
        let rates = phone().rates;
        says(NeonConfig { rates: Rates { eyes_hz: 500.0, ..rates }, ..phone() }, "0.1 to 200 Hz");
        says(NeonConfig { clients: 0, ..phone() }, "1 to 64 clients");
        says(NeonConfig { name: "a:b".to_owned(), ..phone() }, "without ':'");
        let echo = EchoFaults { split_every: Some(0), wrong_every: None };
        says(NeonConfig { echo, ..phone() }, "give 1 or more");
        let outages = vec![Span { at_s: -1.0, for_s: 1.0 }];
        says(NeonConfig { outages, ..phone() }, "0 or more");
        assert!(NeonConfig { rates: Rates { eyes_hz: 0.0, ..rates }, ..phone() }.validate().is_ok());
    }

    #[test]
    fn layouts_follow_their_switches_in_any_order() {
        let mut gaze = phone().gaze;
        gaze.switches = vec![(20.0, Layout::Full), (10.0, Layout::EyeState)];
        assert_eq!(gaze.layout_at(9.9), Layout::Binocular);
        assert_eq!(gaze.layout_at(10.0), Layout::EyeState);
        assert_eq!(gaze.layout_at(25.0), Layout::Full);
    }

    #[test]
    fn a_sensor_without_a_rate_or_unplugged_is_not_there() {
        let mut config = phone();
        config.rates.eyes_hz = 0.0;
        config.unplugged = vec![(Sensor::Gaze, Span { at_s: 5.0, for_s: 2.0 })];
        assert!(!config.is_plugged(Sensor::Eyes, 0.0));
        assert!(config.is_plugged(Sensor::Gaze, 4.9) && !config.is_plugged(Sensor::Gaze, 5.0));
        assert!(config.is_plugged(Sensor::Gaze, 7.0) && config.is_plugged(Sensor::Imu, 5.5));
    }
}
