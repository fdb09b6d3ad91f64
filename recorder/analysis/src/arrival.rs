//! When the chunks of a file were written, as far as the file shows it.
//!
//! No chunk says when it was written. But a ClockOffset chunk holds a host time at which it was
//! measured (collection time plus offset), and chunks are written in order: whatever stands before it
//! in the file was there by then, give or take the recorder's buffers.

use lockstep_xdf::{SampleChunk, Scan};

/// Host times along a file, rising with the place in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Place in the file and host time in seconds, both rising.
    points: Vec<(u64, f64)>,
}

impl Timeline {
    /// The host times of all clock offsets of a file. Those that do not fit in with most others are
    /// left out (LabRecorder writes arbitrary numbers after a time-out): what stays is the longest
    /// rising subsequence.
    pub fn of(scan: &Scan) -> Self {
        let offsets = scan.streams.iter().flat_map(|stream| &stream.clock_offsets);
        let mut points: Vec<(u64, f64)> =
            offsets.map(|o| (o.file_offset, o.collection_time_s + o.offset_s)).collect();
        points.retain(|point| point.1.is_finite());
        points.sort_by_key(|point| point.0);
        Self { points: longest_rising(&points) }
    }

    /// Host time by which what stands at `file_offset` had arrived; `None` behind the last point.
    pub fn arrived_s(&self, file_offset: u64) -> Option<f64> {
        let next = self.points.partition_point(|point| point.0 <= file_offset);
        self.points.get(next).map(|point| point.1)
    }
}

/// The longest subsequence whose times never fall (patience sorting, O(n log n)).
fn longest_rising(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    // piles[k]: index of the lowest last element of all rising subsequences of length k + 1.
    let mut piles: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(points.len());
    for (index, point) in points.iter().enumerate() {
        let pile = piles.partition_point(|&top| points[top].1 <= point.1);
        before.push(pile.checked_sub(1).map(|under| piles[under]));
        if pile == piles.len() {
            piles.push(index);
        } else {
            piles[pile] = index;
        }
    }
    let mut rising = Vec::with_capacity(piles.len());
    let mut at = piles.last().copied();
    while let Some(index) = at {
        rising.push(points[index]);
        at = before[index];
    }
    rising.reverse();
    rising
}

/// Walks along the chunks of one stream, to say of each sample when it had arrived.
#[derive(Debug)]
pub(crate) struct Arrivals<'a> {
    timeline: &'a Timeline,
    chunks: &'a [SampleChunk],
}

impl<'a> Arrivals<'a> {
    pub(crate) fn new(timeline: &'a Timeline, chunks: &'a [SampleChunk]) -> Self {
        Self { timeline, chunks }
    }

    /// Cuts `count` samples, of which the first stands in the chunk at `file_offset` as its first,
    /// where the time of arrival changes. Calls `each` with how many samples, and their time.
    ///
    /// Where a damaged chunk holds fewer samples than it says, samples up to the next block are taken
    /// as older than they are, by a chunk or so.
    pub(crate) fn split(&self, file_offset: u64, count: usize, mut each: impl FnMut(usize, Option<f64>)) {
        let first = self.chunks.partition_point(|chunk| chunk.file_offset < file_offset);
        let (mut left, mut run, mut arrived_s) = (count, 0, None);
        for chunk in &self.chunks[first..] {
            if left == 0 {
                break;
            }
            let samples = (chunk.samples as usize).min(left);
            let chunk_arrived_s = self.timeline.arrived_s(chunk.file_offset);
            if run > 0 && chunk_arrived_s != arrived_s {
                each(run, arrived_s);
                run = 0;
            }
            arrived_s = chunk_arrived_s;
            run += samples;
            left -= samples;
        }
        if run + left > 0 {
            each(run + left, arrived_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_do_not_fit_in_are_left_out() {
        let times_s = [1.0, 1e300, 2.0, -7e5, 3.0, 0.0, 4.0];
        let points: Vec<_> = (10..).zip(times_s).collect();
        let timeline = Timeline { points: longest_rising(&points) };
        assert_eq!(timeline.points, [(10, 1.0), (12, 2.0), (14, 3.0), (16, 4.0)]);
        assert_eq!(timeline.arrived_s(0), Some(1.0));
        assert_eq!(timeline.arrived_s(12), Some(3.0));
        assert_eq!(timeline.arrived_s(16), None);
        assert_eq!(Timeline::default().arrived_s(0), None);
    }

    proptest! {
        #[test]
        fn the_rising_subsequence_rises(times_s in proptest::collection::vec(-50i8..50, 0..60)) {
            let points: Vec<_> = (0..).zip(times_s.iter().map(|&t| f64::from(t))).collect();
            let rising = longest_rising(&points);
            prop_assert!(rising.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
            // No shorter than what a greedy walk finds.
            let mut greedy = Vec::new();
            for point in &points {
                if greedy.last().is_none_or(|&last: &f64| last <= point.1) {
                    greedy.push(point.1);
                }
            }
            prop_assert!(rising.len() >= greedy.len());
        }
    }
}
