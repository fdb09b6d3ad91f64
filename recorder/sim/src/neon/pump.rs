//! One sensor at work: takes its samples when the phone's oscillator says so, and moves their
//! packets through the simulated network to every client that plays it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use crate::error::SimError;
use crate::host::{deadline, now_s};
use crate::queue::DelayQueue;
use crate::truth::CsvFile;

use super::feed::{Feed, Sample};
use super::layout::Sensor;
use super::player::{Outgoing, Outlet, Player};
use super::report::SensorReport;
use super::shared::Shared;
use super::time::RtpTime;
use super::truth::write_sample;

/// Packets in flight inside the simulated network of one sensor.
const IN_FLIGHT_BYTES: usize = 64 << 20;
/// Samples sent in one go before others get their turn.
const BURST: usize = 32;
/// How often the truth log is written out, in seconds.
const FLUSH_S: f64 = 0.5;
/// Tries to find an even port with a free odd one above it.
const PORT_TRIES: usize = 50;

/// The two sockets that packets of a sensor are sent from. Nothing that comes to them is read:
/// clients send junk to open their firewalls, and reports that nobody needs.
#[derive(Debug)]
pub(super) struct Sockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Sockets {
    /// Binds an even port and the one above it.
    ///
    /// # Errors
    /// [`SimError::Bind`] when there is no such pair.
    pub(super) async fn bind(device: &str, host: IpAddr) -> Result<Self, SimError> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..PORT_TRIES {
            match Self::try_bind(host).await {
                Ok(Some(sockets)) => return Ok(sockets),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        let address = SocketAddr::new(host, 0);
        Err(SimError::Bind { device: device.to_owned(), address, source: last })
    }

    async fn try_bind(host: IpAddr) -> io::Result<Option<Self>> {
        let rtp = UdpSocket::bind((host, 0)).await?;
        let port = rtp.local_addr()?.port();
        if port % 2 == 1 {
            return Ok(None);
        }
        let rtcp = UdpSocket::bind((host, port + 1)).await?;
        Ok(Some(Self { rtp, rtcp }))
    }

    /// The even port.
    pub(super) fn port(&self) -> u16 {
        self.rtp.local_addr().map_or(0, |address| address.port())
    }
}

/// A packet on its way.
#[derive(Debug)]
struct Flight {
    client: u64,
    what: What,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The first copy of a packet, by its number among all of this sensor.
    Packet(u64),
    SecondCopy,
    Report,
}

/// One sensor.
#[derive(Debug)]
pub(super) struct Pump {
    sensor: Sensor,
    shared: Arc<Shared>,
    feed: Feed,
    rtp: RtpTime,
    sockets: Sockets,
    players: Vec<Player>,
    in_flight: DelayQueue<Flight>,
    truth: Option<CsvFile>,
    flushed_s: f64,
    report: SensorReport,
    /// Number of the latest packet delivered so far, of each client.
    latest: Vec<(u64, u64)>,
}

impl Pump {
    /// A sensor that nobody plays yet.
    pub(super) fn new(sensor: Sensor, shared: Arc<Shared>, sockets: Sockets, truth: Option<CsvFile>) -> Self {
        Self {
            sensor,
            feed: Feed::new(&shared.config, sensor),
            rtp: RtpTime::new(&shared.config, sensor, &shared.phone),
            sockets,
            players: Vec::new(),
            in_flight: DelayQueue::new(IN_FLIGHT_BYTES),
            truth,
            flushed_s: 0.0,
            report: SensorReport::new(sensor),
            latest: Vec::new(),
            shared,
        }
    }

    /// Takes samples until the phone's duration is over or `stop` turns true or is dropped.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the log cannot be written.
    pub(super) async fn run(
        mut self,
        mut players: mpsc::Receiver<Player>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<SensorReport, SimError> {
        while !*stop.borrow() {
            self.players.retain(Player::is_there);
            if self.shared.is_out(now_s()) {
                self.players.clear();
                while self.in_flight.pop_due(f64::INFINITY).is_some() {}
            }
            if self.take_due().await? {
                // There may be more: let the others have their turn.
                tokio::task::yield_now().await;
            }
            self.send_reports().await;
            self.deliver_due(now_s()).await;
            self.flush_sometimes()?;
            let due_s = self.next_due_s();
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                Some(player) = players.recv() => {
                    self.report.clients += 1;
                    self.players.push(player);
                }
                () = sleep_until(deadline(due_s)) => {}
            }
        }
        if let Some(truth) = &mut self.truth {
            truth.flush()?;
        }
        Ok(self.report)
    }

    /// When the next sample is due on the host; never for a sensor that is not there.
    fn sample_due_s(&self) -> f64 {
        if self.shared.config.rates.of(self.sensor) > 0.0 {
            self.shared.phone.at_oscillator(self.feed.next_s()).host_s
        } else {
            f64::INFINITY
        }
    }

    fn next_due_s(&self) -> f64 {
        let reports = self.players.iter().map(Player::report_due_s).fold(f64::INFINITY, f64::min);
        let arrival_s = self.in_flight.next_due_s().unwrap_or(f64::INFINITY);
        self.sample_due_s().min(arrival_s).min(reports)
    }

    /// Takes every sample that is due, at most [`BURST`]; true when it stopped there.
    async fn take_due(&mut self) -> Result<bool, SimError> {
        for _ in 0..BURST {
            let due_s = self.sample_due_s();
            if due_s > now_s() {
                return Ok(false);
            }
            // What was to arrive before does so, also when all of it is late: a stalled machine must
            // not turn into a reordered network.
            self.deliver_due(due_s).await;
            let sample = self.feed.take(&self.shared.config, &self.shared.phone);
            if self.shared.config.is_plugged(self.sensor, self.shared.phone.elapsed_s(due_s)) {
                self.send(&sample, due_s).await?;
            }
        }
        Ok(true)
    }

    /// Sends one sample to all who play, and logs it.
    async fn send(&mut self, sample: &Sample, due_s: f64) -> Result<(), SimError> {
        let sent_s = now_s();
        let rtp = self.rtp.at(&sample.moment);
        let mut delivered = Vec::with_capacity(self.players.len());
        for place in 0..self.players.len() {
            let client = self.players[place].client;
            let mut copies = 0;
            for packet in &sample.packets {
                // Delays count from when it was due, so that catching up keeps the order.
                let out = self.players[place].packet(packet, rtp, due_s);
                copies += self.launch(client, due_s, out).await;
            }
            delivered.push((client, copies));
        }
        self.report.samples += 1;
        self.report.worst_lateness_s = self.report.worst_lateness_s.max(sent_s - due_s);
        match &mut self.truth {
            Some(truth) => write_sample(truth, sample, sent_s, rtp, &delivered),
            None => Ok(()),
        }
    }

    /// Sends one packet into the simulated network; how many copies of it will arrive whole.
    async fn launch(&mut self, client: u64, sent_s: f64, out: Outgoing) -> u64 {
        let number = self.report.packets;
        self.report.packets += 1;
        self.report.lost += u64::from(out.delays_s.is_empty());
        let mut copies = 0;
        for (copy, delay_s) in out.delays_s.iter().enumerate() {
            let what = if copy == 0 { What::Packet(number) } else { What::SecondCopy };
            let flight = Flight { client, what, bytes: out.bytes.clone() };
            copies += u64::from(self.fly(sent_s + delay_s, *delay_s, flight).await);
        }
        if out.spoilt { 0 } else { copies }
    }

    async fn send_reports(&mut self) {
        let now = self.shared.phone.at_host(now_s());
        let rtp = self.rtp.at(&now);
        for place in 0..self.players.len() {
            let player = &mut self.players[place];
            if player.report_due_s() > now.host_s {
                continue;
            }
            let client = player.client;
            let out = player.report(&now, rtp);
            self.report.reports += 1;
            for delay_s in &out.delays_s {
                let flight = Flight { client, what: What::Report, bytes: out.bytes.clone() };
                self.fly(now.host_s + delay_s, *delay_s, flight).await;
            }
        }
    }

    /// Lets a packet arrive at `due_s`, at once without a delay; false when there is no room for it.
    async fn fly(&mut self, due_s: f64, delay_s: f64, flight: Flight) -> bool {
        if delay_s <= 0.0 {
            return self.hand_over(flight).await;
        }
        let pushed = self.in_flight.push(due_s, flight.bytes.len(), flight).is_ok();
        self.report.queue_full += u64::from(!pushed);
        pushed
    }

    /// Lets everything arrive that is due at `until_s`.
    async fn deliver_due(&mut self, until_s: f64) {
        while let Some(flight) = self.in_flight.pop_due(until_s) {
            self.hand_over(flight).await;
        }
    }

    /// A packet leaves the simulated network: hands it to the operating system.
    async fn hand_over(&mut self, flight: Flight) -> bool {
        let Some(player) = self.players.iter().find(|player| player.client == flight.client) else {
            return false;
        };
        let sent = match &player.outlet {
            Outlet::Udp { rtp, rtcp } => {
                let (socket, to) = match flight.what {
                    What::Report => (&self.sockets.rtcp, *rtcp),
                    _ => (&self.sockets.rtp, *rtp),
                };
                socket.send_to(&flight.bytes, to).await.map(|_| ())
            }
            Outlet::Interleaved { frames, .. } => match frames.try_send(flight.bytes) {
                Ok(()) => Ok(()),
                Err(TrySendError::Closed(_)) => return false,
                Err(TrySendError::Full(_)) => {
                    self.report.queue_full += 1;
                    return false;
                }
            },
        };
        if let Err(error) = sent {
            tracing::debug!(sensor = self.sensor.name(), %error, "cannot send");
            self.report.send_errors += 1;
        }
        self.count_order(flight.client, flight.what);
        true
    }

    fn count_order(&mut self, client: u64, what: What) {
        match what {
            What::Report => {}
            What::SecondCopy => self.report.duplicated += 1,
            What::Packet(number) => match self.latest.iter_mut().find(|(of, _)| *of == client) {
                Some((_, latest)) if number < *latest => self.report.reordered += 1,
                Some((_, latest)) => *latest = number,
                None => {
                    let players = &self.players;
                    self.latest.retain(|(of, _)| players.iter().any(|player| player.client == *of));
                    self.latest.push((client, number));
                }
            },
        }
    }

    fn flush_sometimes(&mut self) -> Result<(), SimError> {
        let now_s = now_s();
        match &mut self.truth {
            Some(truth) if now_s - self.flushed_s > FLUSH_S => {
                self.flushed_s = now_s;
                truth.flush()
            }
            _ => Ok(()),
        }
    }
}
