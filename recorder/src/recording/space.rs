//! How long the disk lasts, as pure functions: what is only estimated never ends a recording.

use lockstep_xdf::ChannelFormat;

use super::status::{SourceStatus, StreamStatus};

/// A failed or wrong answer of the system must not end a recording: so many in a row have to agree.
const CONFIRMATIONS: u32 = 2;

/// Watches the floor under which a recording is closed while there is room for its end.
#[derive(Debug, Default)]
pub struct Floor {
    floor_bytes: u64,
    below: u32,
}

impl Floor {
    /// Nothing is written any more when less than this is free; 0: there is no floor.
    pub fn new(floor_bytes: u64) -> Self {
        Self { floor_bytes, below: 0 }
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> u64 {
        self.floor_bytes
    }

    /// What the system says is free (`None`: it does not say). Whether the floor is reached.
    pub fn look(&mut self, free_bytes: Option<u64>) -> bool {
        self.below = match free_bytes {
            Some(free) if free < self.floor_bytes => self.below.saturating_add(1),
            _ => 0,
        };
        self.below >= CONFIRMATIONS
    }

    /// How long what is free above the floor lasts at this growth.
    pub fn time_left_s(&self, free_bytes: Option<u64>, bytes_per_s: Option<f64>) -> Option<f64> {
        let rate = bytes_per_s.filter(|rate| *rate > 0.0)?;
        Some(free_bytes?.saturating_sub(self.floor_bytes) as f64 / rate)
    }
}

/// Bytes a second that these sources will write, by the nominal rates of their streams. Irregular streams and texts
/// are not in it.
pub fn nominal_bytes_per_s(sources: &[SourceStatus]) -> f64 {
    sources.iter().flat_map(|s| &s.streams).map(bytes_per_s).sum()
}

fn bytes_per_s(stream: &StreamStatus) -> f64 {
    let format = ChannelFormat::parse(stream.format);
    let Some(value) = format.and_then(ChannelFormat::value_bytes) else { return 0.0 };
    // A byte for the stamp that is left out, or nine with it: stamps of devices mostly jitter.
    stream.nominal_rate_hz * (9 + value * stream.channel_count) as f64
}

/// What to say of the room there is before anything is known but nominal rates: `None` when it is enough for
/// `planned_s`.
pub fn too_little(time_left_s: Option<f64>, planned_s: f64, bytes_per_s: f64) -> Option<String> {
    let left_s = time_left_s.filter(|left_s| *left_s < planned_s)?;
    Some(format!(
        "by the nominal rates of these streams ({:.2} MB/s) the disk has room for {:.0} min, and {:.0} min are planned",
        bytes_per_s / 1e6,
        left_s / 60.0,
        planned_s / 60.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::state::State;
    use crate::recording::status::sample;

    #[test]
    fn the_floor_is_reached_only_when_it_is_confirmed_and_never_by_an_answer_that_did_not_come() {
        let mut floor = Floor::new(100);
        let answers = [Some(99), None, Some(0), Some(100), Some(99), Some(98), Some(97), Some(500)];
        let reached: Vec<bool> = answers.into_iter().map(|free| floor.look(free)).collect();
        assert_eq!(reached, [false, false, false, false, false, true, true, false]);
        assert!(!Floor::new(0).look(Some(0)) && !Floor::new(0).look(Some(0)), "there is none");
    }

    #[test]
    fn time_left_counts_what_is_above_the_floor_and_is_unknown_without_a_rate() {
        let floor = Floor::new(100);
        assert_eq!(floor.time_left_s(Some(1100), Some(10.0)), Some(100.0));
        assert_eq!(floor.time_left_s(Some(50), Some(10.0)), Some(0.0));
        assert_eq!(floor.time_left_s(Some(50), Some(0.0)), None);
        assert_eq!(floor.time_left_s(None, Some(10.0)), None);
    }

    #[test]
    fn nominal_rates_tell_how_fast_the_file_will_grow() {
        let mut source = sample::source("eeg", State::Streaming);
        source.streams[0].format = "float32";
        source.streams[0].channel_count = 8;
        source.streams[0].nominal_rate_hz = 1000.0;
        let rate = nominal_bytes_per_s(&[source]);
        assert_eq!(rate, 41_000.0);
        assert_eq!(too_little(Some(7200.0), 3600.0, rate), None);
        let said = too_little(Some(600.0), 3600.0, rate).expect("too little");
        assert!(said.contains("room for 10 min, and 60 min"), "{said}");
    }
}
