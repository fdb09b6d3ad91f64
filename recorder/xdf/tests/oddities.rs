//! Files that are legal or nearly so, and rare.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Spec, file, irregular, read};
use lockstep_xdf::{
    ChannelFormat, Columns, DamageReason, LoadError, MAX_CHANNELS, SampleBlock, Selection, StreamInfo,
    encode, load, scan,
};

fn header(channels: usize, format: ChannelFormat) -> String {
    StreamInfo::new("S", "T", channels, 0.0, format).to_xml()
}

fn start() -> Vec<u8> {
    let mut file = Vec::new();
    encode::file_header(&mut file, "<info><version>1.0</version></info>");
    file
}

/// A chunk of int8 samples of one channel with stamps.
fn samples(file: &mut Vec<u8>, id: u32, values: &[u8]) {
    let body =
        values.iter().flat_map(|value| [&[8], &f64::from(*value).to_le_bytes()[..], &[*value]].concat());
    let block =
        SampleBlock { sample_count: values.len() as u64, body: body.collect(), ..SampleBlock::default() };
    encode::samples(file, id, &block);
}

#[test]
fn the_same_header_again_goes_on_with_the_stream() {
    let mut file = start();
    for part in [[1, 2], [3, 4]] {
        encode::stream_header(&mut file, 1, &header(1, ChannelFormat::Int8));
        samples(&mut file, 1, &part);
    }
    let (scan, data) = read(&file);
    assert_eq!(scan.streams.len(), 1);
    assert_eq!(data[0].values, Columns::Int8(vec![vec![1, 2, 3, 4]]));
    assert_eq!(scan.damage[0].reason, DamageReason::RepeatedHeader);
}

#[test]
fn another_header_of_the_same_id_begins_another_stream() {
    let mut file = start();
    encode::stream_header(&mut file, 1, &header(1, ChannelFormat::Int8));
    samples(&mut file, 1, &[1, 2]);
    encode::stream_header(&mut file, 1, &header(1, ChannelFormat::String));
    encode::clock_offset(&mut file, 1, 1.0, 2.0);
    let (scan, data) = read(&file);
    assert_eq!(scan.streams.len(), 2);
    assert_eq!((data[0].len(), data[1].len()), (2, 0));
    assert_eq!((scan.streams[0].clock_offsets.len(), scan.streams[1].clock_offsets.len()), (0, 1));
}

#[test]
fn what_belongs_to_no_stream_is_summed_up() {
    let mut file = start();
    let begin = file.len();
    for _ in 0..20 {
        samples(&mut file, 5, &[1, 2, 3]);
    }
    encode::stream_header(&mut file, 6, "<info>no channels</info>");
    samples(&mut file, 6, &[1]);
    let (scan, _) = read(&file);
    assert_eq!(scan.damage.len(), 3, "{:?}", scan.damage);
    let first = &scan.damage[0];
    assert_eq!((first.offset, first.samples_lost), (begin as u64, Some(60)));
    assert_eq!((first.stream_id, &first.reason), (Some(5), &DamageReason::UnknownStream));
    assert!(matches!(scan.damage[1].reason, DamageReason::BadXml { .. }));
}

#[test]
fn offsets_that_are_no_numbers_and_footers_that_are_no_xml_are_told() {
    let mut file = start();
    encode::stream_header(&mut file, 1, &header(1, ChannelFormat::Int8));
    encode::clock_offset(&mut file, 1, 1.0, f64::NAN);
    encode::clock_offset(&mut file, 1, 1.0, 0.5);
    encode::stream_footer(&mut file, 1, "<info><sample_count>many</sample_count></info>");
    let (scan, _) = read(&file);
    let stream = &scan.streams[0];
    assert_eq!(stream.clock_offsets.len(), 1);
    assert!(stream.footer.is_none() && stream.footer_xml.is_some());
    assert_eq!(scan.damage.len(), 2);
    assert_eq!(scan.damage[0].reason, DamageReason::BadClockOffset);
    assert_eq!(scan.damage[0].bytes, 24);
}

#[test]
fn a_header_with_more_channels_than_any_chunk_holds_takes_no_memory() {
    for (channels, format) in [(usize::MAX, ChannelFormat::Double64), (MAX_CHANNELS + 1, ChannelFormat::Int8)]
    {
        let mut file = start();
        encode::stream_header(&mut file, 1, &header(channels, format));
        let (scan, _) = read(&file);
        assert!(scan.streams.is_empty());
        assert!(matches!(scan.damage[0].reason, DamageReason::BadXml { .. }));
    }
    let mut file = start();
    for id in 0..20 {
        encode::stream_header(&mut file, id, &header(MAX_CHANNELS, ChannelFormat::Int8));
    }
    let scan = scan(&file, &mut |_| {}).unwrap();
    let wanted: Vec<_> = (0..scan.streams.len()).map(|index| (index, Selection::default())).collect();
    let error = load(&file, &scan, &wanted, 1, &|_| {}).unwrap_err();
    assert!(matches!(error, LoadError::TooManyColumns { .. }), "{error}");
}

#[test]
fn streams_and_channels_that_are_not_there_are_named() {
    let chunks = irregular(0.0, 2, 2);
    let file = file(&[Spec { id: 4, format: ChannelFormat::Int16, channels: 2, rate_hz: 0.0, chunks }]);
    let scan = scan(&file.bytes, &mut |_| {}).unwrap();
    let all = |index| [(index, Selection::default())];
    let error = load(&file.bytes, &scan, &all(1), 1, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("no stream with index 1; the file has 1"), "{error}");
    let wanted = Selection { channels: Some(vec![0, 2]), ..Selection::default() };
    let error = load(&file.bytes, &scan, &[(0, wanted.clone())], 1, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("stream 4 has no channel 2 (counted from 0); it has 2"), "{error}");
    let mut blocks = scan.blocks(&file.bytes, 0, wanted);
    assert!(blocks.next_block().is_err());
    assert!(blocks.next_block().unwrap().is_none());
}

#[test]
fn a_file_that_shrinks_after_the_scan_is_an_error() {
    let chunks = irregular(0.0, 2, 2000);
    for format in [ChannelFormat::Int16, ChannelFormat::String] {
        let file = file(&[Spec { id: 4, format, channels: 2, rate_hz: 0.0, chunks: chunks.clone() }]);
        let scan = scan(&file.bytes, &mut |_| {}).unwrap();
        let shorter = file.bytes[..file.bytes.len() / 2].to_vec();
        let result = load(&shorter, &scan, &[(0, Selection::default())], 2, &|_| {});
        match result {
            Err(error) => assert!(matches!(error, LoadError::Changed { .. }), "{error}"),
            // Texts are looked at again, so what is missing is damage.
            Ok(data) => assert!(!data[0].damage.is_empty()),
        }
    }
}

#[test]
fn texts_that_are_not_utf8_are_counted_and_shown() {
    let mut file = start();
    encode::stream_header(&mut file, 1, &header(1, ChannelFormat::String));
    let body =
        [&[8], &1.0f64.to_le_bytes()[..], &[1, 3, b'a', 0xFF, b'b'], &[0, 4, 1, 0, 0, 0, b'c']].concat();
    encode::samples(&mut file, 1, &SampleBlock { sample_count: 2, body, ..SampleBlock::default() });
    let (_, data) = read(&file);
    let Columns::Text(columns) = &data[0].values else {
        panic!("no text");
    };
    assert_eq!(columns[0].iter().collect::<Vec<_>>(), ["a\u{FFFD}b", "c"]);
    assert_eq!(columns[0].invalid_utf8(), 1);
    assert_eq!(data[0].time_stamps_s, [1.0, 1.0]);
}

#[test]
fn stamps_left_out_from_the_start_count_from_zero() {
    let mut file = start();
    let info = StreamInfo::new("S", "T", 1, 10.0, ChannelFormat::Int8).to_xml();
    encode::stream_header(&mut file, 1, &info);
    for _ in 0..3 {
        let body = [0, 7].repeat(4);
        encode::samples(&mut file, 1, &SampleBlock { sample_count: 4, body, ..SampleBlock::default() });
    }
    let (_, data) = read(&file);
    let mut last_s = 0.0;
    let expected: Vec<f64> = (0..12)
        .map(|_| {
            last_s += 0.1;
            last_s
        })
        .collect();
    assert_eq!(data[0].time_stamps_s, expected);
}
