//! Pictures of a camera: H.264 in RTP (RFC 6184) becomes a byte stream (ITU-T H.264, annex B), its units as they are.

use crate::rtp::Packet;

/// What stands before each unit of a byte stream.
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Types of units: what is seen, of a key picture, and those that hold others or parts of others.
const SLICES: std::ops::RangeInclusive<u8> = 1..=KEY_PICTURE;
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

/// A picture as it comes.
#[derive(Debug)]
struct Coming {
    picture: Picture,
    /// Its last packet so far was marked as the last one. Some senders mark each unit.
    is_marked: bool,
    /// It holds something to be seen, and not parameters alone.
    has_slice: bool,
    /// Packets are missing before it.
    after_hole: bool,
}

/// Puts pictures together from packets in their order: all packets of one time stamp are a picture.
#[derive(Debug, Default)]
pub struct Pictures {
    coming: Option<Coming>,
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
        if let Some(coming) = &mut self.coming {
            // It may have had more.
            coming.picture.is_complete &= coming.is_marked;
        }
    }

    /// The next packet; a picture that has ended with the one before goes to `out`.
    pub fn push(&mut self, packet: &Packet, arrival_ns: i64, out: &mut Vec<Picture>) {
        if self.coming.as_ref().is_some_and(|coming| coming.picture.timestamp != packet.timestamp) {
            self.finish(out);
        }
        let after_hole = std::mem::take(&mut self.has_hole);
        let before = &mut self.before;
        let coming = self.coming.get_or_insert_with(|| Coming {
            picture: Picture {
                timestamp: packet.timestamp,
                arrival_ns,
                bytes: std::mem::take(before),
                is_key: false,
                is_complete: true,
                lost_before: Some(0),
            },
            is_marked: false,
            has_slice: false,
            after_hole,
        });
        coming.picture.is_complete &= !after_hole;
        coming.is_marked = packet.marker;
        if !unpack(&packet.payload, &mut self.fragment, coming) {
            self.unreadable += 1;
            coming.picture.is_complete = false;
        }
        if coming.picture.bytes.len() > MOST_BYTES {
            coming.picture.bytes.clear();
            coming.picture.is_complete = false;
        }
    }

    /// How many pictures are missing before the one of this time stamp.
    fn lost_before(&mut self, timestamp: u32, after_hole: bool) -> Option<u64> {
        let passed = self.last.replace(timestamp).map(|last| timestamp.wrapping_sub(last));
        if !after_hole {
            self.spacing = passed.filter(|passed| *passed > 0).or(self.spacing);
            return Some(0);
        }
        // What is stamped earlier than the one before tells nothing.
        let passed = passed.filter(|passed| *passed <= u32::MAX / 2);
        let (passed, spacing) = (u64::from(passed?), u64::from(self.spacing?));
        Some(((passed + spacing / 2) / spacing).saturating_sub(1))
    }

    /// Nothing more comes: a picture that has not ended is thrown away, and what follows has no relation to it.
    pub fn end(&mut self, out: &mut Vec<Picture>) {
        if self.coming.as_ref().is_some_and(|coming| coming.is_marked) {
            self.finish(out);
        }
        self.unfinished += u64::from(self.coming.take().is_some());
        (self.fragment, self.has_hole, self.last, self.spacing) = (None, false, None, None);
    }

    fn finish(&mut self, out: &mut Vec<Picture>) {
        // A unit that never ended.
        let has_rest = self.fragment.take().is_some();
        let Some(Coming { mut picture, is_marked, has_slice, after_hole }) = self.coming.take() else {
            return;
        };
        picture.is_complete &= is_marked && !has_rest;
        if !has_slice && picture.is_complete {
            // Parameters, of the next picture.
            self.before = picture.bytes;
            self.has_hole |= after_hole;
            return;
        }
        picture.lost_before = self.lost_before(picture.timestamp, after_hole);
        out.push(picture);
    }
}

/// Append the units of a payload to the picture; whether it could be read.
fn unpack(payload: &[u8], fragment: &mut Option<Vec<u8>>, coming: &mut Coming) -> bool {
    let Some((&head, rest)) = payload.split_first() else { return false };
    match head & 0x1f {
        1..=LAST_SINGLE => {
            append(payload, coming);
            // A unit that never ended before it.
            fragment.take().is_none()
        }
        SEVERAL => {
            let mut rest = rest;
            while let Some((size, after)) = rest.split_first_chunk::<2>() {
                let Some((unit, after)) = after.split_at_checked(u16::from_be_bytes(*size).into()) else {
                    return false;
                };
                append(unit, coming);
                rest = after;
            }
            rest.is_empty()
        }
        FRAGMENT => {
            let Some((&of, piece)) = rest.split_first() else { return false };
            let (starts, ends) = (of & 0x80 != 0, of & 0x40 != 0);
            let mut is_right = true;
            if starts {
                // One that never ended before it.
                is_right = fragment.replace(vec![head & 0xe0 | of & 0x1f]).is_none();
            }
            // The beginning is missing: what follows is of no use.
            let Some(unit) = fragment else { return false };
            unit.extend_from_slice(piece);
            if unit.len() > MOST_BYTES {
                *fragment = None;
                return false;
            }
            if ends {
                append(&fragment.take().unwrap_or_default(), coming);
            }
            is_right
        }
        _ => false,
    }
}

fn append(unit: &[u8], Coming { picture, has_slice, .. }: &mut Coming) {
    let kind = unit.first().map_or(0, |head| head & 0x1f);
    picture.is_key |= kind == KEY_PICTURE;
    *has_slice |= SLICES.contains(&kind);
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
        pictures.end(&mut out);
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
        assert_eq!(
            complete(&[(1, false, start), (1, false, start), (1, true, end)]),
            [false],
            "nor did this one"
        );
        assert_eq!(complete(&[(1, true, &[0x41, 9]), (2, false, start)]), [true], "the end of all");
        assert_eq!(complete(&[(1, true, &[30, 1])]), [false], "a kind nobody knows");
    }

    #[test]
    fn units_that_are_marked_each_are_one_picture_and_parameters_belong_to_the_next() {
        let (sets, key, slice): (&[u8], &[u8], &[u8]) =
            (&[24, 0, 1, 0x67, 0, 1, 0x68], &[0x65, 1], &[0x41, 9]);
        for all in [
            pictures(&[(0, true, sets), (0, true, key), (3000, true, slice)]),
            pictures(&[(0, true, sets), (1, true, key), (3001, true, slice)]),
        ] {
            let told: Vec<_> = all.iter().map(|picture| (picture.is_key, picture.is_complete)).collect();
            assert_eq!(told, [(true, true), (false, true)]);
            assert_eq!(all[0].bytes, [0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65, 1]);
        }
        let slices = pictures(&[(0, true, slice), (0, true, slice), (3000, true, slice)]);
        assert_eq!(slices.iter().map(|p| p.bytes.len()).collect::<Vec<_>>(), [12, 6]);
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
        pictures.end(&mut out);
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
            pictures.end(&mut out);
            prop_assert!(out.len() <= all.len());
        }
    }
}
