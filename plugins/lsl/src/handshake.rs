//! The beginning of a feed, without sockets: our request, the outlet's answer, and the two samples of a
//! known pattern that every feed begins with.

use crate::found::Found;
use crate::net::{self, AnswerError, ByteOrder, FeedClient, TestPatternError};

/// Longest answer, before the pattern.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Longest text of one channel of the pattern, with its length.
const PATTERN_TEXT_BYTES: usize = 24;

/// What can be shown of an answer.
const SHOWN_CHARS: usize = 40;
/// The same, where it stands among the words that say what is wrong with it.
const REASON_CHARS: usize = 200;

/// What of an answer can be shown to people.
fn readable(line: &str, max_chars: usize) -> String {
    line.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '.' }).take(max_chars).collect()
}

/// A feed that is being opened.
pub struct Handshake {
    client: FeedClient,
    received: Vec<u8>,
    answered: bool,
    max_bytes: usize,
}

/// An open feed.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whether numbers come in the byte order that is not this machine's.
    pub swapped: bool,
    /// The first bytes of samples.
    pub rest: Vec<u8>,
}

impl Handshake {
    /// Begin, for the stream `found`; the bytes to send. `hostname` is this machine's.
    pub fn new(found: &Found, hostname: &str) -> (Self, Vec<u8>) {
        let (client, request) = net::open_feed(found, hostname);
        let value_bytes = match found.format.value_bytes() {
            0 => PATTERN_TEXT_BYTES,
            bytes => bytes,
        };
        let max_bytes = MAX_ANSWER_BYTES + 2 * (9 + found.channel_count * value_bytes);
        (Self { client, received: Vec::new(), answered: false, max_bytes }, request)
    }

    /// Take in what the outlet sent; the open feed when it is complete.
    ///
    /// # Errors
    /// Why there will be no feed.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Opened>, String> {
        // Samples may follow the pattern at once, so the bound is on what is not understood yet.
        self.received.extend_from_slice(bytes);
        if !self.answered {
            match self.client.on_headers(&self.received) {
                Ok(used) => drop(self.received.drain(..used)),
                Err(AnswerError::Incomplete) => return self.too_long(MAX_ANSWER_BYTES),
                Err(AnswerError::MalformedStatusLine(line)) => {
                    return Err(format!("it answers {:?}, which is not LSL", readable(&line, SHOWN_CHARS)));
                }
                // It may quote all that was answered.
                Err(error) => return Err(readable(&error.to_string(), REASON_CHARS)),
            }
            self.answered = true;
        }
        match self.client.on_test_pattern(&self.received) {
            Ok(used) => {
                let swapped =
                    self.client.agreement().is_some_and(|agreed| agreed.order != ByteOrder::native());
                Ok(Some(Opened { swapped, rest: self.received.split_off(used) }))
            }
            Err(TestPatternError::Incomplete) => self.too_long(self.max_bytes),
            Err(TestPatternError::Mismatch { .. }) => {
                Err("the first samples are not the pattern that every \
                                                           LSL feed begins with: another format or version"
                    .to_owned())
            }
            Err(_) => Err("the first samples cannot be read".to_owned()),
        }
    }

    fn too_long(&self, max_bytes: usize) -> Result<Option<Opened>, String> {
        if self.received.len() > max_bytes {
            return Err(format!("more than {max_bytes} bytes, and still no sample"));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use lockstep_plugin_api::Format;
    use proptest::prelude::*;

    use super::*;
    use crate::found::sample;

    fn two_channels() -> Found {
        Found { channel_count: 2, format: Format::Int16, ..sample("x", "EEG") }
    }

    /// What liblsl answers for a stream of two int16 channels, and a sample behind it.
    fn answer() -> Vec<u8> {
        let mut bytes = b"LSL/110 200 OK\r\nUID: uid-x\r\nByte-Order: 1234\r\nSuppress-Subnormals: 0\r\n\
                          Data-Protocol-Version: 110\r\n\r\n"
            .to_vec();
        for offset in [4, 2] {
            bytes.push(2);
            bytes.extend(123_456.789_f64.to_le_bytes());
            bytes.extend((257_i16 + offset).to_le_bytes());
            bytes.extend((-(258_i16 + offset)).to_le_bytes());
        }
        bytes.extend([1, 7, 0, 8, 0]);
        bytes
    }

    #[test]
    fn what_is_told_of_a_wrong_answer_is_short_however_long_that_is() {
        let long = "\u{1}".repeat(3000);
        let unreadable = [b"LSL/110 200 OK\r\nUID: \x80".as_slice(), long.as_bytes(), b"\r\n\r\n"].concat();
        let told = [
            format!("LSL/110 205 {long}\r\n\r\n").into_bytes(),
            format!("LSL/110 {long}\r\n\r\n").into_bytes(),
            format!("LSL/110 200 OK\r\n{long}\r\n\r\n").into_bytes(),
            format!("LSL/110 200 OK\r\nByte-Order: {long}\r\n\r\n").into_bytes(),
            unreadable,
        ]
        .map(|answer| Handshake::new(&two_channels(), "me").0.receive(&answer).err());
        assert_eq!(told.iter().flatten().count(), 2, "{told:?}");
        for reason in told.into_iter().flatten() {
            assert!(reason.len() <= REASON_CHARS, "{} characters: {reason}", reason.len());
        }
    }

    #[test]
    fn an_answer_in_one_piece_or_in_many_opens_the_feed() {
        let (mut whole, request) = Handshake::new(&two_channels(), "me");
        assert!(String::from_utf8_lossy(&request).contains("Value-Size: 2\r\n"));
        let expected = Some(Opened { swapped: false, rest: vec![1, 7, 0, 8, 0] });
        assert_eq!(whole.receive(&answer()), Ok(expected));
        let (mut pieces, _) = Handshake::new(&two_channels(), "me");
        let all = answer();
        let (last, before) = all[..all.len() - 5].split_last().expect("bytes");
        for byte in before {
            assert_eq!(pieces.receive(&[*byte]), Ok(None));
        }
        assert_eq!(pieces.receive(&[*last]), Ok(Some(Opened { swapped: false, rest: vec![] })));
    }

    #[test]
    fn what_is_no_feed_is_refused_with_the_reason() {
        let refused =
            |bytes: &[u8]| Handshake::new(&two_channels(), "me").0.receive(bytes).expect_err("refused");
        assert!(refused(b"LSL/110 404 Not found\r\n\r\n").contains("404"));
        assert!(refused(b"HTTP/1.1 \xff200 OK\r\n\r\n").starts_with("it answers \"HTTP/1.1 .200 OK"));
        let old = b"LSL/100 200 OK\r\nUID: uid-x\r\nData-Protocol-Version: 100\r\n\r\n";
        assert!(refused(old).contains("1.10"), "{}", refused(old));
        assert!(refused(&[b'x'; MAX_ANSWER_BYTES + 1]).contains("still no sample"));
        let mut wrong = answer();
        let at = wrong.len() - 8;
        wrong[at] ^= 1;
        assert!(refused(&wrong).contains("pattern"));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut handshake = Handshake::new(&two_channels(), "me").0;
            let _ = handshake.receive(&bytes);
            let (mut handshake, mut all) = (Handshake::new(&two_channels(), "me").0, answer());
            all.truncate(all.len() - 20);
            all.extend(bytes);
            let _ = handshake.receive(&all);
        }
    }
}
