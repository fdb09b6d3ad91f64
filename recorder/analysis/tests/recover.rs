//! The table of damage, row by row, recovered; and what recovering does with stamps that were left out,
//! offsets that were never measured, footers and headers.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "../../xdf/tests/common/mod.rs"]
mod common;
mod recovering;

use std::ops::Range;

use common::{Spec, file, irregular, regular};
use lockstep_analysis::check::check;
use lockstep_analysis::recover::{Footer, Origin, RecoverError, Recovery, default_name, plan, write};
use lockstep_xdf::{ChannelFormat, Element, StreamFooter, StreamInfo, encode, scan};
use recovering::{recording, recover, rows, whole};

const CHUNKS: usize = 40;
const PER_CHUNK: usize = 50;
const ALL: usize = CHUNKS * PER_CHUNK;

/// The three ways samples lie in chunks, with a second stream; their footers say nothing.
fn files() -> Vec<(&'static str, common::File)> {
    let spec = |format, rate_hz, chunks| Spec { id: 3, format, channels: 2, rate_hz, chunks };
    let spare = |format| Spec { id: 9, format, channels: 1, rate_hz: 0.0, chunks: irregular(1.0, CHUNKS, 1) };
    let number = ChannelFormat::Float32;
    vec![
        ("stamped", file(&[spec(number, 100.0, irregular(10.0, CHUNKS, PER_CHUNK)), spare(number)])),
        ("computed", file(&[spec(number, 100.0, regular(10.0, 100.0, CHUNKS, PER_CHUNK)), spare(number)])),
        (
            "text",
            file(&[spec(ChannelFormat::String, 0.0, irregular(10.0, CHUNKS, PER_CHUNK)), spare(number)]),
        ),
    ]
}

/// Where the 31st chunk of the large stream lies.
fn victim(file: &common::File) -> Range<usize> {
    file.chunks.iter().filter(|(_, stream, _)| *stream == 0).nth(30).unwrap().0.clone()
}

/// Recovers, and checks that all samples of the new file are samples of the old one, in order.
fn right(row: &str, kind: &str, before: &common::File, bytes: &[u8]) -> (usize, Recovery) {
    let (recovery, new) = recover(bytes).unwrap();
    let streams = whole(&new);
    let (found, expected) = (rows(&streams[0].1), rows(&before.expected[0]));
    let mut left = expected.iter();
    assert!(found.iter().all(|row| left.any(|one| one == row)), "{row}, {kind}: never recorded");
    if !row.starts_with("cut") {
        assert_eq!(rows(&streams[1].1), rows(&before.expected[1]), "{row}, {kind}: the other stream");
    }
    println!("{row:24} {kind:9} {} of {ALL}", found.len());
    (found.len(), recovery)
}

#[test]
fn the_table_of_damage() {
    for (kind, file) in files() {
        let chunk = victim(&file);
        let changed = |at: usize, new: &[u8]| {
            let mut bytes = file.bytes.clone();
            bytes[chunk.start + at..chunk.start + at + new.len()].copy_from_slice(new);
            bytes
        };
        let length = u32::from_le_bytes(file.bytes[chunk.start + 1..chunk.start + 5].try_into().unwrap());
        // Row, the file, samples that are kept, whether something is lost.
        let rows: Vec<(&str, Vec<u8>, usize, bool)> = vec![
            ("cut after the length", file.bytes[..chunk.start + 5].to_vec(), 1500, true),
            ("bad varlen (zeroed)", changed(0, &[0; 5]), ALL, false),
            ("head zeroed", changed(0, &[0; 16]), ALL - PER_CHUNK, true),
            ("payload zeroed", changed(16, &vec![0; chunk.len() - 16]), ALL - PER_CHUNK, true),
            ("tag 99", changed(5, &[99]), ALL - PER_CHUNK, true),
            ("unknown stream", changed(7, &[77]), ALL - PER_CHUNK, true),
            ("nsamples = 2^31-1", changed(12, &0x7FFF_FFFFu32.to_le_bytes()), ALL, false),
            ("length too big", changed(1, &(length + 1000).to_le_bytes()), ALL, false),
            ("length too small", changed(1, &(length - 17).to_le_bytes()), ALL, false),
            ("whole", file.bytes.clone(), ALL, false),
        ];
        for (row, bytes, kept, is_lossy) in rows {
            let (right, recovery) = right(row, kind, &file, &bytes);
            assert_eq!((right, recovery.is_lossy()), (kept, is_lossy), "{row}, {kind}: {recovery:?}");
        }
        let inside = chunk.start + 16 + (chunk.len() - 16) * 9 / 10;
        let (right, recovery) = right("cut inside samples", kind, &file, &file.bytes[..inside]);
        assert!((1540..1550).contains(&right) && recovery.is_lossy());
        assert_eq!(recovery.streams[0].samples_lost, 1550 - right as u64);
        assert_eq!(recovery.streams[0].footer, Footer::Made);
    }
}

/// A stream of one channel at 10 Hz; `None` where a stamp is left out.
fn chunk(out: &mut Vec<u8>, id: u32, stamps: &[Option<f64>]) {
    let mut body = Vec::new();
    for stamp in stamps {
        match stamp {
            Some(stamp_s) => {
                body.push(8);
                body.extend(stamp_s.to_le_bytes());
            }
            None => body.push(0),
        }
        body.extend(7i16.to_le_bytes());
    }
    encode::samples_head(out, id, stamps.len() as u64, body.len());
    out.extend(body);
}

fn header(out: &mut Vec<u8>, id: u32) {
    let info = StreamInfo::new(format!("S{id}"), "T", 1, 10.0, ChannelFormat::Int16);
    encode::stream_header(out, id, &info.to_xml());
}

const LAB_RECORDER: &str = "<info><version>1.0</version><datetime>2026-01-01T00:00:00+0000</datetime></info>";

/// Three chunks, the second of which is lost, as LabRecorder leaves stamps out; `after` is the third.
fn torn(after: &[Option<f64>], footer: Option<u64>) -> (Vec<f64>, Recovery) {
    let mut out = Vec::new();
    encode::file_header(&mut out, LAB_RECORDER);
    header(&mut out, 1);
    chunk(&mut out, 1, &[Some(1.0), None]);
    let begin = out.len();
    chunk(&mut out, 1, &[Some(1.2), None]);
    out[begin..].fill(0x55);
    chunk(&mut out, 1, after);
    if let Some(sample_count) = footer {
        let footer = StreamFooter { sample_count, ..StreamFooter::default() };
        encode::stream_footer(&mut out, 1, &footer.to_xml());
    }
    let (recovery, new) = recover(&out).unwrap();
    (whole(&new)[0].1.time_stamps_s.clone(), recovery)
}

#[test]
fn a_sample_whose_time_is_not_known_is_left_out() {
    let begin = [1.0, 1.0 + 0.1];
    // The next stamp shows that two samples are missing.
    let (stamps, recovery) = torn(&[None, None, Some(1.6), None], None);
    assert_eq!(stamps, [&begin[..], &[1.6, 1.6 + 0.1]].concat());
    let dropped = recovery.skipped.iter().find(|skipped| skipped.what.contains("time is not known")).unwrap();
    assert_eq!((dropped.samples_lost, dropped.bytes), (Some(2), 6));
    // It shows that none is: what was lost was of another stream.
    let (stamps, _) = torn(&[None, None, Some(1.0 + 0.4), None], None);
    assert_eq!(stamps.len(), 6);
    assert_eq!(stamps[2], 1.0 + 0.1 + 0.1);
    // None follows: nobody knows, unless the footer says that nothing is missing.
    assert_eq!(torn(&[None, None], None).0, begin);
    assert_eq!(torn(&[None, None], Some(6)).0, begin);
    assert_eq!(torn(&[None, None], Some(4)).0.len(), 4);
    // One that carries its stamp is kept.
    assert_eq!(torn(&[Some(1.4), None], None).0, [1.0, 1.0 + 0.1, 1.4, 1.4 + 0.1]);
}

#[test]
fn a_stamp_that_follows_within_its_chunk_is_written_down() {
    let mut out = Vec::new();
    encode::file_header(&mut out, LAB_RECORDER);
    header(&mut out, 1);
    chunk(&mut out, 1, &[Some(1.0), None, None, None]);
    let third = out.len() - 2 * 3;
    out[third] = 2;
    let (recovery, new) = recover(&out).unwrap();
    assert_eq!(whole(&new)[0].1.time_stamps_s, [1.0, 1.0 + 0.1, 1.0 + 0.1 + 0.1 + 0.1]);
    assert_eq!((recovery.samples_lost(), recovery.bytes_skipped()), (1, 3));
}

/// Ten good offsets and what is put among them.
fn with_offset(header_xml: &str, bad: (f64, f64)) -> (Recovery, Vec<u8>) {
    let mut out = Vec::new();
    encode::file_header(&mut out, header_xml);
    header(&mut out, 1);
    chunk(&mut out, 1, &[Some(1.0), None]);
    for k in 0..10 {
        if k == 6 {
            encode::clock_offset(&mut out, 1, bad.0, bad.1);
        }
        encode::clock_offset(&mut out, 1, 50.0 + 5.0 * f64::from(k), 100.0 + 1e-5 * f64::from(k));
    }
    recover(&out).unwrap()
}

#[test]
fn offsets_that_were_never_measured_are_left_out_and_shown() {
    for (bad, text) in [
        ((185.0, 0.0), "0e0 s at 1.85e2 s"),
        ((6.9e-310, 1.4e280), "1.4e280 s"),
        ((80.0, f64::NAN), "NaN s at 8e1 s"),
    ] {
        let (recovery, new) = with_offset(LAB_RECORDER, bad);
        assert!(!recovery.is_lossy(), "it was never measured: {recovery:?}");
        assert!(recovery.skipped.len() == 1 && recovery.skipped[0].what.contains(text), "{recovery:?}");
        assert_eq!(whole(&new).len(), 1);
        let scan = scan(&new, &mut |_| {}).unwrap();
        assert_eq!(scan.streams[0].clock_offsets.len(), 10);
        assert_eq!(scan.streams[0].footer.as_ref().unwrap().clock_offsets.len(), 10);
        // The recorder that wrote it is still known.
        assert!(recording(&new).is_lab_recorder());
        // Lockstep writes none that was not measured: there it was one that was.
        let lockstep = "<info><version>1.0</version><recorder>Lockstep 0.1.0</recorder></info>";
        assert!(with_offset(lockstep, bad).0.is_lossy());
    }
}

#[test]
fn what_a_footer_says_of_losses_is_kept() {
    let losses = Element::new("lockstep").with_child(Element::new("dropped").with_text("7"));
    let mut out = Vec::new();
    encode::file_header(&mut out, LAB_RECORDER);
    header(&mut out, 1);
    chunk(&mut out, 1, &[Some(1.0), None]);
    let begin = out.len();
    chunk(&mut out, 1, &[Some(1.2), None]);
    let end = out.len();
    let footer = StreamFooter {
        first_timestamp_s: Some(1.0),
        last_timestamp_s: Some(1.2 + 0.1),
        sample_count: 4,
        measured_rate_hz: Some(10.0),
        clock_offsets: Vec::new(),
        extra: vec![losses.clone()],
    };
    encode::stream_footer(&mut out, 1, &footer.to_xml());
    let (recovery, new) = recover(&out).unwrap();
    assert_eq!((recovery.streams[0].footer, recovery.is_lossy()), (Footer::Kept, false));
    assert!(new.ends_with(footer.to_xml().as_bytes()));
    out[begin..end].fill(0);
    let (recovery, new) = recover(&out).unwrap();
    let stream = &recovery.streams[0];
    assert_eq!((stream.samples_before, stream.samples, stream.samples_lost), (Some(4), 2, 2));
    let made = scan(&new, &mut |_| {}).unwrap().streams[0].footer.clone().unwrap();
    assert_eq!((made.sample_count, made.last_timestamp_s), (2, Some(1.0 + 0.1)));
    assert_eq!((&made.extra[0], made.extra[1].text_at("samples_lost")), (&losses, Some("2")));
    // Chunks that are missing without a trace are lost, too.
    out.drain(begin..end);
    let (recovery, _) = recover(&out).unwrap();
    assert!(recovery.skipped.is_empty() && recovery.is_lossy() && recovery.samples_lost() == 2);
}

#[test]
fn headers_that_are_missing_are_told_or_made() {
    let mut out = b"XDF:".to_vec();
    header(&mut out, 1);
    chunk(&mut out, 1, &[Some(1.0)]);
    // A stream without a header that can be read.
    chunk(&mut out, 77, &[Some(1.0), Some(2.0)]);
    chunk(&mut out, 77, &[Some(3.0)]);
    let (recovery, new) = recover(&out).unwrap();
    assert!(recovery.file_header_made);
    let unknown = recovery.skipped.iter().find(|skipped| skipped.stream_id == Some(77)).unwrap();
    assert_eq!((unknown.samples_lost, recovery.samples_lost()), (Some(3), 3));
    let header = recording(&new).header.clone().unwrap();
    let note = header.child("recovered").unwrap();
    assert_eq!((header.text_at("version"), note.text_at("from")), (Some("1.0"), Some("made.xdf")));
    assert_eq!((note.text_at("samples_lost"), note.text_at("skipped/stream_id")), (Some("3"), Some("77")));
    let checked = check(&recording(&new), &mut |_, _| {}).unwrap();
    assert!(
        checked.findings.iter().any(|f| f.code == "recovered" && f.samples_lost == Some(3)),
        "{checked:?}"
    );
    assert!(recover(b"XDF:").is_none());
}

#[test]
fn two_streams_of_one_id_are_told_apart() {
    let mut out = Vec::new();
    encode::file_header(&mut out, LAB_RECORDER);
    header(&mut out, 1);
    chunk(&mut out, 1, &[Some(1.0)]);
    let info = StreamInfo::new("other", "T", 2, 0.0, ChannelFormat::Double64);
    encode::stream_header(&mut out, 1, &info.to_xml());
    let (recovery, new) = recover(&out).unwrap();
    assert_eq!(
        (recovery.streams[1].id, recovery.streams[1].old_id, recovery.is_lossy()),
        (2, Some(1), false)
    );
    assert_eq!(whole(&new).iter().map(|(id, data)| (*id, data.len())).collect::<Vec<_>>(), [(1, 1), (2, 0)]);
}

#[test]
fn the_new_file_is_there_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = files().swap_remove(0);
    let old = recording(&file.bytes);
    let recovery = plan(&old, &mut |_| {}).unwrap();
    let output = dir.path().join("new.xdf");
    write(&old, &recovery, &Origin::default(), &output, &mut |_| {}).unwrap();
    let first = std::fs::read(&output).unwrap();
    assert_eq!(whole(&first).len(), 2);
    let again = write(&old, &recovery, &Origin::default(), &output, &mut |_| {});
    assert!(matches!(again, Err(RecoverError::Exists(_))));
    assert_eq!(
        (std::fs::read(&output).unwrap() == first, std::fs::read_dir(dir.path()).unwrap().count()),
        (true, 1)
    );
    let nowhere = dir.path().join("not/there.xdf");
    let failed = write(&old, &recovery, &Origin::default(), &nowhere, &mut |_| {});
    assert!(matches!(failed, Err(RecoverError::Write { .. })));
    for (name, new) in [
        ("a.xdf", "a_recovered.xdf"),
        ("b.XDF.gz", "b_recovered.xdf"),
        ("c.xdfz", "c_recovered.xdf"),
        ("d", "d_recovered.xdf"),
    ] {
        assert_eq!(default_name(&dir.path().join(name)), dir.path().join(new));
    }
}

#[test]
fn a_packed_file_that_was_cut_is_recovered() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = files().swap_remove(2);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&file.bytes).unwrap();
    let packed = packer.finish().unwrap();
    let path = dir.path().join("a.xdf.gz");
    std::fs::write(&path, &packed[..packed.len() * 3 / 4]).unwrap();
    let old = lockstep_analysis::open(&path, &mut |_| {}).unwrap();
    let recovery = plan(&old, &mut |_| {}).unwrap();
    assert!(recovery.is_lossy() && recovery.unpack_fault.is_some());
    let output = default_name(&path);
    write(&old, &recovery, &Origin::default(), &output, &mut |_| {}).unwrap();
    let found = whole(&std::fs::read(&output).unwrap())[0].1.len();
    assert!(found > ALL / 2, "{found}");
}
