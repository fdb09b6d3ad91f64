//! Packets of the echo protocol, which a microcontroller can answer. All numbers little-endian.
//!
//! | bytes | question | answer |
//! |---|---|---|
//! | 0..4 | magic "LKE1" (4C 4B 45 31) | the same |
//! | 4..8 | `u32` number of the question | the same |
//! | 8..16 | `f64` t0, of no concern to the device | the same |
//! | 16..24 | | `u64` t1: the device's counter when the question came |
//! | 24..32 | | `u64` t2: the same when the answer left |

/// First bytes of every packet.
const MAGIC: [u8; 4] = *b"LKE1";
/// Bytes of a question.
pub const QUESTION_BYTES: usize = 16;
/// Bytes of an answer.
pub const ANSWER_BYTES: usize = 32;

/// The question `number`, asked at `t0_s` of the recorder's time.
pub fn question(number: u32, t0_s: f64) -> [u8; QUESTION_BYTES] {
    let mut packet = [0; QUESTION_BYTES];
    packet[..4].copy_from_slice(&MAGIC);
    packet[4..8].copy_from_slice(&number.to_le_bytes());
    packet[8..].copy_from_slice(&t0_s.to_le_bytes());
    packet
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Number of the question.
    pub number: u32,
    /// The device's counter when the question came. A negative 64-bit reading comes as its two's
    /// complement.
    pub t1: i64,
    /// The same when the answer left.
    pub t2: i64,
}

/// Read an answer; `None` for anything else.
pub fn answer(packet: &[u8]) -> Option<Answer> {
    let packet: &[u8; ANSWER_BYTES] = packet.try_into().ok()?;
    let (head, times) = packet.split_first_chunk::<8>()?;
    let (magic, number) = head.split_first_chunk::<4>()?;
    let (t1, t2) = times.split_at(8).1.split_first_chunk::<8>()?;
    (*magic == MAGIC).then_some(())?;
    Some(Answer {
        number: u32::from_le_bytes(number.try_into().ok()?),
        t1: i64::from_le_bytes(*t1),
        t2: i64::from_le_bytes(t2.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_packets_are_as_documented() {
        let mut packet = question(0x0102_0304, 1.5).to_vec();
        assert_eq!(packet[..8], [0x4C, 0x4B, 0x45, 0x31, 4, 3, 2, 1]);
        assert_eq!(packet[8..], 1.5_f64.to_le_bytes());
        packet.extend(7_u64.to_le_bytes());
        assert_eq!(answer(&packet), None);
        packet.extend(u64::MAX.to_le_bytes());
        assert_eq!(answer(&packet), Some(Answer { number: 0x0102_0304, t1: 7, t2: -1 }));
        packet[0] = 0;
        assert_eq!(answer(&packet), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(packet in proptest::collection::vec(any::<u8>(), 0..64)) {
            answer(&packet);
        }
    }
}
