//! Whether an answer may be used, and what it says. Pure.

use lockstep_clock::Exchange;
use lockstep_platform::seconds;

use super::packet::{LEAP_UNSYNCHRONISED, MODE_SERVER, Packet, UNITS_PER_S, unix_s};

/// The highest stratum of a clock that is synchronised.
const LAST_STRATUM: u8 = 15;
/// How much longer a server may say it held a question than the round trip took, as a part of it:
/// its clock, or that of this machine, may run fast.
const HELD_TOLERANCE: f64 = 1e-3;
/// A server's reading is coarse by no more than this, whatever precision it states.
const COARSEST_S: f64 = 0.02;

/// A code by which a server refuses (RFC 5905, section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kiss {
    /// It was asked too often.
    Rate,
    /// It must not be asked again: `DENY` or `RSTR`.
    Deny,
    /// Any other.
    Other,
}

/// Why an answer is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A kiss-o'-death packet.
    #[error("sends no time but the kiss code {code:?}")]
    Kiss {
        /// What it asks for.
        kiss: Kiss,
        /// Its letters.
        code: String,
    },
    /// Leap indicator 3.
    #[error("is not synchronised (leap indicator 3)")]
    Unsynchronised,
    /// Stratum 16 and above.
    #[error("is not synchronised (stratum {0})")]
    Stratum(u8),
    /// A time stamp of zero.
    #[error("sends no time (a time stamp is zero)")]
    NoTime,
    /// Times that cannot be true.
    #[error("says it held the question for {held_s:.6} s, where the round trip took {round_trip_s:.6} s")]
    Impossible {
        /// From receiving to sending, by the server.
        held_s: f64,
        /// From sending to receiving, by this machine.
        round_trip_s: f64,
    },
}

/// Whether a packet can be an answer of an NTP server at all: its mode and its version.
pub fn is_answer(packet: &Packet) -> bool {
    packet.mode == MODE_SERVER && (3..=4).contains(&packet.version)
}

/// Judge the answer to a question that left at `t0_ns` and came back at `t3_ns` (recorder time).
/// `near_unix_s` is the UTC of this machine, which settles the era.
///
/// # Errors
/// Why it is not used.
pub fn judge(packet: &Packet, t0_ns: i64, t3_ns: i64, near_unix_s: f64) -> Result<Exchange, Refusal> {
    if packet.stratum == 0 {
        let code = packet.reference_text();
        let kiss = match code.as_str() {
            "RATE" => Kiss::Rate,
            "DENY" | "RSTR" => Kiss::Deny,
            _ => Kiss::Other,
        };
        return Err(Refusal::Kiss { kiss, code });
    }
    if packet.leap == LEAP_UNSYNCHRONISED {
        return Err(Refusal::Unsynchronised);
    }
    if packet.stratum > LAST_STRATUM {
        return Err(Refusal::Stratum(packet.stratum));
    }
    if packet.transmit == 0 || packet.receive == 0 {
        return Err(Refusal::NoTime);
    }
    // Taken before rounding, and across the end of an era.
    let held_s = packet.transmit.wrapping_sub(packet.receive).cast_signed() as f64 / UNITS_PER_S;
    let round_trip_s = t3_ns.saturating_sub(t0_ns) as f64 / 1e9;
    let coarse_s = packet.precision_s().min(COARSEST_S);
    let most_s = round_trip_s * (1.0 + HELD_TOLERANCE) + coarse_s;
    if round_trip_s < 0.0 || !(0.0..=most_s).contains(&held_s) {
        return Err(Refusal::Impossible { held_s, round_trip_s });
    }
    let t1_s = unix_s(packet.receive, near_unix_s);
    // In the era of t1, or in the next when it began in between.
    let t2_s = unix_s(packet.transmit, t1_s);
    Ok(Exchange { t0_s: seconds(t0_ns), t1_s, t2_s, t3_s: seconds(t3_ns) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_S: f64 = 1_795_305_600.0;
    const NOW: u64 = 4_004_294_400 << 32;
    const MS: i64 = 1_000_000;

    fn packet() -> Packet {
        Packet {
            version: 4,
            mode: MODE_SERVER,
            stratum: 2,
            precision: -20,
            receive: NOW + (1 << 30),
            transmit: NOW + (1 << 30) + (1 << 20),
            ..Packet::default()
        }
    }

    fn refused(change: impl FnOnce(&mut Packet)) -> String {
        let mut packet = packet();
        change(&mut packet);
        judge(&packet, 0, MS, NOW_S).expect_err("not to be used").to_string()
    }

    #[test]
    fn an_answer_gives_four_stamps() {
        let got = judge(&packet(), 5_000 * MS, 5_001 * MS, NOW_S).expect("usable");
        let t1_s = NOW_S + 0.25;
        assert_eq!(got, Exchange { t0_s: 5.0, t1_s, t2_s: t1_s + 1.0 / 4096.0, t3_s: 5.001 });
    }

    #[test]
    fn what_is_no_answer_is_seen() {
        assert!(is_answer(&packet()));
        assert!(!is_answer(&Packet { mode: 3, ..packet() }));
        assert!(!is_answer(&Packet { mode: 5, ..packet() }));
        assert!(!is_answer(&Packet { version: 0, ..packet() }));
    }

    #[test]
    fn answers_that_may_not_be_used_say_why() {
        let kiss = |letters: &[u8; 4]| {
            let packet = Packet { stratum: 0, leap: 3, reference_id: *letters, ..packet() };
            judge(&packet, 0, MS, NOW_S).expect_err("a kiss")
        };
        let of = |refusal| match refusal {
            Refusal::Kiss { kiss, .. } => kiss,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(kiss(b"RATE")), Kiss::Rate);
        assert_eq!(of(kiss(b"DENY")), Kiss::Deny);
        assert_eq!(of(kiss(b"RSTR")), Kiss::Deny);
        assert_eq!(of(kiss(b"INIT")), Kiss::Other);
        assert_eq!(kiss(b"RATE").to_string(), "sends no time but the kiss code \"RATE\"");
        assert!(refused(|p| p.leap = 3).contains("leap indicator 3"));
        assert!(refused(|p| p.stratum = 16).contains("stratum 16"));
        assert!(refused(|p| p.transmit = 0).contains("zero"));
        assert!(refused(|p| p.receive = 0).contains("zero"));
        assert!(refused(|p| p.transmit = p.receive - 1).contains("held"));
        assert!(refused(|p| p.transmit = p.receive + (1 << 26)).contains("0.015625"));
    }

    #[test]
    fn a_coarse_server_and_the_end_of_an_era_are_no_refusal() {
        // Windows keeps time in steps of 15.6 ms, and says so.
        let coarse = Packet { precision: -6, transmit: NOW + (1 << 26), receive: NOW, ..packet() };
        assert!(judge(&coarse, 0, MS, NOW_S).is_ok());
        let over = Packet { receive: u64::MAX, transmit: 1 << 20, ..packet() };
        let got = judge(&over, 0, MS, 2_085_978_496.0).expect("usable");
        assert!(got.t1_s <= got.t2_s && got.t2_s - got.t1_s < 1e-3, "{got:?}");
    }

    proptest! {
        #[test]
        fn any_packet_is_refused_or_gives_stamps_that_can_be_true(
            bytes in proptest::collection::vec(any::<u8>(), 48..60),
            (t0_ns, t3_ns) in any::<(i64, i64)>(),
        ) {
            let packet = Packet::decode(&bytes).expect("long enough");
            if let Ok(got) = judge(&packet, t0_ns, t3_ns, NOW_S) {
                prop_assert!(t3_ns >= t0_ns && got.t2_s >= got.t1_s);
                prop_assert!(got.t0_s.is_finite() && got.t1_s.is_finite() && got.t3_s.is_finite());
            }
        }
    }
}
