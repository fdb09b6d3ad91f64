//! What to do where the walk from chunk to chunk finds something wrong.

use std::io;

use crate::damage::{Damage, DamageReason};
use crate::encode::{BOUNDARY_UUID, Tag};
use crate::head::{Head, MAX_HEAD_BYTES, NoHead};
use crate::layout::SampleLayout;
use crate::walk::{Stop, Walk};
use crate::xml::Element;

use super::scanner::{Scanner, UNKNOWN_IN_A_ROW};

/// Sizes that a chunk's length can have in a file.
const LENGTH_BYTES: [usize; 3] = [2, 5, 9];
/// More samples than any chunk has.
const UNBOUNDED: u64 = u32::MAX as u64;

impl Scanner<'_> {
    /// Goes on at `offset`, where no head can be read.
    pub(super) fn repair_head(&mut self, offset: u64, no_head: NoHead) -> io::Result<u64> {
        if no_head == NoHead::Cut {
            self.report(offset, self.size - offset, DamageReason::Cut, None);
            return Ok(self.size);
        }
        for length_bytes in LENGTH_BYTES {
            let bytes = self.window.at(offset, MAX_HEAD_BYTES)?;
            let Ok(head) = Head::without_length(bytes, length_bytes) else {
                continue;
            };
            if let Some(end) = self.end_by_content(offset, &head)? {
                self.accept(offset, &head, end)?;
                self.wrong_length(offset, &head, end);
                return Ok(end);
            }
        }
        self.skip(offset, offset, None, None)
    }

    /// Where a chunk ends by what it holds, if that can be told and a chunk follows there.
    fn end_by_content(&mut self, offset: u64, head: &Head) -> io::Result<Option<u64>> {
        let body = offset + head.bytes as u64;
        let end = match head.tag() {
            Some(Tag::Boundary) if self.boundary_at(body)? => {
                return Ok(Some(body + BOUNDARY_UUID.len() as u64));
            }
            Some(Tag::ClockOffset) if self.stream_of(head).is_some() => body + 16,
            Some(Tag::Samples) => match (self.layout_of(head), head.count) {
                (Some(layout), Some(count)) if count > 0 => {
                    let walk = self.walk(&layout, body, self.size, count)?;
                    if walk.stop != Stop::Count {
                        return Ok(None);
                    }
                    walk.end
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(if end <= self.size && self.plausible(end, UNKNOWN_IN_A_ROW)? { Some(end) } else { None })
    }

    fn wrong_length(&mut self, offset: u64, head: &Head, end: u64) {
        let found = end - offset - head.length_bytes as u64;
        let reason = DamageReason::WrongLength { said: head.length, found };
        self.damage.push(Damage {
            offset,
            bytes: 0,
            reason,
            stream_id: head.stream_id,
            samples_lost: Some(0),
        });
    }

    /// Goes on at `offset`, where a head is but the chunk does not end where it says, or is not
    /// what it says, or nothing follows it.
    pub(super) fn repair(&mut self, offset: u64, head: &Head) -> io::Result<u64> {
        let by_length = head.end(offset).filter(|&end| end <= self.size);
        let sane = match by_length {
            Some(end) => self.sane(head, offset, end)?,
            None => false,
        };
        match (head.tag(), self.layout_of(head)) {
            (Some(Tag::Samples), Some(layout)) => self.repair_samples(offset, head, &layout, sane),
            (Some(Tag::ClockOffset), _) if sane && self.stream_of(head).is_some() => {
                // Where bytes were lost the next chunk begins before the end.
                let end = head.end(offset).unwrap_or(self.size);
                if let Some(next) = self.search_until(offset + 1, end)? {
                    self.report(offset, next - offset, DamageReason::BadClockOffset, head.stream_id);
                    return Ok(next);
                }
                self.accept_as_said(offset, head)
            }
            (Some(Tag::Boundary), _) if sane => self.accept_as_said(offset, head),
            (Some(Tag::Boundary | Tag::ClockOffset), _) => {
                if let Some(end) = self.end_by_content(offset, head)? {
                    self.accept(offset, head, end)?;
                    self.wrong_length(offset, head, end);
                    return Ok(end);
                }
                // A mark that is not the mark, or an offset of another size, but a chunk follows.
                self.skip_by_length_or_search(offset, head)
            }
            (Some(Tag::FileHeader | Tag::StreamHeader | Tag::StreamFooter), _) => {
                self.repair_xml(offset, head, by_length)
            }
            _ => self.skip_by_length_or_search(offset, head),
        }
    }

    fn accept_as_said(&mut self, offset: u64, head: &Head) -> io::Result<u64> {
        let end = head.end(offset).unwrap_or(self.size).min(self.size);
        self.accept(offset, head, end)?;
        Ok(end)
    }

    fn skip_by_length_or_search(&mut self, offset: u64, head: &Head) -> io::Result<u64> {
        match head.end(offset) {
            Some(end) if end <= self.size && self.plausible(end, UNKNOWN_IN_A_ROW)? => {
                let end = self.search_until(offset + 1, end)?.unwrap_or(end);
                self.report(offset, end - offset, DamageReason::NotAChunk, head.stream_id);
                Ok(end)
            }
            _ => self.skip(offset, offset, None, None),
        }
    }

    fn repair_samples(
        &mut self,
        offset: u64,
        head: &Head,
        layout: &SampleLayout,
        sane: bool,
    ) -> io::Result<u64> {
        let body = offset + head.bytes as u64;
        let stream = self.stream_of(head).unwrap_or_default();
        let by_length = head.end(offset).filter(|&end| end <= self.size && end >= body);
        // First way: the samples end where a chunk begins, or where the length says.
        if let Some(count) = head.count.filter(|&count| count > 0) {
            let walk = self.walk(layout, body, self.size, count)?;
            let follows = walk.stop == Stop::Count && self.plausible(walk.end, UNKNOWN_IN_A_ROW)?;
            let agree = walk.stop == Stop::Count && Some(walk.end) == by_length;
            // Where bytes were lost both ways end inside the next chunk: it begins before that.
            if agree
                && !follows
                && let Some(next) = self.search_until(offset + 1, walk.end)?
            {
                return self.part_until(stream, offset, head, layout, next);
            }
            if follows || agree {
                self.samples(stream, offset, head, walk.end, count);
                if !agree {
                    self.wrong_length(offset, head, walk.end);
                }
                return Ok(walk.end);
            }
        }
        // Second way: the length ends where a chunk begins.
        if let Some(end) = by_length
            && self.plausible(end, UNKNOWN_IN_A_ROW)?
        {
            if sane {
                // Only the samples are damaged, which loading them finds.
                self.samples(stream, offset, head, end, head.count.unwrap_or_default());
                return Ok(end);
            }
            // A length that leads to another chunk by chance.
            if let Some(next) = self.search_until(offset + 1, end)? {
                return self.part_until(stream, offset, head, layout, next);
            }
            let walk = self.walk(layout, body, end, UNBOUNDED)?;
            if walk.stop == Stop::Limit && walk.end == end {
                self.part(stream, offset, head, &walk, end, false);
            } else {
                // Count and samples fit neither each other nor the stream: they are another's, perhaps.
                self.damage.push(Damage {
                    offset,
                    bytes: end - offset,
                    reason: DamageReason::BadSamples,
                    stream_id: head.stream_id,
                    samples_lost: None,
                });
            }
            return Ok(end);
        }
        // The file ends inside the chunk, and all that is there of it are samples.
        if let (Some(end), Some(count)) = (head.end(offset), head.count)
            && end > self.size
            && head.body_bytes(offset, end).is_some_and(|bytes| layout.fits(count, bytes))
        {
            let walk = self.walk(layout, body, self.size, count)?;
            if walk.stop == Stop::Limit {
                self.cut(stream, offset, head, &walk, count);
                return Ok(self.size);
            }
        }
        // Neither: what is whole of it until a chunk begins somewhere.
        let next = self.search(offset + 1)?.unwrap_or(self.size);
        self.part_until(stream, offset, head, layout, next)
    }

    /// Takes what is whole of a chunk before `next`, where another begins.
    fn part_until(
        &mut self,
        stream: usize,
        offset: u64,
        head: &Head,
        layout: &SampleLayout,
        next: u64,
    ) -> io::Result<u64> {
        let body = offset + head.bytes as u64;
        if next <= body {
            self.report(offset, next - offset, DamageReason::NotAChunk, head.stream_id);
            return Ok(next);
        }
        let count = head.count.unwrap_or(UNBOUNDED).min(UNBOUNDED);
        let walk = self.walk(layout, body, next, count)?;
        self.part(stream, offset, head, &walk, next, true);
        Ok(next)
    }

    /// Adds what is whole of a chunk that ends with the file.
    fn cut(&mut self, stream: usize, offset: u64, head: &Head, walk: &Walk, count: u64) {
        let (kept, end) = walk.solid;
        if kept > 0 {
            self.samples(stream, offset, head, end, kept);
        }
        self.damage.push(Damage {
            offset: end,
            bytes: self.size - end,
            reason: DamageReason::Cut,
            stream_id: head.stream_id,
            samples_lost: Some(count - kept),
        });
    }

    /// Adds what is whole of a chunk before `next`, and reports the rest.
    fn part(&mut self, stream: usize, offset: u64, head: &Head, walk: &Walk, next: u64, damaged: bool) {
        let (kept, end) = if damaged { walk.solid } else { (walk.samples, walk.end) };
        if kept > 0 {
            self.samples(stream, offset, head, end, kept);
        }
        let reason = if damaged {
            DamageReason::BadSamples
        } else {
            DamageReason::WrongCount { said: head.count, found: kept }
        };
        // A count beyond what the bytes can hold says nothing about what is lost.
        let said = head.count.filter(|&count| count <= next - offset);
        self.damage.push(Damage {
            offset: if damaged { end } else { offset },
            bytes: next - end,
            reason,
            stream_id: head.stream_id,
            samples_lost: if damaged { said.map(|said| said.saturating_sub(kept)) } else { Some(0) },
        });
    }

    fn repair_xml(&mut self, offset: u64, head: &Head, by_length: Option<u64>) -> io::Result<u64> {
        if let Some(end) = by_length {
            let believed = self.plausible(end, UNKNOWN_IN_A_ROW)? || self.is_xml(offset, head, end)?;
            if believed && head.body_bytes(offset, end).is_some() {
                self.accept(offset, head, end)?;
                return Ok(end);
            }
        }
        let next = self.search(offset + 1)?.unwrap_or(self.size);
        if self.is_xml(offset, head, next)? {
            self.accept(offset, head, next)?;
            self.wrong_length(offset, head, next);
            return Ok(next);
        }
        let cut = next == self.size && by_length.is_none();
        let reason = if cut { DamageReason::Cut } else { DamageReason::NotAChunk };
        self.report(offset, next - offset, reason, head.stream_id);
        Ok(next)
    }

    fn is_xml(&mut self, offset: u64, head: &Head, end: u64) -> io::Result<bool> {
        if head.body_bytes(offset, end).is_none_or(|bytes| bytes > super::scanner::MAX_XML_BYTES) {
            return Ok(false);
        }
        Ok(self.xml(offset, head, end)?.is_some_and(|xml| Element::parse(&xml).is_ok()))
    }

    /// Passes over bytes from `lost_from` to the next chunk after `offset`.
    fn skip(
        &mut self,
        offset: u64,
        lost_from: u64,
        stream_id: Option<u32>,
        samples_lost: Option<u64>,
    ) -> io::Result<u64> {
        let next = self.search(offset + 1)?.unwrap_or(self.size);
        self.damage.push(Damage {
            offset: lost_from,
            bytes: next - lost_from,
            reason: DamageReason::NotAChunk,
            stream_id,
            samples_lost,
        });
        Ok(next)
    }
}
