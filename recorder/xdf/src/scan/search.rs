//! Find the next chunk in damaged bytes.
//!
//! Other readers look for the next Boundary mark, ten seconds of every stream away. A chunk's head
//! says enough to be told from data: its kind, a stream that exists, a count that its length has
//! room for; and another chunk, or the end, follows it.

use std::io;

use crate::encode::Tag;
use crate::head::Head;
use crate::source::read_full;
use crate::walk::Stop;
use crate::xml::Element;

use super::scanner::{MAX_XML_BYTES, Scanner};

/// Bytes searched at once.
const BLOCK_BYTES: usize = 128 * 1024;
/// Longest start of a chunk that is looked at before anything else: length and tag.
const START_BYTES: usize = 9 + 2;

impl Scanner<'_> {
    /// Where the first chunk from `from` on begins, or `None` if there is none.
    pub(super) fn search(&mut self, from: u64) -> io::Result<Option<u64>> {
        self.search_until(from, self.size)
    }

    /// Where the first chunk from `from` on and before `to` begins.
    pub(super) fn search_until(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let mut block =
            vec![0; BLOCK_BYTES.min(usize::try_from(self.size - from.min(self.size)).unwrap_or(usize::MAX))];
        let mut begin = from;
        // A chunk that the end of the file cuts, in case there is nothing better.
        let mut torn = None;
        while begin < to {
            let filled = read_full(self.source, begin, &mut block)?;
            let bytes = &block[..filled];
            for at in 0..filled.min(BLOCK_BYTES - START_BYTES) {
                let offset = begin + at as u64;
                if offset >= to {
                    return Ok(torn);
                }
                if !begins_like_chunk(&bytes[at..]) {
                    continue;
                }
                match self.candidate(offset)? {
                    Candidate::Chunk => return Ok(Some(offset)),
                    Candidate::Torn if to == self.size => torn = torn.or(Some(offset)),
                    Candidate::Torn | Candidate::No => {}
                }
            }
            if filled < BLOCK_BYTES {
                break;
            }
            begin += (BLOCK_BYTES - START_BYTES) as u64;
        }
        Ok(torn)
    }

    fn candidate(&mut self, offset: u64) -> io::Result<Candidate> {
        let Ok(head) = self.head(offset)? else {
            return Ok(Candidate::No);
        };
        let (Some(end), Some(tag)) = (head.end(offset), head.tag()) else {
            return Ok(Candidate::No);
        };
        let known = !matches!(tag, Tag::Samples | Tag::ClockOffset | Tag::StreamFooter)
            || self.stream_of(&head).is_some();
        if !known || !self.sane(&head, offset, end)? {
            return Ok(Candidate::No);
        }
        let found = match tag {
            Tag::Boundary => true,
            Tag::ClockOffset => end <= self.size,
            Tag::Samples => return self.samples_candidate(offset, &head, end),
            Tag::FileHeader | Tag::StreamHeader | Tag::StreamFooter => {
                self.xml_candidate(offset, &head, end)?
            }
        };
        Ok(if found { Candidate::Chunk } else { Candidate::No })
    }

    fn samples_candidate(&mut self, offset: u64, head: &Head, end: u64) -> io::Result<Candidate> {
        let (Some(layout), Some(count)) = (self.layout_of(head), head.count) else {
            return Ok(Candidate::No);
        };
        let body = offset + head.bytes as u64;
        if end <= self.size && self.plausible(end, None)? {
            return Ok(Candidate::Chunk);
        }
        if count == 0 {
            return Ok(Candidate::No);
        }
        // The chunk after it may be damaged too: then its samples must fill it exactly.
        let walk = self.walk(&layout, body, end.min(self.size), count)?;
        Ok(match walk.stop {
            Stop::Count if walk.end == end => Candidate::Chunk,
            Stop::Limit if end > self.size && walk.samples > 0 => Candidate::Torn,
            _ => Candidate::No,
        })
    }

    fn xml_candidate(&mut self, offset: u64, head: &Head, end: u64) -> io::Result<bool> {
        let bytes = head.body_bytes(offset, end).unwrap_or_default();
        if end > self.size || bytes > MAX_XML_BYTES {
            return Ok(false);
        }
        let start = self.window.at(offset + head.bytes as u64, 5)?;
        if !(start.starts_with(b"<?xml") || start.starts_with(b"<info")) {
            return Ok(false);
        }
        if self.plausible(end, None)? {
            return Ok(true);
        }
        Ok(self.xml(offset, head, end)?.is_some_and(|xml| Element::parse(&xml).is_ok()))
    }
}

enum Candidate {
    Chunk,
    Torn,
    No,
}

/// Whether length and tag can be those of a chunk; quick, because it is asked at every byte.
#[inline]
fn begins_like_chunk(bytes: &[u8]) -> bool {
    let length_bytes = match bytes.first() {
        Some(1) => 2,
        Some(4) => 5,
        Some(8) => 9,
        _ => return false,
    };
    matches!(bytes.get(length_bytes..length_bytes + 2), Some([1..=6, 0]))
}
