#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{ChannelFormat, SampleBlock, SampleEncoder, StreamInfo, encode, scan};

/// One stream of one channel; each chunk is a list of samples, `None` where the stamp is left out.
fn file(chunks: &[Vec<Option<f64>>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::file_header(&mut out, "<info/>");
    encode::stream_header(&mut out, 1, &StreamInfo::new("a", "b", 1, 10.0, ChannelFormat::Int16).to_xml());
    for chunk in chunks {
        let mut body = Vec::new();
        for stamp in chunk {
            match stamp {
                Some(stamp_s) => {
                    body.push(8);
                    body.extend(stamp_s.to_le_bytes());
                }
                None => body.push(0),
            }
            body.extend(7i16.to_le_bytes());
        }
        encode::samples_head(&mut out, 1, chunk.len() as u64, body.len());
        out.extend(body);
    }
    out
}

fn runs(bytes: &[u8]) -> (Vec<SampleRun>, Vec<Damage>) {
    let scan = scan(&bytes, &mut |_| {}).unwrap();
    let mut runs = scan.sample_runs(&bytes, 0).unwrap();
    let mut all = Vec::new();
    while let Some(run) = runs.next_run().unwrap() {
        all.push(run);
    }
    (all, runs.damage().to_vec())
}

#[test]
fn whole_chunks_are_one_run_each() {
    let first: Vec<_> = std::iter::once(Some(1.0)).chain([None; 3]).collect();
    let bytes = file(&[first, vec![None, Some(9.0), None], vec![Some(9.5), Some(9.6)]]);
    let (runs, damage) = runs(&bytes);
    assert!(damage.is_empty());
    let seen: Vec<_> = runs
        .iter()
        .map(|run| (run.chunk, run.samples, run.bare_samples, run.first_written_s, run.is_placed))
        .collect();
    assert_eq!(seen, [(0, 4, 0, Some(1.0), true), (1, 3, 1, Some(9.0), false), (2, 2, 0, Some(9.5), true)]);
    assert_eq!(runs[1].bare_bytes, 3);
    // Readers add the interval to the stamp before, one by one.
    assert_eq!(runs[0].last_s, 1.0 + 0.1 + 0.1 + 0.1);
    assert_eq!((runs[1].first_s, runs[1].last_s), (runs[0].last_s + 0.1, 9.1));
    assert_eq!(runs[2].end(), bytes.len() as u64);
}

#[test]
fn a_damaged_sample_parts_a_chunk_and_time_goes_on() {
    let first: Vec<_> = std::iter::once(Some(1.0)).chain([None; 5]).collect();
    let mut bytes = file(&[first]);
    let third = bytes.len() - 4 * 3;
    bytes[third] = 1;
    let (runs, damage) = runs(&bytes);
    assert_eq!(runs.iter().map(|run| run.samples).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((damage.len(), damage[0].samples_lost, damage[0].bytes), (1, Some(1), 3));
    assert!(runs[1].is_placed && runs[1].bare_samples == 3);
    assert_eq!(runs[1].first_s, 1.0 + 0.1 + 0.1 + 0.1);
}

#[test]
fn a_damaged_sample_right_behind_the_stamp_parts_a_chunk_too() {
    let mut bytes = file(&[std::iter::once(Some(1.0)).chain([None; 5]).collect()]);
    let second = bytes.len() - 5 * 3;
    bytes[second] = 1;
    let (runs, damage) = runs(&bytes);
    assert_eq!(runs.iter().map(|run| run.samples).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(damage[0].offset, second as u64);
    assert_eq!(runs[1].first_s, 1.0 + 0.1 + 0.1);
}

#[test]
fn texts_lie_in_runs_too() {
    let mut out = Vec::new();
    encode::file_header(&mut out, "<info/>");
    encode::stream_header(&mut out, 1, &StreamInfo::new("a", "b", 1, 0.0, ChannelFormat::String).to_xml());
    let mut encoder = SampleEncoder::new(ChannelFormat::String, 1, 0.0);
    for stamp_s in [1.0, 1.0, 2.0] {
        encoder.push_strings(&[stamp_s], ["Stimulus/S 1"].iter()).unwrap();
    }
    encode::samples(&mut out, 1, &encoder.take(SampleBlock::default()));
    let (runs, damage) = runs(&out);
    assert!(damage.is_empty());
    assert_eq!((runs.len(), runs[0].samples, runs[0].last_s), (1, 3, 2.0));
    assert_eq!(runs[0].end(), out.len() as u64);
}
