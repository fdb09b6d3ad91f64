//! Take the samples of one stream out of the bodies of its Samples chunks.

use std::borrow::Cow;

use crate::format::ChannelFormat;
use crate::varlen::{self, Varlen};

/// The values of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleValues<'a> {
    /// All channels of a numeric stream, as little-endian bytes.
    Numeric(&'a [u8]),
    /// All channels of a string stream; bytes that are not UTF-8 are replaced by U+FFFD.
    Strings(&'a [Cow<'a, str>]),
}

impl<'a> SampleValues<'a> {
    /// The little-endian bytes of a numeric sample; empty for strings.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Numeric(bytes) => bytes,
            Self::Strings(_) => &[],
        }
    }

    /// The values of a string sample; empty for numbers.
    pub fn strings(self) -> &'a [Cow<'a, str>] {
        match self {
            Self::Numeric(_) => &[],
            Self::Strings(strings) => strings,
        }
    }
}

/// Why a body is not the samples it says to be. `complete` samples before it were handed out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// The body ends inside a sample.
    #[error("the body ends inside sample {complete} (counted from 0)")]
    Cut {
        /// Whole samples before the end.
        complete: u64,
    },
    /// A stamp's size is neither 0 nor 8.
    #[error("sample {complete} (counted from 0) has a stamp of {size} bytes; only 0 and 8 exist")]
    BadStampSize {
        /// Samples before it.
        complete: u64,
        /// The size found.
        size: u8,
    },
    /// A string's length does not begin with 1, 4 or 8.
    #[error(
        "a string of sample {complete} (counted from 0) has a length that begins with byte {first_byte:#04x}, not with 1, 4 or 8"
    )]
    BadStringLength {
        /// Samples before it.
        complete: u64,
        /// The byte found.
        first_byte: u8,
    },
    /// All samples were read and bytes are left.
    #[error("{extra_bytes} bytes follow the last of {complete} samples")]
    TrailingBytes {
        /// All samples of the body.
        complete: u64,
        /// Bytes after them.
        extra_bytes: usize,
    },
}

impl SampleError {
    /// How many samples were handed out before the error.
    pub fn complete_samples(&self) -> u64 {
        match self {
            Self::Cut { complete }
            | Self::BadStampSize { complete, .. }
            | Self::BadStringLength { complete, .. }
            | Self::TrailingBytes { complete, .. } => *complete,
        }
    }
}

/// Decodes the Samples chunks of one stream in file order.
///
/// A stamp that was left out is the stamp before it plus `1.0 / nominal_rate_hz` by plain double
/// addition, or the stamp itself in an irregular stream. The stamp before it may lie in an earlier
/// chunk; before the first sample of all it is 0.0. This gives the same doubles as pyxdf.
#[derive(Clone, Debug)]
pub struct SampleDecoder {
    format: ChannelFormat,
    channel_count: usize,
    interval_s: f64,
    last_timestamp_s: f64,
}

impl SampleDecoder {
    /// A decoder for a stream with what its header says.
    pub fn new(format: ChannelFormat, channel_count: usize, nominal_rate_hz: f64) -> Self {
        Self {
            format,
            channel_count,
            interval_s: if nominal_rate_hz > 0.0 { 1.0 / nominal_rate_hz } else { 0.0 },
            last_timestamp_s: 0.0,
        }
    }

    /// Hands every sample of one chunk to `visit`: its stamp in seconds and its values.
    ///
    /// # Errors
    /// [`SampleError`] if `body` is not exactly `sample_count` samples. The samples before the
    /// fault have been handed out by then, so a chunk that was cut keeps them.
    pub fn decode(
        &mut self,
        sample_count: u64,
        body: &[u8],
        mut visit: impl FnMut(f64, SampleValues<'_>),
    ) -> Result<(), SampleError> {
        let rest = match self.format.value_bytes() {
            Some(value_bytes) => {
                // A size that overflows is larger than any body: the first sample is cut.
                let sample_bytes = self.channel_count.saturating_mul(value_bytes);
                self.decode_numbers(sample_count, body, sample_bytes, &mut visit)?
            }
            None => self.decode_strings(sample_count, body, &mut visit)?,
        };
        if rest.is_empty() {
            Ok(())
        } else {
            Err(SampleError::TrailingBytes { complete: sample_count, extra_bytes: rest.len() })
        }
    }

    fn decode_numbers<'a>(
        &mut self,
        sample_count: u64,
        body: &'a [u8],
        sample_bytes: usize,
        visit: &mut impl FnMut(f64, SampleValues<'_>),
    ) -> Result<&'a [u8], SampleError> {
        let mut rest = body;
        for complete in 0..sample_count {
            let (timestamp_s, after) = self.stamp(rest, complete)?;
            let Some((values, after)) = after.split_at_checked(sample_bytes) else {
                return Err(SampleError::Cut { complete });
            };
            self.last_timestamp_s = timestamp_s;
            visit(timestamp_s, SampleValues::Numeric(values));
            rest = after;
        }
        Ok(rest)
    }

    fn decode_strings<'a>(
        &mut self,
        sample_count: u64,
        body: &'a [u8],
        visit: &mut impl FnMut(f64, SampleValues<'_>),
    ) -> Result<&'a [u8], SampleError> {
        let mut rest = body;
        // Grows with what is found, not with the channel count of a header that may be wrong.
        let mut values = Vec::new();
        for complete in 0..sample_count {
            let (timestamp_s, mut after) = self.stamp(rest, complete)?;
            values.clear();
            for _ in 0..self.channel_count {
                let (value, behind) = string(after, complete)?;
                values.push(String::from_utf8_lossy(value));
                after = behind;
            }
            self.last_timestamp_s = timestamp_s;
            visit(timestamp_s, SampleValues::Strings(&values));
            rest = after;
        }
        Ok(rest)
    }

    /// The stamp of the sample at the start of `bytes`, and what follows it.
    #[inline]
    fn stamp<'a>(&self, bytes: &'a [u8], complete: u64) -> Result<(f64, &'a [u8]), SampleError> {
        match bytes.split_first() {
            Some((0, rest)) => Ok((self.last_timestamp_s + self.interval_s, rest)),
            Some((8, rest)) => match rest.split_first_chunk() {
                Some((stamp, rest)) => Ok((f64::from_le_bytes(*stamp), rest)),
                None => Err(SampleError::Cut { complete }),
            },
            Some((&size, _)) => Err(SampleError::BadStampSize { complete, size }),
            None => Err(SampleError::Cut { complete }),
        }
    }
}

/// The string at the start of `bytes`, and what follows it.
fn string(bytes: &[u8], complete: u64) -> Result<(&[u8], &[u8]), SampleError> {
    match varlen::read(bytes) {
        Varlen::Value { value, used } => usize::try_from(value)
            .ok()
            .and_then(|size| bytes[used..].split_at_checked(size))
            .ok_or(SampleError::Cut { complete }),
        Varlen::Cut { .. } => Err(SampleError::Cut { complete }),
        Varlen::Bad { first_byte } => Err(SampleError::BadStringLength { complete, first_byte }),
    }
}

#[cfg(test)]
mod tests;
