//! What the encoder writes is what scan, load and blocks give.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use common::{Spec, digest, file, read};
use lockstep_xdf::{ChannelFormat, ReadAt, Selection, load, scan};
use proptest::prelude::*;

fn stamps(rate_hz: f64) -> impl Strategy<Value = Vec<Vec<f64>>> {
    // Runs of stamps that follow from each other, with jumps between.
    let chunk = prop::collection::vec((any::<bool>(), 0.0..1e6f64), 0..40);
    prop::collection::vec(chunk, 0..12).prop_map(move |chunks| {
        let mut last_s = 0.0;
        let mut stamp = |(follows, other): (bool, f64)| {
            last_s = if follows && rate_hz > 0.0 { last_s + 1.0 / rate_hz } else { other };
            last_s
        };
        chunks.into_iter().map(|chunk| chunk.into_iter().map(&mut stamp).collect()).collect()
    })
}

fn spec(id: u32) -> impl Strategy<Value = Spec> {
    let rate = prop::sample::select(vec![0.0, 0.1, 3.0, 100.0, 44_100.0]);
    (0..ChannelFormat::ALL.len(), 0usize..5, rate).prop_flat_map(move |(format, channels, rate_hz)| {
        let format = ChannelFormat::ALL[format];
        stamps(rate_hz).prop_map(move |chunks| Spec { id, format, channels, rate_hz, chunks })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_format_comes_back(a in spec(0), b in spec(0x02C0_FFEE), c in spec(u32::MAX)) {
        let file = file(&[a, b, c]);
        let (scan, data) = read(&file.bytes);
        prop_assert!(scan.damage.is_empty(), "{:?}", scan.damage);
        prop_assert_eq!(data.len(), 3);
        for (data, expected) in data.iter().zip(&file.expected) {
            prop_assert!(data.damage.is_empty(), "{:?}", data.damage);
            prop_assert!(digest(data) == digest(expected));
        }
    }

    #[test]
    fn a_selection_is_the_part_of_the_whole(
        a in spec(7),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        range in prop::option::of((0.0..1e6f64, 0.0..1e6f64)),
    ) {
        let channels = a.channels;
        let file = file(&[a]);
        let scan = scan(&file.bytes, &mut |_| {}).unwrap();
        let picks: Vec<usize> = picks.iter().filter(|_| channels > 0).map(|pick| pick.index(channels)).collect();
        let selection = Selection { channels: Some(picks.clone()), time_range_s: range };
        let data = load(&file.bytes, &scan, &[(0, selection.clone())], 2, &|_| {}).unwrap().remove(0);
        let rows: Vec<usize> = (0..file.expected[0].len())
            .filter(|&row| range.is_none_or(|(from_s, to_s)| {
                let stamp_s = file.expected[0].time_stamps_s[row];
                from_s <= stamp_s && stamp_s <= to_s
            }))
            .collect();
        prop_assert_eq!(data.len(), rows.len());
        prop_assert_eq!(data.values.channel_count(), picks.len());
        macro_rules! check {
            ($($kind:ident),*) => {
                match (&data.values, &file.expected[0].values) {
                    $((lockstep_xdf::Columns::$kind(found), lockstep_xdf::Columns::$kind(all)) => {
                        for (column, &pick) in found.iter().zip(&picks) {
                            let wanted: Vec<_> = rows.iter().map(|&row| all[pick][row]).collect();
                            prop_assert_eq!(column, &wanted);
                        }
                    })*
                    (lockstep_xdf::Columns::Text(found), lockstep_xdf::Columns::Text(all)) => {
                        for (column, &pick) in found.iter().zip(&picks) {
                            let wanted: Vec<_> = rows.iter().map(|&row| all[pick].get(row)).collect();
                            prop_assert_eq!(column.iter().collect::<Vec<_>>(), wanted);
                        }
                    }
                    _ => prop_assert!(false),
                }
            };
        }
        check!(Int8, Int16, Int32, Int64, Float32, Double64);
        let mut samples = 0;
        let mut blocks = scan.blocks(&file.bytes, 0, selection);
        while let Some(block) = blocks.next_block().unwrap() {
            prop_assert_eq!(block.first_sample, samples);
            let from = samples as usize;
            samples += block.data.len() as u64;
            prop_assert_eq!(&data.time_stamps_s[from..samples as usize], &block.data.time_stamps_s);
        }
        prop_assert_eq!(samples as usize, data.len());
    }
}

#[test]
fn streams_of_many_pieces_and_blocks_come_back() {
    let spec = |id, format, channels, rate_hz, chunks| Spec { id, format, channels, rate_hz, chunks };
    let file = file(&[
        spec(1, ChannelFormat::Float32, 64, 1000.0, common::regular(5.0, 1000.0, 40, 1000)),
        spec(2, ChannelFormat::Int16, 2, 44_100.0, common::irregular(5.0, 4, 200_000)),
        spec(3, ChannelFormat::String, 2, 0.0, common::irregular(5.0, 50, 1500)),
        spec(4, ChannelFormat::Double64, 3000, 10.0, common::regular(5.0, 10.0, 3, 100)),
    ]);
    let (scan, data) = read(&file.bytes);
    assert!(scan.damage.is_empty());
    for (data, expected) in data.iter().zip(&file.expected) {
        assert!(digest(data) == digest(expected));
    }
}

/// Bytes that count how many of them were read.
struct Counting(Vec<u8>, std::sync::atomic::AtomicU64);

impl ReadAt for Counting {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        let size = self.0.read_at(offset, buf)?;
        self.1.fetch_add(size as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(size)
    }

    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }
}

#[test]
fn a_scan_reads_a_small_part_of_a_file_with_large_chunks() {
    let chunks = common::irregular(5.0, 100, 500);
    let file = file(&[Spec { id: 1, format: ChannelFormat::Float32, channels: 32, rate_hz: 1000.0, chunks }]);
    let source = Counting(file.bytes, 0.into());
    let scan = scan(&source, &mut |_| {}).unwrap();
    assert_eq!(scan.streams[0].sample_count, 50_000);
    let read = source.1.into_inner();
    assert!(read < scan.bytes / 8, "{read} of {}", scan.bytes);
}
