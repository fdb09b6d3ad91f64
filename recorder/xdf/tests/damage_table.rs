//! The table of damage, row by row: 40 chunks of 50 samples, beside what pyxdf 1.17.5 was measured
//! to give for the same kind of damage.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use common::{File, Spec, all_damage, file, irregular, read, regular, right_samples};
use lockstep_xdf::{ChannelFormat, DamageReason, scan};

const CHUNKS: usize = 40;
const PER_CHUNK: usize = 50;
const ALL: usize = CHUNKS * PER_CHUNK;

/// The three ways samples lie in chunks: all with stamps, one stamp per chunk, text.
fn files() -> Vec<(&'static str, File)> {
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

/// Where the 31st chunk of the large stream lies, and its body.
fn victim(file: &File) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let chunk = file.chunks.iter().filter(|(_, stream, _)| *stream == 0).nth(30).unwrap().0.clone();
    // Length of 5 bytes, tag, id, count of 5 bytes.
    assert_eq!(file.bytes[chunk.start], 4);
    (chunk.clone(), chunk.start + 16..chunk.end)
}

/// Reads the file and checks that nothing is there that was not written, that the spare stream is
/// whole, and that the damage is told.
fn right(row: &str, pyxdf: &str, kind: &str, before: &File, bytes: &[u8]) -> (usize, Vec<DamageReason>) {
    let (scan, data) = read(bytes);
    let damage = all_damage(&scan, &data);
    let right = right_samples(&data[0], &before.expected[0]);
    println!("{row:28} {kind:9} ours {right:4} of {ALL}, pyxdf {pyxdf}");
    for one in &damage {
        println!("    {one}");
    }
    assert!(!damage.is_empty(), "{row}, {kind}: not told");
    assert_eq!(data[0].len(), right, "{row}, {kind}: samples that were never written");
    let spare = right_samples(&data[1], &before.expected[1]);
    let whole = before.expected[1].len();
    assert!(
        spare == whole || row.starts_with("cut"),
        "{row}, {kind}: {spare} of {whole} of the other stream"
    );
    (right, damage.into_iter().map(|damage| damage.reason).collect())
}

#[test]
fn cut_inside_samples() {
    for (kind, file) in files() {
        let (_, body) = victim(&file);
        let cut = body.start + body.len() * 9 / 10;
        let (right, reasons) =
            right("cut inside samples", "1500 (drops the chunk)", kind, &file, &file.bytes[..cut]);
        assert!(right >= 1500 + 40, "{right}");
        assert_eq!(reasons, [DamageReason::Cut]);
    }
}

#[test]
fn cut_right_after_the_length() {
    for (kind, file) in files() {
        let (chunk, _) = victim(&file);
        for left in [1, 3, 5, 6, 7, 10, 12] {
            let cut = chunk.start + left;
            let (right, reasons) = right("cut after length", "crash", kind, &file, &file.bytes[..cut]);
            assert_eq!((right, reasons), (1500, vec![DamageReason::Cut]));
        }
    }
}

#[test]
fn bad_length_of_a_length() {
    for (kind, file) in files() {
        let (chunk, _) = victim(&file);
        let mut bytes = file.bytes.clone();
        bytes[chunk.start..chunk.start + 5].fill(0);
        let (right, reasons) = right("bad varlen (zeroed)", "1900", kind, &file, &bytes);
        assert_eq!(right, ALL);
        assert!(matches!(reasons[..], [DamageReason::WrongLength { said: None, .. }]));
        // With the rest of the head gone too, the chunk is lost and no other.
        bytes[chunk.start..chunk.start + 16].fill(0);
        let (right, _) = self::right("head zeroed", "1900", kind, &file, &bytes);
        assert_eq!(right, ALL - PER_CHUNK);
    }
}

#[test]
fn payload_zeroed() {
    for (kind, file) in files() {
        let (_, body) = victim(&file);
        let mut bytes = file.bytes.clone();
        bytes[body.clone()].fill(0);
        let (right, _) = right("payload zeroed", "1950, 7 bogus segments", kind, &file, &bytes);
        assert_eq!(right, ALL - PER_CHUNK);
        // A sector of 512 bytes in the middle, as disks lose them.
        let mut bytes = file.bytes.clone();
        let from = body.start + body.len() / 4;
        bytes[from..(from + 256).min(body.end)].fill(0);
        let (scan, data) = read(&bytes);
        assert!(right_samples(&data[0], &file.expected[0]) >= ALL - PER_CHUNK);
        if kind == "stamped" {
            let (right, lost) = (right_samples(&data[0], &file.expected[0]), 256_usize.div_ceil(17) + 1);
            assert!(right >= ALL - lost, "{right}");
            assert!(!all_damage(&scan, &data).is_empty());
        }
    }
}

#[test]
fn unknown_tag_and_unknown_stream() {
    for (kind, file) in files() {
        let (chunk, _) = victim(&file);
        let mut bytes = file.bytes.clone();
        bytes[chunk.start + 5] = 99;
        let (right, reasons) = right("tag 99", "1950", kind, &file, &bytes);
        assert_eq!((right, reasons), (1950, vec![DamageReason::UnknownTag(99)]));
        let mut bytes = file.bytes.clone();
        bytes[chunk.start + 7] = 77;
        let (right, reasons) = self::right("unknown stream id", "1900", kind, &file, &bytes);
        assert_eq!((right, reasons), (1950, vec![DamageReason::UnknownStream]));
    }
}

#[test]
fn far_too_many_samples() {
    for (kind, file) in files() {
        let (chunk, _) = victim(&file);
        for count in [i32::MAX as u32, u32::MAX, 51, 49, 0] {
            let mut bytes = file.bytes.clone();
            bytes[chunk.start + 12..chunk.start + 16].copy_from_slice(&count.to_le_bytes());
            let row = format!("nsamples {count}");
            let pyxdf = if count == i32::MAX as u32 { "500" } else { "not measured" };
            let (right, reasons) = right(&row, pyxdf, kind, &file, &bytes);
            assert_eq!(right, ALL);
            assert!(matches!(reasons[..], [DamageReason::WrongCount { found: 50, .. }]), "{reasons:?}");
        }
    }
}

#[test]
fn wrong_chunk_length() {
    for (kind, file) in files() {
        let (chunk, _) = victim(&file);
        let length = u32::from_le_bytes(file.bytes[chunk.start + 1..chunk.start + 5].try_into().unwrap());
        for wrong in [length - 1, length + 1, length - 17, length + 8, length + 1000, 7, 0, u32::MAX] {
            let mut bytes = file.bytes.clone();
            bytes[chunk.start + 1..chunk.start + 5].copy_from_slice(&wrong.to_le_bytes());
            let row = format!("chunk length {wrong}");
            let (right, reasons) = right(&row, "2000", kind, &file, &bytes);
            assert_eq!(right, ALL);
            assert!(matches!(reasons[..], [DamageReason::WrongLength { .. }]), "{reasons:?}");
        }
    }
}

#[test]
fn bytes_lost_or_added_inside_a_chunk() {
    for (kind, file) in files() {
        let (_, body) = victim(&file);
        let middle = body.start + body.len() / 2;
        let mut fewer = file.bytes.clone();
        fewer.drain(middle..middle + 3);
        let mut more = file.bytes.clone();
        more.splice(middle..middle, [7, 7, 7]);
        for bytes in [fewer, more] {
            let (scan, data) = read(&bytes);
            println!("{kind}: {:?}", all_damage(&scan, &data));
            // One chunk at most, and half of it is before the fault.
            assert!(right_samples(&data[0], &file.expected[0]) >= ALL - PER_CHUNK / 2 - 2);
            assert_eq!(right_samples(&data[1], &file.expected[1]), CHUNKS);
            assert!(!scan.damage.is_empty());
        }
    }
}

#[test]
fn no_footer_and_no_offsets_is_fine() {
    let mut file = file(&[Spec {
        id: 1,
        format: ChannelFormat::Int16,
        channels: 1,
        rate_hz: 0.0,
        chunks: irregular(0.0, 4, 3),
    }]);
    file.bytes.truncate(file.chunks[3].0.end);
    let (scan, data) = read(&file.bytes);
    assert!(scan.damage.is_empty() && scan.streams[0].footer.is_none());
    assert!(scan.streams[0].clock_offsets.is_empty());
    assert_eq!(data[0].len(), 12);
}

#[test]
fn a_stream_without_samples_has_its_columns() {
    for format in ChannelFormat::ALL {
        let file = file(&[Spec { id: 1, format, channels: 3, rate_hz: 10.0, chunks: Vec::new() }]);
        let (scan, data) = read(&file.bytes);
        assert!(scan.damage.is_empty());
        assert_eq!((data[0].len(), data[0].values.channel_count()), (0, 3));
        assert_eq!(data[0].values.format(), format);
    }
}

#[test]
fn not_an_xdf_file() {
    for bytes in [&b""[..], b"XDF", b"RIFF1234", b"\x1f\x8b\x08\x00"] {
        let error = scan(&bytes, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("not an XDF file"), "{error}");
    }
    assert!(scan(&&b"XDF:"[..], &mut |_| {}).unwrap().streams.is_empty());
}
