//! One client that plays one sensor: its numbering, its network, its sender reports.

use std::net::SocketAddr;
use std::sync::Weak;

use tokio::sync::mpsc;

use crate::network::{Deliveries, Path};
use crate::rng::derive_seed;
use crate::serve::tcp::TcpPath;
use crate::serve::time::Moment;

use super::config::{NeonConfig, ReportStyle};
use super::layout::Sensor;
use super::rtp::{Header, Packet, sender_report};
use super::time::ntp;

/// What comes in the middle of a frame where it has no business.
pub(super) const GARBAGE: &[u8] = b"RTSP/1.0 400 Bad Request\r\nServer: Simulated Neon RTSP Server\r\n\r\n";

/// About so many packets make a picture.
const PACKETS_OF_A_PICTURE: f64 = 6.0;

/// Where a client's packets go.
#[derive(Debug, Clone)]
pub(super) enum Outlet {
    /// To two ports.
    Udp { rtp: SocketAddr, rtcp: SocketAddr },
    /// In frames over the RTSP connection.
    Interleaved { frames: mpsc::Sender<Vec<u8>>, rtp_channel: u8, rtcp_channel: u8 },
}

fn seed(config: &NeonConfig, sensor: Sensor, client: u64) -> u64 {
    derive_seed(config.seed.wrapping_add(client), sensor.name())
}

/// The number that marks a client's packets (SSRC).
pub(super) fn source(config: &NeonConfig, sensor: Sensor, client: u64) -> u32 {
    derive_seed(seed(config, sensor, client), "source") as u32
}

/// One client.
#[derive(Debug)]
pub(super) struct Player {
    /// Its number in the truth log.
    pub(super) client: u64,
    pub(super) outlet: Outlet,
    /// Gone when its connection is.
    alive: Weak<()>,
    header: Header,
    path: Path,
    report_path: Path,
    /// Of all frames, where they go over the RTSP connection.
    tcp_path: TcpPath,
    report_style: ReportStyle,
    report_interval_s: f64,
    next_report_s: f64,
    packets: u32,
    octets: u32,
    last_rtp: Option<u32>,
    frames: u64,
    garbage_every: Option<u64>,
}

impl Player {
    /// A client that plays `sensor` from host time `from_s` on.
    pub(super) fn new(
        config: &NeonConfig,
        sensor: Sensor,
        client: u64,
        outlet: Outlet,
        alive: Weak<()>,
        from_s: f64,
    ) -> Self {
        let seed = seed(config, sensor, client);
        // A picture is several packets, so those of cameras come closer together.
        let per_sample = if sensor.picture().is_some() { PACKETS_OF_A_PICTURE } else { 1.0 };
        let interval_s = 1.0 / (config.rates.of(sensor).max(0.1) * per_sample);
        let path = |purpose| Path::new(config.uplink, interval_s, derive_seed(seed, purpose));
        Self {
            client,
            outlet,
            alive,
            header: Header {
                payload_type: sensor.payload_type(),
                marker: false,
                sequence: derive_seed(seed, "sequence") as u16,
                time: 0,
                source: source(config, sensor, client),
            },
            path: path("rtp"),
            report_path: path("rtcp"),
            tcp_path: TcpPath::new(config.uplink, derive_seed(seed, "tcp")),
            report_style: config.rtp.report_style,
            report_interval_s: config.rtp.report_interval_s,
            next_report_s: from_s + config.rtp.first_report_s,
            packets: 0,
            octets: 0,
            last_rtp: None,
            frames: 0,
            garbage_every: config.interleaved.garbage_every,
        }
    }

    /// Whether its connection is still there.
    pub(super) fn is_there(&self) -> bool {
        self.alive.strong_count() > 0
    }

    /// The next RTP packet as it is sent, and when it arrives: seconds after `sent_s`. A frame that
    /// was spoilt on purpose is said to be so.
    pub(super) fn packet(&mut self, packet: &Packet, rtp: u32, sent_s: f64) -> Outgoing {
        self.header.marker = packet.marker;
        self.header.time = rtp;
        let bytes = self.header.packet(&packet.payload);
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(packet.payload.len() as u32);
        self.last_rtp = Some(rtp);
        match self.outlet {
            Outlet::Udp { .. } => Outgoing::udp(bytes, &self.path.route(sent_s)),
            Outlet::Interleaved { rtp_channel, .. } => {
                self.frames += 1;
                let spoilt = self.garbage_every.is_some_and(|every| self.frames.is_multiple_of(every));
                let delay_s = self.tcp_path.delay_s(sent_s);
                Outgoing { bytes: frame(rtp_channel, &bytes, spoilt), delays_s: vec![delay_s], spoilt }
            }
        }
    }

    /// When the next sender report is due; never before there is something to report of.
    pub(super) fn report_due_s(&self) -> f64 {
        match (self.report_style, self.last_rtp) {
            (ReportStyle::LastPacket, None) => f64::INFINITY,
            _ => self.next_report_s,
        }
    }

    /// The sender report of `now`, at which the stream's time is `rtp`.
    pub(super) fn report(&mut self, now: &Moment, rtp: u32) -> Outgoing {
        while self.next_report_s <= now.host_s {
            self.next_report_s += self.report_interval_s;
        }
        let paired = match self.report_style {
            ReportStyle::Exact => rtp,
            ReportStyle::LastPacket => self.last_rtp.unwrap_or(rtp),
        };
        let bytes = sender_report(self.header.source, ntp(now), paired, self.packets, self.octets).to_vec();
        match self.outlet {
            Outlet::Udp { .. } => Outgoing::udp(bytes, &self.report_path.route(now.host_s)),
            Outlet::Interleaved { rtcp_channel, .. } => {
                let delay_s = self.tcp_path.delay_s(now.host_s);
                Outgoing { bytes: frame(rtcp_channel, &bytes, false), delays_s: vec![delay_s], spoilt: false }
            }
        }
    }
}

/// Bytes on their way to a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outgoing {
    pub(super) bytes: Vec<u8>,
    /// When each copy arrives.
    pub(super) delays_s: Vec<f64>,
    /// A frame with something else in its middle.
    pub(super) spoilt: bool,
}

impl Outgoing {
    fn udp(bytes: Vec<u8>, fate: &Deliveries) -> Self {
        Self { bytes, delays_s: fate.delays_s().to_vec(), spoilt: false }
    }
}

/// A packet as a frame of the RTSP connection (RFC 2326, section 10.12).
fn frame(channel: u8, packet: &[u8], spoilt: bool) -> Vec<u8> {
    // A packet is shorter than 2^16 by far.
    let [high, low] = (packet.len() as u16).to_be_bytes();
    let mut bytes = vec![b'$', channel, high, low];
    let (first, second) = packet.split_at(packet.len() / 2);
    bytes.extend_from_slice(first);
    if spoilt {
        bytes.extend_from_slice(GARBAGE);
    }
    bytes.extend_from_slice(second);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use super::*;
    use crate::clock::ClockModel;
    use crate::network::PathModel;
    use crate::serve::time::DeviceTime;

    const PACKET: Packet = Packet { payload: Vec::new(), marker: true };

    fn config() -> NeonConfig {
        NeonConfig::new("phone", Ipv4Addr::LOCALHOST.into())
    }

    fn udp() -> Outlet {
        Outlet::Udp { rtp: ([127, 0, 0, 1], 2).into(), rtcp: ([127, 0, 0, 1], 3).into() }
    }

    #[test]
    fn numbers_go_on_and_reports_count() {
        let alive = Arc::new(());
        let mut player = Player::new(&config(), Sensor::Imu, 4, udp(), Arc::downgrade(&alive), 10.0);
        let first = player.packet(&PACKET, 7, 10.0);
        let second = player.packet(&Packet { payload: vec![1; 20], marker: false }, 8, 10.1);
        let sequence = |out: &Outgoing| u16::from_be_bytes([out.bytes[2], out.bytes[3]]);
        assert_eq!(sequence(&second), sequence(&first).wrapping_add(1));
        assert_eq!((first.bytes[1], second.bytes[1]), (0x80 | 100, 100));
        assert_eq!(first.delays_s, [0.0]);
        let phone = DeviceTime::new(&ClockModel::default(), 0.0, 1);
        assert_eq!(player.report_due_s(), 10.0);
        let report = player.report(&phone.at_host(10.2), 9);
        assert_eq!(report.bytes[16..], [0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 20]);
        assert!((player.report_due_s() - 13.0).abs() < 1e-9);
        assert!(player.is_there());
        drop(alive);
        assert!(!player.is_there());
    }

    #[test]
    fn last_packet_reports_wait_for_one_and_take_its_time() {
        let mut config = config();
        config.rtp.report_style = ReportStyle::LastPacket;
        let mut player = Player::new(&config, Sensor::Gaze, 0, udp(), Weak::new(), 0.0);
        assert_eq!(player.report_due_s(), f64::INFINITY);
        player.packet(&PACKET, 77, 1.0);
        assert_eq!(player.report_due_s(), 0.0);
        let phone = DeviceTime::new(&ClockModel::default(), 0.0, 1);
        assert_eq!(player.report(&phone.at_host(1.0), 99).bytes[16..20], [0, 0, 0, 77]);
    }

    #[test]
    fn over_tcp_nothing_is_lost_or_overtakes_and_garbage_comes_as_asked() {
        let mut config = config();
        config.uplink =
            PathModel { delay_s: 0.01, loss: 0.5, reorder: 0.5, duplicate: 0.5, ..PathModel::default() };
        config.interleaved.garbage_every = Some(3);
        let (frames, _receiver) = mpsc::channel(1);
        let outlet = Outlet::Interleaved { frames, rtp_channel: 4, rtcp_channel: 5 };
        let mut player = Player::new(&config, Sensor::Gaze, 0, outlet, Weak::new(), 0.0);
        let mut last_s = 0.0;
        for index in 0..300_u32 {
            let sent_s = f64::from(index) * 0.005;
            let out = player.packet(&Packet { payload: vec![9; 8], marker: true }, index, sent_s);
            assert_eq!(out.delays_s.len(), 1);
            assert!(sent_s + out.delays_s[0] >= last_s - 1e-12);
            last_s = sent_s + out.delays_s[0];
            assert_eq!(out.bytes[..4], [b'$', 4, 0, 20]);
            assert_eq!(out.spoilt, (index + 1).is_multiple_of(3));
            let inside = out.bytes.windows(GARBAGE.len()).any(|window| window == GARBAGE);
            assert_eq!(inside, out.spoilt);
        }
    }
}
