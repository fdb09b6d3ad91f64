//! The walk from chunk to chunk.

use std::collections::HashMap;
use std::io;

use crate::damage::{Damage, DamageList, DamageReason};
use crate::encode::{BOUNDARY_UUID, Tag};
use crate::footer::StreamFooter;
use crate::head::{Head, MAX_HEAD_BYTES, NoHead, begins_like_xml};
use crate::header::StreamInfo;
use crate::layout::SampleLayout;
use crate::source::ReadAt;
use crate::walk::{self, Stop, Walk};
use crate::window::Window;

use super::{ClockOffset, SampleChunk, Scan, ScannedStream, UnknownChunk};

/// Most streams of a file.
pub const MAX_STREAMS: usize = 1 << 16;
/// Longest XML of a header or footer.
pub const MAX_XML_BYTES: u64 = 1 << 26;
/// A chunk of unknown kind is believed if what follows is, this many times over.
pub(super) const UNKNOWN_IN_A_ROW: Option<u32> = Some(4);
/// Bytes of a clock offset after the stream's id.
const CLOCK_OFFSET_BYTES: u64 = 16;
/// Bytes looked at to see whether XML begins.
const XML_START_BYTES: usize = 8;

pub(super) struct Scanner<'a> {
    pub(super) source: &'a dyn ReadAt,
    pub(super) window: Window<'a>,
    pub(super) size: u64,
    /// Bytes that may still be walked to tell chunks from garbage, so that a file made to be slow
    /// is not.
    budget: u64,
    scan: Scan,
    layouts: Vec<SampleLayout>,
    /// The stream that an id means at this place of the file.
    latest: HashMap<u32, usize>,
    pub(super) damage: DamageList,
    /// Where in `damage` the chunks of an unknown stream or kind are summed up.
    unknown: HashMap<(Option<u32>, u16), usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a dyn ReadAt) -> Self {
        let size = source.size_bytes();
        Self {
            source,
            window: Window::new(source),
            size,
            budget: size.saturating_mul(4).saturating_add(64 << 20),
            scan: Scan { bytes: size, ..Scan::default() },
            layouts: Vec::new(),
            latest: HashMap::new(),
            damage: DamageList::default(),
            unknown: HashMap::new(),
        }
    }

    pub(super) fn finish(mut self) -> Scan {
        for stream in &mut self.scan.streams {
            stream.chunks.shrink_to_fit();
        }
        self.scan.damage = self.damage.list;
        self.scan.damage_left_out = self.damage.left_out;
        self.scan
    }

    /// Takes the chunk at `offset`, or what is left of it, and says where to go on.
    pub(super) fn step(&mut self, offset: u64) -> io::Result<u64> {
        let head = match self.head(offset)? {
            Ok(head) => head,
            Err(no_head) => return self.repair_head(offset, no_head),
        };
        if let Some(end) = head.end(offset).filter(|&end| end <= self.size)
            && self.sane(&head, offset, end)?
            && self.plausible(end, UNKNOWN_IN_A_ROW)?
        {
            // A damaged head, whose length leads to another chunk by chance.
            if self.is_unknown(&head)
                && let Some(next) = self.search_until(offset + 1, end)?
            {
                self.report(offset, next - offset, DamageReason::NotAChunk, None);
                return Ok(next);
            }
            self.accept(offset, &head, end)?;
            return Ok(end);
        }
        self.repair(offset, &head)
    }

    pub(super) fn head(&mut self, offset: u64) -> io::Result<Result<Head, NoHead>> {
        self.window.at(offset, MAX_HEAD_BYTES).map(Head::read)
    }

    pub(super) fn stream_of(&self, head: &Head) -> Option<usize> {
        self.latest.get(&head.stream_id?).copied()
    }

    /// Whether its kind or its stream is not known.
    fn is_unknown(&self, head: &Head) -> bool {
        head.tag().is_none()
            || (head.stream_id.is_some()
                && head.tag() != Some(Tag::StreamHeader)
                && self.stream_of(head).is_none())
    }

    pub(super) fn layout_of(&self, head: &Head) -> Option<SampleLayout> {
        self.stream_of(head).and_then(|index| self.layouts.get(index)).copied()
    }

    /// Whether a chunk that reaches from `offset` to `end` can be what its head says.
    pub(super) fn sane(&mut self, head: &Head, offset: u64, end: u64) -> io::Result<bool> {
        let Some(body_bytes) = head.body_bytes(offset, end) else {
            return Ok(false);
        };
        Ok(match head.tag() {
            None | Some(Tag::FileHeader | Tag::StreamHeader | Tag::StreamFooter) => true,
            Some(Tag::ClockOffset) => body_bytes == CLOCK_OFFSET_BYTES,
            Some(Tag::Boundary) => {
                body_bytes == BOUNDARY_UUID.len() as u64 && self.boundary_at(offset + head.bytes as u64)?
            }
            Some(Tag::Samples) => match (head.count, self.layout_of(head)) {
                (None, _) => false,
                (Some(count), Some(layout)) => layout.fits(count, body_bytes),
                (Some(count), None) => count <= body_bytes,
            },
        })
    }

    pub(super) fn boundary_at(&mut self, offset: u64) -> io::Result<bool> {
        Ok(self.window.at(offset, BOUNDARY_UUID.len())?.starts_with(&BOUNDARY_UUID))
    }

    /// Whether a chunk may begin at `offset`, or the file end there. A chunk of unknown kind or
    /// stream may if that many more such chunks or a known one follow; with `None` it may not.
    pub(super) fn plausible(&mut self, offset: u64, unknown_left: Option<u32>) -> io::Result<bool> {
        if offset >= self.size {
            return Ok(offset == self.size);
        }
        let head = match self.head(offset)? {
            Ok(head) => head,
            Err(NoHead::BadLength) => return Ok(false),
            // The file ends in the head; what is there of it is one.
            Err(NoHead::Cut) => return Ok(true),
        };
        let Some(end) = head.end(offset) else {
            return Ok(false);
        };
        if head.body_bytes(offset, end).is_none() {
            return Ok(false);
        }
        let known = match head.tag() {
            Some(Tag::FileHeader | Tag::StreamHeader | Tag::StreamFooter) => {
                begins_like_xml(self.window.at(offset + head.bytes as u64, XML_START_BYTES)?)
            }
            Some(Tag::Samples) if self.stream_of(&head).is_none() => false,
            // The file may end inside, before the mark.
            Some(Tag::Boundary) if end > self.size => true,
            Some(_) => return self.sane(&head, offset, end),
            None => false,
        };
        if known {
            return Ok(true);
        }
        let Some(left) = unknown_left else {
            return Ok(false);
        };
        if end > self.size || !self.sane(&head, offset, end)? {
            return Ok(false);
        }
        // That many heads that lead from one to the next are no chance.
        if left == 0 { Ok(true) } else { self.plausible(end, Some(left - 1)) }
    }

    /// Walks samples within the budget.
    pub(super) fn walk(
        &mut self,
        layout: &SampleLayout,
        begin: u64,
        limit: u64,
        count: u64,
    ) -> io::Result<Walk> {
        if self.budget == 0 {
            return Ok(Walk { samples: 0, end: begin, solid: (0, begin), stop: Stop::Bad });
        }
        let walk = walk::walk(&mut self.window, layout, begin, limit, count)?;
        self.budget = self.budget.saturating_sub((walk.end - begin).max(1));
        Ok(walk)
    }

    /// Takes the chunk from `offset` to `end` as what its head says it is.
    pub(super) fn accept(&mut self, offset: u64, head: &Head, end: u64) -> io::Result<()> {
        let body = offset + head.bytes as u64;
        match head.tag() {
            Some(Tag::FileHeader) => {
                if let Some(xml) = self.xml(offset, head, end)?
                    && self.scan.header_xml.is_none()
                {
                    self.scan.header_xml = Some(xml);
                }
            }
            Some(Tag::StreamHeader) => {
                if let Some(xml) = self.xml(offset, head, end)? {
                    self.header(offset, head.stream_id.unwrap_or_default(), xml);
                }
            }
            Some(Tag::StreamFooter) => {
                let Some(stream) = self.stream_of(head) else {
                    self.pass_unknown(offset, head, end);
                    return Ok(());
                };
                if let Some(xml) = self.xml(offset, head, end)? {
                    self.footer(offset, stream, xml);
                }
            }
            Some(Tag::Samples) => match self.stream_of(head) {
                Some(stream) => self.samples(stream, offset, head, end, head.count.unwrap_or_default()),
                None => self.pass_unknown(offset, head, end),
            },
            Some(Tag::ClockOffset) => {
                let Some(stream) = self.stream_of(head) else {
                    self.pass_unknown(offset, head, end);
                    return Ok(());
                };
                let (pairs, _) = self.window.at(body, CLOCK_OFFSET_BYTES as usize)?.as_chunks::<8>();
                if let [time, value, ..] = pairs {
                    let (time, value) = (f64::from_le_bytes(*time), f64::from_le_bytes(*value));
                    self.clock_offset(stream, offset, end, time, value);
                }
            }
            Some(Tag::Boundary) => self.scan.boundaries.push(offset),
            None => {
                self.keep_unknown(offset, end)?;
                self.pass_unknown(offset, head, end);
            }
        }
        Ok(())
    }

    /// Notes where a chunk of an unknown kind is, and whether it can be one of samples.
    fn keep_unknown(&mut self, file_offset: u64, end: u64) -> io::Result<()> {
        if self.scan.unknown_chunks.len() >= crate::damage::MAX_DAMAGE {
            return Ok(());
        }
        let like = Head::read_as_samples(self.window.at(file_offset, MAX_HEAD_BYTES)?).ok();
        let like_samples = like.and_then(|head| {
            let (layout, count) = (self.layout_of(&head)?, head.count.filter(|&count| count > 0)?);
            let fits = layout.fits(count, head.body_bytes(file_offset, end)?);
            Some((head.stream_id?, count)).filter(|_| fits)
        });
        self.scan.unknown_chunks.push(UnknownChunk { file_offset, bytes: end - file_offset, like_samples });
        Ok(())
    }

    /// Adds a chunk of samples.
    pub(super) fn samples(&mut self, stream: usize, offset: u64, head: &Head, end: u64, count: u64) {
        let body_bytes = head.body_bytes(offset, end).and_then(|bytes| u32::try_from(bytes).ok());
        let (Some(body_bytes), Ok(samples)) = (body_bytes, u32::try_from(count)) else {
            return;
        };
        if let Some(stream) = self.scan.streams.get_mut(stream) {
            stream.sample_count += count;
            let head_bytes = head.bytes as u8;
            stream.chunks.push(SampleChunk { file_offset: offset, head_bytes, body_bytes, samples });
        }
    }

    fn clock_offset(&mut self, stream: usize, offset: u64, end: u64, collection_time_s: f64, offset_s: f64) {
        let Some(stream) = self.scan.streams.get_mut(stream) else {
            return;
        };
        if collection_time_s.is_finite() && offset_s.is_finite() {
            stream.clock_offsets.push(ClockOffset { collection_time_s, offset_s, file_offset: offset });
        } else {
            self.damage.push(Damage {
                offset,
                bytes: end - offset,
                reason: DamageReason::BadClockOffset,
                stream_id: Some(stream.id),
                samples_lost: Some(0),
            });
        }
    }

    /// The text of an XML chunk; `None`, and reported, if it is too long.
    pub(super) fn xml(&mut self, offset: u64, head: &Head, end: u64) -> io::Result<Option<String>> {
        let bytes = head.body_bytes(offset, end).unwrap_or_default();
        if bytes > MAX_XML_BYTES {
            let reason = DamageReason::TooMuch { what: "bytes of XML in a chunk", limit: MAX_XML_BYTES };
            self.report(offset, bytes, reason, head.stream_id);
            return Ok(None);
        }
        let xml = self.window.at(offset + head.bytes as u64, bytes as usize)?;
        Ok(Some(String::from_utf8_lossy(&xml[..xml.len().min(bytes as usize)]).into_owned()))
    }

    fn header(&mut self, offset: u64, id: u32, header_xml: String) {
        let bytes = header_xml.len() as u64;
        let bad = |why: String| DamageReason::BadXml { tag: Tag::StreamHeader, why };
        let info = match StreamInfo::parse(&header_xml) {
            Ok(info) => info,
            Err(error) => return self.report(offset, bytes, bad(error.to_string()), Some(id)),
        };
        let Some(layout) = SampleLayout::new(&info) else {
            let why = format!("{} {} channels fit no chunk", info.channel_count, info.format);
            return self.report(offset, bytes, bad(why), Some(id));
        };
        if let Some(before) = self.latest.get(&id).and_then(|&index| self.scan.streams.get(index)) {
            let same = before.info.format == info.format
                && before.info.channel_count == info.channel_count
                && before.info.nominal_rate_hz.to_bits() == info.nominal_rate_hz.to_bits();
            self.report(offset, if same { bytes } else { 0 }, DamageReason::RepeatedHeader, Some(id));
            if same {
                return;
            }
        }
        if self.scan.streams.len() >= MAX_STREAMS {
            let reason = DamageReason::TooMuch { what: "streams", limit: MAX_STREAMS as u64 };
            return self.report(offset, bytes, reason, Some(id));
        }
        self.latest.insert(id, self.scan.streams.len());
        self.layouts.push(layout);
        self.scan.streams.push(ScannedStream {
            id,
            info,
            header_xml,
            header_offset: offset,
            footer: None,
            footer_xml: None,
            sample_count: 0,
            clock_offsets: Vec::new(),
            chunks: Vec::new(),
        });
    }

    fn footer(&mut self, offset: u64, stream: usize, xml: String) {
        let Some(stream) = self.scan.streams.get_mut(stream) else {
            return;
        };
        match StreamFooter::parse(&xml) {
            Ok(footer) => stream.footer = Some(footer),
            Err(error) => {
                let (id, bytes) = (stream.id, xml.len() as u64);
                let reason = DamageReason::BadXml { tag: Tag::StreamFooter, why: error.to_string() };
                self.damage.push(Damage {
                    offset,
                    bytes,
                    reason,
                    stream_id: Some(id),
                    samples_lost: Some(0),
                });
            }
        }
        stream.footer_xml = Some(xml);
    }

    /// Sums up what is passed over because the stream or the kind of chunk is not known.
    fn pass_unknown(&mut self, offset: u64, head: &Head, end: u64) {
        let (reason, key) = match head.tag() {
            Some(_) => (DamageReason::UnknownStream, (head.stream_id, 0)),
            None => (DamageReason::UnknownTag(head.number), (None, head.number)),
        };
        let lost = head.count.unwrap_or(0);
        if let Some(sum) = self.unknown.get(&key).and_then(|&at| self.damage.list.get_mut(at)) {
            sum.bytes += end - offset;
            sum.samples_lost = sum.samples_lost.map(|sum| sum.saturating_add(lost));
            return;
        }
        let samples_lost = head.tag().map(|_| lost);
        let damage = Damage { offset, bytes: end - offset, reason, stream_id: head.stream_id, samples_lost };
        let at = self.damage.list.len();
        self.damage.push(damage);
        if at < self.damage.list.len() {
            self.unknown.insert(key, at);
        }
    }

    /// Adds damage that costs no samples, as far as is known.
    pub(super) fn report(&mut self, offset: u64, bytes: u64, reason: DamageReason, stream_id: Option<u32>) {
        self.damage.push(Damage { offset, bytes, reason, stream_id, samples_lost: None });
    }
}
