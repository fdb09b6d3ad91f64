//! Pictures of a camera: H.264 in RTP (RFC 6184) becomes a byte stream (ITU-T H.264, annex B), its units as they are.

use crate::rtp::Packet;

/// What stands before each unit of a byte stream.
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Types of units: a key picture's, and those that hold others or parts of others.
const KEY_PICTURE: u8 = 5;
const LAST_SINGLE: u8 = 23;
const SEVERAL: u8 = 24;
const FRAGMENT: u8 = 28;
/// A larger picture is none.
const MOST_BYTES: usize = 32 << 20;

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its time stamp, as sent.
    pub timestamp: u32,
    /// When its first packet arrived, in nanoseconds of recorder time.
    pub arrival_ns: i64,
    /// Its units, each with a start code.
    pub bytes: Vec<u8>,
    /// It can be decoded without those before.
    pub is_key: bool,
    /// Nothing is missing of it; otherwise something is, or may be.
    pub is_complete: bool,
    /// Pictures that are missing before it, by the time that has passed; `None`: some, and nobody knows how many.
    pub lost_before: Option<u64>,
}

/// Parameter sets of a description (`sprop-parameter-sets` of its format) as the beginning of a byte stream. What is
/// no base64 is left out.
pub fn parameter_sets(format: &str) -> Vec<u8> {
    let sets = format.split(';').find_map(|part| part.trim().strip_prefix("sprop-parameter-sets="));
    let decode = |text| base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).ok();
    let sets = sets.into_iter().flat_map(|sets| sets.split(',')).filter_map(|text| decode(text.trim()));
    sets.flat_map(|set: Vec<u8>| [START_CODE.to_vec(), set].concat()).collect()
}

/// Puts pictures together from packets in their order.
#[derive(Debug, Default)]
pub struct Pictures {
    current: Option<Picture>,
    /// A unit whose end has not come yet.
    fragment: Option<Vec<u8>>,
    /// What stands before the next picture.
    before: Vec<u8>,
    /// Packets are missing since the last one.
    has_hole: bool,
    /// Time stamp of the last picture, and its distance to the one before where nothing was missing.
    last: Option<u32>,
    spacing: Option<u32>,
    /// Packets that could not be read.
    pub unreadable: u64,
    /// Pictures that had not ended when nothing more came.
    pub unfinished: u64,
}

impl Pictures {
    /// The first picture is preceded by these parameter sets.
    pub fn new(parameter_sets: Vec<u8>) -> Self {
        Self { before: parameter_sets, ..Self::default() }
    }

    /// Packets are missing here.
    pub fn lost(&mut self) {
        self.has_hole = true;
        self.fragment = None;
        if let Some(picture) = &mut self.current {
            picture.is_complete = false;
        }
    }

    /// The next packet; pictures that have ended go to `out`.
    pub fn push(&mut self, packet: &Packet, arrival_ns: i64, out: &mut Vec<Picture>) {
        if self.current.as_ref().is_some_and(|picture| picture.timestamp != packet.timestamp) {
            // Its last packet never came.
            self.finish(false, out);
        }
        let is_complete = !std::mem::take(&mut self.has_hole);
        if self.current.is_none() {
            let lost_before = self.lost_before(packet.timestamp, !is_complete);
            self.current = Some(Picture {
                timestamp: packet.timestamp,
                arrival_ns,
                bytes: std::mem::take(&mut self.before),
                is_key: false,
                is_complete: true,
                lost_before,
            });
        }
        let Some(picture) = &mut self.current else { return };
        picture.is_complete &= is_complete;
        if !unpack(&packet.payload, &mut self.fragment, picture) {
            self.unreadable += 1;
            picture.is_complete = false;
        }
        if picture.bytes.len() > MOST_BYTES {
            picture.bytes.clear();
            picture.is_complete = false;
        }
        if packet.marker {
            self.finish(true, out);
        }
    }

    /// How many pictures are missing before the one of this time stamp.
    fn lost_before(&mut self, timestamp: u32, has_hole: bool) -> Option<u64> {
        let passed = self.last.replace(timestamp).map(|last| timestamp.wrapping_sub(last));
        if !has_hole {
            self.spacing = passed.filter(|passed| *passed > 0).or(self.spacing);
            return Some(0);
        }
        let (passed, spacing) = (u64::from(passed?), u64::from(self.spacing?));
        Some(((passed + spacing / 2) / spacing).saturating_sub(1))
    }

    /// Nothing more comes: what there is of a picture that has not ended is thrown away.
    pub fn end(&mut self) {
        self.fragment = None;
        self.unfinished += u64::from(self.current.take().is_some());
    }

    fn finish(&mut self, is_whole: bool, out: &mut Vec<Picture>) {
        // A unit that never ended.
        let is_whole = self.fragment.take().is_none() && is_whole;
        if let Some(mut picture) = self.current.take() {
            picture.is_complete &= is_whole;
            out.push(picture);
        }
    }
}

/// Append the units of a payload to `picture`; whether it could be read.
fn unpack(payload: &[u8], fragment: &mut Option<Vec<u8>>, picture: &mut Picture) -> bool {
    let Some((&head, rest)) = payload.split_first() else { return false };
    match head & 0x1f {
        1..=LAST_SINGLE => {
            append(payload, picture);
            // A unit that never ended before it.
            fragment.take().is_none()
        }
        SEVERAL => {
            let mut rest = rest;
            while let Some((size, after)) = rest.split_first_chunk::<2>() {
                let Some((unit, after)) = after.split_at_checked(u16::from_be_bytes(*size).into()) else {
                    return false;
                };
                append(unit, picture);
                rest = after;
            }
            rest.is_empty()
        }
        FRAGMENT => {
            let Some((&of, piece)) = rest.split_first() else { return false };
            let (starts, ends) = (of & 0x80 != 0, of & 0x40 != 0);
            if starts {
                *fragment = Some(vec![head & 0xe0 | of & 0x1f]);
            }
            // The beginning is missing: what follows is of no use.
            let Some(unit) = fragment else { return false };
            unit.extend_from_slice(piece);
            if unit.len() > MOST_BYTES {
                *fragment = None;
                return false;
            }
            if ends {
                append(&fragment.take().unwrap_or_default(), picture);
            }
            true
        }
        _ => false,
    }
}

fn append(unit: &[u8], picture: &mut Picture) {
    picture.is_key |= unit.first().is_some_and(|head| head & 0x1f == KEY_PICTURE);
    picture.bytes.extend_from_slice(&START_CODE);
    picture.bytes.extend_from_slice(unit);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(timestamp: u32, marker: bool, payload: &[u8]) -> Packet {
        Packet { sequence: 0, timestamp, ssrc: 7, marker, payload: payload.to_vec() }
    }

    fn pictures(packets: &[(u32, bool, &[u8])]) -> Vec<Picture> {
        let (mut pictures, mut out) = (Pictures::default(), Vec::new());
        for (timestamp, marker, payload) in packets {
            if payload.is_empty() {
                pictures.lost();
            } else {
                pictures.push(&packet(*timestamp, *marker, payload), i64::from(*timestamp), &mut out);
            }
        }
        pictures.end();
        out
    }

    #[test]
    fn units_whole_gathered_and_in_pieces_become_a_byte_stream() {
        let all = pictures(&[
            (1, false, &[24, 0, 2, 0x67, 1, 0, 3, 0x68, 2, 3]),
            (1, false, &[0x7c, 0x85, 10, 11]),
            (1, false, &[0x7c, 0x05, 12]),
            (1, true, &[0x7c, 0x45, 13]),
            (2, true, &[0x41, 9]),
        ]);
        let wanted =
            [&[0, 0, 0, 1, 0x67, 1][..], &[0, 0, 0, 1, 0x68, 2, 3], &[0, 0, 0, 1, 0x65, 10, 11, 12, 13]];
        assert_eq!(all[0].bytes, wanted.concat());
        assert!(all[0].is_key && all[0].is_complete && !all[1].is_key && all[1].is_complete);
        assert_eq!((all.len(), all[1].bytes.as_slice()), (2, [0, 0, 0, 1, 0x41, 9].as_slice()));
    }

    #[test]
    fn what_may_miss_something_is_not_said_to_be_complete() {
        let complete = |packets: &[(u32, bool, &[u8])]| -> Vec<bool> {
            pictures(packets).iter().map(|picture| picture.is_complete).collect()
        };
        let (start, middle, end): (&[u8], &[u8], &[u8]) =
            (&[0x7c, 0x81, 1], &[0x7c, 0x01, 2], &[0x7c, 0x41, 3]);
        // A piece in the middle is lost; the last one; the first one of the next picture.
        assert_eq!(complete(&[(1, false, start), (1, false, &[]), (1, true, end)]), [false]);
        assert_eq!(complete(&[(1, false, start), (1, false, &[]), (2, true, &[0x41, 9])]), [false, false]);
        assert_eq!(complete(&[(1, true, &[0x41, 9]), (1, false, &[]), (2, true, end)]), [true, false]);
        // The picture after next is whole again.
        let more: [(u32, bool, &[u8]); 3] = [(1, false, middle), (1, true, end), (2, true, &[0x41, 9])];
        assert_eq!(complete(&more), [false, true]);
        assert_eq!(complete(&[(1, false, start), (2, true, &[0x41, 9])]), [false, true], "it never ended");
        assert_eq!(complete(&[(1, true, &[0x41, 9]), (2, false, start)]), [true], "the end of all");
        assert_eq!(complete(&[(1, true, &[30, 1])]), [false], "a kind nobody knows");
    }

    #[test]
    fn pictures_that_never_came_are_counted_by_the_time_that_passed() {
        let whole: &[u8] = &[0x41, 9];
        let all = pictures(&[
            (0, true, whole),
            (3000, true, whole),
            (3000, false, &[]),
            (12_010, true, whole),
            (15_010, true, whole),
        ]);
        let lost: Vec<Option<u64>> = all.iter().map(|picture| picture.lost_before).collect();
        assert_eq!(lost, [Some(0), Some(0), Some(2), Some(0)]);
        let early = pictures(&[(0, true, whole), (0, false, &[]), (3000, true, whole)]);
        assert_eq!(early[1].lost_before, None, "how far they are apart is not known yet");
    }

    #[test]
    fn parameter_sets_stand_before_the_first_picture() {
        let sets = parameter_sets("packetization-mode=1; sprop-parameter-sets=Z0E=,aM4=,?");
        assert_eq!(sets, [0, 0, 0, 1, 0x67, 0x41, 0, 0, 0, 1, 0x68, 0xce]);
        let (mut pictures, mut out) = (Pictures::new(sets.clone()), Vec::new());
        pictures.push(&packet(1, true, &[0x65, 1]), 0, &mut out);
        pictures.push(&packet(2, true, &[0x41, 1]), 0, &mut out);
        assert_eq!(out[0].bytes, [sets, vec![0, 0, 0, 1, 0x65, 1]].concat());
        assert_eq!(out[1].bytes, [0, 0, 0, 1, 0x41, 1]);
        assert!(parameter_sets("packetization-mode=1").is_empty());
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(
            all in proptest::collection::vec(
                (0u32..3, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..12)), 0..20),
        ) {
            let (mut pictures, mut out) = (Pictures::default(), Vec::new());
            for (timestamp, marker, payload) in &all {
                pictures.push(&packet(*timestamp, *marker, payload), 0, &mut out);
            }
            pictures.end();
            prop_assert!(out.len() <= all.len());
        }
    }
}
