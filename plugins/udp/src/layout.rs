//! From options to a plan in which nothing can be wrong any more: every check, with the place of
//! the option that is wrong as a JSON pointer.

mod address;
mod fields;
mod format;
mod timing;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lockstep_plugin_api::{Channel, Error, Format};

pub use fields::{Element, Fields, Place, Scaling};
pub use timing::{ExchangePlan, SequencePlan, StampPlan};

use crate::options::{Endian, FormatName, Options, Payload, Separator};

/// What the source is going to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Address to bind.
    pub listen: SocketAddr,
    /// Groups to join.
    pub multicast: Vec<IpAddr>,
    /// Senders that are taken; empty: all.
    pub allow_from: Vec<IpAddr>,
    /// Receive buffer to ask for.
    pub receive_buffer_bytes: usize,
    /// The stream.
    pub stream: StreamPlan,
    /// How a datagram is read.
    pub payload: PayloadPlan,
    /// Stamps from a field; `None`: arrival time.
    pub stamp: Option<StampPlan>,
    /// How numbers are followed, if there are any.
    pub sequence: Option<SequencePlan>,
    /// How the clock is measured, if it is.
    pub exchange: Option<ExchangePlan>,
    /// Silence after which the device counts as lost; `None`: never.
    pub silence: Option<Duration>,
    /// How long a gap is waited for.
    pub reorder: Duration,
}

/// The stream as the recorder is told of it.
#[derive(Debug, Clone)]
pub struct StreamPlan {
    /// Its name, if it has one of its own.
    pub name: Option<String>,
    /// Content type.
    pub kind: String,
    /// Identifies the device.
    pub source_id: String,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// Format of all channels.
    pub format: Format,
    /// Labels, units and kinds.
    pub channels: Vec<Channel>,
}

/// How a datagram is read.
#[derive(Debug, Clone)]
pub enum PayloadPlan {
    /// Packed numbers.
    Binary(BinaryPlan),
    /// Lines of columns.
    Csv(Fields, Separator),
    /// Objects.
    Json(Fields),
    /// One text.
    Marker,
}

/// Layout of a binary datagram.
#[derive(Debug, Clone)]
pub struct BinaryPlan {
    /// First bytes of every datagram.
    pub magic: Vec<u8>,
    /// Where the header begins.
    pub header_at: usize,
    /// Header and records.
    pub fields: Fields,
    /// Byte order.
    pub endian: Endian,
}

impl PayloadPlan {
    /// The fields, where there are any.
    pub fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Binary(plan) => Some(&plan.fields),
            Self::Csv(fields, _) | Self::Json(fields) => Some(fields),
            Self::Marker => None,
        }
    }
}

impl Plan {
    /// Check `options` and work out all that follows from them.
    ///
    /// # Errors
    /// [`Error::Option`] with the place of the first option that is wrong.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let listen = address::listen(&options.listen)?;
        let multicast = address::groups(&options.multicast, listen)?;
        let allow_from = address::senders(&options.allow_from)?;
        only_for_its_payload(options)?;
        let rate_hz = options.nominal_rate_hz;
        if !(rate_hz.is_finite() && rate_hz >= 0.0) {
            return Err(Error::option("/nominal_rate_hz", "give samples a second, or 0 for irregular"));
        }
        let fields = match options.payload {
            Payload::Marker => None,
            _ => Some(Fields::new(options)?),
        };
        let format = format::of(options, fields.as_ref())?;
        let channels = match &fields {
            Some(fields) => fields.channel_elements().map(Element::channel).collect(),
            None => vec![Channel::new("marker")],
        };
        let stamp = timing::stamp(options, fields.as_ref())?;
        let sequence = timing::sequence(options, fields.as_ref())?;
        let exchange = timing::exchange(options)?;
        let payload = match (options.payload, fields) {
            (Payload::Csv, Some(fields)) => PayloadPlan::Csv(fields, options.separator),
            (Payload::Json, Some(fields)) => PayloadPlan::Json(fields),
            (Payload::Binary, Some(fields)) => PayloadPlan::Binary(binary(options, fields)?),
            (_, _) => PayloadPlan::Marker,
        };
        let default_kind = if options.payload == Payload::Marker { "Markers" } else { "" };
        Ok(Self {
            listen,
            multicast,
            allow_from,
            receive_buffer_bytes: options.receive_buffer_kb as usize * 1024,
            stream: StreamPlan {
                name: options.stream_name.clone().filter(|name| !name.is_empty()),
                kind: options.stream_type.clone().unwrap_or_else(|| default_kind.to_owned()),
                source_id: options.source_id.clone(),
                nominal_rate_hz: rate_hz,
                format,
                channels,
            },
            payload,
            stamp,
            sequence,
            exchange,
            silence: timing::silence(options)?,
            reorder: timing::reorder(options)?,
        })
    }

    /// Bytes of one sample; 0 for texts.
    pub fn sample_bytes(&self) -> usize {
        self.stream.format.value_bytes() * self.stream.channels.len()
    }
}

fn binary(options: &Options, fields: Fields) -> Result<BinaryPlan, Error> {
    let magic = match &options.magic {
        Some(text) => hex(text).ok_or_else(|| {
            Error::option(
                "/magic",
                format!("\"{text}\" is not hexadecimal; give pairs of digits, as \"4C4B5331\""),
            )
        })?,
        None => Vec::new(),
    };
    let header_at = magic.len() + options.skip_bytes as usize;
    Ok(BinaryPlan { magic, header_at, fields, endian: options.endian })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Refuse options that would be ignored with this payload: whoever wrote them expects something.
fn only_for_its_payload(options: &Options) -> Result<(), Error> {
    let payload = match options.payload {
        Payload::Json => "json",
        Payload::Csv => "csv",
        Payload::Binary => "binary",
        Payload::Marker => "marker",
    };
    let not_binary = options.payload != Payload::Binary;
    let marker = options.payload == Payload::Marker;
    let misplaced = [
        ("/magic", not_binary && options.magic.is_some(), "binary"),
        ("/skip_bytes", not_binary && options.skip_bytes > 0, "binary"),
        ("/header", not_binary && !options.header.is_empty(), "binary"),
        ("/endian", not_binary && options.endian != Endian::Little, "binary"),
        ("/separator", options.payload != Payload::Csv && options.separator != Separator::Auto, "csv"),
        ("/fields", marker && !options.fields.is_empty(), "json, csv and binary"),
        ("/channels", marker && options.channels.is_some(), "json, csv and binary"),
        ("/timestamp", marker && options.timestamp.is_some(), "json, csv and binary"),
        ("/sequence", marker && options.sequence.is_some(), "json, csv and binary"),
        (
            "/format",
            marker && options.format.is_some_and(|f| f != FormatName::String),
            "json, csv and binary",
        ),
    ];
    match misplaced.into_iter().find(|(_, wrong, _)| *wrong) {
        Some((path, _, where_it_works)) => Err(Error::option(
            path,
            format!("has no meaning with the payload \"{payload}\", only with {where_it_works}"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
pub mod tests;
