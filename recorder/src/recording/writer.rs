//! The writer: a thread that moves encoded samples into the file, goes on elsewhere or holds them when that fails,
//! and closes the file with its footers.

mod backlog;
mod tally;
mod trouble;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use lockstep_clock::Measurement;
use lockstep_xdf::{Element, SampleBlock, encode};
use serde_json::json;

use super::files::Files;
use super::intake::Shared;
use super::output::{Output, Unwritten};
use super::sync::Progress;
use backlog::{Backlog, Kind};
use tally::{StreamInFile, Tally};
use trouble::Episode;

/// Samples wait no longer than this before they are handed to the operating system. What has come by then is one
/// chunk: a slow stream of one channel would else be chunk heads to a twentieth.
const PERIOD: Duration = Duration::from_millis(200);
/// Between two reports of samples that were dropped or rejected, and two looks at the file from outside.
const REPORT_PERIOD: Duration = Duration::from_secs(1);
/// Between two boundary chunks, at which readers of damaged files find their way back.
const BOUNDARY_PERIOD: Duration = Duration::from_secs(10);
/// A footer's share of the room kept for the end: a clock offset, a stream, and the events that tell why it ends.
const RESERVE_BYTES: (u64, u64, u64) = (120, 2048, 256 << 10);

/// Which stream, in the order they were added, holds the events.
const EVENTS_INDEX: usize = 0;

/// How the file ended.
#[derive(Debug, Default)]
pub struct WriterReport {
    /// Bytes in all files.
    pub bytes: u64,
    /// What failed, if writing did.
    pub problems: Vec<String>,
    /// Samples in the files, by stream id; `None`: nobody knows.
    pub samples: Option<HashMap<u32, u64>>,
}

/// The writing thread.
#[derive(Debug)]
pub struct Writer {
    finish: Sender<()>,
    report: Receiver<WriterReport>,
}

impl Writer {
    /// Start to write into `file`, which is empty and the only one of `files`. `wake` wakes the writer before its
    /// time.
    ///
    /// # Errors
    /// When the file header cannot be written or no thread can be had.
    pub fn start(
        file: File,
        header: Element,
        shared: Arc<Shared>,
        files: Arc<Files>,
        wake: Receiver<()>,
    ) -> io::Result<Self> {
        let progress = files.current().map(|part| Arc::clone(&part.progress)).unwrap_or_default();
        let mut body = Body {
            output: output(&files, file, progress),
            backlog: Backlog::new(files.settings().hold_bytes, EVENTS_INDEX),
            header,
            shared,
            files,
            streams: Vec::new(),
            gathered: Vec::new(),
            measurements: Vec::new(),
            blocks: Vec::new(),
            next_report: Instant::now(),
            next_restore: Instant::now(),
            episode: None,
            problems: Vec::new(),
        };
        encode::file_header(body.output.chunks(), &body.header.to_xml());
        if body.output.flush().is_err() {
            return Err(io::Error::other(body.output.error().map(ToString::to_string).unwrap_or_default()));
        }
        let (finish, finished) = bounded(1);
        let (report_out, report) = bounded(1);
        std::thread::Builder::new().name("lockstep-writer".to_owned()).spawn(move || {
            // If this thread panics, the recording must not go on as if it were written.
            let _told = DiedWhenDropped(Arc::clone(&body.files));
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
                problems: vec!["the writer panicked; the file has no footers".to_owned()],
                ..WriterReport::default()
            }),
        }
    }
}

/// An empty file, as the settings want it written.
fn output(files: &Files, file: File, progress: Arc<Progress>) -> Output {
    let output = Output::new(file, progress);
    if files.settings().checksum { output.with_checksums() } else { output }
}

struct DiedWhenDropped(Arc<Files>);

impl Drop for DiedWhenDropped {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set_writer_died();
        }
    }
}

struct Body {
    output: Output,
    files: Arc<Files>,
    /// What the file header says.
    header: Element,
    shared: Arc<Shared>,
    streams: Vec<StreamInFile>,
    /// Chunks that are gathered and not yet written: what each is, and its bytes.
    gathered: Vec<(Kind, usize)>,
    measurements: Vec<Measurement>,
    blocks: Vec<SampleBlock>,
    next_report: Instant,
    /// A file that was deleted is not copied back before this.
    next_restore: Instant,
    /// What could not be written.
    backlog: Backlog,
    /// Writing has failed, and this is how that goes.
    episode: Option<Episode>,
    /// What is to be said of it at the end.
    problems: Vec<String>,
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
                self.put(Kind::Structure, encode::boundary, &[]);
                self.flush();
            }
        }
        self.close()
    }

    /// Move all that waits into the file.
    fn drain(&mut self) {
        self.take_all();
        self.mend();
        self.move_if_wanted();
        let synced = self.synced_bytes();
        for stream in &mut self.streams {
            if stream.first_samples_end.is_some_and(|end| end <= synced) {
                stream.intake.counters.on_disk.store(true, Relaxed);
            }
        }
        if self.next_report <= Instant::now() {
            self.next_report = Instant::now() + REPORT_PERIOD;
            self.report_losses();
            self.write_checksum();
            self.look_for_the_file();
        }
    }

    fn take_all(&mut self) {
        let shared = Arc::clone(&self.shared);
        for intake in shared.streams.iter().skip(self.streams.len()) {
            let header = |out: &mut Vec<u8>| encode::stream_header(out, intake.id, &intake.header_xml);
            self.streams.push(StreamInFile::new(Arc::clone(intake)));
            self.put(Kind::Header(self.streams.len() - 1), header, &[]);
        }
        for index in 0..self.streams.len() {
            self.take_samples(index);
            self.take_offsets(index);
        }
        self.flush();
        self.output.reserve(self.reserve_bytes());
    }

    /// What a file needs for its end.
    fn reserve_bytes(&self) -> u64 {
        let (of_offset, of_stream, of_events) = RESERVE_BYTES;
        let offsets: usize = self.streams.iter().map(|s| s.offsets).sum();
        of_events + of_offset * offsets as u64 + of_stream * self.streams.len() as u64
    }

    fn report_losses(&mut self) {
        for stream in &mut self.streams {
            stream.report_losses(&self.shared);
        }
    }

    fn write_checksum(&mut self) {
        if let Some(sum) = self.output.take_checksum() {
            let details = json!({
                "from_byte": sum.from_byte, "to_byte": sum.to_byte, "crc32": format!("{:08x}", sum.crc32),
                "part": self.files.parts().len(),
            });
            self.shared.events.write("checksum", "", "", details);
        }
    }

    fn take_samples(&mut self, index: usize) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let intake = Arc::clone(&self.streams[index].intake);
        intake.take(&mut blocks);
        for block in blocks.drain(..) {
            let SampleBlock { sample_count: count, first_timestamp_s, last_timestamp_s, .. } = block;
            let tally = Tally { count, first_timestamp_s, last_timestamp_s };
            let head = |out: &mut Vec<u8>| encode::samples_prefix(out, intake.id, &block);
            self.put(Kind::Samples(index, tally), head, &block.body);
            intake.give_back(block);
        }
        self.blocks = blocks;
    }

    /// Clock offsets measured since the last time, for this stream; a stream
    /// that was added late gets the earlier ones of its clock first.
    fn take_offsets(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        let (id, Some(clock)) = (stream.intake.id, &stream.intake.spec.clock) else { return };
        let mut measurements = std::mem::take(&mut self.measurements);
        measurements.clear();
        clock.offsets_from(stream.offsets, &mut measurements);
        stream.offsets += measurements.len();
        for m in &measurements {
            let offset = |out: &mut Vec<u8>| encode::clock_offset(out, id, m.device_time_s, m.offset_s);
            self.put(Kind::Offset(index), offset, &[]);
        }
        self.measurements = measurements;
    }

    /// Write a chunk, whose bytes are what `head` appends and `rest`, or hold it if that is not possible.
    fn put(&mut self, kind: Kind, head: impl FnOnce(&mut Vec<u8>), rest: &[u8]) {
        if self.episode.is_some() {
            let mut bytes = Vec::with_capacity(rest.len() + 64);
            head(&mut bytes);
            bytes.extend_from_slice(rest);
            self.hold(kind, bytes);
            return;
        }
        let chunks = self.output.chunks();
        let before = chunks.len();
        head(chunks);
        self.gathered.push((kind, chunks.len() - before + rest.len()));
        if let Some(result) = self.output.write(rest) {
            self.settle(result);
        }
    }

    fn flush(&mut self) {
        if self.episode.is_none() {
            let result = self.output.flush();
            self.settle(result);
        }
    }

    /// Everything gathered is in the file now, or has to be held.
    fn settle(&mut self, result: Result<(), Unwritten>) {
        let mut gathered = std::mem::take(&mut self.gathered);
        match result {
            Ok(()) => gathered.drain(..).for_each(|(kind, _)| self.count(kind)),
            Err(Unwritten(bytes)) => {
                self.begin_episode();
                let mut rest = bytes.as_slice();
                for (kind, len) in gathered.drain(..) {
                    let (piece, more) = rest.split_at(len.min(rest.len()));
                    self.hold(kind, piece.to_vec());
                    rest = more;
                }
            }
        }
        self.gathered = gathered;
    }

    /// A chunk is in the file.
    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Structure => {}
            Kind::Header(index) => self.streams[index].has_header = true,
            Kind::Offset(index) => self.streams[index].offsets_in_file += 1,
            Kind::Samples(index, tally) => {
                let stream = &mut self.streams[index];
                stream.in_file.add(&tally);
                stream.samples += tally.count;
                stream.first_samples_end.get_or_insert(self.output.bytes());
            }
        }
    }

    fn close(mut self) -> WriterReport {
        self.drain();
        self.report_losses();
        // The losses reported just now are events themselves.
        self.take_all();
        self.end_episode();
        self.write_footers(None);
        self.keep_deleted_files();
        let closed = self.output.close();
        if let Some(part) = self.files.current() {
            part.progress.synced(closed, self.output.bytes());
        }
        let samples = self.streams.iter().map(|s| (s.intake.id, s.samples)).collect();
        WriterReport { bytes: self.files.written_bytes(), problems: self.problems, samples: Some(samples) }
    }

    /// Give the file its footers, from the room that was kept for them if there is no other.
    /// `next`: it goes on in another file.
    fn write_footers(&mut self, next: Option<&Path>) {
        self.output.try_again();
        self.output.reserve(0);
        // A footer without a header would keep readers from opening the file.
        for stream in self.streams.iter().filter(|s| s.has_header) {
            encode::stream_footer(self.output.chunks(), stream.intake.id, &stream.footer(next).to_xml());
        }
        if self.output.flush().is_err() {
            let path = self.files.current_path();
            let error = self.output.error().map(ToString::to_string).unwrap_or_default();
            self.problems.push(format!(
                "{path}: its footers could not be written ({error}); `lockstep recover {path}` makes them",
                path = path.display()
            ));
        }
    }
}
