//! Packets of an SNTP client (RFC 4330; format and field names of RFC 5905, section 7.3).
//!
//! The transmit timestamp of the question is a random number, not the time: it has to come back as
//! the origin timestamp, which shows that the answer belongs to the question, and tells nobody
//! anything.

/// Bytes of a packet without extensions.
pub const PACKET_BYTES: usize = 48;
/// Leap indicator 0, version 4, mode 3 (client).
const CLIENT: u8 = 4 << 3 | 3;
/// Seconds from 1900 to 1970.
const UNIX_EPOCH_S: i64 = 2_208_988_800;

/// A question that carries `cookie`.
pub fn question(cookie: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = CLIENT;
    packet[40..].copy_from_slice(&cookie.to_be_bytes());
    packet
}

/// An answer of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The cookie of the question.
    pub origin: u64,
    /// When the question came and the answer left, in seconds since 1970; or why they are not to
    /// be used.
    pub times_s: Result<(f64, f64), String>,
}

/// Read an answer; `None` for anything else. Extensions and authenticators are ignored.
pub fn answer(packet: &[u8]) -> Option<Answer> {
    let packet: &[u8; PACKET_BYTES] = packet.first_chunk()?;
    let (leap, version, mode) = (packet[0] >> 6, (packet[0] >> 3) & 7, packet[0] & 7);
    if mode != 4 || !(1..=4).contains(&version) {
        return None;
    }
    let field = |at: usize| packet[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let (received, sent) = (field(32), field(40));
    let times_s = match packet[1] {
        0 => Err(format!("the server refuses (kiss code {})", kiss_code(&packet[12..16]))),
        16.. => Err("the server is not synchronised (stratum 16)".to_owned()),
        _ if leap == 3 => Err("the server is not synchronised (leap indicator 3)".to_owned()),
        _ if received == 0 || sent == 0 => Err("the server sent no time".to_owned()),
        _ => Ok((unix_s(received), unix_s(sent))),
    };
    Some(Answer { origin: field(24), times_s })
}

/// A 64-bit NTP timestamp as seconds since 1970, rounded once.
///
/// The 32 bits of seconds wrap in 2036. After RFC 4330, section 3: with the highest bit set it is a
/// time from 1968 to 2036, without it one from 2036 to 2104.
pub fn unix_s(timestamp: u64) -> f64 {
    let seconds = (timestamp >> 32) as i64;
    let era_s = if timestamp >> 63 == 1 { 0 } else { 1 << 32 };
    let fixed = (i128::from(seconds + era_s - UNIX_EPOCH_S) << 32) + i128::from(timestamp & 0xFFFF_FFFF);
    fixed as f64 / 4_294_967_296.0
}

/// Four letters, of which those that are none are shown as dots.
fn kiss_code(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| if b.is_ascii_graphic() { char::from(b) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        packet[0] = 4 << 3 | 4;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&77_u64.to_be_bytes());
        // 2026-11-22 00:00:00.25 and .75 UTC.
        packet[32..40].copy_from_slice(&(4_004_294_400_u64 << 32 | 1 << 30).to_be_bytes());
        packet[40..].copy_from_slice(&(4_004_294_400_u64 << 32 | 3 << 30).to_be_bytes());
        packet
    }

    fn reason(change: impl FnOnce(&mut [u8; PACKET_BYTES])) -> String {
        let mut packet = packet();
        change(&mut packet);
        answer(&packet).expect("an answer").times_s.expect_err("not to be used")
    }

    #[test]
    fn the_question_is_a_client_packet_with_a_cookie() {
        let packet = question(0x0102_0304_0506_0708);
        assert_eq!((packet[0], &packet[40..]), (0x23, &[1, 2, 3, 4, 5, 6, 7, 8][..]));
        assert!(packet[1..40].iter().all(|&b| b == 0));
        assert_eq!(answer(&packet), None);
    }

    #[test]
    fn an_answer_gives_unix_seconds() {
        let answer = answer(&packet()).expect("an answer");
        assert_eq!(answer, Answer { origin: 77, times_s: Ok((1_795_305_600.25, 1_795_305_600.75)) });
    }

    #[test]
    fn answers_not_to_be_used_say_why() {
        let kiss = reason(|p| {
            p[1] = 0;
            p[12..16].copy_from_slice(b"RATE");
        });
        assert!(kiss.contains("RATE"), "{kiss}");
        assert!(reason(|p| p[1] = 16).contains("stratum"));
        assert!(reason(|p| p[0] |= 3 << 6).contains("leap"));
        assert!(reason(|p| p[40..].fill(0)).contains("no time"));
    }

    #[test]
    fn the_eras_meet_in_2036() {
        // 2036-02-07 06:28:15 and one second later.
        assert_eq!(unix_s(0xFFFF_FFFF << 32), 2_085_978_495.0);
        assert_eq!(unix_s(0), 2_085_978_496.0);
        // A device that counts from 1970, and one a little before it.
        assert_eq!(unix_s((2_208_988_800 << 32) | 1 << 31), 0.5);
        assert_eq!(unix_s(2_208_988_799 << 32), -1.0);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(Answer { times_s: Ok((t1_s, t2_s)), .. }) = answer(&packet) {
                prop_assert!(t1_s.is_finite() && t2_s.is_finite());
            }
        }
    }
}
