//! The samples of one datagram.

use crate::stamp::RawStamp;

/// Samples of one datagram, sample-major, in buffers that are used again and again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Samples in it.
    pub samples: usize,
    /// Samples of the same datagram that stand in another batch, before this one and after it.
    pub elsewhere: (usize, usize),
    /// Stamps as they stood in the data: one per sample, one for all, or none (arrival time).
    pub stamps: Vec<RawStamp>,
    /// Sequence numbers likewise.
    pub sequence: Vec<i64>,
    /// Values of a numeric format, in native byte order.
    pub values: Vec<u8>,
    /// Values of the format string.
    pub texts: Spans,
}

/// Texts in one buffer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spans {
    text: String,
    /// Start and end of each value in `text`.
    spans: Vec<(usize, usize)>,
}

impl Spans {
    /// Forget all.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Append `count` empty texts.
    pub fn extend_empty(&mut self, count: usize) {
        self.spans.resize(self.spans.len() + count, (0, 0));
    }

    /// Set the text at `index`, if there is one.
    pub fn set(&mut self, index: usize, text: &str) {
        if let Some(span) = self.spans.get_mut(index) {
            let start = self.text.len();
            self.text.push_str(text);
            *span = (start, self.text.len());
        }
    }

    /// All texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().map(|&(start, end)| self.text.get(start..end).unwrap_or_default())
    }
}

impl Batch {
    /// Forget all samples, keep the buffers.
    pub fn clear(&mut self) {
        self.samples = 0;
        self.elsewhere = (0, 0);
        self.stamps.clear();
        self.sequence.clear();
        self.values.clear();
        self.texts.clear();
    }

    /// Take off all samples from `at` on, as a batch of their own. Only for batches that have a
    /// sequence number per sample.
    pub fn split_off(&mut self, at: usize) -> Self {
        let at = at.min(self.samples);
        let samples = self.samples - at;
        let per_sample = |len: usize| len.checked_div(self.samples).unwrap_or(0);
        let (value_bytes, texts) = (per_sample(self.values.len()), per_sample(self.texts.spans.len()));
        // One stamp for all stays with both.
        let stamps =
            if self.stamps.len() == self.samples { self.stamps.split_off(at) } else { self.stamps.clone() };
        let (before, after) = self.elsewhere;
        let rest = Self {
            samples,
            elsewhere: (before + at, after),
            stamps,
            sequence: self.sequence.split_off(at.min(self.sequence.len())),
            values: self.values.split_off(at * value_bytes),
            texts: Spans { text: self.texts.text.clone(), spans: self.texts.spans.split_off(at * texts) },
        };
        (self.samples, self.elsewhere) = (at, (before, after + samples));
        rest
    }

    /// How many samples from the start on have consecutive numbers (modulo 2^`bits`), when every
    /// sample has one.
    pub fn consecutive(&self, bits: u32) -> usize {
        let broken = self.sequence.windows(2).position(|pair| {
            let due = pair[0].wrapping_add(1);
            lockstep_plugin_api::wrap::nearest(pair[1], due, bits) != due
        });
        broken.map_or(self.samples, |at| at + 1)
    }
}
