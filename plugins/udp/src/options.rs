//! The options under `[source.options]`; these comments are the documentation users read.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// Record datagrams of any device or program that sends UDP. Give `listen` and `payload`; for
/// `json`, `csv` and `binary` also `fields`, which say what a datagram holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = without_null)]
pub struct Options {
    /// Where to listen: "IP:PORT", or "PORT" alone, which means 127.0.0.1 (this machine only).
    /// "0.0.0.0:PORT" listens on every network of this machine; IPv6 is "[::1]:PORT", "[::]:PORT".
    pub listen: String,

    /// What a datagram holds. "json": one object per sample, or an array of objects. "csv": one
    /// line of text per sample. "binary": packed numbers as laid out by `fields`. "marker": the
    /// whole datagram is one UTF-8 text (one line end at its end is dropped).
    pub payload: Payload,

    /// What is in each sample. binary: type and order are the layout, packed without padding, and
    /// a datagram holds one or more such records. csv: the columns, in their order. json: the
    /// keys to read; other keys are ignored. marker: leave it out.
    #[serde(default)]
    pub fields: Vec<Field>,

    /// Which fields become channels, in this order. Name a field with a `count` to take all of it,
    /// or one of its parts, as "c3". Default: all fields but the timestamp and the sequence.
    pub channels: Option<Vec<String>>,

    /// Where the time stamps come from. Leave it out to stamp a datagram when it arrives at this
    /// machine, in the recorder's own time (the kernel takes the stamp where it can, so a busy
    /// machine does not shift it). The last sample of a datagram then gets the arrival time; the
    /// samples before it are spaced by the nominal rate, or get the same stamp when there is none.
    pub timestamp: Option<Timestamp>,

    /// A counter in the data by which loss, reordering and duplicates are found. Without one,
    /// datagrams are recorded in the order they arrive and what the network loses stays unseen.
    pub sequence: Option<Sequence>,

    /// How to measure the device's clock against the recorder's. Without it the clock's offset is
    /// unknown and streams of different devices cannot be brought together.
    #[serde(default)]
    pub exchange: Exchange,

    /// Samples a second; 0: irregular, as events are.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub nominal_rate_hz: f64,

    /// Format of all channels. Default: for binary the smallest that holds the types of all
    /// channels (u8 -> int16, u16 -> int32, u32 and u64 -> int64; with a `scale` or `offset`:
    /// double64); for json and csv double64; for marker string.
    pub format: Option<FormatName>,

    /// Name of the stream. Default: the name of the source.
    #[schemars(length(min = 1))]
    pub stream_name: Option<String>,

    /// Content type of the stream, as "IMU" or "EEG". Default: "Markers" for the payload marker,
    /// otherwise not stated.
    pub stream_type: Option<String>,

    /// What identifies the device for good, as its serial number. Default: not stated.
    #[serde(default)]
    pub source_id: String,

    /// Multicast groups to join, as ["239.1.2.3"]; listen on "0.0.0.0:PORT" or "[::]:PORT" then.
    #[serde(default)]
    pub multicast: Vec<String>,

    /// Addresses (without ports) whose datagrams are taken; datagrams of others are counted and
    /// ignored. Empty: all are taken.
    #[serde(default)]
    pub allow_from: Vec<String>,

    /// binary: byte order of every number.
    #[serde(default)]
    pub endian: Endian,

    /// binary: the bytes each datagram begins with, in hexadecimal, as "4C4B5331". A datagram that
    /// begins otherwise is malformed. Default: none.
    pub magic: Option<String>,

    /// binary: bytes to skip after the magic.
    #[serde(default)]
    #[schemars(range(max = 65507))]
    pub skip_bytes: u32,

    /// binary: fields that come once per datagram, after the magic and the skipped bytes.
    #[serde(default)]
    pub header: Vec<Field>,

    /// csv: what stands between two columns. "auto" takes the first of comma, semicolon and tab
    /// that a line has outside quotes, and otherwise runs of spaces. A text that holds the
    /// separator is written in double quotes, and a quote in it twice.
    #[serde(default)]
    pub separator: Separator,

    /// How long a datagram that overtook another is held back for it, in milliseconds (only with
    /// `sequence`). What has not come by then is reported as lost.
    #[serde(default = "default_reorder_ms")]
    #[schemars(range(min = 0.0, max = 10_000.0))]
    pub reorder_ms: f64,

    /// After how many seconds without data the source is shown as lost. Default: 1 s or 10 sample
    /// periods, whichever is longer; never for irregular streams.
    #[schemars(range(min = 0.01, max = 86_400.0))]
    pub silence_s: Option<f64>,

    /// Receive buffer to ask the kernel for, in kB: it holds what arrives while the machine is busy.
    #[serde(default = "default_receive_buffer_kb")]
    #[schemars(range(min = 4, max = 1_048_576))]
    pub receive_buffer_kb: u32,
}

// The choices below carry no doc comments: with them the schema would be a oneOf of constants, and
// a wrong word would be told as "not valid under any of the schemas" instead of naming the choices.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Payload {
    Json,
    Csv,
    Binary,
    Marker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum FormatName {
    Float32,
    Double64,
    Int8,
    Int16,
    Int32,
    Int64,
    String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Endian {
    #[default]
    Little,
    Big,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Separator {
    #[default]
    Auto,
    Comma,
    Semicolon,
    Tab,
    Space,
}

/// One field, or a run of equal ones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Field {
    /// Name: the key in json; free in csv and binary.
    #[schemars(length(min = 1))]
    pub name: String,

    /// Type of the number; needed for binary, ignored for json and csv.
    #[serde(rename = "type")]
    pub field_type: Option<FieldType>,

    /// This many fields after one another, named with a number each: `name = "c", count = 32` is
    /// c0 to c31. In json they are such keys, or one key "c" with an array of 32 values.
    /// Default: one field, named as it is.
    #[schemars(range(min = 1, max = 65_507))]
    pub count: Option<u32>,

    /// Unit of the channel, as "microvolts" (after `scale` and `offset`). Default: not stated.
    #[serde(default)]
    pub unit: String,

    /// Label of the channel; with a `count` it gets the number too. Default: the name.
    #[serde(default)]
    pub label: String,

    /// Kind of content of the channel, as "EEG" or "Acceleration". Default: not stated.
    #[serde(default)]
    pub kind: String,

    /// The recorded value is raw * scale + offset. Needs a float format.
    #[serde(default = "one")]
    pub scale: f64,

    /// See `scale`.
    #[serde(default)]
    pub offset: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum FieldType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

/// Time stamps from a field.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Timestamp {
    /// Name of the field that holds the time. It may be a whole number of ticks or a number with a
    /// fraction.
    pub field: String,

    /// Unit of the field. A stamp in seconds is the field divided by 1, 1000, 10^6 or 10^9,
    /// rounded once.
    pub unit: TimeUnit,

    /// Whose time it is. "device": a counter of the device, from any start. "unix": seconds since
    /// 1970 by the device's clock. "monotonic": the recorder's own clock (CLOCK_MONOTONIC,
    /// Python's time.monotonic()), read by a program on this machine; no exchange is needed.
    pub clock: ClockKind,

    /// Bits of the counter, where it starts again from 0: 32 for Arduino's micros() and millis().
    /// The wrap is undone, also across long silences. Default: the size of an unsigned binary
    /// field; otherwise it never wraps.
    #[schemars(range(min = 8, max = 64))]
    pub wrap_bits: Option<u32>,

    /// With a field in `header` and several samples in a datagram: which sample it stamps. The
    /// others are spaced by the nominal rate.
    #[serde(default)]
    pub stamps: Stamped,

    /// Step of the device's clock in seconds, where it is coarser than the unit: 4e-6 for micros()
    /// of a 16 MHz Arduino. Default: one unit for echo exchanges; for ntp: finer than matters.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub resolution_s: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum TimeUnit {
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "ns")]
    Nanoseconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ClockKind {
    Device,
    Unix,
    Monotonic,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Stamped {
    #[default]
    First,
    Last,
}

/// A counter that finds loss.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Sequence {
    /// Name of the field that holds the counter.
    pub field: String,

    /// What it counts. "sample": every sample has a number; a field in `header` is the number of
    /// the datagram's first one. "datagram": every datagram has a number.
    pub per: Counted,

    /// Bits of the counter, where it starts again from 0. Default: the size of an unsigned binary
    /// field; otherwise it never wraps. Loss of half of its range at once or more is miscounted.
    #[schemars(range(min = 8, max = 64))]
    pub wrap_bits: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Counted {
    Sample,
    Datagram,
}

/// Clock exchanges with the device. They need a `timestamp` of the clock "device" or "unix".
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Exchange {
    /// "echo": a protocol of two small packets that a microcontroller answers in 20 lines; see
    /// the README and examples of the plugin. "ntp": the device runs an (S)NTP server; its answers
    /// count as seconds since 1970, so the timestamps must too. "none": the clock is not measured.
    #[serde(default)]
    pub kind: ExchangeKind,

    /// Where the device answers: "IP:PORT", as "192.168.1.20:5006". NTP servers use port 123.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ExchangeKind {
    #[default]
    None,
    Echo,
    Ntp,
}

fn default_reorder_ms() -> f64 {
    50.0
}

fn default_receive_buffer_kb() -> u32 {
    4096
}

fn one() -> f64 {
    1.0
}

/// Drop "or null" from optional properties: a configuration in TOML has no null, and without it
/// messages about a wrong value name one type.
fn without_null(schema: &mut Schema) {
    for value in schema.ensure_object().values_mut() {
        strip_null(value);
    }
}

fn strip_null(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|t| t != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            map.values_mut().for_each(strip_null);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
