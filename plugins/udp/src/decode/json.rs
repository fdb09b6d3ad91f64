//! JSON: an object per sample, alone, in an array, or one after another.

mod row;

use std::collections::HashMap;

use lockstep_plugin_api::Format;
use serde::de::DeserializeSeed;

use super::{Batch, Fault, Malformed};
use crate::layout::{Fields, Plan, Scaling};

/// Reads JSON datagrams.
#[derive(Debug)]
pub struct JsonDecoder {
    keys: Keys,
    /// For each field, the number of the last object that had it.
    seen: Vec<u64>,
    objects: u64,
}

/// Which keys are read, and what for.
#[derive(Debug)]
struct Keys {
    fields: Vec<Key>,
    /// By key: a field, or a run of fields that come as an array.
    slots: HashMap<String, Slot>,
    format: Format,
    channel_count: usize,
    stamp_bits: u32,
    sequence_bits: u32,
}

#[derive(Debug)]
struct Key {
    name: String,
    channel: Option<usize>,
    scaling: Option<Scaling>,
    is_stamp: bool,
    is_sequence: bool,
}

impl Key {
    fn is_used(&self) -> bool {
        self.channel.is_some() || self.is_stamp || self.is_sequence
    }

    /// A channel and nothing else.
    fn is_channel_only(&self) -> bool {
        !self.is_stamp && !self.is_sequence
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    One(usize),
    Run { first: usize, count: usize },
}

impl JsonDecoder {
    /// For these keys.
    pub fn new(plan: &Plan, fields: &Fields) -> Self {
        let key = |(index, element): (usize, &crate::layout::Element)| Key {
            name: element.name.clone(),
            channel: fields.channels.iter().position(|&channel| channel == index),
            scaling: element.scaling,
            is_stamp: fields.stamp == Some(index),
            is_sequence: fields.sequence == Some(index),
        };
        let keys: Vec<Key> = fields.elements.iter().enumerate().map(key).collect();
        let mut slots: HashMap<String, Slot> = HashMap::new();
        for run in &fields.runs {
            slots.insert(run.name.clone(), Slot::Run { first: run.first, count: run.count });
        }
        let used = keys.iter().enumerate().filter(|(_, key)| key.is_used());
        slots.extend(used.map(|(index, key)| (key.name.clone(), Slot::One(index))));
        Self {
            seen: vec![0; keys.len()],
            objects: 0,
            keys: Keys {
                fields: keys,
                slots,
                format: plan.stream.format,
                channel_count: plan.stream.channels.len(),
                stamp_bits: plan.stamp.map_or(64, |s| s.bits),
                sequence_bits: plan.sequence.map_or(64, |s| s.bits),
            },
        }
    }

    /// Read a datagram.
    ///
    /// # Errors
    /// Not JSON, keys missing, values of another type.
    pub fn decode(&mut self, datagram: &[u8], batch: &mut Batch) -> Result<(), Malformed> {
        let mut json = serde_json::Deserializer::from_slice(datagram);
        let mut failure = None;
        // An empty datagram is at its end before the first object.
        while json.end().is_err() {
            let rows = row::Rows {
                keys: &self.keys,
                seen: &mut self.seen,
                objects: &mut self.objects,
                batch,
                failure: &mut failure,
                in_array: false,
            };
            if let Err(error) = rows.deserialize(&mut json) {
                return Err(failure.unwrap_or_else(|| malformed(&error)));
            }
        }
        if batch.samples == 0 { Err(Malformed::new(Fault::Empty, "no object in it")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for row::Rows<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

fn malformed(error: &serde_json::Error) -> Malformed {
    let kind = if error.is_data() { Fault::Value } else { Fault::Json };
    Malformed::new(kind, error.to_string())
}
