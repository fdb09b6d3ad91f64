//! What the streams are called and what their headers say: as TittaLSL does, so that what reads its streams finds
//! ours, with what is wrong there put right and what it leaves out at the end.

use lockstep_plugin_api::{Clock, Error, Format, Host, RawStream, StreamBuilder, TextStream, xml_text};

use crate::backend::{Eye, Gaze, Tracker};

/// Microseconds in a second.
pub const US: i64 = 1_000_000;

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Gaze.
    Gaze,
    /// Time syncs.
    TimeSync,
    /// The sync port.
    ExternalSignal,
    /// How far the eyes are open.
    EyeOpenness,
    /// Where the head is.
    Positioning,
    /// Of glasses: gaze is theirs, for it is not on a display.
    GlassesGaze,
    /// Of glasses.
    Accelerometer,
    /// Of glasses.
    Gyroscope,
    /// Of glasses.
    Magnetometer,
    /// Of glasses: the sync port.
    SyncPort,
    /// Events, as text.
    Events,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Gaze | Self::GlassesGaze => "Tobii_gaze",
            Self::TimeSync => "Tobii_timeSync",
            Self::ExternalSignal => "Tobii_externalSignal",
            Self::EyeOpenness => "Tobii_eyeOpenness",
            Self::Positioning => "Tobii_positioning",
            Self::Accelerometer => "Tobii_accelerometer",
            Self::Gyroscope => "Tobii_gyroscope",
            Self::Magnetometer => "Tobii_magnetometer",
            Self::SyncPort => "Tobii_syncPort",
            Self::Events => "Tobii_events",
        }
    }

    const fn content(self) -> &'static str {
        match self {
            Self::Gaze | Self::GlassesGaze => "Gaze",
            Self::TimeSync => "TimeSync",
            Self::ExternalSignal => "TTL",
            Self::EyeOpenness => "EyeOpenness",
            Self::Positioning => "Positioning",
            Self::Accelerometer => "Accelerometer",
            Self::Gyroscope => "Gyroscope",
            Self::Magnetometer => "Magnetometer",
            Self::SyncPort => "TTL",
            Self::Events => "Events",
        }
    }

    const fn format(self) -> Format {
        match self {
            Self::Gaze | Self::GlassesGaze | Self::EyeOpenness => Format::Double64,
            Self::Accelerometer | Self::Gyroscope | Self::Magnetometer => Format::Double64,
            Self::TimeSync | Self::ExternalSignal | Self::SyncPort => Format::Int64,
            Self::Positioning => Format::Float32,
            Self::Events => Format::String,
        }
    }

    /// Whether the tracker's clock stamps it; else the clock of this machine.
    const fn is_of_device(self) -> bool {
        !matches!(self, Self::TimeSync | Self::Positioning)
    }

    /// Whether it is gaze, of either sort.
    pub const fn is_gaze(self) -> bool {
        matches!(self, Self::Gaze | Self::GlassesGaze)
    }

    fn channels(self) -> Vec<Channel> {
        match self {
            Self::Gaze => gaze_channels(),
            Self::GlassesGaze => glasses_channels(),
            Self::Accelerometer => axes("accelerometer", "m/s^2"),
            Self::Gyroscope => axes("gyroscope", "deg/s"),
            Self::Magnetometer => axes("magnetometer", "uT"),
            Self::SyncPort => [
                Channel::new("direction", "", "flag", "0: in, 1: out"),
                Channel::new("value", "", "TTLIn", "integer"),
            ]
            .into(),
            Self::Events => [Channel::new("event", "", "Event", "text")].into(),
            Self::TimeSync => [
                ("system_request_time_stamp", "TimeStamp"),
                ("device_time_stamp", "TimeStamp"),
                ("system_response_time_stamp", "TimeStamp"),
            ]
            .map(|(label, kind)| Channel::new(label, "", kind, "us"))
            .into(),
            Self::ExternalSignal => [
                Channel::new("device_time_stamp", "", "TimeStamp", "us"),
                Channel::new("system_time_stamp", "", "TimeStamp", "us"),
                Channel::new("value", "", "TTLIn", "integer"),
                Channel::new("change_type", "", "flag", "integer"),
            ]
            .into(),
            Self::EyeOpenness => {
                let mut all = Vec::new();
                for eye in EYES {
                    all.push(Channel::of("diameter.eye_openness", eye, "EyeLidDistance", "mm"));
                    all.push(Channel::of("valid.eye_openness", eye, "ValidFlag", "bool"));
                }
                all.push(Channel::new("system_time_stamp", "", "TimeStamp", "seconds"));
                all
            }
            Self::Positioning => {
                let mut all = Vec::new();
                for eye in EYES {
                    for axis in ["x", "y", "z"] {
                        let label = format!("{axis}.position_in_user_position_guide");
                        all.push(Channel::of(
                            &label,
                            eye,
                            &format!("Position{}", axis.to_uppercase()),
                            "normalized",
                        ));
                    }
                    all.push(Channel::of("valid.position_in_user_position_guide", eye, "ValidFlag", "bool"));
                }
                all
            }
        }
    }
}

const EYES: [&str; 2] = ["left", "right"];

struct Channel {
    label: String,
    eye: String,
    kind: String,
    unit: String,
}

impl Channel {
    fn new(label: &str, eye: &str, kind: &str, unit: &str) -> Self {
        Self { label: label.to_owned(), eye: eye.to_owned(), kind: kind.to_owned(), unit: unit.to_owned() }
    }

    fn of(label: &str, eye: &str, kind: &str, unit: &str) -> Self {
        Self::new(&format!("{label}.{eye}_eye"), eye, kind, unit)
    }

    fn xml(&self) -> String {
        let fields = [("label", &self.label), ("eye", &self.eye), ("type", &self.kind), ("unit", &self.unit)];
        let said = fields.into_iter().filter(|(_, text)| !text.is_empty());
        let inside: String =
            said.map(|(name, text)| format!("<{name}>{}</{name}>", xml_text(text))).collect();
        format!("<channel>{inside}</channel>")
    }
}

fn axes(of: &str, unit: &str) -> Vec<Channel> {
    ["x", "y", "z"].map(|axis| Channel::new(&format!("{of}.{axis}"), "", &axis.to_uppercase(), unit)).into()
}

/// Of glasses, labelled as their maker's own connector does.
fn glasses_channels() -> Vec<Channel> {
    let axes = ["x", "y", "z"];
    let mut all = vec![
        Channel::new("gaze2d.x", "both", "ScreenX", "normalized"),
        Channel::new("gaze2d.y", "both", "ScreenY", "normalized"),
    ];
    for axis in axes {
        let kind = format!("Intersection{}", axis.to_uppercase());
        all.push(Channel::new(&format!("gaze3d.{axis}"), "both", &kind, "mm"));
    }
    for eye in EYES {
        for (what, kind, unit) in
            [("gazeorigin", "Pupil", "mm"), ("gazedirection", "Direction", "unit vector")]
        {
            for axis in axes {
                let (label, kind) =
                    (format!("{eye}-{what}.{axis}"), format!("{kind}{}", axis.to_uppercase()));
                all.push(Channel::new(&label, eye, &kind, unit));
            }
        }
        all.push(Channel::new(&format!("{eye}-pupil"), eye, "Diameter", "mm"));
    }
    all
}

/// 18 of each eye, the two times, and what TittaLSL leaves out: 8 more of each eye.
fn gaze_channels() -> Vec<Channel> {
    let mut all = Vec::new();
    let mut add =
        |label: String, eye: &str, kind: String, unit: &str| all.push(Channel::of(&label, eye, &kind, unit));
    let flags = |add: &mut dyn FnMut(String, &str, String, &str), of: &str, eye: &str| {
        add(format!("valid.{of}"), eye, "ValidFlag".to_owned(), "bool");
        add(format!("available.{of}"), eye, "AvailableFlag".to_owned(), "bool");
    };
    let axes = ["x", "y", "z"];
    for eye in EYES {
        for axis in ["x", "y"] {
            let kind = format!("Screen{}", axis.to_uppercase());
            add(format!("{axis}.position_on_display_area.gaze_point"), eye, kind, "normalized");
        }
        for axis in axes {
            let kind = format!("Intersection{}", axis.to_uppercase());
            add(format!("{axis}.position_in_user_coordinates.gaze_point"), eye, kind, "mm");
        }
        flags(&mut add, "gaze_point", eye);
        add("diameter.pupil".to_owned(), eye, "Diameter".to_owned(), "mm");
        flags(&mut add, "pupil", eye);
        for axis in axes {
            let kind = format!("Pupil{}", axis.to_uppercase());
            add(format!("{axis}.position_in_user_coordinates.gaze_origin"), eye, kind, "mm");
        }
        flags(&mut add, "gaze_origin", eye);
        add("diameter.eye_openness".to_owned(), eye, "EyeLidDistance".to_owned(), "mm");
        flags(&mut add, "eye_openness", eye);
    }
    all.push(Channel::new("device_time_stamp", "", "TimeStamp", "seconds"));
    all.push(Channel::new("system_time_stamp", "", "TimeStamp", "seconds"));
    let mut add =
        |label: String, eye: &str, kind: &str, unit: &str| all.push(Channel::of(&label, eye, kind, unit));
    for eye in EYES {
        for axis in axes {
            add(format!("{axis}.position_in_track_box.gaze_origin"), eye, "TrackBox", "normalized");
        }
        add("valid.position_in_track_box.gaze_origin".to_owned(), eye, "ValidFlag", "bool");
        for axis in axes {
            add(format!("{axis}.position_in_user_coordinates.eyeball_center"), eye, "EyeballCenter", "mm");
        }
        add("valid.eyeball_center".to_owned(), eye, "ValidFlag", "bool");
    }
    all
}

/// A sample of gaze in the order of the channels. How far the eyes are open comes in a stream of its own, as the
/// tracker sends it; here it is not available.
pub fn gaze_values(gaze: &Gaze) -> Vec<f64> {
    let flag = |is: bool| f64::from(u8::from(is));
    let mut all = Vec::with_capacity(54);
    for eye in &gaze.eyes {
        all.extend(eye.gaze_on_display.map(f64::from));
        all.extend(eye.gaze_mm.map(f64::from));
        all.extend([flag(eye.gaze_valid), 1.0, f64::from(eye.pupil_mm), flag(eye.pupil_valid), 1.0]);
        all.extend(eye.origin_mm.map(f64::from));
        all.extend([flag(eye.origin_valid), 1.0, f64::NAN, 0.0, 0.0]);
    }
    all.extend([seconds(gaze.device_us), seconds(gaze.system_us)]);
    for Eye { in_track_box, eyeball_centre_mm, .. } in &gaze.eyes {
        for place in [in_track_box, eyeball_centre_mm] {
            let (place, is_valid) = place.unwrap_or(([f32::NAN; 3], false));
            all.extend(place.map(f64::from));
            all.push(flag(is_valid));
        }
    }
    all
}

/// Microseconds as seconds: the nearest double, from which they can be had back.
pub fn seconds(us: i64) -> f64 {
    lockstep_platform::ticks_as_seconds(us, US.unsigned_abs())
}

/// Add a stream to the recording.
///
/// # Errors
/// Those of the recorder.
pub fn add(host: Host, tracker: &Tracker, kind: Kind, clock: &Clock) -> Result<RawStream, Error> {
    let channels = kind.channels();
    let stream = host.raw_stream(kind.name(), kind.format(), channels.len());
    describe(stream, tracker, kind, clock).add()
}

/// Add the stream of events.
///
/// # Errors
/// Those of the recorder.
pub fn add_events(host: Host, tracker: &Tracker, clock: &Clock) -> Result<TextStream, Error> {
    describe(host.text_stream(Kind::Events.name(), 1), tracker, Kind::Events, clock).add()
}

fn describe<S>(stream: StreamBuilder<S>, tracker: &Tracker, kind: Kind, clock: &Clock) -> StreamBuilder<S> {
    let channels = kind.channels();
    let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", xml_text(text));
    let acquisition = [
        element("manufacturer", "Tobii"),
        element("model", &tracker.model),
        element("serial_number", &tracker.serial),
        element("firmware_version", &tracker.firmware),
        element("address", &tracker.address),
        element("library", &tracker.library),
    ];
    let described: String = channels.iter().map(Channel::xml).collect();
    let desc = format!("<acquisition>{}</acquisition><channels>{described}</channels>", acquisition.concat());
    let stream = stream
        .kind(kind.content())
        .source_id(format!("{}@{}", kind.name(), tracker.serial))
        .nominal_rate_hz(if kind.is_gaze() { tracker.frequency_hz } else { 0.0 })
        .may_be_silent(!kind.is_gaze())
        .desc_xml(desc);
    if kind.is_of_device() { stream.clock(clock) } else { stream }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_engine::layout::blank;

    #[test]
    fn gaze_has_a_value_for_each_channel_and_the_first_are_those_of_titta() {
        let channels = gaze_channels();
        let mut gaze = blank(&[0; 16]).expect("a sample");
        (gaze.device_us, gaze.system_us) = (1_000_001, 7);
        gaze.eyes[1].pupil_mm = 3.5;
        let values = gaze_values(&gaze);
        assert_eq!((channels.len(), values.len()), (54, 54));
        assert_eq!(channels[0].label, "x.position_on_display_area.gaze_point.left_eye");
        assert_eq!(channels[7].label, "diameter.pupil.left_eye");
        assert_eq!(channels[17].label, "available.eye_openness.left_eye");
        assert_eq!((channels[25].label.as_str(), values[25]), ("diameter.pupil.right_eye", 3.5));
        assert_eq!((channels[36].label.as_str(), values[36]), ("device_time_stamp", 1.000_001));
        assert_eq!(channels[53].label, "valid.eyeball_center.right_eye");
        assert!(channels[0].xml().starts_with("<channel><label>x.position_on_display_area"));
        let mut labels: Vec<_> = channels.iter().map(|channel| &channel.label).collect();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), 54);
    }

    #[test]
    fn microseconds_come_back_from_seconds() {
        for us in [0, 1, 33_654_613, 56_365_565_724, 1 << 50, -5] {
            assert_eq!((seconds(us) * 1e6).round() as i64, us);
        }
    }
}
