//! The stamps of one stream, looked at one by one.

use lockstep_xdf::{Damage, LoadError, SampleChunk, Selection};
use serde::Serialize;

use crate::Recording;

/// Places that are kept of each kind; of more, only the number.
const MAX_PLACES: usize = 20;

/// One sample, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Place {
    /// Number of the sample in its stream, counted from 0.
    pub sample: u64,
    /// Where its chunk begins, in bytes from the start of the (unpacked) file.
    pub chunk_offset: u64,
    /// What its stamp is more than the one before, in seconds, where both are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_s: Option<f64>,
}

/// How often something was seen, and where first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Places {
    /// How often.
    pub count: u64,
    /// The first ones.
    pub first: Vec<Place>,
}

impl Places {
    fn push(&mut self, place: impl FnOnce() -> Place) {
        self.count += 1;
        if self.first.len() < MAX_PLACES {
            self.first.push(place());
        }
    }
}

/// What a pass over the stamps of a stream found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StampFacts {
    /// Samples that can be read.
    pub samples: u64,
    /// Stamp of the first one, as recorded.
    pub first_s: Option<f64>,
    /// Stamp of the last one, as recorded.
    pub last_s: Option<f64>,
    /// Stamps that are earlier than the one before.
    pub back: Places,
    /// Stamps that are no numbers.
    pub not_finite: Places,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

impl StampFacts {
    /// Read the stamps of one stream, in constant memory. `progress` is told how many samples are done.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such stream.
    pub fn read(
        recording: &Recording,
        stream: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LoadError> {
        let mut facts = Self::default();
        let chunks = recording.scan.streams.get(stream).map_or(&[][..], |stream| &stream.chunks);
        let stamps_only = Selection { channels: Some(Vec::new()), time_range_s: None };
        let mut blocks = recording.scan.blocks(recording.source(), stream, stamps_only);
        // The last stamp that is a number: what goes back goes back behind it.
        let mut last_s: Option<f64> = None;
        while let Some(block) = blocks.next_block()? {
            for (index, &stamp_s) in block.data.time_stamps_s.iter().enumerate() {
                let at = |step_s| Place {
                    sample: block.first_sample + index as u64,
                    chunk_offset: chunk_of(chunks, block.file_offset, index as u64),
                    step_s,
                };
                if !stamp_s.is_finite() {
                    facts.not_finite.push(|| at(None));
                    continue;
                }
                if let Some(before_s) = last_s.filter(|&before_s| stamp_s < before_s) {
                    facts.back.push(|| at(Some(stamp_s - before_s)));
                }
                last_s = Some(stamp_s);
            }
            facts.first_s = facts.first_s.or(block.data.time_stamps_s.first().copied());
            facts.last_s = block.data.time_stamps_s.last().copied();
            facts.samples += block.data.time_stamps_s.len() as u64;
            progress(facts.samples);
        }
        facts.damage = blocks.damage().to_vec();
        Ok(facts)
    }
}

/// Where the chunk begins that holds a sample: the `index`-th after the first of the chunk at
/// `file_offset`. Behind a damaged chunk, which holds fewer samples than it says, it can be the one before.
fn chunk_of(chunks: &[SampleChunk], file_offset: u64, index: u64) -> u64 {
    let first = chunks.partition_point(|chunk| chunk.file_offset < file_offset);
    let mut left = index;
    for chunk in &chunks[first..] {
        match left.checked_sub(u64::from(chunk.samples)) {
            Some(after) => left = after,
            None => return chunk.file_offset,
        }
    }
    chunks.last().map_or(file_offset, |chunk| chunk.file_offset)
}

/// Where the chunk begins that holds the sample with this number.
pub(super) fn chunk_of_sample(chunks: &[SampleChunk], sample: u64) -> u64 {
    chunk_of(chunks, 0, sample)
}
