//! What is encoded is decoded to the same bits, and a cut file never gives a sample that was not
//! written.
#![allow(clippy::unwrap_used, reason = "a test stops at the first fault")]

use lockstep_xdf::{
    ChannelFormat, Chunk, ChunkReader, ReadError, SampleBlock, SampleDecoder, SampleEncoder, encode,
};
use proptest::prelude::*;

/// Samples as pushed: stamps, then the values of each sample as bytes or strings.
#[derive(Clone, Debug)]
struct Push {
    stamps_s: Vec<f64>,
    data: Vec<u8>,
    strings: Vec<String>,
    take_after: bool,
}

/// A stamp relative to the one before: mostly the next of a regular stream, or anything.
#[derive(Clone, Debug)]
enum Stamp {
    Next,
    OneBitOff,
    Repeated,
    Backwards(f64),
    NegativeZero,
    MinusInterval,
    Bits(u64),
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    prop_oneof![
        8 => Just(Stamp::Next),
        1 => Just(Stamp::OneBitOff),
        1 => Just(Stamp::Repeated),
        1 => (0.0..10.0).prop_map(Stamp::Backwards),
        1 => Just(Stamp::NegativeZero),
        1 => Just(Stamp::MinusInterval),
        1 => any::<u64>().prop_map(Stamp::Bits),
    ]
}

fn stamps_s(kinds: &[Stamp], last_s: &mut f64, interval_s: f64) -> Vec<f64> {
    let step = |kind: &Stamp| {
        *last_s = match kind {
            Stamp::Next => *last_s + interval_s,
            Stamp::OneBitOff => (*last_s + interval_s).next_up(),
            Stamp::Repeated => *last_s,
            Stamp::Backwards(by_s) => *last_s - by_s,
            Stamp::NegativeZero => -0.0,
            Stamp::MinusInterval => -interval_s,
            Stamp::Bits(bits) => f64::from_bits(*bits),
        };
        *last_s
    };
    kinds.iter().map(step).collect()
}

#[derive(Clone, Debug)]
struct Case {
    format: ChannelFormat,
    channel_count: usize,
    rate_hz: f64,
    pushes: Vec<Push>,
}

fn any_case() -> impl Strategy<Value = Case> {
    let format = prop::sample::select(ChannelFormat::ALL.to_vec());
    let rate_hz = prop::sample::select(vec![0.0, 10.0, 1000.0, 44100.0, 1.0 / 3.0]);
    let channel_count = prop_oneof![1usize..10, Just(33)];
    let chunk = (prop::collection::vec(any_stamp(), 0..20), any::<bool>(), any::<u64>());
    let pushes = prop::collection::vec(chunk, 0..8);
    (format, rate_hz, channel_count, pushes).prop_map(|(format, rate_hz, channel_count, pushes)| {
        let interval_s = if rate_hz > 0.0 { 1.0 / rate_hz } else { 0.0 };
        let mut last_s = 1234.5;
        let push = |(kinds, take_after, seed): (Vec<Stamp>, bool, u64)| {
            let values = kinds.len() * channel_count;
            let byte = |i: usize| (seed.wrapping_mul(i as u64 * 2 + 1) >> 40) as u8;
            Push {
                stamps_s: stamps_s(&kinds, &mut last_s, interval_s),
                data: (0..values * format.value_bytes().unwrap_or(0)).map(byte).collect(),
                strings: (0..values).map(|i| "é".repeat(byte(i).into())).collect(),
                take_after,
            }
        };
        Case { format, channel_count, rate_hz, pushes: pushes.into_iter().map(push).collect() }
    })
}

fn encoded(case: &Case) -> Vec<u8> {
    let mut file = Vec::new();
    encode::file_header(&mut file, "<info/>");
    let mut encoder = SampleEncoder::new(case.format, case.channel_count, case.rate_hz);
    let mut spare = SampleBlock::default();
    for push in &case.pushes {
        if case.format == ChannelFormat::String {
            let strings = push.strings.iter().map(String::as_str);
            encoder.push_strings(&push.stamps_s, strings).unwrap();
        } else {
            encoder.push(&push.stamps_s, &push.data).unwrap();
        }
        if push.take_after {
            spare = encoder.take(spare);
            encode::samples(&mut file, 7, &spare);
            encode::boundary(&mut file);
        }
    }
    encode::samples(&mut file, 7, &encoder.take(spare));
    file
}

/// Bits of all stamps, and all values as bytes or strings.
#[derive(Debug, Default, PartialEq)]
struct Decoded {
    stamp_bits: Vec<u64>,
    data: Vec<u8>,
    strings: Vec<String>,
}

fn decoded(case: &Case, file: &[u8]) -> (Decoded, Option<ReadError>) {
    let mut seen = Decoded::default();
    let mut decoder = SampleDecoder::new(case.format, case.channel_count, case.rate_hz);
    let mut reader = ChunkReader::new(file);
    loop {
        match reader.next_chunk() {
            Ok(Some((_, Chunk::Samples { sample_count, body, .. }))) => decoder
                .decode(sample_count, body, |stamp_s, values| {
                    seen.stamp_bits.push(stamp_s.to_bits());
                    seen.data.extend_from_slice(values.bytes());
                    seen.strings.extend(values.strings().iter().map(|text| text.to_string()));
                })
                .unwrap(),
            Ok(Some(_)) => {}
            Ok(None) => return (seen, None),
            Err(error) => return (seen, Some(error)),
        }
    }
}

proptest! {
    #[test]
    fn every_stamp_and_value_comes_back_bit_for_bit(case in any_case()) {
        let (seen, error) = decoded(&case, &encoded(&case));
        prop_assert!(error.is_none());
        let all = |part: fn(&Push) -> Vec<u8>| case.pushes.iter().flat_map(part).collect::<Vec<_>>();
        let stamps = case.pushes.iter().flat_map(|push| &push.stamps_s);
        prop_assert_eq!(seen.stamp_bits, stamps.map(|s| s.to_bits()).collect::<Vec<_>>());
        if case.format == ChannelFormat::String {
            let strings = case.pushes.iter().flat_map(|push| push.strings.clone());
            prop_assert_eq!(seen.strings, strings.collect::<Vec<_>>());
        } else {
            prop_assert_eq!(seen.data, all(|push| push.data.clone()));
        }
    }

    #[test]
    fn arbitrary_changes_never_panic(
        case in any_case(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = encoded(&case);
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        let mut decoder = SampleDecoder::new(case.format, case.channel_count, case.rate_hz);
        let mut reader = ChunkReader::new(file.as_slice());
        loop {
            match reader.next_chunk() {
                Ok(Some((_, Chunk::Samples { sample_count, body, .. }))) => {
                    let _ = decoder.decode(sample_count, body, |_, _| {});
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(ReadError::NotXdf { .. }) => break,
                Err(_) => prop_assert!(reader.resync().unwrap() > 0),
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_torn_or_ends_cleanly_and_has_no_invented_sample() {
    for format in ChannelFormat::ALL {
        let pushes = (0..3)
            .map(|k| Push {
                stamps_s: (0..4).map(|i| f64::from(4 * k + i) * 0.25).collect(),
                data: (0..8 * format.value_bytes().unwrap_or(0)).map(|i| i as u8).collect(),
                strings: (0..8).map(|i| format!("event {i}")).collect(),
                take_after: true,
            })
            .collect();
        let case = Case { format, channel_count: 2, rate_hz: 4.0, pushes };
        let file = encoded(&case);
        let (whole, error) = decoded(&case, &file);
        assert!(error.is_none());
        for cut in 0..file.len() {
            let (seen, error) = decoded(&case, &file[..cut]);
            assert!(whole.stamp_bits.starts_with(&seen.stamp_bits), "{format}, cut {cut}");
            assert!(whole.data.starts_with(&seen.data));
            assert!(whole.strings.starts_with(&seen.strings));
            assert_eq!(seen.stamp_bits.len() % 4, 0, "whole chunks only");
            match error {
                None | Some(ReadError::Torn { .. }) => {}
                Some(other) => panic!("cut {cut}: {other}"),
            }
        }
    }
}
