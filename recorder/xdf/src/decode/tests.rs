//! Chunks from bytes: whole, cut and wrong ones.

use super::*;
use crate::encode;
use crate::samples::SampleBlock;
use proptest::prelude::*;

/// One chunk of each kind, with what it must be read as.
fn one_of_each() -> Vec<(Vec<u8>, Chunk<'static>)> {
    let made = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let block = SampleBlock { sample_count: 1, body: vec![0, 5], ..SampleBlock::default() };
    let samples = made(&|out| encode::samples(out, 1, &block));
    vec![
        (
            made(&|out| encode::file_header(out, "<info/>"))[4..].to_vec(),
            Chunk::FileHeader { xml: "<info/>".into() },
        ),
        (
            made(&|out| encode::stream_header(out, u32::MAX, "<é/>")),
            Chunk::StreamHeader { stream_id: u32::MAX, xml: "<é/>".into() },
        ),
        (samples, Chunk::Samples { stream_id: 1, sample_count: 1, body: &[0, 5] }),
        (
            made(&|out| encode::clock_offset(out, 2, -0.0, 1e9)),
            Chunk::ClockOffset { stream_id: 2, collection_time_s: -0.0, offset_s: 1e9 },
        ),
        (made(&encode::boundary), Chunk::Boundary),
        (
            made(&|out| encode::stream_footer(out, 0, "")),
            Chunk::StreamFooter { stream_id: 0, xml: "".into() },
        ),
        (vec![1, 3, 99, 0, 42], Chunk::Unknown { tag: 99, content: &[42] }),
    ]
}

#[test]
fn every_kind_is_read_and_its_length_reported() {
    for (mut bytes, expected) in one_of_each() {
        let consumed = bytes.len();
        bytes.extend([0xff; 8]);
        let step = next_chunk(&bytes).unwrap();
        assert_eq!(step, Step::Chunk { chunk: expected, consumed });
    }
}

#[test]
fn a_cut_chunk_asks_for_more_until_it_is_whole() {
    for (bytes, _) in one_of_each() {
        for cut in 0..bytes.len() {
            match next_chunk(&bytes[..cut]) {
                Ok(Step::NeedMore { at_least }) => {
                    assert!(cut < at_least && at_least <= bytes.len());
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn longer_forms_of_a_length_are_accepted() {
    for bytes in [&[4, 3, 0, 0, 0, 99, 0, 42][..], &[8, 3, 0, 0, 0, 0, 0, 0, 0, 99, 0, 42]] {
        let chunk = Chunk::Unknown { tag: 99, content: &[42] };
        let consumed = bytes.len();
        assert_eq!(next_chunk(bytes), Ok(Step::Chunk { chunk, consumed }));
    }
}

#[test]
fn impossible_chunks_are_refused_as_soon_as_they_show() {
    let too_many = [1, 9, 3, 0, 0, 0, 0, 0, 1, 2, 0];
    for (bytes, expected) in [
        (&[0][..], "begins with byte 0x00"),
        (&[1, 1], "too few for its tag"),
        (&[8, 0, 0, 0, 0, 0, 0, 0, 1], "more than the limit"),
        (&[4, 1, 0, 0, 64], "more than the limit"),
        (&[1, 21, 4, 0], "ClockOffset chunk has 19 bytes"),
        (&[4, 0, 0, 0, 32, 5, 0], "Boundary chunk has 536870910 bytes"),
        (&[1, 5, 2, 0], "StreamHeader chunk has 3 bytes"),
        (&[1, 7, 3, 0], "Samples chunk has 5 bytes"),
        (&[1, 8, 3, 0, 0, 0, 0, 0, 3, 0], "sample count begins with byte 0x03"),
        (&[1, 8, 3, 0, 0, 0, 0, 0, 4, 0], "Samples chunk has 6 bytes"),
        (&too_many, "1 bytes says to hold 2 samples"),
    ] {
        let message = next_chunk(bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_boundary_with_another_mark_is_refused() {
    let mut bytes = Vec::new();
    encode::boundary(&mut bytes);
    bytes[10] ^= 1;
    assert_eq!(next_chunk(&bytes), Err(DecodeError::WrongBoundary));
}

#[test]
fn invalid_utf8_in_a_header_does_not_lose_the_stream() {
    let bytes = [&[1, 10, 2, 0, 7, 0, 0, 0][..], &[b'a', 0xe9, b'b', b'c']].concat();
    let Ok(Step::Chunk { chunk, .. }) = next_chunk(&bytes) else {
        panic!("no chunk");
    };
    let xml = "a\u{FFFD}bc".into();
    assert_eq!(chunk, Chunk::StreamHeader { stream_id: 7, xml });
}

#[test]
fn a_torn_samples_chunk_gives_what_is_there() {
    let block = SampleBlock { sample_count: 3, body: vec![0, 1, 0, 2, 0, 3], ..SampleBlock::default() };
    let mut bytes = Vec::new();
    encode::samples(&mut bytes, 6, &block);
    assert_eq!(torn_samples(&bytes), None, "it is not torn");
    for cut in 0..bytes.len() {
        let expected = cut.checked_sub(13).map(|there| (6, 3, &block.body[..there]));
        assert_eq!(torn_samples(&bytes[..cut]), expected);
    }
    assert_eq!(torn_samples(&[1, 22, 4, 0, 1, 2, 3, 4, 1, 2, 3]), None);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_nothing_reaches_beyond_them(
        length in prop::sample::select(vec![1u8, 4, 8, 0]),
        tag in 0u8..8,
        mut bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        if let Some(first) = bytes.first_mut() { *first = length; }
        if let (1, Some(second)) = (length, bytes.get_mut(2)) { *second = tag; }
        let _ = torn_samples(&bytes);
        match next_chunk(&bytes) {
            Ok(Step::NeedMore { at_least }) => prop_assert!(at_least > bytes.len()),
            Ok(Step::Chunk { consumed, chunk }) => {
                prop_assert!(consumed <= bytes.len());
                if let Chunk::Samples { sample_count, body, .. } = chunk {
                    prop_assert!(sample_count <= body.len() as u64);
                }
            }
            Err(_) => {}
        }
    }
}
