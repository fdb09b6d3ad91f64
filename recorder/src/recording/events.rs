//! The recorder's own event stream: what happened besides samples, in recorder
//! time, as one JSON object a sample.

use std::sync::Arc;

use lockstep_platform::{monotonic_ns, seconds};
use lockstep_xdf::ChannelFormat;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::header::{Identity, event_header};
use super::stream::{Budget, Role, StreamIntake, StreamSpec};

/// Name of the stream.
pub const STREAM_NAME: &str = "Lockstep Events";
/// XDF type of the stream.
pub const STREAM_TYPE: &str = "RecorderEvents";
/// Its stream id: the first.
pub const STREAM_ID: u32 = 1;

/// Bytes of events that may wait for the writer.
const BUDGET_BYTES: usize = 8 << 20;

/// Writes events into the recording, from any thread.
#[derive(Debug, Clone)]
pub struct Events {
    stream: Arc<StreamIntake>,
    /// Held from reading the clock to pushing, so that stamps never go back.
    in_order: Arc<Mutex<()>>,
}

impl Events {
    /// The event stream of a recording; its header keeps the configuration.
    pub fn new(identity: &Identity, config_toml: &str) -> Self {
        let spec = StreamSpec {
            source: String::new(),
            name: STREAM_NAME.to_owned(),
            label: STREAM_NAME.to_owned(),
            kind: STREAM_TYPE.to_owned(),
            format: ChannelFormat::String,
            channel_count: 1,
            nominal_rate_hz: 0.0,
            may_be_silent: true,
            clock: None,
            role: Role::Events,
        };
        let header = event_header(identity, &spec, config_toml);
        let stream = StreamIntake::new(STREAM_ID, spec, header, Budget::new(BUDGET_BYTES));
        Self { stream: Arc::new(stream), in_order: Arc::default() }
    }

    /// The stream itself, for the writer.
    pub fn stream(&self) -> &Arc<StreamIntake> {
        &self.stream
    }

    /// Write an event: its name, whom it concerns (empty: nobody in particular),
    /// and what else there is to say, an object.
    pub fn write(&self, event: &str, source: &str, stream: &str, details: Value) {
        let mut object = Map::new();
        object.insert("event".to_owned(), event.into());
        for (key, value) in [("source", source), ("stream", stream)] {
            if !value.is_empty() {
                object.insert(key.to_owned(), value.into());
            }
        }
        match details {
            Value::Object(more) => object.extend(more),
            Value::Null => {}
            other => {
                object.insert("details".to_owned(), other);
            }
        }
        let text = Value::Object(object).to_string();
        let _in_order = self.in_order.lock();
        let now_ns = monotonic_ns();
        // A full queue is counted by the stream itself, and shown like any other loss.
        self.stream.push_strings(&[seconds(now_ns)], &[text.as_bytes()], now_ns);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn events_of_many_threads_are_in_the_order_of_their_stamps() {
        let events = Events::new(&Identity::default(), "");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| events.write("test", "", "", Value::Null)));
            }
        });
        assert_eq!(events.stream().counters.received.load(Relaxed), 4000);
        assert_eq!(events.stream().counters.backwards.load(Relaxed), 0);
    }
}
