//! The whole way of what a phone, or who pretends to be one, sends, with what has to hold of it: for the fuzz
//! targets, and no interface.

use serde_json::Value;

use crate::payload::{eye_event, gaze, imu};
use crate::phone::{Sensor, Status};
use crate::pipeline::{Output, Pipeline};
use crate::rtsp::demux::{Demux, Item};
use crate::rtsp::dialogue::{Carrier, Dialogue};
use crate::rtsp::{Medium, media};

const PAYLOAD_TYPE: u8 = 99;

/// Packets of one sensor. The first byte says which; then come packets, each with a length, what it is and how late,
/// and for those of RTP with how far number and stamp are from the ones before.
pub fn rtp(data: &[u8]) {
    let Some((&choice, mut rest)) = data.split_first() else { return };
    let sensor = Sensor::ALL[usize::from(choice) % Sensor::ALL.len()];
    let medium = Medium {
        payload_type: PAYLOAD_TYPE,
        rate_hz: 90_000,
        encoding: String::new(),
        control: String::new(),
        format: "sprop-parameter-sets=Z0LA,aM4=".to_owned(),
    };
    let (mut pipeline, mut out) = (Pipeline::new(sensor, &medium), Vec::new());
    let (mut now_ns, mut number, mut stamp) = (1_000_000_000_i64, 0_u16, 0_u32);
    let (mut packets, mut samples) = (0_u64, 0_u64);
    while let [length, kind, further, later, more @ ..] = rest {
        let (bytes, after) = more.split_at(more.len().min(usize::from(*length)));
        rest = after;
        now_ns += i64::from(*later) * 2_000_000;
        match kind & 7 {
            0 => packets += u64::from(pipeline.rtp(bytes, now_ns, &mut out)),
            1 => pipeline.rtcp(bytes, &mut out),
            2 => pipeline.wait(now_ns, &mut out),
            3 if *kind == 3 => pipeline.place_by_arrival(|ns| ns + (1 << 60), &mut out),
            _ => {
                number = number.wrapping_add(i16::from(i8::from_ne_bytes([*further])).cast_unsigned());
                stamp = stamp.wrapping_add(u32::from(kind >> 4) * 3000);
                let mut packet = vec![0x80, PAYLOAD_TYPE | (kind & 8) << 4];
                packet.extend(number.to_be_bytes());
                packet.extend(stamp.to_be_bytes());
                packet.extend(u32::from(*kind == 255).to_be_bytes());
                packet.extend(bytes);
                packets += u64::from(pipeline.rtp(&packet, now_ns, &mut out));
            }
        }
        samples += account(&mut out, data.len());
    }
    pipeline.end(&mut out);
    pipeline.give_up(&mut out);
    samples += account(&mut out, data.len());
    let order = pipeline.order();
    assert_eq!(order.received, packets);
    assert!(samples <= packets, "no more samples than packets");
    assert!(order.duplicates + order.late <= packets);
}

fn account(out: &mut Vec<Output>, bytes_in: usize) -> u64 {
    let mut samples = 0;
    for output in out.drain(..) {
        match output {
            Output::Sample(_, values) => {
                samples += 1;
                assert!(values.len() <= 8 * gaze::CHANNELS);
            }
            Output::Picture(_, picture) => {
                samples += 1;
                // A start code for each unit, of two bytes of length at least; and parameters of before.
                assert!(picture.bytes.len() <= 4 * bytes_in + 64, "{} of {bytes_in}", picture.bytes.len());
            }
            Output::Lost(Some(lost)) => assert!(lost < 1 << 32),
            _ => {}
        }
    }
    samples
}

/// What comes by a connection of RTSP: the first byte says in which pieces.
pub fn rtsp(data: &[u8]) {
    let Some((&piece, rest)) = data.split_first() else { return };
    let carrier = if piece & 1 == 0 { Carrier::Tcp } else { Carrier::Udp(5000, 5001) };
    let mut dialogue =
        Dialogue::new("rtsp://127.0.0.1:8086/?camera=gaze", carrier).unwrap_or_else(|e| panic!("{e:?}"));
    let (mut demux, mut given) = (Demux::default(), 0);
    for bytes in rest.chunks(1 + usize::from(piece)) {
        demux.push(bytes);
        while let Some(item) = demux.next() {
            match item {
                Item::Packet(channel, packet) => {
                    assert!(channel < 2 && packet.len() >= 8);
                    given += packet.len();
                }
                Item::Answer(answer) => {
                    if dialogue.answer(&answer) == Ok(true) {
                        // Each request has a number of its own: one that can be answered.
                        assert!(dialogue.request().ends_with(b"\r\n\r\n"));
                    }
                }
            }
        }
    }
    assert!(given + usize::try_from(demux.junk_bytes).unwrap_or(usize::MAX) <= rest.len());
    let _ = dialogue.request();
    let text = String::from_utf8_lossy(rest);
    assert!(media(&text).len() <= rest.len() / 8, "a medium has a line");
}

/// What the phone says of itself (text), or a payload (other bytes after a byte that says of what).
pub fn status(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice & 7 {
        0 => drop(imu::read(bytes).map(|sample| assert!(sample.unix_ns > 0))),
        1 => drop(gaze::read(bytes).map(|(sample, _)| assert!(bytes.len() >= 9 && !sample[2].is_nan()))),
        2 => drop(eye_event::read(bytes)),
        3 => crate::echo::fuzz(bytes),
        _ => {
            let text = String::from_utf8_lossy(bytes);
            let mut status = Status::default();
            let _ = status.take_all(&text);
            for line in text.lines() {
                if let Ok(message) = serde_json::from_str::<Value>(line) {
                    let _ = status.take(&message);
                }
            }
            for sensor in Sensor::ALL {
                if let Some(url) = status.url(sensor) {
                    let _ = Dialogue::new(&url, Carrier::Tcp);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_are_accounted_for(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::rtp(&data);
            super::rtsp(&data);
            super::status(&data);
        }
    }
}
