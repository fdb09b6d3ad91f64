//! Recovering in memory, and samples as rows of bytes to compare.
#![allow(dead_code, clippy::unwrap_used, reason = "tests; each test file uses a part")]

use std::path::Path;

use lockstep_analysis::Recording;
use lockstep_analysis::recover::{Origin, Recovery, plan, write_into};
use lockstep_xdf::{Columns, Damage, DamageReason, Selection, StreamData, load, scan};

pub fn recording(bytes: &[u8]) -> Recording {
    let bytes = bytes.to_vec();
    let found = scan(&bytes, &mut |_| {}).unwrap();
    Recording::from_source(Path::new("made.xdf"), Box::new(bytes), found)
}

/// What is recovered of a file, and the new file; `None` where there is nothing to recover.
pub fn recover(bytes: &[u8]) -> Option<(Recovery, Vec<u8>)> {
    let recording = recording(bytes);
    let recovery = plan(&recording, &mut |_| {}).unwrap();
    if recovery.streams.is_empty() {
        return None;
    }
    let origin = Origin { file: "made.xdf".to_owned(), bytes: bytes.len() as u64, ..Origin::default() };
    let mut out = Vec::new();
    write_into(&recording, &recovery, &origin, &mut out, Path::new("new.xdf"), &mut |_| {}).unwrap();
    Some((recovery, out))
}

/// All streams of a file that must be whole: ids and samples.
pub fn whole(bytes: &[u8]) -> Vec<(u32, StreamData)> {
    let bytes = bytes.to_vec();
    let found = scan(&bytes, &mut |_| {}).unwrap();
    // Chunks of other kinds are kept as they are.
    let kept = |damage: &Damage| matches!(damage.reason, DamageReason::UnknownTag(_));
    assert!(found.damage.iter().all(kept), "{:?}", found.damage);
    let wanted: Vec<_> = (0..found.streams.len()).map(|index| (index, Selection::default())).collect();
    let data = load(&bytes, &found, &wanted, 1, &|_| {}).unwrap();
    let streams = found.streams.iter().zip(data).map(|(stream, data)| {
        assert!(data.damage.is_empty(), "{:?}", data.damage);
        let footer = stream.footer.as_ref().expect("a footer");
        assert_eq!(footer.sample_count, data.len() as u64, "{}", stream.info.name);
        // Footers have 16 digits, or fewer.
        let same = |noted: Option<f64>, there: Option<&f64>| match (noted, there) {
            (Some(noted), Some(there)) => {
                noted.to_bits() == there.to_bits() || (noted - there).abs() <= 1e-14 * there.abs()
            }
            (noted, there) => noted.is_none() && there.is_none(),
        };
        assert!(same(footer.first_timestamp_s, data.time_stamps_s.first()), "{footer:?}");
        assert!(same(footer.last_timestamp_s, data.time_stamps_s.last()), "{footer:?}");
        let offsets: Vec<_> =
            stream.clock_offsets.iter().map(|o| (o.collection_time_s, o.offset_s)).collect();
        let pairs = || footer.clock_offsets.iter().zip(&offsets);
        assert!(footer.clock_offsets.len() == offsets.len(), "{footer:?}");
        assert!(
            pairs().all(|(a, b)| same(Some(a.0), Some(&b.0)) && same(Some(a.1), Some(&b.1))),
            "{footer:?}"
        );
        (stream.id, data)
    });
    streams.collect()
}

/// Each sample's stamp and values as bytes.
pub fn rows(data: &StreamData) -> Vec<(u64, Vec<u8>)> {
    (0..data.len())
        .map(|row| {
            let mut bytes = Vec::new();
            macro_rules! add {
                ($($kind:ident),*) => {
                    match &data.values {
                        $(Columns::$kind(list) => list.iter().for_each(|column| bytes.extend(column[row].to_le_bytes())),)*
                        Columns::Text(list) => {
                            list.iter().for_each(|column| bytes.extend(format!("{}\0", column.get(row)).bytes()));
                        }
                    }
                };
            }
            add!(Int8, Int16, Int32, Int64, Float32, Double64);
            (data.time_stamps_s[row].to_bits(), bytes)
        })
        .collect()
}
