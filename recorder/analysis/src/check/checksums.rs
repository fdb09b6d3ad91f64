//! The recorder's own checksums: of every stretch of the file, written a second or so after it.

use std::io;

use lockstep_xdf::LoadError;
use serde::Serialize;

use super::{Finding, rules};
use crate::clocks::SYNCHRONIZED_NOTE;
use crate::{Recording, events};

/// Name of the stream of the recorder's events.
const EVENTS_NAME: &str = "Lockstep Events";
/// Bytes read at once.
const BLOCK_BYTES: usize = 256 << 10;
/// Stretches that are listed; of more, only the bytes.
const MAX_LISTED: usize = 10_000;

/// What the checksums in a file say of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checksums {
    /// How many there are.
    pub count: u64,
    /// Bytes that are as they were written.
    pub right_bytes: u64,
    /// Stretches that are not as they were written: from a byte of the file, to the byte after.
    pub wrong: Vec<(u64, u64)>,
    /// Stretches that no checksum covers.
    pub uncovered: Vec<(u64, u64)>,
}

impl Checksums {
    /// Bytes that no checksum covers.
    pub fn uncovered_bytes(&self) -> u64 {
        self.uncovered.iter().map(|(from, to)| to - from).sum()
    }
}

/// One checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: u64,
    to: u64,
    crc32: u32,
}

/// Compare a recording with the checksums in it; `None` where there are none, or where they are those of
/// another file, from which this one was made.
///
/// # Errors
/// When the file cannot be read.
pub fn verify(recording: &Recording) -> Result<Option<Checksums>, LoadError> {
    if is_made_of_others(recording) {
        return Ok(None);
    }
    let mut stretches = read(recording)?;
    if stretches.is_empty() {
        return Ok(None);
    }
    stretches.sort_by_key(|stretch| (stretch.from, stretch.to));
    let mut checksums = Checksums { count: stretches.len() as u64, ..Checksums::default() };
    let size = recording.source().size_bytes();
    let (mut covered, mut block) = (0, vec![0; BLOCK_BYTES]);
    for stretch in stretches {
        // A damaged event may say anything: stretches follow one another, and lie within the file.
        if stretch.from < covered || stretch.to <= stretch.from {
            continue;
        }
        if stretch.from > covered {
            add(&mut checksums.uncovered, covered.min(size), stretch.from.min(size));
        }
        covered = stretch.to;
        let found = if stretch.to > size { None } else { Some(crc32(recording, &stretch, &mut block)?) };
        if found == Some(stretch.crc32) {
            checksums.right_bytes += stretch.to - stretch.from;
        } else {
            add(&mut checksums.wrong, stretch.from, stretch.to.min(size));
        }
    }
    add(&mut checksums.uncovered, covered.min(size), size);
    Ok(Some(checksums))
}

/// Adds a stretch, or makes the last one longer if it goes on from there.
fn add(list: &mut Vec<(u64, u64)>, from: u64, to: u64) {
    let is_full = list.len() >= MAX_LISTED;
    match list.last_mut() {
        _ if from >= to => {}
        Some(last) if last.1 == from || is_full => last.1 = to,
        _ => list.push((from, to)),
    }
}

/// Files that were merged, exported or recovered have the events of the recordings they were made of.
fn is_made_of_others(recording: &Recording) -> bool {
    let header = recording.header.as_ref();
    recording.is_recovered()
        || header.is_some_and(|header| header.child("merged").is_some())
        || recording.scan.streams.iter().any(|stream| stream.info.desc.child(SYNCHRONIZED_NOTE).is_some())
}

fn read(recording: &Recording) -> Result<Vec<Stretch>, LoadError> {
    // The last events of a file may stand in the one in which it goes on.
    let part = recording.header.as_ref().and_then(|header| header.text_at("part")?.trim().parse().ok());
    let part = part.unwrap_or(1);
    let mut stretches = Vec::new();
    events::each(recording, |stream, _, text| {
        if stream.info.name == EVENTS_NAME {
            stretches.extend(stretch(text, part));
        }
    })?;
    Ok(stretches)
}

/// The checksum of this part of a recording that an event tells, if it does.
fn stretch(text: &str, part: u64) -> Option<Stretch> {
    if !text.contains("\"checksum\"") {
        return None;
    }
    let event: serde_json::Value = serde_json::from_str(text).ok()?;
    if event["event"] != "checksum" || event["part"].as_u64().unwrap_or(1) != part {
        return None;
    }
    Some(Stretch {
        from: event["from_byte"].as_u64()?,
        to: event["to_byte"].as_u64()?,
        crc32: u32::from_str_radix(event["crc32"].as_str()?, 16).ok()?,
    })
}

fn crc32(recording: &Recording, stretch: &Stretch, block: &mut [u8]) -> Result<u32, LoadError> {
    let mut hasher = crc32fast::Hasher::new();
    let mut at = stretch.from;
    while at < stretch.to {
        let wanted = usize::try_from(stretch.to - at).unwrap_or(usize::MAX).min(block.len());
        match recording.source().read_at(at, &mut block[..wanted]) {
            Ok(0) => break,
            Ok(size) => {
                hasher.update(&block[..size]);
                at += size as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(LoadError::Io { offset: at, source }),
        }
    }
    Ok(hasher.finalize())
}

pub(super) fn find(recording: &Recording, out: &mut Vec<Finding>) -> Result<(), LoadError> {
    if recording.is_recovered() && !read(recording)?.is_empty() {
        let what = "its checksums are those of the file it was recovered from, and are not compared";
        out.push(Finding::new(&rules::CHECKSUMS_OF_OTHER, what));
        return Ok(());
    }
    let Some(checksums) = verify(recording)? else { return Ok(()) };
    for &(from, to) in &checksums.wrong {
        let what = format!("bytes {from} to {to} are not what was written: their checksum differs");
        out.push(Finding { bytes: Some(to - from), ..Finding::new(&rules::CHECKSUM, what).at(from) });
    }
    let uncovered = match checksums.uncovered_bytes() {
        0 => String::new(),
        bytes => format!("; {bytes} bytes have none"),
    };
    let what = format!(
        "{} checksums: {} bytes are as they were written{uncovered}",
        checksums.count, checksums.right_bytes
    );
    out.push(Finding::new(&rules::CHECKSUMS, what));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lockstep_xdf::{ChannelFormat, SampleBlock, SampleEncoder, StreamInfo, encode};

    use super::*;
    use crate::events::EVENTS_TYPE;

    /// A file of events, with a checksum after every fourth; `header_xml` is the file's.
    fn file(header_xml: &str) -> Vec<u8> {
        let mut out = Vec::new();
        encode::file_header(&mut out, header_xml);
        let info = StreamInfo::new(EVENTS_NAME, EVENTS_TYPE, 1, 0.0, ChannelFormat::String);
        encode::stream_header(&mut out, 1, &info.to_xml());
        let mut encoder = SampleEncoder::new(ChannelFormat::String, 1, 0.0);
        let mut from = 0;
        for number in 0..20 {
            let to = out.len();
            let text = if number % 4 == 3 {
                let crc32 = crc32fast::hash(&out[from..to]);
                format!(
                    "{{\"event\":\"checksum\",\"from_byte\":{from},\"to_byte\":{to},\"crc32\":\"{crc32:08x}\"}}"
                )
            } else {
                format!("{{\"event\":\"note\",\"text\":\"{number}\"}}")
            };
            encoder.push_strings(&[f64::from(number)], [text].iter()).unwrap();
            encode::samples(&mut out, 1, &encoder.take(SampleBlock::default()));
            if number % 4 == 3 {
                from = to;
            }
        }
        out
    }

    fn recording(bytes: &[u8]) -> Recording {
        let scan = lockstep_xdf::scan(&bytes, &mut |_| {}).unwrap();
        Recording::from_source(Path::new("made.xdf"), Box::new(bytes.to_vec()), scan)
    }

    #[test]
    fn bytes_that_were_changed_are_found() {
        let bytes = file("<info/>");
        let whole = verify(&recording(&bytes)).unwrap().unwrap();
        assert_eq!((whole.count, whole.wrong.len(), whole.uncovered.len()), (5, 0, 1));
        assert_eq!(whole.right_bytes + whole.uncovered_bytes(), bytes.len() as u64);
        // The text of an event, which nothing else could tell.
        let at = bytes.windows(8).position(|text| text == b"note\",\"t").unwrap();
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let found = verify(&recording(&changed)).unwrap().unwrap();
        assert_eq!(found.wrong.len(), 1);
        assert!((found.wrong[0].0..found.wrong[0].1).contains(&(at as u64)));
        let mut findings = Vec::new();
        find(&recording(&changed), &mut findings).unwrap();
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["checksum", "checksums"]);
        assert_eq!(findings[0].offset, Some(found.wrong[0].0));
        // Cut off: what is there is right, and the rest is not asked for.
        let cut = verify(&recording(&bytes[..bytes.len() / 2])).unwrap().unwrap();
        assert!(cut.wrong.is_empty() && cut.count < 5);
    }

    #[test]
    fn files_made_of_others_have_the_checksums_of_those() {
        for header in ["<info><recovered/></info>", "<info><merged/></info>"] {
            assert_eq!(verify(&recording(&file(header))).unwrap(), None);
        }
        let mut findings = Vec::new();
        find(&recording(&file("<info><recovered/></info>")), &mut findings).unwrap();
        assert!(findings.len() == 1 && findings[0].what.contains("not compared"), "{findings:?}");
    }

    #[test]
    fn checksums_that_cannot_be_are_passed_over() {
        for text in [
            "{\"event\":\"checksum\"}",
            "{\"event\":\"checksum\",\"from_byte\":0,\"to_byte\":9,\"crc32\":\"xyz\"}",
            "{\"event\":\"other\",\"text\":\"checksum\"}",
            "\"checksum\"",
        ] {
            assert_eq!(stretch(text, 1), None);
        }
        let mut list = Vec::new();
        [(0, 5), (5, 9), (12, 12), (12, 20)].iter().for_each(|&(from, to)| add(&mut list, from, to));
        assert_eq!(list, [(0, 9), (12, 20)]);
    }
}
