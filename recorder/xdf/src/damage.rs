//! What was wrong with a file, place by place.

use std::fmt;

use crate::encode::Tag;

/// One place of a file that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were passed over; 0 if all of them could be used all the same.
    pub bytes: u64,
    /// What is wrong.
    pub reason: DamageReason,
    /// The stream it belongs to, if that is known.
    pub stream_id: Option<u32>,
    /// How many samples could not be read, if that is known.
    pub samples_lost: Option<u64>,
}

/// What is wrong at a place of a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DamageReason {
    /// No chunk begins where one should; reading went on at the next place where one does.
    NotAChunk,
    /// The file ends inside a chunk.
    Cut,
    /// A chunk's length is wrong; its end was found from what it holds.
    WrongLength {
        /// Bytes that the length says; `None` if it is no number at all.
        said: Option<u64>,
        /// Bytes the chunk has.
        found: u64,
    },
    /// A Samples chunk's count is wrong; its length and what it holds agree.
    WrongCount {
        /// Samples that the count says; `None` if it is no number at all.
        said: Option<u64>,
        /// Samples that were found.
        found: u64,
    },
    /// Bytes inside a Samples chunk are not samples.
    BadSamples,
    /// Bytes inside a Samples chunk are all zero where samples should be, such as a disk leaves
    /// that never wrote them.
    Zeroed,
    /// Samples or others of a stream whose header is not in the file (or unusable).
    UnknownStream,
    /// A chunk of a kind this format version does not define.
    UnknownTag(u16),
    /// XML that cannot be used.
    BadXml {
        /// The chunk's kind.
        tag: Tag,
        /// What is wrong with it.
        why: String,
    },
    /// A second header of the same stream. With the same channels and format the first one stays;
    /// otherwise a new stream of the same id begins.
    RepeatedHeader,
    /// A clock offset that is not two finite numbers, or not whole.
    BadClockOffset,
    /// A limit of this reader.
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for DamageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAChunk => f.write_str("no chunk begins here"),
            Self::Cut => f.write_str("the file ends inside this chunk"),
            Self::WrongLength { said: Some(said), found } => {
                write!(f, "the chunk says to have {said} bytes; what it holds ends after {found}")
            }
            Self::WrongLength { said: None, found } => {
                write!(f, "the chunk's length is unreadable; what it holds ends after {found} bytes")
            }
            Self::WrongCount { said: Some(said), found } => {
                write!(f, "the chunk says to hold {said} samples; {found} were found")
            }
            Self::WrongCount { said: None, found } => {
                write!(f, "the chunk's sample count is unreadable; {found} samples were found")
            }
            Self::BadSamples => f.write_str("bytes that are not samples"),
            Self::Zeroed => f.write_str("zeros where samples should be"),
            Self::UnknownStream => f.write_str("the stream has no usable header before this"),
            Self::UnknownTag(tag) => write!(f, "a chunk of tag {tag}, which XDF 1.0 does not define"),
            Self::BadXml { tag, why } => write!(f, "the {tag:?} cannot be used: {why}"),
            Self::RepeatedHeader => f.write_str("a second header of the same stream"),
            Self::BadClockOffset => {
                f.write_str("a clock offset that is not two finite numbers, or not whole")
            }
            Self::TooMuch { what, limit } => write!(f, "more than {limit} {what}, the limit of this reader"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        if let Some(id) = self.stream_id {
            write!(f, "stream {id}: ")?;
        }
        write!(f, "{}", self.reason)?;
        if self.bytes > 0 {
            write!(f, "; {} bytes passed over", self.bytes)?;
        }
        match self.samples_lost {
            Some(0) | None => Ok(()),
            Some(lost) => write!(f, "; {lost} samples lost"),
        }
    }
}

/// Damage in file order, up to a limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct DamageList {
    pub(crate) list: Vec<Damage>,
    /// Places beyond the limit.
    pub(crate) left_out: u64,
}

/// Places that are listed; of more only the number is kept.
pub const MAX_DAMAGE: usize = 10_000;

impl DamageList {
    pub(crate) fn push(&mut self, damage: Damage) {
        if self.list.len() < MAX_DAMAGE {
            self.list.push(damage);
        } else {
            self.left_out += 1;
        }
    }
}
