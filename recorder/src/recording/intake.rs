//! What a source may tell the recording: its clocks, streams, samples,
//! exchanges, losses and states. Everything here may be called from any thread,
//! and nothing waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crossbeam_channel::Sender;
use lockstep_clock::Exchange;
use lockstep_platform::{monotonic_ns, monotonic_s};
use lockstep_xdf::ChannelFormat;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::clock::{ClockIntake, ClockSpec, EXCHANGE_TYPE};
use super::events::Events;
use super::header::{HeaderDetails, Identity, SyncInfo, exchange_header, stream_header};
use super::notice::{Level, Notices};
use super::stream::{Budget, Push, Role, StreamIntake, StreamSpec};
use super::table::AppendTable;

/// Streams a recording may have.
pub const MAX_STREAMS: usize = 4096;
/// Streams one source may have.
pub const MAX_STREAMS_PER_SOURCE: usize = 512;
/// Clocks one source may have.
pub const MAX_CLOCKS_PER_SOURCE: usize = 128;
/// Channels one stream may have.
pub const MAX_CHANNELS: usize = 1 << 20;
/// Log lines a second of one source that are shown and recorded; more are counted.
const LOG_LINES_PER_S: u32 = 20;

/// What all sources of a recording share.
#[derive(Debug)]
pub struct Shared {
    /// The event stream.
    pub events: Events,
    /// Lines for whoever watches.
    pub notices: Notices,
    /// Who records.
    pub identity: Identity,
    /// Wakes the writer before its time.
    pub wake: Sender<()>,
    /// Every stream of the recording, in the order in which they were added.
    pub streams: AppendTable<Arc<StreamIntake>>,
    next_stream_id: AtomicU32,
}

impl Shared {
    /// A recording with nothing in it but its event stream.
    pub fn new(events: Events, notices: Notices, identity: Identity, wake: Sender<()>) -> Arc<Self> {
        let streams = AppendTable::new(MAX_STREAMS);
        let next_stream_id = AtomicU32::new(super::events::STREAM_ID + 1);
        streams.append(|_| Some(Arc::clone(events.stream())));
        Arc::new(Self { events, notices, identity, wake, streams, next_stream_id })
    }

    fn add(&self, make: impl FnOnce(u32) -> StreamIntake) -> Result<Arc<StreamIntake>, Refusal> {
        let id = self.next_stream_id.fetch_add(1, Relaxed);
        let added = self.streams.append(|_| Some(Arc::new(make(id))));
        added.cloned().ok_or(Refusal::Limit("streams in a recording", MAX_STREAMS))
    }
}

/// State of a source or stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not started.
    Idle,
    /// Looking for the device, or waiting for its first data.
    Connecting,
    /// Data arrive.
    Streaming,
    /// Data arrive, but something is wrong.
    Degraded,
    /// The device is gone; the source keeps trying.
    Lost,
    /// No more data will ever come.
    Finished,
    /// Gave up.
    Failed,
}

impl State {
    /// As shown and written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Streaming => "streaming",
            Self::Degraded => "degraded",
            Self::Lost => "lost",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Lost | Self::Failed => Level::Error,
            Self::Degraded => Level::Warning,
            _ => Level::Info,
        }
    }
}

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
}

/// What a plugin said of a stream it adds.
#[derive(Debug)]
pub struct NewStream {
    /// Name.
    pub name: String,
    /// XDF type.
    pub kind: String,
    /// Format.
    pub format: ChannelFormat,
    /// Channels.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// The clock's number; 0: recorder time.
    pub clock: u32,
    /// The rest of the header.
    pub details: HeaderDetails,
}

/// What the configuration adds to the headers of a source's streams.
#[derive(Debug, Default)]
pub struct SourceHeader {
    /// Goes over what the plugin stated.
    pub synchronization: SyncInfo,
    /// Goes to `desc/acquisition`.
    pub acquisition: Vec<(String, String)>,
}

#[derive(Debug)]
struct StateNow {
    state: State,
    reason: String,
}

/// One source of the recording.
#[derive(Debug)]
pub struct SourceIntake {
    /// Its name in the configuration.
    pub name: String,
    /// Whether the recording needs it.
    pub required: bool,
    /// Its streams, by the numbers the plugin knows them under.
    pub streams: AppendTable<Arc<StreamIntake>>,
    /// Its clocks, likewise.
    pub clocks: AppendTable<Arc<ClockIntake>>,
    /// The bound on what may wait for the writer.
    pub budget: Arc<Budget>,
    header: SourceHeader,
    shared: Arc<Shared>,
    open: AtomicBool,
    state: Mutex<StateNow>,
    log_window: Mutex<(i64, u32)>,
    /// Log lines that were not shown for there were too many.
    pub hidden_log_lines: AtomicU64,
}

impl SourceIntake {
    /// A source that is not yet started.
    pub fn new(
        shared: Arc<Shared>,
        name: &str,
        required: bool,
        queue_bytes: usize,
        header: SourceHeader,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            required,
            streams: AppendTable::new(MAX_STREAMS_PER_SOURCE),
            clocks: AppendTable::new(MAX_CLOCKS_PER_SOURCE),
            budget: Budget::new(queue_bytes),
            header,
            shared,
            open: AtomicBool::new(false),
            state: Mutex::new(StateNow { state: State::Idle, reason: String::new() }),
            log_window: Mutex::default(),
            hidden_log_lines: AtomicU64::new(0),
        })
    }

    /// Accept what the plugin says from now on, or no longer.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Relaxed);
    }

    fn check_open(&self) -> Result<(), Refusal> {
        if self.open.load(Relaxed) { Ok(()) } else { Err(Refusal::NotRunning) }
    }

    /// Add a clock and the companion stream of its exchanges.
    pub fn add_clock(&self, spec: ClockSpec) -> Result<u32, Refusal> {
        self.check_open()?;
        if spec.name.is_empty() {
            return Err(Refusal::Invalid("a clock must have a name".to_owned()));
        }
        if self.clocks.iter().any(|c| c.spec.name == spec.name) {
            return Err(Refusal::Invalid(format!("there is already a clock named {:?}", spec.name)));
        }
        if !(spec.reading.resolution_s.is_finite() && spec.reading.resolution_s >= 0.0) {
            return Err(Refusal::Invalid(format!("clock {:?}: resolution below zero", spec.name)));
        }
        let mut number = 0;
        let added = self.clocks.append(|n| {
            number = n;
            let companion = StreamSpec {
                name: spec.name.clone(),
                kind: EXCHANGE_TYPE.to_owned(),
                format: ChannelFormat::Double64,
                channel_count: 4,
                nominal_rate_hz: 0.0,
                clock: None,
                role: Role::Exchanges,
            };
            let header = exchange_header(&self.shared.identity, &companion, &spec);
            let budget = Arc::clone(&self.budget);
            let companion = self.shared.add(|id| StreamIntake::new(id, companion, header, budget)).ok()?;
            Some(Arc::new(ClockIntake::new(spec, companion)))
        });
        added.map(|_| number).ok_or(Refusal::Limit("clocks of a source", MAX_CLOCKS_PER_SOURCE))
    }

    /// Add a stream.
    pub fn add_stream(&self, new: NewStream) -> Result<u32, Refusal> {
        self.check_open()?;
        let invalid = |what: String| Err(Refusal::Invalid(format!("stream {:?}: {what}", new.name)));
        if new.name.is_empty() {
            return Err(Refusal::Invalid("a stream must have a name".to_owned()));
        }
        if self.streams.iter().any(|s| s.spec.name == new.name) {
            return invalid("there is already one of this name".to_owned());
        }
        if new.channel_count == 0 || new.channel_count > MAX_CHANNELS {
            return invalid(format!("{} channels; 1 to {MAX_CHANNELS} are possible", new.channel_count));
        }
        if !(new.nominal_rate_hz.is_finite() && new.nominal_rate_hz >= 0.0) {
            return invalid(format!("the nominal rate {} is not a rate", new.nominal_rate_hz));
        }
        let clock = match new.clock {
            0 => None,
            number => match self.clocks.get(number) {
                Some(clock) => Some(Arc::clone(clock)),
                None => return invalid(format!("no clock has the number {number}")),
            },
        };
        let spec = StreamSpec {
            name: new.name,
            kind: new.kind,
            format: new.format,
            channel_count: new.channel_count,
            nominal_rate_hz: new.nominal_rate_hz,
            clock,
            role: Role::Data,
        };
        let mut details = new.details;
        details.synchronization = self.header.synchronization.or(details.synchronization);
        details.acquisition.extend(self.header.acquisition.iter().cloned());
        let header = stream_header(&self.shared.identity, &spec, details);
        let mut number = 0;
        let mut refusal = None;
        let added = self.streams.append(|n| {
            number = n;
            let budget = Arc::clone(&self.budget);
            match self.shared.add(|id| StreamIntake::new(id, spec, header, budget)) {
                Ok(stream) => Some(stream),
                Err(e) => {
                    refusal = Some(e);
                    None
                }
            }
        });
        let limit = Refusal::Limit("streams of a source", MAX_STREAMS_PER_SOURCE);
        let stream = added.ok_or(refusal.unwrap_or(limit))?;
        self.shared.events.write(
            "stream",
            &self.name,
            &stream.spec.name,
            json!({
                "stream_id": stream.id,
                "format": stream.spec.format.name(),
                "channel_count": stream.spec.channel_count,
                "nominal_rate_hz": stream.spec.nominal_rate_hz,
                "clock": stream.spec.clock.as_ref().map(|c| &c.spec.name),
            }),
        );
        Ok(number)
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
            Push::Rejected(why) => Err(Refusal::Invalid(format!("stream {:?}: {why}", stream.spec.name))),
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
            clock.companion.counters.rejected.fetch_add(refused, Relaxed);
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
        self.shared.events.write(
            "clock_reset",
            &self.name,
            "",
            json!({"clock": clock.spec.name, "reason": reason}),
        );
        let text = format!("clock {} was reset: {reason}", clock.spec.name);
        self.shared.notices.send(Level::Warning, &self.name, text);
        Ok(())
    }

    /// Samples never reached the plugin (`None`: some, number unknown).
    pub fn report_gap(&self, number: u32, lost: Option<u64>, reason: &str) -> Result<(), Refusal> {
        self.check_open()?;
        let stream = match number {
            0 => None,
            number => Some(self.stream(number)?),
        };
        let counted = stream.or_else(|| self.streams.get(1));
        if let Some(stream) = counted {
            match lost {
                Some(lost) => stream.counters.lost.fetch_add(lost, Relaxed),
                None => stream.counters.gaps_of_unknown_size.fetch_add(1, Relaxed),
            };
        }
        let name = stream.map_or("", |s| &s.spec.name);
        self.shared.events.write("gap", &self.name, name, json!({"lost_samples": lost, "reason": reason}));
        if lost != Some(0) {
            let what = lost.map_or("samples lost".to_owned(), |n| format!("{n} samples lost"));
            self.log_limited(Level::Warning, &format!("{what}: {reason}"));
        }
        Ok(())
    }

    /// How the source, or one of its streams, is doing.
    pub fn set_state(&self, number: u32, state: State, reason: &str) -> Result<(), Refusal> {
        let stream = match number {
            0 => "",
            number => &self.stream(number)?.spec.name,
        };
        if number == 0 {
            let mut now = self.state.lock();
            if now.state == state && now.reason == reason {
                return Ok(());
            }
            *now = StateNow { state, reason: reason.to_owned() };
        }
        let details = json!({"state": state.name(), "reason": reason});
        self.shared.events.write("state", &self.name, stream, details);
        let of = if stream.is_empty() { String::new() } else { format!("{stream}: ") };
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        self.shared.notices.send(state.level(), &self.name, format!("{of}{}{reason}", state.name()));
        Ok(())
    }

    /// State of the source and the reason for it.
    pub fn state(&self) -> (State, String) {
        let now = self.state.lock();
        (now.state, now.reason.clone())
    }

    /// Write an event of the plugin.
    pub fn event(&self, number: u32, name: &str, json_text: &str) -> Result<(), Refusal> {
        self.check_open()?;
        let stream = match number {
            0 => "",
            number => &self.stream(number)?.spec.name,
        };
        let details: Value = match json_text {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .map_err(|e| Refusal::Invalid(format!("event {name:?}: its details are not JSON: {e}")))?,
        };
        self.shared.events.write(
            "plugin_event",
            &self.name,
            stream,
            json!({"name": name, "details": details}),
        );
        Ok(())
    }

    /// A log line of the plugin: shown, and from warnings up recorded. Floods are cut.
    pub fn log(&self, level: Level, text: &str) {
        if self.log_limited(level, text) && level >= Level::Warning && self.open.load(Relaxed) {
            let event = if level == Level::Error { "error" } else { "warning" };
            self.shared.events.write(event, &self.name, "", json!({"text": text}));
        }
    }

    fn log_limited(&self, level: Level, text: &str) -> bool {
        let second = monotonic_s() as i64;
        let mut window = self.log_window.lock();
        if window.0 != second {
            *window = (second, 0);
        }
        window.1 += 1;
        let shown = window.1 <= LOG_LINES_PER_S;
        drop(window);
        if shown {
            self.shared.notices.send(level, &self.name, text);
        } else {
            self.hidden_log_lines.fetch_add(1, Relaxed);
        }
        shown
    }
}
