//! The XDF project's own example files are read with the values their description gives.
#![allow(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::collections::BTreeMap;

use lockstep_xdf::{
    ChannelFormat, Chunk, ChunkReader, SampleDecoder, SampleValues, StreamFooter, StreamInfo,
};

/// Everything a file says of one stream.
struct Stream {
    info: StreamInfo,
    decoder: SampleDecoder,
    stamps_s: Vec<f64>,
    numbers: Vec<u8>,
    strings: Vec<String>,
    clock_offsets: Vec<(f64, f64)>,
    footer: Option<StreamFooter>,
}

fn read(file: &[u8]) -> BTreeMap<u32, Stream> {
    let mut streams = BTreeMap::new();
    let mut reader = ChunkReader::new(file);
    while let Some((_, chunk)) = reader.next_chunk().unwrap() {
        match chunk {
            Chunk::StreamHeader { stream_id, xml } => {
                let info = StreamInfo::parse(&xml).unwrap();
                let stream = Stream {
                    decoder: SampleDecoder::new(info.format, info.channel_count, info.nominal_rate_hz),
                    info,
                    stamps_s: Vec::new(),
                    numbers: Vec::new(),
                    strings: Vec::new(),
                    clock_offsets: Vec::new(),
                    footer: None,
                };
                streams.insert(stream_id, stream);
            }
            Chunk::Samples { stream_id, sample_count, body } => {
                let stream = streams.get_mut(&stream_id).unwrap();
                let (stamps_s, numbers) = (&mut stream.stamps_s, &mut stream.numbers);
                let strings = &mut stream.strings;
                let visit = |stamp_s, values: SampleValues<'_>| {
                    stamps_s.push(stamp_s);
                    numbers.extend_from_slice(values.bytes());
                    strings.extend(values.strings().iter().map(|text| text.to_string()));
                };
                stream.decoder.decode(sample_count, body, visit).unwrap();
            }
            Chunk::ClockOffset { stream_id, collection_time_s, offset_s } => {
                let stream = streams.get_mut(&stream_id).unwrap();
                stream.clock_offsets.push((collection_time_s, offset_s));
            }
            Chunk::StreamFooter { stream_id, xml } => {
                let footer = StreamFooter::parse(&xml).unwrap();
                streams.get_mut(&stream_id).unwrap().footer = Some(footer);
            }
            Chunk::FileHeader { .. } | Chunk::Boundary | Chunk::Unknown { .. } => {}
        }
    }
    streams
}

#[test]
fn minimal_has_its_numbers_strings_and_stamps() {
    let streams = read(include_bytes!("../../../tests/data/minimal.xdf"));
    assert_eq!(streams.keys().copied().collect::<Vec<_>>(), [0, 0x02C0_FFEE]);

    // Written stamps are kept; each one left out is the one before plus a tenth of a second.
    let stamps_s = {
        let next = |stamp_s: f64| stamp_s + 1.0 / 10.0;
        let (b, f) = (5.2, 5.6);
        let (c, g) = (next(b), next(f));
        let (d, h) = (next(c), next(g));
        [5.1, b, c, d, 5.5, f, g, h, next(h)]
    };
    let numbers = &streams[&0];
    assert_eq!(numbers.info.name, "SendDataC");
    assert_eq!(numbers.info.kind, "EEG");
    assert_eq!(numbers.info.format, ChannelFormat::Int16);
    assert_eq!(numbers.info.channel_count, 3);
    assert_eq!(numbers.info.nominal_rate_hz, 10.0);
    assert_eq!(numbers.info.created_at_s, 50_942.723_319_709);
    assert_eq!(numbers.stamps_s, stamps_s);
    let (values, rest) = numbers.numbers.as_chunks::<2>();
    assert!(rest.is_empty());
    let values: Vec<i16> = values.iter().map(|raw| i16::from_le_bytes(*raw)).collect();
    let four = [12, 22, 32, 13, 23, 33, 14, 24, 34, 15, 25, 35];
    assert_eq!(values, [&[192, 255, 238][..], &four, &four].concat());

    let strings = &streams[&0x02C0_FFEE];
    assert_eq!(strings.info.format, ChannelFormat::String);
    assert_eq!(strings.stamps_s, stamps_s);
    assert_eq!(strings.strings.len(), 9);
    assert!(strings.strings[0].starts_with("<?xml version=\"1.0\"?><info>"));
    let words = ["Hello", "World", "from", "LSL"];
    assert_eq!(strings.strings[1..], [words, words].concat());

    assert_eq!(numbers.clock_offsets, [(6.1, -0.1), (7.1, -0.1)]);
    for stream in streams.values() {
        let footer = stream.footer.as_ref().unwrap();
        assert_eq!(footer.first_timestamp_s, Some(5.1));
        assert_eq!(footer.last_timestamp_s, Some(5.9));
        assert_eq!(footer.sample_count, 9);
        assert_eq!(footer.clock_offsets, [(50979.76, -0.01), (50979.86, -0.02)]);
        assert_eq!(footer.extra[0].name, "writer");
    }
}

#[test]
fn empty_streams_has_two_streams_with_samples_and_two_without() {
    let streams = read(include_bytes!("../../../tests/data/empty_streams.xdf"));
    let counts: Vec<_> =
        streams.values().map(|stream| (stream.info.name.as_str(), stream.stamps_s.len())).collect();
    assert_eq!(
        counts,
        [
            ("ctrl", 1),
            ("Empty marker stream: test stream 0 counter", 0),
            ("Empty data stream: test stream 0 counter", 0),
            ("Data stream: test stream 0 counter", 10),
        ]
    );
    for stream in streams.values() {
        let footer = stream.footer.as_ref().unwrap();
        assert_eq!(footer.sample_count as usize, stream.stamps_s.len());
        assert_eq!(stream.clock_offsets.len(), 7);
        assert_eq!(stream.info.hostname, "kassia");
        assert_eq!(stream.info.desc.text_at("manufacturer"), Some("pylsltools"));
    }
    let (values, rest) = streams[&4].numbers.as_chunks::<4>();
    assert!(rest.is_empty());
    let values: Vec<i32> = values.iter().map(|raw| i32::from_le_bytes(*raw)).collect();
    assert_eq!(values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let control = streams.values().next().unwrap();
    assert_eq!(control.strings, ["{\"state\": 2}"]);
}
