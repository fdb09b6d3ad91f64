//! One bit of a file is turned over, at a random place: recovering gives a whole file, with nothing in it
//! that was never recorded.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod recovering;

use std::collections::HashMap;
use std::ops::Range;

use lockstep_xdf::{ChannelFormat, SampleBlock, SampleEncoder, StreamFooter, StreamInfo, encode};
use recovering::{recover, rows, whole};

/// Flips of the ordinary test; `LOCKSTEP_FLIPS` asks for another number.
const FLIPS: usize = 400;
const ROUNDS: usize = 25;
/// The stream as LabRecorder writes it: every other stamp is left out, across chunks.
const LAB: u32 = 3;

/// What a file is made of.
struct Made {
    bytes: Vec<u8>,
    /// Where the headers end.
    headers_end: usize,
    /// Chunks of samples: where they are, of which stream, which of its samples.
    chunks: Vec<(Range<usize>, u32, Range<usize>)>,
}

fn text(sample: usize) -> String {
    format!("Stimulus/S{:3} {}", sample % 200, "x".repeat(sample % 13))
}

/// No two samples have the same values, not even after one bit of one of them was turned over.
fn number(sample: usize, channel: usize) -> f32 {
    if channel == 0 { (sample as f32 * 0.37).sin() * 100.0 } else { (sample * channel) as f32 }
}

fn made() -> Made {
    let info =
        |id, channels, rate_hz, format| StreamInfo::new(format!("S{id}"), "Test", channels, rate_hz, format);
    let infos = [
        (1, info(1, 3, 100.0, ChannelFormat::Float32)),
        (2, info(2, 2, 500.0, ChannelFormat::Int16)),
        (LAB, info(LAB, 2, 100.0, ChannelFormat::Float32)),
        (4, info(4, 1, 0.0, ChannelFormat::String)),
        (5, info(5, 1, 0.0, ChannelFormat::Double64)),
    ];
    let mut file = Vec::new();
    encode::file_header(&mut file, "<?xml version=\"1.0\"?><info><version>1.0</version></info>");
    for (id, info) in &infos {
        encode::stream_header(&mut file, *id, &info.to_xml());
    }
    let headers_end = file.len();
    let per_chunk: HashMap<u32, usize> = [(1, 40), (2, 80), (LAB, 51), (4, 7), (5, 1)].into();
    let mut encoders: HashMap<u32, SampleEncoder> = infos
        .iter()
        .map(|(id, info)| (*id, SampleEncoder::new(info.format, info.channel_count, info.nominal_rate_hz)))
        .collect();
    let mut last: HashMap<u32, (f64, f64, u64)> = HashMap::new();
    let mut clock = HashMap::from([(2, 10.0), (LAB, 10.0)]);
    let (mut chunks, mut offsets) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (id, info) in &infos {
            let count = per_chunk[id];
            let range = round * count..(round + 1) * count;
            let mut stamps = Vec::new();
            for sample in range.clone() {
                stamps.push(match clock.get_mut(id) {
                    Some(last_s) => {
                        *last_s += 1.0 / info.nominal_rate_hz;
                        *last_s
                    }
                    None => 10.0 + sample as f64 * 0.01 + (sample % 7) as f64 * 1e-5,
                });
            }
            let begin = file.len();
            if *id == LAB {
                let mut body = Vec::new();
                for (sample, stamp_s) in range.clone().zip(&stamps) {
                    if sample % 2 == 0 {
                        body.push(8);
                        body.extend(stamp_s.to_le_bytes());
                    } else {
                        body.push(0);
                    }
                    (0..2).for_each(|channel| body.extend(number(sample, channel).to_le_bytes()));
                }
                encode::samples_head(&mut file, LAB, count as u64, body.len());
                file.extend(body);
            } else {
                let encoder = encoders.get_mut(id).unwrap();
                for (sample, stamp_s) in range.clone().zip(&stamps) {
                    let stamp = std::slice::from_ref(stamp_s);
                    let channels = 0..info.channel_count;
                    match info.format {
                        ChannelFormat::String => encoder.push_strings(stamp, [text(sample)].iter()).unwrap(),
                        ChannelFormat::Int16 => {
                            let values = channels.flat_map(|c| (number(sample, c) as i16).to_ne_bytes());
                            encoder.push(stamp, &values.collect::<Vec<_>>()).unwrap()
                        }
                        ChannelFormat::Double64 => {
                            encoder.push(stamp, &f64::from(number(sample, 0)).to_ne_bytes()).unwrap()
                        }
                        _ => {
                            let values = channels.flat_map(|c| number(sample, c).to_ne_bytes());
                            encoder.push(stamp, &values.collect::<Vec<_>>()).unwrap()
                        }
                    };
                }
                encode::samples(&mut file, *id, &encoder.take(SampleBlock::default()));
            }
            chunks.push((begin..file.len(), *id, range.clone()));
            let entry = last.entry(*id).or_insert((stamps[0], 0.0, 0));
            (entry.1, entry.2) = (*stamps.last().unwrap(), range.end as u64);
            if round % 3 == 2 && *id == 1 {
                let offset = (entry.1, -0.5 + round as f64 * 1e-6);
                encode::clock_offset(&mut file, 1, offset.0, offset.1);
                offsets.push(offset);
            }
        }
        if round % 10 == 9 {
            encode::boundary(&mut file);
        }
    }
    for (id, _) in &infos {
        let footer = StreamFooter {
            first_timestamp_s: Some(last[id].0),
            last_timestamp_s: Some(last[id].1),
            sample_count: last[id].2,
            clock_offsets: if *id == 1 { offsets.clone() } else { Vec::new() },
            ..StreamFooter::default()
        };
        encode::stream_footer(&mut file, *id, &footer.to_xml());
    }
    Made { bytes: file, headers_end, chunks }
}

type Rows = HashMap<u32, Vec<(u64, Vec<u8>)>>;

fn all_rows(bytes: &[u8]) -> Rows {
    whole(bytes).iter().map(|(id, data)| (*id, rows(data))).collect()
}

/// Samples that are kept as they were; an error where there is something that was not recorded.
fn judge(made: &Made, expected: &Rows, at: usize, found: &Rows) -> Result<usize, String> {
    let victim = made.chunks.iter().find(|(bytes, ..)| bytes.contains(&at));
    let mut right = 0;
    for (id, found) in found {
        let Some(expected) = expected.get(id) else {
            if at >= made.headers_end {
                return Err(format!("a stream {id} that was not there"));
            }
            continue;
        };
        if found.len() > expected.len() {
            return Err(format!("{} samples of {} in stream {id}", found.len(), expected.len()));
        }
        if at < made.headers_end {
            right += found.iter().zip(expected).filter(|(a, b)| a == b).count();
            continue;
        }
        let touched = victim.filter(|victim| victim.1 == *id).map_or(0..0, |victim| victim.2.clone());
        let (mut next, mut strange) = (0, 0);
        for row in found {
            if let Some(on) = expected[next..].iter().position(|one| one == row) {
                next += on + 1;
                right += 1;
                continue;
            }
            // In the touched chunk a stamp may be another, and the values of one sample. The stamps of
            // LabRecorder's next chunk may follow from it.
            let near = touched.start.saturating_sub(1)..touched.end + usize::from(*id == LAB);
            if touched.is_empty() || next < near.start || next > near.end {
                return Err(format!("stream {id}: {row:?} after sample {next}, in no touched chunk"));
            }
            let by_value = expected[next..near.end.min(expected.len())].iter().position(|one| one.1 == row.1);
            match by_value {
                Some(on) => next += on + 1,
                None => strange += 1,
            }
        }
        if strange > 1 {
            return Err(format!("stream {id}: {strange} samples that were never recorded"));
        }
    }
    Ok(right)
}

#[test]
fn whatever_bit_is_turned_over() {
    let made = made();
    let expected = all_rows(&made.bytes);
    let all: usize = expected.values().map(Vec::len).sum();
    let flips = std::env::var("LOCKSTEP_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(FLIPS);
    let (mut sum, mut worst, mut nothing, mut told) = (0.0, (1.0, 0), 0, 0);
    let (mut sum_after_headers, mut after_headers, mut worst_after_headers) = (0.0, 0, (1.0, 0));
    let mut invented = Vec::new();
    let mut random: u64 = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..flips {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let at = 4 + (random >> 8) as usize % (made.bytes.len() - 4);
        let mut bytes = made.bytes.clone();
        bytes[at] ^= 1 << (random & 7);
        let Some((recovery, new)) = recover(&bytes) else {
            nothing += 1;
            continue;
        };
        told += usize::from(recovery.is_lossy());
        let right = judge(&made, &expected, at, &all_rows(&new)).unwrap_or_else(|error| {
            invented.push(format!("byte {at}, bit {}: {error}", random & 7));
            0
        });
        let share = right as f64 / all as f64;
        sum += share;
        if share < worst.0 {
            worst = (share, at);
        }
        if at >= made.headers_end {
            sum_after_headers += share;
            after_headers += 1;
            if share < worst_after_headers.0 {
                worst_after_headers = (share, at);
            }
        }
    }
    println!(
        "{flips} flips in {} bytes, {all} samples: mean {:.4} %, worst {:.2} % (byte {}); behind the headers \
         mean {:.4} %, worst {:.2} % (byte {}); {told} times loss was told, {nothing} times nothing was left",
        made.bytes.len(),
        100.0 * sum / flips as f64,
        100.0 * worst.0,
        worst.1,
        100.0 * sum_after_headers / f64::from(after_headers),
        100.0 * worst_after_headers.0,
        worst_after_headers.1,
    );
    assert!(invented.is_empty(), "{} times: {invented:#?}", invented.len());
    assert_eq!(nothing, 0);
    assert!(sum / flips as f64 > 0.95 && worst_after_headers.0 > 0.95);
}

#[test]
fn an_untouched_file_is_recovered_whole() {
    let made = made();
    let (recovery, new) = recover(&made.bytes).unwrap();
    assert!(!recovery.is_lossy() && recovery.skipped.is_empty(), "{recovery:?}");
    assert_eq!(all_rows(&new), all_rows(&made.bytes));
    // Nothing but the file's header is another.
    let first = |bytes: &[u8]| bytes.windows(2).position(|two| two == [2, 0]).unwrap();
    assert!(new.ends_with(&made.bytes[first(&made.bytes)..]));
    if std::env::var_os("LOCKSTEP_WRITE_FLIPS_FILE").is_some() {
        std::fs::write(std::env::temp_dir().join("lockstep_flips.xdf"), &made.bytes).unwrap();
    }
}
