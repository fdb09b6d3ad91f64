//! What the streams are called and what their headers say: as the maker's own tools do, so that what reads theirs
//! finds ours.

use lockstep_plugin_api::{
    Channel, Clock, Error, Format, Host, RawStream, SideFile, Synchronization, TextStream, xml_text,
};

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

/// What a sensor is recorded into.
#[derive(Debug)]
pub struct Recordable {
    /// Its samples.
    pub stream: RawStream,
    /// The pictures of a camera.
    pub file: Option<SideFile>,
}

impl Device {
    /// The phone and its glasses; `session_id` is in the names of the events that relate the phone's own recording to
    /// this one.
    pub fn new(phone: &PhoneStatus, hardware: &HardwareStatus, session_id: &str) -> Self {
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
            element("session_id", session_id),
        ];
        Self {
            name: name.to_owned(),
            id: phone.device_id.clone(),
            acquisition: format!("<acquisition>{}</acquisition>", acquisition.concat()),
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
        Sensor::World => {
            Kind { title: "Neon Scene Frames", kind: "VideoFrames", format: Format::Int64, rate_hz: 30.0 }
        }
        Sensor::Eyes => {
            Kind { title: "Neon Eye Frames", kind: "VideoFrames", format: Format::Int64, rate_hz: 200.0 }
        }
    }
}

/// Label and unit of the channels of a camera: which picture of the file it is, where its bytes are, whether they are a
/// picture by themselves, and a whole one, and its time stamp as it was sent.
const FRAMES: [(&str, &str); 6] = [
    ("frame", "count"),
    ("offset", "bytes"),
    ("size", "bytes"),
    ("keyframe", "0/1"),
    ("complete", "0/1"),
    ("rtp_timestamp", "ticks"),
];

/// The channels of a stream, in XML: gaze with more than other streams have of theirs.
fn channels(sensor: Sensor) -> (usize, String) {
    let text = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("<{name}>{}</{name}>", xml_text(text)),
    };
    let all: Vec<String> = match sensor {
        Sensor::Gaze => {
            let eye = |label: &str| match label.split('_').next() {
                Some("left") => "left",
                Some("right") => "right",
                _ => "both",
            };
            let channel = |(label, unit, kind, coordinates)| {
                let described = [("label", label), ("eye", eye(label)), ("metatype", kind), ("type", kind)];
                let described =
                    described.into_iter().chain([("unit", unit), ("coordinate_system", coordinates)]);
                described.map(|(name, of)| text(name, of)).collect()
            };
            gaze::LABELS.map(channel).into()
        }
        Sensor::Imu => imu::LABELS
            .map(|(label, unit, kind)| text("label", label) + &text("unit", unit) + &text("type", kind))
            .into(),
        Sensor::EyeEvents => {
            eye_event::LABELS.map(|(label, unit)| text("label", label) + &text("unit", unit)).into()
        }
        Sensor::World | Sensor::Eyes => {
            FRAMES.map(|(label, unit)| text("label", label) + &text("unit", unit)).into()
        }
    };
    let xml: String = all.iter().map(|channel| format!("<channel>{channel}</channel>")).collect();
    (all.len(), format!("<channels>{xml}</channels>"))
}

/// Add the stream of `sensor` to the recording.
///
/// # Errors
/// Those of the recorder.
pub fn add(host: Host, device: &Device, sensor: Sensor, clock: &Clock) -> Result<Recordable, Error> {
    let Kind { title, kind, format, rate_hz } = kind(sensor);
    let (channel_count, channels) = channels(sensor);
    let file = match sensor {
        Sensor::World => Some(host.side_file("scene", "h264")?),
        Sensor::Eyes => Some(host.side_file("eyes", "h264")?),
        Sensor::Gaze | Sensor::Imu | Sensor::EyeEvents => None,
    };
    let video = file.as_ref().map_or_else(String::new, |file| {
        let file = xml_text(file.file_name());
        format!("<video><codec>H264</codec><format>byte stream (annex B)</format><file>{file}</file></video>")
    });
    let stream = host
        .raw_stream(&format!("{}_{title}", device.name), format, channel_count)
        .kind(kind)
        .source_id(device.source_id(title.trim_start_matches("Neon ")))
        .nominal_rate_hz(rate_hz)
        .clock(clock)
        .synchronization(Synchronization {
            can_drop_samples: Some(sensor.is_camera()),
            ..Synchronization::default()
        })
        .desc_xml(format!("{channels}{}{video}", device.acquisition))
        .may_be_silent(rate_hz == 0.0)
        .add()?;
    Ok(Recordable { stream, file })
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
        let device = Device::new(&phone, &hardware, "s1");
        assert_eq!((device.name.as_str(), device.source_id("Gaze").as_str()), ("A <&> B", "4f_Gaze"));
        assert!(device.acquisition.contains("<model>Neon</model><serial_number>77</serial_number>"));
        assert!(device.acquisition.contains("<device_name>A &lt;&amp;&gt; B</device_name>"));
        assert_eq!(Device::new(&PhoneStatus::default(), &hardware, "").name, "Neon");
    }

    #[test]
    fn gaze_is_described_as_the_makers_tools_describe_it() {
        let (count, more) = channels(Sensor::Gaze);
        assert_eq!(count, gaze::CHANNELS);
        assert!(more.contains(
            "<channel><label>x</label><eye>both</eye><metatype>ScreenX</metatype><type>ScreenX</type>\
             <unit>pixels</unit><coordinate_system>world</coordinate_system></channel>"
        ));
        assert!(more.contains("<label>left_pupil_diameter</label><eye>left</eye>"));
    }
}
