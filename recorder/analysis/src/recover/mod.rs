//! A cleanly closed file from a torn or damaged one.
//!
//! What can be read is copied as it is, byte for byte: samples, stamps, headers, clock offsets. What is
//! anew are the lengths of chunks that were damaged, and the footers. Everything that is not copied is
//! listed with its place. The original is only read.
//!
//! [`plan`] decides everything and writes nothing; [`write()`] does what it says.

mod footer;
mod header;
mod offsets;
mod side;
mod skipped;
mod stream;
mod write;

use std::collections::HashSet;

use lockstep_xdf::{ClockOffset, LoadError};
use serde::Serialize;

use crate::Recording;
use crate::check::checksums::{self, Checksums};
use stream::Samples;

pub use footer::Footer;
pub use header::Origin;
pub use skipped::Skipped;
pub use write::{RecoverError, crc32_of, default_name, write, write_into};

/// Clock offsets that are listed one by one, of all streams together; of more, only the number.
const LISTED_OFFSETS: usize = 10_000;

/// What is being done, for a progress display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Samples are looked at.
    Reading {
        /// Samples done.
        done: u64,
        /// Samples altogether.
        of: u64,
    },
    /// The new file is written, and read once more to be sure.
    Writing {
        /// Bytes of the damaged file done.
        done: u64,
        /// Bytes altogether.
        of: u64,
    },
}

/// What is recovered of a file, and what is not.
#[derive(Debug, Serialize)]
pub struct Recovery {
    /// Size of the (unpacked) file in bytes.
    pub bytes: u64,
    /// The streams that are kept.
    pub streams: Vec<RecoveredStream>,
    /// All that is not in the new file as it was in the old one, in the order of the file.
    pub skipped: Vec<Skipped>,
    /// Places beyond those that are listed.
    pub skipped_left_out: u64,
    /// What the recorder's own checksums say, where there are any.
    pub checksums: Option<Checksums>,
    /// Why only a part of a packed file could be unpacked.
    pub unpack_fault: Option<String>,
    /// The file's header was missing or unreadable, and is made anew.
    pub file_header_made: bool,
    /// Files beside the recording that it mentions, such as video: they are left alone.
    pub side_files: Vec<String>,
    #[serde(skip)]
    samples: Vec<Samples>,
    /// Clock offsets that are not copied, by their place in the file.
    #[serde(skip)]
    dropped_offsets: HashSet<u64>,
}

/// What is recovered of one stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecoveredStream {
    /// Its name.
    pub name: String,
    /// Its id in the new file.
    pub id: u32,
    /// Its id in the old file, where that is another: two streams had the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_id: Option<u32>,
    /// Samples that were recorded, if its footer is there to say so.
    pub samples_before: Option<u64>,
    /// Samples in the new file.
    pub samples: u64,
    /// Samples that are known to be lost: by the footer, or by what damaged chunks say of themselves.
    pub samples_lost: u64,
    /// Clock offsets in the new file.
    pub clock_offsets: u64,
    /// Clock offsets that were never measured, and are left out.
    pub clock_offsets_dropped: u64,
    /// What becomes of its footer.
    pub footer: Footer,
    #[serde(skip)]
    footer_xml: String,
}

impl Recovery {
    /// Samples that are known to be lost, those of unknown streams included.
    pub fn samples_lost(&self) -> u64 {
        let known = |skipped: &&Skipped| {
            skipped.is_lost && !self.streams.iter().any(|stream| Some(stream.old_id()) == skipped.stream_id)
        };
        let unknown: u64 = self.skipped.iter().filter(known).filter_map(|skipped| skipped.samples_lost).sum();
        self.streams.iter().map(|stream| stream.samples_lost).sum::<u64>() + unknown
    }

    /// Bytes of the old file that held something, and are not in the new one.
    pub fn bytes_skipped(&self) -> u64 {
        self.skipped.iter().filter(|skipped| skipped.is_lost).map(|skipped| skipped.bytes).sum()
    }

    /// Whether anything that was recorded is not in the new file, or not as it was recorded.
    pub fn is_lossy(&self) -> bool {
        self.skipped.iter().any(|skipped| skipped.is_lost)
            || self.skipped_left_out > 0
            || self.unpack_fault.is_some()
            || self.streams.iter().any(|stream| stream.samples_lost > 0)
            || self.checksums.as_ref().is_some_and(|checksums| !checksums.wrong.is_empty())
    }
}

impl RecoveredStream {
    fn old_id(&self) -> u32 {
        self.old_id.unwrap_or(self.id)
    }
}

/// Decide what is kept of a recording. Every sample is looked at, none is kept in memory.
///
/// # Errors
/// When the file cannot be read; damage is no error.
pub fn plan(recording: &Recording, progress: &mut dyn FnMut(Progress)) -> Result<Recovery, LoadError> {
    let scan = &recording.scan;
    let of = scan.streams.iter().map(|stream| stream.sample_count).sum();
    let gaps = stream::gaps(recording);
    let mut recovery = Recovery {
        bytes: scan.bytes,
        streams: Vec::with_capacity(scan.streams.len()),
        skipped: scan.damage.iter().map(|damage| Skipped::new(recording, damage)).collect(),
        skipped_left_out: scan.damage_left_out,
        checksums: checksums::verify(recording)?,
        unpack_fault: recording.unpack_fault.clone(),
        file_header_made: recording.header.is_none(),
        side_files: side::files(recording)?,
        samples: Vec::with_capacity(scan.streams.len()),
        dropped_offsets: HashSet::new(),
    };
    recovery
        .skipped
        .extend(scan.unknown_chunks.iter().filter_map(|chunk| Skipped::unknown(recording, chunk)));
    let mut ids = Ids::new(recording);
    let mut done = 0;
    for (index, stream) in scan.streams.iter().enumerate() {
        let samples = stream::plan(recording, index, &gaps, &mut |samples| {
            progress(Progress::Reading { done: done + samples, of });
        })?;
        done += stream.sample_count;
        let places = samples.damage.iter().map(|damage| Skipped::new(recording, damage));
        let dropped = samples.dropped.iter().map(|dropped| Skipped::dropped(stream, dropped));
        recovery.skipped.extend(places.chain(dropped));
        recovery.skipped_left_out += samples.damage_left_out;
        let garbage = offsets::garbage(&stream.clock_offsets);
        recovery.drop_offsets(recording, index, &garbage);
        let kept: Vec<&ClockOffset> = stream
            .clock_offsets
            .iter()
            .enumerate()
            .filter(|(at, _)| garbage.binary_search(at).is_err())
            .map(|(_, offset)| offset)
            .collect();
        let samples_before = stream.footer.as_ref().map(|footer| footer.sample_count);
        let known: u64 = recovery
            .skipped
            .iter()
            .filter(|skipped| skipped.is_lost && skipped.stream_id == Some(stream.id))
            .filter_map(|skipped| skipped.samples_lost)
            .sum();
        // A footer that counts fewer than there are says nothing.
        let by_footer = samples_before.and_then(|before| before.checked_sub(samples.count));
        let samples_lost = by_footer.unwrap_or(known);
        let (footer, footer_xml) = footer::footer(stream, &samples, &kept, samples_lost);
        let id = ids.give(stream.id);
        recovery.streams.push(RecoveredStream {
            name: stream.info.name.clone(),
            id,
            old_id: Some(stream.id).filter(|&old| old != id),
            samples_before,
            samples: samples.count,
            samples_lost,
            clock_offsets: kept.len() as u64,
            clock_offsets_dropped: garbage.len() as u64,
            footer,
            footer_xml,
        });
        recovery.samples.push(samples);
    }
    recovery.skipped.sort_by_key(|skipped| (skipped.byte, skipped.bytes));
    recovery.skipped.dedup();
    Ok(recovery)
}

impl Recovery {
    fn drop_offsets(&mut self, recording: &Recording, index: usize, garbage: &[usize]) {
        let stream = &recording.scan.streams[index];
        for &at in garbage {
            let offset = &stream.clock_offsets[at];
            if self.dropped_offsets.len() < LISTED_OFFSETS {
                self.skipped.push(Skipped::offset(recording, stream, offset));
            } else {
                self.skipped_left_out += 1;
            }
            self.dropped_offsets.insert(offset.file_offset);
        }
    }
}

/// Ids for streams of which two may have the same.
struct Ids {
    taken: HashSet<u32>,
    given: HashSet<u32>,
}

impl Ids {
    fn new(recording: &Recording) -> Self {
        let taken = recording.scan.streams.iter().map(|stream| stream.id).collect();
        Self { taken, given: HashSet::new() }
    }

    fn give(&mut self, id: u32) -> u32 {
        let id = if self.given.contains(&id) {
            (1..=u32::MAX).find(|id| !self.taken.contains(id)).unwrap_or(id)
        } else {
            id
        };
        self.taken.insert(id);
        self.given.insert(id);
        id
    }
}
