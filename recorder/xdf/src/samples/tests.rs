//! What the encoder writes, byte by byte, and what it refuses.

use super::*;

/// One sample as it must be in the block.
fn stamped(timestamp_s: f64, values: &[u8]) -> Vec<u8> {
    [&[8], &timestamp_s.to_le_bytes()[..], values].concat()
}

fn elided(values: &[u8]) -> Vec<u8> {
    [&[0], values].concat()
}

/// Stamps one after the other, as a reader adds them up.
fn regular_stamps(first_s: f64, rate_hz: f64, count: usize) -> Vec<f64> {
    std::iter::successors(Some(first_s), |stamp_s| Some(stamp_s + 1.0 / rate_hz)).take(count).collect()
}

fn body(encoder: &mut SampleEncoder) -> Vec<u8> {
    encoder.take(SampleBlock::default()).body
}

#[test]
fn a_stamp_the_reader_computes_is_left_out() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, 3.0);
    let stamps = regular_stamps(0.1, 3.0, 3);
    encoder.push(&stamps, &[1, 2, 3]).unwrap();
    assert_eq!(body(&mut encoder), [stamped(0.1, &[1]), elided(&[2]), elided(&[3])].concat());
}

#[test]
fn a_stamp_one_bit_off_is_written() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, 10.0);
    let off = (5.0 + 0.1f64).next_up();
    encoder.push(&[5.0, off], &[1, 2]).unwrap();
    assert_eq!(body(&mut encoder), [stamped(5.0, &[1]), stamped(off, &[2])].concat());
}

#[test]
fn elision_goes_on_across_pushes_and_ends_with_the_block() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, 4.0);
    encoder.push(&[1.0], &[1]).unwrap();
    encoder.push(&[1.25], &[2]).unwrap();
    assert_eq!(body(&mut encoder), [stamped(1.0, &[1]), elided(&[2])].concat());
    encoder.push(&[1.5], &[3]).unwrap();
    assert_eq!(body(&mut encoder), stamped(1.5, &[3]));
}

#[test]
fn streams_without_a_usable_rate_carry_every_stamp() {
    for rate_hz in [0.0, -0.0, -4.0, f64::NAN, f64::INFINITY, 1e-310] {
        let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, rate_hz);
        for stamp_s in [1.0, 1.0, f64::INFINITY, f64::INFINITY] {
            encoder.push(&[stamp_s], &[7]).unwrap();
        }
        assert_eq!(encoder.pending_bytes(), 4 * 10, "rate {rate_hz}");
    }
}

#[test]
fn negative_zero_and_nan_are_never_left_out() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, 1.0);
    let stamps = [-1.0, -0.0, f64::NAN, f64::NAN];
    encoder.push(&stamps, &[1, 2, 3, 4]).unwrap();
    assert_eq!(encoder.pending_bytes(), 4 * 10);
}

#[test]
fn data_of_the_wrong_size_changes_nothing() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int16, 2, 1.0);
    encoder.push(&[1.0], &[1, 0, 2, 0]).unwrap();
    let before = encoder.clone().take(SampleBlock::default());
    for (stamps, data) in
        [(&[2.0][..], &[0; 3][..]), (&[2.0], &[0; 5]), (&[2.0], &[]), (&[], &[0; 4]), (&[2.0, 3.0], &[0; 4])]
    {
        let error = encoder.push(stamps, data).unwrap_err();
        assert!(matches!(error, EncodeError::WrongSize { .. }), "{error}");
    }
    assert_eq!(encoder.take(SampleBlock::default()), before);
}

#[test]
fn the_size_error_says_what_was_expected() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Float32, 8, 0.0);
    let message = encoder.push(&[1.0, 2.0], &[0; 60]).unwrap_err().to_string();
    assert!(message.contains("2 samples of 8 float32 channels must come with 64 bytes, not 60"));
}

#[test]
fn a_channel_count_beyond_memory_is_an_error_not_a_panic() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Double64, usize::MAX, 1.0);
    assert!(encoder.push(&[1.0, 2.0], &[0; 16]).is_err());
    let mut encoder = SampleEncoder::new(ChannelFormat::String, usize::MAX, 1.0);
    assert!(encoder.push_strings(&[1.0, 2.0], ["a"].into_iter()).is_err());
}

#[test]
fn bytes_and_strings_are_kept_apart() {
    let mut text = SampleEncoder::new(ChannelFormat::String, 1, 0.0);
    let error = text.push(&[1.0], b"a").unwrap_err();
    assert!(error.to_string().contains("use push_strings"), "{error}");
    let mut numbers = SampleEncoder::new(ChannelFormat::Int8, 1, 0.0);
    let error = numbers.push_strings(&[1.0], ["a"].into_iter()).unwrap_err();
    assert!(error.to_string().contains("use push"), "{error}");
    assert_eq!(text.pending_bytes() + numbers.pending_bytes(), 0);
}

#[test]
fn strings_carry_their_length_in_the_shortest_form() {
    let mut encoder = SampleEncoder::new(ChannelFormat::String, 2, 0.0);
    let long = "x".repeat(256);
    encoder.push_strings(&[1.0], ["é", long.as_str()].into_iter()).unwrap();
    let values = [&[1, 2][..], "é".as_bytes(), &[4, 0, 1, 0, 0], long.as_bytes()].concat();
    assert_eq!(body(&mut encoder), stamped(1.0, &values));
}

#[test]
fn an_iterator_whose_length_is_not_true_changes_nothing() {
    struct Lying(std::vec::IntoIter<&'static str>);
    impl Iterator for Lying {
        type Item = &'static str;
        fn next(&mut self) -> Option<&'static str> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (4, Some(4))
        }
    }
    impl ExactSizeIterator for Lying {}

    for strings in [vec!["a"; 3], vec!["a"; 5]] {
        let mut encoder = SampleEncoder::new(ChannelFormat::String, 2, 1.0);
        encoder.push_strings(&[0.0], ["a", "b"].into_iter()).unwrap();
        let before = encoder.pending_bytes();
        let values = Lying(strings.into_iter());
        assert!(encoder.push_strings(&[1.0, 2.0], values).is_err());
        assert_eq!(encoder.pending_bytes(), before);
        assert_eq!(encoder.pending_samples(), 1);
        // The stamp after the one that was taken is still the expected one.
        encoder.push_strings(&[1.0], ["", ""].into_iter()).unwrap();
        assert_eq!(encoder.pending_bytes(), before + 1 + 4);
    }
}

#[test]
fn take_swaps_buffers_and_counts_from_zero() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, 0.0);
    encoder.push(&[3.0, 4.0, 2.0], &[1, 2, 3]).unwrap();
    assert_eq!(encoder.pending_samples(), 3);
    let spare = SampleBlock {
        sample_count: 9,
        body: Vec::with_capacity(4096),
        first_timestamp_s: Some(0.0),
        last_timestamp_s: Some(0.0),
    };
    let (spare_address, spare_capacity) = (spare.body.as_ptr(), spare.body.capacity());
    let block = encoder.take(spare);
    assert_eq!(block.sample_count, 3);
    assert_eq!(block.first_timestamp_s, Some(3.0));
    assert_eq!(block.last_timestamp_s, Some(2.0));
    assert_eq!(encoder.pending_samples(), 0);
    encoder.push(&[5.0], &[1]).unwrap();
    let next = encoder.take(SampleBlock::default());
    assert_eq!(next.body.as_ptr(), spare_address);
    assert_eq!(next.body.capacity(), spare_capacity);
    assert_eq!(next.first_timestamp_s, Some(5.0));
}

#[test]
fn no_samples_are_no_error() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int64, 3, 1.0);
    encoder.push(&[], &[]).unwrap();
    assert!(encoder.take(SampleBlock::default()).is_empty());
}

#[test]
fn a_block_never_outgrows_a_chunk() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int8, 1, 0.0);
    // A capacity is enough to stand for a full block; nothing of it is touched.
    encoder.block.body = vec![0; MAX_BLOCK_BYTES - 10];
    encoder.push(&[1.0], &[1]).unwrap();
    let error = encoder.push(&[1.0], &[1]).unwrap_err();
    assert_eq!(error, EncodeError::BlockFull { pending_bytes: MAX_BLOCK_BYTES });
    assert_eq!(encoder.pending_samples(), 1);
}

#[test]
fn the_loop_for_big_endian_machines_swaps_each_value() {
    let mut encoder = SampleEncoder::new(ChannelFormat::Int16, 2, 2.0);
    encoder.append_swapped(&[1.0, 1.5], &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(encoder.block.body, [stamped(1.0, &[2, 1, 4, 3]), elided(&[6, 5, 8, 7])].concat());
}
