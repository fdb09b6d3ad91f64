//! What all connections of simulated glasses share: the clock, the state, and who listens to what.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::host::now_s;
use crate::rng::derive_seed;
use crate::serve::tcp::TcpPath;
use crate::serve::time::{DeviceTime, Moment};
use crate::serve::ways::Ways;

use super::config::Glasses3Config;
use super::feed::Signal;
use super::messages;
use super::report::SignalReport;
use super::time::{Kept, Streams, seconds};
use super::truth::{Logs, Sent};

/// A recording on the glasses' card.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recording {
    pub(super) uuid: String,
    pub(super) created: String,
    /// When it began, by the oscillator.
    pub(super) started_s: f64,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) streams: Streams,
    /// Whether it has been told that the streams were opened, and not yet that they closed.
    told_open: bool,
    pub(super) gaze_hz: u32,
    pub(super) gaze_overlay: bool,
    pub(super) recording: Option<Recording>,
    /// Recordings that were started.
    pub(super) recordings: u64,
    /// The latest of each signal.
    latest: [Option<Value>; Signal::ALL.len()],
    reports: [SignalReport; Signal::ALL.len()],
}

/// Something to be told to one client.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) signal: Signal,
    pub(super) sent_s: f64,
    pub(super) text: String,
}

/// A client that listens to a signal.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) connection: u64,
    /// What the client knows the signal by.
    pub(super) number: u64,
    pub(super) signal: Signal,
    pub(super) tell: mpsc::Sender<Telling>,
}

/// Counts that several connections add to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sockets: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) resets: AtomicU64,
    connections: AtomicU64,
}

/// Adds one to a count; what it was before.
pub(super) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed)
}

/// All of it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Glasses3Config,
    pub(super) time: DeviceTime,
    pub(super) logs: Logs,
    pub(super) counts: Counts,
    state: Mutex<State>,
    listeners: Mutex<Vec<Listener>>,
    /// True while the glasses are away.
    out: watch::Sender<bool>,
}

impl Shared {
    /// Nothing has happened yet.
    pub(super) fn new(config: Glasses3Config, time: DeviceTime, logs: Logs) -> Self {
        let state = State {
            streams: Streams::default(),
            told_open: false,
            gaze_hz: config.gaze_hz,
            gaze_overlay: false,
            recording: None,
            recordings: 0,
            latest: Default::default(),
            reports: Signal::ALL.map(SignalReport::new),
        };
        let out = watch::Sender::new(config.is_out(0.0));
        Self {
            config,
            time,
            logs,
            counts: Counts::default(),
            state: Mutex::new(state),
            listeners: Mutex::default(),
            out,
        }
    }

    /// The instant that is now.
    pub(super) fn now(&self) -> Moment {
        self.time.at_host(now_s())
    }

    /// The state. It is never held across a wait.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the glasses are away at a host time.
    pub(super) fn is_out(&self, host_s: f64) -> bool {
        self.config.is_out(self.time.elapsed_s(host_s))
    }

    /// Turns true while the glasses are away.
    pub(super) fn outages(&self) -> watch::Receiver<bool> {
        self.out.subscribe()
    }

    /// Says whether the glasses are away.
    pub(super) fn set_out(&self, now: &Moment, out: bool) {
        if self.out.send_replace(out) != out {
            self.logs.event(now, if out { "outage" } else { "outage_over" }, &json!({}));
        }
    }

    /// A number for a connection, and its two directions: towards the glasses, and back.
    pub(super) fn connect(&self) -> (u64, Ways) {
        let number = count(&self.counts.connections);
        let seed = self.config.seed.wrapping_add(number);
        let down = TcpPath::new(self.config.downlink, derive_seed(seed, "glasses3/down"));
        let up = TcpPath::new(self.config.uplink, derive_seed(seed, "glasses3/up"));
        (number, Ways::new(down, up))
    }

    /// Somebody keeps the signals alive.
    pub(super) fn keep_alive(&self, connection: u64) {
        let now = self.now();
        self.tell_lapse(&now);
        let mut state = self.state();
        if let Kept::Opened { zero } = state.streams.keep(&now, self.config.zero_restarts) {
            state.told_open = true;
            drop(state);
            self.logs.event(&now, "signals_open", &json!({"connection": connection, "zero": zero}));
        }
    }

    /// Tells that the signals have ended, if they have and it was not told.
    pub(super) fn tell_lapse(&self, now: &Moment) {
        let mut state = self.state();
        let Some(until_s) = state.streams.until_s().filter(|_| state.told_open) else { return };
        if until_s <= now.oscillator_s {
            state.told_open = false;
            drop(state);
            self.logs.event(&self.time.at_oscillator(until_s), "signals_closed", &json!({}));
        }
    }

    /// Sends a message to all who listen; nothing when the signals are not alive.
    pub(super) fn emit(
        &self,
        signal: Signal,
        at: &Moment,
        sent_s: f64,
        data: impl FnOnce() -> Value,
    ) -> Option<Sent> {
        let mut state = self.state();
        let report = &mut state.reports[signal.index()];
        report.messages += 1;
        report.worst_lateness_s = report.worst_lateness_s.max(sent_s - at.host_s);
        let stamp_s = seconds(state.streams.stamp_us(at)?);
        let data = data();
        let body = messages::signal_body(stamp_s, &data);
        state.latest[signal.index()] = Some(messages::sample(signal.name(), stamp_s, &data));
        let mut delivered = Vec::new();
        let mut full = 0;
        for listener in self.listeners().iter().filter(|listener| listener.signal == signal) {
            let text = messages::signal(listener.number, &body);
            match listener.tell.try_send(Telling { signal, sent_s, text }) {
                Ok(()) => delivered.push((listener.connection, listener.number)),
                Err(_) => full += 1,
            }
        }
        let report = &mut state.reports[signal.index()];
        report.alive += 1;
        report.sent += delivered.len() as u64;
        report.queue_full += full;
        Some(Sent { stamp_s, delivered })
    }

    /// The latest of a signal; `{}` when the signals are not alive or nothing was sent yet.
    pub(super) fn latest(&self, signal: Signal) -> Value {
        let now = self.now();
        let state = self.state();
        let latest = state.streams.stamp_us(&now).and_then(|_| state.latest[signal.index()].clone());
        latest.unwrap_or_else(|| json!({}))
    }

    /// Somebody listens from now on.
    pub(super) fn listen(&self, listener: Listener) {
        let details = json!({
            "connection": listener.connection,
            "signal": listener.number,
            "path": format!("/rudimentary:{}", listener.signal.name()),
        });
        self.logs.event(&self.now(), "subscribed", &details);
        self.listeners().push(listener);
    }

    /// Somebody listens no longer: to one signal, or to any.
    pub(super) fn leave(&self, connection: u64, number: Option<u64>) {
        let gone = |listener: &Listener| {
            listener.connection == connection && number.is_none_or(|number| listener.number == number)
        };
        self.listeners().retain(|listener| !gone(listener));
        if let Some(number) = number {
            let details = json!({"connection": connection, "signal": number});
            self.logs.event(&self.now(), "unsubscribed", &details);
        }
    }

    /// The counts of all signals.
    pub(super) fn reports(&self) -> Vec<SignalReport> {
        self.state().reports.to_vec()
    }
}
