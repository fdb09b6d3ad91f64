//! The thread `neon-control`: has the phone record with us, and sends it events that relate its recording to ours.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockstep_plugin_api::{Error, Host, LogLevel, Stop};
use serde_json::{Value, json};

use crate::beside::within;
use crate::options::Control;
use crate::phone::Status;
use crate::rest::{self, Denied, Order};

/// Longest wait for an answer while there is time.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for all answers at the stop.
const PATIENCE_AT_STOP: Duration = Duration::from_millis(300);
/// How often it is looked whether something is to be done.
const LOOK: Duration = Duration::from_millis(200);
/// Pause before a phone that refuses to record is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// What the thread needs.
#[derive(Debug)]
pub struct Task {
    /// The recorder.
    pub host: Host,
    /// What is wanted.
    pub control: Control,
    /// Identifies this recording in the names of events.
    pub session_id: String,
    /// Where the phone's interface is.
    pub at: Arc<Mutex<Option<SocketAddr>>>,
    /// What the phone says of itself.
    pub status: Arc<Mutex<Status>>,
}

/// What has been done.
#[derive(Debug, Default)]
struct Done {
    /// The phone's recording is ours.
    started: bool,
    /// The phone was asked, and what it refused with.
    asked: Option<Instant>,
    refused: Option<Denied>,
    /// Somebody else's recording was found, which is left alone.
    is_left_alone: bool,
    synced: Option<Instant>,
    sync_events: u64,
    denied_sync_events: u64,
}

impl Task {
    /// Work until `stop`; what was counted.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn run(self, stop: &Stop) -> Result<Value, Error> {
        let mut done = Done::default();
        while !stop.is_set() {
            if self.control.recording && !done.started && !done.is_left_alone {
                self.start(&mut done)?;
            }
            let every = Duration::try_from_secs_f64(self.control.sync_events_s).unwrap_or_default();
            let due = done.synced.is_none_or(|at| at.elapsed() >= every);
            if !every.is_zero() && due && self.is_recording() {
                done.synced = Some(Instant::now());
                let sent = self.tell(self.sync_event(&mut done), PATIENCE);
                self.judge_sync(sent, &mut done);
            }
            stop.wait(LOOK);
        }
        self.end(&mut done)?;
        Ok(json!({
            "recording": done.started, "sync_events": done.sync_events,
            "denied_sync_events": done.denied_sync_events,
        }))
    }

    fn is_recording(&self) -> bool {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).is_recording
    }

    fn tell(&self, order: Order, patience: Duration) -> Result<Value, Denied> {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = at.ok_or_else(|| Denied::Unreachable("it is not known where it is".to_owned()))?;
        // Left behind when it takes longer, as looking at its time limit is not all that can take time.
        within(patience, move || rest::tell(at, &order, patience))
            .unwrap_or_else(|| Err(Denied::Unreachable("it takes too long".to_owned())))
    }

    fn start(&self, done: &mut Done) -> Result<(), Error> {
        if done.asked.is_some_and(|at| at.elapsed() < AGAIN) {
            return Ok(());
        }
        if self.is_recording() {
            done.is_left_alone = true;
            let text = "the phone records already; that recording is left to whoever started it";
            self.host.log(LogLevel::Warn, text);
            return Ok(());
        }
        done.asked = Some(Instant::now());
        match self.tell(Order::StartRecording, PATIENCE) {
            Ok(answer) => {
                done.started = true;
                self.status.lock().unwrap_or_else(PoisonError::into_inner).is_recording = true;
                self.host.log(LogLevel::Info, "the phone records, too");
                self.host.event("neon_recording_started", &answer)
            }
            Err(denied) if done.refused.as_ref() != Some(&denied) => {
                let text = format!("the phone does not record: {denied}; it is asked again");
                self.host.log(LogLevel::Error, &text);
                self.host.event("neon_recording_refused", &json!({"reason": denied.to_string()}))?;
                done.refused = Some(denied);
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// Named as the maker's tool for aligning recordings afterwards expects.
    fn sync_event(&self, done: &mut Done) -> Order {
        done.sync_events += 1;
        Order::Event(format!("lsl.time_sync.{}.{}", self.session_id, done.sync_events - 1), None)
    }

    fn judge_sync(&self, sent: Result<Value, Denied>, done: &mut Done) {
        if let Err(denied) = sent {
            done.denied_sync_events += 1;
            self.host.log(LogLevel::Warn, &format!("an event for aligning recordings: {denied}"));
        }
    }

    /// The recording ends: so does the phone's, if it is ours.
    fn end(&self, done: &mut Done) -> Result<(), Error> {
        let begun = Instant::now();
        if done.synced.is_some() && self.is_recording() {
            let sent = self.tell(self.sync_event(done), PATIENCE_AT_STOP / 2);
            self.judge_sync(sent, done);
        }
        if !done.started || !self.is_recording() {
            return Ok(());
        }
        match self.tell(Order::SaveRecording, PATIENCE_AT_STOP.saturating_sub(begun.elapsed())) {
            Ok(answer) => self.host.event("neon_recording_saved", &answer),
            Err(denied) => {
                let text = format!("the phone was told to save its recording ({denied}); look at it");
                self.host.log(LogLevel::Error, &text);
                self.host.event("neon_recording_not_saved", &json!({"reason": denied.to_string()}))
            }
        }
    }
}
