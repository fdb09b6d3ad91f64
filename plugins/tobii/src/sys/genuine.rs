//! Beside a genuine library: only where its file is named by LOCKSTEP_TOBII_GENUINE, such as the one in the wheel of
//! TittaPy, which exports both interfaces. Never in continuous integration, and no tracker is needed.
// What is skipped has to be seen.
#![allow(clippy::print_stderr)]

use std::path::{Path, PathBuf};

use super::stream_engine::{Connection, Functions, Status};
use super::{library, pro_sdk};

const VARIABLE: &str = "LOCKSTEP_TOBII_GENUINE";

fn genuine() -> Option<PathBuf> {
    let path = std::env::var_os(VARIABLE).map(PathBuf::from);
    if path.is_none() {
        eprintln!("SKIPPED: {VARIABLE} names no genuine library");
    }
    path
}

/// How far a clock is from recorder time, in microseconds, by the best of many pairs of readings.
fn apart_us(read_us: impl Fn() -> Option<i64>) -> (f64, f64) {
    let us = || lockstep_platform::monotonic_ns() as f64 / 1e3;
    let (mut lowest, mut highest) = (f64::NEG_INFINITY, f64::INFINITY);
    for _ in 0..20 {
        let before = us();
        let read = read_us().expect("it tells its clock") as f64;
        lowest = f64::max(lowest, read - us());
        highest = f64::min(highest, read + 1.0 - before);
    }
    (lowest, highest)
}

#[test]
fn a_genuine_stream_engine_is_what_it_was_taken_for() {
    let Some(path) = genuine() else { return };
    let functions =
        Functions::of(library::open(&path, "").expect("it opens"), false).expect("it has all functions");
    eprintln!("{functions:?}");
    let texts: Vec<String> = (0..=20).map(|status: Status| functions.text(status)).collect();
    eprintln!("{texts:#?}");
    assert!(texts.iter().all(|text| !text.is_empty()));
    // Those whose meaning this plugin acts upon.
    for (status, word) in
        [(2, "permissions"), (5, "connection"), (6, "timed out"), (11, "subscribed"), (20, "firmware")]
    {
        let text = texts[status].to_lowercase();
        assert!(text.contains(word), "{status} is {text:?}");
    }
    let (status, why) = match Connection::open(functions, "", &[]) {
        Err(refused) => refused,
        Ok((connection, url)) => panic!("a tracker is connected: {url} on {connection:?}"),
    };
    assert!(why.contains("no tracker is connected"), "{status} {why}");
    let functions =
        Functions::of(library::open(&path, "").expect("it opens"), false).expect("it has all functions");
    let refused = Connection::open(functions, "tobii-prp://nowhere", &[]).expect_err("there is none");
    eprintln!("an address where nothing is: {refused:?}");
    assert_ne!(refused.0, 0);
}

#[test]
fn a_genuine_pro_sdk_is_what_it_was_taken_for() {
    let Some(path) = genuine() else { return };
    let functions =
        pro_sdk::Functions::of(library::open(&path, "").expect("it opens")).expect("it has all functions");
    eprintln!("{functions:?}");
    let (lowest, highest) = apart_us(|| functions.system_clock_us());
    eprintln!("its clock is {lowest:.1} to {highest:.1} us ahead of recorder time");
    assert!(lowest <= 2.0 && highest >= -2.0, "{lowest} to {highest} us");
    let why = pro_sdk::Connection::open(functions, "").expect_err("no tracker is there").1;
    assert!(why.contains("no tracker is connected"), "{why}");
}

#[test]
fn a_file_that_is_no_library_is_refused_by_its_name() {
    let why = library::open(Path::new("/dev/null"), "tobii_stream_engine").expect_err("it is none");
    assert!(why.starts_with("/dev/null cannot be used"), "{why}");
}
