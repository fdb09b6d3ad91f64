//! Read chunk after chunk of one stream into columns, as far as there is room.

use crate::columns::TextColumn;
use crate::damage::{Damage, DamageList, DamageReason};
use crate::layout::{FLAG_BYTES, STAMP_BYTES, SampleLayout, Shape, Value};
use crate::scan::SampleChunk;
use crate::source::ReadAt;
use crate::walk::{self, Walk};
use crate::window::Window;

use super::LoadError;
use super::rows::{Channels, Rows, StampClock, stride};

/// Chunks of a stream that lie closer together than this are read in one go.
const NEAR_BYTES: u64 = 16 * 1024;

/// Reads the chunks of one stream in order.
pub(crate) struct Run<'s> {
    window: Window<'s>,
    layout: SampleLayout,
    stream_id: u32,
    channels: Channels,
    chunks: &'s [SampleChunk],
    /// The chunk that is opened next.
    next: usize,
    /// Where it is worth reading ahead to: until this place all is wanted.
    near_end: u64,
    near_next: usize,
    current: Option<Open>,
    /// Samples that may still come, as the chunks' heads say.
    claimed: u64,
    pub(crate) clock: StampClock,
    pub(crate) damage: DamageList,
    /// Bytes of samples that are behind.
    pub(crate) done_bytes: u64,
}

/// A chunk that is being read.
#[derive(Clone, Copy, Debug)]
struct Open {
    chunk: SampleChunk,
    way: Way,
    at: u64,
    /// Samples that are still to be read.
    left: u64,
}

/// How the samples of a chunk lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All as long as each other. If a sample's mark says otherwise, it is damaged.
    Even { stamped: bool },
    /// Each as its mark says; checked before.
    Checked,
}

impl<'s> Run<'s> {
    pub(crate) fn new(
        source: &'s dyn ReadAt,
        layout: SampleLayout,
        stream_id: u32,
        channels: Channels,
        chunks: &'s [SampleChunk],
        last_s: Option<f64>,
    ) -> Self {
        Self {
            window: Window::new(source),
            layout,
            stream_id,
            channels,
            chunks,
            next: 0,
            near_end: 0,
            near_next: 0,
            current: None,
            claimed: chunks.iter().map(|chunk| u64::from(chunk.samples)).sum(),
            clock: StampClock::new(last_s, layout.interval_s),
            damage: DamageList::default(),
            done_bytes: 0,
        }
    }

    /// Where the chunk of the next sample begins in the file; `None` at the end.
    pub(crate) fn chunk_offset(&mut self) -> Result<Option<u64>, LoadError> {
        self.open()?;
        Ok(self.current.map(|open| open.chunk.file_offset))
    }

    /// Samples that may still come.
    pub(crate) fn left(&self) -> u64 {
        self.claimed + self.current.map_or(0, |open| open.left)
    }

    /// Looks at what is left when all samples are there: chunks without any.
    pub(crate) fn finish(&mut self) -> Result<(), LoadError> {
        self.open()
    }

    /// Bytes of all texts of each channel.
    pub(crate) fn measure_text(&mut self) -> Result<Vec<usize>, LoadError> {
        let mut bytes = vec![0; self.layout.channels];
        for chunk in self.chunks {
            self.look_ahead();
            self.next += 1;
            let offset = chunk.body_offset();
            self.bytes(offset, FLAG_BYTES)?;
            let (channels, samples) = (self.layout.channels, u64::from(chunk.samples));
            let mut add = |channel: usize, text: &[u8]| bytes[channel] += TextColumn::bytes_of(text);
            walk::walk_text(&mut self.window, channels, offset, chunk.end(), samples, &mut add)
                .map_err(|source| LoadError::Io { offset, source })?;
        }
        Ok(bytes)
    }

    /// Adds numbers until there is no room or no sample.
    pub(crate) fn fill<T: Value>(&mut self, rows: &mut Rows<'_, T>) -> Result<(), LoadError> {
        while rows.room() > 0 {
            self.open()?;
            let Some(mut open) = self.current else {
                return Ok(());
            };
            match open.way {
                Way::Even { stamped } => self.even(&mut open, stamped, rows)?,
                Way::Checked => self.checked(&mut open, rows)?,
            }
            self.current = Some(open);
        }
        Ok(())
    }

    /// Adds texts until there are `samples` of them, about `text_bytes` bytes, or no more.
    pub(crate) fn fill_text(
        &mut self,
        stamps: &mut Vec<f64>,
        columns: &mut [TextColumn],
        samples: usize,
        text_bytes: usize,
    ) -> Result<(), LoadError> {
        let mut bytes = 0;
        while stamps.len() < samples && bytes < text_bytes {
            self.open()?;
            let Some(mut open) = self.current else {
                return Ok(());
            };
            let from = open.at;
            let limit = open.chunk.end();
            stamps.push(self.stamp(&mut open)?);
            match &self.channels {
                Channels::All => {
                    for column in columns.iter_mut() {
                        column.push_bytes(text(&mut self.window, &mut open.at, limit)?);
                    }
                }
                Channels::Chosen(chosen) => {
                    for channel in 0..self.layout.channels {
                        let text = text(&mut self.window, &mut open.at, limit)?;
                        let wanted = chosen.iter().zip(columns.iter_mut());
                        for (_, column) in wanted.filter(|(chosen, _)| **chosen == channel) {
                            column.push_bytes(text);
                        }
                    }
                }
            }
            bytes += (open.at - from) as usize;
            open.left -= 1;
            self.current = Some(open);
        }
        Ok(())
    }

    /// Reads the stamp of a text sample and goes to its first text.
    fn stamp(&mut self, open: &mut Open) -> Result<f64, LoadError> {
        let limit = open.chunk.end();
        let changed = LoadError::Changed { offset: open.at };
        let bytes = self
            .window
            .until(open.at, FLAG_BYTES + STAMP_BYTES, limit)
            .map_err(|source| LoadError::Io { offset: open.at, source })?;
        match bytes.split_first() {
            Some((0, _)) => {
                open.at += FLAG_BYTES as u64;
                Ok(self.clock.next())
            }
            Some((8, rest)) if rest.len() >= STAMP_BYTES => {
                let stamp_s = f64::from_file(rest);
                open.at += (FLAG_BYTES + STAMP_BYTES) as u64;
                self.clock.last_s = Some(stamp_s);
                Ok(stamp_s)
            }
            _ => Err(changed),
        }
    }

    /// Makes the next chunk with samples the current one, unless the current one has some left.
    fn open(&mut self) -> Result<(), LoadError> {
        while self.current.is_none_or(|open| open.left == 0) {
            if let Some(open) = self.current.take() {
                self.done_bytes += u64::from(open.chunk.body_bytes);
            }
            let Some(&chunk) = self.chunks.get(self.next) else {
                return Ok(());
            };
            self.look_ahead();
            self.next += 1;
            self.claimed -= u64::from(chunk.samples);
            let at = chunk.body_offset();
            self.bytes(at, FLAG_BYTES)?;
            let (way, left) = match self.shape(&chunk)? {
                Shape::Stamped => (Way::Even { stamped: true }, u64::from(chunk.samples)),
                Shape::First => (Way::Even { stamped: false }, u64::from(chunk.samples)),
                Shape::Mixed => (Way::Checked, self.check(&chunk)?),
            };
            self.current = Some(Open { chunk, way, at, left });
        }
        Ok(())
    }

    /// The shape that is certain.
    fn shape(&mut self, chunk: &SampleChunk) -> Result<Shape, LoadError> {
        let shape = self.layout.shape(u64::from(chunk.samples), u64::from(chunk.body_bytes));
        if shape == Shape::First {
            let first = self.bytes(chunk.body_offset(), FLAG_BYTES)?.first();
            return Ok(if first == Some(&(STAMP_BYTES as u8)) { Shape::First } else { Shape::Mixed });
        }
        Ok(shape)
    }

    fn bytes(&mut self, offset: u64, need: usize) -> Result<&[u8], LoadError> {
        let near_end = self.near_end;
        self.window.until(offset, need, near_end).map_err(|source| LoadError::Io { offset, source })
    }

    /// Finds how far the chunks lie close together.
    fn look_ahead(&mut self) {
        if self.next < self.near_next {
            return;
        }
        let mut chunks = self.chunks[self.next..].iter();
        self.near_end = chunks.next().map_or(0, SampleChunk::end);
        self.near_next = self.next + 1;
        for chunk in chunks {
            if chunk.file_offset > self.near_end + NEAR_BYTES {
                break;
            }
            self.near_end = chunk.end();
            self.near_next += 1;
        }
    }

    /// Walks through a chunk and says how many of its samples can be read.
    fn check(&mut self, chunk: &SampleChunk) -> Result<u64, LoadError> {
        let (offset, end, samples) = (chunk.body_offset(), chunk.end(), u64::from(chunk.samples));
        let walk = walk::walk(&mut self.window, &self.layout, offset, end, samples)
            .map_err(|source| LoadError::Io { offset, source })?;
        Ok(believed(chunk, &walk, |lost_from, kept| {
            let zeros = kept < walk.samples && kept == 0;
            self.report(lost_from, end - lost_from, samples - kept, zeros);
        }))
    }

    fn report(&mut self, offset: u64, bytes: u64, lost: u64, zeros: bool) {
        self.damage.push(Damage {
            offset,
            bytes,
            reason: if zeros { DamageReason::Zeroed } else { DamageReason::BadSamples },
            stream_id: Some(self.stream_id),
            samples_lost: Some(lost),
        });
    }

    /// Reads samples that are all as long as each other.
    fn even<T: Value>(
        &mut self,
        open: &mut Open,
        stamped: bool,
        rows: &mut Rows<'_, T>,
    ) -> Result<(), LoadError> {
        let sample_bytes = self.layout.sample_bytes().unwrap_or_default();
        // Of a chunk with one stamp the first sample is longer.
        let stamped = stamped || open.at == open.chunk.body_offset();
        let most = if stamped && open.way == (Way::Even { stamped: false }) { 1 } else { open.left };
        let stride = stride(stamped, sample_bytes);
        let flag = if stamped { STAMP_BYTES as u8 } else { 0 };
        let (near_end, at) = (self.near_end, open.at);
        let bytes =
            self.window.until(at, stride, near_end).map_err(|source| LoadError::Io { offset: at, source })?;
        let seen = (bytes.len() / stride).min(usize::try_from(most).unwrap_or(usize::MAX)).min(rows.room());
        if seen == 0 {
            return Err(LoadError::Changed { offset: at });
        }
        let bytes = &bytes[..seen * stride];
        let good = bytes.chunks_exact(stride).take_while(|sample| sample[0] == flag).count();
        rows.add(&bytes[..good * stride], stamped, sample_bytes, &self.channels, &mut self.clock);
        let mut passed = good;
        if good < seen {
            let bad = bytes.chunks_exact(stride).skip(good).take_while(|sample| sample[0] != flag);
            let (mut lost, mut zeros) = (0, true);
            for sample in bad {
                lost += 1;
                zeros &= sample.iter().all(|&byte| byte == 0);
                if !stamped {
                    // Time goes on for a sample that is lost.
                    self.clock.next();
                }
            }
            passed += lost;
            self.report_more(at + (good * stride) as u64, (lost * stride) as u64, lost as u64, zeros);
        }
        open.at += (passed * stride) as u64;
        open.left -= passed as u64;
        Ok(())
    }

    /// Adds to the damage before if it goes on from there.
    fn report_more(&mut self, offset: u64, bytes: u64, lost: u64, zeros: bool) {
        if let Some(last) = self.damage.list.last_mut()
            && last.offset + last.bytes == offset
            && let Some(sum) = &mut last.samples_lost
        {
            last.bytes += bytes;
            *sum += lost;
            if !zeros {
                last.reason = DamageReason::BadSamples;
            }
            return;
        }
        self.report(offset, bytes, lost, zeros);
    }

    /// Reads samples each as long as its mark says, which was checked when the chunk was opened.
    fn checked<T: Value>(&mut self, open: &mut Open, rows: &mut Rows<'_, T>) -> Result<(), LoadError> {
        let sample_bytes = self.layout.sample_bytes().unwrap_or_default();
        let (near_end, begin) = (self.near_end, open.at);
        let need = stride(true, sample_bytes).min((open.chunk.end() - begin) as usize);
        let mut bytes = self
            .window
            .until(begin, need, near_end)
            .map_err(|source| LoadError::Io { offset: begin, source })?;
        while open.left > 0 && rows.room() > 0 {
            let Some(&flag) = bytes.first() else {
                break;
            };
            let stamped = flag != 0;
            let stride = stride(stamped, sample_bytes);
            let most = usize::try_from(open.left).unwrap_or(usize::MAX).min(rows.room());
            let samples = bytes.chunks_exact(stride).take(most).take_while(|sample| sample[0] == flag);
            let good = samples.count();
            if good == 0 {
                break;
            }
            let (now, rest) = bytes.split_at(good * stride);
            rows.add(now, stamped, sample_bytes, &self.channels, &mut self.clock);
            bytes = rest;
            open.at += now.len() as u64;
            open.left -= good as u64;
        }
        if open.at == begin {
            return Err(LoadError::Changed { offset: begin });
        }
        Ok(())
    }
}

/// How many samples of a walk through a chunk can be believed; tells `fault` where the rest begins.
pub(crate) fn believed(chunk: &SampleChunk, walk: &Walk, fault: impl FnOnce(u64, u64)) -> u64 {
    if walk.samples == u64::from(chunk.samples) && walk.end == chunk.end() {
        return walk.samples;
    }
    let (kept, end) = walk.solid;
    fault(end, kept);
    kept
}

fn text<'w>(window: &'w mut Window<'_>, at: &mut u64, limit: u64) -> Result<&'w [u8], LoadError> {
    let offset = *at;
    match walk::text_at(window, offset, limit) {
        Ok(Ok((text, end))) => {
            *at = end;
            Ok(text)
        }
        Ok(Err(_)) => Err(LoadError::Changed { offset }),
        Err(source) => Err(LoadError::Io { offset, source }),
    }
}
