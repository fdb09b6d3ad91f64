//! The recorder's own reader, chunk by chunk, over any bytes.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use lockstep_xdf::{Chunk, ChunkReader, ReadError, SampleDecoder, StreamFooter, StreamInfo, decode};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = ChunkReader::new(bytes);
    let mut decoders = HashMap::new();
    let mut chunks = 0;
    loop {
        match reader.next_chunk() {
            Ok(None) => break,
            Ok(Some((offset, chunk))) => {
                assert!(offset < bytes.len() as u64);
                match chunk {
                    Chunk::StreamHeader { stream_id, xml } => {
                        if let Ok(info) = StreamInfo::parse(&xml) {
                            let decoder =
                                SampleDecoder::new(info.format, info.channel_count, info.nominal_rate_hz);
                            decoders.insert(stream_id, decoder);
                        }
                    }
                    Chunk::Samples { stream_id, sample_count, body } => {
                        if let Some(decoder) = decoders.get_mut(&stream_id) {
                            let _ = decoder.decode(sample_count, body, |_, _| {});
                        }
                    }
                    Chunk::StreamFooter { xml, .. } => {
                        let _ = StreamFooter::parse(&xml);
                    }
                    _ => {}
                }
            }
            Err(ReadError::NotXdf { .. } | ReadError::Io { .. }) => break,
            Err(_) => {
                let _ = decode::torn_samples(reader.unread());
                assert!(reader.resync().expect("memory can be read") > 0 || reader.unread().is_empty());
            }
        }
        chunks += 1;
        assert!(chunks <= bytes.len() + 1, "no end");
    }
});
