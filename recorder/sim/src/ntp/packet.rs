//! The packets of a simulated NTP server. Pure.

use crate::clock::TickUnit;
use crate::udp::exchange::{NTP_BYTES, NTP_UNIX_OFFSET_S, ntp_timestamp};

use super::config::{Fault, NtpServerConfig};

/// Readings of the server's clock are taken in this unit.
pub(super) const UNIT: TickUnit = TickUnit::Nanoseconds;
/// Bytes of an answer that is cut.
const CUT_BYTES: usize = 20;

/// A client's question, kept whole because the answer repeats parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question(pub(super) [u8; NTP_BYTES]);

impl Question {
    /// Reads a question; `None` for anything else. What follows the header is ignored.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; NTP_BYTES] = bytes.first_chunk()?;
        let (version, mode) = ((header[0] >> 3) & 7, header[0] & 7);
        ((1..=4).contains(&version) && mode == 3).then_some(Self(*header))
    }

    /// Its transmit time stamp.
    pub(super) fn transmit(&self) -> u64 {
        self.0[40..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// The stamp that the server's clock gives at a reading of `ticks` nanoseconds since 1970.
pub(super) fn stamp(ticks: i64) -> u64 {
    ntp_timestamp(ticks, UNIT)
}

/// A stamp as a client reads it: seconds since 1970, in the era that the present is in (until
/// 2036), rounded once.
pub(super) fn unix_s(stamp: u64) -> f64 {
    let fixed = i128::from(stamp) - (i128::from(NTP_UNIX_OFFSET_S) << 32);
    fixed as f64 / 4_294_967_296.0
}

/// The answer with these stamps, in as many bytes as it is sent with. `noise` is for faults.
pub(super) fn answer(
    config: &NtpServerConfig,
    question: &Question,
    receive: u64,
    transmit: u64,
    fault: Option<Fault>,
    noise: &mut dyn FnMut() -> u64,
) -> Vec<u8> {
    if fault == Some(Fault::Garbage) {
        let length = (noise() % 120) as usize;
        return (0..length).map(|_| noise().to_le_bytes()[3]).collect();
    }
    let mut bytes = [0; NTP_BYTES];
    // No leap warning, the client's version, mode 4 (server).
    bytes[0] = (question.0[0] & 0b0011_1000) | 4;
    bytes[1] = config.stratum;
    bytes[2] = question.0[2];
    bytes[3] = precision(config.clock.resolution_s).to_be_bytes()[0];
    bytes[4..8].copy_from_slice(&short(config.root_delay_s).to_be_bytes());
    bytes[8..12].copy_from_slice(&short(config.root_dispersion_s).to_be_bytes());
    bytes[12..16].copy_from_slice(&config.reference_id);
    let mut origin = question.transmit();
    let mut transmit = transmit;
    match fault {
        Some(Fault::Rate | Fault::Deny) => {
            let code = if fault == Some(Fault::Rate) { b"RATE" } else { b"DENY" };
            (bytes[0], bytes[1]) = (bytes[0] | 0b1100_0000, 0);
            bytes[12..16].copy_from_slice(code);
        }
        Some(Fault::Unsynchronised) => bytes[0] |= 0b1100_0000,
        Some(Fault::Stratum16) => bytes[1] = 16,
        Some(Fault::NoTime) => transmit = 0,
        Some(Fault::WrongOrigin) => origin = noise(),
        Some(Fault::WrongMode) => bytes[0] = (bytes[0] & 0b1111_1000) | 3,
        Some(Fault::Impossible) => transmit = transmit.wrapping_add(1 << 32),
        _ => {}
    }
    // The reference time: the clock was right just now.
    for (at, stamp) in [(16, receive), (24, origin), (32, receive), (40, transmit)] {
        bytes[at..at + 8].copy_from_slice(&stamp.to_be_bytes());
    }
    let length = if fault == Some(Fault::Short) { CUT_BYTES } else { NTP_BYTES };
    bytes[..length].to_vec()
}

/// Seconds in 2^-16 s, rounded.
fn short(seconds: f64) -> u32 {
    // A cast from f64 saturates.
    (seconds * 65_536.0).round() as u32
}

/// The exponent of the power of two nearest to the resolution of a reading in seconds.
fn precision(resolution_s: f64) -> i8 {
    let tick_s = 1.0 / UNIT.ticks_per_s() as f64;
    // A cast from f64 saturates.
    resolution_s.max(tick_s).log2().round() as i8
}
