//! What the streams are called and what their headers say: as the maker's own tools do, so that what reads theirs
//! finds ours.

use lockstep_plugin_api::{Channel, Clock, Error, Format, Host, RawStream, TextStream, xml_text};

use crate::payload::{eye_event, gaze, imu};
use crate::phone::{HardwareStatus, PhoneStatus, Sensor};

/// What every header says of the device.
#[derive(Debug, Clone)]
pub struct Device {
    /// As its owner calls it.
    pub name: String,
    id: String,
    /// XML to stand in `desc`.
    acquisition: String,
}

impl Device {
    /// The phone and its glasses.
    pub fn new(phone: &PhoneStatus, hardware: &HardwareStatus) -> Self {
        let name = if phone.device_name.is_empty() { "Neon" } else { &phone.device_name };
        let serial = if hardware.module_serial.is_empty() {
            &hardware.glasses_serial
        } else {
            &hardware.module_serial
        };
        let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", xml_text(text));
        let acquisition = [
            element("manufacturer", "Pupil Labs"),
            element("model", hardware.model()),
            element("serial_number", serial),
            element("device_id", &phone.device_id),
            element("device_name", &phone.device_name),
        ];
        Self {
            name: name.to_owned(),
            id: phone.device_id.clone(),
            acquisition: format!("<device>{}</device>", acquisition.concat()),
        }
    }

    fn source_id(&self, what: &str) -> String {
        format!("{}_{what}", self.id)
    }
}

/// How a sensor is recorded.
struct Kind {
    title: &'static str,
    kind: &'static str,
    format: Format,
    rate_hz: f64,
}

fn kind(sensor: Sensor) -> Kind {
    match sensor {
        Sensor::Gaze => Kind { title: "Neon Gaze", kind: "Gaze", format: Format::Float32, rate_hz: 200.0 },
        Sensor::Imu => Kind { title: "Neon IMU", kind: "IMU", format: Format::Float32, rate_hz: 110.0 },
        Sensor::EyeEvents => {
            Kind { title: "Neon Eye Events", kind: "EyeEvents", format: Format::Double64, rate_hz: 0.0 }
        }
    }
}

fn channels(sensor: Sensor) -> (Vec<Channel>, String) {
    let of_screen = |label: &str, unit: &str, metatype: &str, coordinates: &str| {
        let eye = label.split('_').next().filter(|eye| ["left", "right"].contains(eye)).unwrap_or("both");
        let system = if coordinates.is_empty() {
            String::new()
        } else {
            format!("<coordinate_system>{coordinates}</coordinate_system>")
        };
        format!(
            "<channel><label>{label}</label><eye>{eye}</eye><metatype>{metatype}</metatype><unit>{unit}</unit>\
             {system}</channel>"
        )
    };
    match sensor {
        Sensor::Gaze => {
            let all = gaze::LABELS.map(|(label, unit, kind, _)| Channel::new(label).unit(unit).kind(kind));
            let more = gaze::LABELS.map(|(label, unit, kind, system)| of_screen(label, unit, kind, system));
            (all.to_vec(), format!("<gaze_channels>{}</gaze_channels>", more.concat()))
        }
        Sensor::Imu => {
            let all = imu::LABELS.map(|(label, unit, kind)| Channel::new(label).unit(unit).kind(kind));
            (all.to_vec(), String::new())
        }
        Sensor::EyeEvents => {
            let all = eye_event::LABELS.map(|(label, unit)| Channel::new(label).unit(unit));
            (all.to_vec(), String::new())
        }
    }
}

/// Add the stream of `sensor` to the recording.
///
/// # Errors
/// Those of the recorder.
pub fn add(host: Host, device: &Device, sensor: Sensor, clock: &Clock) -> Result<RawStream, Error> {
    let Kind { title, kind, format, rate_hz } = kind(sensor);
    let (channels, more) = channels(sensor);
    host.raw_stream(&format!("{}_{title}", device.name), format, channels.len())
        .kind(kind)
        .source_id(device.source_id(title.trim_start_matches("Neon ")))
        .nominal_rate_hz(rate_hz)
        .clock(clock)
        .channels(channels)
        .desc_xml(format!("{}{more}", device.acquisition))
        .may_be_silent(rate_hz == 0.0)
        .add()
}

/// Add the stream of the phone's events.
///
/// # Errors
/// Those of the recorder.
pub fn add_events(host: Host, device: &Device, clock: &Clock) -> Result<TextStream, Error> {
    host.text_stream(&format!("{}_Neon Events", device.name), 1)
        .kind("Event")
        .source_id(device.source_id("Event"))
        .clock(clock)
        .channels([Channel::new("Event").unit("string")])
        .desc_xml(device.acquisition.clone())
        .may_be_silent(true)
        .add()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_the_device_and_hold_whatever_it_is_called() {
        let phone = PhoneStatus {
            device_name: "A <&> B".to_owned(),
            device_id: "4f".to_owned(),
            ..PhoneStatus::default()
        };
        let hardware = HardwareStatus {
            version: "2.0".to_owned(),
            module_serial: "77".to_owned(),
            ..HardwareStatus::default()
        };
        let device = Device::new(&phone, &hardware);
        assert_eq!((device.name.as_str(), device.source_id("Gaze").as_str()), ("A <&> B", "4f_Gaze"));
        assert!(device.acquisition.contains("<model>Neon</model><serial_number>77</serial_number>"));
        assert!(device.acquisition.contains("<device_name>A &lt;&amp;&gt; B</device_name>"));
        assert_eq!(Device::new(&PhoneStatus::default(), &hardware).name, "Neon");
    }

    #[test]
    fn gaze_is_described_as_the_makers_tools_describe_it() {
        let (all, more) = channels(Sensor::Gaze);
        assert_eq!(all.len(), gaze::CHANNELS);
        assert!(more.contains(
            "<label>x</label><eye>both</eye><metatype>ScreenX</metatype><unit>pixels</unit>\
             <coordinate_system>world</coordinate_system>"
        ));
        assert!(more.contains("<label>left_pupil_diameter</label><eye>left</eye>"));
    }
}
