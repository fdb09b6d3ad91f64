//! One running device: takes samples when its crystal says so, and moves datagrams through the
//! simulated network.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::clock::SimClock;
use crate::error::SimError;
use crate::format::Value;
use crate::host::{deadline, now_s};
use crate::network::Path;
use crate::queue::DelayQueue;
use crate::rng::derive_seed;
use crate::signal::Signal;
use crate::truth::{ExchangeRow, ExchangeTimes, SampleRow, TruthLog};

use super::config::UdpDeviceConfig;
use super::metadata;
use super::payload::Encoder;
use super::report::DeviceReport;
use super::schedule::Schedule;
use super::server::{self, Asked, ExchangeServer};
use super::socket;

/// Largest payload of a UDP datagram over IPv4.
const LARGEST_DATAGRAM: usize = 65_507;
/// Datagrams in flight inside the simulated network of one device.
const IN_FLIGHT_BYTES: usize = 64 << 20;
/// Datagrams sent in one go before other devices get their turn.
const BURST: usize = 64;
/// Longest time that datagrams in flight get at the end to arrive when they are due.
const DRAIN_S: f64 = 0.5;
/// Pause after an error of the exchange socket, so that a lasting one cannot spin.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// A device whose sockets and logs are open.
#[derive(Debug)]
pub(super) struct Device {
    config: UdpDeviceConfig,
    clock: SimClock,
    signal: Signal,
    encoder: Encoder,
    socket: UdpSocket,
    uplink: Path,
    server: Option<ExchangeServer>,
    in_flight: DelayQueue<InFlight>,
    truth: Option<TruthLog>,
    report: DeviceReport,
    next_index: u64,
    /// First sample of the latest datagram delivered so far.
    latest_delivered: Option<u64>,
    ticks: Vec<i64>,
    values: Vec<Value>,
    datagram: Vec<u8>,
}

/// The samples of the next datagram, and when it is due.
#[derive(Debug)]
struct Batch {
    /// Oscillator time of each sample; empty once the schedule has ended.
    samples_s: Vec<f64>,
    due_host_s: f64,
}

/// Something on its way through the simulated network.
#[derive(Debug)]
enum InFlight {
    Samples { first_index: u64, second_copy: bool, bytes: Vec<u8> },
    Request(Asked),
    Reply { bytes: Vec<u8>, to: SocketAddr },
}

impl Device {
    /// Opens sockets and logs; `host_epoch_s` is the epoch of the device clock.
    ///
    /// # Errors
    /// [`SimError`] for a bad configuration, a taken address or an existing log.
    pub(super) async fn open(config: UdpDeviceConfig, host_epoch_s: f64) -> Result<Self, SimError> {
        config.validate()?;
        let local = socket::local_address(config.destination);
        let socket = UdpSocket::bind(local).await.map_err(|source| SimError::Bind {
            device: config.name.clone(),
            address: local,
            source,
        })?;
        let server = match config.exchange {
            Some(exchange) => Some(ExchangeServer::bind(&config, exchange).await?),
            None => None,
        };
        let truth = match &config.truth {
            Some(path) => {
                let metadata = metadata::describe(&config, host_epoch_s);
                Some(TruthLog::create(path, &metadata, &config.channel_names)?)
            }
            None => None,
        };
        let seed = config.seed;
        Ok(Self {
            clock: SimClock::new(&config.clock, host_epoch_s, seed),
            signal: Signal::new(config.format, config.rate.mean_hz(), seed),
            encoder: Encoder::new(&config),
            socket,
            uplink: Path::new(
                config.uplink,
                config.datagram_interval_s(),
                derive_seed(seed, "samples/uplink"),
            ),
            server,
            in_flight: DelayQueue::new(IN_FLIGHT_BYTES),
            truth,
            report: DeviceReport { name: config.name.clone(), ..DeviceReport::default() },
            next_index: 0,
            latest_delivered: None,
            ticks: Vec::new(),
            values: Vec::new(),
            datagram: Vec::new(),
            config,
        })
    }

    /// Where the device answers exchanges.
    pub(super) fn exchange_address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(ExchangeServer::address)
    }

    /// Runs from host time `start_s` to the end of its duration or until `stop` turns true or is
    /// dropped.
    ///
    /// # Errors
    /// [`SimError`] when a truth log cannot be written or a datagram does not fit into UDP.
    pub(super) async fn run(
        mut self,
        start_s: f64,
        mut stop: watch::Receiver<bool>,
    ) -> Result<DeviceReport, SimError> {
        let first_s = self.clock.oscillator_s(start_s + self.config.start_delay.as_secs_f64());
        let mut schedule = Schedule::new(self.config.rate, first_s, self.config.duration, self.config.seed);
        let end_host_s = self.clock.host_at_oscillator_s(schedule.end_s());
        let mut batch = Batch { samples_s: Vec::new(), due_host_s: end_host_s };
        self.next_batch(&mut schedule, &mut batch);
        let mut request = [0; 256];
        while !*stop.borrow() {
            if self.send_due(&mut schedule, &mut batch).await? {
                // There may be more: let the other devices send theirs first.
                tokio::task::yield_now().await;
            }
            self.deliver_due(now_s()).await?;
            if batch.samples_s.is_empty() && now_s() >= end_host_s {
                break;
            }
            let arrival_s = self.in_flight.next_due_s().unwrap_or(f64::INFINITY);
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                received = server::receive(self.server.as_ref(), &mut request) => match received {
                    Ok((length, from)) => {
                        let received_s = now_s();
                        self.on_request(&request[..length], from, received_s).await?;
                    }
                    Err(error) => {
                        tracing::debug!(device = self.config.name, %error, "exchange socket");
                        sleep(RECEIVE_PAUSE).await;
                    }
                },
                () = sleep_until(deadline(batch.due_host_s.min(arrival_s))) => {}
            }
        }
        self.drain().await
    }

    /// Takes the next samples from the schedule. After the last, the batch is due at the end.
    fn next_batch(&self, schedule: &mut Schedule, batch: &mut Batch) {
        schedule.next_batch(self.config.samples_per_datagram, &mut batch.samples_s);
        let last_s = batch.samples_s.last().copied().unwrap_or(schedule.end_s());
        batch.due_host_s = self.clock.host_at_oscillator_s(last_s);
    }

    /// Sends every datagram that is due, at most [`BURST`]; true when it stopped there.
    async fn send_due(&mut self, schedule: &mut Schedule, batch: &mut Batch) -> Result<bool, SimError> {
        for _ in 0..BURST {
            if batch.samples_s.is_empty() || batch.due_host_s > now_s() {
                return Ok(false);
            }
            // What was to arrive before this one is sent does so, also when all of it is late: a
            // stalled machine must not turn into a reordered network.
            self.deliver_due(batch.due_host_s).await?;
            self.send_batch(batch).await?;
            self.next_batch(schedule, batch);
        }
        Ok(true)
    }

    /// Sends one datagram into the simulated network and logs its samples.
    async fn send_batch(&mut self, batch: &Batch) -> Result<(), SimError> {
        let first_index = self.next_index;
        self.next_index += batch.samples_s.len() as u64;
        self.encode(first_index, &batch.samples_s)?;
        let sent_s = now_s();
        // Delays count from when it was due, so that catching up after a stall keeps the order.
        let fate = self.uplink.route(batch.due_host_s);
        let has_room = self.in_flight.has_room_for(fate.copies(), self.datagram.len());
        let copies = if has_room { fate.copies() } else { 0 };
        self.count_datagram(batch, sent_s, fate.copies(), has_room);
        self.log_samples(first_index, &batch.samples_s, sent_s, copies)?;
        for (copy, delay_s) in fate.delays_s().iter().take(copies).enumerate() {
            let second_copy = copy == 1;
            let bytes = std::mem::take(&mut self.datagram);
            if *delay_s <= 0.0 {
                self.hand_over(first_index, second_copy, &bytes).await;
                self.datagram = bytes;
                continue;
            }
            if copy + 1 < copies {
                self.datagram.clone_from(&bytes);
            }
            let item = InFlight::Samples { first_index, second_copy, bytes };
            self.push_in_flight(batch.due_host_s + delay_s, item);
        }
        Ok(())
    }

    /// Fills `ticks`, `values` and `datagram` for the samples of one datagram.
    fn encode(&mut self, first_index: u64, samples_s: &[f64]) -> Result<(), SimError> {
        let ticks_per_s = self.config.clock_unit.ticks_per_s();
        self.ticks.clear();
        self.values.clear();
        for (index, oscillator_s) in (first_index..).zip(samples_s) {
            self.ticks.push(self.clock.ticks_at_oscillator(*oscillator_s, ticks_per_s));
            let signal = &self.signal;
            let row = (0..self.config.channel_names.len()).map(|c| signal.value(index, c));
            self.values.extend(row);
        }
        self.encoder.encode(first_index, &self.ticks, &self.values, &mut self.datagram);
        if self.datagram.len() > LARGEST_DATAGRAM {
            return Err(SimError::DatagramTooLarge {
                device: self.config.name.clone(),
                bytes: self.datagram.len(),
                limit: LARGEST_DATAGRAM,
            });
        }
        Ok(())
    }

    fn count_datagram(&mut self, batch: &Batch, sent_s: f64, copies: usize, has_room: bool) {
        let report = &mut self.report;
        report.datagrams += 1;
        report.samples += batch.samples_s.len() as u64;
        report.worst_lateness_s = report.worst_lateness_s.max(sent_s - batch.due_host_s);
        match copies {
            0 => report.lost += 1,
            _ if !has_room => report.queue_full += 1,
            _ => {}
        }
    }

    fn log_samples(
        &mut self,
        first_index: u64,
        samples_s: &[f64],
        sent_host_s: f64,
        delivered: usize,
    ) -> Result<(), SimError> {
        let Some(truth) = &mut self.truth else { return Ok(()) };
        let rows = self.values.chunks_exact(self.config.channel_names.len().max(1));
        for (((index, oscillator_s), device_ticks), values) in
            (first_index..).zip(samples_s).zip(&self.ticks).zip(rows)
        {
            truth.sample(&SampleRow {
                index,
                sent_host_s,
                device_ticks: *device_ticks,
                device_time_s: self.clock.device_time_at_oscillator_s(*oscillator_s),
                delivered,
                values,
            })?;
        }
        Ok(())
    }

    /// Lets everything arrive that is due at `until_s`.
    async fn deliver_due(&mut self, until_s: f64) -> Result<(), SimError> {
        while let Some(item) = self.in_flight.pop_due(until_s) {
            match item {
                InFlight::Samples { first_index, second_copy, bytes } => {
                    self.hand_over(first_index, second_copy, &bytes).await;
                }
                InFlight::Request(asked) => self.answer(&asked).await?,
                InFlight::Reply { bytes, to } => self.send_reply(&bytes, to).await,
            }
        }
        Ok(())
    }

    /// A datagram of samples leaves the simulated network: hands it to the operating system.
    async fn hand_over(&mut self, first_index: u64, second_copy: bool, bytes: &[u8]) {
        if second_copy {
            self.report.duplicated += 1;
        } else if self.latest_delivered.is_some_and(|latest| first_index < latest) {
            self.report.reordered += 1;
        } else {
            self.latest_delivered = Some(first_index);
        }
        match socket::send(&self.socket, bytes, self.config.destination).await {
            Ok(()) => self.report.bytes += bytes.len() as u64,
            Err(error) => self.count_send_error(&error),
        }
    }

    /// A datagram has reached the exchange socket: sends it into the simulated downlink.
    async fn on_request(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        received_s: f64,
    ) -> Result<(), SimError> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let Some((asked, fate)) = server.accept(datagram, from, received_s) else {
            self.report.exchanges.ignored += 1;
            return Ok(());
        };
        self.report.exchanges.requests += 1;
        if fate.copies() == 0 {
            self.report.exchanges.requests_lost += 1;
            return self.log_exchange(&asked, None, 0);
        }
        for delay_s in fate.delays_s() {
            if *delay_s <= 0.0 {
                self.answer(&asked).await?;
            } else {
                self.push_in_flight(received_s + delay_s, InFlight::Request(asked.clone()));
            }
        }
        Ok(())
    }

    /// A request has reached the device: answers it and sends the reply into the uplink.
    async fn answer(&mut self, asked: &Asked) -> Result<(), SimError> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let answer = server.answer(&self.clock, &asked.request);
        let copies = answer.fate.copies();
        self.report.exchanges.answered += 1;
        if copies == 0 {
            self.report.exchanges.replies_lost += 1;
        }
        for delay_s in answer.fate.delays_s() {
            if *delay_s <= 0.0 {
                self.send_reply(&answer.reply, asked.from).await;
            } else {
                let item = InFlight::Reply { bytes: answer.reply.clone(), to: asked.from };
                self.push_in_flight(answer.times.t2_host_s + delay_s, item);
            }
        }
        self.log_exchange(asked, Some(answer.times), copies)
    }

    async fn send_reply(&mut self, reply: &[u8], to: SocketAddr) {
        let Some(server) = &self.server else { return };
        if let Err(error) = server.send(reply, to).await {
            self.count_send_error(&error);
        }
    }

    fn log_exchange(
        &mut self,
        asked: &Asked,
        answer: Option<ExchangeTimes>,
        reply_delivered: usize,
    ) -> Result<(), SimError> {
        let Some(truth) = &mut self.truth else { return Ok(()) };
        truth.exchange(&ExchangeRow {
            seq: asked.seq,
            t0: asked.request.t0_text(),
            answer,
            request_delivered: asked.copies,
            reply_delivered,
        })
    }

    fn push_in_flight(&mut self, due_s: f64, item: InFlight) {
        let bytes = match &item {
            InFlight::Samples { bytes, .. } | InFlight::Reply { bytes, .. } => bytes.len(),
            InFlight::Request(_) => std::mem::size_of::<Asked>(),
        };
        if self.in_flight.push(due_s, bytes, item).is_err() {
            self.report.queue_full += 1;
        }
    }

    fn count_send_error(&mut self, error: &io::Error) {
        if self.report.send_errors == 0 {
            let destination = self.config.destination;
            tracing::warn!(device = self.config.name, %destination, %error, "cannot send");
        }
        self.report.send_errors += 1;
    }

    /// Ends the run: what is in flight arrives, at the latest after [`DRAIN_S`] all at once.
    async fn drain(mut self) -> Result<DeviceReport, SimError> {
        let latest_s = now_s() + DRAIN_S;
        while let Some(due_s) = self.in_flight.next_due_s() {
            sleep_until(deadline(due_s.min(latest_s))).await;
            let now_s = now_s();
            self.deliver_due(if now_s >= latest_s { f64::INFINITY } else { now_s }).await?;
        }
        if let Some(truth) = &mut self.truth {
            truth.flush()?;
        }
        Ok(self.report)
    }
}
