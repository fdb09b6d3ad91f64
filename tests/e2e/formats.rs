//! What a device sent and what pyxdf reads from the recording are the same bits: in each of the
//! seven formats, at regular and irregular rates, through each kind of datagram.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use std::path::Path;

use support::{Recording, Simulator, TestDir, assert_closed_cleanly, check, record_all, stream};

/// Formats that fit each kind of datagram; markers are in a test of their own.
const PAYLOADS: [(&str, &[&str]); 3] = [
    ("binary", &["float32", "double64", "int8", "int16", "int32", "int64"]),
    ("json", &["float32", "double64", "int8", "int16", "int32", "int64", "string"]),
    ("csv", &["float32", "double64", "int8", "int16", "int32", "int64", "string"]),
];

/// Everything as sent, by pyxdf's reading and by our own.
fn assert_bit_exact(recording: &Recording, simulators: &[Simulator], streams: usize) {
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    let truths: Vec<_> = simulators.iter().flat_map(Simulator::truths).collect();
    assert_eq!(truths.len(), streams, "a truth log of each stream");
    for truth in &truths {
        let name = truth.file_stem().and_then(|n| n.to_str()).expect("a name");
        let rows = std::fs::read_to_string(truth).expect("a truth log").lines().count() - 2;
        assert_eq!(stream(&info, name)["samples"], rows, "{name}");
        assert_eq!(recording.verdict_of(name)["outcome"], "complete", "{name}");
    }
    let mut arguments = vec![recording.file.clone()];
    arguments.extend(truths);
    check("bit_exact", arguments);
}

/// All formats through all datagrams that hold them, with `flags` of the rate.
fn all_formats(flags: &str) {
    let dir = TestDir::new();
    let mut simulators = Vec::new();
    for (payload, formats) in PAYLOADS {
        for (at, format) in formats.iter().enumerate() {
            let (channels, samples) = (1 + at, 1 + (at * 3) % 8);
            let more = format!(
                "{flags} --payload={payload} --format={format} --channels={channels} \
                 --samples-per-datagram={samples} --name={payload}-{format} --duration-s=3 \
                 --exchange=none --clock-offset-s=-77.125 --skew-ppm=15 --seed={}",
                10 + at
            );
            simulators.push(Simulator::new(&dir.join("truth"), 1, &more));
        }
    }
    let recording = record_all(&dir, &simulators);
    assert_bit_exact(&recording, &simulators, 20);
}

#[test]
fn regular_streams_of_every_format_are_recorded_bit_for_bit() {
    all_formats("--rate-hz=200");
}

#[test]
fn irregular_streams_of_every_format_are_recorded_bit_for_bit() {
    all_formats("--rate-hz=0 --mean-rate-hz=100");
}

/// The third column of a truth log: the device's counter, never wrapped.
fn ticks(truth: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(truth).expect("a truth log");
    let column = text.lines().skip(2).filter_map(|line| line.split(',').nth(2)?.parse().ok());
    column.collect()
}

#[test]
fn stamps_of_every_unit_and_width_are_recorded_bit_for_bit() {
    let dir = TestDir::new();
    let now_s = lockstep_platform::monotonic_s();
    // A counter of 32 bits of microseconds that starts again from 0 during the recording.
    let wrap_s = now_s - (4_294.967_296 - 3.0);
    // Nanoseconds since 1970 are beyond what a double counts exactly.
    let unix_s = now_s - 1_795_305_600.0;
    let simulators = [
        format!("--name=wrap --counter-bits=32 --unit=us --clock-offset-s={wrap_s}"),
        format!(
            "--name=wrap-ms --counter-bits=32 --unit=ms --clock-offset-s={}",
            now_s - 4_294_967.296 + 3.0
        ),
        format!("--name=unix --unit=ns --clock-offset-s={unix_s}"),
        format!("--name=unix-json --payload=json --unit=ns --clock-offset-s={unix_s}"),
        format!("--name=unix-csv --payload=csv --unit=us --clock-offset-s={unix_s}"),
        format!("--name=below-zero --unit=us --clock-offset-s={}", now_s + 1000.0),
        "--name=coarse --unit=us --resolution-us=30.517578125".to_owned(),
        "--name=seconds --unit=s".to_owned(),
        "--name=stepped --unit=us --step=1.5:0.25".to_owned(),
    ];
    let simulators = simulators.map(|flags| {
        let flags = format!("{flags} --rate-hz=250 --duration-s=6 --exchange=none --samples-per-datagram=3");
        Simulator::new(&dir.join("truth"), 1, &flags)
    });
    let recording = record_all(&dir, &simulators);
    assert_bit_exact(&recording, &simulators, 9);
    for truth in simulators[..2].iter().flat_map(Simulator::truths) {
        let ticks = ticks(&truth);
        let wrap = 1_i64 << 32;
        assert!(ticks[0] < wrap && ticks.last() >= Some(&wrap), "{} never wraps", truth.display());
    }
}

#[test]
fn markers_are_recorded_as_sent_and_stamped_on_arrival() {
    for rate in ["--rate-hz=50", "--rate-hz=0 --mean-rate-hz=50"] {
        let dir = TestDir::new();
        let flags = format!("--payload=marker --name=marks {rate} --duration-s=2");
        let simulators = [Simulator::new(&dir.join("truth"), 1, &flags)];
        let recording = record_all(&dir, &simulators);
        recording.expect_code(0);
        assert_closed_cleanly(&recording.info());
        check("arrival", [recording.file.clone(), simulators[0].truths().remove(0)]);
    }
}
