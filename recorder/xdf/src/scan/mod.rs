//! What is in a file and where, without reading sample data.

mod repair;
mod scanner;
mod search;

use std::io;

use crate::damage::Damage;
use crate::encode::MAGIC;
use crate::footer::StreamFooter;
use crate::header::StreamInfo;
use crate::source::{ReadAt, read_full};

use scanner::Scanner;
pub use scanner::{MAX_STREAMS, MAX_XML_BYTES};

/// How often progress is told.
const PROGRESS_BYTES: u64 = 1 << 20;

/// What [`scan`] found in a file.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// XML of the FileHeader chunk.
    pub header_xml: Option<String>,
    /// The streams, in the order of their first headers.
    pub streams: Vec<ScannedStream>,
    /// Everything that is not as it should be, in file order, up to [`crate::MAX_DAMAGE`] places.
    pub damage: Vec<Damage>,
    /// Damaged places beyond that limit.
    pub damage_left_out: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Where the Boundary chunks begin, in bytes from the start of the file.
    pub boundaries: Vec<u64>,
    /// Chunks of kinds that this format version does not define, up to [`crate::MAX_DAMAGE`] of them. They are
    /// in [`damage`](Self::damage) too, summed up by kind.
    pub unknown_chunks: Vec<UnknownChunk>,
}

/// A chunk of a kind that this format version does not define.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownChunk {
    /// Where it begins, in bytes from the start of the file.
    pub file_offset: u64,
    /// Bytes of all of it.
    pub bytes: u64,
    /// The stream and the number of samples that it would hold if it were a Samples chunk, where it can be
    /// one: its tag may be damaged.
    pub like_samples: Option<(u32, u64)>,
}

/// One stream of a file.
#[derive(Clone, Debug)]
pub struct ScannedStream {
    /// Its id in the file.
    pub id: u32,
    /// What its header says.
    pub info: StreamInfo,
    /// XML of its header.
    pub header_xml: String,
    /// Where its StreamHeader chunk begins, in bytes from the start of the file.
    pub header_offset: u64,
    /// What its footer says.
    pub footer: Option<StreamFooter>,
    /// XML of its footer.
    pub footer_xml: Option<String>,
    /// Samples as the chunks' heads say, as far as their lengths allow. [`crate::load`] may find
    /// fewer if samples are damaged.
    pub sample_count: u64,
    /// Its ClockOffset chunks, in file order.
    pub clock_offsets: Vec<ClockOffset>,
    /// Its Samples chunks, in file order.
    pub chunks: Vec<SampleChunk>,
}

/// One ClockOffset chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockOffset {
    /// When it was measured, in seconds of the stream's own clock.
    pub collection_time_s: f64,
    /// What to add to the stream's stamps, in seconds.
    pub offset_s: f64,
    /// Where the chunk begins, in bytes from the start of the file.
    pub file_offset: u64,
}

/// Where one Samples chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleChunk {
    /// Where the chunk begins, in bytes from the start of the file.
    pub file_offset: u64,
    /// Bytes from there to the first sample.
    pub head_bytes: u8,
    /// Bytes of its samples.
    pub body_bytes: u32,
    /// Samples in it; never more than `body_bytes`.
    pub samples: u32,
}

impl SampleChunk {
    /// Where the first sample begins, in bytes from the start of the file.
    pub fn body_offset(&self) -> u64 {
        self.file_offset + u64::from(self.head_bytes)
    }

    /// Where the samples end, in bytes from the start of the file.
    pub fn end(&self) -> u64 {
        self.body_offset() + u64::from(self.body_bytes)
    }
}

/// Why a file could not be scanned. Damage is no error: it is listed in [`Scan::damage`].
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It could not be read.
    #[error("cannot read the file at byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// The system's answer.
        source: io::Error,
    },
    /// It does not begin with `XDF:`.
    #[error("not an XDF file: it begins with bytes {found:02x?}, not with \"XDF:\"")]
    NotXdf {
        /// The first bytes, at most four.
        found: Vec<u8>,
    },
}

/// Finds the streams of a file and where their samples are; reads heads, XML and clock offsets,
/// and samples only where something is wrong. `progress` is told how many bytes of the file are
/// behind.
///
/// A chunk is believed if what it says of itself agrees (kind, length, stream, count) and another
/// chunk or the end of the file follows it. If not, both ways of finding its end are tried, its
/// length and a walk over its samples, and the one that leads to a chunk is taken; then the next
/// place where a chunk begins is searched. Whatever was wrong is in [`Scan::damage`].
///
/// # Errors
/// [`ScanError`]; never because of damage after the first four bytes.
pub fn scan(source: &dyn ReadAt, progress: &mut dyn FnMut(u64)) -> Result<Scan, ScanError> {
    let at = |offset| move |source| ScanError::Io { offset, source };
    let mut found = [0; MAGIC.len()];
    let size = read_full(source, 0, &mut found).map_err(at(0))?;
    if &found != MAGIC {
        return Err(ScanError::NotXdf { found: found[..size].to_vec() });
    }
    let mut scanner = Scanner::new(source);
    let mut offset = MAGIC.len() as u64;
    let mut told = 0;
    while offset < scanner.size {
        let next = scanner.step(offset).map_err(at(offset))?;
        // Every step goes on; if one did not, this would be endless.
        offset = next.max(offset + 1);
        if offset - told >= PROGRESS_BYTES {
            told = offset;
            progress(offset);
        }
    }
    progress(offset);
    Ok(scanner.finish())
}

impl Scan {
    /// The samples of one stream in constant memory, block after block.
    pub fn blocks<'a>(
        &'a self,
        source: &'a dyn ReadAt,
        stream: usize,
        selection: crate::load::Selection,
    ) -> crate::blocks::Blocks<'a> {
        crate::blocks::Blocks::new(self, source, stream, &selection)
    }
}
