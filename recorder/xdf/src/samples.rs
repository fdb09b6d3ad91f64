//! Gather samples of one stream straight in the layout of a Samples chunk.

use crate::decode::MAX_CHUNK_BYTES;
use crate::encode::MAX_SAMPLES_PREFIX_BYTES;
use crate::format::ChannelFormat;
use crate::varlen;

/// Most bytes one block may hold: what still fits a chunk that [`crate::next_chunk`] accepts.
pub const MAX_BLOCK_BYTES: usize = MAX_CHUNK_BYTES as usize - MAX_SAMPLES_PREFIX_BYTES;

/// A stamp written out: its size (8) and the little-endian double.
const STAMP_BYTES: usize = 9;

/// Samples of one stream, encoded; the content of one Samples chunk after the stream id and count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleBlock {
    /// How many samples `body` holds.
    pub sample_count: u64,
    /// The samples, each `u8` stamp size (0 or 8), the stamp if 8, then the values.
    pub body: Vec<u8>,
    /// Stamp of the first sample in seconds, `None` if there is none.
    pub first_timestamp_s: Option<f64>,
    /// Stamp of the last sample in seconds, `None` if there is none.
    pub last_timestamp_s: Option<f64>,
}

impl SampleBlock {
    /// Forgets the samples and keeps the buffer.
    pub fn clear(&mut self) {
        self.body.clear();
        self.sample_count = 0;
        self.first_timestamp_s = None;
        self.last_timestamp_s = None;
    }

    /// Whether it holds no sample.
    pub fn is_empty(&self) -> bool {
        self.sample_count == 0
    }
}

/// Why samples were not taken. Nothing of them was: the encoder is as it was before the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The values are not `samples * channels` values.
    #[error(
        "{samples} samples of {channel_count} {format} channels must come with {expected} {unit}, not {given}; pass every channel of every sample, sample after sample"
    )]
    WrongSize {
        /// How many stamps were given.
        samples: usize,
        /// Channels of the stream.
        channel_count: usize,
        /// Format of the stream.
        format: ChannelFormat,
        /// What `samples` samples are, saturating.
        expected: usize,
        /// What came.
        given: usize,
        /// What is counted: "bytes" or "strings".
        unit: &'static str,
    },
    /// Strings for a numeric stream or bytes for a string stream.
    #[error("a {format} stream does not take {given}; use {instead}")]
    WrongKind {
        /// Format of the stream.
        format: ChannelFormat,
        /// What came: "bytes" or "strings".
        given: &'static str,
        /// The method to use: "push" or "push_strings".
        instead: &'static str,
    },
    /// The block would outgrow [`MAX_BLOCK_BYTES`].
    #[error(
        "the samples do not fit a chunk: {pending_bytes} bytes are pending and the limit is {MAX_BLOCK_BYTES}; take the block more often or push fewer samples at once"
    )]
    BlockFull {
        /// Bytes that wait to be taken.
        pending_bytes: usize,
    },
}

/// Encodes samples of one stream as they come.
///
/// A stream with a nominal rate leaves a stamp out where a reader computes the identical double
/// for it: the stamp of the sample before it in the same block plus `1.0 / nominal_rate_hz`. The
/// first sample of a block always carries its stamp, so a damaged chunk costs only itself.
/// Streams without a nominal rate carry every stamp.
#[derive(Clone, Debug)]
pub struct SampleEncoder {
    format: ChannelFormat,
    channel_count: usize,
    /// Bytes of one sample's values; no slice has the size of two strings (`usize::MAX`).
    sample_bytes: usize,
    /// `1.0 / nominal_rate_hz`; NaN if no stamp may be left out.
    interval_s: f64,
    /// The one stamp that may be left out next; NaN (equal to nothing) if there is none.
    expected_s: f64,
    block: SampleBlock,
}

impl SampleEncoder {
    /// An encoder with an empty block and no buffer yet.
    ///
    /// `nominal_rate_hz` must be the number in the stream's header: readers compute the interval
    /// from it. Zero, negative and non-finite rates mean an irregular stream.
    pub fn new(format: ChannelFormat, channel_count: usize, nominal_rate_hz: f64) -> Self {
        let interval_s = 1.0 / nominal_rate_hz;
        let regular = nominal_rate_hz > 0.0 && nominal_rate_hz.is_finite();
        Self {
            format,
            channel_count,
            sample_bytes: format
                .value_bytes()
                .map_or(usize::MAX, |bytes| channel_count.saturating_mul(bytes)),
            interval_s: if regular && interval_s.is_finite() { interval_s } else { f64::NAN },
            expected_s: f64::NAN,
            block: SampleBlock::default(),
        }
    }

    /// Adds samples of a numeric stream.
    ///
    /// `timestamps_s` has one stamp in seconds per sample. `data` holds the values as they lie in
    /// memory: native byte order, all channels of the first sample, then of the second, and so on.
    ///
    /// # Errors
    /// [`EncodeError::WrongSize`], [`EncodeError::WrongKind`] or [`EncodeError::BlockFull`];
    /// nothing is added then.
    #[inline]
    pub fn push(&mut self, timestamps_s: &[f64], data: &[u8]) -> Result<(), EncodeError> {
        if timestamps_s.len().checked_mul(self.sample_bytes) != Some(data.len()) {
            return Err(self.refused_bytes(timestamps_s.len(), data.len()));
        }
        let worst_bytes = data.len().saturating_add(timestamps_s.len().saturating_mul(STAMP_BYTES));
        if worst_bytes > MAX_BLOCK_BYTES.saturating_sub(self.block.body.len()) {
            return Err(self.full());
        }
        let (Some(first), Some(last)) = (timestamps_s.first(), timestamps_s.last()) else {
            return Ok(());
        };
        self.block.first_timestamp_s.get_or_insert(*first);
        self.block.last_timestamp_s = Some(*last);
        self.block.sample_count += timestamps_s.len() as u64;
        self.block.body.reserve(worst_bytes);
        if cfg!(target_endian = "big") {
            self.append_swapped(timestamps_s, data);
            return Ok(());
        }
        // One copy loop per common sample size: a copy of known size is a few instructions, one of
        // unknown size a call.
        match self.sample_bytes {
            1 => self.append::<1>(timestamps_s, data),
            2 => self.append::<2>(timestamps_s, data),
            4 => self.append::<4>(timestamps_s, data),
            8 => self.append::<8>(timestamps_s, data),
            12 => self.append::<12>(timestamps_s, data),
            16 => self.append::<16>(timestamps_s, data),
            24 => self.append::<24>(timestamps_s, data),
            32 => self.append::<32>(timestamps_s, data),
            64 => self.append::<64>(timestamps_s, data),
            128 => self.append::<128>(timestamps_s, data),
            _ => self.append_any(timestamps_s, data),
        }
        Ok(())
    }

    /// Adds samples of a string stream.
    ///
    /// `timestamps_s` has one stamp in seconds per sample; `values` gives all channels of the
    /// first sample, then of the second, and so on.
    ///
    /// # Errors
    /// [`EncodeError::WrongSize`], [`EncodeError::WrongKind`] or [`EncodeError::BlockFull`];
    /// nothing is added then.
    pub fn push_strings<T: AsRef<[u8]>>(
        &mut self,
        timestamps_s: &[f64],
        values: impl ExactSizeIterator<Item = T>,
    ) -> Result<(), EncodeError> {
        if self.format != ChannelFormat::String {
            return Err(EncodeError::WrongKind { format: self.format, given: "strings", instead: "push" });
        }
        let given = values.len();
        if timestamps_s.len().checked_mul(self.channel_count) != Some(given) {
            return Err(self.wrong_size(timestamps_s.len(), self.channel_count, given, "strings"));
        }
        let (old_bytes, old_expected_s) = (self.block.body.len(), self.expected_s);
        let added = self.append_strings(timestamps_s, values);
        if added.is_err() {
            self.block.body.truncate(old_bytes);
            self.expected_s = old_expected_s;
            return added;
        }
        if let (Some(first), Some(last)) = (timestamps_s.first(), timestamps_s.last()) {
            self.block.first_timestamp_s.get_or_insert(*first);
            self.block.last_timestamp_s = Some(*last);
            self.block.sample_count += timestamps_s.len() as u64;
        }
        Ok(())
    }

    /// Bytes that wait to be taken.
    pub fn pending_bytes(&self) -> usize {
        self.block.body.len()
    }

    /// Samples that wait to be taken.
    pub fn pending_samples(&self) -> u64 {
        self.block.sample_count
    }

    /// Hands out what is pending and goes on in the buffer of `spare`, whose content is dropped.
    ///
    /// Takes constant time and allocates nothing: pass a written block back as the next spare.
    pub fn take(&mut self, mut spare: SampleBlock) -> SampleBlock {
        spare.clear();
        self.expected_s = f64::NAN;
        std::mem::replace(&mut self.block, spare)
    }

    /// Appends samples whose values have `N` bytes.
    #[inline]
    fn append<const N: usize>(&mut self, timestamps_s: &[f64], data: &[u8]) {
        let (samples, _) = data.as_chunks::<N>();
        for (timestamp_s, values) in timestamps_s.iter().zip(samples) {
            self.append_stamp(*timestamp_s);
            self.block.body.extend_from_slice(values);
        }
    }

    /// Appends samples whose values have `sample_bytes` bytes.
    fn append_any(&mut self, timestamps_s: &[f64], data: &[u8]) {
        let mut rest = data;
        for timestamp_s in timestamps_s {
            self.append_stamp(*timestamp_s);
            let Some((values, after)) = rest.split_at_checked(self.sample_bytes) else {
                return;
            };
            self.block.body.extend_from_slice(values);
            rest = after;
        }
    }

    /// Appends samples with every value's bytes reversed, for big-endian machines.
    fn append_swapped(&mut self, timestamps_s: &[f64], data: &[u8]) {
        let value_bytes = self.format.value_bytes().unwrap_or(1);
        let mut values = data.chunks_exact(value_bytes);
        for timestamp_s in timestamps_s {
            self.append_stamp(*timestamp_s);
            for value in values.by_ref().take(self.channel_count) {
                self.block.body.extend(value.iter().rev());
            }
        }
    }

    fn append_strings<T: AsRef<[u8]>>(
        &mut self,
        timestamps_s: &[f64],
        mut values: impl ExactSizeIterator<Item = T>,
    ) -> Result<(), EncodeError> {
        let given = values.len();
        let mut seen = 0;
        for timestamp_s in timestamps_s {
            self.require_room(STAMP_BYTES)?;
            self.append_stamp(*timestamp_s);
            for value in values.by_ref().take(self.channel_count) {
                let value = value.as_ref();
                self.require_room(value.len().saturating_add(9))?;
                varlen::write(&mut self.block.body, value.len() as u64);
                self.block.body.extend_from_slice(value);
                seen += 1;
            }
        }
        // An iterator whose length was not true must not leave half a sample behind.
        if seen != given || values.next().is_some() {
            return Err(self.wrong_size(timestamps_s.len(), self.channel_count, seen, "strings"));
        }
        Ok(())
    }

    /// Appends a sample's stamp, or the mark that a reader computes it.
    #[inline]
    fn append_stamp(&mut self, timestamp_s: f64) {
        // Equality first, so that NaN never passes; then the bits, so that -0.0 is not 0.0.
        let computed = timestamp_s == self.expected_s && timestamp_s.to_bits() == self.expected_s.to_bits();
        if computed {
            self.block.body.push(0);
        } else {
            let mut stamp = [8; STAMP_BYTES];
            stamp[1..].copy_from_slice(&timestamp_s.to_le_bytes());
            self.block.body.extend_from_slice(&stamp);
        }
        self.expected_s = timestamp_s + self.interval_s;
    }

    fn require_room(&self, bytes: usize) -> Result<(), EncodeError> {
        if bytes > MAX_BLOCK_BYTES.saturating_sub(self.block.body.len()) {
            return Err(self.full());
        }
        Ok(())
    }

    #[cold]
    fn full(&self) -> EncodeError {
        EncodeError::BlockFull { pending_bytes: self.block.body.len() }
    }

    #[cold]
    fn refused_bytes(&self, samples: usize, given: usize) -> EncodeError {
        if self.format == ChannelFormat::String {
            return EncodeError::WrongKind { format: self.format, given: "bytes", instead: "push_strings" };
        }
        self.wrong_size(samples, self.sample_bytes, given, "bytes")
    }

    #[cold]
    fn wrong_size(&self, samples: usize, per_sample: usize, given: usize, unit: &'static str) -> EncodeError {
        EncodeError::WrongSize {
            samples,
            channel_count: self.channel_count,
            format: self.format,
            expected: samples.saturating_mul(per_sample),
            given,
            unit,
        }
    }
}

#[cfg(test)]
mod tests;
