//! What each sensor sends, sample after sample, and how it stands in the truth log. Pure.

use std::fmt::Write as _;

use crate::serve::time::{DeviceTime, Moment};

use super::config::NeonConfig;
use super::h264::Encoder;
use super::layout::{GAZE_CHANNELS, Sensor};
use super::payload;
use super::rtp::{Packet, packets_of_nals};
use super::signals::{EyeCourse, GazeSignal, ImuSignal};

/// One sample, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Number of the sample, from 0; those that an unplugged sensor would have taken are counted.
    pub(super) index: u64,
    /// When it was taken.
    pub(super) moment: Moment,
    /// What is sent of it, all with the same RTP time.
    pub(super) packets: Vec<Packet>,
    /// Its own columns of the truth log, each after a comma.
    pub(super) columns: String,
}

/// One sensor's course of samples.
#[derive(Debug)]
pub(super) struct Feed {
    rate_hz: f64,
    next: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Gaze(GazeSignal),
    Imu(ImuSignal),
    Eyes(Box<EyeCourse>),
    Camera(Encoder),
}

impl Feed {
    /// The samples of `sensor`, the first one at the start.
    pub(super) fn new(config: &NeonConfig, sensor: Sensor) -> Self {
        // A sensor that is not there has a feed that nobody takes anything from.
        let rate_hz = config.rates.of(sensor).max(0.1);
        let kind = match sensor {
            Sensor::Gaze => Kind::Gaze(GazeSignal::new(rate_hz, config.seed)),
            Sensor::Imu => Kind::Imu(ImuSignal::new(rate_hz, config.seed)),
            Sensor::EyeEvents => Kind::Eyes(Box::new(EyeCourse::new(rate_hz, config.seed))),
            Sensor::World | Sensor::Eyes => Kind::Camera(encoder(sensor, rate_hz)),
        };
        Self { rate_hz, next: 0, kind }
    }

    /// When the next sample is taken, by the oscillator: sample `i` at `i / rate`, computed afresh
    /// for each so that rounding does not add up.
    pub(super) fn next_s(&self) -> f64 {
        match &self.kind {
            Kind::Eyes(course) => course.next_s(),
            _ => self.next as f64 / self.rate_hz,
        }
    }

    /// Takes the next sample.
    pub(super) fn take(&mut self, config: &NeonConfig, phone: &DeviceTime) -> Sample {
        let moment = phone.at_oscillator(self.next_s());
        let index = self.next;
        self.next += 1;
        let (packets, columns) = match &mut self.kind {
            Kind::Gaze(signal) => gaze(config, signal, index, phone.elapsed_s(moment.host_s)),
            Kind::Imu(signal) => imu(signal, index, &moment),
            Kind::Eyes(course) => eye_event(&course.take(|s| phone.device_ns(s))),
            Kind::Camera(encoder) => picture(encoder, index, config.rtp.mark_each_unit),
        };
        Sample { index, moment, packets, columns }
    }
}

/// The encoder of a camera: a key picture about each second.
pub(super) fn encoder(sensor: Sensor, rate_hz: f64) -> Encoder {
    // A cast from f64 saturates.
    Encoder::new(sensor.picture().unwrap_or((1600, 1200)), rate_hz.round() as u64)
}

/// The columns of a sensor's truth log after those that all have.
pub(super) fn columns(sensor: Sensor) -> String {
    match sensor {
        Sensor::Gaze => format!("layout,bytes,worn,{}", GAZE_CHANNELS.join(",")),
        Sensor::Imu => "acceleration_x,acceleration_y,acceleration_z,rotation_x,rotation_y,rotation_z,\
             quaternion_w,quaternion_x,quaternion_y,quaternion_z"
            .to_owned(),
        Sensor::EyeEvents => {
            "type,bytes,start_ns,end_ns,start_x,start_y,end_x,end_y,mean_x,mean_y,amplitude_pixels,\
             amplitude_angle_deg,mean_velocity,max_velocity"
                .to_owned()
        }
        Sensor::World | Sensor::Eyes => "code,key,packets,bytes".to_owned(),
    }
}

/// Appends floats so that they read back to the same bits.
fn push_floats(columns: &mut String, values: &[f32]) {
    for value in values {
        // Writing into a String cannot fail.
        let _ = write!(columns, ",{value:?}");
    }
}

fn single(payload: Vec<u8>) -> Vec<Packet> {
    vec![Packet { payload, marker: true }]
}

fn gaze(config: &NeonConfig, signal: &GazeSignal, index: u64, elapsed_s: f64) -> (Vec<Packet>, String) {
    let layout = config.gaze.layout_at(elapsed_s);
    let worn = !config.gaze.not_worn.iter().any(|span| span.holds(elapsed_s));
    let odd = config.gaze.odd_every.is_some_and(|every| (index + 1).is_multiple_of(every));
    let values = signal.values(index);
    let payload = payload::gaze(layout, &values, worn, odd);
    let mut columns = format!(",{},{},{}", layout.name(), payload.len(), u8::from(worn));
    push_floats(&mut columns, &values);
    (single(payload), columns)
}

fn imu(signal: &ImuSignal, index: u64, moment: &Moment) -> (Vec<Packet>, String) {
    let values = signal.values(index);
    let mut columns = String::new();
    for part in [&values.acceleration[..], &values.rotation[..], &values.quaternion[..]] {
        push_floats(&mut columns, part);
    }
    (single(payload::imu(moment.device_ns, &values)), columns)
}

fn eye_event(event: &payload::EyeEvent) -> (Vec<Packet>, String) {
    let payload = event.encode();
    let time = |time_ns: Option<i64>| time_ns.map_or(String::new(), |ns| ns.to_string());
    let (start_ns, end_ns) = event.times_ns();
    let mut columns = format!(",{},{},{},{}", event.number(), payload.len(), time(start_ns), time(end_ns));
    if event.values().is_empty() {
        columns.push_str(&",".repeat(10));
    }
    push_floats(&mut columns, event.values());
    (single(payload), columns)
}

fn picture(encoder: &Encoder, index: u64, mark_each: bool) -> (Vec<Packet>, String) {
    let packets = packets_of_nals(&encoder.picture(index), mark_each);
    let bytes: usize = packets.iter().map(|packet| packet.payload.len()).sum();
    let key = u8::from(encoder.is_key(index));
    let columns = format!(",{},{key},{},{bytes}", index & 0xffff, packets.len());
    (packets, columns)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::ClockModel;
    use crate::neon::layout::Layout;

    #[test]
    fn each_sensor_has_the_columns_it_says() {
        let mut config = NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into());
        config.gaze.switches = vec![(0.1, Layout::Full)];
        config.gaze.odd_every = Some(50);
        let phone = DeviceTime::new(&ClockModel { skew_ppm: 100.0, ..ClockModel::default() }, 50.0, 1);
        for sensor in Sensor::ALL {
            let mut feed = Feed::new(&config, sensor);
            let named = columns(sensor).split(',').count();
            let mut last_s = -1.0;
            for index in 0..60 {
                let due_s = feed.next_s();
                let sample = feed.take(&config, &phone);
                assert_eq!(sample.index, index);
                assert_eq!(sample.columns.split(',').count(), named + 1, "{sensor:?}: {}", sample.columns);
                assert_eq!(sample.moment.oscillator_s, due_s);
                assert!(due_s > last_s || sensor == Sensor::EyeEvents, "{sensor:?}");
                assert!(sample.packets.last().is_some_and(|packet| packet.marker));
                last_s = due_s;
                if sensor == Sensor::Gaze {
                    let odd = if index == 49 { 4 } else { 0 };
                    let layout = if index < 21 { Layout::Binocular } else { Layout::Full };
                    assert_eq!(sample.packets[0].payload.len(), layout.bytes() + odd, "{index}");
                }
            }
        }
    }
}
