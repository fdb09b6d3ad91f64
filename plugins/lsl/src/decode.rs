//! Samples as a feed carries them, and how they become stamps and values.
//!
//! A sample is a tag, a stamp where the tag says so, and a value for each channel: numbers packed, texts
//! each with its length before it. A sample without a stamp comes one period after the one before it,
//! by the same addition that liblsl does (data_receiver.cpp), so that its stamp is the same double.

use lockstep_plugin_api::Format;

/// The stamp of this sample is to be deduced.
const DEDUCED: u8 = 1;
/// The stamp stands behind the tag.
const STAMPED: u8 = 2;
/// Longest text of one value.
const MAX_TEXT_BYTES: u64 = 64 << 20;
/// Longest sample.
const MAX_SAMPLE_BYTES: usize = 128 << 20;
/// Samples that come before any stamp are held for one, so many bytes of them at the most: a chunk has one.
const MAX_HELD_BYTES: usize = 16 << 20;

/// Samples, oldest first.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Batch {
    /// A stamp each, in seconds of the outlet's clock.
    pub stamps_s: Vec<f64>,
    /// Values, sample-major: numbers in this machine's byte order, texts one behind the other.
    pub values: Vec<u8>,
    /// Where each text ends in `values`; empty for numbers.
    pub text_ends: Vec<usize>,
}

impl Batch {
    /// Forget the samples, keep the memory.
    pub fn clear(&mut self) {
        self.stamps_s.clear();
        self.values.clear();
        self.text_ends.clear();
    }

    /// How much it is.
    fn bytes(&self) -> usize {
        self.values.len() + 8 * (self.stamps_s.len() + self.text_ends.len())
    }

    /// The texts, sample-major.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.text_ends.iter().map(move |&end| {
            let text = self.values.get(begin..end).unwrap_or_default();
            begin = end;
            text
        })
    }
}

/// Bytes that are no samples: nothing after them can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// Turns the bytes of one feed into samples.
#[derive(Debug, Clone)]
pub struct Decoder {
    channel_count: usize,
    value_bytes: usize,
    swapped: bool,
    period_s: f64,
    last_s: Option<f64>,
    /// How many samples of the batch wait for the first stamp.
    held: usize,
    gave_up: bool,
}

impl Decoder {
    /// For a feed of `format`; `swapped`: its numbers are in the byte order this machine does not have.
    pub fn new(format: Format, channel_count: usize, nominal_rate_hz: f64, swapped: bool) -> Self {
        Self {
            channel_count,
            value_bytes: format.value_bytes(),
            swapped,
            period_s: if nominal_rate_hz > 0.0 { 1.0 / nominal_rate_hz } else { 0.0 },
            last_s: None,
            held: 0,
            gave_up: false,
        }
    }

    /// Append the complete samples at the start of `bytes` to `batch`; how many bytes they took. While
    /// [`Decoder::is_holding`], the batch must stay as it is and be given again.
    ///
    /// # Errors
    /// What stands there is no sample. Samples before it are in the batch.
    pub fn decode(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<usize, Unreadable> {
        let begin = batch.values.len();
        let decoded =
            if self.value_bytes > 0 { self.numbers(bytes, batch) } else { self.texts(bytes, batch) };
        if self.swapped && self.value_bytes > 1 {
            let fresh = batch.values.get_mut(begin..).unwrap_or_default();
            fresh.chunks_exact_mut(self.value_bytes).for_each(<[u8]>::reverse);
        }
        if self.held > 0 && batch.bytes() > MAX_HELD_BYTES {
            self.give_up_waiting(batch);
        }
        match decoded {
            // What is left is the beginning of a sample.
            Ok(used) if bytes.len() - used > MAX_SAMPLE_BYTES => {
                Err(Unreadable(format!("a sample has more than {MAX_SAMPLE_BYTES} bytes")))
            }
            decoded => decoded,
        }
    }

    /// Whether samples that waited for a stamp had to do without one.
    pub fn has_given_up(&self) -> bool {
        self.gave_up
    }

    /// Whether the batch is of samples that wait for a stamp.
    pub fn is_holding(&self) -> bool {
        self.held > 0
    }

    /// No more will come: samples that waited for a stamp get what liblsl gives them, which counts from 0.
    pub fn give_up_waiting(&mut self, batch: &mut Batch) {
        let first = batch.stamps_s.len().saturating_sub(self.held);
        if self.held == 0 {
            return;
        }
        let mut stamp_s = 0.0;
        for stamp in batch.stamps_s.iter_mut().skip(first) {
            stamp_s += self.period_s;
            *stamp = stamp_s;
        }
        (self.held, self.gave_up) = (0, true);
        self.last_s = Some(stamp_s);
    }

    fn numbers(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<usize, Unreadable> {
        let row_bytes = self.channel_count * self.value_bytes;
        let mut rest = bytes;
        while let Some((&tag, after)) = rest.split_first() {
            let values = match tag {
                STAMPED => {
                    let Some((stamp, values)) = after.split_first_chunk::<8>() else { break };
                    if values.len() < row_bytes {
                        break;
                    }
                    self.stamp(Some(self.number(*stamp)), batch);
                    values
                }
                DEDUCED if after.len() < row_bytes => break,
                DEDUCED => {
                    self.stamp(None, batch);
                    after
                }
                tag => return Err(Unreadable(format!("a sample begins with {tag}, which is no tag"))),
            };
            let (row, next) = values.split_at(row_bytes);
            batch.values.extend_from_slice(row);
            rest = next;
        }
        Ok(bytes.len() - rest.len())
    }

    fn texts(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<usize, Unreadable> {
        let mut used = 0;
        while let Some(sample) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let before = (batch.values.len(), batch.text_ends.len());
            let (stamp_s, mut at) = match sample {
                [STAMPED, after @ ..] => match after.first_chunk::<8>() {
                    Some(stamp) => (Some(self.number(*stamp)), 9),
                    None => break,
                },
                [DEDUCED, ..] => (None, 1),
                other => {
                    let tag = other.first().copied().unwrap_or_default();
                    return Err(Unreadable(format!("a sample begins with {tag}, which is no tag")));
                }
            };
            for _ in 0..self.channel_count {
                let text = self.text(sample.get(at..).unwrap_or_default());
                if let Ok(Some((text, took))) = text {
                    batch.values.extend_from_slice(text);
                    batch.text_ends.push(batch.values.len());
                    at += took;
                    continue;
                }
                // No part of a sample stays behind.
                batch.values.truncate(before.0);
                batch.text_ends.truncate(before.1);
                return text.map(|_| used);
            }
            self.stamp(stamp_s, batch);
            used += at;
        }
        Ok(used)
    }

    /// A text and how many bytes it took; `None`: there is more to come.
    fn text<'a>(&self, bytes: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, Unreadable> {
        let Some((&width, after)) = bytes.split_first() else { return Ok(None) };
        let width = usize::from(width);
        if !matches!(width, 1 | 2 | 4 | 8) {
            return Err(Unreadable(format!("the length of a text is said to have {width} bytes")));
        }
        let Some(length) = after.get(..width) else { return Ok(None) };
        // In the byte order of the feed, which is this machine's unless swapped.
        let big_endian = self.swapped != cfg!(target_endian = "big");
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let length = if big_endian { length.iter().fold(0, add) } else { length.iter().rev().fold(0, add) };
        if length > MAX_TEXT_BYTES {
            return Err(Unreadable(format!("a text is said to have {length} bytes")));
        }
        let end = width + length as usize;
        Ok(after.get(width..end).map(|text| (text, 1 + end)))
    }

    fn number(&self, mut raw: [u8; 8]) -> f64 {
        if self.swapped {
            raw.reverse();
        }
        f64::from_ne_bytes(raw)
    }

    fn stamp(&mut self, said_s: Option<f64>, batch: &mut Batch) {
        let stamp_s = match (said_s, self.last_s) {
            (Some(stamp_s), _) => {
                if self.held > 0 {
                    self.place_held(stamp_s, batch);
                }
                stamp_s
            }
            (None, Some(last_s)) => last_s + self.period_s,
            (None, None) => {
                self.held += 1;
                batch.stamps_s.push(f64::NAN);
                return;
            }
        };
        self.last_s = Some(stamp_s);
        batch.stamps_s.push(stamp_s);
    }

    /// The feed was opened in the middle of a chunk: what came of it has its stamps before the next one.
    fn place_held(&mut self, next_s: f64, batch: &mut Batch) {
        for (back, stamp) in batch.stamps_s.iter_mut().rev().take(self.held).enumerate() {
            *stamp = next_s - (back + 1) as f64 * self.period_s;
        }
        self.held = 0;
    }
}

#[cfg(test)]
mod tests;
