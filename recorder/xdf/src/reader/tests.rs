//! The reader over inputs that come in pieces, are cut, damaged or no XDF at all.

use std::collections::VecDeque;

use super::*;
use crate::encode;

/// Gives its bytes a few at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    at_once: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.at_once.min(out.len()).min(self.bytes.len());
        out[..size].copy_from_slice(&self.bytes[..size]);
        self.bytes = &self.bytes[size..];
        Ok(size)
    }
}

fn small_file() -> Vec<u8> {
    let mut out = Vec::new();
    encode::file_header(&mut out, "<info/>");
    encode::clock_offset(&mut out, 1, 2.0, 3.0);
    encode::boundary(&mut out);
    encode::clock_offset(&mut out, 2, 2.0, 3.0);
    out
}

fn offsets<R: Read>(reader: &mut ChunkReader<R>) -> Result<Vec<u64>, ReadError> {
    let mut seen = Vec::new();
    while let Some((offset, _)) = reader.next_chunk()? {
        seen.push(offset);
    }
    Ok(seen)
}

#[test]
fn chunks_come_with_their_place_however_the_input_is_cut_into_pieces() {
    let file = small_file();
    for at_once in [1, 3, 1000] {
        let mut reader = ChunkReader::new(Trickle { bytes: &file, at_once });
        assert_eq!(offsets(&mut reader).unwrap(), [4, 15, 39, 59]);
        assert!(reader.next_chunk().unwrap().is_none(), "the end stays the end");
    }
}

#[test]
fn a_chunk_larger_than_a_block_is_read() {
    let mut file = Vec::new();
    encode::file_header(&mut file, &"x".repeat(3 * BLOCK_BYTES));
    encode::boundary(&mut file);
    let mut reader = ChunkReader::new(file.as_slice());
    assert_eq!(offsets(&mut reader).unwrap().len(), 2);
}

#[test]
fn other_files_are_refused_with_a_hint() {
    for (bytes, hint) in
        [(&[0x1f, 0x8b, 8, 0][..], "gzip"), (&[0x78, 0x9c, 0, 0], "zlib"), (b"RIFF", "not with \"XDF:\"")]
    {
        let error = ChunkReader::new(bytes).next_chunk().unwrap_err();
        assert!(matches!(error, ReadError::NotXdf { .. }));
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn a_cut_says_where_and_how_much_is_missing() {
    let file = small_file();
    let mut reader = ChunkReader::new(&file[..20]);
    reader.next_chunk().unwrap();
    for _ in 0..2 {
        match reader.next_chunk() {
            Err(ReadError::Torn { offset: 15, have: 5, need: 24 }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reader.unread(), &file[15..20]);
}

#[test]
fn a_file_that_grows_is_read_on() {
    /// Ends after each part, like a file that is still being written.
    struct Growing<'a>(VecDeque<&'a [u8]>);
    impl Read for Growing<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some(part) = self.0.front_mut() else {
                return Ok(0);
            };
            let size = part.read(out)?;
            if size == 0 {
                self.0.pop_front();
            }
            Ok(size)
        }
    }
    let file = small_file();
    let mut reader = ChunkReader::new(Growing([&file[..20], &[], &file[20..]].into()));
    assert!(matches!(offsets(&mut reader), Err(ReadError::Torn { offset: 15, .. })));
    assert_eq!(offsets(&mut reader).unwrap(), [15, 39, 59]);
}

#[test]
fn after_damage_reading_goes_on_behind_the_next_boundary() {
    let mut file = small_file();
    file[15] = 0;
    let mut reader = ChunkReader::new(file.as_slice());
    let error = offsets(&mut reader).unwrap_err();
    assert!(matches!(error, ReadError::Corrupt { offset: 15, .. }), "{error}");
    assert_eq!(reader.resync().unwrap(), 59 - 15);
    assert_eq!(offsets(&mut reader).unwrap(), [59]);
}

#[test]
fn a_length_beyond_the_end_can_be_left_by_resync_too() {
    let mut file = small_file();
    file.splice(15..17, [4, 0, 0, 0, 1]);
    file.splice(20..22, [3, 0]);
    let mut reader = ChunkReader::new(file.as_slice());
    assert!(matches!(offsets(&mut reader), Err(ReadError::Torn { offset: 15, .. })));
    reader.resync().unwrap();
    assert_eq!(offsets(&mut reader).unwrap().len(), 1);
}

#[test]
fn a_boundary_across_the_edge_of_two_reads_is_found() {
    let mut tail = Vec::new();
    encode::boundary(&mut tail);
    encode::clock_offset(&mut tail, 2, 2.0, 3.0);
    for split in 0..24 {
        let mut file = MAGIC.to_vec();
        file.resize(BLOCK_BYTES - split, 0);
        file.extend_from_slice(&tail);
        for at_once in [1 << 20, 7] {
            let mut reader = ChunkReader::new(Trickle { bytes: &file, at_once });
            assert!(reader.next_chunk().is_err());
            let passed = reader.resync().unwrap();
            assert_eq!(passed as usize, BLOCK_BYTES - split - 4 + 20);
            assert_eq!(offsets(&mut reader).unwrap().len(), 1);
        }
    }
}

#[test]
fn without_a_boundary_resync_ends_at_the_end() {
    let mut reader = ChunkReader::new(&b"XDF:\0\0\0\0\0\0"[..]);
    assert!(reader.next_chunk().is_err());
    assert_eq!(reader.resync().unwrap(), 6);
    assert!(reader.next_chunk().unwrap().is_none());
}

#[test]
fn a_wrong_length_costs_no_memory_the_file_does_not_have() {
    let mut file = small_file();
    file.extend([4, 0, 0, 0, 63, 3, 0, 1, 2, 3]);
    let mut reader = ChunkReader::new(file.as_slice());
    assert!(matches!(offsets(&mut reader), Err(ReadError::Torn { .. })));
    assert!(reader.buffer.capacity() <= 2 * BLOCK_BYTES);
}

#[test]
fn an_input_error_is_passed_on_with_its_place() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk gone"))
        }
    }
    let file = small_file();
    let mut reader = ChunkReader::new(file[..10].chain(Broken));
    let message = reader.next_chunk().unwrap_err().to_string();
    assert!(message.contains("at byte 10: disk gone"), "{message}");
}
