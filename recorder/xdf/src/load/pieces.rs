//! Go through the samples of a stream without taking their values, to copy them as they are.

use crate::damage::Damage;
use crate::layout::{FLAG_BYTES, STAMP_BYTES};
use crate::scan::Scan;
use crate::source::ReadAt;
use crate::walk;

use super::rows::stride;
use super::run::{Open, Run, Way};
use super::{Chosen, LoadError, Selection};

/// Whole samples of one chunk that follow each other in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRun {
    /// Index of the chunk in [`crate::ScannedStream::chunks`].
    pub chunk: usize,
    /// Where the first sample begins, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// How many there are.
    pub samples: u64,
    /// Samples at the beginning whose stamps were left out.
    pub bare_samples: u64,
    /// Bytes of those.
    pub bare_bytes: u64,
    /// The stamp of the first sample that carries one.
    pub first_written_s: Option<f64>,
    /// Stamp of the first sample, as readers compute it.
    pub first_s: f64,
    /// Stamp of the last sample, as readers compute it.
    pub last_s: f64,
    /// Whether `first_s` follows from stamps of the same chunk, so that nothing that is missing before the
    /// chunk changes it.
    pub is_placed: bool,
}

/// Hands out the samples of one stream run after run; from [`Scan::sample_runs`].
pub struct SampleRuns<'a> {
    run: Run<'a>,
}

impl Scan {
    /// Where the whole samples of one stream lie: the same samples as [`crate::load`] gives, in constant
    /// memory.
    ///
    /// # Errors
    /// When there is no such stream.
    pub fn sample_runs<'a>(
        &'a self,
        source: &'a dyn ReadAt,
        stream: usize,
    ) -> Result<SampleRuns<'a>, LoadError> {
        let selection = Selection { channels: Some(Vec::new()), time_range_s: None };
        let chosen = Chosen::new(self, stream, &selection)?;
        Ok(SampleRuns { run: chosen.run(source, &chosen.stream.chunks, Some(0.0)) })
    }
}

impl SampleRuns<'_> {
    /// The next run, or `None` after the last.
    ///
    /// # Errors
    /// [`LoadError`]; never because of damage.
    pub fn next_run(&mut self) -> Result<Option<SampleRun>, LoadError> {
        self.run.next_run()
    }

    /// Damage found so far in the samples, up to [`crate::MAX_DAMAGE`] places.
    pub fn damage(&self) -> &[Damage] {
        &self.run.damage.list
    }

    /// Damaged places beyond that limit.
    pub fn damage_left_out(&self) -> u64 {
        self.run.damage.left_out
    }
}

impl SampleRun {
    fn new(chunk: usize, offset: u64, is_placed: bool) -> Self {
        Self {
            chunk,
            offset,
            bytes: 0,
            samples: 0,
            bare_samples: 0,
            bare_bytes: 0,
            first_written_s: None,
            first_s: 0.0,
            last_s: 0.0,
            is_placed,
        }
    }

    /// Adds samples that all carry a stamp, the first and the last of which are these, or all none.
    fn add(&mut self, samples: u64, bytes: u64, written: bool, first_s: f64, last_s: f64) {
        if self.samples == 0 {
            self.first_s = first_s;
            self.is_placed |= written;
        }
        if self.first_written_s.is_none() {
            if written {
                self.first_written_s = Some(first_s);
            } else {
                self.bare_samples += samples;
                self.bare_bytes += bytes;
            }
        }
        self.samples += samples;
        self.bytes += bytes;
        self.last_s = last_s;
    }

    /// Where it ends, in bytes from the start of the file.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

fn stamp_in(sample: &[u8]) -> f64 {
    let raw = sample.get(FLAG_BYTES..).and_then(|bytes| bytes.first_chunk());
    raw.map_or(f64::NAN, |raw| f64::from_le_bytes(*raw))
}

impl Run<'_> {
    fn next_run(&mut self) -> Result<Option<SampleRun>, LoadError> {
        loop {
            self.open()?;
            let Some(mut open) = self.current else {
                return Ok(None);
            };
            let run = match open.way {
                Way::Even { stamped } => self.even_run(&mut open, stamped)?,
                Way::Checked => self.checked_run(&mut open)?,
            };
            self.current = Some(open);
            if run.samples > 0 {
                return Ok(Some(run));
            }
        }
    }

    /// Samples until one is damaged, after those that are.
    fn even_run(&mut self, open: &mut Open, all_stamped: bool) -> Result<SampleRun, LoadError> {
        let sample_bytes = self.layout.sample_bytes().unwrap_or_default();
        let mut run = SampleRun::new(self.next - 1, open.at, true);
        while open.left > 0 {
            let stamped = all_stamped || open.at == open.chunk.body_offset();
            let most = if stamped && !all_stamped { 1 } else { open.left };
            let stride = stride(stamped, sample_bytes);
            let flag = if stamped { STAMP_BYTES as u8 } else { 0 };
            let at = open.at;
            let bytes = self.bytes(at, stride)?;
            let seen = (bytes.len() / stride).min(usize::try_from(most).unwrap_or(usize::MAX));
            if seen == 0 {
                return Err(LoadError::Changed { offset: at });
            }
            let bytes = &bytes[..seen * stride];
            let good = bytes.chunks_exact(stride).take_while(|sample| sample[0] == flag).count();
            let bad = bytes.chunks_exact(stride).skip(good).take_while(|sample| sample[0] != flag);
            let (mut lost, mut zeros) = (0, true);
            for sample in bad {
                lost += 1;
                zeros &= sample.iter().all(|&byte| byte == 0);
            }
            let written = stamped.then(|| (stamp_in(bytes), stamp_in(&bytes[(good.max(1) - 1) * stride..])));
            if good > 0 {
                let (first_s, last_s) = match written {
                    Some((first_s, last_s)) => {
                        self.clock.last_s = Some(last_s);
                        (first_s, last_s)
                    }
                    None => self.pass(good),
                };
                run.add(good as u64, (good * stride) as u64, stamped, first_s, last_s);
                open.at += (good * stride) as u64;
                open.left -= good as u64;
                if lost > 0 {
                    return Ok(run);
                }
                continue;
            }
            if run.samples > 0 {
                return Ok(run);
            }
            if !stamped {
                // Time goes on for samples that are lost.
                self.pass(lost);
            }
            self.report_more(at, (lost * stride) as u64, lost as u64, zeros);
            open.at += (lost * stride) as u64;
            open.left -= lost as u64;
            run.offset = open.at;
        }
        Ok(run)
    }

    /// Stamps of samples that carry none: the first and the last of so many.
    fn pass(&mut self, samples: usize) -> (f64, f64) {
        let first_s = self.clock.next();
        let last_s = (1..samples).fold(first_s, |_, _| self.clock.next());
        (first_s, last_s)
    }

    /// All samples that were found good when the chunk was opened.
    fn checked_run(&mut self, open: &mut Open) -> Result<SampleRun, LoadError> {
        let mut run = SampleRun::new(self.next - 1, open.at, false);
        let end = open.chunk.end();
        while open.left > 0 {
            let (at, near_end) = (open.at, self.near_end);
            let io = |source| LoadError::Io { offset: at, source };
            let head = self.window.until(at, FLAG_BYTES + STAMP_BYTES, near_end).map_err(io)?;
            let written = (head.first() == Some(&(STAMP_BYTES as u8))).then(|| stamp_in(head));
            let bytes = match self.layout.sample_bytes() {
                Some(values) => stride(written.is_some(), values) as u64,
                None => walk::walk(&mut self.window, &self.layout, at, end, 1).map_err(io)?.end - at,
            };
            if bytes == 0 || at + bytes > end {
                return Err(LoadError::Changed { offset: at });
            }
            let stamp_s = match written {
                Some(stamp_s) => {
                    self.clock.last_s = Some(stamp_s);
                    stamp_s
                }
                None => self.clock.next(),
            };
            run.add(1, bytes, written.is_some(), stamp_s, stamp_s);
            open.at += bytes;
            open.left -= 1;
        }
        Ok(run)
    }
}

#[cfg(test)]
mod tests;
