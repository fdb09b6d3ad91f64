//! The thread `lsl-streams`: owns every connection, and waits for none of them.

mod clocks;
mod links;
mod looks;
mod slot;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use lockstep_plugin_api::{Error, Host, LogLevel, State, Stop};
use mio::{Events, Poll};
use serde_json::{Value, json};

use self::clocks::Clocks;
use self::slot::{Link, Slot};
use crate::clock::{Order, Report};
use crate::discovery::Wave;
use crate::options::Selection;
use crate::recorded::Recorded;
use crate::registry::{News, Registry};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;
/// Longest pause between two rounds: stamps are the outlets', so nothing is gained by reading sooner.
const LONGEST_PAUSE: Duration = Duration::from_millis(40);
/// A pause as long as it takes one stream to bring this much: what a connection holds at least.
const PAUSE_BYTES: usize = 64 << 10;
/// Pause while connections are being made.
const BUSY_PAUSE: Duration = Duration::from_millis(4);
/// The network is asked often for a stream that was lost, for so long.
const HURRY: Duration = Duration::from_secs(60);
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
