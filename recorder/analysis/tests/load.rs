//! What is loaded whole is what comes block after block, bit by bit.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use lockstep_analysis::{ERRORS_EVERY, Recording, SyncOptions, Synchronizer, load};
use lockstep_clock::{DejitterMethod, Method};
use lockstep_xdf::{
    ChannelFormat, Columns, SampleBlock, SampleEncoder, StreamFooter, StreamInfo, encode, scan,
};

/// Noise that is the same each time.
fn noise(index: u32) -> f64 {
    let mut x = index.wrapping_mul(2_654_435_761) ^ 0x9e37_79b9;
    x ^= x >> 15;
    x = x.wrapping_mul(0x85eb_ca6b);
    f64::from(x ^ (x >> 13)) / f64::from(u32::MAX)
}

/// A regular stream of a clock that wanders, is stepped at 300 s, and pauses at 150 s; texts of another
/// clock; one stream that has more samples than its footer says, and a last offset far off.
fn bytes() -> Vec<u8> {
    let mut file = Vec::new();
    encode::file_header(&mut file, "<info><version>1.0</version></info>");
    let formats = [ChannelFormat::Int16, ChannelFormat::String, ChannelFormat::Float32];
    for (id, format) in (1..).zip(formats) {
        let rate_hz = if format == ChannelFormat::String { 0.0 } else { 100.0 };
        let info = StreamInfo::new(format!("S{id}"), "T", 2, rate_hz, format);
        encode::stream_header(&mut file, id, &info.to_xml());
    }
    let mut numbers = SampleEncoder::new(ChannelFormat::Int16, 2, 100.0);
    let mut texts = SampleEncoder::new(ChannelFormat::String, 2, 0.0);
    let mut cut = SampleEncoder::new(ChannelFormat::Float32, 2, 100.0);
    for second in 0..600u32 {
        let host_s = 1000.0 + f64::from(second) + if second > 150 { 30.0 } else { 0.0 };
        let step_s = if second < 300 { 0.0 } else { 0.25 };
        let offset_s = -70.0 - step_s + 2e-5 * host_s + 1e-4 * (host_s / 200.0).sin();
        for k in 0..100u32 {
            let value = [second as i16, k as i16].map(i16::to_ne_bytes).concat();
            let at_s = host_s - offset_s + f64::from(k) / 100.0 + 1e-3 * noise(second * 100 + k);
            numbers.push(&[at_s], &value).unwrap();
            if second < 60 {
                let value = [second as f32, k as f32].map(f32::to_ne_bytes).concat();
                cut.push(&[f64::from(second) + f64::from(k) / 100.0], &value).unwrap();
            }
        }
        let mark = format!("mark {second}");
        texts.push_strings(&[host_s + 55.0 + noise(second)], [mark.as_str(), "é"].into_iter()).unwrap();
        encode::samples(&mut file, 1, &numbers.take(SampleBlock::default()));
        encode::samples(&mut file, 2, &texts.take(SampleBlock::default()));
        encode::samples(&mut file, 3, &cut.take(SampleBlock::default()));
        if second % 5 == 0 {
            encode::clock_offset(&mut file, 1, host_s - offset_s, offset_s + 2e-4 * noise(second));
            encode::clock_offset(&mut file, 2, host_s + 55.0, -55.0 + 3e-4 * noise(second + 1));
            let far_s = if second == 595 { 1e5 } else { 0.0 };
            encode::clock_offset(&mut file, 3, f64::from(second) + far_s, 900.0);
        }
    }
    for (id, sample_count) in [(1, 60_000), (2, 600), (3, 5_990)] {
        let footer = StreamFooter { sample_count, ..StreamFooter::default() };
        encode::stream_footer(&mut file, id, &footer.to_xml());
    }
    file
}

fn same(recording: &Recording, options: &SyncOptions) {
    let synchronizer = Synchronizer::new(recording, options.clone()).unwrap();
    let wanted = [(2, None), (0, Some(vec![1])), (1, None)];
    for threads in [1, 3] {
        let loaded = load(&synchronizer, &wanted, threads, &|_| {}).unwrap();
        for (loaded, (stream, channels)) in loaded.iter().zip(&wanted) {
            let timing = synchronizer.time(*stream, &mut |_| {}).unwrap();
            let mut blocks = timing.blocks(channels.clone());
            let mut first = 0;
            while let Some(block) = blocks.next_block().unwrap() {
                let these = first..first + block.times.len();
                let bits = |times: &[f64]| times.iter().map(|t| t.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&loaded.time_s[these.clone()]), bits(&block.times.time_s), "{options:?}");
                match (&loaded.values, block.values) {
                    (Columns::Int16(all), Columns::Int16(some)) => assert_eq!(all[0][these.clone()], some[0]),
                    (Columns::Float32(all), Columns::Float32(some)) => {
                        assert_eq!(all[1][these.clone()], some[1]);
                    }
                    (Columns::Text(all), Columns::Text(some)) => {
                        assert!(these.clone().map(|i| all[1].get(i)).eq(some[1].iter()));
                    }
                    other => panic!("{other:?}"),
                }
                for index in these.clone().filter(|index| index % ERRORS_EVERY == 0) {
                    let at = index / ERRORS_EVERY;
                    assert_eq!(loaded.errors.sigma_total_s[at], block.times.sigma_total_s[index - first]);
                }
                first = these.end;
            }
            assert_eq!(loaded.time_s.len(), first);
            assert_eq!(
                (loaded.plan.clone(), loaded.clock_segments.clone()),
                (timing.plan, timing.clock_segments)
            );
            assert_eq!(loaded.device_span_s, timing.device_span_s);
            let cut = *stream == 2 && options.compat_pyxdf && options.method != Method::None;
            assert_eq!(first, [60_000, 600, if cut { 5_990 } else { 6_000 }][*stream]);
        }
    }
}

#[test]
fn loaded_whole_and_block_by_block_are_the_same_bits() {
    let bytes = bytes();
    let found = scan(&bytes, &mut |_| {}).unwrap();
    let recording = Recording::from_source(Path::new("P01.xdf"), Box::new(bytes), found);
    for method in [Method::None, Method::Linear, Method::Robust, Method::Interpolate, Method::Smooth] {
        for dejitter in [DejitterMethod::None, DejitterMethod::Pyxdf, DejitterMethod::Relative] {
            let rising = dejitter == DejitterMethod::None;
            same(
                &recording,
                &SyncOptions { method, dejitter, strictly_increasing: rising, ..SyncOptions::default() },
            );
        }
    }
    for (sync, dejitter) in [(true, true), (true, false), (false, true), (false, false)] {
        same(&recording, &SyncOptions::pyxdf(sync, dejitter));
    }
}
