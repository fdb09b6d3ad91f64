//! Which range of clock offsets times a sample: pyxdf's rule, in one pass.

use crate::{Around, Piece, Range};

/// Assigns stamps to pieces as pyxdf's `_clock_sync` does: a range ends before the first sample that is
/// not nearer to its last offset than to the next range's first offset; ranges may be empty. The stamps
/// are taken one after the other, so that they may be given in blocks.
#[derive(Debug, Clone)]
pub struct NearestRanges {
    /// Last offset of each piece, and first offset of the next one.
    cuts_s: Vec<(f64, f64)>,
    piece: usize,
    first: u64,
    count: u64,
    ranges: Vec<Range>,
}

impl NearestRanges {
    /// For the pieces of a map, in order. The offsets' times are the ends of `device_span_s`.
    pub fn new(pieces: &[Piece]) -> Self {
        let cuts_s =
            pieces.windows(2).map(|pair| (pair[0].device_span_s.1, pair[1].device_span_s.0)).collect();
        Self { cuts_s, piece: 0, first: 0, count: 0, ranges: Vec::new() }
    }

    /// The next stamps, as recorded.
    pub fn push(&mut self, device_times_s: &[f64]) {
        for (i, time_s) in device_times_s.iter().enumerate() {
            while let Some((end_s, next_s)) = self.cuts_s.get(self.piece) {
                if (time_s - end_s).abs() < (time_s - next_s).abs() {
                    break;
                }
                self.close(self.count + i as u64);
                self.piece += 1;
            }
            if self.piece == self.cuts_s.len() {
                break;
            }
        }
        self.count += device_times_s.len() as u64;
    }

    /// All stamps were given: the ranges that hold samples, in order.
    pub fn finish(mut self) -> Vec<Range> {
        self.close(self.count);
        self.ranges
    }

    fn close(&mut self, end: u64) {
        if end > self.first {
            self.ranges.push(Range { first: self.first, end, piece: self.piece, around: Around::No });
            self.first = end;
        }
    }
}

/// pyxdf's `clock_segments`: first and last sample (inclusive) of each range. Empty where the map has no
/// pieces, that is, where nothing was synchronized.
pub fn clock_segments(pieces: &[Piece], ranges: &[Range]) -> Vec<(u64, u64)> {
    if pieces.is_empty() {
        return Vec::new();
    }
    ranges.iter().filter(|r| r.end > r.first).map(|r| (r.first, r.end - 1)).collect()
}
