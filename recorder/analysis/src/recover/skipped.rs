//! What is not copied, place by place.

use lockstep_xdf::{
    Chunk, ClockOffset, Damage, DamageReason, ScannedStream, Step, Tag, UnknownChunk, next_chunk,
};
use serde::Serialize;

use super::stream::Dropped;
use crate::Recording;

/// Bytes that hold any ClockOffset chunk, and the tag of any other.
const HEAD_BYTES: usize = 9 + 22;
/// A ClockOffset chunk as recorders write it.
const OFFSET_BYTES: u64 = 24;

/// Something that is in the old file and not in the new one, or not as it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skipped {
    /// Where it begins, in bytes from the start of the (unpacked) file.
    pub byte: u64,
    /// Bytes that were passed over; 0 where all of them could be used all the same. Of chunks whose
    /// stream or kind is not known, the bytes of all of them together.
    pub bytes: u64,
    /// Id of its stream in the old file, if that is known.
    pub stream_id: Option<u32>,
    /// Name of its stream.
    pub stream: Option<String>,
    /// Samples that are lost, if that is known.
    pub samples_lost: Option<u64>,
    /// What was there.
    pub what: String,
    /// Whether something that was recorded is lost by it: not so where a footer is made anew, or an
    /// arbitrary number is left out.
    pub is_lost: bool,
}

impl Skipped {
    pub(super) fn new(recording: &Recording, damage: &Damage) -> Self {
        let Damage { offset: byte, bytes, stream_id, samples_lost, .. } = *damage;
        let stream = stream_id.and_then(|id| recording.scan.streams.iter().find(|stream| stream.id == id));
        let mut what = damage.reason.to_string();
        let is_lost = match &damage.reason {
            DamageReason::WrongLength { .. } | DamageReason::WrongCount { .. } => {
                what.push_str("; mended");
                bytes > 0 || samples_lost.is_some_and(|lost| lost > 0)
            }
            DamageReason::RepeatedHeader => {
                what.push_str(if bytes > 0 {
                    "; the first one is kept"
                } else {
                    "; it is given an id of its own"
                });
                false
            }
            DamageReason::BadXml { tag: Tag::StreamFooter, .. } => {
                what.push_str("; made anew");
                false
            }
            // What is written anew in any case.
            DamageReason::Cut | DamageReason::NotAChunk if is_closing(recording, damage) => {
                what = "a torn footer, made anew".to_owned();
                false
            }
            DamageReason::BadClockOffset => {
                if let Some((time_s, value_s)) = offset_at(recording, byte) {
                    what =
                        format!("a clock offset of {value_s:e} s at {time_s:e} s, which was never measured");
                }
                recording.is_lockstep()
            }
            // These are summed up, for there can be as many as the file has chunks.
            DamageReason::UnknownStream => {
                what.push_str("; all such chunks together");
                true
            }
            DamageReason::UnknownTag(_) => {
                what.push_str("; kept as it is, and all such chunks");
                recording.scan.unknown_chunks.len() >= lockstep_xdf::MAX_DAMAGE
            }
            _ => true,
        };
        Self {
            byte,
            bytes,
            stream_id,
            stream: stream.map(|s| s.info.name.clone()),
            samples_lost,
            what,
            is_lost,
        }
    }

    /// A chunk whose tag was changed, by all appearances.
    pub(super) fn unknown(recording: &Recording, chunk: &UnknownChunk) -> Option<Self> {
        let (id, samples) = chunk.like_samples?;
        let stream = recording.scan.streams.iter().find(|stream| stream.id == id);
        Some(Self {
            byte: chunk.file_offset,
            bytes: chunk.bytes,
            stream_id: Some(id),
            stream: stream.map(|stream| stream.info.name.clone()),
            samples_lost: Some(samples),
            what: "what could be samples, were it not for the chunk's tag; kept as it is".to_owned(),
            is_lost: true,
        })
    }

    pub(super) fn dropped(stream: &ScannedStream, dropped: &Dropped) -> Self {
        Self {
            byte: dropped.offset,
            bytes: dropped.bytes,
            stream_id: Some(stream.id),
            stream: Some(stream.info.name.clone()),
            samples_lost: Some(dropped.samples),
            what: dropped.why.to_owned(),
            is_lost: true,
        }
    }

    pub(super) fn offset(recording: &Recording, stream: &ScannedStream, offset: &ClockOffset) -> Self {
        let ClockOffset { collection_time_s, offset_s, file_offset } = *offset;
        Self {
            byte: file_offset,
            bytes: OFFSET_BYTES,
            stream_id: Some(stream.id),
            stream: Some(stream.info.name.clone()),
            samples_lost: Some(0),
            what: format!(
                "a clock offset of {offset_s:e} s at {collection_time_s:e} s, which was never measured"
            ),
            // Lockstep writes what was measured: another number was changed since.
            is_lost: recording.is_lockstep(),
        }
    }
}

/// The first bytes of a chunk.
fn head(recording: &Recording, offset: u64) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    let got = recording.source().read_at(offset, &mut bytes).unwrap_or(0);
    bytes.truncate(got);
    bytes
}

/// Whether a footer or a mark begins there, after all samples.
fn is_closing(recording: &Recording, damage: &Damage) -> bool {
    let chunks = recording.scan.streams.iter().filter_map(|stream| stream.chunks.last());
    if chunks.map(|chunk| chunk.end()).max().is_some_and(|end| damage.offset < end) {
        return false;
    }
    let bytes = head(recording, damage.offset);
    let tag = match bytes.first() {
        Some(&size @ (1 | 4 | 8)) => bytes.get(1 + usize::from(size)..3 + usize::from(size)),
        _ => None,
    };
    matches!(tag, Some([5 | 6, 0]))
}

/// The numbers of a clock offset that cannot be used.
fn offset_at(recording: &Recording, offset: u64) -> Option<(f64, f64)> {
    match next_chunk(&head(recording, offset)) {
        Ok(Step::Chunk { chunk: Chunk::ClockOffset { collection_time_s, offset_s, .. }, .. }) => {
            Some((collection_time_s, offset_s))
        }
        _ => None,
    }
}
