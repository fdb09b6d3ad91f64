//! Where the pipeline puts what it finds: the recorder, or a list in tests.

use lockstep_plugin_api::{Clock, Error, Host, LogLevel, Pushed, RawStream, State};
use serde_json::Value;

/// The recorder, as far as the pipeline needs it.
pub trait Sink {
    /// Record samples of numbers, as [`RawStream::push_bytes`].
    fn numbers(&mut self, stamps_s: &[f64], values: &[u8]) -> Result<Pushed, Error>;
    /// Record samples of texts, as [`RawStream::push_text`].
    fn texts(&mut self, stamps_s: &[f64], values: &[&str]) -> Result<Pushed, Error>;
    /// Report samples that are missing; `None`: an unknown number of them.
    fn gap(&mut self, lost_samples: Option<u64>, reason: &str) -> Result<(), Error>;
    /// The device's clock started a new time line.
    fn clock_reset(&mut self, reason: &str) -> Result<(), Error>;
    /// Write an event into the recording.
    fn event(&mut self, name: &str, details: &Value) -> Result<(), Error>;
    /// Say how the source is doing.
    fn state(&mut self, state: State, reason: &str);
    /// Warn the operator.
    fn warn(&mut self, text: &str);
}

/// The recorder.
#[derive(Debug)]
pub struct Recorder {
    /// The recorder itself.
    pub host: Host,
    /// The source's stream.
    pub stream: RawStream,
    /// The clock that stamps it, unless that is the recorder's.
    pub clock: Option<Clock>,
}

impl Sink for Recorder {
    fn numbers(&mut self, stamps_s: &[f64], values: &[u8]) -> Result<Pushed, Error> {
        self.stream.push_bytes(stamps_s, values)
    }

    fn texts(&mut self, stamps_s: &[f64], values: &[&str]) -> Result<Pushed, Error> {
        self.stream.push_text(stamps_s, values)
    }

    fn gap(&mut self, lost_samples: Option<u64>, reason: &str) -> Result<(), Error> {
        self.stream.report_gap(lost_samples, reason)
    }

    fn clock_reset(&mut self, reason: &str) -> Result<(), Error> {
        self.clock.map_or(Ok(()), |clock| clock.reset(reason))
    }

    fn event(&mut self, name: &str, details: &Value) -> Result<(), Error> {
        self.host.event(name, details)
    }

    fn state(&mut self, state: State, reason: &str) {
        self.host.set_state(state, reason);
    }

    fn warn(&mut self, text: &str) {
        self.host.log(LogLevel::Warn, text);
    }
}
