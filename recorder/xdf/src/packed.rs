//! Packed recordings: `.xdf.gz` and `.xdfz`, whichever way they are packed.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::encode::MAGIC;

/// Bytes handled at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all, or in a way that is not known.
    None,
    /// gzip, as pyxdf reads it.
    Gzip,
    /// A bare zlib stream, as LabRecorder writes it.
    Zlib,
}

/// Tells the packing from the first bytes of a file; four are enough.
pub fn sniff(first_bytes: &[u8]) -> Packing {
    match first_bytes {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        // Method 8 (deflate), a window of at most 32 KiB, and a check sum over both bytes.
        [cmf, flg, ..]
            if cmf & 0x0f == 8
                && cmf >> 4 <= 7
                && u16::from_be_bytes([*cmf, *flg]) % 31 == 0
                && !first_bytes.starts_with(MAGIC) =>
        {
            Packing::Zlib
        }
        _ => Packing::None,
    }
}

/// Why a file could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The input could not be read or is damaged.
    #[error(
        "cannot unpack after {unpacked_bytes} bytes: {source}; what came before it was written and may be read"
    )]
    Read {
        /// Bytes that were written until then.
        unpacked_bytes: u64,
        /// What went wrong.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write the unpacked file: {0}")]
    Write(io::Error),
    /// More than the limit came out.
    #[error(
        "the file unpacks to more than {limit_bytes} bytes; raise the limit if that is what it should be"
    )]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
}

/// Writes what `packed` holds to `out` and says how many bytes that are; bytes that are not packed
/// are copied.
///
/// Constant memory. `limit_bytes` bounds the output, because a few packed bytes can become very
/// many.
///
/// # Errors
/// [`UnpackError`]. What was unpacked before the fault has been written by then.
pub fn unpack(packed: impl Read, mut out: impl Write, limit_bytes: u64) -> Result<u64, UnpackError> {
    let mut packed = BufReader::with_capacity(BLOCK_BYTES, packed);
    let first = packed.fill_buf().map_err(|source| UnpackError::Read { unpacked_bytes: 0, source })?;
    match sniff(first) {
        Packing::None => copy(packed, &mut out, limit_bytes),
        Packing::Gzip => copy(MultiGzDecoder::new(packed), &mut out, limit_bytes),
        Packing::Zlib => copy(ZlibDecoder::new(packed), &mut out, limit_bytes),
    }
}

fn copy(mut from: impl Read, out: &mut impl Write, limit_bytes: u64) -> Result<u64, UnpackError> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut unpacked_bytes = 0;
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok(unpacked_bytes),
            Ok(size) => {
                if size as u64 > limit_bytes - unpacked_bytes {
                    return Err(UnpackError::TooLong { limit_bytes });
                }
                out.write_all(&block[..size]).map_err(UnpackError::Write)?;
                unpacked_bytes += size as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(UnpackError::Read { unpacked_bytes, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    fn recording() -> Vec<u8> {
        let mut file = Vec::new();
        crate::encode::file_header(&mut file, &"<info/>".repeat(50_000));
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_packing_is_told_and_undone() {
        let plain = recording();
        let two_members = [gzip(&plain[..100]), gzip(&plain[100..])].concat();
        for (packed, packing) in [
            (plain.clone(), Packing::None),
            (gzip(&plain), Packing::Gzip),
            (two_members, Packing::Gzip),
            (zlib(&plain, 0), Packing::Zlib),
            (zlib(&plain, 6), Packing::Zlib),
            (zlib(&plain, 9), Packing::Zlib),
            (Vec::new(), Packing::None),
        ] {
            assert_eq!(sniff(&packed), packing);
            let mut out = Vec::new();
            unpack(packed.as_slice(), &mut out, 1 << 20).unwrap();
            assert!(out == if packed.is_empty() { &[][..] } else { &plain[..] });
        }
    }

    #[test]
    fn a_cut_file_gives_what_is_there() {
        let plain: Vec<u8> =
            (0..600_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let packed = gzip(&plain);
        let mut out = Vec::new();
        let error = unpack(&packed[..packed.len() / 2], &mut out, 1 << 30).unwrap_err();
        assert!(
            matches!(error, UnpackError::Read { unpacked_bytes, .. } if unpacked_bytes == out.len() as u64)
        );
        assert!(out.len() > plain.len() / 3 && plain.starts_with(&out));
    }

    #[test]
    fn the_output_is_bounded() {
        let packed = gzip(&vec![0; 10 << 20]);
        let mut out = Vec::new();
        let error = unpack(packed.as_slice(), &mut out, 1 << 20).unwrap_err();
        assert!(matches!(error, UnpackError::TooLong { .. }));
        assert!(out.len() <= 1 << 20);
    }
}
