//! How far the start of a recording is.

use super::{SourceStatus, label};
use crate::recording::state::State;

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
mod tests {
    use super::*;
    use crate::recording::status::{StreamStatus, sample};

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
}
