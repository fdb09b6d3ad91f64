//! How the recording is doing: one model, from which the terminal, `--json` and
//! later the live screens are fed.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use lockstep_platform::seconds;
use serde::Serialize;

use super::alarms::Alarm;
use super::clock::ClockIntake;
use super::intake::{SourceIntake, SourceKind};
use super::state::State;
use super::stream::StreamIntake;

/// How far the recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not every required stream has a sample on the disk.
    Starting,
    /// All of them have, or it was decided to go without those that are missing.
    Recording,
    /// Sources are being stopped and the file closed.
    Stopping,
}

/// How the recording is doing at one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// How far it is.
    pub phase: Phase,
    /// Recorder time in seconds.
    pub at_s: f64,
    /// Seconds since the sources were started.
    pub elapsed_s: f64,
    /// Required streams with a sample on the disk.
    pub on_disk: usize,
    /// Required streams that are waited for; a required source that is still connecting, or has no
    /// stream yet, counts as one.
    pub required: usize,
    /// The required streams that have none, and the required sources that are not all there.
    pub missing: Vec<String>,
    /// The file.
    pub file: FileStatus,
    /// Every source.
    pub sources: Vec<SourceStatus>,
    /// What someone should look at, newest first.
    pub alarms: Vec<Alarm>,
}

/// How the file is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileStatus {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes handed to the operating system.
    pub bytes: u64,
    /// Bytes of them on the disk.
    pub bytes_on_disk: u64,
    /// Growth over the last ten seconds; `None`: not known yet.
    pub bytes_per_s: Option<f64>,
    /// Free space; `None`: the system does not say.
    pub free_bytes: Option<u64>,
    /// How long the free space lasts at this growth; `None`: not known.
    pub time_left_s: Option<f64>,
}

/// How a source is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Its plugin.
    pub plugin: String,
    /// What it is there for.
    pub kind: SourceKind,
    /// Whether the recording needs it.
    pub required: bool,
    /// Its state.
    pub state: State,
    /// Why, in the plugin's words.
    pub reason: String,
    /// Part of its queue that is full, 0 to 1.
    pub queue_fill: f64,
    /// Samples missing that are of no stream in particular.
    pub lost_of_no_stream: u64,
    /// Gaps of unknown size likewise.
    pub gaps_of_no_stream: u64,
    /// Its streams.
    pub streams: Vec<StreamStatus>,
    /// Its clocks.
    pub clocks: Vec<ClockStatus>,
}

/// How a stream is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamStatus {
    /// Its label: its name, unless another stream of its source has the same.
    pub name: String,
    /// Its own state, where the source says one for it.
    pub state: State,
    /// Its id in the file.
    pub stream_id: u32,
    /// Its format.
    pub format: &'static str,
    /// Its channels.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// Samples a second over the last ten seconds; `None`: not known yet.
    pub effective_rate_hz: Option<f64>,
    /// Samples taken in.
    pub samples: u64,
    /// Dropped for a full queue.
    pub dropped: u64,
    /// Refused because they could not be recorded.
    pub rejected: u64,
    /// Reported lost by the source.
    pub lost: u64,
    /// Gaps of unknown size reported by the source.
    pub gaps_of_unknown_size: u64,
    /// Stamps earlier than the one before.
    pub timestamps_back: u64,
    /// Seconds since samples last came in; `None`: never.
    pub newest_age_s: Option<f64>,
    /// Seconds since the stream was first seen here.
    pub known_for_s: f64,
    /// It may send nothing for long: nobody waits for its samples.
    pub may_be_silent: bool,
    /// Whether it has samples on the disk.
    pub on_disk: bool,
    /// The clock that stamps it; `None`: recorder time.
    pub clock: Option<String>,
}

impl Status {
    /// What is missing, each with what its source says about it.
    pub fn missing_with_reasons(&self) -> String {
        let described = self.missing.iter().map(|label| match self.source_of(label) {
            Some(source) if !source.reason.is_empty() => format!("{label} ({})", source.reason),
            _ => label.clone(),
        });
        described.collect::<Vec<_>>().join(", ")
    }

    /// The source that a [`label`] names, or of which it names a stream.
    pub fn source_of(&self, label: &str) -> Option<&SourceStatus> {
        let of = |s: &&SourceStatus| label.strip_prefix(&s.name).is_some_and(|rest| rest.starts_with('/'));
        self.sources.iter().find(|s| s.name == label).or_else(|| self.sources.iter().find(of))
    }
}

impl StreamStatus {
    /// Samples known to be missing from the file.
    pub fn lost_samples(&self) -> u64 {
        self.dropped.saturating_add(self.rejected).saturating_add(self.lost)
    }

    /// Whether anything is known to be missing.
    pub fn lost_anything(&self) -> bool {
        self.lost_samples() > 0 || self.gaps_of_unknown_size > 0
    }

    /// How long samples of a regular stream may stay away: a few seconds, or some
    /// of its sampling intervals. `None`: it is irregular.
    pub fn patience_s(&self) -> Option<f64> {
        (self.nominal_rate_hz > 0.0).then(|| STALE_S.max(STALE_INTERVALS / self.nominal_rate_hz))
    }

    /// For how long a regular stream has been silent, if that is too long.
    pub fn silent_for_s(&self) -> Option<f64> {
        self.newest_age_s
            .filter(|_| !self.may_be_silent)
            .filter(|age_s| self.patience_s().is_some_and(|patience_s| *age_s > patience_s))
    }
}

/// A regular stream must not pause longer than this...
const STALE_S: f64 = 3.0;
/// ... nor longer than this many of its sampling intervals.
const STALE_INTERVALS: f64 = 15.0;

/// What is known of a clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockStatus {
    /// Its name.
    pub name: String,
    /// Host minus device in seconds, as last measured; `None`: never.
    pub offset_s: Option<f64>,
    /// Round-trip time of that measurement.
    pub round_trip_s: Option<f64>,
    /// It is off by no more than this.
    pub bound_s: Option<f64>,
    /// Seconds since that measurement.
    pub age_s: Option<f64>,
    /// Exchanges recorded.
    pub exchanges: u64,
    /// Exchanges that were measured and not recorded.
    pub exchanges_lost: u64,
    /// Streams it stamps.
    pub streams: usize,
    /// Seconds since the clock was first seen here.
    pub known_for_s: f64,
    /// Offsets recorded.
    pub offsets: u64,
    /// Bursts without a usable exchange.
    pub useless_bursts: u64,
    /// Times it was reset.
    pub resets: u64,
}

/// Rates are taken over this time.
pub const RATE_WINDOW_S: f64 = 10.0;
/// Rates are unknown before they can be taken over this time.
const SHORTEST_WINDOW_S: f64 = 1.0;

/// The rate of a growing count over its last seconds, taken between
/// the instants at which it grew, so that a pause shorter than the window shows
/// as age and not as a lower rate.
#[derive(Debug)]
pub struct RateMeter {
    window_s: f64,
    points: VecDeque<(f64, u64)>,
}

impl Default for RateMeter {
    fn default() -> Self {
        Self::over(RATE_WINDOW_S)
    }
}

impl RateMeter {
    /// A meter over the last `window_s` seconds.
    pub fn over(window_s: f64) -> Self {
        Self { window_s, points: VecDeque::new() }
    }

    /// A meter for a stream of this nominal rate: at least ten samples are in its window.
    pub fn of_stream(nominal_rate_hz: f64) -> Self {
        let interval_s = if nominal_rate_hz > 0.0 { 1.0 / nominal_rate_hz } else { 0.0 };
        Self::over(RATE_WINDOW_S.max(10.0 * interval_s))
    }

    /// At time `at_s` the count is `count`, as of `grown_s`; its rate a second,
    /// or `None` while it is not known.
    pub fn update(&mut self, at_s: f64, grown_s: f64, count: u64) -> Option<f64> {
        if self.points.back().is_none_or(|p| grown_s > p.0) {
            self.points.push_back((grown_s, count));
        }
        // Keep one point that is older than the window.
        while self.points.get(1).is_some_and(|p| at_s - p.0 >= self.window_s) {
            self.points.pop_front();
        }
        let ((from_s, from), (to_s, to)) = (*self.points.front()?, *self.points.back()?);
        if at_s - to_s > self.window_s {
            return Some(0.0);
        }
        let span_s = to_s - from_s;
        (span_s >= SHORTEST_WINDOW_S).then(|| to.saturating_sub(from) as f64 / span_s)
    }
}

/// `source/stream`, or one name where both are the same or there is no stream.
pub fn label(source: &str, stream: &str) -> String {
    if stream.is_empty() || stream == source { source.to_owned() } else { format!("{source}/{stream}") }
}

/// What has to be remembered between two looks.
#[derive(Debug, Default)]
pub struct Meters {
    streams: HashMap<u32, StreamMeter>,
    /// When a clock was first seen, by the id of its companion stream.
    clocks: HashMap<u32, f64>,
    /// Growth of the file.
    pub file: RateMeter,
}

#[derive(Debug)]
struct StreamMeter {
    first_seen_s: f64,
    /// Starts with the first samples, so that waiting for them does not lower the rate.
    rate: Option<RateMeter>,
}

impl Meters {
    /// How `source` is doing at `at_s`.
    pub fn source(&mut self, source: &SourceIntake, plugin: &str, at_s: f64) -> SourceStatus {
        let (state, reason) = source.state();
        let of_no_stream = &source.unattributed;
        let clocks = source.clocks.iter().map(|clock| {
            let first_seen_s = *self.clocks.entry(clock.companion.id).or_insert(at_s);
            let stamps =
                |s: &&Arc<StreamIntake>| s.spec.clock.as_ref().is_some_and(|c| Arc::ptr_eq(c, clock));
            ClockStatus {
                streams: source.streams.iter().filter(stamps).count(),
                known_for_s: at_s - first_seen_s,
                ..clock_status(clock, at_s)
            }
        });
        let clocks = clocks.collect();
        SourceStatus {
            lost_of_no_stream: of_no_stream
                .lost
                .load(Relaxed)
                .saturating_add(of_no_stream.rejected.load(Relaxed)),
            gaps_of_no_stream: of_no_stream.gaps_of_unknown_size.load(Relaxed),
            name: source.name.clone(),
            plugin: plugin.to_owned(),
            kind: source.kind,
            required: source.required,
            state,
            reason,
            queue_fill: source.budget.fill(),
            streams: source.streams.iter().map(|s| self.stream(s, at_s)).collect(),
            clocks,
        }
    }

    fn stream(&mut self, stream: &StreamIntake, at_s: f64) -> StreamStatus {
        let meter =
            self.streams.entry(stream.id).or_insert_with(|| StreamMeter { first_seen_s: at_s, rate: None });
        let c = &stream.counters;
        let samples = c.received.load(Relaxed);
        if samples > 0 {
            meter.rate.get_or_insert_with(|| RateMeter::of_stream(stream.spec.nominal_rate_hz));
        }
        let newest_ns = c.newest_ns.load(Relaxed);
        StreamStatus {
            name: stream.spec.label.clone(),
            state: stream.state.get().0,
            stream_id: stream.id,
            format: stream.spec.format.name(),
            channel_count: stream.spec.channel_count,
            nominal_rate_hz: stream.spec.nominal_rate_hz,
            effective_rate_hz: meter.rate.as_mut().and_then(|r| r.update(at_s, seconds(newest_ns), samples)),
            samples,
            dropped: c.dropped.load(Relaxed),
            rejected: c.rejected.load(Relaxed),
            lost: c.lost.load(Relaxed),
            gaps_of_unknown_size: c.gaps_of_unknown_size.load(Relaxed),
            timestamps_back: c.backwards.load(Relaxed),
            newest_age_s: (newest_ns != 0).then(|| (at_s - seconds(newest_ns)).max(0.0)),
            known_for_s: at_s - meter.first_seen_s,
            may_be_silent: stream.spec.may_be_silent,
            on_disk: c.on_disk.load(Relaxed),
            clock: stream.spec.clock.as_ref().map(|c| c.spec.name.clone()),
        }
    }
}

fn clock_status(clock: &ClockIntake, at_s: f64) -> ClockStatus {
    let lost = &clock.companion.counters;
    let summary = clock.summary();
    let newest = summary.newest;
    ClockStatus {
        name: clock.spec.name.clone(),
        offset_s: newest.map(|(m, _)| m.offset_s),
        round_trip_s: newest.map(|(m, _)| m.round_trip_s),
        bound_s: newest.map(|(m, _)| m.bound_s),
        age_s: newest.map(|(_, when_s)| (at_s - when_s).max(0.0)),
        exchanges: summary.exchanges,
        exchanges_lost: lost.dropped.load(Relaxed).saturating_add(lost.rejected.load(Relaxed)),
        streams: 0,
        known_for_s: 0.0,
        offsets: summary.offsets,
        useless_bursts: summary.useless_bursts,
        resets: summary.resets,
    }
}

/// How many of the required streams are on the disk, of how many, and which are missing. A source that is
/// still connecting is missing itself, whatever it has found already; a stream that may be silent never.
pub fn start_progress(sources: &[SourceStatus]) -> (usize, usize, Vec<String>) {
    let (mut on_disk, mut required, mut missing) = (0, 0, Vec::new());
    for source in sources.iter().filter(|s| s.required) {
        let mut its = Vec::new();
        for stream in source.streams.iter().filter(|s| !s.may_be_silent) {
            required += 1;
            if stream.on_disk {
                on_disk += 1;
            } else {
                its.push(label(&source.name, &stream.name));
            }
        }
        let incomplete = source.streams.is_empty() || source.state == State::Connecting;
        // A stream of the source's own name stands for both.
        if incomplete && !its.contains(&source.name) {
            required += 1;
            missing.push(source.name.clone());
        }
        missing.append(&mut its);
    }
    (on_disk, required, missing)
}

#[cfg(test)]
pub(crate) mod sample {
    //! Statuses for tests.

    use super::*;

    /// A regular stream of 100 Hz that has sent 1000 samples.
    pub(crate) fn stream(name: &str) -> StreamStatus {
        StreamStatus {
            name: name.to_owned(),
            state: State::Idle,
            stream_id: 2,
            format: "float32",
            channel_count: 8,
            nominal_rate_hz: 100.0,
            effective_rate_hz: Some(100.0),
            samples: 1000,
            dropped: 0,
            rejected: 0,
            lost: 0,
            gaps_of_unknown_size: 0,
            timestamps_back: 0,
            newest_age_s: Some(0.0),
            known_for_s: 10.0,
            may_be_silent: false,
            on_disk: true,
            clock: None,
        }
    }

    /// A required source with one such stream of its own name.
    pub(crate) fn source(name: &str, state: State) -> SourceStatus {
        SourceStatus {
            name: name.to_owned(),
            plugin: "udp".to_owned(),
            kind: SourceKind::Plugin,
            required: true,
            state,
            reason: String::new(),
            queue_fill: 0.0,
            lost_of_no_stream: 0,
            gaps_of_no_stream: 0,
            streams: vec![stream(name)],
            clocks: Vec::new(),
        }
    }

    /// A master clock without a measurement.
    pub(crate) fn master_clock(state: State, reason: &str) -> SourceStatus {
        SourceStatus {
            plugin: String::new(),
            kind: SourceKind::MasterClock,
            required: false,
            reason: reason.to_owned(),
            streams: Vec::new(),
            clocks: vec![clock("ntp")],
            ..source("ntp", state)
        }
    }

    /// A clock never measured, which stamps nothing.
    pub(crate) fn clock(name: &str) -> ClockStatus {
        ClockStatus {
            name: name.to_owned(),
            offset_s: None,
            round_trip_s: None,
            bound_s: None,
            age_s: None,
            exchanges: 0,
            exchanges_lost: 0,
            streams: 0,
            known_for_s: 11.0,
            offsets: 0,
            useless_bursts: 0,
            resets: 0,
        }
    }

    /// A recording of these sources.
    pub(crate) fn status(at_s: f64, sources: Vec<SourceStatus>) -> Status {
        let file = FileStatus {
            path: "a.xdf".into(),
            bytes: 0,
            bytes_on_disk: 0,
            bytes_per_s: None,
            free_bytes: None,
            time_left_s: None,
        };
        Status {
            phase: Phase::Recording,
            at_s,
            elapsed_s: at_s,
            on_disk: sources.len(),
            required: sources.len(),
            missing: Vec::new(),
            file,
            sources,
            alarms: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing of a required source in this state whose streams are a marker stream that may be
    /// silent and has sent nothing, and one stream of which `on_disk` says whether it is on the disk.
    fn progress(state: State, on_disk: bool) -> (usize, usize, Vec<String>) {
        let mut source = sample::source("LSL", state);
        let markers = StreamStatus { may_be_silent: true, on_disk: false, ..sample::stream("Markers") };
        source.streams = vec![markers, StreamStatus { on_disk, ..sample::stream("EEG") }];
        start_progress(&[source])
    }

    #[test]
    fn a_source_that_is_connecting_is_missing_whatever_it_has_found() {
        let missing = |labels: &[&str]| labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        assert_eq!(progress(State::Connecting, true), (1, 2, missing(&["LSL"])));
        assert_eq!(progress(State::Connecting, false), (0, 2, missing(&["LSL", "LSL/EEG"])));
        assert_eq!(progress(State::Streaming, false), (0, 1, missing(&["LSL/EEG"])));
        assert_eq!(progress(State::Streaming, true), (1, 1, missing(&[])));
        // A stream of the source's own name is one thing that is missing, not two.
        let mut waiting = sample::source("eeg", State::Connecting);
        waiting.streams[0].on_disk = false;
        assert_eq!(start_progress(&[waiting]), (0, 1, missing(&["eeg"])));
    }

    #[test]
    fn a_stream_that_may_be_silent_is_not_waited_for_and_its_source_is() {
        let mut source = sample::source("LSL", State::Connecting);
        source.streams = vec![StreamStatus { may_be_silent: true, on_disk: false, ..sample::stream("M") }];
        assert_eq!(start_progress(&[source.clone()]), (0, 1, vec!["LSL".to_owned()]));
        source.state = State::Streaming;
        assert_eq!(start_progress(&[source.clone()]), (0, 0, vec![]));
        source.streams.clear();
        assert_eq!(start_progress(&[source]), (0, 1, vec!["LSL".to_owned()]));
    }

    #[test]
    fn what_is_missing_is_told_with_the_reason_of_its_source() {
        let mut lsl = sample::source("LSL", State::Connecting);
        lsl.reason = "no stream of type='Gaze'; on the network: EEG".to_owned();
        let mut status = sample::status(1.0, vec![sample::source("LS", State::Streaming), lsl]);
        status.missing = vec!["LSL".to_owned(), "LSL/EEG".to_owned(), "LS/x".to_owned()];
        let reason = "(no stream of type='Gaze'; on the network: EEG)";
        assert_eq!(status.missing_with_reasons(), format!("LSL {reason}, LSL/EEG {reason}, LS/x"));
    }

    #[test]
    fn a_rate_is_unknown_then_right_then_follows_the_last_ten_seconds() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.update(100.0, 100.0, 0), None);
        assert_eq!(meter.update(100.5, 100.5, 50), None);
        assert_eq!(meter.update(101.1, 101.0, 100), Some(100.0));
        assert_eq!(meter.update(105.0, 101.0, 100), Some(100.0), "a pause is told by its age");
        assert_eq!(meter.update(111.5, 101.0, 100), Some(0.0), "nothing came for more than ten seconds");
        meter.update(112.0, 112.0, 200);
        assert_eq!(meter.update(114.0, 114.0, 400), Some(300.0 / 13.0));
    }
}
