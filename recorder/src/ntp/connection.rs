//! Asking one server at one address: its socket, the open questions, bursts.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use lockstep_clock::Exchange;
use lockstep_platform::{
    Datagram, UdpOptions, UdpReceiver, is_same_peer, local_for, monotonic_and_utc_ns, monotonic_ns,
};

use super::answer::{self, Refusal, judge};
use super::ledger::{Fate, Ledger};
use super::manners::Manners;
use super::packet::Packet;

/// How long to wait for an answer.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// How long to wait before looking whether it is to stop.
const SLICE: Duration = Duration::from_millis(10);
/// How long the burst at the stop may take.
const LAST_BURST: Duration = Duration::from_millis(50);
/// Room for a packet. Extensions are cut off and not missed.
const BUFFER_BYTES: usize = 512;

/// Says when to stop: for ever, once the other end of its channel is gone.
#[derive(Debug, Clone)]
pub struct Stop(pub Receiver<()>);

impl Stop {
    /// Whether it is to stop.
    pub fn is_set(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Wait, at most for `time`; whether it is to stop.
    pub fn wait(&self, time: Duration) -> bool {
        !matches!(self.0.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

/// What was counted of packets, over all servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Questions that were sent.
    pub asked: u64,
    /// Answers that are exchanges now.
    pub answered: u64,
    /// Answers that may not be used.
    pub refused: u64,
    /// Questions without an answer in time.
    pub unanswered: u64,
    /// Answers after that.
    pub late: u64,
    /// Second answers to one question.
    pub duplicate: u64,
    /// Packets of the server that answer no question of ours.
    pub unasked: u64,
    /// Packets of others.
    pub foreign: u64,
    /// Exchanges whose arrival was not stamped by the kernel.
    pub stamped_late: u64,
}

/// What a burst brought.
#[derive(Debug, Default)]
pub struct Burst {
    /// The exchanges.
    pub exchanges: Vec<Exchange>,
    /// The newest answer that may be used.
    pub packet: Option<Packet>,
    /// Why the newest answer that may not be used may not.
    pub refusal: Option<Refusal>,
    /// What the system refused.
    pub error: Option<String>,
}

/// A socket to one address.
#[derive(Debug)]
pub struct Connection {
    /// The server's.
    pub address: SocketAddr,
    /// How often it may be asked.
    pub manners: Manners,
    receiver: UdpReceiver,
    ledger: Ledger,
    last_asked_ns: Option<i64>,
}

impl Connection {
    /// Open a socket for questions to `address`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(address: SocketAddr, manners: Manners) -> io::Result<Self> {
        let receiver = UdpReceiver::open(&UdpOptions::bind(local_for(address)))?;
        Ok(Self { address, manners, receiver, ledger: Ledger::default(), last_asked_ns: None })
    }

    /// One burst; shorter when it is to stop, or the server refuses.
    pub fn burst(&mut self, stop: &Stop, counts: &mut Counts) -> Burst {
        let mut burst = Burst::default();
        let (mut sent, mut next) = (0, Instant::now());
        while !stop.is_set() && burst.error.is_none() {
            if matches!(burst.refusal, Some(Refusal::Kiss { .. })) {
                break;
            }
            let now = Instant::now();
            if sent < self.manners.probes() && now >= next {
                if let Err(e) = self.ask(counts) {
                    burst.error = Some(e.to_string());
                    break;
                }
                sent += 1;
                next = now + self.manners.gap(unit());
                continue;
            }
            self.give_up(ANSWER_WAIT, counts);
            let all_sent = sent >= self.manners.probes();
            if all_sent && self.ledger.open() == 0 {
                break;
            }
            let wait = if all_sent { SLICE } else { next.saturating_duration_since(now).min(SLICE) };
            self.receive(wait, counts, &mut burst);
        }
        burst
    }

    /// What can still be asked and answered before the source has to have stopped: a few questions,
    /// each as soon as the one before is answered, and the answers still on their way.
    pub fn last_burst(&mut self, counts: &mut Counts) -> Burst {
        let mut burst = Burst::default();
        let begun = Instant::now();
        let idle_s = self
            .last_asked_ns
            .map_or(f64::INFINITY, |asked_ns| lockstep_platform::seconds(monotonic_ns() - asked_ns));
        let probes = self.manners.last_probes(idle_s);
        let open_before = self.ledger.open();
        let mut sent = 0;
        while let Some(left) = LAST_BURST.checked_sub(begun.elapsed()) {
            if sent < probes && (sent == 0 || self.ledger.open() <= open_before) {
                if let Err(e) = self.ask(counts) {
                    burst.error = Some(e.to_string());
                    break;
                }
                sent += 1;
            }
            let refused = burst.refusal.is_some() || burst.error.is_some();
            if refused || (sent >= probes && self.ledger.open() == 0) {
                break;
            }
            self.receive(left.min(SLICE), counts, &mut burst);
        }
        self.give_up(Duration::ZERO, counts);
        burst
    }

    fn ask(&mut self, counts: &mut Counts) -> io::Result<()> {
        let nonce = nonce();
        let packet = Packet::question(nonce).encode();
        let t0_ns = monotonic_ns();
        self.receiver.socket().send_to(&packet, self.address)?;
        self.ledger.ask(nonce, t0_ns);
        self.last_asked_ns = Some(t0_ns);
        counts.asked += 1;
        Ok(())
    }

    fn give_up(&mut self, after: Duration, counts: &mut Counts) {
        let after_ns = i64::try_from(after.as_nanos()).unwrap_or(i64::MAX);
        counts.unanswered += self.ledger.give_up(monotonic_ns().saturating_sub(after_ns));
    }

    fn receive(&mut self, wait: Duration, counts: &mut Counts, burst: &mut Burst) {
        let mut buffer = [0; BUFFER_BYTES];
        match self.receiver.receive(&mut buffer, wait) {
            Ok(None) => {}
            Ok(Some(datagram)) => {
                let bytes = buffer.get(..datagram.len).unwrap_or_default();
                self.take(bytes, &datagram, counts, burst);
            }
            Err(e) => burst.error = Some(e.to_string()),
        }
    }

    /// A datagram came: what it is, in the order in which a stranger could not get through.
    fn take(&mut self, bytes: &[u8], datagram: &Datagram, counts: &mut Counts, burst: &mut Burst) {
        if !is_same_peer(datagram.from, self.address) {
            counts.foreign += 1;
            return;
        }
        let Some(packet) = Packet::decode(bytes).filter(answer::is_answer) else {
            counts.unasked += 1;
            return;
        };
        let t0_ns = match self.ledger.answer(packet.origin) {
            Fate::Awaited { t0_ns } => t0_ns,
            Fate::Late => return counts.late += 1,
            Fate::Duplicate => return counts.duplicate += 1,
            Fate::Unknown => return counts.unasked += 1,
        };
        let (_, utc_ns) = monotonic_and_utc_ns();
        match judge(&packet, t0_ns, datagram.arrival_ns, lockstep_platform::seconds(utc_ns)) {
            Ok(exchange) => {
                counts.answered += 1;
                counts.stamped_late += u64::from(!datagram.kernel_stamped);
                burst.exchanges.push(exchange);
                burst.packet = Some(packet);
            }
            Err(refusal) => {
                counts.refused += 1;
                burst.refusal = Some(refusal);
            }
        }
    }
}

/// A number that nobody can guess, and never 0, for that means "no time".
fn nonce() -> u64 {
    // Of its 128 bits 122 are random, and each of the folded 64 has a random one in it.
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    (high ^ low.rotate_left(32)).max(1)
}

/// A number from 0 to 1, at random.
pub fn unit() -> f64 {
    (nonce() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
