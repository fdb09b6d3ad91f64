//! From the bytes of a datagram to samples. Pure, and total: any bytes give samples or a reason.

mod batch;
mod binary;
mod csv;
mod json;
mod marker;
mod number;

pub use batch::Batch;

use crate::layout::{PayloadPlan, Plan};

/// Why a datagram could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The kind of fault, by which it is counted.
    pub kind: Fault,
    /// What exactly is wrong, for a person.
    pub detail: String,
    /// Samples that were in it, where that is known.
    pub samples: Option<u64>,
}

impl Malformed {
    /// A fault in a datagram of which nobody knows how many samples it held.
    pub fn new(kind: Fault, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), samples: None }
    }
}

/// Kinds of faults, as counted in the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing in it.
    Empty,
    /// Longer than any datagram may be.
    Truncated,
    /// Its size fits no whole number of records.
    Length,
    /// It does not begin with the magic.
    Magic,
    /// Not UTF-8.
    Utf8,
    /// Not JSON, or neither object nor array of objects.
    Json,
    /// A key is missing or repeated.
    Key,
    /// Not as many columns as fields, or quotes that do not match.
    Columns,
    /// A value that is no number, or no text.
    Value,
    /// A number that the format of the stream cannot hold.
    Range,
    /// A time stamp or sequence number that cannot be one.
    Counter,
}

impl Fault {
    /// Name in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Length => "length",
            Self::Magic => "magic",
            Self::Utf8 => "utf8",
            Self::Json => "json",
            Self::Key => "key",
            Self::Columns => "columns",
            Self::Value => "value",
            Self::Range => "range",
            Self::Counter => "counter",
        }
    }
}

/// Reads the datagrams of one payload.
#[derive(Debug)]
pub enum Decoder {
    /// Packed numbers.
    Binary(binary::BinaryDecoder),
    /// Lines of columns.
    Csv(csv::CsvDecoder),
    /// Objects.
    Json(Box<json::JsonDecoder>),
    /// One text.
    Marker,
}

impl Decoder {
    /// For the payload of this plan.
    pub fn new(plan: &Plan) -> Self {
        match &plan.payload {
            PayloadPlan::Binary(layout) => Self::Binary(binary::BinaryDecoder::new(plan, layout)),
            PayloadPlan::Csv(fields, separator) => Self::Csv(csv::CsvDecoder::new(plan, fields, *separator)),
            PayloadPlan::Json(fields) => Self::Json(Box::new(json::JsonDecoder::new(plan, fields))),
            PayloadPlan::Marker => Self::Marker,
        }
    }

    /// Read one datagram into `batch`, which is emptied first. After an error its content means
    /// nothing.
    ///
    /// # Errors
    /// Why it could not be read; then none of it is recorded.
    pub fn decode(&mut self, datagram: &[u8], batch: &mut Batch) -> Result<(), Malformed> {
        batch.clear();
        match self {
            Self::Binary(decoder) => decoder.decode(datagram, batch),
            Self::Csv(decoder) => decoder.decode(datagram, batch),
            Self::Json(decoder) => decoder.decode(datagram, batch),
            Self::Marker => marker::decode(datagram, batch),
        }
    }
}

#[cfg(test)]
mod tests;
