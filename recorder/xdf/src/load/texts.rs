//! Read text samples, which lie unevenly.

use crate::columns::TextColumn;
use crate::layout::{FLAG_BYTES, STAMP_BYTES, Value};
use crate::walk;
use crate::window::Window;

use super::LoadError;
use super::rows::stride;
use super::run::{Open, Run};

impl Run<'_> {
    /// Bytes of all texts of each channel and of their sizes; and whether every chunk is exactly what
    /// its head says.
    pub(crate) fn measure_text(&mut self) -> Result<(Vec<usize>, bool), LoadError> {
        let mut bytes = vec![0; self.layout.channels];
        let mut exact = true;
        for chunk in self.chunks {
            self.look_ahead();
            self.next += 1;
            let offset = chunk.body_offset();
            self.bytes(offset, FLAG_BYTES)?;
            let (channels, samples) = (self.layout.channels, u64::from(chunk.samples));
            let mut add = |channel: usize, size: u64| bytes[channel] += size as usize;
            let walk = walk::walk_text(&mut self.window, channels, offset, chunk.end(), samples, &mut add)
                .map_err(|source| LoadError::Io { offset, source })?;
            exact &= walk.samples == samples && walk.end == chunk.end();
        }
        Ok((bytes, exact))
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
            let (begin, end) = (open.at, open.chunk.end());
            self.near_texts(&mut open, stamps, columns, samples)?;
            if open.left > 0 && stamps.len() < samples && open.at == begin {
                self.far_text(&mut open, stamps, columns)?;
            }
            bytes += (open.at - begin) as usize;
            if open.at > end {
                return Err(LoadError::Changed { offset: begin });
            }
            self.current = Some(open);
        }
        Ok(())
    }

    /// Adds text samples that the window holds.
    fn near_texts(
        &mut self,
        open: &mut Open,
        stamps: &mut Vec<f64>,
        columns: &mut [TextColumn],
        samples: usize,
    ) -> Result<(), LoadError> {
        let (at, near_end) = (open.at, self.near_end);
        let bytes = self
            .window
            .until(at, FLAG_BYTES, near_end)
            .map_err(|source| LoadError::Io { offset: at, source })?;
        let mut rest = &bytes[..bytes.len().min((open.chunk.end() - at) as usize)];
        while open.left > 0 && stamps.len() < samples {
            let Ok(size) = walk::text_sample_end(rest, self.layout.channels, &mut |_, _| {}) else {
                break;
            };
            let (sample, after) = rest.split_at(size);
            let stamped = sample[0] != 0;
            stamps.push(if stamped {
                let stamp_s = f64::from_file(&sample[FLAG_BYTES..]);
                self.clock.last_s = Some(stamp_s);
                stamp_s
            } else {
                self.clock.next()
            });
            let mut texts = &sample[stride(stamped, 0)..];
            for channel in 0..self.layout.channels {
                let Some((text, next)) = walk::text_in(texts) else {
                    break;
                };
                self.channels.give(channel, text, columns);
                texts = next;
            }
            rest = after;
            open.at += size as u64;
            open.left -= 1;
        }
        Ok(())
    }

    /// Adds one text sample that is larger than the window.
    fn far_text(
        &mut self,
        open: &mut Open,
        stamps: &mut Vec<f64>,
        columns: &mut [TextColumn],
    ) -> Result<(), LoadError> {
        let limit = open.chunk.end();
        stamps.push(self.stamp(open)?);
        for channel in 0..self.layout.channels {
            let text = text(&mut self.window, &mut open.at, limit)?;
            self.channels.give(channel, text, columns);
        }
        open.left -= 1;
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
