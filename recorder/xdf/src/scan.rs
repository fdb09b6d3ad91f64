//! What is in a file and where, without reading sample data.

use std::collections::HashMap;
use std::io;

use crate::columns::StreamData;
use crate::damage::{Damage, DamageList, DamageReason};
use crate::decode::Chunk;
use crate::encode::Tag;
use crate::footer::StreamFooter;
use crate::header::StreamInfo;
use crate::reader::{ChunkReader, ReadError};
use crate::source::ReadAt;

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
    #[error(
        "not an XDF file: it begins with bytes {found:02x?}, not with \"XDF:\"; a packed one must be unpacked first"
    )]
    NotXdf {
        /// The first bytes, at most four.
        found: Vec<u8>,
    },
}

struct Stream<'a> {
    source: &'a dyn ReadAt,
    offset: u64,
}

impl io::Read for Stream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let size = self.source.read_at(self.offset, buf)?;
        self.offset += size as u64;
        Ok(size)
    }
}

/// Finds the streams of a file and where their samples are; reads heads, XML and clock offsets
/// only. `progress` is told how many bytes of the file are behind.
///
/// # Errors
/// [`ScanError`]; never because of damage after the first four bytes.
pub fn scan(source: &dyn ReadAt, progress: &mut dyn FnMut(u64)) -> Result<Scan, ScanError> {
    let mut scan = Scan { bytes: source.size_bytes(), ..Scan::default() };
    let mut damage = DamageList::default();
    let mut latest: HashMap<u32, usize> = HashMap::new();
    let mut reader = ChunkReader::new(Stream { source, offset: 0 });
    loop {
        let offset = reader.offset();
        progress(offset);
        let bad = |reason, stream_id| Damage { offset, bytes: 0, reason, stream_id, samples_lost: None };
        match reader.next_chunk() {
            Ok(None) => break,
            Ok(Some((file_offset, chunk))) => match chunk {
                Chunk::FileHeader { xml } => scan.header_xml = Some(xml.into_owned()),
                Chunk::StreamHeader { stream_id, xml } => match StreamInfo::parse(&xml) {
                    Ok(info) => {
                        latest.insert(stream_id, scan.streams.len());
                        scan.streams.push(ScannedStream {
                            id: stream_id,
                            info,
                            header_xml: xml.into_owned(),
                            header_offset: file_offset,
                            footer: None,
                            footer_xml: None,
                            sample_count: 0,
                            clock_offsets: Vec::new(),
                            chunks: Vec::new(),
                        });
                    }
                    Err(error) => {
                        let reason = DamageReason::BadXml { tag: Tag::StreamHeader, why: error.to_string() };
                        damage.push(bad(reason, Some(stream_id)));
                    }
                },
                Chunk::Samples { stream_id, sample_count, body } => {
                    if let Some(stream) = latest.get(&stream_id).and_then(|&i| scan.streams.get_mut(i)) {
                        let body_bytes = body.len() as u32;
                        stream.sample_count += sample_count;
                        let unread = reader.unread();
                        let total = match crate::decode::frame(unread) {
                            Ok(crate::decode::Frame::Whole { content, .. }) => content.end,
                            _ => 0,
                        };
                        stream.chunks.push(SampleChunk {
                            file_offset,
                            head_bytes: (total - body_bytes as usize) as u8,
                            body_bytes,
                            samples: sample_count as u32,
                        });
                    } else {
                        damage.push(bad(DamageReason::UnknownStream, Some(stream_id)));
                    }
                }
                Chunk::ClockOffset { stream_id, collection_time_s, offset_s } => {
                    if let Some(stream) = latest.get(&stream_id).and_then(|&i| scan.streams.get_mut(i)) {
                        stream.clock_offsets.push(ClockOffset { collection_time_s, offset_s, file_offset });
                    }
                }
                Chunk::Boundary => scan.boundaries.push(file_offset),
                Chunk::StreamFooter { stream_id, xml } => {
                    if let Some(stream) = latest.get(&stream_id).and_then(|&i| scan.streams.get_mut(i)) {
                        stream.footer = StreamFooter::parse(&xml).ok();
                        stream.footer_xml = Some(xml.into_owned());
                    }
                }
                Chunk::Unknown { tag, .. } => damage.push(bad(DamageReason::UnknownTag(tag), None)),
            },
            Err(ReadError::Io { offset, source }) => return Err(ScanError::Io { offset, source }),
            Err(ReadError::NotXdf { found }) => return Err(ScanError::NotXdf { found: found.to_vec() }),
            Err(_) if offset == 0 => return Err(ScanError::NotXdf { found: reader.unread().to_vec() }),
            Err(_) => {
                let bytes = match reader.resync() {
                    Ok(bytes) => bytes,
                    Err(_) => break,
                };
                damage.push(Damage { bytes, ..bad(DamageReason::NotAChunk, None) });
            }
        }
    }
    scan.damage = damage.list;
    scan.damage_left_out = damage.left_out;
    Ok(scan)
}

impl Scan {
    /// The samples of one stream in constant memory, block after block.
    pub fn blocks<'a>(
        &'a self,
        source: &'a dyn ReadAt,
        stream: usize,
        selection: crate::load::Selection,
    ) -> crate::blocks::Blocks<'a> {
        crate::blocks::Blocks::new(self, source, stream, selection)
    }

    /// No samples of that stream, with the columns that were chosen.
    pub(crate) fn empty_data(&self, stream: usize, selection: &crate::load::Selection) -> Option<StreamData> {
        let info = &self.streams.get(stream)?.info;
        let channels = selection.channels.as_ref().map_or(info.channel_count, Vec::len);
        Some(StreamData::empty(info.format, channels))
    }
}
