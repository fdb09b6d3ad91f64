//! pyxdf's rule: a range ends at the first sample that is nearer to the next range's start than to its
//! own end.

use super::{Around, Range};
use crate::ClockMap;

/// The rule as it goes through the stamps.
#[derive(Debug)]
pub(super) struct Nearest {
    spans: Vec<(f64, f64)>,
    piece: usize,
    first: u64,
    count: u64,
    ranges: Vec<Range>,
}

impl Nearest {
    pub fn new(map: &ClockMap) -> Self {
        let spans = map.pieces.iter().map(|p| p.device_span_s).collect();
        Self { spans, piece: 0, first: 0, count: 0, ranges: Vec::new() }
    }

    pub fn push(&mut self, device_times_s: &[f64]) {
        for &device_s in device_times_s {
            while self.piece + 1 < self.spans.len()
                && (device_s - self.spans[self.piece].1).abs()
                    >= (device_s - self.spans[self.piece + 1].0).abs()
            {
                self.close();
                self.piece += 1;
            }
            self.count += 1;
        }
    }

    fn close(&mut self) {
        if self.count > self.first {
            let (first, end) = (self.first, self.count);
            self.ranges.push(Range { first, end, piece: self.piece, around: Around::No });
            self.first = end;
        }
    }

    pub fn finish(mut self) -> Vec<Range> {
        self.close();
        self.ranges
    }
}
