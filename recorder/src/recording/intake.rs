//! What a source may tell the recording: its clocks, streams, samples,
//! exchanges, losses and states. Everything here may be called from any thread,
//! and nothing waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crossbeam_channel::Sender;
use lockstep_clock::Exchange;
use lockstep_platform::{monotonic_ns, monotonic_s};
use lockstep_xdf::ChannelFormat;
use serde::Serialize;
use serde_json::{Value, json};

use super::clock::{ClockIntake, ClockSpec, EXCHANGE_TYPE};
use super::events::Events;
use super::header::{HeaderDetails, Identity, SyncInfo, exchange_header, stream_header};
use super::limiter::{self, Limiter};
use super::notice::{Level, Notices, samples};
use super::state::{State, StateCell};
use super::stream::{Budget, Push, Role, StreamIntake, StreamSpec, count};
use super::table::AppendTable;

/// Streams a recording may have.
pub const MAX_STREAMS: usize = 4096;
/// Streams one source may have.
pub const MAX_STREAMS_PER_SOURCE: usize = 512;
/// Clocks one source may have.
pub const MAX_CLOCKS_PER_SOURCE: usize = 128;
/// Channels one stream may have.
pub const MAX_CHANNELS: usize = 1 << 20;
/// Lines a second of one source and level that are shown and recorded; more are counted.
const LINES_PER_S: u32 = 20;
/// Events a second that one source may write; more are counted.
const EVENTS_PER_S: u32 = 200;

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
    /// Name, for the header.
    pub name: String,
    /// What the operator sees: a text of one line, unique within the source.
    pub label: String,
    /// XDF type.
    pub kind: String,
    /// Format.
    pub format: ChannelFormat,
    /// Channels.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// It may send nothing for long.
    pub may_be_silent: bool,
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
    /// The bound on what may wait for the writer.
    pub budget: Arc<Budget>,
    header: SourceHeader,
    shared: Arc<Shared>,
    open: AtomicBool,
    state: StateCell,
    /// What is missing, and of no stream in particular.
    pub unattributed: Unattributed,
    /// One a level, so that a flood of one hides nothing of another.
    lines: [Limiter; 4],
    event_limit: Limiter,
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
            budget: Budget::new(queue_bytes),
            header,
            shared,
            open: AtomicBool::new(false),
            state: StateCell::default(),
            unattributed: Unattributed::default(),
            lines: [(); 4].map(|()| Limiter::new(LINES_PER_S)),
            event_limit: Limiter::new(EVENTS_PER_S),
        })
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
        for limiter in &self.lines {
            self.tell_hidden("lines", limiter.take_hidden());
        }
        self.tell_hidden("events", self.event_limit.take_hidden());
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
        if !(spec.reading.resolution_s.is_finite() && spec.reading.resolution_s >= 0.0) {
            return Err(Refusal::Invalid(format!("clock {:?}: resolution below zero", spec.name)));
        }
        let mut refusal = Refusal::Limit("clocks of a source", MAX_CLOCKS_PER_SOURCE);
        let mut number = 0;
        let added = self.clocks.append(|n| {
            number = n;
            let made = self.make_clock(spec);
            made.map_err(|e| refusal = e).ok()
        });
        added.map(|_| number).ok_or(refusal)
    }

    fn make_clock(&self, spec: ClockSpec) -> Result<Arc<ClockIntake>, Refusal> {
        if self.clocks.iter().any(|c| c.spec.name == spec.name) {
            return Err(Refusal::Invalid(format!("there is already a clock named {:?}", spec.name)));
        }
        let companion = StreamSpec {
            source: self.name.clone(),
            name: spec.name.clone(),
            label: spec.name.clone(),
            kind: EXCHANGE_TYPE.to_owned(),
            format: ChannelFormat::Double64,
            channel_count: 4,
            nominal_rate_hz: 0.0,
            may_be_silent: true,
            clock: None,
            role: Role::Exchanges,
        };
        let acquisition = &self.header.acquisition;
        let header = exchange_header(&self.shared.identity, &companion, &spec, acquisition);
        let budget = Arc::clone(&self.budget);
        let companion = self.shared.add(|id| StreamIntake::new(id, companion, header, budget))?;
        Ok(Arc::new(ClockIntake::new(spec, companion)))
    }

    /// Add a stream.
    pub fn add_stream(&self, new: NewStream) -> Result<u32, Refusal> {
        self.check_open()?;
        let invalid = |what: String| Err(Refusal::Invalid(format!("stream {:?}: {what}", new.label)));
        if new.label.is_empty() {
            return Err(Refusal::Invalid("a stream must have a name".to_owned()));
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
            source: self.name.clone(),
            name: new.name,
            label: new.label,
            kind: new.kind,
            format: new.format,
            channel_count: new.channel_count,
            nominal_rate_hz: new.nominal_rate_hz,
            may_be_silent: new.may_be_silent,
            clock,
            role: Role::Data,
        };
        let header = stream_header(&self.shared.identity, &spec, new.details, &self.header);
        let mut number = 0;
        let mut refusal = Refusal::Limit("streams of a source", MAX_STREAMS_PER_SOURCE);
        let added = self.streams.append(|n| {
            number = n;
            if self.streams.iter().any(|s| s.spec.label == spec.label) {
                let text = format!("stream {:?}: there is already one of this name or label", spec.label);
                refusal = Refusal::Invalid(text);
                return None;
            }
            let budget = Arc::clone(&self.budget);
            let made = self.shared.add(|id| StreamIntake::new(id, spec, header, budget));
            made.map_err(|e| refusal = e).ok()
        });
        let stream = added.ok_or(refusal)?;
        self.shared.events.write(
            "stream",
            &self.name,
            &stream.spec.label,
            json!({
                "stream_id": stream.id,
                "name": stream.spec.name,
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
        self.record("clock_reset", "", json!({"clock": clock.spec.name, "reason": reason}));
        self.tell(Level::Warning, &format!("clock {} was reset: {reason}", clock.spec.name));
        Ok(())
    }

    /// Samples were refused before they reached a stream: none of this number, or not readable.
    pub fn count_refused(&self, number: u32, samples: u64) {
        match self.streams.get(number) {
            Some(stream) => count(&stream.counters.rejected, samples),
            None => count(&self.unattributed.rejected, samples),
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
        self.record("gap", name, json!({"lost_samples": lost, "reason": reason}));
        if lost != Some(0) {
            let what = lost.map_or("samples".to_owned(), samples);
            self.tell(Level::Warning, &format!("{what} lost: {reason}"));
        }
        Ok(())
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
        self.record("state", stream, json!({"state": state.name(), "reason": reason}));
        let of = if stream.is_empty() { String::new() } else { format!("{stream}: ") };
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        self.tell(state.level(), &format!("{of}{}{reason}", state.name()));
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
        self.record("plugin_event", stream, json!({"name": name, "details": details}));
        Ok(())
    }

    /// A log line of the plugin: shown, and from warnings up recorded.
    pub fn log(&self, level: Level, text: &str) {
        if self.tell(level, text) && level >= Level::Warning && self.open.load(Relaxed) {
            let event = if level == Level::Error { "error" } else { "warning" };
            self.record(event, "", json!({"text": text}));
        }
    }

    /// Write an event, unless there are too many of them.
    fn record(&self, event: &str, stream: &str, details: Value) {
        if let limiter::Verdict::Pass { hidden_before } = self.event_limit.ask(monotonic_s()) {
            self.tell_hidden("events", hidden_before);
            self.shared.events.write(event, &self.name, stream, details);
        }
    }

    /// Show a line, unless there are too many of them; whether it was shown.
    fn tell(&self, level: Level, text: &str) -> bool {
        match self.lines[level as usize].ask(monotonic_s()) {
            limiter::Verdict::Hide => false,
            limiter::Verdict::Pass { hidden_before } => {
                self.tell_hidden("lines", hidden_before);
                self.shared.notices.send(level, &self.name, text);
                true
            }
        }
    }

    fn tell_hidden(&self, what: &str, hidden: u64) {
        if hidden > 0 {
            let text = format!("{hidden} {what} were left out: there were too many");
            self.shared.events.write("hidden", &self.name, "", json!({"count": hidden, "what": what}));
            self.shared.notices.send(Level::Warning, &self.name, text);
        }
    }
}
