//! Scan, load and blocks over any bytes: no panic, they agree, and memory is bounded by the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockstep_xdf::{Columns, Damage, Selection, StreamData, load, scan};

/// A value has at least an eighth of a byte in the file per byte in memory.
const MOST_BYTES_PER_BYTE: usize = 12;

fuzz_target!(|bytes: &[u8]| {
    let bytes = bytes.to_vec();
    let Ok(scan) = scan(&bytes, &mut |_| {}) else {
        return;
    };
    let channels: usize = scan.streams.iter().map(|stream| stream.info.channel_count).sum();
    if channels > 100_000 {
        return;
    }
    for pair in scan.streams.iter().flat_map(|stream| stream.chunks.windows(2)) {
        assert!(pair[0].end() <= pair[1].file_offset, "chunks overlap");
    }
    let wanted: Vec<_> = (0..scan.streams.len()).map(|index| (index, Selection::default())).collect();
    let one = load(&bytes, &scan, &wanted, 1, &|_| {}).expect("memory can be read");
    let two = load(&bytes, &scan, &wanted, 2, &|_| {}).expect("memory can be read");
    for (index, (one, two)) in one.iter().zip(&two).enumerate() {
        assert!(one.len().saturating_mul(8) <= bytes.len() * MOST_BYTES_PER_BYTE);
        same(one, two, &two.damage);
        let mut all = StreamData::empty(one.values.format(), one.values.channel_count());
        let mut blocks = scan.blocks(&bytes, index, Selection::default());
        while let Some(block) = blocks.next_block().expect("memory can be read") {
            assert_eq!(block.first_sample as usize, all.len());
            append(&mut all, block.data);
        }
        same(one, &all, blocks.damage());
    }
});

fn append(all: &mut StreamData, more: &StreamData) {
    all.time_stamps_s.extend(&more.time_stamps_s);
    macro_rules! append {
        ($($kind:ident),*) => {
            match (&mut all.values, &more.values) {
                $((Columns::$kind(list), Columns::$kind(more)) => {
                    list.iter_mut().zip(more).for_each(|(column, more)| column.extend(more));
                })*
                (Columns::Text(list), Columns::Text(more)) => {
                    for (column, more) in list.iter_mut().zip(more) {
                        more.iter().for_each(|text| column.push(text));
                    }
                }
                _ => panic!("another format"),
            }
        };
    }
    append!(Int8, Int16, Int32, Int64, Float32, Double64);
}

/// Bit by bit, because NaN is not equal to itself.
fn same(a: &StreamData, b: &StreamData, damage: &[Damage]) {
    assert_eq!(a.damage, damage);
    assert_eq!(a.len(), b.len());
    assert!(a.time_stamps_s.iter().zip(&b.time_stamps_s).all(|(a, b)| a.to_bits() == b.to_bits()));
    macro_rules! same {
        ($($kind:ident),*) => {
            match (&a.values, &b.values) {
                $((Columns::$kind(a), Columns::$kind(b)) => {
                    let bits_a = a.iter().flatten().flat_map(|value| value.to_le_bytes());
                    let bits_b = b.iter().flatten().flat_map(|value| value.to_le_bytes());
                    assert!(bits_a.eq(bits_b));
                })*
                (Columns::Text(a), Columns::Text(b)) => {
                    assert!(a.iter().flat_map(|c| c.iter()).eq(b.iter().flat_map(|c| c.iter())));
                }
                _ => panic!("another format"),
            }
        };
    }
    same!(Int8, Int16, Int32, Int64, Float32, Double64);
}
