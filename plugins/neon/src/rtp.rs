//! RTP and its sender reports, without sockets: packets in their order, and the time of each.

pub mod order;
pub mod reports;

use rtcp_types::{Compound, Packet as RtcpPacket};
use rtp_types::RtpPacket;

/// What is kept of an RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Sequence number, as sent.
    pub sequence: u16,
    /// Time stamp, as sent.
    pub timestamp: u32,
    /// Who sends, until it starts anew.
    pub ssrc: u32,
    /// Last packet of a picture.
    pub marker: bool,
    /// What it is about.
    pub payload: Vec<u8>,
}

/// Read an RTP packet of `payload_type`; `None`: it is something else.
pub fn packet(bytes: &[u8], payload_type: u8) -> Option<Packet> {
    let packet = RtpPacket::parse(bytes).ok().filter(|packet| packet.payload_type() == payload_type)?;
    Some(Packet {
        sequence: packet.sequence_number(),
        timestamp: packet.timestamp(),
        ssrc: packet.ssrc(),
        marker: packet.marker_bit(),
        payload: packet.payload().to_vec(),
    })
}

/// A sender report: one instant by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Who sends.
    pub ssrc: u32,
    /// By the clock of the samples.
    pub timestamp: u32,
    /// By the clock of the phone, in nanoseconds since 1970.
    pub unix_ns: i64,
}

/// Seconds from 1900 to 1970.
const UNIX_EPOCH_S: i64 = 2_208_988_800;

/// The sender report in an RTCP packet, if there is one.
pub fn report(bytes: &[u8]) -> Option<Report> {
    Compound::parse(bytes).ok()?.find_map(|packet| match packet {
        Ok(RtcpPacket::Sr(report)) => {
            let ntp = report.ntp_timestamp();
            let (seconds, fraction) = ((ntp >> 32) as i64, ntp & 0xffff_ffff);
            let nanoseconds = ((fraction * 1_000_000_000 + (1 << 31)) >> 32) as i64;
            let unix_ns = (seconds - UNIX_EPOCH_S) * 1_000_000_000 + nanoseconds;
            Some(Report { ssrc: report.ssrc(), timestamp: report.rtp_timestamp(), unix_ns })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_packet_with_extension_and_padding_is_read() {
        let mut bytes = vec![0xb0, 0x80 | 99, 1, 2, 0, 0, 0, 9, 0, 0, 0, 7];
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        bytes.extend([42, 43, 0, 2]);
        let read = packet(&bytes, 99).expect("a packet");
        assert_eq!((read.sequence, read.timestamp, read.ssrc, read.marker), (0x0102, 9, 7, true));
        assert_eq!(read.payload, [42, 43]);
        assert_eq!(packet(&bytes, 100), None);
        assert_eq!(packet(b"LKST", 99), None);
    }

    #[test]
    fn a_sender_report_is_found_alone_and_among_others() {
        let mut bytes = vec![0x80, 200, 0, 6, 0, 0, 0, 7];
        bytes.extend(((UNIX_EPOCH_S + 1_700_000_000) as u32).to_be_bytes());
        bytes.extend(0x8000_0000u32.to_be_bytes());
        bytes.extend(90_000u32.to_be_bytes());
        bytes.extend([0; 8]);
        let expected = Report { ssrc: 7, timestamp: 90_000, unix_ns: 1_700_000_000_500_000_000 };
        assert_eq!(report(&bytes), Some(expected));
        // A description of the source after it.
        bytes.extend([0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, b'x', 0]);
        assert_eq!(report(&bytes), Some(expected));
        assert_eq!(report(&bytes[..20]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            packet(&bytes, 99);
            report(&bytes);
        }
    }
}
