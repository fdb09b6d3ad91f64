//! The writer: a thread that moves encoded samples into the file, and closes it
//! with its footers.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use lockstep_clock::Measurement;
use lockstep_xdf::{Element, SampleBlock, StreamFooter, encode};
use serde_json::json;

use super::intake::Shared;
use super::notice::{Level, samples};
use super::output::Output;
use super::stream::{Role, StreamIntake};
use super::sync::Progress;

/// Samples wait no longer than this before they are handed to the operating system. What has come by then is one
/// chunk: a slow stream of one channel would else be chunk heads to a twentieth.
const PERIOD: Duration = Duration::from_millis(200);
/// Between two reports of samples that were dropped or rejected.
const REPORT_PERIOD: Duration = Duration::from_secs(1);
/// Between two boundary chunks, at which readers of damaged files find their way back.
const BOUNDARY_PERIOD: Duration = Duration::from_secs(10);

/// Which stream, in the order they were added, holds the events.
const EVENTS_INDEX: usize = 0;

/// Samples of one stream that went into the file.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u64,
    first_timestamp_s: Option<f64>,
    last_timestamp_s: Option<f64>,
}

impl Tally {
    fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.first_timestamp_s = self.first_timestamp_s.or(more.first_timestamp_s);
        self.last_timestamp_s = more.last_timestamp_s.or(self.last_timestamp_s);
    }
}

/// What the writer keeps of one stream.
#[derive(Debug)]
struct StreamInFile {
    intake: Arc<StreamIntake>,
    in_file: Tally,
    /// Clock offsets gathered for it, and those of them in the file.
    offsets: usize,
    offsets_in_file: usize,
    /// Length of the file when its first samples were in it.
    first_samples_end: Option<u64>,
    reported: Reported,
}

/// Losses of a stream that are in the event stream already.
#[derive(Debug, Default)]
struct Reported {
    dropped: u64,
    rejected: u64,
    backwards: u64,
}

/// How the file ended.
#[derive(Debug, Default)]
pub struct WriterReport {
    /// Bytes in the file.
    pub bytes: u64,
    /// What failed, if writing did.
    pub error: Option<String>,
    /// Samples in the file, by stream id; `None`: nobody knows.
    pub samples: Option<HashMap<u32, u64>>,
}

/// The writing thread.
#[derive(Debug)]
pub struct Writer {
    finish: Sender<()>,
    report: Receiver<WriterReport>,
}

impl Writer {
    /// Start to write into `file`, which is empty. `wake` wakes the writer before its time.
    ///
    /// # Errors
    /// When the file header cannot be written or no thread can be had.
    pub fn start(
        file: File,
        file_header_xml: &str,
        shared: Arc<Shared>,
        progress: Arc<Progress>,
        wake: Receiver<()>,
    ) -> io::Result<Self> {
        let mut output = Output::new(file, Arc::clone(&progress));
        encode::file_header(output.chunks(), file_header_xml);
        if !output.flush() {
            return Err(io::Error::other(output.error().unwrap_or_default().to_owned()));
        }
        let (finish, finished) = bounded(1);
        let (report_out, report) = bounded(1);
        let body = Body {
            output,
            shared,
            progress,
            streams: Vec::new(),
            gathered: Vec::new(),
            measurements: Vec::new(),
            blocks: Vec::new(),
            next_report: Instant::now(),
        };
        std::thread::Builder::new().name("lockstep-writer".to_owned()).spawn(move || {
            // If this thread panics, the recording must not go on as if it were written.
            let _told = FailedWhenDropped(Arc::clone(&body.progress));
            drop(report_out.send(body.run(&wake, &finished)));
        })?;
        Ok(Self { finish, report })
    }

    /// Write what is left, the footers, and close.
    pub fn finish(&self) {
        // Full: it was told already.
        let _ = self.finish.try_send(());
    }

    /// How the file ended, when it has.
    pub fn report(&self, wait: Duration) -> Option<WriterReport> {
        match self.report.recv_timeout(wait) {
            Ok(report) => Some(report),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => None,
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Some(WriterReport {
                error: Some("the writer panicked; the file has no footers".to_owned()),
                ..WriterReport::default()
            }),
        }
    }
}

struct FailedWhenDropped(Arc<Progress>);

impl Drop for FailedWhenDropped {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Relaxed);
        }
    }
}

struct Body {
    output: Output,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    streams: Vec<StreamInFile>,
    /// Samples that are gathered and not yet written: of which stream (by index), and how many.
    gathered: Vec<(usize, Tally)>,
    measurements: Vec<Measurement>,
    blocks: Vec<SampleBlock>,
    next_report: Instant,
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
                encode::boundary(self.output.chunks());
                self.flush();
            }
        }
        self.close()
    }

    /// Move all that waits into the file.
    fn drain(&mut self) {
        for intake in self.shared.streams.iter().skip(self.streams.len()) {
            encode::stream_header(self.output.chunks(), intake.id, &intake.header_xml);
            self.streams.push(StreamInFile {
                intake: Arc::clone(intake),
                in_file: Tally::default(),
                offsets: 0,
                offsets_in_file: 0,
                first_samples_end: None,
                reported: Reported::default(),
            });
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
        }
        if self.next_report <= Instant::now() {
            self.report_losses();
        }
    }

    fn report_losses(&mut self) {
        self.next_report = Instant::now() + REPORT_PERIOD;
        self.streams.iter_mut().for_each(|stream| report_losses(&self.shared, stream));
    }

    fn drain_samples(&mut self, index: usize) {
        let mut blocks = std::mem::take(&mut self.blocks);
        self.streams[index].intake.take(&mut blocks);
        for block in blocks.drain(..) {
            let SampleBlock { sample_count: count, first_timestamp_s, last_timestamp_s, .. } = block;
            encode::samples_prefix(self.output.chunks(), self.streams[index].intake.id, &block);
            self.gathered.push((index, Tally { count, first_timestamp_s, last_timestamp_s }));
            if let Some(written) = self.output.write(&block.body) {
                self.settle(written);
            }
            self.streams[index].intake.give_back(block);
        }
        self.blocks = blocks;
    }

    /// Clock offsets measured since the last time, for this stream; a stream
    /// that was added late gets the earlier ones of its clock first.
    fn drain_offsets(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        let Some(clock) = &stream.intake.spec.clock else { return };
        self.measurements.clear();
        clock.offsets_from(stream.offsets, &mut self.measurements);
        stream.offsets += self.measurements.len();
        for m in &self.measurements {
            encode::clock_offset(self.output.chunks(), stream.intake.id, m.device_time_s, m.offset_s);
        }
    }

    fn flush(&mut self) {
        let written = self.output.flush();
        self.settle(written);
    }

    /// Everything gathered is in the file now, or lost.
    fn settle(&mut self, written: bool) {
        let end = self.output.bytes();
        for (index, tally) in self.gathered.drain(..) {
            if written {
                self.streams[index].in_file.add(&tally);
                self.streams[index].first_samples_end.get_or_insert(end);
            }
        }
        if written {
            self.streams.iter_mut().for_each(|s| s.offsets_in_file = s.offsets);
        }
    }

    fn close(mut self) -> WriterReport {
        let error = self.output.error().map(str::to_owned);
        if let Some(error) = &error {
            // What is small may still find room: why it ends, then what was waiting, then the footers.
            self.shared.events.write("write_error", "", "", json!({"text": error}));
            self.output.try_again();
            self.drain_samples(EVENTS_INDEX);
            self.flush();
        }
        self.drain();
        self.report_losses();
        // The losses reported just now are events themselves.
        self.drain();
        let late_error = self.output.error().map(str::to_owned);
        self.output.try_again();
        for index in 0..self.streams.len() {
            let footer = footer(&self.streams[index]);
            let id = self.streams[index].intake.id;
            encode::stream_footer(self.output.chunks(), id, &footer.to_xml());
        }
        self.flush();
        let last_error = self.output.error().map(str::to_owned);
        let bytes = self.output.bytes();
        self.progress.synced(self.output.sync(), bytes);
        let samples = self.streams.iter().map(|s| (s.intake.id, s.in_file.count)).collect();
        WriterReport { bytes, error: error.or(late_error).or(last_error), samples: Some(samples) }
    }
}

/// Write losses that were counted since the last time into the event stream.
fn report_losses(shared: &Shared, stream: &mut StreamInFile) {
    let counters = &stream.intake.counters;
    let reported = &mut stream.reported;
    let report = |event: &str, reason: &str, counter: &AtomicU64, reported: &mut u64, level| {
        let total = counter.load(Relaxed);
        let new = total.saturating_sub(*reported);
        if new == 0 {
            return;
        }
        *reported = total;
        let spec = &stream.intake.spec;
        let details = json!({"samples": new, "total": total, "reason": reason});
        shared.events.write(event, &spec.source, &spec.label, details);
        let text = format!("{} {}: {reason} ({total} in all)", samples(new), event.replace('_', " "));
        shared.notices.send(level, &super::status::label(&spec.source, &spec.label), text);
    };
    report("dropped", "the queue was full", &counters.dropped, &mut reported.dropped, Level::Error);
    report("rejected", "could not be recorded", &counters.rejected, &mut reported.rejected, Level::Error);
    let back = "earlier than the one before";
    report("timestamps_back", back, &counters.backwards, &mut reported.backwards, Level::Warning);
}

fn footer(stream: &StreamInFile) -> StreamFooter {
    let counters = &stream.intake.counters;
    let mut losses = Element::new("lockstep");
    for (name, count) in [
        ("dropped", &counters.dropped),
        ("rejected", &counters.rejected),
        ("lost", &counters.lost),
        ("gaps_of_unknown_size", &counters.gaps_of_unknown_size),
        ("timestamps_back", &counters.backwards),
    ] {
        losses.push_child(Element::new(name).with_text(count.load(Relaxed).to_string()));
    }
    let Tally { count, first_timestamp_s, last_timestamp_s } = stream.in_file;
    let measured_rate_hz = match (first_timestamp_s, last_timestamp_s) {
        (Some(first), Some(last)) if last > first && stream.intake.spec.role == Role::Data => {
            Some((count - 1) as f64 / (last - first))
        }
        _ => None,
    };
    let mut offsets = Vec::new();
    if let Some(clock) = &stream.intake.spec.clock {
        clock.offsets_from(0, &mut offsets);
        offsets.truncate(stream.offsets_in_file);
    }
    StreamFooter {
        first_timestamp_s,
        last_timestamp_s,
        sample_count: count,
        measured_rate_hz,
        clock_offsets: offsets.iter().map(|m| (m.device_time_s, m.offset_s)).collect(),
        extra: vec![losses],
    }
}
