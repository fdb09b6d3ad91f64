//! What the phone says of itself and of its sensors.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// A sensor of the glasses, or what the phone makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sensor {
    /// Where the wearer looks.
    Gaze,
    /// The inertial measurement unit.
    Imu,
    /// Fixations, saccades, blinks.
    EyeEvents,
    /// The scene camera.
    World,
    /// The eye cameras, side by side.
    Eyes,
}

impl Sensor {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gaze, Self::Imu, Self::EyeEvents, Self::World, Self::Eyes];

    /// As the phone calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaze => "gaze",
            Self::Imu => "imu",
            Self::EyeEvents => "eye_events",
            Self::World => "world",
            Self::Eyes => "eyes",
        }
    }

    /// Whether it sends pictures.
    pub const fn is_camera(self) -> bool {
        matches!(self, Self::World | Self::Eyes)
    }
}

/// Where a sensor's data are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SensorStatus {
    sensor: String,
    #[serde(default)]
    conn_type: String,
    #[serde(default)]
    connected: bool,
    #[serde(default)]
    ip: String,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    params: String,
    #[serde(default)]
    protocol: String,
}

/// The phone.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct PhoneStatus {
    /// What identifies it.
    #[serde(default)]
    pub device_id: String,
    /// What its owner calls it.
    #[serde(default)]
    pub device_name: String,
    /// Its address on the network, as it knows it.
    #[serde(default)]
    pub ip: String,
    /// Charge of its battery, percent.
    #[serde(default)]
    pub battery_level: Option<f64>,
    /// How it judges that.
    #[serde(default)]
    pub battery_state: String,
    /// Free memory, bytes.
    #[serde(default)]
    pub memory: Option<f64>,
    /// How it judges that.
    #[serde(default)]
    pub memory_state: String,
    /// Where it answers for its time; an app that is too old does not.
    #[serde(default)]
    pub time_echo_port: Option<u16>,
}

/// The glasses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct HardwareStatus {
    /// "2.0" is Neon, "1.0" Pupil Invisible.
    #[serde(default)]
    pub version: String,
    /// Serial number of the module.
    #[serde(default)]
    pub module_serial: String,
    /// Serial number of the frame or glasses.
    #[serde(default)]
    pub glasses_serial: String,
}

impl HardwareStatus {
    /// What the glasses are called.
    pub fn model(&self) -> &'static str {
        match self.version.as_str() {
            "2.0" => "Neon",
            "1.0" => "Pupil Invisible",
            _ => "Unknown",
        }
    }
}

/// An event: of the wearer, of another client, of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PhoneEvent {
    /// Its name.
    pub name: String,
    /// When, by the phone's clock, nanoseconds since 1970.
    pub timestamp: i64,
}

/// What a message of the phone is about.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Phone, glasses or a sensor: it is in the [`Status`].
    Status,
    /// An event.
    Event(PhoneEvent),
    /// The phone's own recording, in its words.
    Recording(Value),
    /// Of no concern, or of a kind nobody knows.
    Other,
}

/// All that is known of the phone.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The phone; `None`: not yet known.
    pub phone: Option<PhoneStatus>,
    /// The glasses.
    pub hardware: HardwareStatus,
    /// The recording of its own that it makes, by its id.
    pub recording: Option<String>,
    sensors: HashMap<String, SensorStatus>,
}

impl Status {
    /// Take in the answer of `/api/status`.
    ///
    /// # Errors
    /// What it says instead.
    pub fn take_all(&mut self, text: &str) -> Result<(), String> {
        let answer: Value =
            serde_json::from_str(text).map_err(|error| format!("it sends no JSON: {error}"))?;
        let Some(parts) = answer["result"].as_array() else {
            return Err(format!("it says {}", answer["message"].as_str().unwrap_or("nothing of use")));
        };
        parts.iter().for_each(|part| drop(self.take(part)));
        if self.phone.is_some() { Ok(()) } else { Err("it says nothing of the phone".to_owned()) }
    }

    /// Take in one message: what it is about, and what it says.
    pub fn take(&mut self, message: &Value) -> News {
        let data = &message["data"];
        match message["model"].as_str().unwrap_or_default() {
            "Phone" => match PhoneStatus::deserialize(data) {
                Ok(phone) => self.phone = Some(phone),
                Err(_) => return News::Other,
            },
            "Hardware" => match HardwareStatus::deserialize(data) {
                Ok(hardware) => self.hardware = hardware,
                Err(_) => return News::Other,
            },
            "Sensor" => match SensorStatus::deserialize(data) {
                // Nobody asks for others, and there may be any number of them.
                Ok(sensor) if Sensor::ALL.iter().all(|known| known.name() != sensor.sensor) => {
                    return News::Other;
                }
                // Others go through the phone's relay, which is another protocol.
                Ok(sensor) if sensor.conn_type.is_empty() || sensor.conn_type == "DIRECT" => {
                    self.sensors.insert(sensor.sensor.clone(), sensor);
                }
                _ => return News::Other,
            },
            "Event" => return PhoneEvent::deserialize(data).map_or(News::Other, News::Event),
            "Recording" => {
                let id = data["id"].as_str().unwrap_or_default().to_owned();
                self.recording = (data["action"] == "START").then_some(id);
                return News::Recording(data.clone());
            }
            _ => return News::Other,
        }
        News::Status
    }

    /// Where `sensor` is; `None`: not connected.
    pub fn url(&self, sensor: Sensor) -> Option<String> {
        let status = self.sensors.get(sensor.name()).filter(|status| status.connected)?;
        let protocol = if status.protocol.is_empty() { "rtsp" } else { &status.protocol };
        Some(format!("{protocol}://{}:{}/?{}", status.ip, status.port, status.params))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all() -> String {
        json!({"message": "Success", "result": [
            {"model": "Phone", "data": {"device_id": "d1", "device_name": "Neon A", "ip": "10.0.0.7", "port": 8080,
                "battery_level": 87, "battery_state": "OK", "memory": 1_000_000_000u64, "memory_state": "OK",
                "time_echo_port": 12321, "new_key": [1]}},
            {"model": "Hardware", "data": {"version": "2.0", "module_serial": "m", "glasses_serial": "g"}},
            {"model": "Sensor", "data": {"sensor": "gaze", "conn_type": "DIRECT", "connected": true, "ip": "10.0.0.7",
                "port": 8086, "params": "camera=gaze", "protocol": "rtsp", "stream_error": false}},
            {"model": "Sensor", "data": {"sensor": "gaze", "conn_type": "WEBSOCKET", "connected": true,
                "ip": "10.0.0.7", "port": 8087, "params": "x", "protocol": "rtsp"}},
            {"model": "Sensor", "data": {"sensor": "imu", "conn_type": "DIRECT", "connected": false}},
            {"model": "Later", "data": {}},
        ]})
        .to_string()
    }

    #[test]
    fn a_status_tells_the_phone_and_where_its_sensors_are() {
        let mut status = Status::default();
        status.take_all(&all()).expect("a status");
        let phone = status.phone.clone().expect("a phone");
        assert_eq!((phone.device_name.as_str(), phone.time_echo_port), ("Neon A", Some(12321)));
        assert_eq!(status.hardware.model(), "Neon");
        assert_eq!(status.url(Sensor::Gaze).as_deref(), Some("rtsp://10.0.0.7:8086/?camera=gaze"));
        assert_eq!(status.url(Sensor::Imu), None);
        let gone =
            json!({"model": "Sensor", "data": {"sensor": "gaze", "conn_type": "DIRECT", "connected": false}});
        assert_eq!(status.take(&gone), News::Status);
        assert_eq!(status.url(Sensor::Gaze), None, "unplugged");
    }

    #[test]
    fn messages_are_told_apart() {
        let mut status = Status::default();
        let event =
            json!({"model": "Event", "data": {"name": "start", "timestamp": 5, "recording_id": null}});
        assert_eq!(status.take(&event), News::Event(PhoneEvent { name: "start".to_owned(), timestamp: 5 }));
        assert_eq!(status.take(&json!({"model": "Event", "data": {}})), News::Other);
        assert_eq!(status.take(&json!([1])), News::Other);
        assert!(matches!(
            status.take(&json!({"model": "Recording", "data": {"action": "START"}})),
            News::Recording(_)
        ));
        assert_eq!(status.recording.as_deref(), Some(""));
        status.take(&json!({"model": "Recording", "data": {"action": "SAVE"}}));
        assert_eq!(status.recording, None);
    }

    #[test]
    fn what_is_no_status_is_told_in_the_words_of_the_phone() {
        let said = |text: &str| Status::default().take_all(text).unwrap_err();
        assert!(said("<html>").starts_with("it sends no JSON"));
        assert_eq!(said(r#"{"message": "no glasses"}"#), "it says no glasses");
        assert_eq!(said(r#"{"result": []}"#), "it says nothing of the phone");
    }
}
