//! Whole recordings loaded and synchronized: one run, for tests/bench/speed.
//!
//! `cargo bench -p lockstep-analysis --bench load -- FILE [pyxdf | export FOLDER]` opens the recording, fits its clocks and
//! loads all streams with both cores, synchronized and dejittered; prints as JSON how long that took,
//! how many bytes were decoded (values, and a double for the time of each sample) and the most memory the
//! process ever had. `export` writes Parquet into FOLDER instead.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::path::Path;
use std::time::Instant;

use lockstep_analysis::export::{ExportOptions, Format, export};
use lockstep_analysis::{Loaded, SyncOptions, Synchronizer, load, open};
use lockstep_xdf::{Columns, TextColumn};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(file) = arguments.first() else {
        println!("give a recording; tests/bench/speed makes some");
        return;
    };
    if let [_, mode, folder] = arguments.as_slice()
        && mode == "export"
    {
        return write(file.as_ref(), folder.as_ref());
    }
    let options = match arguments.get(1).map(String::as_str) {
        Some("pyxdf") => SyncOptions::pyxdf(true, true),
        _ => SyncOptions::default(),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let begin = Instant::now();
    let recording = open(file.as_ref(), &mut |_| {}).unwrap();
    let opened_s = begin.elapsed().as_secs_f64();
    let synchronizer = Synchronizer::new(&recording, options).unwrap();
    let fitted_s = begin.elapsed().as_secs_f64();
    let wanted: Vec<_> = (0..recording.scan.streams.len()).map(|stream| (stream, None)).collect();
    let loaded = load(&synchronizer, &wanted, threads, &|_| {}).unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    let decoded: usize = loaded.iter().map(decoded_bytes).sum();
    let samples: usize = loaded.iter().map(|stream| stream.time_s.len()).sum();
    println!(
        "{{\"seconds\": {seconds:.4}, \"open_s\": {opened_s:.4}, \"fit_s\": {:.4}, \"samples\": {samples}, \
         \"decoded_bytes\": {decoded}, \"peak_bytes\": {}, \"threads\": {threads}}}",
        fitted_s - opened_s,
        peak_bytes()
    );
}

fn write(file: &Path, folder: &Path) {
    let options = ExportOptions {
        format: Format::Parquet,
        streams: Vec::new(),
        from_s: None,
        to_s: None,
        sync: SyncOptions::default(),
        overwrite: true,
    };
    let begin = Instant::now();
    let recording = open(file, &mut |_| {}).unwrap();
    export(&recording, folder, &options, &mut |_| {}).unwrap();
    println!("{{\"seconds\": {:.4}, \"peak_bytes\": {}}}", begin.elapsed().as_secs_f64(), peak_bytes());
}

fn decoded_bytes(stream: &Loaded) -> usize {
    fn of<T>(list: &[Vec<T>]) -> usize {
        list.iter().map(|column| size_of_val(column.as_slice())).sum()
    }
    let values = match &stream.values {
        Columns::Int8(list) => of(list),
        Columns::Int16(list) => of(list),
        Columns::Int32(list) => of(list),
        Columns::Int64(list) => of(list),
        Columns::Float32(list) => of(list),
        Columns::Double64(list) => of(list),
        // The text, and where it ends.
        Columns::Text(list) => list.iter().map(|c| TextColumn::text_bytes(c) + 8 * c.len()).sum(),
    };
    values + size_of_val(stream.time_s.as_slice())
}

/// Greatest memory of this process; 0 where the system does not tell it.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) * 1024
}
