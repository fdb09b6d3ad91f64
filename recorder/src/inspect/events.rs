//! The recorder's own events, read back.

use lockstep_analysis::Recording;
use lockstep_xdf::{Columns, LoadError, Selection};
use serde_json::Value;

use crate::recording::events::STREAM_TYPE;

/// Events that are kept; of more, only the count.
const MAX_EVENTS: usize = 10_000;
/// Name of the events that tell of this machine's UTC.
const HOST_CLOCK: &str = "host_clock";

/// Events of a recording.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The first ones, each with `time_s`.
    pub(super) list: Vec<Value>,
    /// How many there are.
    pub(super) count: u64,
    /// Recorder time, and this machine's UTC minus it, in seconds; where the recorder told.
    pub(super) of_clock: Vec<(f64, f64)>,
}

pub(super) fn read(recording: &Recording) -> Result<Events, LoadError> {
    let mut events = Events::default();
    for (index, stream) in recording.scan.streams.iter().enumerate() {
        if stream.info.kind != STREAM_TYPE {
            continue;
        }
        let mut blocks = recording.scan.blocks(recording.source(), index, Selection::default());
        while let Some(block) = blocks.next_block()? {
            let Columns::Text(columns) = &block.data.values else { continue };
            let texts = columns.first().into_iter().flat_map(|column| column.iter());
            for (&time_s, text) in block.data.time_stamps_s.iter().zip(texts) {
                events.take(time_s, text);
            }
        }
    }
    Ok(events)
}

impl Events {
    fn take(&mut self, time_s: f64, text: &str) {
        self.count += 1;
        let about_clock = text.contains(HOST_CLOCK) && self.of_clock.len() < MAX_EVENTS;
        if self.list.len() >= MAX_EVENTS && !about_clock {
            return;
        }
        let event = event(time_s, text);
        if about_clock && event.get("name").and_then(Value::as_str) == Some(HOST_CLOCK) {
            let number = |name: &str| event.get("details")?.get(name)?.as_f64();
            self.of_clock.extend(number("recorder_time_s").zip(number("host_utc_minus_recorder_s")));
        }
        if self.list.len() < MAX_EVENTS {
            self.list.push(event);
        }
    }
}

fn event(time_s: f64, text: &str) -> Value {
    let mut object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        _ => serde_json::Map::from_iter([("text".to_owned(), Value::from(text))]),
    };
    object.insert("time_s".to_owned(), time_s.into());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_back() {
        let mut events = Events::default();
        events.take(1.0, "no JSON");
        events.take(
            2.0,
            r#"{"event":"plugin_event","source":"ntp","name":"host_clock","details":
               {"recorder_time_s":1.5,"host_utc_minus_recorder_s":1e9}}"#,
        );
        events.take(3.0, r#"{"event":"stop","reason":"host_clock"}"#);
        assert_eq!(events.count, 3);
        assert_eq!(events.list[0], serde_json::json!({"text": "no JSON", "time_s": 1.0}));
        assert_eq!(events.of_clock, [(1.5, 1e9)]);
    }
}
