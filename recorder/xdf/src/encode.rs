//! Append whole chunks to a byte buffer.
//!
//! No function here fails or looks at the XML it is given; [`crate::StreamInfo`],
//! [`crate::StreamFooter`] and [`crate::Element`] make XML that is well formed.

use crate::samples::SampleBlock;
use crate::varlen;

/// The first four bytes of every XDF file.
pub const MAGIC: &[u8; 4] = b"XDF:";

/// Content of every Boundary chunk, to find a chunk edge again after damage.
pub const BOUNDARY_UUID: [u8; 16] =
    [0x43, 0xA5, 0x46, 0xDC, 0xCB, 0xF5, 0x41, 0x0F, 0xB3, 0x0E, 0xD5, 0x46, 0x73, 0x83, 0xCB, 0xE4];

const TAG_BYTES: usize = 2;
const STREAM_ID_BYTES: usize = 4;
/// The sample count is always written in the 5-byte form, like the reference recorder does.
const SAMPLE_COUNT_BYTES: usize = 5;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Tag {
    /// XML about the file; the first chunk.
    FileHeader = 1,
    /// XML about one stream, before anything else of that stream.
    StreamHeader = 2,
    /// Samples of one stream.
    Samples = 3,
    /// One clock offset of one stream.
    ClockOffset = 4,
    /// The fixed mark [`BOUNDARY_UUID`].
    Boundary = 5,
    /// XML with what is only known at the end of one stream.
    StreamFooter = 6,
}

impl Tag {
    /// The tag of that number, or `None` for numbers the format does not define.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::FileHeader),
            2 => Some(Self::StreamHeader),
            3 => Some(Self::Samples),
            4 => Some(Self::ClockOffset),
            5 => Some(Self::Boundary),
            6 => Some(Self::StreamFooter),
            _ => None,
        }
    }
}

/// Appends the magic and the FileHeader chunk: the beginning of a file.
pub fn file_header(out: &mut Vec<u8>, xml: &str) {
    out.extend_from_slice(MAGIC);
    begin(out, Tag::FileHeader, xml.len());
    out.extend_from_slice(xml.as_bytes());
}

/// Appends a StreamHeader chunk.
pub fn stream_header(out: &mut Vec<u8>, stream_id: u32, xml: &str) {
    stream_xml(out, Tag::StreamHeader, stream_id, xml);
}

/// Appends a StreamFooter chunk.
pub fn stream_footer(out: &mut Vec<u8>, stream_id: u32, xml: &str) {
    stream_xml(out, Tag::StreamFooter, stream_id, xml);
}

/// Appends a Samples chunk. A block without samples gives a legal chunk of none.
pub fn samples(out: &mut Vec<u8>, stream_id: u32, block: &SampleBlock) {
    out.reserve(MAX_SAMPLES_PREFIX_BYTES + block.body.len());
    samples_prefix(out, stream_id, block);
    out.extend_from_slice(&block.body);
}

/// Upper bound of what [`samples_prefix`] appends.
pub const MAX_SAMPLES_PREFIX_BYTES: usize = 9 + TAG_BYTES + STREAM_ID_BYTES + 9;

/// Appends all of a Samples chunk but `block.body`, for a writer that hands the body to the file
/// without copying it.
pub fn samples_prefix(out: &mut Vec<u8>, stream_id: u32, block: &SampleBlock) {
    samples_head(out, stream_id, block.sample_count, block.body.len());
}

/// Appends all of a Samples chunk but the samples, which are encoded already and have `body_bytes`.
pub fn samples_head(out: &mut Vec<u8>, stream_id: u32, sample_count: u64, body_bytes: usize) {
    let short_count = u32::try_from(sample_count);
    let count_bytes = short_count.map_or(9, |_| SAMPLE_COUNT_BYTES);
    begin(out, Tag::Samples, STREAM_ID_BYTES + count_bytes + body_bytes);
    out.extend_from_slice(&stream_id.to_le_bytes());
    match short_count {
        Ok(count) => varlen::write_u32(out, count),
        Err(_) => varlen::write(out, sample_count),
    }
}

/// Appends a ClockOffset chunk.
///
/// `collection_time_s` is when the offset was measured, in the clock the stream is stamped with;
/// `offset_s` is what must be added to that clock to get recorder time. Both in seconds.
pub fn clock_offset(out: &mut Vec<u8>, stream_id: u32, collection_time_s: f64, offset_s: f64) {
    begin(out, Tag::ClockOffset, STREAM_ID_BYTES + 8 + 8);
    out.extend_from_slice(&stream_id.to_le_bytes());
    out.extend_from_slice(&collection_time_s.to_le_bytes());
    out.extend_from_slice(&offset_s.to_le_bytes());
}

/// Appends a Boundary chunk.
pub fn boundary(out: &mut Vec<u8>) {
    begin(out, Tag::Boundary, BOUNDARY_UUID.len());
    out.extend_from_slice(&BOUNDARY_UUID);
}

fn stream_xml(out: &mut Vec<u8>, tag: Tag, stream_id: u32, xml: &str) {
    begin(out, tag, STREAM_ID_BYTES + xml.len());
    out.extend_from_slice(&stream_id.to_le_bytes());
    out.extend_from_slice(xml.as_bytes());
}

/// Appends the length and the tag of a chunk whose content has `content_bytes` bytes.
fn begin(out: &mut Vec<u8>, tag: Tag, content_bytes: usize) {
    varlen::write(out, (TAG_BYTES + content_bytes) as u64);
    out.extend_from_slice(&(tag as u16).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_its_prefix_and_the_fixed_mark() {
        let mut out = Vec::new();
        boundary(&mut out);
        assert_eq!(out[..4], [1, 18, 5, 0]);
        assert_eq!(out[4..], BOUNDARY_UUID);
    }

    #[test]
    fn a_clock_offset_has_a_fixed_layout() {
        let mut out = Vec::new();
        clock_offset(&mut out, 0x0102_0304, 1.5, -2.0);
        assert_eq!(out[..8], [1, 22, 4, 0, 4, 3, 2, 1]);
        assert_eq!(out[8..16], 1.5f64.to_le_bytes());
        assert_eq!(out[16..], (-2.0f64).to_le_bytes());
    }

    #[test]
    fn a_file_begins_with_the_magic_and_its_header() {
        let mut out = Vec::new();
        file_header(&mut out, "<info/>");
        assert_eq!(out, b"XDF:\x01\x09\x01\x00<info/>");
    }

    #[test]
    fn long_xml_takes_the_four_byte_length() {
        let mut out = Vec::new();
        stream_header(&mut out, 7, &"x".repeat(250));
        assert_eq!(out[..7], [4, 0, 1, 0, 0, 2, 0]);
        assert_eq!(out.len(), 5 + 256);
    }

    #[test]
    fn the_sample_count_takes_five_bytes() {
        let block = SampleBlock { sample_count: 1, body: vec![0, 42], ..SampleBlock::default() };
        let mut out = Vec::new();
        samples(&mut out, 9, &block);
        assert_eq!(out, [1, 13, 3, 0, 9, 0, 0, 0, 4, 1, 0, 0, 0, 0, 42]);
    }

    #[test]
    fn tags_and_their_numbers_agree() {
        for number in 0..=u16::MAX {
            if let Some(tag) = Tag::from_number(number) {
                assert_eq!(tag as u16, number);
            } else {
                assert!(!(1..=6).contains(&number));
            }
        }
    }
}
