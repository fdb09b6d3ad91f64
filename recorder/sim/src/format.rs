//! The seven channel formats of XDF and one value of any of them.

use std::io::Write as _;

use crate::csv;

/// The format of every channel of a stream, with the names XDF uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit IEEE float.
    Float32,
    /// 64-bit IEEE float.
    Double64,
    /// UTF-8 text of any length.
    String,
    /// Signed 8-bit integer.
    Int8,
    /// Signed 16-bit integer.
    Int16,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
}

impl Format {
    /// All seven, in the order of the XDF specification's numbers.
    pub const ALL: [Self; 7] =
        [Self::Float32, Self::Double64, Self::String, Self::Int32, Self::Int16, Self::Int8, Self::Int64];

    /// The name in an XDF stream header, for example `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Double64 => "double64",
            Self::String => "string",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
        }
    }

    /// The short name of the type in a declared binary layout, for example `f32`; `None` for text.
    pub const fn binary_name(self) -> Option<&'static str> {
        match self {
            Self::Float32 => Some("f32"),
            Self::Double64 => Some("f64"),
            Self::String => None,
            Self::Int8 => Some("i8"),
            Self::Int16 => Some("i16"),
            Self::Int32 => Some("i32"),
            Self::Int64 => Some("i64"),
        }
    }
}

/// One value of one channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a [`Format::Float32`] channel.
    Float32(f32),
    /// Of a [`Format::Double64`] channel.
    Double64(f64),
    /// Of a [`Format::String`] channel.
    String(String),
    /// Of a [`Format::Int8`] channel.
    Int8(i8),
    /// Of a [`Format::Int16`] channel.
    Int16(i16),
    /// Of a [`Format::Int32`] channel.
    Int32(i32),
    /// Of a [`Format::Int64`] channel.
    Int64(i64),
}

impl Value {
    /// Appends the value as text that reads back to the same bits: integers in full, floats in
    /// their shortest round-trip decimal, strings as they are.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        // Writing into a Vec cannot fail.
        let _ = match self {
            Self::Float32(value) => write!(out, "{value:?}"),
            Self::Double64(value) => write!(out, "{value:?}"),
            Self::String(value) => {
                out.extend_from_slice(value.as_bytes());
                Ok(())
            }
            Self::Int8(value) => write!(out, "{value}"),
            Self::Int16(value) => write!(out, "{value}"),
            Self::Int32(value) => write!(out, "{value}"),
            Self::Int64(value) => write!(out, "{value}"),
        };
    }

    /// Appends the value as one CSV field (RFC 4180).
    pub fn push_csv(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => csv::push_field(out, text),
            number => number.push_text(out),
        }
    }

    /// Appends the value as JSON: a number, or a string with its escapes.
    ///
    /// The signals of this crate are finite; a float that is not would be written as `null`.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => push_json_string(out, text),
            Self::Float32(value) if !value.is_finite() => out.extend_from_slice(b"null"),
            Self::Double64(value) if !value.is_finite() => out.extend_from_slice(b"null"),
            number => number.push_text(out),
        }
    }

    /// Appends the value in little-endian bytes; text, which has no fixed size, adds nothing.
    pub fn push_little_endian(&self, out: &mut Vec<u8>) {
        match self {
            Self::Float32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Double64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::String(_) => {}
            Self::Int8(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Int16(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Int32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Int64(value) => out.extend_from_slice(&value.to_le_bytes()),
        }
    }
}

/// Appends `text` as a JSON string with quotes and escapes.
pub(crate) fn push_json_string(out: &mut Vec<u8>, text: &str) {
    // A string always serialises, and a Vec always takes it.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &Value) -> String {
        let mut out = Vec::new();
        value.push_text(&mut out);
        String::from_utf8(out).expect("text is UTF-8")
    }

    proptest! {
        #[test]
        fn float_text_reads_back_to_the_same_bits(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let read: f64 = text(&Value::Double64(double)).parse().expect("a number");
            prop_assert_eq!(read.to_bits(), bits);
            let single = f32::from_bits(bits as u32);
            prop_assume!(single.is_finite());
            let read: f32 = text(&Value::Float32(single)).parse().expect("a number");
            prop_assert_eq!(read.to_bits(), bits as u32);
        }

        #[test]
        fn finite_floats_are_valid_json(value in proptest::num::f64::NORMAL) {
            let mut out = Vec::new();
            Value::Double64(value).push_json(&mut out);
            let read: f64 = serde_json::from_slice(&out).expect("JSON");
            prop_assert_eq!(read.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn json_strings_are_escaped() {
        let mut out = Vec::new();
        Value::String("say \"é\"".to_owned()).push_json(&mut out);
        assert_eq!(out, "\"say \\\"é\\\"\"".as_bytes());
    }
}
