//! What a source may tell the recording: its clocks, streams, samples,
//! exchanges, losses and states. Everything here may be called from any thread,
//! and nothing waits.

mod add;
mod shared;
mod voice;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use lockstep_clock::Exchange;
use lockstep_platform::monotonic_ns;
use serde::Serialize;
use serde_json::{Value, json};

use super::clock::ClockIntake;
use super::header::SyncInfo;
use super::notice::{Level, samples};
use super::side::{MAX_SIDE_FILES, SideFile};
use super::state::{State, StateCell};
use super::stream::{Budget, Push, StreamIntake, count};
use super::table::AppendTable;
use voice::Voice;

pub use add::{MAX_CHANNELS, MAX_CLOCKS_PER_SOURCE, MAX_STREAMS_PER_SOURCE, NewStream};
pub use shared::{MAX_STREAMS, Shared};

/// Why the recording refused something.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Not now.
    #[error("the source is not running")]
    NotRunning,
    /// An argument is wrong.
    #[error("{0}")]
    Invalid(String),
    /// A limit was reached.
    #[error("no more than {1} {0}")]
    Limit(&'static str, usize),
    /// A limit was reached, in these words.
    #[error("{0}")]
    NoRoom(String),
    /// The operating system failed.
    #[error("{0}")]
    Failed(String),
}

/// What the configuration adds to the headers of a source's streams.
#[derive(Debug, Default)]
pub struct SourceHeader {
    /// Goes over what the plugin stated.
    pub synchronization: SyncInfo,
    /// Goes to `desc/acquisition`, or `desc/lockstep/acquisition` of a stream that came with a header.
    pub acquisition: Vec<(String, String)>,
}

/// What is known to be missing of a source, and not of one stream of it.
#[derive(Debug, Default)]
pub struct Unattributed {
    /// Samples reported lost.
    pub lost: AtomicU64,
    /// Samples refused.
    pub rejected: AtomicU64,
    /// Gaps of unknown size.
    pub gaps_of_unknown_size: AtomicU64,
}

/// What a source is there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A device or program, through a plugin.
    #[default]
    Plugin,
    /// The exchanges with a master clock: no stream of samples is to be expected of it, and
    /// without it the recording is as good, only alone.
    MasterClock,
}

/// One source of the recording.
#[derive(Debug)]
pub struct SourceIntake {
    /// Its name in the configuration.
    pub name: String,
    /// What it is there for.
    pub kind: SourceKind,
    /// Whether the recording needs it.
    pub required: bool,
    /// Its streams, by the numbers the plugin knows them under.
    pub streams: AppendTable<Arc<StreamIntake>>,
    /// Its clocks, likewise.
    pub clocks: AppendTable<Arc<ClockIntake>>,
    /// Its files beside the recording, likewise.
    side_files: AppendTable<Arc<SideFile>>,
    /// The bound on what may wait for the writer.
    pub budget: Arc<Budget>,
    header: SourceHeader,
    shared: Arc<Shared>,
    open: AtomicBool,
    state: StateCell,
    /// What is missing, and of no stream in particular.
    pub unattributed: Unattributed,
    voice: Voice,
}

impl SourceIntake {
    /// A source of samples that is not yet started.
    pub fn new(
        shared: Arc<Shared>,
        name: &str,
        required: bool,
        queue_bytes: usize,
        header: SourceHeader,
    ) -> Arc<Self> {
        Self::of_kind(SourceKind::Plugin, shared, name, required, queue_bytes, header)
    }

    /// The source of a master clock's exchanges. The recording does not need it.
    pub fn master_clock(
        shared: Arc<Shared>,
        name: &str,
        queue_bytes: usize,
        header: SourceHeader,
    ) -> Arc<Self> {
        Self::of_kind(SourceKind::MasterClock, shared, name, false, queue_bytes, header)
    }

    fn of_kind(
        kind: SourceKind,
        shared: Arc<Shared>,
        name: &str,
        required: bool,
        queue_bytes: usize,
        header: SourceHeader,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            kind,
            required,
            streams: AppendTable::new(MAX_STREAMS_PER_SOURCE),
            clocks: AppendTable::new(MAX_CLOCKS_PER_SOURCE),
            side_files: AppendTable::new(MAX_SIDE_FILES),
            budget: Budget::new(queue_bytes),
            header,
            open: AtomicBool::new(false),
            state: StateCell::default(),
            unattributed: Unattributed::default(),
            voice: Voice::new(Arc::clone(&shared), name),
            shared,
        })
    }

    /// What it shares with the others.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Accept what the plugin says from now on.
    pub fn open(&self) {
        self.open.store(true, Relaxed);
    }

    /// Accept nothing more: when this returns, no sample is on its way in.
    pub fn close(&self) {
        self.open.store(false, Relaxed);
        self.streams.iter().for_each(|s| s.close());
        self.clocks.iter().for_each(|c| c.companion.close());
        self.voice.tell_rest();
    }

    fn check_open(&self) -> Result<(), Refusal> {
        if self.open.load(Relaxed) { Ok(()) } else { Err(Refusal::NotRunning) }
    }

    /// The stream of this number, while the source is running.
    pub fn stream(&self, number: u32) -> Result<&Arc<StreamIntake>, Refusal> {
        self.check_open()?;
        self.streams.get(number).ok_or_else(|| Refusal::Invalid(format!("no stream has the number {number}")))
    }

    fn clock(&self, number: u32) -> Result<&Arc<ClockIntake>, Refusal> {
        self.check_open()?;
        self.clocks.get(number).ok_or_else(|| Refusal::Invalid(format!("no clock has the number {number}")))
    }

    /// After a push: wake the writer when it is time, pass on what went wrong.
    /// Whether the samples were queued (`false`: dropped).
    pub fn settle(&self, stream: &StreamIntake, push: Push) -> Result<bool, Refusal> {
        match push {
            Push::Queued { wake_writer } => {
                if wake_writer {
                    // A full channel means that it is already awake.
                    let _ = self.shared.wake.try_send(());
                }
                Ok(true)
            }
            Push::Dropped => Ok(false),
            Push::Closed => Err(Refusal::NotRunning),
            Push::Rejected(why) => Err(Refusal::Invalid(format!("stream {:?}: {why}", stream.spec.label))),
        }
    }

    /// Take in the exchanges of one burst. Whether they were queued.
    pub fn push_exchanges(&self, number: u32, burst: &[Exchange]) -> Result<bool, Refusal> {
        let clock = self.clock(number)?;
        if burst.is_empty() {
            return Ok(true);
        }
        let stamps = burst.iter().flat_map(|e| [e.t0_s, e.t1_s, e.t2_s, e.t3_s]);
        if !stamps.into_iter().all(f64::is_finite) {
            let refused = burst.len() as u64;
            count(&clock.companion.counters.rejected, refused);
            let name = &clock.spec.name;
            return Err(Refusal::Invalid(format!("clock {name:?}: a stamp of an exchange is not a number")));
        }
        let pushed = clock.push_burst(burst, monotonic_ns());
        self.settle(&clock.companion, pushed)
    }

    /// A clock restarted or jumped.
    pub fn clock_reset(&self, number: u32, reason: &str) -> Result<(), Refusal> {
        let clock = self.clock(number)?;
        clock.reset();
        let of_it = |s: &&Arc<StreamIntake>| s.spec.clock.as_ref().is_some_and(|c| Arc::ptr_eq(c, clock));
        self.streams.iter().filter(of_it).for_each(|stream| stream.begin_time_line());
        self.voice.record("clock_reset", "", json!({"clock": clock.spec.name, "reason": reason}));
        self.voice.tell(Level::Warning, &format!("clock {} was reset: {reason}", clock.spec.name));
        Ok(())
    }

    /// Samples were refused before they reached a stream: none of this number, or not readable.
    pub fn count_refused(&self, number: u32, samples: u64) {
        match self.streams.get(number) {
            Some(stream) => count(&stream.counters.rejected, samples),
            None => count(&self.unattributed.rejected, samples),
        }
    }

    /// Samples found no room before they reached their stream.
    pub fn count_dropped(&self, number: u32, samples: u64) {
        match self.streams.get(number) {
            Some(stream) => count(&stream.counters.dropped, samples),
            None => count(&self.unattributed.lost, samples),
        }
    }

    /// Exchanges found none.
    pub fn count_dropped_exchanges(&self, number: u32, exchanges: u64) {
        if let Some(clock) = self.clocks.get(number) {
            count(&clock.companion.counters.dropped, exchanges);
        }
    }

    /// Write an event of the recorder's about the source.
    pub fn record(&self, event: &str, details: Value) {
        if self.open.load(Relaxed) {
            self.voice.record(event, "", details);
        }
    }

    /// Samples never reached the plugin (`None`: some, number unknown).
    pub fn report_gap(&self, number: u32, lost: Option<u64>, reason: &str) -> Result<(), Refusal> {
        self.check_open()?;
        let stream = match number {
            0 => None,
            number => Some(self.stream(number)?),
        };
        let (known, unknown) = match stream {
            Some(stream) => (&stream.counters.lost, &stream.counters.gaps_of_unknown_size),
            None => (&self.unattributed.lost, &self.unattributed.gaps_of_unknown_size),
        };
        match lost {
            Some(lost) => count(known, lost),
            None => count(unknown, 1),
        }
        let name = stream.map_or("", |s| &s.spec.label);
        self.voice.record("gap", name, json!({"lost_samples": lost, "reason": reason}));
        if lost != Some(0) {
            let what = lost.map_or("samples".to_owned(), samples);
            self.voice.tell(Level::Warning, &format!("{what} lost: {reason}"));
        }
        Ok(())
    }

    /// Append to a file beside the recording, all or nothing: where the first of `bytes` stands; `None`: there was
    /// no room.
    pub fn append_side_file(&self, number: u32, bytes: &[u8]) -> Result<Option<u64>, Refusal> {
        self.check_open()?;
        let none = || Refusal::Invalid(format!("no file beside the recording has the number {number}"));
        Ok(self.shared.side_files.append(self.side_files.get(number).ok_or_else(none)?, bytes))
    }

    /// How the source, or one of its streams, is doing, as the plugin says.
    pub fn set_state(&self, number: u32, state: State, reason: &str) -> Result<(), Refusal> {
        self.check_open()?;
        let (cell, stream) = match number {
            0 => (&self.state, ""),
            number => {
                let stream = self.stream(number)?;
                (&stream.state, stream.spec.label.as_str())
            }
        };
        self.change_state(cell, stream, state, reason);
        Ok(())
    }

    /// The source has failed, as the recorder found.
    pub fn fail(&self, reason: &str) {
        self.change_state(&self.state, "", State::Failed, reason);
    }

    fn change_state(&self, cell: &StateCell, stream: &str, state: State, reason: &str) {
        if !cell.set(state, reason) {
            return;
        }
        self.voice.record("state", stream, json!({"state": state.name(), "reason": reason}));
        let of = if stream.is_empty() { String::new() } else { format!("{stream}: ") };
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        self.voice.tell(state.level(), &format!("{of}{}{reason}", state.name()));
    }

    /// State of the source and the reason for it.
    pub fn state(&self) -> (State, String) {
        self.state.get()
    }

    /// Write an event of the plugin.
    pub fn event(&self, number: u32, name: &str, json_text: &str) -> Result<(), Refusal> {
        self.check_open()?;
        let stream = match number {
            0 => "",
            number => &self.stream(number)?.spec.label,
        };
        let details: Value = match json_text {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .map_err(|e| Refusal::Invalid(format!("event {name:?}: its details are not JSON: {e}")))?,
        };
        self.voice.record("plugin_event", stream, json!({"name": name, "details": details}));
        Ok(())
    }

    /// A log line of the plugin: shown, and from warnings up recorded.
    pub fn log(&self, level: Level, text: &str) {
        if self.voice.tell(level, text) && level >= Level::Warning && self.open.load(Relaxed) {
            let event = if level == Level::Error { "error" } else { "warning" };
            self.voice.record(event, "", json!({"text": text}));
        }
    }
}
