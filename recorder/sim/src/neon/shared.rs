//! What all connections of a simulated phone share: its clock, its state, and who plays what.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};

use crate::host::now_s;
use crate::rng::derive_seed;
use crate::serve::identity;
use crate::serve::tcp::TcpPath;
use crate::serve::time::{DeviceTime, Moment};
use crate::serve::ways::Ways;

use super::config::NeonConfig;
use super::layout::Sensor;
use super::player::Player;
use super::truth::SharedLogs;

/// Changes that a status socket may lag behind. More than that and it is closed: whoever connects
/// again gets the whole state.
const UPDATES: usize = 256;

/// Where a phone answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// REST and the status socket.
    pub http: SocketAddr,
    /// RTSP.
    pub rtsp: SocketAddr,
    /// Time Echo, if it has one.
    pub echo: Option<SocketAddr>,
}

/// How a client comes to play a sensor.
#[derive(Debug)]
pub(super) struct Door {
    /// To the sensor's pump.
    pub(super) players: mpsc::Sender<Player>,
    /// One permit for each client that may play it.
    pub(super) places: Arc<Semaphore>,
    /// The even port that its packets come from.
    pub(super) server_port: u16,
}

/// A change of the phone's state, told to all status sockets.
#[derive(Debug, Clone)]
pub(super) enum Update {
    /// A sensor was plugged in or unplugged.
    Sensor(Sensor),
    /// Something of this model, as JSON.
    Model(&'static str, Value),
}

/// A recording on the phone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recording {
    pub(super) id: String,
    /// When it began, by the oscillator.
    pub(super) started_s: f64,
}

/// What can be changed over REST.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) recording: Option<Recording>,
    /// Answers to the template's questions.
    pub(super) answers: BTreeMap<String, Vec<String>>,
    /// Controls of the scene camera.
    pub(super) controls: BTreeMap<String, Value>,
    identities: u64,
}

/// Counts that several connections add to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) status_sockets: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) echoes: AtomicU64,
    pub(super) resets: AtomicU64,
    /// Numbers given to connections and clients.
    connections: AtomicU64,
    clients: AtomicU64,
}

/// Adds one to a count; what it was before.
pub(super) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed)
}

/// All of it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: NeonConfig,
    pub(super) phone: DeviceTime,
    pub(super) addresses: Addresses,
    pub(super) doors: Vec<Door>,
    pub(super) logs: SharedLogs,
    pub(super) counts: Counts,
    state: Mutex<State>,
    updates: broadcast::Sender<Update>,
    /// True while the phone is away.
    out: watch::Sender<bool>,
}

impl Shared {
    /// Nothing has happened yet.
    pub(super) fn new(
        config: NeonConfig,
        phone: DeviceTime,
        addresses: Addresses,
        doors: Vec<Door>,
        logs: SharedLogs,
    ) -> Self {
        let out = watch::Sender::new(config.is_out(0.0));
        Self {
            config,
            phone,
            addresses,
            doors,
            logs,
            counts: Counts::default(),
            state: Mutex::new(State::default()),
            updates: broadcast::Sender::new(UPDATES),
            out,
        }
    }

    /// The instant that is now.
    pub(super) fn now(&self) -> Moment {
        self.phone.at_host(now_s())
    }

    /// The state. It is never held across a wait.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the phone is away at a host time.
    pub(super) fn is_out(&self, host_s: f64) -> bool {
        self.config.is_out(self.phone.elapsed_s(host_s))
    }

    /// Whether a sensor is plugged in now.
    pub(super) fn is_plugged(&self, sensor: Sensor) -> bool {
        self.config.is_plugged(sensor, self.phone.elapsed_s(now_s()))
    }

    /// Turns true while the phone is away.
    pub(super) fn outages(&self) -> watch::Receiver<bool> {
        self.out.subscribe()
    }

    /// Says whether the phone is away.
    pub(super) fn set_out(&self, out: bool) {
        self.out.send_replace(out);
    }

    /// Changes from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<Update> {
        self.updates.subscribe()
    }

    /// Tells all status sockets; there may be none.
    pub(super) fn tell(&self, update: Update) {
        drop(self.updates.send(update));
    }

    /// A number for a connection to the Time Echo.
    pub(super) fn next_connection(&self) -> u64 {
        count(&self.counts.connections)
    }

    /// A number for a client that plays a sensor.
    pub(super) fn next_client(&self) -> u64 {
        count(&self.counts.clients)
    }

    /// The two directions of the simulated network for one more connection.
    pub(super) fn ways(&self) -> Ways {
        let config = &self.config;
        let seed = config.seed.wrapping_add(self.next_connection());
        Ways::new(
            TcpPath::new(config.downlink, derive_seed(seed, "neon/down")),
            TcpPath::new(config.uplink, derive_seed(seed, "neon/up")),
        )
    }

    /// Writes into the log of events.
    pub(super) fn log(&self, kind: &str, details: &Value) {
        self.logs.event(&self.now(), kind, details);
    }

    /// A recording that has just been started, or why it was not.
    pub(super) fn start_recording(&self) -> Result<Recording, String> {
        if let Some(reason) = &self.config.refusal {
            return Err(reason.clone());
        }
        let now = self.now();
        let mut state = self.state();
        if state.recording.is_some() {
            return Err("Already recording!".to_owned());
        }
        let id = identity(self.config.seed, "recording", state.identities);
        state.identities += 1;
        let recording = Recording { id, started_s: now.oscillator_s };
        state.recording = Some(recording.clone());
        drop(state);
        self.logs.event(&now, "recording_start", &json!({"id": recording.id}));
        self.tell(Update::Model("Recording", recording_json("START", &recording.id, 0)));
        Ok(recording)
    }

    /// The recording that has just ended with its duration, or why it did not.
    pub(super) fn end_recording(&self, save: bool) -> Result<(Recording, i64), String> {
        let now = self.now();
        let recording = self.state().recording.take().ok_or("Not recording!")?;
        let duration_ns = recording.duration_ns(&now);
        let details = json!({"id": recording.id, "rec_duration_ns": duration_ns});
        self.logs.event(&now, if save { "recording_save" } else { "recording_discard" }, &details);
        let actions: &[&str] = if save { &["STOP", "SAVE"] } else { &["DISCARD"] };
        for action in actions {
            self.tell(Update::Model("Recording", recording_json(action, &recording.id, duration_ns)));
        }
        Ok((recording, duration_ns))
    }

    /// An event is posted; its time and the recording it belongs to.
    pub(super) fn post_event(&self, name: &str, given_ns: Option<i64>) -> (i64, Option<String>) {
        let now = self.now();
        count(&self.counts.events);
        let timestamp = given_ns.unwrap_or(now.device_ns);
        let recording = self.state().recording.as_ref().map(|recording| recording.id.clone());
        let event = json!({"name": name, "timestamp": timestamp, "recording_id": recording});
        let mut details = event.clone();
        details["given"] = given_ns.is_some().into();
        self.logs.event(&now, "event", &details);
        self.tell(Update::Model("Event", event));
        (timestamp, recording)
    }
}

impl Recording {
    /// How long it has lasted by the phone's oscillator.
    pub(super) fn duration_ns(&self, now: &Moment) -> i64 {
        // A cast from f64 saturates.
        ((now.oscillator_s - self.started_s) * 1e9) as i64
    }
}

/// A recording as the status has it.
pub(super) fn recording_json(action: &str, id: &str, duration_ns: i64) -> Value {
    json!({"action": action, "id": id, "message": "", "rec_duration_ns": duration_ns})
}
