//! Take a byte slice apart into chunks, without input or output of its own.

use std::borrow::Cow;

use crate::encode::{BOUNDARY_UUID, Tag};
use crate::varlen::{self, Varlen};

/// Longest chunk that is read, in bytes after its length: a damaged length must not become
/// endless memory.
pub const MAX_CHUNK_BYTES: u64 = 1 << 30;

const TAG_BYTES: usize = 2;
const STREAM_ID_BYTES: usize = 4;
const CLOCK_OFFSET_BYTES: usize = STREAM_ID_BYTES + 16;

/// One chunk of a file, borrowing its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk<'a> {
    /// XML about the file.
    FileHeader {
        /// The XML; bytes that are not UTF-8 are replaced by U+FFFD.
        xml: Cow<'a, str>,
    },
    /// XML about one stream.
    StreamHeader {
        /// The stream, unique in the file.
        stream_id: u32,
        /// The XML, for [`crate::StreamInfo::parse`]; bytes that are not UTF-8 are replaced by
        /// U+FFFD.
        xml: Cow<'a, str>,
    },
    /// Samples of one stream.
    Samples {
        /// The stream.
        stream_id: u32,
        /// How many samples the chunk says to hold; never more than `body` has bytes.
        sample_count: u64,
        /// The samples, for [`crate::SampleDecoder::decode`].
        body: &'a [u8],
    },
    /// One clock offset of one stream.
    ClockOffset {
        /// The stream.
        stream_id: u32,
        /// When it was measured, in seconds of the stream's own clock.
        collection_time_s: f64,
        /// What to add to the stream's stamps to get recorder time, in seconds.
        offset_s: f64,
    },
    /// The mark to find a chunk edge again.
    Boundary,
    /// XML with what is known at the end of one stream.
    StreamFooter {
        /// The stream.
        stream_id: u32,
        /// The XML, for [`crate::StreamFooter::parse`]; bytes that are not UTF-8 are replaced by
        /// U+FFFD.
        xml: Cow<'a, str>,
    },
    /// A chunk of a tag this format version does not define; to be skipped.
    Unknown {
        /// The tag.
        tag: u16,
        /// All bytes after the tag.
        content: &'a [u8],
    },
}

/// What the start of a slice holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<'a> {
    /// The slice ends inside the chunk.
    NeedMore {
        /// How many bytes from its start the slice must have for the next try; more may be needed
        /// then, never less.
        at_least: usize,
    },
    /// A whole chunk.
    Chunk {
        /// The chunk.
        chunk: Chunk<'a>,
        /// How many bytes of the slice it took.
        consumed: usize,
    },
}

/// Why bytes are not a chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The length does not begin with 1, 4 or 8.
    #[error("a {what} begins with byte {first_byte:#04x}, which is not a size of 1, 4 or 8")]
    BadVarlen {
        /// Which integer: "chunk length" or "sample count".
        what: &'static str,
        /// The byte found.
        first_byte: u8,
    },
    /// The length leaves no room for the tag.
    #[error("a chunk says to have {length} bytes, too few for its tag")]
    TooShort {
        /// The chunk's length.
        length: u64,
    },
    /// The length is above [`MAX_CHUNK_BYTES`].
    #[error("a chunk says to have {length} bytes, more than the limit of {MAX_CHUNK_BYTES}")]
    TooLong {
        /// The chunk's length.
        length: u64,
    },
    /// The content has not the size that a chunk of this kind has.
    #[error("a {tag:?} chunk has {found} bytes of content, which does not fit its kind")]
    WrongContentSize {
        /// The kind.
        tag: Tag,
        /// Bytes after the tag.
        found: usize,
    },
    /// A Samples chunk says to hold more samples than it has bytes.
    #[error("a Samples chunk of {body_bytes} bytes says to hold {sample_count} samples")]
    TooManySamples {
        /// The count it says.
        sample_count: u64,
        /// The bytes there are for them.
        body_bytes: usize,
    },
    /// A Boundary chunk holds other bytes than [`BOUNDARY_UUID`].
    #[error("a Boundary chunk does not hold the boundary mark")]
    WrongBoundary,
}

/// Where the chunk at the start of a slice ends.
pub(crate) enum Frame {
    /// As [`Step::NeedMore`].
    NeedMore { at_least: usize },
    /// All of it is there: the tag, and where its content lies in the slice.
    Whole { tag: u16, content: std::ops::Range<usize> },
}

/// Finds the end of the chunk at the start of `bytes`, refusing a length that cannot be true as
/// soon as it can be seen.
pub(crate) fn frame(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (length, length_bytes) = match varlen::read(bytes) {
        Varlen::Value { value, used } => (value, used),
        Varlen::Cut { need } => return Ok(Frame::NeedMore { at_least: need }),
        Varlen::Bad { first_byte } => {
            return Err(DecodeError::BadVarlen { what: "chunk length", first_byte });
        }
    };
    if length < TAG_BYTES as u64 {
        return Err(DecodeError::TooShort { length });
    }
    if length > MAX_CHUNK_BYTES {
        return Err(DecodeError::TooLong { length });
    }
    // At most MAX_CHUNK_BYTES, so it fits.
    let length = length as usize;
    let begin = length_bytes + TAG_BYTES;
    let Some(&[low, high]) = bytes.get(length_bytes..begin).and_then(<[u8]>::as_array) else {
        return Ok(Frame::NeedMore { at_least: begin });
    };
    let tag = u16::from_le_bytes([low, high]);
    let content_bytes = length - TAG_BYTES;
    if let Some(tag) = Tag::from_number(tag) {
        check_content_size(tag, content_bytes)?;
    }
    let end = begin + content_bytes;
    if bytes.len() < end {
        return Ok(Frame::NeedMore { at_least: end });
    }
    Ok(Frame::Whole { tag, content: begin..end })
}

/// Reads the chunk at the start of `bytes`, which must be a chunk edge (after the magic).
///
/// Never allocates, except to replace invalid UTF-8, and never trusts a count or length beyond
/// the chunk's own length.
///
/// # Errors
/// [`DecodeError`] if the bytes cannot be a chunk however many follow.
pub fn next_chunk(bytes: &[u8]) -> Result<Step<'_>, DecodeError> {
    Ok(match frame(bytes)? {
        Frame::NeedMore { at_least } => Step::NeedMore { at_least },
        Frame::Whole { tag, content } => {
            Step::Chunk { consumed: content.end, chunk: parse(tag, &bytes[content])? }
        }
    })
}

/// What can be saved of a Samples chunk that the file ends in: the stream and what is there of the
/// body, for [`crate::SampleDecoder::decode`], which hands out the whole samples before it says
/// that the last one is cut.
///
/// `None` if `bytes` do not begin with a Samples chunk, or end before its first sample.
pub fn torn_samples(bytes: &[u8]) -> Option<(u32, u64, &[u8])> {
    let Ok(Frame::NeedMore { at_least }) = frame(bytes) else {
        return None;
    };
    let Varlen::Value { used, .. } = varlen::read(bytes) else {
        return None;
    };
    let (tag, rest) = bytes.get(used..at_least.min(bytes.len()))?.split_first_chunk()?;
    let (stream_id, rest) = rest.split_first_chunk()?;
    let Varlen::Value { value, used } = varlen::read(rest) else {
        return None;
    };
    (u16::from_le_bytes(*tag) == Tag::Samples as u16)
        .then(|| (u32::from_le_bytes(*stream_id), value, &rest[used..]))
}

fn check_content_size(tag: Tag, found: usize) -> Result<(), DecodeError> {
    let fits = match tag {
        Tag::FileHeader => true,
        Tag::StreamHeader | Tag::StreamFooter => found >= STREAM_ID_BYTES,
        Tag::Samples => found >= STREAM_ID_BYTES + 2,
        Tag::ClockOffset => found == CLOCK_OFFSET_BYTES,
        Tag::Boundary => found == BOUNDARY_UUID.len(),
    };
    if fits { Ok(()) } else { Err(DecodeError::WrongContentSize { tag, found }) }
}

fn parse(tag: u16, content: &[u8]) -> Result<Chunk<'_>, DecodeError> {
    let Some(known) = Tag::from_number(tag) else {
        return Ok(Chunk::Unknown { tag, content });
    };
    let wrong_size = || DecodeError::WrongContentSize { tag: known, found: content.len() };
    let with_stream = || {
        let (id, rest) = content.split_first_chunk().ok_or_else(wrong_size)?;
        Ok((u32::from_le_bytes(*id), rest))
    };
    Ok(match known {
        Tag::FileHeader => Chunk::FileHeader { xml: String::from_utf8_lossy(content) },
        Tag::StreamHeader => {
            let (stream_id, xml) = with_stream()?;
            Chunk::StreamHeader { stream_id, xml: String::from_utf8_lossy(xml) }
        }
        Tag::Samples => {
            let (stream_id, rest) = with_stream()?;
            let (sample_count, body) = match varlen::read(rest) {
                Varlen::Value { value, used } => (value, &rest[used..]),
                Varlen::Cut { .. } => return Err(wrong_size()),
                Varlen::Bad { first_byte } => {
                    return Err(DecodeError::BadVarlen { what: "sample count", first_byte });
                }
            };
            // Every sample has at least the byte that gives the size of its stamp.
            if sample_count > body.len() as u64 {
                return Err(DecodeError::TooManySamples { sample_count, body_bytes: body.len() });
            }
            Chunk::Samples { stream_id, sample_count, body }
        }
        Tag::ClockOffset => {
            let (stream_id, rest) = with_stream()?;
            let (time, rest) = rest.split_first_chunk().ok_or_else(wrong_size)?;
            let (offset, _) = rest.split_first_chunk().ok_or_else(wrong_size)?;
            Chunk::ClockOffset {
                stream_id,
                collection_time_s: f64::from_le_bytes(*time),
                offset_s: f64::from_le_bytes(*offset),
            }
        }
        Tag::Boundary if content == BOUNDARY_UUID => Chunk::Boundary,
        Tag::Boundary => return Err(DecodeError::WrongBoundary),
        Tag::StreamFooter => {
            let (stream_id, xml) = with_stream()?;
            Chunk::StreamFooter { stream_id, xml: String::from_utf8_lossy(xml) }
        }
    })
}

#[cfg(test)]
mod tests;
