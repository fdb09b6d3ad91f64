//! RTP and RTCP packets (RFC 3550), and H.264 in them (RFC 6184). Pure.

/// Bytes of an RTP header without extras.
pub(super) const HEADER_BYTES: usize = 12;
/// Bytes of a sender report without reports about others.
pub(super) const REPORT_BYTES: usize = 28;
/// RTP times count this many ticks a second, for every sensor.
pub(super) const TICKS_PER_S: u32 = 90_000;
/// Most bytes of a payload, so that a datagram fits into a frame of any usual network.
const MOST_PAYLOAD: usize = 1300;
/// The type of a fragment of a NAL unit.
const FRAGMENT: u8 = 28;

/// One payload of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) payload: Vec<u8>,
    /// Set on the last packet of a sample.
    pub(super) marker: bool,
}

/// What an RTP header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) sequence: u16,
    pub(super) time: u32,
    pub(super) source: u32,
}

impl Header {
    /// The packet with this header.
    pub(super) fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
        bytes.extend_from_slice(&[0x80, u8::from(self.marker) << 7 | self.payload_type]);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.time.to_be_bytes());
        bytes.extend_from_slice(&self.source.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }
}

/// A sender report: at `ntp` the stream's time was `time`.
pub(super) fn sender_report(
    source: u32,
    ntp: u64,
    time: u32,
    packets: u32,
    octets: u32,
) -> [u8; REPORT_BYTES] {
    let mut bytes = [0; REPORT_BYTES];
    // Version 2, no reports, type 200, six words after the first.
    bytes[..4].copy_from_slice(&[0x80, 200, 0, 6]);
    bytes[4..8].copy_from_slice(&source.to_be_bytes());
    bytes[8..16].copy_from_slice(&ntp.to_be_bytes());
    bytes[16..20].copy_from_slice(&time.to_be_bytes());
    bytes[20..24].copy_from_slice(&packets.to_be_bytes());
    bytes[24..28].copy_from_slice(&octets.to_be_bytes());
    bytes
}

/// NAL units as the packets of one sample: whole where they fit, else in fragments. The last packet is marked, or with
/// `mark_each` the last one of each unit, as some senders do.
pub(super) fn packets_of_nals(nals: &[Vec<u8>], mark_each: bool) -> Vec<Packet> {
    let mut packets = Vec::new();
    for nal in nals {
        let (Some(first), true) = (nal.first(), nal.len() > MOST_PAYLOAD) else {
            packets.push(Packet { payload: nal.clone(), marker: mark_each });
            continue;
        };
        let pieces = nal[1..].chunks(MOST_PAYLOAD - 2);
        let last = pieces.len() - 1;
        for (place, piece) in pieces.enumerate() {
            let ends = u8::from(place == 0) << 7 | u8::from(place == last) << 6;
            let mut payload = vec![first & 0xe0 | FRAGMENT, ends | first & 0x1f];
            payload.extend_from_slice(piece);
            packets.push(Packet { payload, marker: mark_each && place == last });
        }
    }
    if let Some(last) = packets.last_mut() {
        last.marker = true;
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_reports_are_as_their_rfc_draws_them() {
        let header = Header { payload_type: 99, marker: true, sequence: 258, time: 1, source: 0xa0b0_c0d0 };
        let packet = header.packet(b"xy");
        assert_eq!(packet, [0x80, 0xe3, 1, 2, 0, 0, 0, 1, 0xa0, 0xb0, 0xc0, 0xd0, b'x', b'y']);
        let report = sender_report(1, 2 << 32 | 3, 4, 5, 6);
        let wanted = [[0x80, 200, 0, 6], [0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3]].concat();
        assert_eq!(report[..16], wanted);
        assert_eq!(report[16..], [0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6]);
    }

    #[test]
    fn long_units_are_cut_and_can_be_put_together_again() {
        let long: Vec<u8> = std::iter::once(0x65).chain((0..4000).map(|byte| byte as u8)).collect();
        let packets = packets_of_nals(&[vec![0x67, 1], long.clone()], false);
        assert_eq!(packets.len(), 5);
        assert_eq!(packets[0].payload, [0x67, 1]);
        assert!(packets.iter().all(|packet| packet.payload.len() <= MOST_PAYLOAD));
        let markers: Vec<bool> = packets.iter().map(|packet| packet.marker).collect();
        assert_eq!(markers, [false, false, false, false, true]);
        let each = packets_of_nals(&[vec![0x67, 1], long.clone()], true);
        assert!(each[0].marker && !each[1].marker && each[4].marker);
        let heads: Vec<[u8; 2]> = packets[1..].iter().map(|p| [p.payload[0], p.payload[1]]).collect();
        assert_eq!(heads, [[0x7c, 0x85], [0x7c, 0x05], [0x7c, 0x05], [0x7c, 0x45]]);
        let mut whole = vec![packets[1].payload[0] & 0xe0 | packets[1].payload[1] & 0x1f];
        packets[1..].iter().for_each(|packet| whole.extend_from_slice(&packet.payload[2..]));
        assert_eq!(whole, long);
    }
}
