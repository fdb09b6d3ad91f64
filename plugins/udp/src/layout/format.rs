//! The format of the stream: deduced from the types of its channels, or checked against them.

use lockstep_plugin_api::{Error, Format};

use super::fields::{Element, Fields};
use crate::options::{FieldType, FormatName, Options, Payload};

/// The format the stream gets.
///
/// # Errors
/// A format that cannot hold what a field brings.
pub fn of(options: &Options, fields: Option<&Fields>) -> Result<Format, Error> {
    let Some(fields) = fields else { return Ok(Format::String) };
    let format = match options.format {
        Some(name) => format(name),
        None if options.payload == Payload::Binary => smallest(fields),
        None => return Ok(Format::Double64),
    };
    if format == Format::String && options.payload == Payload::Binary {
        return Err(Error::option(
            "/format",
            "binary fields are numbers; texts come with json, csv or marker",
        ));
    }
    for element in fields.channel_elements() {
        check(element, format)?;
    }
    Ok(format)
}

fn check(element: &Element, format: Format) -> Result<(), Error> {
    if matches!(format, Format::Float32 | Format::Double64) {
        return Ok(());
    }
    let (kind, name) = (if format == Format::String { "text" } else { "integers" }, &element.name);
    if element.scaling.is_some() {
        let message =
            format!("the channel \"{name}\" is scaled, but its format is {kind}; use float32 or double64");
        return Err(Error::option(element.pointer.clone(), message));
    }
    match element.field_type {
        Some(field_type) if field_type.is_float() => Err(Error::option(
            "/format",
            format!("the channel \"{name}\" is {}, but the format is {kind}", field_type.name()),
        )),
        _ => Ok(()),
    }
}

fn format(name: FormatName) -> Format {
    match name {
        FormatName::Float32 => Format::Float32,
        FormatName::Double64 => Format::Double64,
        FormatName::Int8 => Format::Int8,
        FormatName::Int16 => Format::Int16,
        FormatName::Int32 => Format::Int32,
        FormatName::Int64 => Format::Int64,
        FormatName::String => Format::String,
    }
}

/// The smallest format that holds every channel. 64-bit integers beside floats become double64,
/// which is exact up to 2^53.
fn smallest(fields: &Fields) -> Format {
    let types = || fields.channel_elements().filter_map(|e| e.field_type);
    let scaled = fields.channel_elements().any(|e| e.scaling.is_some());
    let any = |wanted: FieldType| types().any(|t| t == wanted);
    if scaled || any(FieldType::F64) {
        return Format::Double64;
    }
    if any(FieldType::F32) {
        // 24 bits of significand hold all integers of 8 and 16 bits.
        let exact = types().all(|t| t == FieldType::F32 || t.bytes() <= 2);
        return if exact { Format::Float32 } else { Format::Double64 };
    }
    match types().filter_map(integer_bits).max() {
        Some(8) => Format::Int8,
        Some(16) => Format::Int16,
        Some(32) => Format::Int32,
        _ => Format::Int64,
    }
}

/// Bits of the signed integer that holds all values of this type.
fn integer_bits(field_type: FieldType) -> Option<u32> {
    match field_type {
        FieldType::I8 => Some(8),
        FieldType::U8 | FieldType::I16 => Some(16),
        FieldType::U16 | FieldType::I32 => Some(32),
        FieldType::U32 | FieldType::I64 | FieldType::U64 => Some(64),
        FieldType::F32 | FieldType::F64 => None,
    }
}
