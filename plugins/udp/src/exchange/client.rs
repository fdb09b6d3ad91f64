//! The thread's side of an exchange: send the question, wait for its answer, judge it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_platform::{UdpOptions, UdpReceiver, is_same_peer, local_for, monotonic_ns, seconds};
use lockstep_plugin_api::{Clock, Error, Exchange, Host, LogLevel, Stop};

use super::ledger::{Fate, Ledger};
use super::{echo, ntp};
use crate::counters::ExchangeCounters;
use crate::layout::{ExchangePlan, StampPlan};
use crate::options::ExchangeKind;
use crate::stamp::{JumpWatch, RawStamp, Timeline};
use lockstep_plugin_api::wrap;

/// How long to wait before looking whether the source is to stop.
const SLICE: Duration = Duration::from_millis(50);
/// Longest wait for an answer that was asked for before it was to stop.
const LAST_WAIT: Duration = Duration::from_millis(60);
/// Refused answers that are logged.
const LOGGED: u64 = 5;
/// How much longer the device may say it held a question than the round trip took, as a part of
/// it: its clock may run fast.
const HELD_TOLERANCE: f64 = 0.01;

/// Asks a device for its time.
#[derive(Debug)]
pub struct Client {
    receiver: UdpReceiver,
    plan: ExchangePlan,
    stamp: StampPlan,
    line: Arc<Mutex<Timeline>>,
    watch: JumpWatch,
    counters: Arc<Mutex<ExchangeCounters>>,
    ledger: Ledger,
    number: u32,
    random: RandomState,
}

/// Times of a device as an answer brings them.
#[derive(Debug, Clone, Copy)]
enum Times {
    Ticks(i64, i64),
    Seconds(f64, f64),
}

/// A packet that is an answer: the id of its question, and the times or why there are none.
struct Answer {
    id: u64,
    times: Result<Times, String>,
}

impl Client {
    /// Open a socket for exchanges by `plan`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(
        plan: ExchangePlan,
        stamp: StampPlan,
        line: Arc<Mutex<Timeline>>,
        counters: Arc<Mutex<ExchangeCounters>>,
    ) -> io::Result<Self> {
        Ok(Self {
            receiver: UdpReceiver::open(&UdpOptions::bind(local_for(plan.address)))?,
            plan,
            stamp,
            line,
            watch: JumpWatch::default(),
            counters,
            ledger: Ledger::default(),
            number: 0,
            random: RandomState::new(),
        })
    }

    /// One exchange. `None`: no answer in time.
    ///
    /// # Errors
    /// The question could not be sent, or the device asks not to be asked; the burst is over.
    pub fn exchange(
        &mut self,
        timeout: Duration,
        host: &Host,
        clock: &Clock,
        stop: &Stop,
    ) -> Result<Option<Exchange>, Error> {
        let t0_ns = self.ask()?;
        let wait_ns = |wait: Duration| i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
        let mut buffer = [0; 512];
        loop {
            let wait = if stop.is_set() { timeout.min(LAST_WAIT) } else { timeout };
            let left_ns = wait_ns(wait).saturating_sub(monotonic_ns().saturating_sub(t0_ns));
            let Ok(left) = u64::try_from(left_ns) else { return Ok(None) };
            let left = Duration::from_nanos(left).min(SLICE);
            let Some(datagram) = self.receiver.receive(&mut buffer, left)? else { continue };
            let packet = buffer.get(..datagram.len).unwrap_or_default();
            let t3_ns = datagram.arrival_ns;
            match self.judge(packet, datagram.from, t0_ns, t3_ns) {
                Ok(Some((t1_s, t2_s, reset))) => {
                    if let Some(reason) = reset {
                        clock.reset(&reason)?;
                    }
                    return Ok(Some(Exchange { t0_s: seconds(t0_ns), t1_s, t2_s, t3_s: seconds(t3_ns) }));
                }
                Ok(None) => {}
                Err(reason) => {
                    self.log_refused(host, &reason);
                    return Err(Error::io(reason));
                }
            }
        }
    }

    /// Send a question; when.
    fn ask(&mut self) -> Result<i64, Error> {
        self.number = self.number.wrapping_add(1);
        let t0_ns;
        let sent = if self.plan.kind == ExchangeKind::Ntp {
            let mut hasher = self.random.build_hasher();
            hasher.write_u32(self.number);
            let cookie = hasher.finish();
            self.ledger.ask(cookie);
            let packet = ntp::question(cookie);
            t0_ns = monotonic_ns();
            self.receiver.socket().send_to(&packet, self.plan.address)
        } else {
            self.ledger.ask(self.number.into());
            t0_ns = monotonic_ns();
            self.receiver.socket().send_to(&echo::question(self.number, seconds(t0_ns)), self.plan.address)
        };
        sent.map_err(|e| Error::io(format!("cannot ask {} for its time: {e}", self.plan.address)))?;
        self.count(|counters| counters.sent += 1);
        Ok(t0_ns)
    }

    /// A question that is not sent: its id.
    pub(super) fn expect_for_fuzzing(&mut self) -> u64 {
        self.number = self.number.wrapping_add(1);
        self.ledger.ask(self.number.into());
        self.number.into()
    }

    /// What a packet is: the device's times if it is the awaited answer and fit to be used, and
    /// the reason if its clock started a new time line; `None` if it is to be passed over.
    ///
    /// # Errors
    /// It is the awaited answer, and not to be used.
    pub(super) fn judge(
        &mut self,
        packet: &[u8],
        from: SocketAddr,
        t0_ns: i64,
        t3_ns: i64,
    ) -> Result<Option<(f64, f64, Option<String>)>, String> {
        let answer = if is_same_peer(from, self.plan.address) { parse(self.plan.kind, packet) } else { None };
        let fate = answer.as_ref().map_or(Fate::Unknown, |answer| self.ledger.answer(answer.id));
        let times = match (fate, answer) {
            (Fate::Awaited, Some(answer)) => answer.times,
            (Fate::Late, _) => return self.pass(|counters| counters.late += 1),
            (Fate::Duplicate, _) => return self.pass(|counters| counters.duplicate += 1),
            (_, _) => return self.pass(|counters| counters.foreign += 1),
        };
        let placed = times.and_then(|times| {
            self.check(times, t0_ns, t3_ns)?;
            Ok(self.place(times, t3_ns))
        });
        self.count(|counters| match placed {
            Ok(_) => counters.answered += 1,
            Err(_) => counters.rejected += 1,
        });
        placed.map(Some)
    }

    /// Times that cannot be true are found before they touch the time line.
    fn check(&self, times: Times, t0_ns: i64, t3_ns: i64) -> Result<(), String> {
        let bits = self.stamp.bits;
        let held_s = match times {
            Times::Seconds(t1_s, t2_s) => t2_s - t1_s,
            Times::Ticks(t1, t2) if wrap::fits(t1, bits) && wrap::fits(t2, bits) => {
                let held = wrap::nearest(t2, t1, bits).saturating_sub(t1);
                lockstep_platform::ticks_as_seconds(held, self.stamp.ticks_per_s)
            }
            Times::Ticks(t1, t2) => {
                return Err(format!("it says {t1} and {t2}, which is no counter of {bits} bits"));
            }
        };
        // A device cannot have held a question for longer than the round trip took.
        let round_trip_s = t3_ns.saturating_sub(t0_ns) as f64 / 1e9;
        let most_s = round_trip_s * (1.0 + HELD_TOLERANCE) + 2.0 * self.stamp.resolution_s + 1e-6;
        if round_trip_s >= 0.0 && (0.0..=most_s).contains(&held_s) {
            return Ok(());
        }
        Err(format!("it says it held the question for {held_s} s; the round trip took {round_trip_s} s"))
    }

    /// The times on the time line of the samples, and why that starts anew, if it does.
    fn place(&mut self, times: Times, t3_ns: i64) -> (f64, f64, Option<String>) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let on_line = |line: &mut Timeline| match times {
            Times::Seconds(t1_s, t2_s) => (t1_s, t2_s),
            Times::Ticks(t1, t2) => {
                let t1_s = line.place_s(RawStamp::Ticks(t1), t3_ns);
                (t1_s, line.place_s(RawStamp::Ticks(t2), t3_ns))
            }
        };
        let (mut t1_s, mut t2_s) = on_line(&mut line);
        let jump_s = self.watch.check(t1_s, t2_s, t3_ns, line.epoch());
        if jump_s.is_some() {
            line.restart();
            self.watch.forget(line.epoch());
            (t1_s, t2_s) = on_line(&mut line);
        }
        self.watch.see(t2_s, t3_ns);
        (t1_s, t2_s, jump_s.map(|jump_s| format!("the device's clock jumped by {jump_s:+.3} s")))
    }

    fn pass<T>(&self, change: impl FnOnce(&mut ExchangeCounters)) -> Result<Option<T>, String> {
        self.count(change);
        Ok(None)
    }

    fn count(&self, change: impl FnOnce(&mut ExchangeCounters)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn log_refused(&self, host: &Host, reason: &str) {
        let rejected = self.counters.lock().unwrap_or_else(PoisonError::into_inner).rejected;
        if rejected <= LOGGED {
            host.log(LogLevel::Warn, &format!("clock answer of {} is not used: {reason}", self.plan.address));
        }
    }
}

fn parse(kind: ExchangeKind, packet: &[u8]) -> Option<Answer> {
    if kind == ExchangeKind::Ntp {
        let answer = ntp::answer(packet)?;
        let times = answer.times_s.map(|(t1_s, t2_s)| Times::Seconds(t1_s, t2_s));
        return Some(Answer { id: answer.origin, times });
    }
    let answer = echo::answer(packet)?;
    Some(Answer { id: answer.number.into(), times: Ok(Times::Ticks(answer.t1, answer.t2)) })
}

#[cfg(test)]
mod tests;
