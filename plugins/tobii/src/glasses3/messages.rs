//! Messages of the glasses, JSON in text: answers, and what signals say. Pure.

use serde_json::Value;

use crate::backend::{At, Item};
use crate::streams::Kind;

/// What they send by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Gaze.
    Gaze,
    /// Acceleration, angular velocity, magnetic field.
    Imu,
    /// The sync port.
    SyncPort,
    /// Events.
    Event,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gaze, Self::Imu, Self::SyncPort, Self::Event];

    /// Where they are subscribed to.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Gaze => "/rudimentary:gaze",
            Self::Imu => "/rudimentary:imu",
            Self::SyncPort => "/rudimentary:sync-port",
            Self::Event => "/rudimentary:event",
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// An answer to the request of this number: its body, or why it was refused.
    Answer {
        /// Number of the request.
        id: u64,
        /// Body, or message.
        result: Result<Value, String>,
    },
    /// A signal.
    Signal {
        /// Number of the subscription.
        id: u64,
        /// When, by the clock of the glasses, in seconds.
        stamp_s: f64,
        /// What it says.
        body: Value,
    },
    /// Something else.
    Other,
}

/// Read a message.
pub fn incoming(text: &str) -> Incoming {
    let Ok(message) = serde_json::from_str::<Value>(text) else { return Incoming::Other };
    if let Some(id) = message["signal"].as_u64() {
        let (stamp_s, body) = (message["body"][0].as_f64(), message["body"][1].clone());
        return stamp_s.map_or(Incoming::Other, |stamp_s| Incoming::Signal { id, stamp_s, body });
    }
    let Some(id) = message["id"].as_u64() else { return Incoming::Other };
    let result = match message.get("error") {
        Some(error) => {
            Err(message["message"].as_str().map_or_else(|| format!("error {error}"), str::to_owned))
        }
        None => Ok(message["body"].clone()),
    };
    Incoming::Answer { id, result }
}

/// What a signal says, as items. What is missing in it is NaN where it is part of a sample, and no sample otherwise.
pub fn items(signal: Signal, stamp_s: f64, body: &Value, out: &mut Vec<Item>) {
    let at = At::Device(stamp_s);
    match signal {
        Signal::Gaze => {
            let mut values = Vec::with_capacity(19);
            values.extend(numbers::<2>(&body["gaze2d"]).unwrap_or([f64::NAN; 2]));
            values.extend(numbers::<3>(&body["gaze3d"]).unwrap_or([f64::NAN; 3]));
            for eye in ["eyeleft", "eyeright"] {
                let eye = &body[eye];
                values.extend(numbers::<3>(&eye["gazeorigin"]).unwrap_or([f64::NAN; 3]));
                values.extend(numbers::<3>(&eye["gazedirection"]).unwrap_or([f64::NAN; 3]));
                values.push(eye["pupildiameter"].as_f64().unwrap_or(f64::NAN));
            }
            out.push(Item::Gaze { stamp_s, values });
        }
        Signal::Imu => {
            for (key, kind) in [
                ("accelerometer", Kind::Accelerometer),
                ("gyroscope", Kind::Gyroscope),
                ("magnetometer", Kind::Magnetometer),
            ] {
                let bytes = |values: [f64; 3]| values.into_iter().flat_map(f64::to_ne_bytes).collect();
                out.extend(numbers::<3>(&body[key]).map(|values| Item::Sample(kind, at, bytes(values))));
            }
        }
        Signal::SyncPort => {
            if let Some(value) = body["value"].as_i64() {
                let values = [i64::from(body["direction"] == "out"), value];
                let bytes = values.into_iter().flat_map(i64::to_ne_bytes).collect();
                out.push(Item::Sample(Kind::SyncPort, at, bytes));
            }
        }
        Signal::Event => out.push(Item::Event(stamp_s, body.to_string())),
    }
}

fn numbers<const N: usize>(value: &Value) -> Option<[f64; N]> {
    let all: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
    all?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_refusals_and_signals_are_told_apart() {
        let body = json!({"value": 1});
        assert_eq!(incoming(r#"{"id":3,"body":true}"#), Incoming::Answer { id: 3, result: Ok(json!(true)) });
        let refused = Incoming::Answer { id: 3, result: Err("no".to_owned()) };
        assert_eq!(incoming(r#"{"id":3,"error":5,"message":"no"}"#), refused);
        let signal = Incoming::Signal { id: 7, stamp_s: 1.5, body };
        assert_eq!(incoming(r#"{"signal":7,"body":[1.5,{"value":1}]}"#), signal);
        for other in ["", "[1]", "{}", r#"{"signal":7,"body":[]}"#, r#"{"id":"x"}"#] {
            assert_eq!(incoming(other), Incoming::Other, "{other}");
        }
    }

    #[test]
    fn what_is_missing_of_gaze_is_nan_and_of_others_is_no_sample() {
        let mut out = Vec::new();
        items(
            Signal::Gaze,
            1.0,
            &json!({"gaze2d": [0.5, 0.25], "eyeright": {"pupildiameter": 3.5}}),
            &mut out,
        );
        items(Signal::Gaze, 2.0, &json!({}), &mut out);
        let gaze = |item: &Item| match item {
            Item::Gaze { values, .. } => values.clone(),
            other => panic!("{other:?}"),
        };
        let first = gaze(&out[0]);
        assert_eq!((first.len(), first[0], first[1], first[18]), (19, 0.5, 0.25, 3.5));
        assert!(first[2..18].iter().all(|value| value.is_nan()));
        assert!(gaze(&out[1]).iter().all(|value| value.is_nan()));
        out.clear();
        items(Signal::Imu, 1.0, &json!({"gyroscope": [1, 2, 3], "accelerometer": [1, 2]}), &mut out);
        assert!(
            matches!(&out[..], [Item::Sample(Kind::Gyroscope, At::Device(_), bytes)] if bytes.len() == 24)
        );
        out.clear();
        items(Signal::SyncPort, 1.0, &json!({"direction": "out", "value": 1}), &mut out);
        items(Signal::SyncPort, 1.0, &json!({"direction": "out"}), &mut out);
        items(Signal::Event, 1.0, &json!({"tag": "a", "object": {"b": 1}}), &mut out);
        assert_eq!(out.len(), 2);
        assert_eq!(out[1], Item::Event(1.0, r#"{"tag":"a","object":{"b":1}}"#.to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}\\[\\]\",:a-z0-9.]{0,60}", stamp_s in any::<f64>()) {
            incoming(&text);
            let body = serde_json::from_str(&text).unwrap_or(Value::Null);
            let mut out = Vec::new();
            Signal::ALL.into_iter().for_each(|signal| items(signal, stamp_s, &body, &mut out));
        }
    }
}
