//! The XDF file format: encode and decode chunks from and to byte slices.
//!
//! An XDF file is the four bytes `XDF:` followed by chunks. Every chunk is a length, a 16-bit tag
//! and its content, all little-endian:
//!
//! ```text
//! file    := "XDF:" chunk*
//! chunk   := varlen(length of tag + content) u16:tag content
//! varlen  := u8:n in {1, 4, 8}, then an unsigned integer of n bytes
//! FileHeader   (1) := xml
//! StreamHeader (2) := u32:stream_id xml
//! Samples      (3) := u32:stream_id varlen(sample count) sample*
//!     sample       := u8:(0 or 8) [f64:timestamp_s] value*channel_count
//!     string value := varlen(byte count) UTF-8 bytes
//! ClockOffset  (4) := u32:stream_id f64:collection_time_s f64:offset_s
//! Boundary     (5) := 16 fixed bytes, to find a chunk edge again in a damaged file
//! StreamFooter (6) := u32:stream_id xml
//! ```
//!
//! A sample without its own stamp is one nominal interval after the sample before it.
//!
//! What to use for what:
//! - write: [`SampleEncoder`] gathers samples, the functions of [`encode`] append whole chunks,
//!   [`StreamInfo`] and [`StreamFooter`] make the XML;
//! - read whole files: [`scan`] finds what is where, [`load`] and [`Scan::blocks`] give the samples
//!   as columns; damage is passed over and listed;
//! - read chunk by chunk: [`ChunkReader`] over any [`std::io::Read`], or [`next_chunk`] over bytes that are
//!   already there, then [`SampleDecoder`] for the samples of one stream.
//!
//! ```
//! use lockstep_xdf::{ChannelFormat, Chunk, ChunkReader, SampleBlock, SampleEncoder, StreamInfo, encode};
//!
//! let info = StreamInfo::new("Eye", "Gaze", 2, 200.0, ChannelFormat::Float32);
//! let mut samples = SampleEncoder::new(info.format, info.channel_count, info.nominal_rate_hz);
//! let values: Vec<u8> = [0.25f32, 0.75].iter().flat_map(|v| v.to_ne_bytes()).collect();
//! samples.push(&[10.0], &values)?;
//!
//! let mut file = Vec::new();
//! encode::file_header(&mut file, "<info><version>1.0</version></info>");
//! encode::stream_header(&mut file, 1, &info.to_xml());
//! encode::samples(&mut file, 1, &samples.take(SampleBlock::default()));
//!
//! let mut reader = ChunkReader::new(file.as_slice());
//! let mut count = 0;
//! while let Some((_offset, chunk)) = reader.next_chunk()? {
//!     if let Chunk::Samples { sample_count, .. } = chunk {
//!         count += sample_count;
//!     }
//! }
//! assert_eq!(count, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod blocks;
mod columns;
mod damage;
pub mod decode;
pub mod encode;
mod footer;
mod format;
mod head;
mod header;
mod layout;
mod load;
mod number;
pub mod packed;
pub mod part;
mod reader;
mod sample_decoder;
mod samples;
mod scan;
mod source;
mod varlen;
mod walk;
mod window;
pub mod xml;

pub use blocks::{Block, Blocks};
pub use columns::{Columns, StreamData, TextColumn};
pub use damage::{Damage, DamageReason, MAX_DAMAGE};
pub use decode::{Chunk, DecodeError, MAX_CHUNK_BYTES, Step, next_chunk};
pub use encode::{BOUNDARY_UUID, MAGIC, Tag};
pub use footer::StreamFooter;
pub use format::{ChannelFormat, UnknownFormat};
pub use header::{HeaderError, StreamInfo};
pub use layout::MAX_CHANNELS;
pub use load::{LoadError, SampleRun, SampleRuns, Selection, load};
pub use reader::{ChunkReader, ReadError};
pub use sample_decoder::{SampleDecoder, SampleError, SampleValues};
pub use samples::{EncodeError, MAX_BLOCK_BYTES, SampleBlock, SampleEncoder};
pub use scan::{
    ClockOffset, MAX_STREAMS, MAX_XML_BYTES, SampleChunk, Scan, ScanError, ScannedStream, UnknownChunk, scan,
};
pub use source::ReadAt;
pub use xml::{Element, XmlError, parse_fragment};
