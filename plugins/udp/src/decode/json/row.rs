//! One JSON object, read straight into a batch without building a tree of values.

use std::borrow::Cow;
use std::fmt;

use lockstep_plugin_api::Format;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::number::{Scalar, Wrong, in_field};
use super::{Batch, Fault, Keys, Malformed, Slot};

/// Reads objects into the batch: one, or those of an array.
///
/// What is wrong goes to `failure`; the error that serde is given only ends the reading.
pub struct Rows<'a> {
    pub keys: &'a Keys,
    pub seen: &'a mut [u64],
    pub objects: &'a mut u64,
    pub batch: &'a mut Batch,
    pub failure: &'a mut Option<Malformed>,
    pub in_array: bool,
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.in_array { "an object" } else { "an object or an array of objects" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.in_array {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        loop {
            let row = Rows {
                keys: self.keys,
                seen: &mut *self.seen,
                objects: &mut *self.objects,
                batch: &mut *self.batch,
                failure: &mut *self.failure,
                in_array: true,
            };
            if items.next_element_seed(row)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.objects += 1;
        let mut row = Row {
            keys: self.keys,
            seen: self.seen,
            object: *self.objects,
            base: self.batch.samples * self.keys.channel_count,
            batch: self.batch,
            failure: self.failure,
        };
        row.open();
        while let Some(slot) = map.next_key_seed(KeySeed(row.keys))? {
            match slot {
                Some(Slot::One(field)) => map.next_value_seed(Value { row: &mut row, field })?,
                Some(Slot::Run { first, count }) => {
                    map.next_value_seed(Run { row: &mut row, first, count })?;
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        row.close().map_err(A::Error::custom)
    }
}

struct Row<'a> {
    keys: &'a Keys,
    seen: &'a mut [u64],
    object: u64,
    /// Index of its first value.
    base: usize,
    batch: &'a mut Batch,
    failure: &'a mut Option<Malformed>,
}

/// The error for serde, when the true one is in `failure`.
const STOP: &str = "malformed";

impl Row<'_> {
    fn open(&mut self) {
        let channels = self.keys.channel_count;
        self.batch.values.resize((self.base + channels) * self.keys.format.value_bytes(), 0);
        if self.keys.format == Format::String {
            self.batch.texts.extend_empty(channels);
        }
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let object = self.object;
        let missing =
            self.keys.fields.iter().zip(&*self.seen).find(|(key, seen)| key.is_used() && **seen != object);
        if let Some((key, _)) = missing {
            let detail = format!("the key \"{}\" is missing", key.name);
            return self.fail(Malformed::new(Fault::Key, detail));
        }
        self.batch.samples += 1;
        Ok(())
    }

    fn fail(&mut self, malformed: Malformed) -> Result<(), &'static str> {
        *self.failure = Some(malformed);
        Err(STOP)
    }

    /// The value of a field.
    fn set(&mut self, field: usize, value: &Given<'_>) -> Result<(), &'static str> {
        let keys = self.keys;
        let (Some(key), Some(seen)) = (keys.fields.get(field), self.seen.get_mut(field)) else {
            return Ok(());
        };
        if std::mem::replace(seen, self.object) == self.object {
            let detail = format!("the key \"{}\" comes twice in one object", key.name);
            return self.fail(Malformed::new(Fault::Key, detail));
        }
        match self.store(key, value) {
            Ok(()) => Ok(()),
            Err(wrong) => self.fail(in_field(&key.name, wrong)),
        }
    }

    fn store(&mut self, key: &super::Key, value: &Given<'_>) -> Result<(), Wrong> {
        if key.is_stamp {
            self.batch.stamps.push(value.number()?.stamp(self.keys.stamp_bits)?);
        }
        if key.is_sequence {
            self.batch.sequence.push(value.number()?.sequence(self.keys.sequence_bits)?);
        }
        let Some(channel) = key.channel else { return Ok(()) };
        let (at, format) = (self.base + channel, self.keys.format);
        if format == Format::String {
            self.batch.texts.set(at, &value.text());
            return Ok(());
        }
        let width = format.value_bytes();
        let out = self.batch.values.get_mut(at * width..(at + 1) * width).unwrap_or_default();
        value.number()?.write(format, key.scaling, out)
    }

    /// Whether JSON's number is to be rounded to 32 bits at once rather than to 64 first.
    fn is_single(&self, field: usize) -> bool {
        let key = self.keys.fields.get(field);
        self.keys.format == Format::Float32
            && key.is_some_and(|key| key.scaling.is_none() && key.is_channel_only())
    }
}

/// A value as JSON gave it.
enum Given<'a> {
    Number(Scalar),
    Bool(bool),
    Text(&'a str),
}

impl Given<'_> {
    fn number(&self) -> Result<Scalar, Wrong> {
        match self {
            Self::Number(scalar) => Ok(*scalar),
            Self::Bool(value) => Err((Fault::Value, format!("{value} is no number"))),
            Self::Text(text) => {
                let shown: String = text.chars().take(32).collect();
                Err((Fault::Value, format!("{shown:?} is no number")))
            }
        }
    }

    /// Numbers and truth values become their text, null an empty one.
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(value) => Cow::Owned(value.to_string()),
            Self::Number(Scalar::Missing) => Cow::Borrowed(""),
            Self::Number(scalar) => Cow::Owned(scalar.to_string()),
        }
    }
}

struct KeySeed<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<Slot>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<Slot>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.slots.get(key).copied())
    }
}

/// The value of one field.
struct Value<'r, 'a> {
    row: &'r mut Row<'a>,
    field: usize,
}

impl Value<'_, '_> {
    fn set<E: Error>(self, value: &Given<'_>) -> Result<(), E> {
        self.row.set(self.field, value).map_err(E::custom)
    }

    fn wrong<E: Error>(self, what: &str) -> Result<(), E> {
        let name = self.row.keys.fields.get(self.field).map_or("", |key| &key.name);
        let detail = format!("{what} where one value is expected");
        let malformed = in_field(name, (Fault::Value, detail));
        self.row.fail(malformed).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.row.is_single(self.field) {
            json.deserialize_option(self)
        } else {
            json.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.row.keys.fields.get(self.field).map_or("", |key| &key.name);
        write!(f, "a value for \"{name}\"")
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_f32(self)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.set(&Given::Number(Scalar::Missing))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.set(&Given::Number(Scalar::Missing))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.set(&Given::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.set(&Given::Number(Scalar::Int(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.set(&Given::Number(Scalar::Int(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.set(&Given::Number(Scalar::Double(value)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.set(&Given::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.wrong("an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.wrong("an object")
    }
}

/// An array that brings the values of a run of fields.
struct Run<'r, 'a> {
    row: &'r mut Row<'a>,
    first: usize,
    count: usize,
}

impl<'de> DeserializeSeed<'de> for Run<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Run<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {} values", self.count)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for part in 0..self.count {
            let field = self.first + part;
            if items.next_element_seed(Value { row: &mut *self.row, field })?.is_none() {
                return Err(A::Error::invalid_length(part, &self));
            }
        }
        match items.next_element::<IgnoredAny>()? {
            Some(_) => Err(A::Error::invalid_length(self.count + 1, &self)),
            None => Ok(()),
        }
    }
}
