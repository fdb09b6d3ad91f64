//! The path of a sample: plugin call -> queue -> XDF bytes in a file, through
//! the real host table, intake and writer thread.
//!
//! `cargo bench -p lockstep-recorder` prints first a table that sets each case
//! beside the same payload copied with `memcpy` and written with `write`, the
//! two measured in turns; then divan's own figures of the plugin's side alone.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use lockstep_plugin_api::sys;
use lockstep_recorder::display::table::{Align, Table};
use lockstep_recorder::host::HostTable;
use lockstep_recorder::recording::events::Events;
use lockstep_recorder::recording::files::{FileSettings, Files};
use lockstep_recorder::recording::header::Identity;
use lockstep_recorder::recording::intake::{Shared, SourceHeader, SourceIntake};
use lockstep_recorder::recording::notice::Notices;
use lockstep_recorder::recording::writer::Writer;
use lockstep_xdf::Element;

/// Rounds of each case; the median is shown.
const ROUNDS: usize = 7;
/// Bytes of payload in each round.
const ROUND_BYTES: usize = 256 << 20;

/// Float32 channels and samples of the chunks of one case.
#[derive(Clone, Copy)]
struct Case {
    channels: usize,
    samples: usize,
}

const CASES: [Case; 7] = [
    Case { channels: 1, samples: 1 },
    Case { channels: 8, samples: 1 },
    Case { channels: 1, samples: 32 },
    Case { channels: 8, samples: 32 },
    Case { channels: 32, samples: 32 },
    Case { channels: 64, samples: 512 },
    Case { channels: 256, samples: 512 },
];

/// A host table with one stream, and a writer.
struct Bench {
    table: *const sys::Host,
    stream: u32,
    writer: Writer,
    data: Vec<f32>,
    stamps: Vec<f64>,
}

impl Bench {
    fn new(case: Case, path: &Path, file: File) -> Self {
        let identity = Identity::default();
        let (notices, _) = Notices::channel();
        let (wake, woken) = bounded(1);
        let shared = Shared::new(Events::new(&identity, ""), notices, identity, wake);
        let source = SourceIntake::new(Arc::clone(&shared), "bench", true, 64 << 20, SourceHeader::default());
        source.open();
        let host = HostTable::new(source, 8, 5.0);
        let settings = FileSettings { sync: Duration::from_secs(1), ..FileSettings::default() };
        let files = Files::new(&file, path, settings).expect("files");
        let writer = Writer::start(file, Element::new("info"), shared, files, woken).expect("a writer");
        let table = host.as_ptr();
        let info = sys::StreamInfo {
            struct_size: size_of::<sys::StreamInfo>() as u32,
            format: sys::FLOAT32,
            channel_count: case.channels as u32,
            clock: 0,
            // The stamps below never follow from it: none is elided.
            nominal_rate_hz: 1000.0,
            name: sys::Str::new("bench"),
            r#type: sys::Str::EMPTY,
            source_id: sys::Str::EMPTY,
            desc_xml: sys::Str::EMPTY,
            channels: std::ptr::null(),
            synchronization: std::ptr::null(),
            may_be_silent: 0,
            reserved1: 0,
            label: sys::Str::EMPTY,
            origin_xml: sys::Str::EMPTY,
        };
        let mut stream = 0;
        // SAFETY: the table lives for ever, the struct for the call.
        let status = unsafe { (*table).add_stream.expect("there")((*table).ctx, &info, &mut stream) };
        assert_eq!(status, sys::OK);
        Self {
            table,
            stream,
            writer,
            data: vec![1.5; case.channels * case.samples],
            stamps: vec![0.0; case.samples],
        }
    }

    /// One chunk, as a plugin pushes it.
    fn push(&mut self, at_s: f64) -> sys::Status {
        for (i, stamp) in self.stamps.iter_mut().enumerate() {
            *stamp = at_s + i as f64 * 1e-7;
        }
        let chunk = sys::Chunk {
            struct_size: size_of::<sys::Chunk>() as u32,
            stream: self.stream,
            sample_count: self.stamps.len() as u32,
            reserved: 0,
            timestamps_s: self.stamps.as_ptr(),
            data: self.data.as_ptr().cast(),
            data_bytes: size_of_val(self.data.as_slice()),
        };
        // SAFETY: the table lives for ever, the chunk and what it points to for the call.
        unsafe { (*self.table).push_chunk.expect("there")((*self.table).ctx, black_box(&chunk)) }
    }

    /// Close the file.
    fn end(self) {
        self.writer.finish();
        let report = self.writer.report(Duration::from_secs(60)).expect("closed");
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

/// Chunks of one round.
fn chunks(case: Case) -> usize {
    (ROUND_BYTES / (case.channels * case.samples * 4)).clamp(1, 4_000_000)
}

/// From the first push to the closed file.
fn through_the_recorder(case: Case) -> Duration {
    let (file, path) = tempfile::NamedTempFile::new().expect("a file").into_parts();
    let mut bench = Bench::new(case, &path, file);
    let begun = Instant::now();
    for i in 0..chunks(case) {
        while bench.push(i as f64 * 1e-3) == sys::AGAIN {
            // The queue is full: this would be counted as lost. Let the writer catch up.
            std::thread::yield_now();
        }
    }
    bench.end();
    begun.elapsed()
}

/// Chunks of this many bytes copied into a buffer and written, in writes of the writer's own size.
fn memcpy_and_write(chunks: usize, chunk_bytes: usize) -> Duration {
    let mut file = tempfile::tempfile().expect("a file");
    let data = vec![1u8; chunk_bytes];
    let mut buffer: Vec<u8> = Vec::with_capacity(512 << 10);
    let begun = Instant::now();
    for _ in 0..chunks {
        buffer.extend_from_slice(black_box(&data));
        if buffer.len() >= 256 << 10 {
            file.write_all(&buffer).expect("room");
            buffer.clear();
        }
    }
    file.write_all(&buffer).expect("room");
    file.sync_all().expect("synced");
    begun.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::print_stdout)]
fn compare() {
    let mut table = Table::new(&[
        ("CHUNK", Align::Left),
        ("CHUNKS/s", Align::Right),
        ("SAMPLES/s", Align::Right),
        ("PAYLOAD MB/s", Align::Right),
        ("memcpy+write MB/s", Align::Right),
        ("RATIO", Align::Right),
        ("SAME FILE SIZE", Align::Right),
    ]);
    for case in CASES {
        let rounds: Vec<[f64; 3]> = (0..ROUNDS)
            .map(|_| {
                let payload_bytes = 4 * case.channels * case.samples;
                [
                    through_the_recorder(case),
                    memcpy_and_write(chunks(case), payload_bytes),
                    memcpy_and_write(chunks(case), payload_bytes + 9 * case.samples),
                ]
                .map(|d| d.as_secs_f64())
            })
            .collect();
        let of = |i: usize| median(rounds.iter().map(|r| r[i]).collect());
        let count = chunks(case) as f64;
        let megabytes = count * (case.channels * case.samples * 4) as f64 / 1e6;
        table.row(vec![
            format!("{} x {} ch float32", case.samples, case.channels),
            format!("{:.0}", count / of(0)),
            format!("{:.2} M", count * case.samples as f64 / of(0) / 1e6),
            format!("{:.0}", megabytes / of(0)),
            format!("{:.0}", megabytes / of(1)),
            format!("{:.2}", median(rounds.iter().map(|r| r[1] / r[0]).collect())),
            format!("{:.2}", median(rounds.iter().map(|r| r[2] / r[0]).collect())),
        ]);
    }
    println!("plugin call -> queue -> XDF bytes -> file, synced; medians of {ROUNDS} rounds in turns");
    println!("RATIO: against memcpy + write of the payload alone; SAME FILE SIZE: of as many bytes as the");
    println!("XDF file has, which spends nine a sample on the time stamp\n");
    for line in table.lines() {
        println!("{line}");
    }
    println!();
}

/// The plugin's side alone: one push, the writer draining at the same time.
#[divan::bench(args = [0usize, 1, 4, 5])]
fn push(bencher: divan::Bencher<'_, '_>, case: usize) {
    let case = CASES[case];
    let null = Path::new("/dev/null");
    let mut bench = Bench::new(case, null, File::options().write(true).open(null).expect("there"));
    let mut at_s = 0.0;
    bencher
        .counter(divan::counter::ItemsCount::new(case.samples))
        .counter(divan::counter::BytesCount::new(case.samples * case.channels * 4))
        .bench_local(|| {
            at_s += 1e-3;
            bench.push(at_s)
        });
}

fn main() {
    // `cargo test` runs benchmarks too, only to see that they do.
    if !std::env::args().any(|a| a == "--test") {
        compare();
    }
    divan::main();
}
