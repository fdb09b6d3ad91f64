//! From the packets of one sensor to its samples, without sockets and without a recorder.

use std::collections::VecDeque;

use crate::payload::{eye_event, gaze, imu};
use crate::phone::Sensor;
use crate::rtp::order::{Next, Order};
use crate::rtp::reports::{Change, Reports};
use crate::rtp::{self, Packet, Report};

/// Packets that wait for the first sender report, at most: some minutes of gaze.
const HELD: usize = 60_000;

/// What comes out, in the order of sending.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A sample: when, in nanoseconds since 1970 by the phone's clock, and its values in this machine's byte order.
    Sample(i64, Vec<u8>),
    /// So many never came.
    Lost(u64),
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
}

/// Turns the packets of one connection into samples.
#[derive(Debug)]
pub struct Pipeline {
    sensor: Sensor,
    payload_type: u8,
    order: Order,
    reports: Reports,
    ssrc: Option<u32>,
    /// Ticks, arrival and packet of what cannot be placed yet.
    held: VecDeque<(i64, i64, Packet)>,
    next: Vec<Next>,
    /// What was counted.
    pub counters: Counters,
}

impl Pipeline {
    /// For packets of `payload_type`, whose stamps tick `rate_hz` times a second.
    pub fn new(sensor: Sensor, payload_type: u8, rate_hz: u32) -> Self {
        // 200 gaze points and 110 IMU samples a second; eye events come when they come, and carry their own time.
        // On Wi-Fi some packets come late; where they are rare, one that was overtaken shows late, too.
        let (pause_ns, wait_ns) = if sensor == Sensor::EyeEvents {
            (1_000_000_000, 2_000_000_000)
        } else {
            (10_000_000, 200_000_000)
        };
        Self {
            sensor,
            payload_type,
            order: Order::new(wait_ns),
            reports: Reports::new(rate_hz, pause_ns),
            ssrc: None,
            held: VecDeque::new(),
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
    }

    /// Whether packets wait for one that is missing.
    pub fn is_holding(&self) -> bool {
        self.order.is_holding()
    }

    /// Since when packets wait for the first report, in nanoseconds of recorder time.
    pub fn waits_since_ns(&self) -> Option<i64> {
        self.held.front().map(|(_, arrival_ns, _)| *arrival_ns)
    }

    /// No report comes: place packets by when they arrived, of which `unix_ns` tells the phone's time. What arrived
    /// quickest counts.
    pub fn place_by_arrival(&mut self, unix_ns: impl Fn(i64) -> i64, out: &mut Vec<Output>) {
        let earliest = self.held.iter().min_by_key(|(ticks, arrival_ns, _)| {
            unix_ns(*arrival_ns).saturating_sub(self.reports.nanoseconds(*ticks))
        });
        if let Some((_, arrival_ns, packet)) = earliest {
            let unix_ns = unix_ns(*arrival_ns);
            let report = Report { ssrc: packet.ssrc, timestamp: packet.timestamp, unix_ns };
            let (ticks, unix_ns) = self.reports.assume(report);
            out.push(Output::ByArrival(ticks, unix_ns));
            self.place_held(out);
        }
    }

    /// The connection ends and packets still cannot be placed.
    pub fn give_up(&mut self, out: &mut Vec<Output>) {
        let count = self.held.len() as u64;
        self.held.clear();
        if count > 0 {
            self.counters.never_placed += count;
            out.push(Output::Lost(count));
        }
    }

    fn report(&mut self, report: Report, out: &mut Vec<Output>) {
        let (ticks, change) = self.reports.report(report);
        out.push(Output::Report(ticks, report.unix_ns, change));
        self.place_held(out);
    }

    fn place_held(&mut self, out: &mut Vec<Output>) {
        for (ticks, _, packet) in std::mem::take(&mut self.held) {
            self.place(ticks, &packet, out);
        }
    }

    fn pass(&mut self, out: &mut Vec<Output>) {
        for next in std::mem::take(&mut self.next) {
            match next {
                Next::Lost(count) => out.push(Output::Lost(count)),
                Next::Restarted => {
                    self.give_up(out);
                    self.reports.restart();
                    self.ssrc = None;
                    out.push(Output::Restarted);
                }
                Next::Packet(packet, arrival_ns) => {
                    self.ssrc = Some(packet.ssrc);
                    let ticks = self.reports.extended(packet.timestamp);
                    let placed = self.sensor == Sensor::Imu || self.reports.offset_ns().is_some();
                    if placed {
                        self.place(ticks, &packet, out);
                        continue;
                    }
                    if self.held.len() == HELD {
                        self.held.pop_front();
                        self.counters.never_placed += 1;
                        out.push(Output::Lost(1));
                    }
                    self.held.push_back((ticks, arrival_ns, packet));
                }
            }
        }
    }

    fn place(&mut self, ticks: i64, packet: &Packet, out: &mut Vec<Output>) {
        let bytes = &packet.payload;
        let at_ns = self.reports.unix_ns(ticks).unwrap_or_default();
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
        };
        out.push(Output::Sample(at_ns, values));
    }

    /// It is counted, and it is a loss.
    fn unreadable(&mut self, length: usize, out: &mut Vec<Output>) {
        self.counters.unreadable += 1;
        out.extend([Output::Unknown(length), Output::Lost(1)]);
    }
}

#[cfg(test)]
mod tests;
