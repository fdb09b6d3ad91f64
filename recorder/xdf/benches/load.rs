//! How fast recordings are read, and with how much memory.
//!
//! `cargo bench -p lockstep-xdf --bench load -- DIR` writes four recordings into DIR (1.3 GB; they
//! stay there, for other readers to be measured on), as LabRecorder would: a chunk of every stream
//! each half second, a stamp with every sample, an offset each five seconds. Then it reads each in
//! processes of its own, whose greatest memory is compared with what was read.
//!
//! `... -- --read FILE THREADS` is such a process.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{BufWriter, Write};
    use std::os::unix::fs::FileExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Instant;

    use lockstep_xdf::{
        ChannelFormat, Columns, ReadAt, SampleBlock, SampleEncoder, Selection, StreamData, StreamInfo,
        encode, load, scan,
    };

    struct Disk(File, u64);

    impl ReadAt for Disk {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
            FileExt::read_at(&self.0, buf, offset)
        }

        fn size_bytes(&self) -> u64 {
            self.1
        }
    }

    struct Recording {
        name: &'static str,
        format: ChannelFormat,
        channels: usize,
        rate_hz: f64,
        per_chunk: usize,
        seconds: usize,
    }

    const RECORDINGS: [Recording; 4] = [
        Recording {
            name: "eeg_32ch_f32_1khz.xdf",
            format: ChannelFormat::Float32,
            channels: 32,
            rate_hz: 1000.0,
            per_chunk: 500,
            seconds: 7300,
        },
        Recording {
            name: "audio_2ch_i16_44khz.xdf",
            format: ChannelFormat::Int16,
            channels: 2,
            rate_hz: 44_100.0,
            per_chunk: 22_050,
            seconds: 300,
        },
        Recording {
            name: "imu_8ch_f32_500hz.xdf",
            format: ChannelFormat::Float32,
            channels: 8,
            rate_hz: 500.0,
            per_chunk: 250,
            seconds: 1800,
        },
        Recording {
            name: "markers_1m.xdf",
            format: ChannelFormat::String,
            channels: 1,
            rate_hz: 0.0,
            per_chunk: 10,
            seconds: 50_000,
        },
    ];

    pub fn main() {
        let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["--read", file, threads] => read(Path::new(file), threads.parse().unwrap()),
            [directory] if !directory.starts_with('-') => all(Path::new(directory)),
            _ => println!("give a directory to write 1.3 GB of recordings into"),
        }
    }

    fn all(directory: &Path) {
        for recording in &RECORDINGS {
            let path = directory.join(recording.name);
            if !path.exists() {
                write(recording, &path);
            }
            for threads in ["1", "2"] {
                for _ in 0..3 {
                    let own = std::env::current_exe().unwrap();
                    Command::new(own).arg("--read").arg(&path).arg(threads).status().unwrap();
                }
            }
        }
    }

    fn write(recording: &Recording, path: &PathBuf) {
        let Recording { format, channels, rate_hz, per_chunk, .. } = *recording;
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        let mut out = Vec::new();
        encode::file_header(&mut out, "<?xml version=\"1.0\"?><info><version>1.0</version></info>");
        let info = StreamInfo::new(recording.name, "Benchmark", channels, rate_hz, format);
        encode::stream_header(&mut out, 1, &info.to_xml());
        let mut encoder = SampleEncoder::new(format, channels, 0.0);
        let mut random = 1u64;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 33
        };
        let interval_s = 0.5 / per_chunk as f64;
        let mut last_s = 1000.0;
        for half in 0..recording.seconds * 2 {
            let mut stamps = Vec::with_capacity(per_chunk);
            for sample in 0..per_chunk {
                let at_s = 1000.0 + (half * per_chunk + sample) as f64 * interval_s;
                last_s = at_s + next() as f64 * 1e-15;
                stamps.push(last_s);
            }
            if format == ChannelFormat::String {
                let texts: Vec<String> =
                    stamps.iter().map(|_| format!("stimulus/{}", next() % 100_000)).collect();
                encoder.push_strings(&stamps, texts.iter().map(String::as_str)).unwrap();
            } else {
                let value = |_| match format {
                    ChannelFormat::Int16 => (next() as i16).to_ne_bytes().to_vec(),
                    _ => (next() as f32 * 1e-6).to_ne_bytes().to_vec(),
                };
                let values: Vec<u8> = (0..per_chunk * channels).flat_map(value).collect();
                encoder.push(&stamps, &values).unwrap();
            }
            encode::samples(&mut out, 1, &encoder.take(SampleBlock::default()));
            if half % 10 == 9 {
                encode::clock_offset(&mut out, 1, last_s, -100.0 + half as f64 * 1e-6);
            }
            if half % 20 == 19 {
                encode::boundary(&mut out);
            }
            file.write_all(&out).unwrap();
            out.clear();
        }
        let footer = "<?xml version=\"1.0\"?><info><sample_count>0</sample_count></info>";
        encode::stream_footer(&mut out, 1, footer);
        file.write_all(&out).unwrap();
        file.flush().unwrap();
    }

    /// Bytes of stamps and values.
    fn decoded_bytes(data: &StreamData) -> usize {
        let columns: usize = match &data.values {
            Columns::Int16(list) => list.iter().map(|column| column.len() * 2).sum(),
            Columns::Float32(list) => list.iter().map(|column| column.len() * 4).sum(),
            Columns::Text(list) => list.iter().map(|column| column.text_bytes() + column.len() * 8).sum(),
            _ => 0,
        };
        data.time_stamps_s.len() * 8 + columns
    }

    fn peak_bytes() -> Option<f64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1024.0)
    }

    fn read(path: &Path, threads: usize) {
        let file = File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        let disk = Disk(file, size);
        let begin = Instant::now();
        let scan = scan(&disk, &mut |_| {}).unwrap();
        let scan_s = begin.elapsed().as_secs_f64();
        let wanted: Vec<_> = (0..scan.streams.len()).map(|index| (index, Selection::default())).collect();
        let data = load(&disk, &scan, &wanted, threads, &|_| {}).unwrap();
        let total_s = begin.elapsed().as_secs_f64();
        let samples: usize = data.iter().map(StreamData::len).sum();
        let decoded: usize = data.iter().map(decoded_bytes).sum();
        let peak =
            peak_bytes().map_or_else(|| "?".to_owned(), |peak| format!("{:.3}", peak / decoded as f64));
        println!(
            "{:24} {threads} threads: {:6.1} MB, {samples} samples, scan {scan_s:.4} s, all {total_s:.3} s, \
             {:6.0} MB/s, peak memory {peak} x decoded ({:.1} MB), damage {}",
            path.file_name().unwrap_or_default().display(),
            size as f64 / 1e6,
            size as f64 / 1e6 / total_s,
            decoded as f64 / 1e6,
            scan.damage.len() + data.iter().map(|data| data.damage.len()).sum::<usize>(),
        );
    }
}
