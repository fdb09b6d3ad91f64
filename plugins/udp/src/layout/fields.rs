//! The fields of a datagram, spelled out one by one, and what each is for.

use std::collections::HashMap;

use lockstep_plugin_api::{Channel, Error};

use crate::options::{Field, FieldType, Options, Payload};

/// Most fields, runs spelled out.
const MOST_FIELDS: usize = 65_536;
/// Bytes of the largest datagram.
const MOST_BYTES: usize = 65_507;

/// Where in a binary datagram a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Once per datagram, this many bytes into the header.
    Header(usize),
    /// In each record, this many bytes into it.
    Record(usize),
}

/// `raw * scale + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// Factor.
    pub scale: f64,
    /// Added after it.
    pub offset: f64,
}

/// One field, a run of them spelled out.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Name, with its number where it is one of a run.
    pub name: String,
    /// Place of its option, as a JSON pointer.
    pub pointer: String,
    /// Type, for binary.
    pub field_type: Option<FieldType>,
    /// Where it stands, for binary.
    pub place: Place,
    /// Scaling, if there is any.
    pub scaling: Option<Scaling>,
    label: String,
    unit: String,
    kind: String,
}

impl Element {
    /// As the recorder is told of it.
    pub fn channel(&self) -> Channel {
        Channel::new(&self.label).unit(&self.unit).kind(&self.kind)
    }
}

/// A run of fields that one option describes.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Name, without a number.
    pub name: String,
    /// Its first element.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// All fields and their roles; roles are indices of elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields {
    /// Header fields first, then those of a record.
    pub elements: Vec<Element>,
    /// Fields with a `count`.
    pub runs: Vec<Run>,
    /// Which become channels, in order.
    pub channels: Vec<usize>,
    /// Which is the time.
    pub stamp: Option<usize>,
    /// Which is the sequence number.
    pub sequence: Option<usize>,
    /// Bytes of the header, for binary.
    pub header_bytes: usize,
    /// Bytes of a record, for binary.
    pub record_bytes: usize,
}

impl Fields {
    /// Spell out the fields of `options` and give them their roles.
    ///
    /// # Errors
    /// Names that repeat or do not exist, types that are missing, too many fields, no channel.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let mut list = List { binary: options.payload == Payload::Binary, ..List::default() };
        let header_bytes = list.append(&options.header, "/header", Place::Header)?;
        let record_bytes = list.append(&options.fields, "/fields", Place::Record)?;
        let List { elements, runs, names, .. } = list;
        if elements.is_empty() {
            let example = match options.payload {
                Payload::Binary => "[ { name = \"x\", type = \"f32\" } ]",
                _ => "[ { name = \"x\" } ]",
            };
            return Err(Error::option("/fields", format!("say what a sample holds, as fields = {example}")));
        }
        let skipped = options.skip_bytes as usize + options.magic.as_ref().map_or(0, |m| m.len() / 2);
        if skipped + header_bytes + record_bytes > MOST_BYTES {
            return Err(Error::option(
                "/fields",
                format!(
                    "one record makes a datagram of {} bytes; the most is {MOST_BYTES}",
                    skipped + header_bytes + record_bytes
                ),
            ));
        }
        let role = |name: Option<&str>, path: &str| match name {
            Some(name) => names.get(name).copied().map(Some).ok_or_else(|| unknown(path, name, options)),
            None => Ok(None),
        };
        let stamp = role(options.timestamp.as_ref().map(|t| t.field.as_str()), "/timestamp/field")?;
        let sequence = role(options.sequence.as_ref().map(|s| s.field.as_str()), "/sequence/field")?;
        let mut fields =
            Self { elements, runs, channels: Vec::new(), stamp, sequence, header_bytes, record_bytes };
        fields.channels = match &options.channels {
            Some(chosen) => fields.chosen(chosen, &names, options)?,
            None => fields.all_but_time_and_sequence(),
        };
        if fields.channels.is_empty() {
            let path = if options.channels.is_some() { "/channels" } else { "/fields" };
            return Err(Error::option(path, "no field is left to be a channel"));
        }
        Ok(fields)
    }

    /// The elements that become channels.
    pub fn channel_elements(&self) -> impl Iterator<Item = &Element> {
        self.channels.iter().filter_map(|&index| self.elements.get(index))
    }

    /// The element of a role.
    pub fn element(&self, role: Option<usize>) -> Option<&Element> {
        self.elements.get(role?)
    }

    fn chosen(
        &self,
        chosen: &[String],
        names: &HashMap<String, usize>,
        options: &Options,
    ) -> Result<Vec<usize>, Error> {
        let mut channels = Vec::new();
        let mut taken = vec![false; self.elements.len()];
        for (at, name) in chosen.iter().enumerate() {
            let path = format!("/channels/{at}");
            let indices = match (names.get(name), self.runs.iter().find(|run| run.name == *name)) {
                (Some(&index), _) => index..index + 1,
                (None, Some(run)) => run.first..run.first + run.count,
                (None, None) => return Err(unknown(&path, name, options)),
            };
            for index in indices {
                if std::mem::replace(&mut taken[index], true) {
                    let message = format!("\"{}\" is listed twice", self.elements[index].name);
                    return Err(Error::option(path, message));
                }
                channels.push(index);
            }
        }
        Ok(channels)
    }

    fn all_but_time_and_sequence(&self) -> Vec<usize> {
        let free = |&index: &usize| Some(index) != self.stamp && Some(index) != self.sequence;
        let in_record = |&index: &usize| matches!(self.elements[index].place, Place::Record(_));
        let all = 0..self.elements.len();
        let records: Vec<usize> = all.clone().filter(in_record).collect();
        // A datagram without records is one sample of what stands in its header.
        let candidates = if records.is_empty() { all.collect() } else { records };
        candidates.into_iter().filter(free).collect()
    }
}

#[derive(Default)]
struct List {
    binary: bool,
    elements: Vec<Element>,
    runs: Vec<Run>,
    names: HashMap<String, usize>,
}

impl List {
    /// Append the fields of one list; how many bytes they take.
    fn append(&mut self, fields: &[Field], list: &str, place: fn(usize) -> Place) -> Result<usize, Error> {
        let mut bytes = 0;
        for (index, field) in fields.iter().enumerate() {
            let pointer = format!("{list}/{index}");
            if field.name.is_empty() {
                return Err(Error::option(pointer + "/name", "give the field a name"));
            }
            if self.binary && field.field_type.is_none() {
                let message = "a binary field needs a type: i8 u8 i16 u16 i32 u32 i64 u64 f32 f64";
                return Err(Error::option(pointer, message));
            }
            for (key, value) in [("scale", field.scale), ("offset", field.offset)] {
                if !value.is_finite() {
                    return Err(Error::option(format!("{pointer}/{key}"), "give a finite number"));
                }
            }
            let count = field.count.unwrap_or(1) as usize;
            if count == 0 || self.elements.len() + count > MOST_FIELDS {
                let message = format!("give 1 or more, and {MOST_FIELDS} fields in all at the most");
                return Err(Error::option(pointer + "/count", message));
            }
            if field.count.is_some() {
                let name = field.name.clone();
                if self.names.contains_key(&name) || self.runs.iter().any(|run| run.name == name) {
                    return Err(Error::option(
                        pointer + "/name",
                        format!("a second field is named \"{name}\""),
                    ));
                }
                self.runs.push(Run { name, first: self.elements.len(), count });
            }
            for part in 0..count {
                self.push(field, field.count.map(|_| part), &pointer, place(bytes))?;
                bytes += field.field_type.map_or(0, FieldType::bytes);
            }
        }
        Ok(bytes)
    }

    fn push(&mut self, field: &Field, part: Option<usize>, pointer: &str, place: Place) -> Result<(), Error> {
        let numbered = |text: &str| part.map_or_else(|| text.to_owned(), |part| format!("{text}{part}"));
        let name = numbered(&field.name);
        let is_run = self.runs.iter().any(|run| run.name == name && part.is_none());
        if is_run || self.names.insert(name.clone(), self.elements.len()).is_some() {
            let message = format!("a second field is named \"{name}\"");
            return Err(Error::option(format!("{pointer}/name"), message));
        }
        let scaling = Scaling { scale: field.scale, offset: field.offset };
        self.elements.push(Element {
            label: numbered(if field.label.is_empty() { &field.name } else { &field.label }),
            unit: field.unit.clone(),
            kind: field.kind.clone(),
            name,
            pointer: pointer.to_owned(),
            field_type: field.field_type.filter(|_| self.binary),
            place,
            scaling: Some(scaling).filter(|s| s.scale != 1.0 || s.offset != 0.0),
        });
        Ok(())
    }
}

impl FieldType {
    /// Bytes it takes in a datagram.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Whether it has a fraction.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Bits after which an unsigned counter of this type starts again.
    pub fn wrap_bits(self) -> Option<u32> {
        match self {
            Self::U8 => Some(8),
            Self::U16 => Some(16),
            Self::U32 => Some(32),
            _ => None,
        }
    }
}

fn unknown(path: &str, name: &str, options: &Options) -> Error {
    let described = |field: &Field| match field.count {
        Some(count) => format!("{0}0 to {0}{1}", field.name, count.saturating_sub(1)),
        None => field.name.clone(),
    };
    let names: Vec<String> = options.header.iter().chain(&options.fields).take(20).map(described).collect();
    Error::option(path, format!("no field is named \"{name}\"; there are: {}", names.join(", ")))
}
