//! One value, from how it stood in the datagram to how the stream holds it.

use lockstep_plugin_api::Format;

use super::{Fault, Malformed};
use crate::layout::Scaling;
use crate::stamp::RawStamp;
use lockstep_plugin_api::wrap;

/// Integers up to this magnitude are exact in f64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value as it stood in the datagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Int(i128),
    /// A number with a fraction.
    Double(f64),
    /// The same, of 32 bits.
    Single(f32),
    /// Left out on purpose: null in JSON, nothing between two commas in CSV.
    Missing,
}

/// Why a value cannot be used.
pub type Wrong = (Fault, String);

impl Scalar {
    /// Write it as one value of `format` into `out`, which has that many bytes.
    ///
    /// # Errors
    /// [`Fault::Range`] when an integer format cannot hold it, [`Fault::Value`] when it is missing
    /// there.
    pub fn write(self, format: Format, scaling: Option<Scaling>, out: &mut [u8]) -> Result<(), Wrong> {
        let scaled = match scaling {
            Some(Scaling { scale, offset }) => Self::Double(self.as_f64() * scale + offset),
            None => self,
        };
        match format {
            Format::Float32 => put(out, &scaled.as_f32().to_ne_bytes()),
            Format::Double64 => put(out, &scaled.as_f64().to_ne_bytes()),
            Format::Int8 => put(out, &scaled.integer::<i8>("int8")?.to_ne_bytes()),
            Format::Int16 => put(out, &scaled.integer::<i16>("int16")?.to_ne_bytes()),
            Format::Int32 => put(out, &scaled.integer::<i32>("int32")?.to_ne_bytes()),
            Format::Int64 => put(out, &scaled.integer::<i64>("int64")?.to_ne_bytes()),
            Format::String => {}
        }
        Ok(())
    }

    /// It as a time stamp of a counter of `bits` bits.
    ///
    /// # Errors
    /// [`Fault::Counter`] when it cannot be one.
    pub fn stamp(self, bits: u32) -> Result<RawStamp, Wrong> {
        match self {
            Self::Int(_) => self.counter(bits, "the time stamp").map(RawStamp::Ticks),
            Self::Double(_) | Self::Single(_) if self.as_f64().is_finite() && bits >= 64 => {
                Ok(RawStamp::Fraction(self.as_f64()))
            }
            _ => Err((Fault::Counter, format!("the time stamp is {self}"))),
        }
    }

    /// It as a sequence number of a counter of `bits` bits.
    ///
    /// # Errors
    /// [`Fault::Counter`] when it cannot be one.
    pub fn sequence(self, bits: u32) -> Result<i64, Wrong> {
        self.counter(bits, "the sequence number")
    }

    fn counter(self, bits: u32, what: &str) -> Result<i64, Wrong> {
        let whole = self.whole().and_then(|value| i64::try_from(value).ok());
        whole
            .filter(|&value| wrap::fits(value, bits))
            .ok_or_else(|| (Fault::Counter, format!("{what} is {self}, which is no counter of {bits} bits")))
    }

    /// It as an integer, if it is one exactly.
    fn whole(self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(value),
            Self::Missing => None,
            Self::Double(_) | Self::Single(_) => {
                let value = self.as_f64();
                (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i128)
            }
        }
    }

    fn integer<T: TryFrom<i128>>(self, format: &str) -> Result<T, Wrong> {
        if self == Self::Missing {
            return Err((Fault::Value, format!("a value is missing, and {format} has no such value")));
        }
        self.whole()
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| (Fault::Range, format!("{self} is no {format}")))
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Double(value) => value,
            Self::Single(value) => f64::from(value),
            Self::Missing => f64::NAN,
        }
    }

    fn as_f32(self) -> f32 {
        match self {
            Self::Int(value) => value as f32,
            Self::Double(value) => value as f32,
            Self::Single(value) => value,
            Self::Missing => f32::NAN,
        }
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::Single(value) => value.fmt(f),
            Self::Missing => f.write_str("missing"),
        }
    }
}

/// Copy as much as fits: the two lengths are equal by construction of the layout.
fn put(out: &mut [u8], bytes: &[u8]) {
    out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = *byte);
}

/// The fault `wrong` of the field `name`.
pub fn in_field(name: &str, (kind, detail): Wrong) -> Malformed {
    Malformed::new(kind, format!("field \"{name}\": {detail}"))
}
