//! What became of a recording: a word for each stream and one for the whole,
//! judged by what is in the file.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use super::intake::SourceKind;
use super::notice::{gaps_of_unknown_size, samples};
use super::side::SideFileReport;
use super::state::State;
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
    /// What became of it: complete or lossy.
    pub outcome: Outcome,
    /// Nothing is missing, but someone should read the text.
    pub note: bool,
    /// In words.
    pub text: String,
    /// Samples in the file.
    pub samples_in_file: u64,
    /// Its last status; `None` when the source never had a stream.
    pub status: Option<StreamStatus>,
}

/// What became of the recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it had begun: every required stream had a sample on the disk.
    pub begun: bool,
    /// Why it ended.
    pub ended_by: String,
    /// What else went wrong: writing, stopping.
    pub problems: Vec<String>,
    /// Where it is.
    pub path: PathBuf,
    /// Further files, in which it goes on.
    pub continued_in: Vec<PathBuf>,
    /// Size of the file; 0: it held no sample and was removed.
    pub bytes: u64,
    /// Seconds from the start of the sources to the request to stop.
    pub duration_s: f64,
    /// Seconds from that request to the closed file.
    pub stop_s: f64,
    /// Files beside it.
    pub side_files: Vec<SideFileReport>,
    /// Every stream.
    pub streams: Vec<StreamVerdict>,
    /// The sources as they were at the end.
    pub sources: Vec<SourceStatus>,
}

/// Judge the whole: `begun` says whether the start was completed.
pub fn judge(
    begun: bool,
    streams: &[StreamVerdict],
    sources: &[SourceStatus],
    problems: &[String],
) -> Outcome {
    let has_data = |required_only: bool| {
        streams.iter().any(|s| {
            let required = sources.iter().any(|source| source.required && source.name == s.source);
            let there = s.samples_in_file > 0 || s.status.as_ref().is_some_and(|s| s.may_be_silent);
            there && (required || !required_only)
        })
    };
    if !begun || !has_data(sources.iter().any(|s| s.required)) {
        return Outcome::Failed;
    }
    let worst = streams.iter().map(|s| s.outcome).max().unwrap_or(Outcome::Complete);
    if problems.is_empty() { worst } else { worst.max(Outcome::Lossy) }
}

/// Whether every stream of every required source has samples in the file: a
/// recording that ended before this was seen had begun all the same.
pub fn all_required_in_file(sources: &[SourceStatus], streams: &[StreamVerdict]) -> bool {
    sources.iter().filter(|source| source.required).all(|source| {
        let mut its = streams.iter().filter(|s| s.source == source.name && s.status.is_some()).peekable();
        let silent = |s: &StreamVerdict| s.status.as_ref().is_some_and(|s| s.may_be_silent);
        // One that is still connecting is not all there.
        source.state != State::Connecting
            && its.peek().is_some()
            && its.all(|s| s.samples_in_file > 0 || silent(s))
    })
}

/// Judge the streams of `sources`; `in_file` is the number of samples in the file
/// by stream id, `None` when nobody knows (which is a problem of its own).
pub fn judge_streams(sources: &[SourceStatus], in_file: Option<&HashMap<u32, u64>>) -> Vec<StreamVerdict> {
    let mut verdicts = Vec::new();
    for source in sources {
        let because = if source.reason.is_empty() { String::new() } else { format!(" ({})", source.reason) };
        let of_source = |outcome, text| StreamVerdict {
            source: source.name.clone(),
            stream: source.name.clone(),
            outcome,
            note: outcome == Outcome::Complete,
            text,
            samples_in_file: 0,
            status: None,
        };
        if source.kind == SourceKind::MasterClock {
            verdicts
                .extend(judge_master_clock(source, &because).map(|text| of_source(Outcome::Complete, text)));
            continue;
        }
        if source.streams.is_empty() {
            let broken = matches!(source.state, State::Failed | State::Lost);
            let outcome = if source.required || broken { Outcome::Lossy } else { Outcome::Complete };
            verdicts.push(of_source(outcome, format!("never had a stream{because}")));
        }
        if source.lost_of_no_stream > 0 || source.gaps_of_no_stream > 0 {
            let (lost, gaps) = (source.lost_of_no_stream, source.gaps_of_no_stream);
            let text =
                format!("of no stream in particular: {} lost, {}", samples(lost), gaps_of_unknown_size(gaps));
            verdicts.push(of_source(Outcome::Lossy, text));
        }
        for stream in &source.streams {
            let counted = in_file.map(|counts| counts.get(&stream.stream_id).copied().unwrap_or(0));
            let samples_in_file = counted.unwrap_or(stream.samples);
            let (outcome, note, text) = judge_stream(source, stream, samples_in_file, &because);
            verdicts.push(StreamVerdict {
                source: source.name.clone(),
                stream: stream.name.clone(),
                outcome,
                note,
                text,
                samples_in_file,
                status: Some(stream.clone()),
            });
        }
    }
    verdicts
}

/// What there is to say of a master clock: nothing when it was measured to the end.
fn judge_master_clock(source: &SourceStatus, because: &str) -> Option<String> {
    let offsets: u64 = source.clocks.iter().map(|c| c.offsets).sum();
    match (offsets, source.state) {
        (0, _) => Some(format!(
            "the master clock was never measured{because}: this recording cannot be put beside those of other machines"
        )),
        (_, State::Degraded | State::Lost | State::Failed) => {
            Some(format!("the master clock was not measured at the end{because}"))
        }
        _ => None,
    }
}

fn judge_stream(
    source: &SourceStatus,
    stream: &StreamStatus,
    in_file: u64,
    because: &str,
) -> (Outcome, bool, String) {
    let unwritten = stream.samples.saturating_sub(in_file);
    let causes = [
        (stream.lost, "lost before they reached the recorder"),
        (stream.dropped, "dropped: the queue was full"),
        (stream.rejected, "rejected: they could not be recorded"),
        (unwritten, "received and not in the file: writing failed"),
    ];
    let mut missing: Vec<String> =
        causes.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", samples(*n))).collect();
    if stream.gaps_of_unknown_size > 0 {
        missing.push(gaps_of_unknown_size(stream.gaps_of_unknown_size));
    }
    if stream.samples == 0 && source.required && !stream.may_be_silent {
        missing.push("EMPTY: it never sent a sample".to_owned());
    }
    match source.state {
        State::Lost => missing.push(format!("the device was gone at the end{because}")),
        State::Failed => missing.push(format!("the source had failed at the end{because}")),
        State::Finished => {}
        _ if stream.state.is_silent() => {}
        _ => {
            if let Some(age_s) = stream.silent_for_s() {
                missing.push(format!("silent for the last {age_s:.0} s"));
            }
        }
    }
    if !missing.is_empty() {
        return (Outcome::Lossy, false, missing.join("; "));
    }
    let mut notes = Vec::new();
    if stream.samples == 0 {
        let why = if stream.may_be_silent { "it may be silent" } else { "not required" };
        notes.push(format!("no sample came ({why})"));
    }
    if stream.timestamps_back > 0 {
        notes.push(format!("{} timestamps go back", stream.timestamps_back));
    }
    let clock = stream.clock.as_ref().and_then(|name| source.clocks.iter().find(|c| c.name == *name));
    if clock.is_some_and(|c| c.offsets == 0) {
        notes.push("its clock was never measured: its stamps cannot be placed on recorder time".to_owned());
    }
    let text = match (notes.is_empty(), stream.samples) {
        (true, _) => "complete".to_owned(),
        (false, 0) => notes.join("; "),
        (false, _) => format!("complete; {}", notes.join("; ")),
    };
    (Outcome::Complete, !notes.is_empty(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::status::sample::{self, source};

    /// The verdict over these sources when everything received was written.
    fn verdict(sources: &[SourceStatus], problems: &[String]) -> (Outcome, Vec<StreamVerdict>) {
        let streams = judge_streams(sources, None);
        (judge(true, &streams, sources, problems), streams)
    }

    #[test]
    fn all_there_is_complete() {
        let (outcome, streams) = verdict(&[source("eeg", State::Streaming)], &[]);
        assert_eq!((outcome, streams[0].text.as_str()), (Outcome::Complete, "complete"));
        assert_eq!(outcome.exit_code(), 0);
    }

    #[test]
    fn a_master_clock_that_was_not_measured_is_a_note_and_no_loss() {
        let clock = sample::master_clock;
        let (outcome, streams) =
            verdict(&[source("eeg", State::Streaming), clock(State::Degraded, "mute")], &[]);
        assert_eq!((outcome, streams.len(), streams[1].note), (Outcome::Complete, 2, true));
        assert!(streams[1].text.contains("never measured (mute)"), "{}", streams[1].text);
        let mut measured = clock(State::Streaming, "");
        measured.clocks[0].offsets = 3;
        let (outcome, streams) = verdict(&[source("eeg", State::Streaming), measured], &[]);
        assert_eq!((outcome, streams.len()), (Outcome::Complete, 1));
    }

    #[test]
    fn every_kind_of_loss_is_lossy() {
        type Harm = fn(&mut SourceStatus);
        let harms: [Harm; 9] = [
            |s| s.streams[0].lost = 1,
            |s| s.streams[0].dropped = 1,
            |s| s.streams[0].rejected = u64::MAX,
            |s| s.streams[0].gaps_of_unknown_size = 1,
            |s| s.streams[0].newest_age_s = Some(60.0),
            |s| s.lost_of_no_stream = 1,
            |s| s.gaps_of_no_stream = 1,
            |s| s.state = State::Lost,
            |s| s.state = State::Failed,
        ];
        for (i, harm) in harms.iter().enumerate() {
            let mut harmed = source("eeg", State::Streaming);
            harm(&mut harmed);
            assert_eq!(verdict(&[harmed], &[]).0, Outcome::Lossy, "harm {i}");
        }
        assert_eq!(verdict(&[source("eeg", State::Streaming)], &["x".to_owned()]).0, Outcome::Lossy);
    }

    #[test]
    fn it_is_judged_by_the_file_and_not_by_what_was_received() {
        let sources = [source("eeg", State::Streaming)];
        let streams = judge_streams(&sources, Some(&HashMap::from([(2, 990)])));
        assert_eq!(streams[0].outcome, Outcome::Lossy);
        assert!(streams[0].text.contains("10 samples received and not in the file"), "{}", streams[0].text);
        let nothing = judge_streams(&sources, Some(&HashMap::new()));
        assert_eq!(judge(true, &nothing, &sources, &[]), Outcome::Failed);
    }

    #[test]
    fn hours_of_data_are_not_failed_because_the_device_was_unplugged_at_the_end() {
        assert_eq!(verdict(&[source("eeg", State::Failed)], &[]).0, Outcome::Lossy);
    }

    #[test]
    fn markers_that_never_came_are_a_note_and_the_recording_is_one() {
        let mut lsl = source("LSL", State::Streaming);
        lsl.streams[0] = StreamStatus { may_be_silent: true, samples: 0, ..sample::stream("Markers") };
        let (outcome, streams) = verdict(&[lsl.clone()], &[]);
        assert_eq!((outcome, streams[0].note), (Outcome::Complete, true), "{}", streams[0].text);
        assert!(streams[0].text.contains("no sample came (it may be silent)"), "{}", streams[0].text);
        assert!(all_required_in_file(&[lsl], &streams));
    }

    #[test]
    fn one_required_source_that_never_came_is_a_loss_when_another_has_data() {
        let mut empty = source("imu", State::Connecting);
        empty.streams.clear();
        let (outcome, streams) = verdict(&[source("eeg", State::Streaming), empty.clone()], &[]);
        assert_eq!(outcome, Outcome::Lossy);
        assert!(streams[1].text.contains("never had a stream"));
        empty.required = false;
        let (outcome, streams) = verdict(&[source("eeg", State::Streaming), empty], &[]);
        assert_eq!((outcome, streams[1].note), (Outcome::Complete, true), "not required: a note");
    }
}
