//! A running simulated NTP server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::clock::{ClockModel, SimClock};
use crate::error::SimError;
use crate::host::{deadline, now_s};
use crate::network::Path;
use crate::queue::DelayQueue;
use crate::rng::{derive_seed, mix};

use super::config::{Fault, NtpServerConfig};
use super::packet::{self, Question};
use super::truth::{self, Row, Times, TruthFile};

/// About how far apart questions come, for the hold-back of reordered ones.
const QUESTION_INTERVAL_S: f64 = 0.1;
/// Questions and answers on their way inside the simulated network.
const IN_FLIGHT_BYTES: usize = 1 << 20;
/// Pause after an error of the socket, so that a lasting one cannot spin.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Counts of a server over its run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NtpReport {
    /// Questions that came.
    pub questions: u64,
    /// Questions the simulated network lost.
    pub questions_lost: u64,
    /// Answers sent into the simulated network, those with a fault included.
    pub answered: u64,
    /// Answers the simulated network lost.
    pub answers_lost: u64,
    /// Questions that met a fault.
    pub faults: u64,
    /// Datagrams that were no question.
    pub ignored: u64,
    /// Answers the operating system refused to send.
    pub send_errors: u64,
}

/// A server whose sockets and truth log are open.
#[derive(Debug)]
pub struct NtpServer {
    config: NtpServerConfig,
    clock: SimClock,
    socket: UdpSocket,
    /// For answers that come from the wrong port.
    other: UdpSocket,
    downlink: Path,
    uplink: Path,
    in_flight: DelayQueue<InFlight>,
    truth: Option<TruthFile>,
    report: NtpReport,
    noise: u64,
}

/// Something on its way through the simulated network.
#[derive(Debug)]
enum InFlight {
    Question { question: Question, from: SocketAddr, number: u64, copies: usize },
    Answer { bytes: Vec<u8>, to: SocketAddr, other_port: bool },
}

impl NtpServer {
    /// Opens the sockets and the log. The clock has its epoch now.
    ///
    /// # Errors
    /// [`SimError`] for a parameter out of range, an address that is taken, or an existing log.
    pub async fn bind(config: NtpServerConfig) -> Result<Self, SimError> {
        config.validate()?;
        let bind = async |address: SocketAddr| {
            UdpSocket::bind(address).await.map_err(|source| SimError::Bind {
                device: config.name.clone(),
                address,
                source,
            })
        };
        let socket = bind(config.address).await?;
        let other = bind(SocketAddr::new(config.address.ip(), 0)).await?;
        let (host_ns, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
        let host_epoch_s = lockstep_platform::seconds(host_ns);
        // The model's offset is to this machine's UTC; simulated time runs on its monotonic clock.
        let utc_minus_host_s = utc_ns.saturating_sub(host_ns) as f64 / 1e9;
        let model = ClockModel { offset_s: config.clock.offset_s - utc_minus_host_s, ..config.clock.clone() };
        let truth = match &config.truth {
            Some(path) => {
                let utc_epoch_s = lockstep_platform::seconds(utc_ns);
                let facts = truth::facts(&config, &model, host_epoch_s, utc_epoch_s);
                Some(TruthFile::create(path.clone(), &facts)?)
            }
            None => None,
        };
        let path = |model, purpose| Path::new(model, QUESTION_INTERVAL_S, derive_seed(config.seed, purpose));
        Ok(Self {
            clock: SimClock::new(&model, host_epoch_s, config.seed),
            socket,
            other,
            downlink: path(config.downlink, "ntp/downlink"),
            uplink: path(config.uplink, "ntp/uplink"),
            in_flight: DelayQueue::new(IN_FLIGHT_BYTES),
            truth,
            report: NtpReport::default(),
            noise: derive_seed(config.seed, "ntp/noise"),
            config,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.config.address)
    }

    /// Answers until its duration is over, or until `stop` turns true or is dropped.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the log cannot be written.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<NtpReport, SimError> {
        let end_s = self.config.duration.map_or(f64::INFINITY, |d| now_s() + d.as_secs_f64());
        let mut buffer = [0; 512];
        while !*stop.borrow() && now_s() < end_s {
            self.deliver_due().await?;
            let due_s = self.in_flight.next_due_s().unwrap_or(f64::INFINITY).min(end_s);
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => {
                        let received_s = now_s();
                        self.on_datagram(&buffer[..length], from, received_s).await?;
                    }
                    Err(error) => {
                        tracing::debug!(server = self.config.name, %error, "socket");
                        sleep(RECEIVE_PAUSE).await;
                    }
                },
                () = sleep_until(deadline(due_s)) => {}
            }
        }
        if let Some(truth) = &mut self.truth {
            truth.flush()?;
        }
        Ok(self.report)
    }

    async fn on_datagram(&mut self, bytes: &[u8], from: SocketAddr, received_s: f64) -> Result<(), SimError> {
        let Some(question) = Question::parse(bytes) else {
            self.report.ignored += 1;
            return Ok(());
        };
        let number = self.report.questions;
        self.report.questions += 1;
        let fate = self.downlink.route(received_s);
        if fate.copies() == 0 {
            self.report.questions_lost += 1;
            return self.log(Row {
                question: number,
                nonce: question.transmit(),
                times: None,
                request_delivered: 0,
                reply_delivered: 0,
                fault: None,
            });
        }
        for delay_s in fate.delays_s() {
            if *delay_s <= 0.0 {
                self.answer(&question, from, number, fate.copies()).await?;
            } else {
                let item = InFlight::Question { question, from, number, copies: fate.copies() };
                // A full network loses it, as real ones do.
                drop(self.in_flight.push(received_s + delay_s, packet_bytes(), item));
            }
        }
        Ok(())
    }

    async fn deliver_due(&mut self) -> Result<(), SimError> {
        while let Some(item) = self.in_flight.pop_due(now_s()) {
            match item {
                InFlight::Question { question, from, number, copies } => {
                    self.answer(&question, from, number, copies).await?;
                }
                InFlight::Answer { bytes, to, other_port } => self.send(&bytes, to, other_port).await,
            }
        }
        Ok(())
    }

    /// The server receives a question now: reads its clock twice and answers.
    async fn answer(
        &mut self,
        question: &Question,
        from: SocketAddr,
        number: u64,
        copies: usize,
    ) -> Result<(), SimError> {
        let ticks_per_s = packet::UNIT.ticks_per_s();
        let fault = self.config.fault.and_then(|plan| plan.of(number));
        self.report.faults += u64::from(fault.is_some());
        let t1_host_s = now_s();
        let t1_ntp = packet::stamp(self.clock.ticks(t1_host_s, ticks_per_s));
        let t2_host_s = now_s();
        let t2_ntp = packet::stamp(self.clock.ticks(t2_host_s, ticks_per_s));
        let mut noise = self.noise;
        let bytes = packet::answer(&self.config, question, t1_ntp, t2_ntp, fault, &mut || {
            noise = mix(noise);
            noise
        });
        self.noise = noise;
        let mut delays_s = Vec::new();
        if fault != Some(Fault::Silent) {
            self.report.answered += 1;
            delays_s.extend_from_slice(self.uplink.route(t2_host_s).delays_s());
            self.report.answers_lost += u64::from(delays_s.is_empty());
            if fault == Some(Fault::Twice) {
                delays_s.extend_from_within(..);
            }
        }
        let other_port = fault == Some(Fault::OtherPort);
        let reply_delivered = delays_s.len();
        for delay_s in delays_s {
            if delay_s <= 0.0 {
                self.send(&bytes, from, other_port).await;
            } else {
                let item = InFlight::Answer { bytes: bytes.clone(), to: from, other_port };
                drop(self.in_flight.push(t2_host_s + delay_s, packet_bytes(), item));
            }
        }
        self.log(Row {
            question: number,
            nonce: question.transmit(),
            times: Some(Times { t1_host_s, t2_host_s, t1_ntp, t2_ntp }),
            request_delivered: copies,
            reply_delivered,
            fault,
        })
    }

    async fn send(&mut self, bytes: &[u8], to: SocketAddr, other_port: bool) {
        let socket = if other_port { &self.other } else { &self.socket };
        if let Err(error) = socket.send_to(bytes, to).await {
            self.report.send_errors += 1;
            tracing::debug!(server = self.config.name, %error, "answer");
        }
    }

    fn log(&mut self, row: Row) -> Result<(), SimError> {
        match &mut self.truth {
            Some(truth) => truth.row(&row),
            None => Ok(()),
        }
    }
}

/// What a packet is counted with in the queue.
fn packet_bytes() -> usize {
    crate::udp::exchange::NTP_BYTES
}
