//! How the recording is doing: one model, from which the terminal, `--json` and
//! later the live screens are fed.

mod meters;
mod progress;
mod rate;
#[cfg(test)]
pub(crate) mod sample;

use std::path::PathBuf;

use serde::Serialize;

use super::alarms::Alarm;
use super::intake::SourceKind;
use super::state::State;

pub use meters::Meters;
pub use progress::start_progress;
pub use rate::{RATE_WINDOW_S, RateMeter};

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
    /// Growth over the last ten seconds, of it and of the files beside it; `None`: not known yet.
    pub bytes_per_s: Option<f64>,
    /// Free space; `None`: the system does not say.
    pub free_bytes: Option<u64>,
    /// How long the free space lasts at this growth; `None`: not known.
    pub time_left_s: Option<f64>,
    /// Bytes that wait in memory because no file can be written.
    pub held_bytes: u64,
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
    /// Its process, where it has one of its own.
    pub child: Option<ChildStatus>,
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

/// How the process of a source is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChildStatus {
    /// Its id; `None`: there is none at the moment.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// Memory it uses; `None`: not known.
    pub rss_bytes: Option<u64>,
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
    /// How often it is measured; `None`: as often as the experiment asks.
    pub interval_s: Option<f64>,
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

/// `source/stream`, or one name where both are the same or there is no stream.
pub fn label(source: &str, stream: &str) -> String {
    if stream.is_empty() || stream == source { source.to_owned() } else { format!("{source}/{stream}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_reason_of_its_source() {
        let mut lsl = sample::source("LSL", State::Connecting);
        lsl.reason = "no stream of type='Gaze'; on the network: EEG".to_owned();
        let mut status = sample::status(1.0, vec![sample::source("LS", State::Streaming), lsl]);
        status.missing = vec!["LSL".to_owned(), "LSL/EEG".to_owned(), "LS/x".to_owned()];
        let reason = "(no stream of type='Gaze'; on the network: EEG)";
        assert_eq!(status.missing_with_reasons(), format!("LSL {reason}, LSL/EEG {reason}, LS/x"));
    }
}
