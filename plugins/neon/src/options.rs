//! The options under `[source.options]`; these comments are the documentation users read.

use std::net::{IpAddr, SocketAddr};

use lockstep_plugin_api::Error;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::phone::Sensor;

/// Record Pupil Labs Neon glasses (and Pupil Invisible, where it speaks the same). The phone and this machine have to
/// be in one network; the Companion app has to be open.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Address of the phone, as "192.168.1.21" or "192.168.1.21:8080". Without it the phone is looked for on the
    /// network (mDNS), which some networks block.
    pub address: String,
    /// Name of the phone, as the app shows it, where several are on the network.
    pub device: String,
    /// What to record.
    pub sensors: Sensors,
    /// What the phone is told to do.
    pub control: Control,
    /// How samples come: udp is quicker, tcp gets through where udp is blocked.
    pub transport: Transport,
}

/// Which sensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sensors {
    /// Where the wearer looks, and what else the phone says of the eyes.
    pub gaze: bool,
    /// Acceleration, angular velocity and orientation of the glasses.
    pub imu: bool,
    /// Fixations, saccades and blinks, as the phone finds them. An app that does not find them has none.
    pub eye_events: bool,
    /// The scene camera: its pictures go into a file beside the recording, as H.264.
    pub scene: bool,
    /// The eye cameras, likewise.
    pub eyes: bool,
    /// Events of the phone: those of the app, of other clients, of its recordings.
    pub events: bool,
}

impl Default for Sensors {
    fn default() -> Self {
        Self { gaze: true, imu: true, eye_events: false, scene: false, eyes: false, events: true }
    }
}

impl Sensors {
    /// Whether `sensor` is to be recorded.
    pub fn wants(self, sensor: Sensor) -> bool {
        match sensor {
            Sensor::Gaze => self.gaze,
            Sensor::Imu => self.imu,
            Sensor::EyeEvents => self.eye_events,
            Sensor::World => self.scene,
            Sensor::Eyes => self.eyes,
        }
    }
}

/// What the phone is told to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Have the phone begin its own recording with this one, and end and save it with it. What it refuses with is
    /// shown, and it is asked again. A recording that somebody else has begun is left alone.
    pub recording: bool,
    /// Seconds between events that are sent to the phone while it records, and come back with its time: by them the
    /// maker's tool (lsl_relay_time_alignment) aligns its recording with this one. 60 is usual; 0: none are sent.
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub sync_events_s: f64,
}

/// How samples come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams: what is lost is lost, and counted.
    #[default]
    Udp,
    /// Within the connection: nothing is lost while it stands.
    Tcp,
}

/// The port of the phone's interface where none is said.
const PORT: u16 = 8080;

impl Options {
    /// Check what the schema cannot say.
    ///
    /// # Errors
    /// [`Error::Option`] at the place that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let sensors = self.sensors;
        if !sensors.events && !Sensor::ALL.into_iter().any(|sensor| sensors.wants(sensor)) {
            return Err(Error::option("/sensors", "nothing is to be recorded; set one of them to true"));
        }
        let every_s = self.control.sync_events_s;
        if !(0.0..=86_400.0).contains(&every_s) || (every_s > 0.0 && every_s < 1.0) {
            let text = format!("{every_s} s between events; at least 1, or 0 for none");
            return Err(Error::option("/control/sync_events_s", text));
        }
        if every_s > 0.0 && !sensors.events {
            let text =
                "what comes back of these events is recorded with `sensors.events` alone: set it to true";
            return Err(Error::option("/control/sync_events_s", text));
        }
        if !self.address.is_empty() && !self.device.is_empty() {
            return Err(Error::option("/device", "give the address or the name of the phone, not both"));
        }
        match self.host_and_port() {
            Some((host, _)) if !is_host(&host) => Err(Error::option(
                "/address",
                "give an address, as \"192.168.1.21\" or \"192.168.1.21:8080\"",
            )),
            _ => Ok(()),
        }
    }

    /// Host and port of the phone's interface, if they are said.
    pub fn host_and_port(&self) -> Option<(String, u16)> {
        if self.address.is_empty() {
            return None;
        }
        if let Ok(at) = self.address.parse::<SocketAddr>() {
            return Some((at.ip().to_string(), at.port()));
        }
        if let Ok(ip) = self.address.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some((ip.to_string(), PORT));
        }
        let split = self.address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = split.unwrap_or((&self.address, PORT));
        Some((host.to_owned(), port))
    }
}

/// A name or an address: a colon is in those of IPv6 alone, and otherwise before something that is no port.
fn is_host(host: &str) -> bool {
    !host.is_empty() && !host.contains(['/', ' ']) && (!host.contains(':') || host.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> Options {
        serde_json::from_str(json).expect("options")
    }

    #[test]
    fn an_address_may_leave_out_the_port() {
        let at =
            |address: &str| Options { address: address.to_owned(), ..Options::default() }.host_and_port();
        assert_eq!(at("10.0.0.7"), Some(("10.0.0.7".to_owned(), 8080)));
        assert_eq!(at("neon.local:8081"), Some(("neon.local".to_owned(), 8081)));
        assert_eq!(at("[fd00::7]:8081"), Some(("fd00::7".to_owned(), 8081)));
        assert_eq!(at("fd00::7"), Some(("fd00::7".to_owned(), 8080)));
        assert_eq!(at(""), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_place() {
        for (json, place) in [
            (r#"{"address": "10.0.0.7", "device": "Neon A"}"#, "/device"),
            (r#"{"address": "http://10.0.0.7"}"#, "/address"),
            (r#"{"address": "10.0.0.7:99999"}"#, "/address"),
            (r#"{"sensors": {"gaze": false, "imu": false, "events": false}}"#, "/sensors"),
            (r#"{"control": {"sync_events_s": 0.5}}"#, "/control/sync_events_s"),
            (r#"{"control": {"sync_events_s": 60}, "sensors": {"events": false}}"#, "/control/sync_events_s"),
        ] {
            match options(json).check() {
                Err(Error::Option { path, .. }) => assert_eq!(path, place),
                other => panic!("{json}: {other:?}"),
            }
        }
        assert!(options(r#"{"transport": "tcp", "sensors": {"eye_events": true}}"#).check().is_ok());
    }
}
