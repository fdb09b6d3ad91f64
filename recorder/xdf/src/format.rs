//! The seven value formats a stream's channels can have.

use std::fmt;
use std::str::FromStr;

/// Format of every value of a stream, as named in the header's `<channel_format>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelFormat {
    /// Signed 8-bit integer.
    Int8,
    /// Signed 16-bit integer.
    Int16,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Double64,
    /// UTF-8 text of any length.
    String,
}

impl ChannelFormat {
    /// Every format, in the order of this list.
    pub const ALL: [Self; 7] =
        [Self::Int8, Self::Int16, Self::Int32, Self::Int64, Self::Float32, Self::Double64, Self::String];

    /// The name used in XDF and LSL headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Double64 => "double64",
            Self::String => "string",
        }
    }

    /// The format of that exact name, or `None`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Size of one value in bytes; `None` for strings, which have no fixed size.
    pub const fn value_bytes(self) -> Option<usize> {
        match self {
            Self::Int8 => Some(1),
            Self::Int16 => Some(2),
            Self::Int32 | Self::Float32 => Some(4),
            Self::Int64 | Self::Double64 => Some(8),
            Self::String => None,
        }
    }
}

impl fmt::Display for ChannelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ChannelFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::parse(name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// The name is not one of a channel format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a channel format; use int8, int16, int32, int64, float32, double64 or string")]
pub struct UnknownFormat(
    /// The name as given.
    pub String,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name() {
        for format in ChannelFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_accepted_ones() {
        let message = "float64".parse::<ChannelFormat>().unwrap_err().to_string();
        assert!(message.contains("\"float64\"") && message.contains("double64"));
    }

    #[test]
    fn the_error_lists_every_format() {
        let message = UnknownFormat(std::string::String::new()).to_string();
        for format in ChannelFormat::ALL {
            assert!(message.contains(format.name()));
        }
    }
}
