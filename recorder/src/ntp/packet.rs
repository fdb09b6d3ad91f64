//! Packets of NTP: the header of RFC 5905, section 7.3, without extensions.
//! Pure; any bytes may come.

/// Bytes of a packet without extensions and authenticators, which are ignored.
pub const PACKET_BYTES: usize = 48;
/// The version asked with.
pub const VERSION: u8 = 4;
/// Mode of a question.
pub const MODE_CLIENT: u8 = 3;
/// Mode of an answer.
pub const MODE_SERVER: u8 = 4;
/// The leap indicator of a clock that is not synchronised.
pub const LEAP_UNSYNCHRONISED: u8 = 3;
/// From 1900-01-01, where NTP counts from, to 1970-01-01, in seconds.
pub const UNIX_EPOCH_S: i64 = 2_208_988_800;
/// Time stamps count 2^-32 s.
pub const UNITS_PER_S: f64 = 4_294_967_296.0;

/// The header of a packet, field by field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packet {
    /// Leap indicator, 0 to 3.
    pub leap: u8,
    /// Version, 0 to 7.
    pub version: u8,
    /// Mode, 0 to 7.
    pub mode: u8,
    /// Steps to the reference clock; 0: a kiss code, 16: not synchronised.
    pub stratum: u8,
    /// Interval at which the server wants to be asked at the most, as a power of 2 in seconds.
    pub poll: i8,
    /// Precision of the server's clock, as a power of 2 in seconds.
    pub precision: i8,
    /// Round-trip time to the reference clock, in 2^-16 s.
    pub root_delay: u32,
    /// Dispersion to the reference clock, in 2^-16 s.
    pub root_dispersion: u32,
    /// Which clock the server follows; with stratum 0 a kiss code.
    pub reference_id: [u8; 4],
    /// When the server's clock was last set, in 2^-32 s.
    pub reference: u64,
    /// The transmit time stamp of the question.
    pub origin: u64,
    /// When the question came.
    pub receive: u64,
    /// When the packet left.
    pub transmit: u64,
}

impl Packet {
    /// A question that carries `nonce` as its transmit time stamp. It is no time: it only has to
    /// come back as the origin, which nobody can do who has not seen the question.
    pub fn question(nonce: u64) -> Self {
        Self { version: VERSION, mode: MODE_CLIENT, transmit: nonce, ..Self::default() }
    }

    /// As bytes. Bits that have no room in their field are left out.
    pub fn encode(&self) -> [u8; PACKET_BYTES] {
        let mut bytes = [0; PACKET_BYTES];
        bytes[0] = (self.leap << 6) | ((self.version & 7) << 3) | (self.mode & 7);
        bytes[1] = self.stratum;
        bytes[2] = self.poll.to_be_bytes()[0];
        bytes[3] = self.precision.to_be_bytes()[0];
        bytes[4..8].copy_from_slice(&self.root_delay.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.root_dispersion.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reference_id);
        for (at, stamp) in [(16, self.reference), (24, self.origin), (32, self.receive), (40, self.transmit)]
        {
            bytes[at..at + 8].copy_from_slice(&stamp.to_be_bytes());
        }
        bytes
    }

    /// From bytes; `None` when there are too few. What follows the header is ignored.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PACKET_BYTES] = bytes.first_chunk()?;
        let short = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
        let long = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
        Some(Self {
            leap: bytes[0] >> 6,
            version: (bytes[0] >> 3) & 7,
            mode: bytes[0] & 7,
            stratum: bytes[1],
            poll: i8::from_be_bytes([bytes[2]]),
            precision: i8::from_be_bytes([bytes[3]]),
            root_delay: short(4),
            root_dispersion: short(8),
            reference_id: [bytes[12], bytes[13], bytes[14], bytes[15]],
            reference: long(16),
            origin: long(24),
            receive: long(32),
            transmit: long(40),
        })
    }

    /// The reference id as text: up to four letters for a reference clock (stratum 1) or a kiss
    /// code (stratum 0), otherwise four numbers, which is the address of an IPv4 server that is
    /// followed, or a part of a hash of an IPv6 one.
    pub fn reference_text(&self) -> String {
        let length = self.reference_id.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        let letters = &self.reference_id[..length];
        if self.stratum > 1 || !letters.iter().all(u8::is_ascii_graphic) {
            return std::net::Ipv4Addr::from(self.reference_id).to_string();
        }
        letters.iter().map(|&b| char::from(b)).collect()
    }

    /// Precision of the server's clock in seconds, at most 1 s.
    pub fn precision_s(&self) -> f64 {
        f64::from(self.precision.min(0)).exp2()
    }
}

/// A field of 2^-16 s in seconds, exactly.
pub fn short_s(field: u32) -> f64 {
    f64::from(field) / 65_536.0
}

/// A time stamp as seconds since 1970, rounded once, to 2^-22 s (0.24 us) in this century.
///
/// Its 32 bits of seconds start again from 0 each 136 years, next on 2036-02-07. Of all the times
/// it can mean the one nearest to `near_unix_s` is taken: the clock of this machine, which may be
/// wrong by 68 years.
pub fn unix_s(timestamp: u64, near_unix_s: f64) -> f64 {
    let in_era_0_s = (timestamp >> 32) as i64 - UNIX_EPOCH_S;
    // A cast saturates, and times are kept far from where that would matter.
    let era = ((near_unix_s - in_era_0_s as f64) / UNITS_PER_S).round().clamp(-1e6, 1e6) as i64;
    let whole_s = i128::from(in_era_0_s) + (i128::from(era) << 32);
    let fixed = (whole_s << 32) + i128::from(timestamp & 0xFFFF_FFFF);
    fixed as f64 / UNITS_PER_S
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_mode_3_version_4_and_a_nonce_and_nothing_else() {
        let bytes = Packet::question(0x0102_0304_0506_0708).encode();
        assert_eq!((bytes[0], &bytes[40..]), (0x23, &[1, 2, 3, 4, 5, 6, 7, 8][..]));
        assert!(bytes[1..40].iter().all(|&b| b == 0), "it tells nothing of this machine");
    }

    #[test]
    fn each_field_is_where_the_rfc_has_it() {
        let mut bytes = [0; PACKET_BYTES];
        for (byte, i) in bytes.iter_mut().zip(0..) {
            *byte = i;
        }
        bytes[0] = 0b01_100_100;
        bytes[3] = 0xEC;
        let packet = Packet::decode(&bytes).expect("48 bytes");
        assert_eq!((packet.leap, packet.version, packet.mode), (1, 4, 4));
        assert_eq!((packet.stratum, packet.poll, packet.precision), (1, 2, -20));
        assert_eq!((packet.root_delay, packet.root_dispersion), (0x0405_0607, 0x0809_0A0B));
        assert_eq!(packet.reference_id, [12, 13, 14, 15]);
        assert_eq!(packet.reference, 0x1011_1213_1415_1617);
        assert_eq!(packet.origin, 0x1819_1A1B_1C1D_1E1F);
        assert_eq!(packet.receive, 0x2021_2223_2425_2627);
        assert_eq!(packet.transmit, 0x2829_2A2B_2C2D_2E2F);
        assert_eq!(Packet::decode(&bytes[..47]), None);
    }

    #[test]
    fn reference_ids_are_letters_or_numbers() {
        let with = |stratum, reference_id| Packet { stratum, reference_id, ..Packet::default() };
        assert_eq!(with(1, *b"GPS\0").reference_text(), "GPS");
        assert_eq!(with(0, *b"RATE").reference_text(), "RATE");
        // chrony's own clock.
        assert_eq!(with(1, [127, 127, 1, 1]).reference_text(), "127.127.1.1");
        assert_eq!(with(2, [192, 0, 2, 1]).reference_text(), "192.0.2.1");
        assert_eq!(with(1, [0; 4]).reference_text(), "");
    }

    /// 2026-11-22 00:00:00 UTC.
    const NOW_S: f64 = 1_795_305_600.0;

    #[test]
    fn time_stamps_are_seconds_since_1970() {
        let stamp = (4_004_294_400_u64 << 32) | 1 << 30;
        assert_eq!(unix_s(stamp, NOW_S), NOW_S + 0.25);
        assert_eq!(short_s(0x0001_8000), 1.5);
    }

    #[test]
    fn the_era_is_that_nearest_to_the_clock_of_this_machine() {
        // 2036-02-07 06:28:15, and one second later, where the count starts again from 0.
        let (before_s, after_s) = (2_085_978_495.0, 2_085_978_496.0);
        for near_s in [NOW_S, before_s, after_s, after_s + 1e9] {
            assert_eq!(unix_s(0xFFFF_FFFF << 32, near_s), before_s);
            assert_eq!(unix_s(0, near_s), after_s);
        }
        // A clock that lost its battery says 1970, and 2026 is still right.
        assert_eq!(unix_s(4_004_294_400 << 32, 0.0), NOW_S);
        assert!(unix_s(0, f64::NAN).is_finite());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            (leap, version, mode) in (0u8..4, 0u8..8, 0u8..8),
            (stratum, poll, precision) in any::<(u8, i8, i8)>(),
            (root_delay, root_dispersion, reference_id) in any::<(u32, u32, [u8; 4])>(),
            (reference, origin, receive, transmit) in any::<(u64, u64, u64, u64)>(),
            more in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let packet = Packet {
                leap, version, mode, stratum, poll, precision, root_delay, root_dispersion,
                reference_id, reference, origin, receive, transmit,
            };
            let mut bytes = packet.encode().to_vec();
            bytes.extend(more);
            prop_assert_eq!(Packet::decode(&bytes), Some(packet));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(packet) = Packet::decode(&bytes) {
                let (_, precision_s) = (packet.reference_text(), packet.precision_s());
                prop_assert!((0.0..=1.0).contains(&precision_s));
                prop_assert!(bytes.starts_with(&packet.encode()));
            }
        }

        #[test]
        fn a_stamp_is_within_half_an_era_and_rounded_once(stamp in any::<u64>(), near_s in -1e12..1e12_f64) {
            let got_s = unix_s(stamp, near_s);
            prop_assert!((got_s - near_s).abs() <= UNITS_PER_S / 2.0 + 1.0);
            let fraction = (stamp & 0xFFFF_FFFF) as f64 / UNITS_PER_S;
            let off = (got_s - fraction).rem_euclid(1.0);
            let rounding_s = got_s.abs() * f64::EPSILON + 1e-15;
            prop_assert!(off.min(1.0 - off) <= rounding_s, "{off}");
        }
    }
}
