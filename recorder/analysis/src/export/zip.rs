//! ZIP archives of stored (not compressed) members whose sizes are known before their content: each
//! member can then be written at its place, in any order.
//!
//! Layout after PKWARE's APPNOTE 6.3, sections 4.3 to 4.5; always with ZIP64 sizes.

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Name in the archive.
    pub(super) name: String,
    /// Where its local header begins, in bytes from the start of the archive.
    pub(super) offset: u64,
    /// Bytes of its content.
    pub(super) size: u64,
    /// CRC-32 of its content.
    pub(super) crc: u32,
}

/// Version of the format a reader must know: 4.5, for ZIP64.
const VERSION: u16 = 45;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01, the first there is: the files of two exports of one recording are the same.
const DATE: u16 = 0x0021;
/// "The number is in the ZIP64 field."
const ELSEWHERE: u32 = u32::MAX;

impl Member {
    /// Where the content begins.
    pub(super) fn content_offset(&self) -> u64 {
        self.offset + self.local_header().len() as u64
    }

    /// Where the member ends.
    pub(super) fn end(&self) -> u64 {
        self.content_offset() + self.size
    }

    /// What stands before the content (4.3.7).
    pub(super) fn local_header(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04".to_vec();
        put16(&mut out, &[VERSION]);
        self.common(&mut out);
        put16(&mut out, &[20]);
        out.extend_from_slice(self.name.as_bytes());
        put16(&mut out, &[1, 16]);
        put64(&mut out, &[self.size, self.size]);
        out
    }

    /// The entry in the directory at the end (4.3.12).
    fn directory_entry(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PK\x01\x02");
        put16(out, &[VERSION, VERSION]);
        self.common(out);
        // Extra field, comment, disk, attributes.
        put16(out, &[28, 0, 0, 0]);
        put32(out, &[0, ELSEWHERE]);
        out.extend_from_slice(self.name.as_bytes());
        put16(out, &[1, 24]);
        put64(out, &[self.size, self.size, self.offset]);
    }

    /// What both headers have: flags to the length of the name.
    fn common(&self, out: &mut Vec<u8>) {
        // Flags, method "stored", time, date.
        put16(out, &[FLAGS, 0, 0, DATE]);
        put32(out, &[self.crc, ELSEWHERE, ELSEWHERE]);
        put16(out, &[self.name.len() as u16]);
    }
}

/// What stands behind the last member (4.3.12, 4.3.14 to 4.3.16).
pub(super) fn directory(members: &[Member]) -> Vec<u8> {
    let begin = members.last().map_or(0, Member::end);
    let mut out = Vec::new();
    members.iter().for_each(|member| member.directory_entry(&mut out));
    let (count, size) = (members.len() as u64, out.len() as u64);
    // ZIP64 end of central directory record.
    out.extend_from_slice(b"PK\x06\x06");
    put64(&mut out, &[44]);
    put16(&mut out, &[VERSION, VERSION]);
    put32(&mut out, &[0, 0]);
    put64(&mut out, &[count, count, size, begin]);
    // Its locator.
    out.extend_from_slice(b"PK\x06\x07");
    put32(&mut out, &[0]);
    put64(&mut out, &[begin + size]);
    put32(&mut out, &[1]);
    // End of central directory record.
    out.extend_from_slice(b"PK\x05\x06");
    put16(&mut out, &[0, 0, u16::MAX, u16::MAX]);
    put32(&mut out, &[ELSEWHERE, ELSEWHERE]);
    put16(&mut out, &[0]);
    out
}

fn put16(out: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn put64(out: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}
