//! The first bytes of a chunk: all that a scan reads of most chunks.

use crate::decode::MAX_CHUNK_BYTES;
use crate::encode::Tag;
use crate::varlen::{self, Varlen};

/// Bytes that hold any head: two integers of variable length, the tag and the stream's id.
pub(crate) const MAX_HEAD_BYTES: usize = 9 + TAG_BYTES + STREAM_ID_BYTES + 9;
pub(crate) const TAG_BYTES: usize = 2;
pub(crate) const STREAM_ID_BYTES: usize = 4;

/// A chunk's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes after the length; `None` if the length is unreadable.
    pub(crate) length: Option<u64>,
    /// Bytes of the length itself.
    pub(crate) length_bytes: usize,
    /// What kind of chunk it is, by number.
    pub(crate) number: u16,
    /// The stream, for kinds that have one.
    pub(crate) stream_id: Option<u32>,
    /// How many samples it says to hold; only for Samples with a readable count.
    pub(crate) count: Option<u64>,
    /// Bytes from the chunk's start to the samples, XML or numbers.
    pub(crate) bytes: usize,
}

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHead {
    /// The bytes end inside it.
    Cut,
    /// The length is none.
    BadLength,
}

impl Head {
    /// The head at the start of `bytes`; [`MAX_HEAD_BYTES`] are enough unless the file ends.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NoHead> {
        match varlen::read(bytes) {
            Varlen::Value { value, used } if (TAG_BYTES as u64..=MAX_CHUNK_BYTES).contains(&value) => {
                Self::after_length(bytes, Some(value), used)
            }
            Varlen::Cut { .. } => Err(NoHead::Cut),
            Varlen::Value { .. } | Varlen::Bad { .. } => Err(NoHead::BadLength),
        }
    }

    /// The head at the start of `bytes` if its length takes `length_bytes`, whatever it says.
    pub(crate) fn without_length(bytes: &[u8], length_bytes: usize) -> Result<Self, NoHead> {
        Self::after_length(bytes, None, length_bytes)
    }

    fn after_length(bytes: &[u8], length: Option<u64>, length_bytes: usize) -> Result<Self, NoHead> {
        let rest = bytes.get(length_bytes..).ok_or(NoHead::Cut)?;
        let (number, rest) = rest.split_first_chunk().ok_or(NoHead::Cut)?;
        let number = u16::from_le_bytes(*number);
        let mut head = Self {
            length,
            length_bytes,
            number,
            stream_id: None,
            count: None,
            bytes: length_bytes + TAG_BYTES,
        };
        let tag = Tag::from_number(number);
        if matches!(tag, None | Some(Tag::FileHeader | Tag::Boundary)) {
            return Ok(head);
        }
        let (id, rest) = rest.split_first_chunk().ok_or(NoHead::Cut)?;
        head.stream_id = Some(u32::from_le_bytes(*id));
        head.bytes += STREAM_ID_BYTES;
        if tag == Some(Tag::Samples) {
            match varlen::read(rest) {
                Varlen::Value { value, used } => {
                    head.count = Some(value);
                    head.bytes += used;
                }
                Varlen::Cut { .. } => return Err(NoHead::Cut),
                // The reference recorder's form, so that the samples can be looked for.
                Varlen::Bad { .. } => head.bytes += 5,
            }
        }
        Ok(head)
    }

    /// The head of the chunk at the start of `bytes` if it were one of samples, whatever its tag says.
    pub(crate) fn read_as_samples(bytes: &[u8]) -> Result<Self, NoHead> {
        let mut bytes = bytes.to_vec();
        if let Varlen::Value { used, .. } = varlen::read(&bytes)
            && let Some(tag) = bytes.get_mut(used..used + TAG_BYTES)
        {
            tag.copy_from_slice(&(Tag::Samples as u16).to_le_bytes());
        }
        Self::read(&bytes)
    }

    pub(crate) fn tag(&self) -> Option<Tag> {
        Tag::from_number(self.number)
    }

    /// Where a chunk that begins at `offset` ends by its length.
    pub(crate) fn end(&self, offset: u64) -> Option<u64> {
        self.length.map(|length| offset + self.length_bytes as u64 + length)
    }

    /// Bytes after the head if the chunk at `offset` ends at `end`.
    pub(crate) fn body_bytes(&self, offset: u64, end: u64) -> Option<u64> {
        end.checked_sub(offset + self.bytes as u64)
    }
}

/// Whether the bytes can begin XML.
pub(crate) fn begins_like_xml(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes.trim_ascii_start().first().is_none_or(|&byte| byte == b'<')
}
