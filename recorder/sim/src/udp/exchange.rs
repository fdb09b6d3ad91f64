//! The packets of clock exchanges as a device answers them: `echo` and `ntp`. Pure.
//!
//! **echo** (all little-endian). The request has 16 bytes: magic `4C 4B 45 31` ("LKE1"), `u32`
//! sequence, `f64` t0 (the recorder's seconds, opaque to the device). The reply has 32 bytes: the
//! request unchanged, `u64` t1 ticks, `u64` t2 ticks. Ticks have the unit and counter width of the
//! sample stamps; a negative 64-bit reading is sent as its two's complement.
//!
//! **ntp** is the 48-byte packet of RFC 5905 section 7.3, as SNTP servers answer it (RFC 4330,
//! section 6): request of mode 3, reply of mode 4, origin = the request's transmit timestamp,
//! receive = t1, transmit = t2. Device time counts as unix seconds, so 2,208,988,800 is added. The
//! 32-bit seconds wrap every 136 years (the next time in 2036); which era is meant is not in the
//! packet, and the reader takes the one nearest to what it expects. A wrapped tick counter does not
//! concern `ntp`: its timestamps carry the full device time.

use crate::clock::TickUnit;

use super::config::CounterWidth;

/// First bytes of an `echo` request and reply.
pub const ECHO_MAGIC: [u8; 4] = *b"LKE1";
/// Size of an `echo` request.
pub const ECHO_REQUEST_BYTES: usize = 16;
/// Size of an NTP packet without extensions.
pub const NTP_BYTES: usize = 48;
/// Seconds from the NTP epoch (1900) to the unix epoch (1970).
pub const NTP_UNIX_OFFSET_S: i64 = 2_208_988_800;

/// Which protocol the device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExchangeKind {
    /// Lockstep's own tiny protocol, fit for a microcontroller.
    Echo,
    /// A standard SNTP server.
    Ntp,
}

impl ExchangeKind {
    /// The name in configuration files: `echo` or `ntp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ntp => "ntp",
        }
    }
}

/// How the device's readings are written into replies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readings {
    /// Unit of the ticks.
    pub unit: TickUnit,
    /// Width of the counter, for `echo`.
    pub counter: CounterWidth,
    /// Resolution of a reading in seconds, for the `precision` field of `ntp`.
    pub resolution_s: f64,
}

/// A valid request, kept whole because the reply repeats parts of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Of the `echo` protocol.
    Echo([u8; ECHO_REQUEST_BYTES]),
    /// Of the `ntp` protocol.
    Ntp([u8; NTP_BYTES]),
}

impl Request {
    /// Reads a datagram; `None` for anything that is not a request of this protocol.
    pub fn parse(kind: ExchangeKind, datagram: &[u8]) -> Option<Self> {
        match kind {
            ExchangeKind::Echo => {
                let request: [u8; ECHO_REQUEST_BYTES] = datagram.try_into().ok()?;
                request.starts_with(&ECHO_MAGIC).then_some(Self::Echo(request))
            }
            ExchangeKind::Ntp => {
                let request: [u8; NTP_BYTES] = datagram.try_into().ok()?;
                let (version, mode) = ((request[0] >> 3) & 7, request[0] & 7);
                ((1..=4).contains(&version) && mode == 3).then_some(Self::Ntp(request))
            }
        }
    }

    /// The sequence number of an `echo` request.
    pub fn sequence(&self) -> Option<u32> {
        match self {
            Self::Echo(request) => Some(u32::from_le_bytes(four(&request[4..8]))),
            Self::Ntp(_) => None,
        }
    }

    /// The recorder's t0 as text: seconds for `echo`, the 64-bit transmit timestamp for `ntp`.
    pub fn t0_text(&self) -> String {
        match self {
            Self::Echo(request) => format!("{:?}", f64::from_le_bytes(eight(&request[8..16]))),
            Self::Ntp(request) => u64::from_be_bytes(eight(&request[40..48])).to_string(),
        }
    }

    /// Writes the reply with the device readings `t1_ticks` and `t2_ticks` (not yet wrapped).
    pub fn reply(&self, readings: &Readings, t1_ticks: i64, t2_ticks: i64) -> Vec<u8> {
        match self {
            Self::Echo(request) => {
                let mut reply = request.to_vec();
                for ticks in [t1_ticks, t2_ticks] {
                    reply.extend_from_slice(&readings.counter.wrap(ticks).to_le_bytes());
                }
                reply
            }
            Self::Ntp(request) => ntp_reply(request, readings, t1_ticks, t2_ticks).to_vec(),
        }
    }
}

fn ntp_reply(
    request: &[u8; NTP_BYTES],
    readings: &Readings,
    t1_ticks: i64,
    t2_ticks: i64,
) -> [u8; NTP_BYTES] {
    let mut reply = [0; NTP_BYTES];
    // No leap warning, the client's version, mode 4 (server).
    reply[0] = (request[0] & 0b0011_1000) | 4;
    reply[1] = 1; // stratum: a primary server
    reply[2] = request[2]; // poll interval
    reply[3] = precision(readings) as u8;
    // Root delay and dispersion stay 0.
    reply[12..16].copy_from_slice(b"SIM\0");
    let receive = ntp_timestamp(t1_ticks, readings.unit).to_be_bytes();
    let transmit = ntp_timestamp(t2_ticks, readings.unit).to_be_bytes();
    reply[16..24].copy_from_slice(&receive); // reference: the clock was right just now
    reply[24..32].copy_from_slice(&request[40..48]);
    reply[32..40].copy_from_slice(&receive);
    reply[40..48].copy_from_slice(&transmit);
    reply
}

/// Device ticks as an NTP timestamp: 32 bits of seconds modulo the era, 32 bits of fraction.
pub fn ntp_timestamp(ticks: i64, unit: TickUnit) -> u64 {
    let ticks_per_s = unit.ticks_per_s();
    let era_s = ticks.div_euclid(ticks_per_s).wrapping_add(NTP_UNIX_OFFSET_S) as u32;
    // The remainder is below 1e9, so the shift fits and the rounded fraction stays below 2^32.
    let remainder = ticks.rem_euclid(ticks_per_s) as u64;
    let fraction = ((remainder << 32) + ticks_per_s as u64 / 2) / ticks_per_s as u64;
    (u64::from(era_s) << 32) | fraction
}

/// The exponent of the power of two nearest to the resolution of a reading in seconds.
fn precision(readings: &Readings) -> i8 {
    let tick_s = 1.0 / readings.unit.ticks_per_s() as f64;
    // A cast from f64 saturates.
    readings.resolution_s.max(tick_s).log2().round() as i8
}

fn four(bytes: &[u8]) -> [u8; 4] {
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0))
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const US: Readings =
        Readings { unit: TickUnit::Microseconds, counter: CounterWidth::Bits64, resolution_s: 0.0 };

    fn echo_request() -> Vec<u8> {
        let mut request = b"LKE1".to_vec();
        request.extend_from_slice(&77_u32.to_le_bytes());
        request.extend_from_slice(&1000.25_f64.to_le_bytes());
        request
    }

    fn ntp_request() -> Vec<u8> {
        let mut request = vec![0; NTP_BYTES];
        request[0] = (4 << 3) | 3;
        request[2] = 6;
        request[40..48].copy_from_slice(&0x0102_0304_0506_0708_u64.to_be_bytes());
        request
    }

    #[test]
    fn an_echo_reply_is_the_request_and_two_readings() {
        let bytes = echo_request();
        let request = Request::parse(ExchangeKind::Echo, &bytes).expect("a request");
        assert_eq!(request.sequence(), Some(77));
        assert_eq!(request.t0_text(), "1000.25");
        let reply = request.reply(&US, 0x0102, -1);
        assert_eq!(reply[..16], bytes[..]);
        assert_eq!(reply[16..24], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(reply[24..], [255; 8]);
        let narrow = Readings { counter: CounterWidth::Bits32, ..US };
        assert_eq!(
            request.reply(&narrow, 1 << 32, -1)[16..],
            [0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]
        );
    }

    #[test]
    fn an_ntp_reply_is_that_of_a_primary_server() {
        let request = Request::parse(ExchangeKind::Ntp, &ntp_request()).expect("a request");
        let reply = request.reply(&US, 1_500_000, 2_250_000);
        assert_eq!(reply.len(), NTP_BYTES);
        assert_eq!(reply[..4], [(4 << 3) | 4, 1, 6, (-20_i8) as u8]);
        assert_eq!(&reply[12..16], b"SIM\0");
        assert_eq!(reply[24..32], [1, 2, 3, 4, 5, 6, 7, 8]);
        let base = 2_208_988_800_u64;
        assert_eq!(reply[32..40], (((base + 1) << 32) | (1 << 31)).to_be_bytes());
        assert_eq!(reply[40..48], (((base + 2) << 32) | (1 << 30)).to_be_bytes());
    }

    #[test]
    fn anything_else_is_no_request() {
        let mut wrong_magic = echo_request();
        wrong_magic[0] = b'X';
        let mut server_mode = ntp_request();
        server_mode[0] = (4 << 3) | 4;
        assert_eq!(Request::parse(ExchangeKind::Echo, &wrong_magic), None);
        assert_eq!(Request::parse(ExchangeKind::Ntp, &server_mode), None);
        assert_eq!(Request::parse(ExchangeKind::Ntp, &echo_request()), None);
        assert_eq!(Request::parse(ExchangeKind::Echo, b""), None);
    }

    #[test]
    fn ntp_seconds_wrap_into_the_next_era() {
        let era_1_starts_unix_s = (1_i64 << 32) - NTP_UNIX_OFFSET_S;
        assert_eq!(ntp_timestamp(era_1_starts_unix_s, TickUnit::Seconds), 0);
        assert_eq!(ntp_timestamp(-NTP_UNIX_OFFSET_S, TickUnit::Seconds), 0);
    }

    proptest! {
        #[test]
        fn ntp_fractions_are_within_half_a_unit(ticks in -4_000_000_000_000_000_000_i64..4_000_000_000_000_000_000) {
            let stamp = ntp_timestamp(ticks, TickUnit::Nanoseconds);
            let exact = ticks.rem_euclid(1_000_000_000) as f64 / 1e9 * 4_294_967_296.0;
            prop_assert!(((stamp & 0xffff_ffff) as f64 - exact).abs() <= 0.51);
        }

        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for kind in [ExchangeKind::Echo, ExchangeKind::Ntp] {
                if let Some(request) = Request::parse(kind, &bytes) {
                    let _ = (request.reply(&US, i64::MIN, i64::MAX), request.t0_text());
                }
            }
        }
    }
}
