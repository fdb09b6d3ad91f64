//! The options under `[source.options]`; these comments are the documentation users read.

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
    /// Events of the phone: those of the app, of other clients, of its recordings.
    pub events: bool,
}

impl Default for Sensors {
    fn default() -> Self {
        Self { gaze: true, imu: true, eye_events: false, events: true }
    }
}

impl Sensors {
    /// Whether `sensor` is to be recorded.
    pub fn wants(self, sensor: Sensor) -> bool {
        match sensor {
            Sensor::Gaze => self.gaze,
            Sensor::Imu => self.imu,
            Sensor::EyeEvents => self.eye_events,
        }
    }
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
        if !(sensors.gaze || sensors.imu || sensors.eye_events || sensors.events) {
            return Err(Error::option("/sensors", "nothing is to be recorded; set one of them to true"));
        }
        if !self.address.is_empty() && !self.device.is_empty() {
            return Err(Error::option("/device", "give the address or the name of the phone, not both"));
        }
        match self.host_and_port() {
            Some((host, _)) if host.is_empty() || host.contains(['/', ' ']) => Err(Error::option(
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
        let split = self.address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = split.unwrap_or((&self.address, PORT));
        Some((host.to_owned(), port))
    }
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
        assert_eq!(at(""), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_place() {
        for (json, place) in [
            (r#"{"address": "10.0.0.7", "device": "Neon A"}"#, "/device"),
            (r#"{"address": "http://10.0.0.7"}"#, "/address"),
            (r#"{"sensors": {"gaze": false, "imu": false, "events": false}}"#, "/sensors"),
        ] {
            match options(json).check() {
                Err(Error::Option { path, .. }) => assert_eq!(path, place),
                other => panic!("{json}: {other:?}"),
            }
        }
        assert!(options(r#"{"transport": "tcp", "sensors": {"eye_events": true}}"#).check().is_ok());
    }
}
