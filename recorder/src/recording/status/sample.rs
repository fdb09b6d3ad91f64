//! Statuses for tests.

use super::{ClockStatus, FileStatus, Phase, SourceStatus, Status, StreamStatus};
use crate::recording::intake::SourceKind;
use crate::recording::state::State;

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
        child: None,
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
        interval_s: None,
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
        held_bytes: 0,
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
