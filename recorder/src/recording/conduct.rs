//! When a recording has begun and when it ends, as a pure function of how it goes.

use super::intake::SourceKind;
use super::state::State;
use super::status::{Phase, Status};
use crate::config::{Recording, WhenMissing};

/// What the configuration says of the start and the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What to do when a required source has no sample on disk.
    pub when_missing: WhenMissing,
    /// How long to wait for them.
    pub wait_s: f64,
    /// How long to record, counted from the start of the sources.
    pub duration_s: Option<f64>,
}

impl From<&Recording> for Rules {
    fn from(r: &Recording) -> Self {
        Self { when_missing: r.when_missing, wait_s: r.wait_s, duration_s: r.duration_s }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on as before.
    GoOn,
    /// The recording has begun; `without` what is missing and was not worth more waiting.
    Begin {
        /// Labels of the required streams that have no sample on disk.
        without: Vec<String>,
    },
    /// It ends, for this reason.
    End(String),
}

/// What the files have to say to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileState {
    /// The thread that writes has died.
    pub writer_died: bool,
    /// Writing fails at this moment, for this reason.
    pub write_error: Option<String>,
    /// So little space is free that it is time to close the file; in words.
    pub floor_reached: Option<String>,
}

/// Decide.
pub fn decide(phase: Phase, status: &Status, rules: &Rules, file: &FileState) -> Decision {
    if file.writer_died {
        return Decision::End("the writer has failed".to_owned());
    }
    if let (Phase::Starting, Some(error)) = (phase, &file.write_error) {
        // Nothing is there yet that would have to be saved.
        return Decision::End(format!("writing to the file failed: {error}"));
    }
    if let Some(text) = &file.floor_reached {
        return Decision::End(text.clone());
    }
    let ended = |state: State| matches!(state, State::Finished | State::Failed);
    if phase == Phase::Starting {
        if status.missing.is_empty() {
            return Decision::Begin { without: Vec::new() };
        }
        let failed = status.sources.iter().find(|s| s.required && s.state == State::Failed);
        let waited = status.elapsed_s > rules.wait_s;
        match (rules.when_missing, failed) {
            (WhenMissing::Fail, Some(source)) => {
                return Decision::End(format!(
                    "a required source cannot start: {}: {}",
                    source.name, source.reason
                ));
            }
            (WhenMissing::Fail | WhenMissing::Wait, _) if waited => {
                return Decision::End(missing_text(status, rules.wait_s));
            }
            (WhenMissing::Warn, _) if waited => {
                return Decision::Begin { without: status.missing.clone() };
            }
            _ => {}
        }
    }
    if let Some(duration_s) = rules.duration_s.filter(|d| status.elapsed_s >= *d) {
        return Decision::End(format!("the duration of {duration_s} s is over"));
    }
    // A master clock never ends, and nothing is recorded for its sake.
    if status.sources.iter().filter(|s| s.kind == SourceKind::Plugin).all(|s| ended(s.state)) {
        let finished = status.sources.iter().any(|s| s.state == State::Finished);
        return Decision::End(if finished {
            "end of input: every source has finished".to_owned()
        } else {
            "every source has failed".to_owned()
        });
    }
    Decision::GoOn
}

/// What is missing after `wait_s`, and what to do about it.
fn missing_text(status: &Status, wait_s: f64) -> String {
    // It has found some of its streams, and not all.
    let incomplete = |label: &String| {
        status.source_of(label).is_some_and(|s| {
            s.name == **label && s.state == State::Connecting && s.streams.iter().any(|s| s.on_disk)
        })
    };
    if status.missing.iter().all(incomplete) {
        return format!(
            "not all there after {wait_s} s: {}. What may come later need not be required; when_missing = \
             \"warn\" records what is there",
            status.missing_with_reasons()
        );
    }
    format!(
        "no sample on disk after {wait_s} s from {}. If it may stay silent at first, as markers do, set \
         required = false for it, or when_missing = \"warn\"",
        status.missing_with_reasons()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::status::sample::{master_clock, source, status};

    const RULES: Rules = Rules { when_missing: WhenMissing::Fail, wait_s: 10.0, duration_s: Some(60.0) };

    fn missing(elapsed_s: f64, state: State) -> Status {
        let mut status = status(elapsed_s, vec![source("eeg", state)]);
        status.sources[0].streams[0].on_disk = false;
        status.missing = vec!["eeg".to_owned()];
        status
    }

    fn end_of(decision: Decision) -> String {
        match decision {
            Decision::End(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_begins_when_nothing_is_missing_and_once_only() {
        let all = status(1.0, vec![source("eeg", State::Streaming)]);
        assert_eq!(
            decide(Phase::Starting, &all, &RULES, &FileState::default()),
            Decision::Begin { without: vec![] }
        );
        assert_eq!(decide(Phase::Recording, &all, &RULES, &FileState::default()), Decision::GoOn);
    }

    #[test]
    fn what_is_missing_is_waited_for_given_up_or_gone_without() {
        let warn = Rules { when_missing: WhenMissing::Warn, ..RULES };
        let wait = Rules { when_missing: WhenMissing::Wait, ..RULES };
        let early = missing(9.0, State::Connecting);
        let late = missing(11.0, State::Connecting);
        let failed = missing(0.2, State::Failed);
        for rules in [RULES, warn, wait] {
            assert_eq!(decide(Phase::Starting, &early, &rules, &FileState::default()), Decision::GoOn);
        }
        assert!(
            end_of(decide(Phase::Starting, &late, &RULES, &FileState::default()))
                .contains("no sample on disk after 10 s from eeg")
        );
        assert!(
            end_of(decide(Phase::Starting, &late, &wait, &FileState::default())).contains("required = false")
        );
        let without = vec!["eeg".to_owned()];
        assert_eq!(decide(Phase::Starting, &late, &warn, &FileState::default()), Decision::Begin { without });
        assert!(
            end_of(decide(Phase::Starting, &failed, &RULES, &FileState::default())).contains("cannot start")
        );
    }

    #[test]
    fn a_source_that_has_found_some_is_told_with_what_it_still_looks_for() {
        let mut late = missing(11.0, State::Connecting);
        late.sources[0].reason = "no stream of type='Gaze'".to_owned();
        late.sources[0].streams[0].on_disk = true;
        let told = end_of(decide(Phase::Starting, &late, &RULES, &FileState::default()));
        assert!(told.contains("not all there after 10 s: eeg (no stream of type='Gaze')"), "{told}");
        late.sources[0].streams[0].on_disk = false;
        let told = end_of(decide(Phase::Starting, &late, &RULES, &FileState::default()));
        assert!(told.contains("no sample on disk after 10 s from eeg (no stream of type='Gaze')"), "{told}");
    }

    #[test]
    fn it_ends_by_duration_by_the_end_of_input_and_by_a_failed_write() {
        let running = status(60.0, vec![source("eeg", State::Streaming)]);
        assert!(
            end_of(decide(Phase::Recording, &running, &RULES, &FileState::default())).contains("duration")
        );
        let running = status(30.0, vec![source("eeg", State::Finished), source("imu", State::Streaming)]);
        assert_eq!(
            decide(Phase::Recording, &running, &RULES, &FileState::default()),
            Decision::GoOn,
            "one still runs"
        );
        let done = status(30.0, vec![source("eeg", State::Finished), source("imu", State::Failed)]);
        assert!(
            end_of(decide(Phase::Recording, &done, &RULES, &FileState::default())).contains("end of input")
        );
        let clock = master_clock(State::Streaming, "");
        let done = status(30.0, vec![source("eeg", State::Finished), clock]);
        assert!(
            end_of(decide(Phase::Recording, &done, &RULES, &FileState::default())).contains("end of input")
        );
        let failed = status(30.0, vec![source("eeg", State::Failed)]);
        assert!(
            end_of(decide(Phase::Recording, &failed, &RULES, &FileState::default()))
                .contains("every source has failed")
        );
        let dead = FileState { writer_died: true, ..FileState::default() };
        assert!(end_of(decide(Phase::Recording, &running, &RULES, &dead)).contains("writer"));
    }

    #[test]
    fn a_write_error_ends_what_has_not_begun_and_only_the_floor_ends_what_has() {
        let running = status(30.0, vec![source("eeg", State::Streaming)]);
        let error = FileState { write_error: Some("full".to_owned()), ..FileState::default() };
        assert_eq!(decide(Phase::Recording, &running, &RULES, &error), Decision::GoOn);
        let early = missing(1.0, State::Connecting);
        assert!(end_of(decide(Phase::Starting, &early, &RULES, &error)).contains("full"));
        let floor = FileState { floor_reached: Some("only 3 MB".to_owned()), ..FileState::default() };
        assert_eq!(end_of(decide(Phase::Recording, &running, &RULES, &floor)), "only 3 MB");
    }
}
