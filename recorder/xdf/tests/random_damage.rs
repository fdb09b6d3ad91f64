//! Whatever happens to the bytes: no panic, the ways of reading agree, and what was not touched is
//! kept.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use common::{Spec, file, irregular, read, regular, right_samples};
use lockstep_xdf::{ChannelFormat, StreamData};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Harm {
    Flip { at: prop::sample::Index, bit: u8 },
    Fill { at: prop::sample::Index, bytes: usize, with: u8 },
    Noise { at: prop::sample::Index, bytes: Vec<u8> },
    Drop { at: prop::sample::Index, bytes: usize },
    Insert { at: prop::sample::Index, bytes: Vec<u8> },
    Cut { at: prop::sample::Index },
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = || any::<prop::sample::Index>();
    let noise = || prop::collection::vec(any::<u8>(), 1..300);
    prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Harm::Flip { at, bit }),
        (at(), 1usize..700, prop::sample::select(vec![0, 0xFF, 1, 4, 8]))
            .prop_map(|(at, bytes, with)| Harm::Fill { at, bytes, with }),
        (at(), noise()).prop_map(|(at, bytes)| Harm::Noise { at, bytes }),
        // Fewer than the smallest chunk has: lengths that lead to the next chunk but one by chance
        // can't be told from right ones where texts are not read.
        (at(), 1usize..20).prop_map(|(at, bytes)| Harm::Drop { at, bytes }),
        (at(), noise()).prop_map(|(at, bytes)| Harm::Insert { at, bytes }),
        at().prop_map(|at| Harm::Cut { at }),
    ]
}

/// Does it, and says which bytes of the file as it was are touched.
fn apply(harm: &Harm, bytes: &mut Vec<u8>, from: usize) -> std::ops::Range<usize> {
    let place = |at: &prop::sample::Index| from + at.index(bytes.len() - from);
    match harm {
        Harm::Flip { at, bit } => {
            let at = place(at);
            bytes[at] ^= 1 << bit;
            at..at + 1
        }
        Harm::Fill { at, bytes: count, with } => {
            let at = place(at);
            let end = (at + count).min(bytes.len());
            bytes[at..end].fill(*with);
            at..end
        }
        Harm::Noise { at, bytes: noise } => {
            let at = place(at);
            let end = (at + noise.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&noise[..end - at]);
            at..end
        }
        Harm::Drop { at, bytes: count } => {
            let at = place(at);
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
            at..end
        }
        Harm::Insert { at, bytes: noise } => {
            let at = place(at);
            bytes.splice(at..at, noise.iter().copied());
            // What begins there is as it was, but what ends there is not followed by it.
            at.saturating_sub(1)..at + 1
        }
        Harm::Cut { at } => {
            let at = place(at);
            let end = bytes.len();
            bytes.truncate(at);
            at..end
        }
    }
}

fn specs() -> Vec<Spec> {
    let spec = |id, format, channels, rate_hz, chunks| Spec { id, format, channels, rate_hz, chunks };
    vec![
        spec(1, ChannelFormat::Float32, 3, 100.0, irregular(10.0, 25, 40)),
        spec(2, ChannelFormat::Int16, 2, 500.0, regular(10.0, 500.0, 25, 80)),
        spec(0x02C0_FFEE, ChannelFormat::String, 1, 0.0, irregular(10.0, 25, 7)),
        spec(0, ChannelFormat::Double64, 1, 0.0, irregular(10.0, 25, 1)),
        spec(5, ChannelFormat::Int8, 1, 0.0, irregular(10.0, 25, 5)),
    ]
}

fn slice(data: &StreamData, rows: std::ops::Range<usize>) -> StreamData {
    let mut part = StreamData::empty(data.values.format(), data.values.channel_count());
    part.time_stamps_s = data.time_stamps_s[rows.clone()].to_vec();
    macro_rules! cut {
        ($($kind:ident),*) => {
            match (&mut part.values, &data.values) {
                $((lockstep_xdf::Columns::$kind(to), lockstep_xdf::Columns::$kind(from)) => {
                    to.iter_mut().zip(from).for_each(|(to, from)| to.extend_from_slice(&from[rows.clone()]));
                })*
                (lockstep_xdf::Columns::Text(to), lockstep_xdf::Columns::Text(from)) => {
                    for (to, from) in to.iter_mut().zip(from) {
                        rows.clone().for_each(|row| to.push(from.get(row)));
                    }
                }
                _ => {}
            }
        };
    }
    cut!(Int8, Int16, Int32, Int64, Float32, Double64);
    part
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_that_were_not_touched_are_kept(harm in harm()) {
        let file = file(&specs());
        let headers = file.chunks[0].0.start;
        let mut bytes = file.bytes.clone();
        let touched = apply(&harm, &mut bytes, headers);
        let (scan, data) = read(&bytes);
        prop_assert_eq!(scan.streams.len(), 5);
        for (chunk, stream, first) in &file.chunks {
            if chunk.start < touched.end && touched.start < chunk.end {
                continue;
            }
            let next = file.chunks.iter().find(|other| other.1 == *stream && other.2 > *first);
            let rows = *first..next.map_or(file.expected[*stream].len(), |next| next.2);
            let count = rows.len();
            let part = slice(&file.expected[*stream], rows);
            prop_assert_eq!(right_samples(&part, &data[*stream]), count, "chunk at {:?} of {}, touched {:?}: {:?}", chunk, stream, touched, common::all_damage(&scan, &data));
        }
    }

    #[test]
    fn any_harm_anywhere_is_survived(harms in prop::collection::vec(harm(), 1..12)) {
        let mut bytes = file(&specs()).bytes;
        for harm in &harms {
            if bytes.len() > 4 {
                apply(harm, &mut bytes, 4);
            }
        }
        if bytes.starts_with(b"XDF:") {
            read(&bytes);
        }
    }

    #[test]
    fn noise_after_the_headers_is_survived(noise in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 3, 4, 5, 6, 8, 22, 18, 255]), 0..3000)) {
        let file = file(&specs());
        let mut bytes = file.bytes[..file.chunks[0].0.start].to_vec();
        bytes.extend(noise);
        read(&bytes);
    }
}
