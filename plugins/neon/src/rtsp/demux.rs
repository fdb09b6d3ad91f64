//! Bytes of a connection become answers and packets, whatever else is among them.

use rtsp_types::{Message, ParseError, Response};

/// Longest answer; longer ones are no answers.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// A packet is at least a header of RTP or RTCP.
const MIN_PACKET_BYTES: usize = 8;
/// The longest packet: what fits into a datagram on any network.
const MAX_PACKET_BYTES: usize = 2048;
/// Head of a packet: `$`, its channel, its length.
const HEAD_BYTES: usize = 4;
/// How an answer begins.
const ANSWER: &[u8] = b"RTSP/1.0 ";

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An answer.
    Answer(Response<Vec<u8>>),
    /// A packet: its channel (even RTP, odd RTCP), its bytes.
    Packet(u8, Vec<u8>),
}

/// Takes apart what one connection brings.
#[derive(Debug, Default)]
pub struct Demux {
    buffer: Vec<u8>,
    /// Bytes at the beginning of it that are done with. To move the others each time would take long.
    done: usize,
    /// Bytes that were nothing.
    pub junk_bytes: u64,
    /// Answers that stood within a packet.
    pub injected: u64,
}

impl Demux {
    /// Bytes came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next item that is complete.
    pub fn next(&mut self) -> Option<Item> {
        loop {
            match *self.rest().first()? {
                b'$' => match self.packet() {
                    Found::Item(item) => return Some(item),
                    Found::More => return None,
                    Found::Nothing => self.skip(),
                },
                _ if self.begins_an_answer() => match self.answer() {
                    Found::Item(item) => return Some(item),
                    Found::More => return None,
                    Found::Nothing => self.skip(),
                },
                _ => self.skip(),
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.done..).unwrap_or_default()
    }

    fn begins_an_answer(&self) -> bool {
        let count = self.rest().len().min(ANSWER.len());
        self.rest().get(..count) == ANSWER.get(..count)
    }

    fn answer(&mut self) -> Found {
        match Message::<Vec<u8>>::parse(self.rest()) {
            Ok((Message::Response(answer), used)) => {
                self.done += used;
                Found::Item(Item::Answer(answer))
            }
            Err(ParseError::Incomplete(_)) if self.rest().len() < MAX_ANSWER_BYTES => Found::More,
            _ => Found::Nothing,
        }
    }

    fn packet(&mut self) -> Found {
        let [_, channel, high, low, first, ..] = *self.rest() else { return Found::More };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // Version 2 of RTP and RTCP.
        if channel > 1 || !(MIN_PACKET_BYTES..=MAX_PACKET_BYTES).contains(&length) || first >> 6 != 2 {
            return Found::Nothing;
        }
        let end = HEAD_BYTES + length;
        // One that begins within it may go on behind it.
        let until = (end + ANSWER.len() - 1).min(self.rest().len());
        let within = self.rest().get(HEAD_BYTES..until).unwrap_or_default();
        if let Some(at) = find(within, ANSWER) {
            return self.take_out_answer(HEAD_BYTES + at, end, channel);
        }
        if self.rest().len() < end || may_begin(within, end - HEAD_BYTES) {
            return Found::More;
        }
        self.take_packet(channel, end)
    }

    fn take_packet(&mut self, channel: u8, end: usize) -> Found {
        let bytes = self.rest().get(HEAD_BYTES..end).unwrap_or_default().to_vec();
        self.done += end;
        Found::Item(Item::Packet(channel, bytes))
    }

    /// An answer begins at `at`, within the packet that should end at `end`: what is around it is the packet.
    fn take_out_answer(&mut self, at: usize, end: usize, channel: u8) -> Found {
        let rest = self.rest().get(at..).unwrap_or_default();
        let length = match Message::<&[u8]>::parse(rest) {
            Ok((Message::Response(_), used)) => Some(used),
            Err(ParseError::Incomplete(_)) if rest.len() < MAX_ANSWER_BYTES => return Found::More,
            // It only looked like one.
            _ => None,
        };
        let Some(length) = length else {
            return if self.rest().len() < end { Found::More } else { self.take_packet(channel, end) };
        };
        let at = self.done + at;
        self.buffer.drain(at..at + length);
        self.injected += 1;
        self.packet()
    }

    /// What the buffer begins with is nothing: go on where something may begin.
    fn skip(&mut self) {
        let begins = |byte: &u8| *byte == b'$' || *byte == b'R';
        let rest = self.rest().get(1..).unwrap_or_default();
        let count = 1 + rest.iter().position(begins).unwrap_or(rest.len());
        self.done += count;
        self.junk_bytes += count as u64;
    }
}

enum Found {
    Item(Item),
    /// More bytes have to come.
    More,
    /// It is neither.
    Nothing,
}

/// Whether the end of `bytes` may be the beginning of an answer that begins before `end`.
fn may_begin(bytes: &[u8], end: usize) -> bool {
    (1..ANSWER.len())
        .any(|count| bytes.ends_with(ANSWER.get(..count).unwrap_or_default()) && bytes.len() - count < end)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OK: &[u8] = b"RTSP/1.0 200 OK\r\nCseq: 3\r\nContent-Length: 2\r\n\r\nhi";
    const BAD: &[u8] = b"RTSP/1.0 400 Bad Request\r\nServer: x\r\n\r\n";

    fn packet(channel: u8, payload: &[u8]) -> Vec<u8> {
        let body = [&[0x80, 0x63, 0, 1, 0, 0, 0, 2], payload].concat();
        [&[b'$', channel][..], &(body.len() as u16).to_be_bytes(), &body].concat()
    }

    /// What comes of `bytes` in pieces of `size`.
    fn take(bytes: &[u8], size: usize) -> (Vec<Item>, Demux) {
        let mut demux = Demux::default();
        let mut items = Vec::new();
        for piece in bytes.chunks(size) {
            demux.push(piece);
            while let Some(item) = demux.next() {
                items.push(item);
            }
        }
        (items, demux)
    }

    fn told(items: &[Item]) -> Vec<String> {
        let one = |item: &Item| match item {
            Item::Answer(answer) => format!("{}", u16::from(answer.status())),
            Item::Packet(channel, bytes) => format!("{channel}:{}", String::from_utf8_lossy(&bytes[8..])),
        };
        items.iter().map(one).collect()
    }

    #[test]
    fn answers_and_packets_come_apart_whatever_the_pieces() {
        let bytes = [OK, &packet(0, b"gaze"), BAD, &packet(1, b"report"), OK].concat();
        for size in 1..bytes.len() {
            let (items, demux) = take(&bytes, size);
            assert_eq!(told(&items), ["200", "0:gaze", "400", "1:report", "200"], "{size}");
            assert_eq!((demux.junk_bytes, demux.injected), (0, 0));
        }
    }

    #[test]
    fn an_answer_within_a_packet_costs_nothing() {
        let gaze = packet(0, b"0123456789");
        for at in 13..gaze.len() {
            let bytes = [&gaze[..at], BAD, &gaze[at..], &packet(0, b"next")].concat();
            for size in [1, 7, bytes.len()] {
                let (items, demux) = take(&bytes, size);
                assert_eq!(told(&items), ["0:0123456789", "0:next"], "{at} {size}");
                assert_eq!(demux.injected, 1);
            }
        }
    }

    #[test]
    fn after_junk_it_goes_on_with_what_comes_next() {
        let bytes =
            [b"$$\x00nonsense$\x05\x00\x10Rubbish".as_slice(), &packet(0, b"a"), b"RTSP", &packet(0, b"b")];
        let (items, demux) = take(&bytes.concat(), 5);
        assert_eq!(told(&items), ["0:a", "0:b"]);
        assert!(demux.junk_bytes > 20, "{}", demux.junk_bytes);
    }

    #[test]
    fn a_flood_of_beginnings_takes_no_longer_than_it_is_long() {
        let mut demux = Demux::default();
        for _ in 0..64 {
            demux.push(&[b'$'; 1 << 16]);
            assert_eq!(demux.next(), None);
        }
        // What may still become a head is kept.
        assert!(demux.junk_bytes > (64 << 16) - 8 && demux.buffer.len() < 3 << 16);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
            take(&bytes, size);
        }

        #[test]
        fn what_is_put_in_comes_out(payloads in proptest::collection::vec("[a-z]{0,30}", 0..20), size in 1usize..50) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|text| packet(0, text.as_bytes())).collect();
            let (items, demux) = take(&bytes, size);
            let expected: Vec<String> = payloads.iter().map(|text| format!("0:{text}")).collect();
            prop_assert_eq!(told(&items), expected);
            prop_assert_eq!(demux.junk_bytes, 0);
        }
    }
}
