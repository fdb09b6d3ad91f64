//! From the packets of one sensor to its samples, without sockets and without a recorder.

use std::collections::VecDeque;

use crate::payload::h264::{Picture, Pictures, parameter_sets};
use crate::payload::{eye_event, gaze, imu};
use crate::phone::Sensor;
use crate::rtp::order::{Next, Order};
use crate::rtp::reports::{Change, Reports};
use crate::rtp::{self, Packet, Report};
use crate::rtsp::Medium;

/// Bytes that wait for the first sender report, at most: many minutes of gaze, half a minute of video.
const HELD_BYTES: usize = 64 << 20;

/// What comes out, in the order of sending.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A sample: when, in nanoseconds since 1970 by the phone's clock, and its values in this machine's byte order.
    Sample(i64, Vec<u8>),
    /// A picture of a camera: when, likewise.
    Picture(i64, Picture),
    /// So many never came; `None`: some, and nobody knows how many.
    Lost(Option<u64>),
    /// A packet that could not be read, or only in part: its length.
    Unknown(usize),
    /// A sender report was taken in: ticks, phone time in nanoseconds, what it changed.
    Report(i64, i64, Change),
    /// No report came, so samples are placed by their arrival from here on: ticks, phone time in nanoseconds.
    ByArrival(i64, i64),
    /// The sender has started anew.
    Restarted,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that could not be read.
    pub unreadable: u64,
    /// Packets that were read in part.
    pub partly: u64,
    /// Signs of life.
    pub keepalives: u64,
    /// Packets that waited for the first sender report in vain, and were given up.
    pub never_placed: u64,
    /// Pictures of which something is missing, or may be.
    pub incomplete: u64,
    /// Pictures that had not ended when the connection did.
    pub unfinished: u64,
}

/// What makes a sample.
#[derive(Debug)]
enum Datum {
    Packet(Packet),
    Picture(Picture),
}

impl Datum {
    fn bytes(&self) -> usize {
        let own = match self {
            Self::Packet(packet) => packet.payload.len(),
            Self::Picture(picture) => picture.bytes.len(),
        };
        own + size_of::<Held>()
    }
}

/// A datum that cannot be placed yet.
#[derive(Debug)]
struct Held {
    ticks: i64,
    arrival_ns: i64,
    datum: Datum,
}

/// Turns the packets of one connection into samples.
#[derive(Debug)]
pub struct Pipeline {
    sensor: Sensor,
    payload_type: u8,
    order: Order,
    reports: Reports,
    ssrc: Option<u32>,
    /// Of cameras.
    pictures: Option<Pictures>,
    held: VecDeque<Held>,
    held_bytes: usize,
    next: Vec<Next>,
    /// What was counted.
    pub counters: Counters,
}

impl Pipeline {
    /// For the packets of a sensor that sends as `medium` says.
    pub fn new(sensor: Sensor, medium: &Medium) -> Self {
        // 200 gaze points and eye pictures, 110 IMU samples, 30 scene pictures a second; eye events come when they
        // come. On Wi-Fi some packets come late; where they are rare, one that was overtaken shows late, too.
        let (pause_ns, wait_ns) = match sensor {
            Sensor::EyeEvents => (1_000_000_000, 2_000_000_000),
            Sensor::World => (40_000_000, 200_000_000),
            Sensor::Gaze | Sensor::Imu | Sensor::Eyes => (10_000_000, 200_000_000),
        };
        Self {
            sensor,
            payload_type: medium.payload_type,
            order: Order::new(wait_ns),
            reports: Reports::new(medium.rate_hz, pause_ns),
            ssrc: None,
            pictures: sensor.is_camera().then(|| Pictures::new(parameter_sets(&medium.format))),
            held: VecDeque::new(),
            held_bytes: 0,
            next: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// What was counted of packets and their order.
    pub fn order(&self) -> crate::rtp::order::Counters {
        self.order.counters
    }

    /// Bytes came where packets are expected, at `now_ns`. Whether they were a packet.
    pub fn rtp(&mut self, bytes: &[u8], now_ns: i64, out: &mut Vec<Output>) -> bool {
        let Some(packet) = rtp::packet(bytes, self.payload_type) else { return false };
        self.order.push(packet, now_ns, &mut self.next);
        self.pass(out);
        true
    }

    /// Bytes came where reports are expected.
    pub fn rtcp(&mut self, bytes: &[u8], out: &mut Vec<Output>) {
        if let Some(report) = rtp::report(bytes).filter(|r| self.ssrc.is_none_or(|ssrc| ssrc == r.ssrc)) {
            self.report(report, out);
        }
    }

    /// It is `now_ns`, and nothing came.
    pub fn wait(&mut self, now_ns: i64, out: &mut Vec<Output>) {
        self.order.pass(now_ns, &mut self.next);
        self.pass(out);
    }

    /// The connection has ended.
    pub fn end(&mut self, out: &mut Vec<Output>) {
        self.order.end(&mut self.next);
        self.pass(out);
        self.end_pictures(out);
    }

    /// Whether packets wait for one that is missing.
    pub fn is_holding(&self) -> bool {
        self.order.is_holding()
    }

    /// Since when packets wait for the first report, in nanoseconds of recorder time.
    pub fn waits_since_ns(&self) -> Option<i64> {
        self.held.front().map(|held| held.arrival_ns)
    }

    /// No report comes: place packets by when they arrived, of which `unix_ns` tells the phone's time. What arrived
    /// quickest counts.
    pub fn place_by_arrival(&mut self, unix_ns: impl Fn(i64) -> i64, out: &mut Vec<Output>) {
        let earliest = self
            .held
            .iter()
            .min_by_key(|held| unix_ns(held.arrival_ns).saturating_sub(self.reports.nanoseconds(held.ticks)));
        if let Some(held) = earliest {
            let (ticks, unix_ns) = (held.ticks, unix_ns(held.arrival_ns));
            self.reports.assume(ticks, unix_ns);
            out.push(Output::ByArrival(ticks, unix_ns));
            self.place_held(out);
        }
    }

    /// The connection ends and packets still cannot be placed.
    pub fn give_up(&mut self, out: &mut Vec<Output>) {
        let count = self.held.len() as u64;
        self.held.clear();
        self.held_bytes = 0;
        if count > 0 {
            self.counters.never_placed += count;
            out.push(Output::Lost(Some(count)));
        }
    }

    fn report(&mut self, report: Report, out: &mut Vec<Output>) {
        let (ticks, change) = self.reports.report(report);
        out.push(Output::Report(ticks, report.unix_ns, change));
        self.place_held(out);
    }

    fn place_held(&mut self, out: &mut Vec<Output>) {
        self.held_bytes = 0;
        for held in std::mem::take(&mut self.held) {
            self.place(held.ticks, held.datum, out);
        }
    }

    fn pass(&mut self, out: &mut Vec<Output>) {
        for next in std::mem::take(&mut self.next) {
            match next {
                Next::Lost(count) => match &mut self.pictures {
                    Some(pictures) => pictures.lost(),
                    None => out.push(Output::Lost(Some(count))),
                },
                Next::Restarted => {
                    self.end_pictures(out);
                    self.give_up(out);
                    self.reports.restart();
                    self.ssrc = None;
                    out.push(Output::Restarted);
                }
                Next::Packet(packet, arrival_ns) => {
                    self.ssrc = Some(packet.ssrc);
                    let Some(pictures) = &mut self.pictures else {
                        self.arrange(packet.timestamp, arrival_ns, Datum::Packet(packet), out);
                        continue;
                    };
                    let mut ended = Vec::new();
                    pictures.push(&packet, arrival_ns, &mut ended);
                    self.arrange_pictures(ended, out);
                }
            }
        }
    }

    fn end_pictures(&mut self, out: &mut Vec<Output>) {
        let mut ended = Vec::new();
        if let Some(pictures) = &mut self.pictures {
            pictures.end(&mut ended);
            self.counters.unfinished = pictures.unfinished;
        }
        self.arrange_pictures(ended, out);
    }

    fn arrange_pictures(&mut self, ended: Vec<Picture>, out: &mut Vec<Output>) {
        self.counters.unreadable = self.pictures.as_ref().map_or(0, |pictures| pictures.unreadable);
        for picture in ended {
            // Of one without a readable packet there is nothing to keep.
            let lost = picture.lost_before.map(|lost| lost + u64::from(picture.bytes.is_empty()));
            if lost != Some(0) {
                out.push(Output::Lost(lost));
            }
            if !picture.bytes.is_empty() {
                self.counters.incomplete += u64::from(!picture.is_complete);
                self.arrange(picture.timestamp, picture.arrival_ns, Datum::Picture(picture), out);
            }
        }
    }

    /// Place a datum, or keep it until it can be.
    fn arrange(&mut self, timestamp: u32, arrival_ns: i64, datum: Datum, out: &mut Vec<Output>) {
        let ticks = self.reports.extended(timestamp);
        // The IMU says its time itself.
        if self.sensor == Sensor::Imu || self.reports.offset_ns().is_some() {
            return self.place(ticks, datum, out);
        }
        self.held_bytes += datum.bytes();
        self.held.push_back(Held { ticks, arrival_ns, datum });
        while self.held_bytes > HELD_BYTES
            && let Some(oldest) = self.held.pop_front()
        {
            self.held_bytes -= oldest.datum.bytes();
            self.counters.never_placed += 1;
            out.push(Output::Lost(Some(1)));
        }
    }

    fn place(&mut self, ticks: i64, datum: Datum, out: &mut Vec<Output>) {
        let at_ns = self.reports.unix_ns(ticks).unwrap_or_default();
        let packet = match datum {
            Datum::Packet(packet) => packet,
            Datum::Picture(picture) => return out.push(Output::Picture(at_ns, picture)),
        };
        let bytes = &packet.payload;
        let (at_ns, values) = match self.sensor {
            Sensor::Gaze => match gaze::read(bytes) {
                Some((sample, understood)) => {
                    if understood == gaze::Understood::Beginning {
                        self.counters.partly += 1;
                        out.push(Output::Unknown(bytes.len()));
                    }
                    (at_ns, sample.iter().flat_map(|v| v.to_ne_bytes()).collect())
                }
                None => return self.unreadable(bytes.len(), out),
            },
            Sensor::Imu => match imu::read(bytes) {
                Some(sample) => {
                    (sample.unix_ns, sample.values.iter().flat_map(|v| v.to_ne_bytes()).collect())
                }
                None => return self.unreadable(bytes.len(), out),
            },
            Sensor::EyeEvents => match eye_event::read(bytes) {
                Some(eye_event::EyeEvent::Event(event)) => {
                    (at_ns, event.iter().flat_map(|v| v.to_ne_bytes()).collect())
                }
                Some(eye_event::EyeEvent::Keepalive) => {
                    self.counters.keepalives += 1;
                    return;
                }
                None => return self.unreadable(bytes.len(), out),
            },
            // Their packets become pictures.
            Sensor::World | Sensor::Eyes => return,
        };
        out.push(Output::Sample(at_ns, values));
    }

    /// It is counted, and it is a loss.
    fn unreadable(&mut self, length: usize, out: &mut Vec<Output>) {
        self.counters.unreadable += 1;
        out.extend([Output::Unknown(length), Output::Lost(Some(1))]);
    }
}

#[cfg(test)]
mod tests;
