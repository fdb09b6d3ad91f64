//! The thread `lsl-streams`: owns every connection, and waits for none of them.

mod clocks;
mod slot;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use lockstep_plugin_api::{Error, Exchange, Host, LogLevel, State, Stop};
use mio::{Events, Poll, Token};
use serde_json::{Value, json};

use self::clocks::Clocks;
use self::slot::{Link, Look, Slot, Stage};
use crate::clock::{Corridor, Order, Report};
use crate::connection::{Connection, Got};
use crate::decode::Unreadable;
use crate::describe;
use crate::discovery::Wave;
use crate::handshake::Handshake;
use crate::options::Selection;
use crate::recorded::Recorded;
use crate::registry::{News, Registry};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;
/// Bytes read of one stream before the others have their turn.
const TURN_BYTES: usize = 4 << 20;
/// Longest pause between two rounds: stamps are the outlets', so nothing is gained by reading sooner.
const LONGEST_PAUSE: Duration = Duration::from_millis(40);
/// A pause as long as it takes one stream to bring this much: what a connection holds at least.
const PAUSE_BYTES: usize = 64 << 10;
/// Pause while connections are being made.
const BUSY_PAUSE: Duration = Duration::from_millis(4);
/// The network is asked often for a stream that was lost, for so long.
const HURRY: Duration = Duration::from_secs(60);
/// An outlet that has not answered by now is told of.
const ANSWER_S: f64 = 3.0;
/// One that has not answered by now is tried again.
const GIVE_UP_S: f64 = 6.0;
/// Rounds at the end, so that what was sent before the stop is read, and the time between them.
const LAST_ROUNDS: (u32, Duration) = (3, Duration::from_millis(10));

/// What the threads have in common.
#[derive(Debug)]
pub struct Wires {
    /// From `lsl-discovery`.
    pub waves: Receiver<Wave>,
    /// Whether it should hurry.
    pub hurry: Arc<AtomicBool>,
    /// To `lsl-clock`.
    pub orders: Sender<Order>,
    /// From it.
    pub reports: Receiver<Report>,
}

/// All streams of a source.
pub struct Hub {
    host: Host,
    poll: Poll,
    wires: Wires,
    registry: Registry,
    slots: Vec<Slot>,
    clocks: Clocks,
    /// Whose clock a look is at.
    looks: HashMap<u64, usize>,
    last_look: u64,
    /// This machine's name, as feeds are asked for.
    hostname: String,
    buffer: Vec<u8>,
    told: (Option<State>, String),
}

impl Hub {
    /// For the streams that `selections` describe.
    ///
    /// # Errors
    /// The system has no means to watch connections.
    pub fn new(host: Host, selections: Vec<Selection>, wires: Wires) -> io::Result<Self> {
        Ok(Self {
            host,
            poll: Poll::new()?,
            clocks: Clocks::new(host, wires.orders.clone()),
            wires,
            registry: Registry::new(selections),
            slots: Vec::new(),
            looks: HashMap::new(),
            last_look: 0,
            hostname: lockstep_platform::hostname(),
            buffer: vec![0; READ_BYTES],
            told: (None, String::new()),
        })
    }

    /// Until the stop.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn run(mut self, stop: &Stop) -> Result<(), Error> {
        let mut events = Events::with_capacity(1024);
        let (mut pause, mut last) = (BUSY_PAUSE, Instant::now());
        while !stop.wait(pause) {
            while let Ok(wave) = self.wires.waves.try_recv() {
                self.network(&wave)?;
            }
            while let Ok(report) = self.wires.reports.try_recv() {
                self.report(report)?;
            }
            self.links()?;
            let most = self.round(&mut events)?;
            self.tell();
            pause = self.pause(most, last.elapsed());
            last = Instant::now();
        }
        let (rounds, between) = LAST_ROUNDS;
        for _ in 0..rounds {
            self.round(&mut events)?;
            std::thread::sleep(between);
        }
        self.slots.iter_mut().filter_map(|s| s.recorded.as_mut()).try_for_each(Recorded::end)
    }

    /// How long to wait, when in `took` one stream brought `most_bytes`.
    fn pause(&self, most_bytes: usize, took: Duration) -> Duration {
        let busy = self.slots.iter().any(|slot| !matches!(slot.link, Link::Gone) && !slot.is_streaming());
        let longest = if busy { BUSY_PAUSE } else { LONGEST_PAUSE };
        match u32::try_from(most_bytes) {
            Ok(0) => longest,
            // A whole buffer: there may be more.
            _ if most_bytes >= READ_BYTES => Duration::ZERO,
            Ok(most) => longest.min(took.saturating_mul(PAUSE_BYTES as u32) / most),
            Err(_) => Duration::ZERO,
        }
    }

    /// What the network shows.
    fn network(&mut self, wave: &Wave) -> Result<(), Error> {
        let was_full = self.registry.is_full();
        for news in self.registry.take(wave) {
            match news {
                News::New(number) => {
                    self.slots.push(Slot::new());
                    let Some(entry) = self.registry.entries.get(number) else { continue };
                    if entry.outlet.source_id.is_empty() {
                        let text = format!(
                            "{}: it has no source_id, so it cannot be found again when its outlet restarts; \
                             give it one where it is made",
                            entry.label
                        );
                        self.host.log(LogLevel::Warn, &text);
                    }
                    self.look(number)?;
                }
                News::Continued(number, _) => {
                    self.lose(number, "its outlet was replaced by another")?;
                    if let Some(slot) = self.slots.get_mut(number) {
                        if slot.recorded.is_none() {
                            slot.close(self.poll.registry());
                            slot.description = None;
                        }
                        slot.retry_now();
                    }
                    self.look(number)?;
                }
                News::Seen(number) => {
                    if let Some(slot) = self.slots.get_mut(number).filter(|s| matches!(s.link, Link::Gone)) {
                        slot.retry_now();
                    }
                }
            }
        }
        if self.registry.is_full() && !was_full {
            let most = crate::registry::MAX_STREAMS;
            self.host
                .log(LogLevel::Error, &format!("more than {most} streams fit; the others are not recorded"));
        }
        Ok(())
    }

    /// Have the clock of a stream's outlet looked at.
    fn look(&mut self, number: usize) -> Result<(), Error> {
        let (Some(entry), Some(slot)) = (self.registry.entries.get(number), self.slots.get_mut(number))
        else {
            return Ok(());
        };
        self.last_look += 1;
        self.looks.retain(|_, of| *of != number);
        slot.look = Look::Waiting(Instant::now());
        if let Some(at) = entry.outlet.time_service {
            self.looks.insert(self.last_look, number);
            self.clocks.look(self.last_look, at);
        } else {
            self.looked(number, Vec::new())?;
        }
        Ok(())
    }

    fn report(&mut self, report: Report) -> Result<(), Error> {
        match report {
            Report::Measured { number, corridor } => self.clocks.seen(number, corridor),
            Report::Looked { token, exchanges } => {
                let Some(number) = self.looks.remove(&token) else { return Ok(()) };
                self.looked(number, exchanges)?;
            }
        }
        Ok(())
    }

    fn looked(&mut self, number: usize, exchanges: Vec<Exchange>) -> Result<(), Error> {
        let Some(slot) = self.slots.get_mut(number) else { return Ok(()) };
        match slot.recorded.as_ref().map(|r| r.clock) {
            None => slot.look = Look::Done(exchanges),
            Some(clock) => {
                slot.look = Look::Done(Vec::new());
                self.compare_clock(number, clock, &exchanges)?;
            }
        }
        self.record_if_ready(number)?;
        self.update_clocks();
        Ok(())
    }

    /// A stream has another outlet: is its clock still the one it was?
    fn compare_clock(&mut self, number: usize, clock: usize, looked: &[Exchange]) -> Result<(), Error> {
        let Some(entry) = self.registry.entries.get(number) else { return Ok(()) };
        let (now, before) = (Corridor::new(looked), self.clocks.get(clock).and_then(|c| c.corridor));
        let shift = match (before, now) {
            (Some(before), Some(now)) if before.agrees(&now) => return self.clocks.measured(clock, looked),
            (None, None) => return Ok(()),
            (None, Some(_)) => "the clock before could not be measured".to_owned(),
            (Some(before), Some(now)) => {
                format!("its clock is off by {:+.6} s against before", before.middle_s() - now.middle_s())
            }
            (Some(_), None) => "its time service does not answer, so its clock may be another".to_owned(),
        };
        // One that the network does not show any more only seems to be there.
        let others = self.slots.iter().zip(&self.registry.entries).enumerate().any(|(n, (slot, other))| {
            let is_there = n != number && slot.is_streaming() && other.missed == 0;
            is_there && slot.recorded.as_ref().is_some_and(|r| r.clock == clock)
        });
        let reason = format!("{} has another outlet ({}); {shift}", entry.label, entry.outlet.hostname);
        if !others {
            self.clocks.reset(clock, &reason)?;
            return self.clocks.measured(clock, looked);
        }
        if now.is_none() {
            // The machine's clock goes on being measured by its other outlets.
            self.host.log(
                LogLevel::Warn,
                &format!("{reason}; it is taken for that of its machine's other streams"),
            );
            return Ok(());
        }
        // Others are still stamped by that clock, so this stream goes on as a stream of its own.
        self.host.log(LogLevel::Warn, &format!("{reason}: it goes on as a stream of its own"));
        let outlet = entry.outlet.clone();
        let label = self.registry.new_label(&outlet);
        if let Some(entry) = self.registry.entries.get_mut(number) {
            entry.label = label;
        }
        if let Some(slot) = self.slots.get_mut(number) {
            if let Some(mut recorded) = slot.recorded.take() {
                recorded.finish("it goes on as another stream, for its clock is another");
            }
            // Its description is another as well.
            slot.close(self.poll.registry());
            (slot.look, slot.description) = (Look::Done(looked.to_vec()), None);
        }
        Ok(())
    }

    /// Add the stream to the recording when all that its header needs is known.
    fn record_if_ready(&mut self, number: usize) -> Result<(), Error> {
        let (Some(entry), Some(slot)) = (self.registry.entries.get(number), self.slots.get_mut(number))
        else {
            return Ok(());
        };
        let (None, Some(description), Look::Done(looked)) = (&slot.recorded, &slot.description, &slot.look)
        else {
            return Ok(());
        };
        if let Some(changed) = description.changed {
            self.host.log(LogLevel::Warn, &format!("{}: its description: {changed}", entry.label));
        }
        let clock = match self.clocks.of(&entry.outlet, looked) {
            Ok(clock) => clock,
            Err(Error::NotRunning) => return Err(Error::NotRunning),
            Err(error) => {
                slot.warn(self.host, &entry.label, &format!("the recorder refuses its clock: {error}"));
                slot.retry_later();
                return Ok(());
            }
        };
        let Some(shared) = self.clocks.get(clock) else { return Ok(()) };
        let is_required = self.registry.is_required(entry);
        let header = &description.inside;
        let stream = match slot::add_stream(self.host, entry, is_required, header, &shared.handle()) {
            Ok(stream) => stream,
            Err(Error::NotRunning) => return Err(Error::NotRunning),
            Err(error) => {
                let plain = describe::announced(&entry.outlet);
                if plain.inside == description.inside {
                    slot.refused(&format!("the recorder refuses it: {error}"));
                    return Ok(());
                }
                // A description that cannot be kept must not cost the samples.
                let text = format!("{}: its description cannot be kept ({error})", entry.label);
                self.host.log(LogLevel::Warn, &text);
                slot.description = Some(plain);
                return self.record_if_ready(number);
            }
        };
        slot.recorded = Some(Recorded::new(stream, &entry.label, clock, &entry.outlet.uid));
        slot.look = Look::Done(Vec::new());
        slot.retry_now();
        Ok(())
    }

    /// Which time services can be asked now, of each clock.
    fn update_clocks(&mut self) {
        let mut members = vec![Vec::new(); self.clocks.len()];
        for (slot, entry) in self.slots.iter().zip(&self.registry.entries) {
            if let (Some(recorded), true, Some(at)) =
                (&slot.recorded, slot.is_streaming() && slot.look.is_done(), entry.outlet.time_service)
                && let Some(members) = members.get_mut(recorded.clock)
            {
                members.push(at);
            }
        }
        for (number, members) in members.into_iter().enumerate() {
            self.clocks.ask_at(number, members);
        }
    }

    /// Open what is to be opened, give up what does not answer.
    fn links(&mut self) -> Result<(), Error> {
        for number in 0..self.slots.len() {
            if self.slots.get(number).is_some_and(|slot| slot.look.is_lost()) {
                self.looks.retain(|_, of| *of != number);
                self.looked(number, Vec::new())?;
            }
            let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get(number))
            else {
                continue;
            };
            match &slot.link {
                Link::Idle { .. } if entry.is_out_of_sight() => slot.link = Link::Gone,
                Link::Idle { retry } if *retry <= Instant::now() => self.connect(number),
                Link::Open { connection, stage } if !matches!(stage, Stage::Streaming(_)) => {
                    let waited_s = connection.opened.elapsed().as_secs_f64();
                    if waited_s > ANSWER_S {
                        let text =
                            "it is on the network, but its outlet does not answer; is a firewall between?";
                        slot.warn(self.host, &entry.label, text);
                    }
                    if waited_s > GIVE_UP_S {
                        self.lose(number, "its outlet does not answer")?;
                    }
                }
                Link::Open { stage: Stage::Streaming(_), .. } => slot.expect_samples(self.host, entry),
                _ => {}
            }
        }
        Ok(())
    }

    fn connect(&mut self, number: usize) {
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get(number))
        else {
            return;
        };
        let (stage, request) = if slot.recorded.is_some() {
            let (handshake, request) = Handshake::new(&entry.outlet, &self.hostname);
            (Stage::Opening(Box::new(handshake)), request)
        } else if slot.description.is_none() {
            (Stage::Describing(Vec::new()), describe::REQUEST.to_vec())
        } else {
            return slot.retry_later();
        };
        let opened = match entry.outlet.data {
            Some(at) => Connection::open(at, request, self.poll.registry(), Token(number)),
            None => Err(io::Error::other("it does not say where its data are")),
        };
        match opened {
            Ok(connection) => slot.link = Link::Open { connection, stage },
            Err(error) => slot.failed(&format!("cannot connect: {error}")),
        }
    }

    /// Look at all connections, and read what there is; the most bytes of one of them.
    fn round(&mut self, events: &mut Events) -> Result<usize, Error> {
        if let Err(error) = self.poll.poll(events, Some(Duration::ZERO))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in events.iter() {
            let number = event.token().0;
            let Some(Link::Open { connection, .. }) = self.slots.get_mut(number).map(|s| &mut s.link) else {
                continue;
            };
            connection.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            connection.ended |= event.is_read_closed();
            if event.is_writable()
                && let Err(error) = connection.writable()
            {
                self.lose(number, &format!("cannot connect: {error}"))?;
            }
        }
        let mut most = 0;
        for number in 0..self.slots.len() {
            let reads = self.slots.get(number).is_some_and(|slot| slot.look.is_done() && slot.is_readable());
            if reads {
                most = most.max(self.read(number)?);
            }
        }
        Ok(most)
    }

    /// Read what one connection has.
    fn read(&mut self, number: usize) -> Result<usize, Error> {
        let mut turn = 0;
        while turn < TURN_BYTES {
            let Some(slot) = self.slots.get_mut(number) else { break };
            let Link::Open { connection, stage } = &mut slot.link else { break };
            if !connection.readable {
                break;
            }
            let left = match stage {
                Stage::Streaming(left) => std::mem::take(left),
                _ => Vec::new(),
            };
            // What is left of a sample stands before its rest. A text may be longer than the buffer.
            let wanted = left.len() + READ_BYTES.max(left.len());
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            let (before, free) = self.buffer.split_at_mut(left.len());
            before.copy_from_slice(&left);
            let got = connection.read(free.get_mut(..READ_BYTES.max(left.len())).unwrap_or_default());
            let count = match got {
                Ok(Got::Bytes(count)) => count,
                Ok(Got::Nothing) => {
                    if let Stage::Streaming(kept) = stage {
                        *kept = left;
                    }
                    break;
                }
                Ok(Got::End) => {
                    self.ended(number)?;
                    break;
                }
                Err(error) => {
                    self.lose(number, &format!("the connection is lost: {error}"))?;
                    break;
                }
            };
            turn += count;
            let end = left.len() + count;
            self.take(number, end)?;
        }
        // One long text must not keep its room for ever.
        if self.buffer.len() > 4 * READ_BYTES {
            self.buffer.truncate(READ_BYTES);
            self.buffer.shrink_to_fit();
        }
        Ok(turn)
    }

    /// The first `end` bytes of the buffer were received by a connection.
    fn take(&mut self, number: usize, end: usize) -> Result<(), Error> {
        let (host, now_s) = (self.host, self.host.now_s());
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get_mut(number))
        else {
            return Ok(());
        };
        let Link::Open { stage, .. } = &mut slot.link else { return Ok(()) };
        let received = self.buffer.get(..end).unwrap_or_default();
        let samples: Vec<u8>;
        let mut is_new = false;
        let bytes = match stage {
            Stage::Describing(so_far) => {
                so_far.extend_from_slice(received);
                if so_far.len() > describe::MAX_BYTES {
                    self.ended(number)?;
                }
                return Ok(());
            }
            Stage::Opening(handshake) => match handshake.receive(received) {
                Ok(None) => return Ok(()),
                Ok(Some(opened)) => {
                    if let Some(recorded) = &mut slot.recorded {
                        recorded.open(&entry.outlet, opened.swapped, now_s)?;
                    }
                    slot.opened();
                    entry.connected = true;
                    is_new = true;
                    samples = opened.rest;
                    &samples
                }
                Err(why) => {
                    let why = format!("its outlet sends no feed: {why}");
                    slot.warn(host, &entry.label, &why);
                    return self.lose(number, &why);
                }
            },
            Stage::Streaming(_) => received,
        };
        let Some(recorded) = &mut slot.recorded else { return Ok(()) };
        let decoded = match recorded.receive(host, bytes) {
            Ok(decoded) => decoded,
            Err(Error::NotRunning) => return Err(Error::NotRunning),
            Err(error) => Err(Unreadable(error.to_string())),
        };
        match (decoded, &mut slot.link) {
            (Ok(used), Link::Open { stage: Stage::Streaming(left), .. }) => {
                left.clear();
                left.extend_from_slice(bytes.get(used..).unwrap_or_default());
            }
            (Err(unreadable), _) => {
                let why = format!("what its outlet sends cannot be read: {}", unreadable.0);
                slot.warn(host, &entry.label, &why);
                self.lose(number, &why)?;
            }
            (Ok(_), _) => {}
        }
        if is_new {
            self.update_clocks();
        }
        Ok(())
    }

    /// A connection was ended by the outlet.
    fn ended(&mut self, number: usize) -> Result<(), Error> {
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get(number))
        else {
            return Ok(());
        };
        let Link::Open { stage: Stage::Describing(received), .. } = &mut slot.link else {
            return self.lose(number, "its outlet ended the connection");
        };
        let received = std::mem::take(received);
        slot.close(self.poll.registry());
        match describe::read(&received, &entry.outlet) {
            Ok(description) => {
                slot.description = Some(description);
                slot.well();
            }
            Err(_) if received.is_empty() => slot.failed("its outlet ended the connection"),
            Err(why) => {
                let text = format!("{}: its description cannot be read: {why}", entry.label);
                self.host.log(LogLevel::Warn, &text);
                slot.description = Some(describe::announced(&entry.outlet));
            }
        }
        self.record_if_ready(number)
    }

    /// A connection is of no more use.
    fn lose(&mut self, number: usize, why: &str) -> Result<(), Error> {
        let (Some(slot), Some(entry)) = (self.slots.get_mut(number), self.registry.entries.get_mut(number))
        else {
            return Ok(());
        };
        let lasted = slot.streams_for();
        slot.close(self.poll.registry());
        entry.connected = false;
        if let Some(lasted) = lasted {
            slot.feed_ended(lasted);
            if let Some(recorded) = &mut slot.recorded {
                recorded.lose(self.host, why, self.host.now_s())?;
            }
            self.update_clocks();
        } else {
            slot.failed(why);
        }
        Ok(())
    }

    /// Say how it goes, when that has changed.
    fn tell(&mut self) {
        let recorded = |number: usize| self.slots.get(number).is_some_and(|slot| slot.recorded.is_some());
        let missing = self.registry.missing(recorded);
        let troubles: Vec<String> = self
            .slots
            .iter()
            .zip(&self.registry.entries)
            .filter_map(|(slot, entry)| slot.trouble().map(|text| format!("{}: {text}", entry.label)))
            .collect();
        let streaming = self.slots.iter().filter(|slot| slot.is_streaming()).count();
        let lost = self.slots.iter().filter(|slot| slot.is_lost()).count();
        let in_vain = |slot: &Slot| slot.lost_for() > Some(HURRY);
        let wanting = self.slots.iter().any(|slot| !slot.is_streaming() && !in_vain(slot));
        let hurry = !missing.is_empty() || wanting || self.registry.has_doubts();
        self.wires.hurry.store(hurry, Relaxed);
        let (state, reason) = if !missing.is_empty() {
            let wanted: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let waiting = format!("waiting for {}; {}", wanted.join(", "), self.registry.on_the_network());
            let all: Vec<String> = [waiting].into_iter().chain(troubles).collect();
            (State::Connecting, all.join("; "))
        } else if !troubles.is_empty() {
            (State::Degraded, troubles.join("; "))
        } else if streaming == 0 && lost > 0 {
            (State::Lost, "no outlet of it is on the network; looking for it".to_owned())
        } else if lost > 0 {
            (State::Degraded, format!("{lost} of {} streams are lost; looking for them", lost + streaming))
        } else if streaming == 0 {
            (State::Connecting, self.registry.on_the_network())
        } else {
            (State::Streaming, String::new())
        };
        if self.told != (Some(state), reason.clone()) {
            self.host.set_state(state, &reason);
            self.told = (Some(state), reason);
        }
    }

    /// How it went, for the recording.
    pub fn summary(counters: Option<crate::clock::Counters>) -> Value {
        let c = counters.unwrap_or_default();
        json!({"exchanges": {
            "asked": c.asked, "answered": c.answered, "late": c.late, "unasked": c.unasked,
            "impossible": c.impossible,
        }})
    }
}
