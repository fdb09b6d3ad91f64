//! How the recording is doing: one model, from which the terminal, `--json` and
//! later the live screens are fed.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use lockstep_platform::seconds;
use serde::Serialize;

use super::alarms::Alarm;
use super::clock::ClockIntake;
use super::intake::{SourceIntake, State};
use super::stream::StreamIntake;

/// How far the recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not every required stream has a sample on the disk.
    Starting,
    /// All of them have.
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
    /// Required streams; a required source without a stream yet counts as one.
    pub required: usize,
    /// The required streams (or sources) that have none.
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
    /// Whether the recording needs it.
    pub required: bool,
    /// Its state.
    pub state: State,
    /// Why, in the plugin's words.
    pub reason: String,
    /// Part of its queue that is full, 0 to 1.
    pub queue_fill: f64,
    /// Its streams.
    pub streams: Vec<StreamStatus>,
    /// Its clocks.
    pub clocks: Vec<ClockStatus>,
}

/// How a stream is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
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
    /// Whether it has samples on the disk.
    pub on_disk: bool,
    /// The clock that stamps it; `None`: recorder time.
    pub clock: Option<String>,
}

impl StreamStatus {
    /// Samples known to be missing from the file.
    pub fn lost_samples(&self) -> u64 {
        self.dropped + self.rejected + self.lost
    }

    /// Whether anything is known to be missing.
    pub fn lost_anything(&self) -> bool {
        self.lost_samples() > 0 || self.gaps_of_unknown_size > 0
    }
}

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

/// The rate of a growing count over the last [`RATE_WINDOW_S`], taken between
/// the instants at which it grew, so that a pause shorter than the window shows
/// as age and not as a lower rate.
#[derive(Debug, Default)]
pub struct RateMeter {
    points: VecDeque<(f64, u64)>,
}

impl RateMeter {
    /// At time `at_s` the count is `count`, as of `grown_s`; its rate a second,
    /// or `None` while it is not known.
    pub fn update(&mut self, at_s: f64, grown_s: f64, count: u64) -> Option<f64> {
        if self.points.back().is_none_or(|p| grown_s > p.0) {
            self.points.push_back((grown_s, count));
        }
        // Keep one point that is older than the window.
        while self.points.get(1).is_some_and(|p| at_s - p.0 >= RATE_WINDOW_S) {
            self.points.pop_front();
        }
        let ((from_s, from), (to_s, to)) = (*self.points.front()?, *self.points.back()?);
        if at_s - to_s > RATE_WINDOW_S {
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
        SourceStatus {
            name: source.name.clone(),
            plugin: plugin.to_owned(),
            required: source.required,
            state,
            reason,
            queue_fill: source.budget.fill(),
            streams: source.streams.iter().map(|s| self.stream(s, at_s)).collect(),
            clocks: source.clocks.iter().map(|c| clock(c, at_s)).collect(),
        }
    }

    fn stream(&mut self, stream: &StreamIntake, at_s: f64) -> StreamStatus {
        let meter =
            self.streams.entry(stream.id).or_insert_with(|| StreamMeter { first_seen_s: at_s, rate: None });
        let c = &stream.counters;
        let samples = c.received.load(Relaxed);
        if samples > 0 {
            meter.rate.get_or_insert_default();
        }
        let newest_ns = c.newest_ns.load(Relaxed);
        StreamStatus {
            name: stream.spec.name.clone(),
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
            on_disk: c.on_disk.load(Relaxed),
            clock: stream.spec.clock.as_ref().map(|c| c.spec.name.clone()),
        }
    }
}

fn clock(clock: &ClockIntake, at_s: f64) -> ClockStatus {
    let summary = clock.summary();
    let newest = summary.newest;
    ClockStatus {
        name: clock.spec.name.clone(),
        offset_s: newest.map(|(m, _)| m.offset_s),
        round_trip_s: newest.map(|(m, _)| m.round_trip_s),
        bound_s: newest.map(|(m, _)| m.bound_s),
        age_s: newest.map(|(_, when_s)| (at_s - when_s).max(0.0)),
        exchanges: summary.exchanges,
        offsets: summary.offsets,
        useless_bursts: summary.useless_bursts,
        resets: summary.resets,
    }
}

/// How many of the required streams are on the disk, of how many, and which are missing.
pub fn start_progress(sources: &[SourceStatus]) -> (usize, usize, Vec<String>) {
    let (mut on_disk, mut required, mut missing) = (0, 0, Vec::new());
    for source in sources.iter().filter(|s| s.required) {
        if source.streams.is_empty() {
            required += 1;
            missing.push(source.name.clone());
        }
        for stream in &source.streams {
            required += 1;
            if stream.on_disk {
                on_disk += 1;
            } else {
                missing.push(label(&source.name, &stream.name));
            }
        }
    }
    (on_disk, required, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

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
