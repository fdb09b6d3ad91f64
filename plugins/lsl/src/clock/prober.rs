//! The thread that asks: sockets, and the time at which questions leave and answers arrive.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use lockstep_platform::{UdpOptions, UdpReceiver, monotonic_ns, seconds};
use lockstep_plugin_api::{Clock, Corridor, Error, Exchange, Host, LogLevel, ProbeSettings, Stop};

pub use super::rounds::Counters;
use super::rounds::{Burst, Rounds, Whose};
use super::wire;

/// Longest wait for an answer before looking at the orders and the stop.
const POLL_S: f64 = 0.05;
/// Longest time for the last burst.
const LAST_S: f64 = 0.15;

/// What the prober is told.
#[derive(Debug)]
pub enum Order {
    /// Look at the clock of an outlet; answered by [`Report::Looked`].
    Look {
        /// Comes back.
        token: u64,
        /// Its time service.
        at: SocketAddr,
    },
    /// A clock of the recording can be asked at these addresses; none: not now.
    Measure {
        /// Its number; comes back.
        number: usize,
        /// The recorder's handle.
        clock: Clock,
        /// Time services that have this clock.
        members: Vec<SocketAddr>,
    },
}

/// What the prober tells.
#[derive(Debug)]
pub enum Report {
    /// A look is over.
    Looked {
        /// As in the order.
        token: u64,
        /// What was measured; nothing when there was no answer.
        exchanges: Vec<Exchange>,
    },
    /// A clock was measured (`None`: nobody answered).
    Measured {
        /// As in the order.
        number: usize,
        /// Where its offset must be.
        corridor: Option<Corridor>,
    },
}

/// Asks outlets for their time.
#[derive(Debug)]
pub struct Prober {
    v4: UdpReceiver,
    v6: Option<UdpReceiver>,
    rounds: Rounds,
    clocks: Vec<Option<Asked>>,
}

/// A clock of the recording, as the prober knows it.
#[derive(Debug, Clone, Copy)]
struct Asked {
    clock: Clock,
    /// Where it was last.
    corridor: Option<Corridor>,
}

impl Asked {
    /// Record what a burst brought; when the clock has jumped since the one before, that comes first.
    fn record(&mut self, host: Host, exchanges: &[Exchange]) -> Result<(), Error> {
        let now = Corridor::new(exchanges, 0.0);
        if let Some(jump_s) = self.corridor.zip(now).and_then(|(before, now)| now.jump_s(&before)) {
            let text =
                format!("it has jumped by {jump_s:+.3} s while its outlet went on; was its machine asleep?");
            self.clock.reset(&text)?;
            host.log(LogLevel::Warn, &format!("the clock of a machine: {text}"));
        }
        self.corridor = now.filter(Corridor::is_possible).or(self.corridor);
        // A burst for which there was no room is counted by the recorder.
        let _ = self.clock.push_exchanges(exchanges)?;
        Ok(())
    }
}

impl Prober {
    /// Open the sockets.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(settings: ProbeSettings) -> io::Result<Self> {
        let v4 = UdpReceiver::open(&UdpOptions::bind((Ipv4Addr::UNSPECIFIED, 0).into()))?;
        // A machine without IPv6 has no outlets there either.
        let v6 = UdpReceiver::open(&UdpOptions::bind((Ipv6Addr::UNSPECIFIED, 0).into())).ok();
        let first_id = (RandomState::new().hash_one(0u8) & 0x3fff_ffff) as i32;
        Ok(Self { v4, v6, rounds: Rounds::new(settings, first_id), clocks: Vec::new() })
    }

    /// Until the stop, and then a last burst. What was counted.
    ///
    /// # Errors
    /// Those of pushing.
    pub fn run(
        mut self,
        host: Host,
        stop: &Stop,
        orders: &Receiver<Order>,
        reports: &Sender<Report>,
    ) -> Result<Counters, Error> {
        let mut failed = false;
        let mut told = |error: &io::Error| {
            if !std::mem::replace(&mut failed, true) {
                host.log(LogLevel::Warn, &format!("clock exchanges: {error}"));
            }
        };
        while !stop.is_set() {
            for order in orders.try_iter() {
                self.take(order);
            }
            if let Err(error) = self.step(POLL_S) {
                told(&error);
                stop.wait_s(POLL_S);
            }
            self.report(host, reports)?;
        }
        let begun_s = now_s();
        self.rounds.last(begun_s);
        while self.rounds.is_busy() && now_s() - begun_s < LAST_S {
            if let Err(error) = self.step(0.005) {
                told(&error);
                break;
            }
            self.report(host, reports)?;
        }
        Ok(self.rounds.counters)
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Look { token, at } => self.rounds.look(token, at, now_s()),
            Order::Measure { number, clock, members } => {
                if self.clocks.len() <= number {
                    self.clocks.resize(number + 1, None);
                }
                if let Some(slot) = self.clocks.get_mut(number) {
                    // Whoever comes back has been looked at before.
                    let corridor = slot.and_then(|asked| asked.corridor).filter(|_| !members.is_empty());
                    *slot = Some(Asked { clock, corridor });
                }
                self.rounds.measure(number, members, now_s());
            }
        }
    }

    /// Ask what is due, then wait for answers until the next thing is due, `longest_s` at the most.
    fn step(&mut self, longest_s: f64) -> io::Result<()> {
        while let Some((id, to)) = self.rounds.next_question(now_s()) {
            let socket = match (to, &self.v6) {
                (SocketAddr::V6(_), Some(v6)) => v6.socket(),
                _ => self.v4.socket(),
            };
            // Text takes a microsecond to make, so the time is read again when it is made.
            let packet = wire::question(id, now_s());
            let t0_s = now_s();
            match socket.send_to(&packet, to) {
                Ok(_) => self.rounds.asked_at(id, t0_s),
                // An outlet that is gone, a network that is down: nothing was measured.
                Err(_) => self.rounds.not_sent(id),
            }
        }
        let wait_s = (self.rounds.due_s() - now_s()).clamp(0.0, longest_s);
        let wait = Duration::try_from_secs_f64(wait_s).unwrap_or_default();
        let mut buffer = [0; 512];
        let (v4_wait, v6_wait) = match &self.v6 {
            // Both sockets are waited for in turn; outlets on IPv6 alone are rare.
            Some(_) if self.rounds.asks_v6() => {
                (wait.min(Duration::from_millis(1)), wait.min(Duration::from_millis(1)))
            }
            _ => (wait, Duration::ZERO),
        };
        let mut received = self.v4.receive(&mut buffer, v4_wait)?;
        while let Some(datagram) = received {
            self.judge(&buffer, &datagram);
            received = self.v4.receive(&mut buffer, Duration::ZERO)?;
        }
        if self.rounds.asks_v6() {
            while let Some(datagram) =
                self.v6.as_mut().map(|v6| v6.receive(&mut buffer, v6_wait)).transpose()?.flatten()
            {
                self.judge(&buffer, &datagram);
            }
        }
        Ok(())
    }

    fn judge(&mut self, buffer: &[u8], datagram: &lockstep_platform::Datagram) {
        match wire::answer(buffer.get(..datagram.len).unwrap_or_default()) {
            Some(answer) => self.rounds.answer(answer, datagram.from, seconds(datagram.arrival_ns)),
            None => self.rounds.counters.unasked += 1,
        }
    }

    fn report(&mut self, host: Host, reports: &Sender<Report>) -> Result<(), Error> {
        for Burst { whose, exchanges } in self.rounds.finished(now_s()) {
            let report = match whose {
                Whose::Look(token) => Report::Looked { token, exchanges },
                Whose::Clock(number) => {
                    if let (Some(Some(asked)), false) = (self.clocks.get_mut(number), exchanges.is_empty()) {
                        asked.record(host, &exchanges)?;
                    }
                    Report::Measured { number, corridor: Corridor::new(&exchanges, 0.0) }
                }
            };
            // The reader is gone at the end only.
            let _ = reports.try_send(report);
        }
        Ok(())
    }
}

fn now_s() -> f64 {
    seconds(monotonic_ns())
}

/// Look at the clocks of `outlets` once, without a recording: the exchanges of each, in order.
///
/// # Errors
/// Those of the system.
pub fn look(outlets: &[Option<SocketAddr>], longest: Duration) -> io::Result<Vec<Vec<Exchange>>> {
    let mut prober = Prober::new(ProbeSettings::default())?;
    let begun_s = now_s();
    for (token, at) in (0u64..).zip(outlets) {
        if let Some(at) = *at {
            prober.rounds.look(token, at, now_s());
        }
    }
    let mut found = vec![Vec::new(); outlets.len()];
    while prober.rounds.is_busy() && now_s() - begun_s < longest.as_secs_f64() {
        prober.step(POLL_S)?;
        for Burst { whose, exchanges } in prober.rounds.finished(now_s()) {
            if let Whose::Look(token) = whose
                && let Some(slot) = usize::try_from(token).ok().and_then(|at| found.get_mut(at))
            {
                *slot = exchanges;
            }
        }
    }
    Ok(found)
}
