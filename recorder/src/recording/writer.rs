//! The writer: a thread that moves encoded samples into the file, and closes it
//! with its footers.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use lockstep_clock::Measurement;
use lockstep_xdf::{Element, SampleBlock, StreamFooter, encode};
use serde_json::json;

use super::intake::Shared;
use super::notice::Level;
use super::stream::{Role, StreamIntake};
use super::sync::Progress;

/// Samples wait no longer than this before they are handed to the operating system.
const PERIOD: Duration = Duration::from_millis(100);
/// Between two boundary chunks, at which readers of damaged files find their way back.
const BOUNDARY_PERIOD: Duration = Duration::from_secs(10);
/// Blocks from this size on are written directly instead of being gathered.
const DIRECT_BYTES: usize = 64 << 10;

/// What the writer keeps of one stream.
#[derive(Debug)]
struct StreamInFile {
    intake: Arc<StreamIntake>,
    sample_count: u64,
    first_timestamp_s: Option<f64>,
    last_timestamp_s: Option<f64>,
    offsets: Vec<(f64, f64)>,
    /// Length of the file when its first samples were in it.
    first_samples_end: Option<u64>,
    dropped_reported: u64,
    rejected_reported: u64,
    backwards_reported: u64,
}

impl StreamInFile {
    fn new(intake: Arc<StreamIntake>) -> Self {
        Self {
            intake,
            sample_count: 0,
            first_timestamp_s: None,
            last_timestamp_s: None,
            offsets: Vec::new(),
            first_samples_end: None,
            dropped_reported: 0,
            rejected_reported: 0,
            backwards_reported: 0,
        }
    }
}

/// How the file ended.
#[derive(Debug)]
pub struct WriterReport {
    /// Bytes in the file.
    pub bytes: u64,
    /// What failed, if writing did.
    pub error: Option<String>,
    /// Samples that were taken in and are not in the file because writing failed.
    pub unwritten_samples: u64,
}

/// The writing thread.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<WriterReport>,
}

impl Writer {
    /// Start to write into `file`, which is empty. `wake` wakes it before its
    /// time; a message on `finish` (or the end of its sender) closes the file.
    ///
    /// # Errors
    /// When the file header cannot be written or no thread can be had.
    pub fn start(
        mut file: File,
        file_header_xml: &str,
        shared: Arc<Shared>,
        progress: Arc<Progress>,
        wake: Receiver<()>,
        finish: Receiver<()>,
    ) -> io::Result<Self> {
        let mut header = Vec::new();
        encode::file_header(&mut header, file_header_xml);
        file.write_all(&header)?;
        progress.written_bytes.store(header.len() as u64, Relaxed);
        let body = Body {
            file,
            shared,
            progress,
            streams: Vec::new(),
            out: Vec::with_capacity(DIRECT_BYTES * 2),
            measurements: Vec::new(),
            blocks: Vec::new(),
            error: None,
            unwritten_samples: 0,
            gathered_samples: 0,
        };
        let thread = std::thread::Builder::new()
            .name("lockstep-writer".to_owned())
            .spawn(move || body.run(&wake, &finish))?;
        Ok(Self { thread })
    }

    /// Wait for the end, after `finish` was told.
    pub fn join(self) -> WriterReport {
        self.thread.join().unwrap_or_else(|_| WriterReport {
            bytes: 0,
            error: Some("the writer panicked; the file has no footers".to_owned()),
            unwritten_samples: 0,
        })
    }
}

struct Body {
    file: File,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    streams: Vec<StreamInFile>,
    out: Vec<u8>,
    measurements: Vec<Measurement>,
    blocks: Vec<SampleBlock>,
    error: Option<String>,
    unwritten_samples: u64,
    /// Samples in `out` that are not yet written.
    gathered_samples: u64,
}

impl Body {
    fn run(mut self, wake: &Receiver<()>, finish: &Receiver<()>) -> WriterReport {
        let mut next_boundary = Instant::now() + BOUNDARY_PERIOD;
        let mut next_drain = Instant::now() + PERIOD;
        loop {
            let wait = next_drain.saturating_duration_since(Instant::now());
            crossbeam_channel::select! {
                recv(wake) -> _ => {}
                recv(finish) -> _ => break,
                default(wait) => {}
            }
            next_drain = Instant::now() + PERIOD;
            self.drain();
            if Instant::now() >= next_boundary {
                next_boundary += BOUNDARY_PERIOD;
                encode::boundary(&mut self.out);
                self.flush();
            }
        }
        self.close()
    }

    /// Move all that waits into the file.
    fn drain(&mut self) {
        for intake in self.shared.streams.iter().skip(self.streams.len()) {
            encode::stream_header(&mut self.out, intake.id, &intake.header_xml);
            self.streams.push(StreamInFile::new(Arc::clone(intake)));
        }
        for index in 0..self.streams.len() {
            self.drain_samples(index);
            self.drain_offsets(index);
        }
        self.flush();
        let synced = self.progress.synced_bytes.load(Relaxed);
        for stream in &mut self.streams {
            if stream.first_samples_end.is_some_and(|end| end <= synced) {
                stream.intake.counters.on_disk.store(true, Relaxed);
            }
            report_losses(&self.shared, stream);
        }
    }

    fn drain_samples(&mut self, index: usize) {
        let mut blocks = std::mem::take(&mut self.blocks);
        self.streams[index].intake.take(&mut blocks);
        for block in blocks.drain(..) {
            self.write_block(index, &block);
            self.streams[index].intake.give_back(block);
        }
        self.blocks = blocks;
    }

    fn write_block(&mut self, index: usize, block: &SampleBlock) {
        let stream = &mut self.streams[index];
        stream.sample_count += block.sample_count;
        stream.first_timestamp_s = stream.first_timestamp_s.or(block.first_timestamp_s);
        stream.last_timestamp_s = block.last_timestamp_s.or(stream.last_timestamp_s);
        encode::samples_prefix(&mut self.out, stream.intake.id, block);
        self.gathered_samples += block.sample_count;
        if block.body.len() >= DIRECT_BYTES {
            self.flush_with(&block.body);
        } else {
            self.out.extend_from_slice(&block.body);
            if self.out.len() >= DIRECT_BYTES {
                self.flush();
            }
        }
        if self.error.is_none() {
            let stream = &mut self.streams[index];
            stream.intake.counters.written.fetch_add(block.sample_count, Relaxed);
            let end = self.progress.written_bytes.load(Relaxed) + self.out.len() as u64;
            stream.first_samples_end.get_or_insert(end);
        }
    }

    /// Clock offsets measured since the last time, for this stream; a stream
    /// that was added late gets the earlier ones of its clock first.
    fn drain_offsets(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        let Some(clock) = &stream.intake.spec.clock else { return };
        self.measurements.clear();
        clock.offsets_from(stream.offsets.len(), &mut self.measurements);
        for m in &self.measurements {
            encode::clock_offset(&mut self.out, stream.intake.id, m.device_time_s, m.offset_s);
            stream.offsets.push((m.device_time_s, m.offset_s));
        }
    }

    fn flush(&mut self) {
        self.flush_with(&[]);
    }

    /// Hand what is gathered, and `more`, to the operating system. After a
    /// failure nothing more is written: the file stays as it was before it.
    fn flush_with(&mut self, more: &[u8]) {
        if self.error.is_none() && !(self.out.is_empty() && more.is_empty()) {
            let written = self.file.write_all(&self.out).and_then(|()| self.file.write_all(more));
            match written {
                Ok(()) => {
                    let bytes = (self.out.len() + more.len()) as u64;
                    self.progress.written_bytes.fetch_add(bytes, Relaxed);
                    self.gathered_samples = 0;
                }
                Err(e) => {
                    // Cut off the half-written chunk, so that the file ends with a whole one.
                    let good = self.progress.written_bytes.load(Relaxed);
                    drop(self.file.set_len(good));
                    self.progress.failed.store(true, Relaxed);
                    self.error = Some(e.to_string());
                    let text = format!("writing failed: {e}; nothing more is recorded");
                    self.shared.notices.send(Level::Error, "", text);
                }
            }
        }
        self.out.clear();
        if self.error.is_some() {
            self.unwritten_samples += self.gathered_samples;
        }
        self.gathered_samples = 0;
    }

    fn close(mut self) -> WriterReport {
        self.drain();
        // The losses reported just now are events themselves.
        self.drain();
        for stream in &mut self.streams {
            let footer = footer(stream);
            encode::stream_footer(&mut self.out, stream.intake.id, &footer.to_xml());
        }
        self.flush();
        if self.error.is_none() {
            if let Err(e) = self.file.sync_all() {
                self.error = Some(format!("the disk does not confirm the file: {e}"));
            } else {
                let written = self.progress.written_bytes.load(Relaxed);
                self.progress.synced_bytes.store(written, Relaxed);
            }
        }
        WriterReport {
            bytes: self.progress.written_bytes.load(Relaxed),
            error: self.error,
            unwritten_samples: self.unwritten_samples,
        }
    }
}

/// Write losses that were counted since the last time into the event stream.
fn report_losses(shared: &Shared, stream: &mut StreamInFile) {
    let counters = &stream.intake.counters;
    let kinds = [
        ("dropped", "the queue was full", &counters.dropped, &mut stream.dropped_reported),
        ("rejected", "could not be recorded", &counters.rejected, &mut stream.rejected_reported),
        (
            "timestamps_back",
            "earlier than the one before",
            &counters.backwards,
            &mut stream.backwards_reported,
        ),
    ];
    for (event, reason, counter, reported) in kinds {
        let total = counter.load(Relaxed);
        let new = total - *reported;
        if new > 0 {
            *reported = total;
            let name = &stream.intake.spec.name;
            let details = json!({"samples": new, "total": total, "reason": reason});
            shared.events.write(event, "", name, details);
            let level = if event == "timestamps_back" { Level::Warning } else { Level::Error };
            shared.notices.send(level, name, format!("{new} samples {event}: {reason} ({total} in all)"));
        }
    }
}

fn footer(stream: &StreamInFile) -> StreamFooter {
    let counters = &stream.intake.counters;
    let mut losses = Element::new("lockstep");
    for (name, count) in [
        ("dropped", counters.dropped.load(Relaxed)),
        ("rejected", counters.rejected.load(Relaxed)),
        ("lost", counters.lost.load(Relaxed)),
        ("gaps_of_unknown_size", counters.gaps_of_unknown_size.load(Relaxed)),
        ("timestamps_back", counters.backwards.load(Relaxed)),
    ] {
        losses.push_child(Element::new(name).with_text(count.to_string()));
    }
    let measured = match (stream.first_timestamp_s, stream.last_timestamp_s) {
        (Some(first), Some(last)) if last > first && stream.intake.spec.role == Role::Data => {
            Some((stream.sample_count - 1) as f64 / (last - first))
        }
        _ => None,
    };
    StreamFooter {
        first_timestamp_s: stream.first_timestamp_s,
        last_timestamp_s: stream.last_timestamp_s,
        sample_count: stream.sample_count,
        measured_rate_hz: measured,
        clock_offsets: stream.offsets.clone(),
        extra: vec![losses],
    }
}
