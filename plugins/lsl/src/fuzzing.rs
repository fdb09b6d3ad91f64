//! What a peer on the network sends, as far as it is read here, with what has to hold of it: for the fuzz targets,
//! and no interface.

use std::net::{Ipv4Addr, SocketAddr};

use lockstep_plugin_api::Format;

use crate::clock::wire;
use crate::decode::{Batch, Decoder};
use crate::found::Found;
use crate::handshake::Handshake;
use crate::net;
use crate::options::predicate_fault;

const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 16572);

/// The first byte says what it is.
pub fn wire(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice & 7 {
        0 | 1 => samples(bytes),
        2 => {
            let answer = [b"id\r\n", bytes].concat();
            if let Some(found) = net::answer(&answer, "id", FROM) {
                // What is no UTF-8 becomes a sign of three bytes.
                assert!(found.name.len() <= 3 * answer.len() && found.data.is_none_or(|at| at.port() != 0));
                let _ = net::matches("name='x' and channel_count > 3", &found);
            }
        }
        3 => drop(net::read_description(&String::from_utf8_lossy(bytes))),
        4 | 5 => feed(choice, bytes),
        6 => {
            let text = String::from_utf8_lossy(bytes);
            let is_readable = net::is_readable(&text);
            let fulfilled = net::matches(&text, &found(Format::Int16, 2));
            assert!(predicate_fault(&text).is_none() || !is_readable && !fulfilled);
        }
        _ => {
            if let Some(answer) = wire::answer(bytes) {
                assert!(answer.t1_s.is_finite() && answer.t2_s.is_finite());
            }
        }
    }
}

fn found(format: Format, channel_count: usize) -> Found {
    Found {
        name: "x".to_owned(),
        kind: "EEG".to_owned(),
        channel_count,
        nominal_rate_hz: 250.0,
        format,
        source_id: "x-1".to_owned(),
        uid: "uid-x".to_owned(),
        session_id: "default".to_owned(),
        hostname: "lab-pc".to_owned(),
        created_at_s: 12.5,
        data: Some(FROM),
        time_service: None,
        elsewhere: Vec::new(),
    }
}

fn format(choice: u8) -> Format {
    let formats =
        [Format::Float32, Format::Double64, Format::String, Format::Int32, Format::Int16, Format::Int8];
    formats[usize::from(choice) % formats.len()]
}

/// Samples come out the same whatever pieces they come in, and are no more than the bytes account for.
fn samples(bytes: &[u8]) {
    let [layout, channels, piece, feed @ ..] = bytes else { return };
    let format = format(*layout);
    let channels = usize::from(channels % 9).max(1);
    let rate_hz = if layout & 64 == 0 { 250.0 } else { 0.0 };
    let new = || Decoder::new(format, channels, rate_hz, layout & 128 != 0);
    let (mut whole, mut batch) = (new(), Batch::default());
    let read = whole.decode(feed, &mut batch);
    let (mut pieces, mut gathered, mut buffer) = (new(), Batch::default(), Vec::new());
    let mut failed = None;
    for bytes in feed.chunks(usize::from(*piece).max(1)) {
        buffer.extend_from_slice(bytes);
        match pieces.decode(&buffer, &mut gathered) {
            Ok(used) => drop(buffer.drain(..used)),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    match (&read, &failed) {
        (Ok(used), None) => assert_eq!(feed.len() - used, buffer.len()),
        (Err(_), Some(_)) => {}
        other => panic!("pieces make a difference: {other:?}"),
    }
    whole.give_up_waiting(&mut batch);
    pieces.give_up_waiting(&mut gathered);
    let bits = |batch: &Batch| batch.stamps_s.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&batch), bits(&gathered));
    assert!(batch.values == gathered.values && batch.text_ends == gathered.text_ends);
    assert!(batch.stamps_s.len() <= feed.len() && batch.values.len() <= feed.len());
    let values = if format == Format::String {
        batch.text_ends.len()
    } else {
        batch.values.len() / format.value_bytes()
    };
    assert_eq!(values, batch.stamps_s.len() * channels);
}

/// The beginning of a feed: what an outlet answers.
fn feed(choice: u8, bytes: &[u8]) {
    let found = found(format(choice >> 4), 2);
    let (mut handshake, request) = Handshake::new(&found, "me");
    assert!(request.starts_with(b"LSL:streamfeed"));
    let piece = if choice & 1 == 0 { bytes.len().max(1) } else { 7 };
    for bytes in bytes.chunks(piece) {
        match handshake.receive(bytes) {
            Ok(None) => {}
            Ok(Some(opened)) => return assert!(opened.rest.len() <= bytes.len()),
            Err(reason) => return assert!(reason.len() < 1000, "what is told is short"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_are_accounted_for(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::wire(&data);
        }
    }
}
