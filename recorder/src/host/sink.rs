//! Where the calls of an instance go once their arguments were checked: to the source of this process's recording,
//! or through a pipe to that of the parent's.

use std::fmt::Debug;

use lockstep_clock::Exchange;
use lockstep_platform::monotonic_ns;
use lockstep_xdf::ChannelFormat;

use super::describe::{ClockWords, StreamWords, clock_spec, new_stream};
use crate::recording::intake::{Refusal, SourceIntake};
use crate::recording::notice::Level;
use crate::recording::state::State;
use crate::recording::stream::count;

/// Where calls go. All may be called from any thread, and none waits for the disk. Everything but
/// [`Sink::log`] is refused while the source is not running.
pub trait Sink: Debug + Send + Sync {
    /// What the experiment calls the source.
    fn name(&self) -> &str;

    /// Take nothing more.
    fn close(&self);

    /// Add a clock: its number.
    fn add_clock(&self, words: ClockWords) -> Result<u32, Refusal>;

    /// Add a stream: its number.
    fn add_stream(&self, words: StreamWords) -> Result<u32, Refusal>;

    /// Label and format of a stream.
    fn stream(&self, number: u32) -> Result<(&str, ChannelFormat), Refusal>;

    /// Samples of numbers, sample-major in native byte order; whether they were taken (`false`: no room). What is
    /// not is counted.
    fn push_numbers(&self, stream: u32, stamps_s: &[f64], data: &[u8]) -> Result<bool, Refusal>;

    /// Samples of strings, likewise.
    fn push_strings(&self, stream: u32, stamps_s: &[f64], values: &[&[u8]]) -> Result<bool, Refusal>;

    /// Samples were refused before they reached a stream.
    fn count_refused(&self, stream: u32, samples: u64);

    /// The exchanges of a burst; whether they were taken.
    fn push_exchanges(&self, clock: u32, burst: &[Exchange]) -> Result<bool, Refusal>;

    /// Exchanges were refused before they reached a clock.
    fn count_refused_exchanges(&self, clock: u32, exchanges: u64);

    /// A clock restarted or jumped.
    fn clock_reset(&self, clock: u32, reason: &str) -> Result<(), Refusal>;

    /// Samples never reached the plugin.
    fn report_gap(&self, stream: u32, lost: Option<u64>, reason: &str) -> Result<(), Refusal>;

    /// How the source or a stream is doing.
    fn set_state(&self, stream: u32, state: State, reason: &str) -> Result<(), Refusal>;

    /// An event of the plugin's.
    fn event(&self, stream: u32, name: &str, json: &str) -> Result<(), Refusal>;

    /// Add a file beside the recording: its number and name.
    fn add_side_file(&self, what: &str, suffix: &str) -> Result<(u32, String), Refusal>;

    /// Append to one, all or nothing: where the first of `bytes` stands; `None`: there was no room.
    fn append_side_file(&self, file: u32, bytes: &[u8]) -> Result<Option<u64>, Refusal>;

    /// A line.
    fn log(&self, level: Level, text: &str);
}

impl Sink for SourceIntake {
    fn name(&self) -> &str {
        &self.name
    }

    fn close(&self) {
        Self::close(self);
    }

    fn add_clock(&self, words: ClockWords) -> Result<u32, Refusal> {
        Self::add_clock(self, clock_spec(words)?)
    }

    fn add_stream(&self, words: StreamWords) -> Result<u32, Refusal> {
        Self::add_stream(self, new_stream(words)?)
    }

    fn stream(&self, number: u32) -> Result<(&str, ChannelFormat), Refusal> {
        Self::stream(self, number).map(|s| (s.spec.label.as_str(), s.spec.format))
    }

    fn push_numbers(&self, stream: u32, stamps_s: &[f64], data: &[u8]) -> Result<bool, Refusal> {
        let stream = Self::stream(self, stream)?;
        self.settle(stream, stream.push_numbers(stamps_s, data, monotonic_ns()))
    }

    fn push_strings(&self, stream: u32, stamps_s: &[f64], values: &[&[u8]]) -> Result<bool, Refusal> {
        let stream = Self::stream(self, stream)?;
        self.settle(stream, stream.push_strings(stamps_s, values, monotonic_ns()))
    }

    fn count_refused(&self, stream: u32, samples: u64) {
        Self::count_refused(self, stream, samples);
    }

    fn push_exchanges(&self, clock: u32, burst: &[Exchange]) -> Result<bool, Refusal> {
        Self::push_exchanges(self, clock, burst)
    }

    fn count_refused_exchanges(&self, clock: u32, exchanges: u64) {
        if let Some(clock) = self.clocks.get(clock) {
            count(&clock.companion.counters.rejected, exchanges);
        }
    }

    fn clock_reset(&self, clock: u32, reason: &str) -> Result<(), Refusal> {
        Self::clock_reset(self, clock, reason)
    }

    fn report_gap(&self, stream: u32, lost: Option<u64>, reason: &str) -> Result<(), Refusal> {
        Self::report_gap(self, stream, lost, reason)
    }

    fn set_state(&self, stream: u32, state: State, reason: &str) -> Result<(), Refusal> {
        Self::set_state(self, stream, state, reason)
    }

    fn event(&self, stream: u32, name: &str, json: &str) -> Result<(), Refusal> {
        Self::event(self, stream, name, json)
    }

    fn add_side_file(&self, what: &str, suffix: &str) -> Result<(u32, String), Refusal> {
        Self::add_side_file(self, what, suffix).map(|(number, file)| (number, file.file_name.clone()))
    }

    fn append_side_file(&self, file: u32, bytes: &[u8]) -> Result<Option<u64>, Refusal> {
        Self::append_side_file(self, file, bytes)
    }

    fn log(&self, level: Level, text: &str) {
        Self::log(self, level, text);
    }
}
