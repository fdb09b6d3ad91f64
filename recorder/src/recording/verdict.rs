//! What became of a recording: a word for each stream and one for the whole.

use std::path::PathBuf;

use serde::Serialize;

use super::intake::State;
use super::status::{SourceStatus, StreamStatus};

/// What became of the recording, as the exit code tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything that was sent is in the file.
    Complete,
    /// There is a recording, and something is missing from it.
    Lossy,
    /// There is no usable recording.
    Failed,
}

impl Outcome {
    /// The exit code of `lockstep record`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Failed => 1,
            Self::Lossy => 3,
        }
    }
}

/// What became of one stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamVerdict {
    /// Its source.
    pub source: String,
    /// Its name, or that of the source that had none.
    pub stream: String,
    /// What became of it.
    pub outcome: Outcome,
    /// In words.
    pub text: String,
    /// Its last status; `None` when the source never had a stream.
    pub status: Option<StreamStatus>,
}

/// What became of the recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// Why it ended.
    pub ended_by: String,
    /// What else went wrong: writing, stopping.
    pub problems: Vec<String>,
    /// Where it is.
    pub path: PathBuf,
    /// Size of the file.
    pub bytes: u64,
    /// Seconds from the start of the sources to the request to stop.
    pub duration_s: f64,
    /// Seconds from that request to the closed file.
    pub stop_s: f64,
    /// Every stream.
    pub streams: Vec<StreamVerdict>,
    /// The sources as they were at the end.
    pub sources: Vec<SourceStatus>,
}

/// What became of the streams of `sources`.
pub fn judge_streams(sources: &[SourceStatus]) -> Vec<StreamVerdict> {
    let mut verdicts = Vec::new();
    for source in sources {
        if source.streams.is_empty() {
            let outcome = if source.required { Outcome::Failed } else { Outcome::Lossy };
            let because =
                if source.reason.is_empty() { String::new() } else { format!(" ({})", source.reason) };
            verdicts.push(StreamVerdict {
                source: source.name.clone(),
                stream: source.name.clone(),
                outcome,
                text: format!("never had a stream{because}"),
                status: None,
            });
        }
        for stream in &source.streams {
            let (outcome, text) = judge(source, stream);
            verdicts.push(StreamVerdict {
                source: source.name.clone(),
                stream: stream.name.clone(),
                outcome,
                text,
                status: Some(stream.clone()),
            });
        }
    }
    verdicts
}

fn judge(source: &SourceStatus, stream: &StreamStatus) -> (Outcome, String) {
    if stream.samples == 0 && source.required {
        return (Outcome::Failed, "EMPTY: it never sent a sample".to_owned());
    }
    let causes = [
        (stream.lost, "lost before they reached the recorder"),
        (stream.dropped, "dropped: the queue was full"),
        (stream.rejected, "rejected: they could not be recorded"),
    ];
    let mut parts: Vec<String> =
        causes.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} samples {what}")).collect();
    if stream.gaps_of_unknown_size > 0 {
        parts.push(format!("{} gaps of unknown size", stream.gaps_of_unknown_size));
    }
    if source.state == State::Failed {
        // It was sending, and what it would have sent after that is missing.
        parts.push(format!("the source failed: {}", source.reason));
    }
    if !parts.is_empty() {
        return (Outcome::Lossy, parts.join("; "));
    }
    let text = match stream.samples {
        0 => "no sample (not required)".to_owned(),
        _ if stream.timestamps_back > 0 => {
            format!("complete; {} timestamps go back", stream.timestamps_back)
        }
        _ => "complete".to_owned(),
    };
    (Outcome::Complete, text)
}
