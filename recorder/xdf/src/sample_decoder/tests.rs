//! Stamps left out, cut bodies, strings, and bytes that are no samples.

use super::*;
use proptest::prelude::*;

fn stamps(decoder: &mut SampleDecoder, count: u64, body: &[u8]) -> (Vec<f64>, Result<(), SampleError>) {
    let mut seen = Vec::new();
    let result = decoder.decode(count, body, |timestamp_s, _| seen.push(timestamp_s));
    (seen, result)
}

#[test]
fn left_out_stamps_add_up_from_zero_and_across_chunks() {
    let mut decoder = SampleDecoder::new(ChannelFormat::Int8, 1, 10.0);
    assert_eq!(stamps(&mut decoder, 2, &[0, 1, 0, 2]).0, [0.1, 0.1 + 0.1]);
    assert_eq!(stamps(&mut decoder, 1, &[0, 3]).0, [0.1 + 0.1 + 0.1]);
}

#[test]
fn an_irregular_stream_repeats_the_stamp() {
    let mut decoder = SampleDecoder::new(ChannelFormat::Int8, 0, 0.0);
    let body = [&[8][..], &7.5f64.to_le_bytes(), &[0]].concat();
    assert_eq!(stamps(&mut decoder, 2, &body), (vec![7.5, 7.5], Ok(())));
}

#[test]
fn the_samples_before_a_cut_are_handed_out() {
    let body = [0, 1, 2, 0, 3, 4, 0, 5, 6];
    for cut in 0..body.len() {
        let mut decoder = SampleDecoder::new(ChannelFormat::Int8, 2, 1.0);
        let (seen, result) = stamps(&mut decoder, 3, &body[..cut]);
        let complete = (cut / 3) as u64;
        assert_eq!(result, Err(SampleError::Cut { complete }));
        assert_eq!(seen.len() as u64, complete);
    }
}

#[test]
fn faults_are_named_with_their_sample() {
    let mut decoder = SampleDecoder::new(ChannelFormat::Int8, 1, 1.0);
    let bad_stamp = SampleError::BadStampSize { complete: 1, size: 9 };
    assert_eq!(stamps(&mut decoder, 2, &[0, 1, 9, 1]).1, Err(bad_stamp));
    let trailing = SampleError::TrailingBytes { complete: 1, extra_bytes: 2 };
    assert_eq!(stamps(&mut decoder, 1, &[0, 1, 0, 2]).1, Err(trailing));
    let mut decoder = SampleDecoder::new(ChannelFormat::String, 1, 1.0);
    let bad_string = SampleError::BadStringLength { complete: 0, first_byte: 2 };
    assert_eq!(stamps(&mut decoder, 1, &[0, 2, 0, 0]).1, Err(bad_string));
}

#[test]
fn strings_of_several_channels_are_read() {
    let mut decoder = SampleDecoder::new(ChannelFormat::String, 2, 0.0);
    let body = [&[0, 1, 1, b'a', 4, 2, 0, 0, 0][..], "é".as_bytes(), &[0, 1, 0, 1, 1, 0xff]].concat();
    let mut seen = Vec::new();
    let result = decoder.decode(2, &body, |_, values| {
        seen.extend(values.strings().iter().map(|s| s.to_string()));
    });
    assert_eq!(result, Ok(()));
    assert_eq!(seen, ["a", "é", "", "\u{FFFD}"]);
}

#[test]
fn a_channel_count_beyond_memory_is_a_cut_sample() {
    for format in ChannelFormat::ALL {
        let mut decoder = SampleDecoder::new(format, usize::MAX, 1.0);
        let result = stamps(&mut decoder, u64::MAX, &[0, 1, 0, 1, 0]).1;
        assert_eq!(result, Err(SampleError::Cut { complete: 0 }), "{format}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_nor_give_more_samples_than_said(
        format in prop::sample::select(ChannelFormat::ALL.to_vec()),
        channel_count in 0usize..4,
        sample_count in prop_oneof![0u64..6, any::<u64>()],
        body in prop::collection::vec(prop_oneof![Just(0u8), Just(8), Just(1), any::<u8>()], 0..80),
    ) {
        let mut decoder = SampleDecoder::new(format, channel_count, 2.0);
        let (seen, result) = stamps(&mut decoder, sample_count, &body);
        let complete = result.map_or_else(|error| error.complete_samples(), |()| sample_count);
        prop_assert_eq!(seen.len() as u64, complete);
        prop_assert!(complete <= sample_count && seen.len() <= body.len());
    }
}
