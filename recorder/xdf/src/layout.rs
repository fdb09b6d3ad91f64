//! How the samples of one stream lie in its chunks.

use crate::decode::MAX_CHUNK_BYTES;
use crate::header::StreamInfo;

/// Bytes of the mark that says how long a stamp is.
pub(crate) const FLAG_BYTES: usize = 1;
/// Bytes of a stamp.
pub(crate) const STAMP_BYTES: usize = 8;
/// Most channels of a stream; more is taken for a damaged header.
pub const MAX_CHANNELS: usize = 1 << 20;
/// A string takes at least a size byte and one byte of length.
const MIN_STRING_BYTES: u64 = 2;

/// What is needed of a stream's header to take its samples apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SampleLayout {
    pub(crate) channels: usize,
    /// Bytes of one value; `None` for strings.
    pub(crate) value_bytes: Option<usize>,
    /// What is added to the stamp before where a stamp was left out.
    pub(crate) interval_s: f64,
}

impl SampleLayout {
    /// `None` if no chunk could hold a sample.
    pub(crate) fn new(info: &StreamInfo) -> Option<Self> {
        let value_bytes = info.format.value_bytes();
        let bytes = (info.channel_count as u64).checked_mul(value_bytes.unwrap_or(1) as u64)?;
        let fits = info.channel_count <= MAX_CHANNELS && bytes < MAX_CHUNK_BYTES;
        fits.then(|| Self {
            channels: info.channel_count,
            value_bytes,
            interval_s: if info.nominal_rate_hz > 0.0 { 1.0 / info.nominal_rate_hz } else { 0.0 },
        })
    }

    /// Bytes of all values of one sample; `None` for strings.
    pub(crate) fn sample_bytes(&self) -> Option<usize> {
        self.value_bytes.map(|bytes| bytes * self.channels)
    }

    /// Whether `count` samples can have `body_bytes` bytes together.
    pub(crate) fn fits(&self, count: u64, body_bytes: u64) -> bool {
        match self.sample_bytes() {
            Some(values) => self.stamps(count, body_bytes, values).is_some(),
            None => {
                let least = (self.channels as u64 * MIN_STRING_BYTES + FLAG_BYTES as u64).checked_mul(count);
                let most = if self.channels == 0 { count.saturating_mul(9) } else { u64::MAX };
                least.is_some_and(|least| least <= body_bytes)
                    && body_bytes <= most
                    && (count > 0 || body_bytes == 0)
            }
        }
    }

    /// How many of `count` numeric samples carry a stamp if they take exactly `body_bytes` bytes.
    fn stamps(&self, count: u64, body_bytes: u64, values: usize) -> Option<u64> {
        let bare = (values as u64 + FLAG_BYTES as u64).checked_mul(count)?;
        let stamps = body_bytes.checked_sub(bare)?;
        let whole = stamps.is_multiple_of(STAMP_BYTES as u64);
        Some(stamps / STAMP_BYTES as u64).filter(|&stamps| whole && stamps <= count)
    }

    /// What the sizes alone say about where the samples lie.
    pub(crate) fn shape(&self, count: u64, body_bytes: u64) -> Shape {
        match self.sample_bytes().and_then(|values| self.stamps(count, body_bytes, values)) {
            Some(stamps) if stamps == count => Shape::Stamped,
            Some(1) => Shape::First,
            _ => Shape::Mixed,
        }
    }
}

/// What a chunk's sizes say about the stamps in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every sample has one.
    Stamped,
    /// Exactly one has; if that is the first, all samples after it lie evenly.
    First,
    /// It takes a walk to know.
    Mixed,
}

/// The number types a column can hold.
pub(crate) trait Value: Copy + Default + Send + 'static {
    /// Its size in a file.
    const BYTES: usize;
    /// From the first bytes of a slice, which must have [`BYTES`](Self::BYTES).
    fn from_file(bytes: &[u8]) -> Self;
}

macro_rules! value {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const BYTES: usize = size_of::<$type>();
            #[inline(always)]
            fn from_file(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or(Self::default(), |raw| Self::from_le_bytes(*raw))
            }
        }
    )*};
}
value!(i8, i16, i32, i64, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ChannelFormat;

    fn layout(format: ChannelFormat, channels: usize) -> SampleLayout {
        SampleLayout::new(&StreamInfo::new("", "", channels, 0.0, format)).unwrap()
    }

    #[test]
    fn sizes_tell_the_number_of_stamps() {
        let two = layout(ChannelFormat::Int16, 2);
        assert_eq!(two.shape(10, 10 * 13), Shape::Stamped);
        assert_eq!(two.shape(10, 10 * 5 + 8), Shape::First);
        assert_eq!(two.shape(10, 10 * 5), Shape::Mixed);
        assert!(two.fits(10, 10 * 5 + 16) && two.fits(0, 0));
        for wrong in [49, 51, 139, 138, 0] {
            assert!(!two.fits(10, wrong));
        }
        assert!(!two.fits(u64::MAX, 100) && !two.fits(0, 1));
    }

    #[test]
    fn a_header_beyond_any_chunk_is_no_layout() {
        for (format, channels) in
            [(ChannelFormat::Int8, MAX_CHANNELS + 1), (ChannelFormat::String, usize::MAX)]
        {
            assert!(SampleLayout::new(&StreamInfo::new("", "", channels, 0.0, format)).is_none());
        }
    }
}
