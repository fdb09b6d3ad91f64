//! Read chunk after chunk of one stream into columns, as far as there is room.

use crate::damage::{Damage, DamageList, DamageReason};
use crate::layout::{FLAG_BYTES, STAMP_BYTES, SampleLayout, Shape, Value};
use crate::scan::SampleChunk;
use crate::source::ReadAt;
use crate::walk;
use crate::window::Window;

use super::LoadError;
use super::rows::{Channels, Rows, StampClock, stride};

/// Chunks of a stream that lie closer together than this are read in one go.
const NEAR_BYTES: u64 = 16 * 1024;

/// Reads the chunks of one stream in order.
pub(crate) struct Run<'s> {
    pub(super) window: Window<'s>,
    pub(super) layout: SampleLayout,
    stream_id: u32,
    pub(super) channels: Channels,
    pub(super) chunks: &'s [SampleChunk],
    /// The chunk that is opened next.
    pub(super) next: usize,
    /// Where it is worth reading ahead to: until this place all is wanted.
    pub(super) near_end: u64,
    near_next: usize,
    pub(super) current: Option<Open>,
    /// Samples that may still come, as the chunks' heads say.
    claimed: u64,
    /// All chunks were walked through before and are as they say.
    pub(crate) checked: bool,
    pub(crate) clock: StampClock,
    pub(crate) damage: DamageList,
    /// Bytes of samples that are behind.
    pub(crate) done_bytes: u64,
}

/// A chunk that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) chunk: SampleChunk,
    pub(super) way: Way,
    pub(super) at: u64,
    /// Samples that are still to be read.
    pub(super) left: u64,
}

/// How the samples of a chunk lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
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
            checked: false,
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

    /// Makes the next chunk with samples the current one, unless the current one has some left.
    pub(super) fn open(&mut self) -> Result<(), LoadError> {
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
                Shape::Mixed if self.checked => (Way::Checked, u64::from(chunk.samples)),
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

    pub(super) fn bytes(&mut self, offset: u64, need: usize) -> Result<&[u8], LoadError> {
        let near_end = self.near_end;
        self.window.until(offset, need, near_end).map_err(|source| LoadError::Io { offset, source })
    }

    /// Finds how far the chunks lie close together.
    pub(super) fn look_ahead(&mut self) {
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
        if walk.samples == samples && walk.end == end {
            return Ok(samples);
        }
        if self.layout.value_bytes.is_none() {
            // Texts have no fixed size, so the scan could not see a wrong count.
            let all = walk::walk(&mut self.window, &self.layout, offset, end, u64::from(chunk.body_bytes))
                .map_err(|source| LoadError::Io { offset, source })?;
            if all.end == end {
                let reason = DamageReason::WrongCount { said: Some(samples), found: all.samples };
                let lost = Some(0);
                let (offset, stream_id) = (chunk.file_offset, Some(self.stream_id));
                self.damage.push(Damage { offset, bytes: 0, reason, stream_id, samples_lost: lost });
                return Ok(all.samples);
            }
        }
        let (kept, lost_from) = walk.solid;
        self.report(lost_from, end - lost_from, samples - kept, kept == 0 && walk.samples > 0);
        Ok(kept)
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
    pub(super) fn report_more(&mut self, offset: u64, bytes: u64, lost: u64, zeros: bool) {
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
