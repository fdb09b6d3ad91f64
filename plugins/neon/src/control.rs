//! The thread `neon-control`: has the phone record with us, and sends it events that relate its recording to ours.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockstep_plugin_api::{Error, Host, LogLevel, Stop, within};
use serde_json::{Value, json};

use crate::options::Control;
use crate::phone::Status;
use crate::rest::{self, Denied, Order};

/// Longest wait for an answer while there is time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same at the stop, of what is under way, of the last event, and of the order to save: together they stay well
/// below the half second in which a source has to stop.
const AT_STOP: Duration = Duration::from_millis(60);
const LAST_EVENT: Duration = Duration::from_millis(80);
const SAVE: Duration = Duration::from_millis(180);
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

/// The recording of the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Recording {
    /// It is none of our business.
    NotWanted,
    /// It is to begin.
    Wanted,
    /// The phone was told to begin, and has not answered: what it records next is ours.
    Asked,
    /// It is ours: its id.
    Ours(String),
    /// Somebody else had begun one, which is left alone.
    LeftAlone,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Start,
    /// The answer to our order never came, but it was carried out.
    Adopt(String),
    Leave,
}

impl Recording {
    /// What to do, when the phone says that it records `running`.
    fn next(&self, running: Option<&str>) -> Next {
        match (self, running) {
            (Self::Wanted | Self::Asked, None) => Next::Start,
            (Self::Wanted, Some(_)) => Next::Leave,
            (Self::Asked, Some(id)) => Next::Adopt(id.to_owned()),
            (Self::NotWanted | Self::Ours(_) | Self::LeftAlone, _) => Next::Nothing,
        }
    }

    /// Whether the phone is to save what it records, at the end: not what somebody else has begun.
    fn is_to_be_saved(&self, running: Option<&str>) -> bool {
        match (self, running) {
            // It may be about to begin; if not, it refuses.
            (Self::Asked, _) => true,
            (Self::Ours(ours), Some(running)) => ours == running || ours.is_empty() || running.is_empty(),
            _ => false,
        }
    }
}

/// The thread at work.
struct Work {
    task: Task,
    stop: Stop,
    recording: Recording,
    asked: Option<Instant>,
    denied: Option<Denied>,
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
        let recording = if self.control.recording { Recording::Wanted } else { Recording::NotWanted };
        let mut work = Work {
            task: self,
            stop: stop.clone(),
            recording,
            asked: None,
            denied: None,
            synced: None,
            sync_events: 0,
            denied_sync_events: 0,
        };
        while !stop.is_set() {
            work.look();
            stop.wait(LOOK);
        }
        work.end();
        Ok(json!({
            "recording": matches!(work.recording, Recording::Ours(_)), "sync_events": work.sync_events,
            "denied_sync_events": work.denied_sync_events,
        }))
    }
}

impl Work {
    /// The recording that the phone makes, as it says.
    fn running(&self) -> Option<String> {
        self.task.status.lock().unwrap_or_else(PoisonError::into_inner).recording.clone()
    }

    fn log(&self, level: LogLevel, text: &str) {
        self.task.host.log(level, text);
    }

    /// What is not written any more when the recorder has given up waiting is no reason to leave the phone as it is.
    fn event(&self, name: &str, details: &Value) {
        let _ = self.task.host.event(name, details);
    }

    fn tell(&self, order: Order, patience: Duration) -> Result<Value, Denied> {
        let at = *self.task.at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = at.ok_or_else(|| Denied::Unreachable("it is not known where it is".to_owned()))?;
        // It goes on for longer than anybody waits: what was sent late is carried out all the same.
        let at_stop = if patience == PATIENCE { AT_STOP } else { patience };
        within(patience, &self.stop, at_stop, move || rest::tell(at, &order, PATIENCE))
            .unwrap_or_else(|| Err(Denied::Unreachable("it takes too long".to_owned())))
    }

    fn look(&mut self) {
        let running = self.running();
        match self.recording.next(running.as_deref()) {
            Next::Nothing => {}
            Next::Start if self.asked.is_some_and(|at| at.elapsed() < AGAIN) => {}
            Next::Start => self.start(),
            Next::Adopt(id) => self.ours(&id, &json!({"id": id})),
            Next::Leave => {
                self.recording = Recording::LeftAlone;
                self.log(
                    LogLevel::Warn,
                    "the phone records already; that recording is left to whoever began it",
                );
            }
        }
        let every = Duration::try_from_secs_f64(self.task.control.sync_events_s).unwrap_or_default();
        let is_due = self.synced.is_none_or(|at| at.elapsed() >= every);
        if !every.is_zero() && is_due && self.running().is_some() && !self.stop.is_set() {
            self.synced = Some(Instant::now());
            self.sync(PATIENCE);
        }
    }

    fn start(&mut self) {
        self.asked = Some(Instant::now());
        match self.tell(Order::StartRecording, PATIENCE) {
            Ok(answer) => {
                let id = answer["id"].as_str().unwrap_or_default().to_owned();
                // It will say so itself; until then it is known from here.
                self.task.status.lock().unwrap_or_else(PoisonError::into_inner).recording = Some(id.clone());
                self.ours(&id, &answer);
            }
            Err(denied) => {
                let is_unanswered = matches!(denied, Denied::Unreachable(_));
                self.recording = if is_unanswered { Recording::Asked } else { Recording::Wanted };
                if self.denied.as_ref() == Some(&denied) {
                    return;
                }
                let text = format!("the phone does not record with us: {denied}; it is asked again");
                self.log(LogLevel::Error, &text);
                let name = if is_unanswered { "neon_recording_unanswered" } else { "neon_recording_refused" };
                self.event(name, &json!({"reason": denied.to_string()}));
                self.denied = Some(denied);
            }
        }
    }

    fn ours(&mut self, id: &str, answer: &Value) {
        self.recording = Recording::Ours(id.to_owned());
        self.log(LogLevel::Info, "the phone records with us");
        self.event("neon_recording_started", answer);
    }

    /// An event, named as the maker's tool for aligning recordings afterwards expects.
    fn sync(&mut self, patience: Duration) {
        let name = format!("lsl.time_sync.{}.{}", self.task.session_id, self.sync_events);
        self.sync_events += 1;
        if let Err(denied) = self.tell(Order::Event(name, None), patience) {
            self.denied_sync_events += 1;
            self.log(LogLevel::Warn, &format!("an event for aligning recordings: {denied}"));
        }
    }

    /// The recording ends: so does the phone's, if it is ours.
    fn end(&mut self) {
        if self.synced.is_some() && self.running().is_some() {
            self.sync(LAST_EVENT);
        }
        if !self.recording.is_to_be_saved(self.running().as_deref()) {
            return;
        }
        match self.tell(Order::SaveRecording, SAVE) {
            Ok(answer) => self.event("neon_recording_saved", &answer),
            Err(Denied::Refused(why)) => {
                self.log(LogLevel::Error, &format!("the phone does not save its recording: {why}"));
                self.event("neon_recording_not_saved", &json!({"reason": why}));
            }
            Err(Denied::Unreachable(why)) => {
                let text =
                    format!("the phone was told to save its recording and has not answered yet ({why})");
                self.log(LogLevel::Warn, &text);
                self.event("neon_recording_save_unanswered", &json!({"reason": why}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_has_begun_is_left_alone_and_what_we_began_is_saved() {
        let ours = Recording::Ours("a".to_owned());
        assert_eq!(Recording::Wanted.next(None), Next::Start);
        assert_eq!(Recording::Wanted.next(Some("b")), Next::Leave);
        assert_eq!(Recording::LeftAlone.next(None), Next::Nothing);
        assert_eq!(Recording::NotWanted.next(Some("b")), Next::Nothing);
        assert_eq!(ours.next(None), Next::Nothing, "the wearer has ended it");
        assert!(ours.is_to_be_saved(Some("a")) && ours.is_to_be_saved(Some("")));
        assert!(!ours.is_to_be_saved(Some("b")) && !ours.is_to_be_saved(None));
        assert!(!Recording::LeftAlone.is_to_be_saved(Some("b")));
    }

    #[test]
    fn an_order_that_was_answered_late_or_never_still_made_the_recording_ours() {
        assert_eq!(Recording::Asked.next(Some("a")), Next::Adopt("a".to_owned()));
        assert_eq!(Recording::Asked.next(None), Next::Start);
        assert!(Recording::Asked.is_to_be_saved(None));
    }
}
