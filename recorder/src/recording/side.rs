//! Files beside the recording: what a device gives that is no stream of samples, such as video. One thread writes
//! all of them; what waits for it is bounded, and what finds no room is counted.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use serde::Serialize;

use super::intake::Refusal;
use super::output::Output;
use super::sync::Progress;
use super::table::AppendTable;

/// Files a recording may have beside it.
pub const MAX_SIDE_FILES: usize = 64;
/// Bytes that may wait to be written: a minute of video.
const QUEUE_BYTES: usize = 64 << 20;
/// Pieces that may wait.
const QUEUE_PIECES: usize = 8192;
/// Pieces wait no longer than this before they are handed to the operating system, as samples do.
const PERIOD: Duration = Duration::from_millis(200);
/// Between two syncs, in periods.
const SYNC_PERIODS: u32 = 5;
/// Names that are tried when files of that name are there.
const NAMES: u32 = 100;

/// One file beside the recording.
#[derive(Debug)]
pub struct SideFile {
    /// Its source.
    pub source: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its name, without the folder.
    pub file_name: String,
    accepted_bytes: AtomicU64,
    dropped_bytes: AtomicU64,
    progress: Arc<Progress>,
    error: OnceLock<String>,
    is_error_told: AtomicBool,
}

/// How a file beside the recording stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideFileReport {
    /// Its source.
    pub source: String,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes in it.
    pub bytes: u64,
    /// Bytes on their way into it.
    pub pending_bytes: u64,
    /// Bytes that were to be in it and are not.
    pub lost_bytes: u64,
    /// What failed, if something did.
    pub error: Option<String>,
}

impl SideFileReport {
    /// What is wrong with it, if something is.
    pub fn problem(&self) -> Option<String> {
        let path = self.path.display();
        match (&self.error, self.lost_bytes, self.pending_bytes) {
            (None, 0, 0) => None,
            (None, 0, pending) => Some(format!("{path}: {pending} bytes were still being written")),
            (None, lost, _) => Some(format!("{path}: {lost} bytes are missing: the disk was too slow")),
            (Some(error), 0, _) => Some(format!("{path}: {error}")),
            (Some(error), lost, _) => Some(format!("{path}: {lost} bytes are missing: {error}")),
        }
    }

    /// Nothing was ever to be in it.
    pub fn is_unused(&self) -> bool {
        self.bytes == 0 && self.pending_bytes == 0 && self.lost_bytes == 0
    }
}

impl SideFile {
    fn error(&self) -> Option<String> {
        self.error.get().cloned().or_else(|| self.progress.sync_error())
    }

    /// How it stands; `is_over`: nothing more will be written.
    fn report(&self, is_over: bool) -> SideFileReport {
        let bytes = self.progress.written_bytes.load(Relaxed);
        let unwritten = self.accepted_bytes.load(Relaxed).saturating_sub(bytes);
        let is_lost = is_over || self.progress.failed.load(Relaxed);
        let (pending_bytes, lost) = if is_lost { (0, unwritten) } else { (unwritten, 0) };
        SideFileReport {
            source: self.source.clone(),
            path: self.path.clone(),
            bytes,
            pending_bytes,
            lost_bytes: lost.saturating_add(self.dropped_bytes.load(Relaxed)),
            error: self.error(),
        }
    }
}

/// What the thread is given.
#[derive(Debug)]
enum Job {
    New(Arc<SideFile>, File),
    Append(Arc<SideFile>, Vec<u8>),
}

/// The thread that writes.
#[derive(Debug, Default)]
enum Writer {
    /// There is no file yet.
    #[default]
    Idle,
    /// It takes what it is given.
    Taking(Sender<Job>, JoinHandle<()>),
    /// It writes what it was given.
    Ending(JoinHandle<()>),
    /// There was none, and there will be none.
    Never,
}

/// All files beside one recording.
#[derive(Debug)]
pub struct SideFiles {
    recording: OnceLock<PathBuf>,
    files: AppendTable<Arc<SideFile>>,
    waiting_bytes: Arc<AtomicUsize>,
    /// Held while a piece is queued, so that pieces stay in their order.
    writer: Mutex<Writer>,
}

impl Default for SideFiles {
    fn default() -> Self {
        Self {
            recording: OnceLock::new(),
            files: AppendTable::new(MAX_SIDE_FILES),
            waiting_bytes: Arc::default(),
            writer: Mutex::default(),
        }
    }
}

impl SideFiles {
    /// The recording is in this file.
    pub fn set_recording(&self, path: &Path) {
        // It is told once.
        let _ = self.recording.set(path.to_owned());
    }

    /// Make a file for `what` a source gives, in the format that `suffix` says.
    ///
    /// # Errors
    /// The names are none, there are too many files, or it cannot be made.
    pub fn create(&self, source: &str, what: &str, suffix: &str) -> Result<Arc<SideFile>, Refusal> {
        for (name, text) in [("what it holds", what), ("its suffix", suffix)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if text.is_empty() || !text.chars().all(plain) {
                let text = format!("{name} is {text:?}; letters, digits, _ and - are possible");
                return Err(Refusal::Invalid(text));
            }
        }
        let recording = self.recording.get().ok_or(Refusal::NotRunning)?;
        let mut writer = self.writer.lock();
        if matches!(*writer, Writer::Idle) {
            let started = start(&self.waiting_bytes);
            *writer = started.map_err(|e| Refusal::Failed(format!("no thread for files: {e}")))?;
        }
        let Writer::Taking(jobs, _) = &*writer else { return Err(Refusal::NotRunning) };
        if self.files.iter().count() == MAX_SIDE_FILES {
            return Err(Refusal::Limit("files beside a recording", MAX_SIDE_FILES));
        }
        let (path, file) = make(recording, source, what, suffix)
            .map_err(|(path, e)| Refusal::Failed(format!("cannot make {}: {e}", path.display())))?;
        let made = Arc::new(SideFile {
            source: source.to_owned(),
            file_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path,
            accepted_bytes: AtomicU64::new(0),
            dropped_bytes: AtomicU64::new(0),
            progress: Arc::default(),
            error: OnceLock::new(),
            is_error_told: AtomicBool::new(false),
        });
        if jobs.try_send(Job::New(Arc::clone(&made), file)).is_err() {
            drop(std::fs::remove_file(&made.path));
            return Err(Refusal::Failed(format!("{}: too much waits for the disk", made.file_name)));
        }
        // There is room for it.
        self.files.append(|_| Some(Arc::clone(&made)));
        Ok(made)
    }

    /// Append `bytes` to `file`, all or nothing: where the first of them stands; `None`: there was no room.
    pub fn append(&self, file: &Arc<SideFile>, bytes: &[u8]) -> Option<u64> {
        let writer = self.writer.lock();
        let has_room = self.waiting_bytes.load(Relaxed).saturating_add(bytes.len()) <= QUEUE_BYTES;
        if let Writer::Taking(jobs, _) = &*writer
            && has_room
            && !file.progress.failed.load(Relaxed)
        {
            self.waiting_bytes.fetch_add(bytes.len(), Relaxed);
            if jobs.try_send(Job::Append(Arc::clone(file), bytes.to_vec())).is_ok() {
                return Some(file.accepted_bytes.fetch_add(bytes.len() as u64, Relaxed));
            }
            self.waiting_bytes.fetch_sub(bytes.len(), Relaxed);
        }
        file.dropped_bytes.fetch_add(bytes.len() as u64, Relaxed);
        None
    }

    /// Take nothing more, write what waits, and close.
    pub fn finish(&self) {
        let mut writer = self.writer.lock();
        *writer = match std::mem::replace(&mut *writer, Writer::Never) {
            // Without a sender it ends when it has written all.
            Writer::Taking(_, thread) | Writer::Ending(thread) => Writer::Ending(thread),
            Writer::Idle | Writer::Never => Writer::Never,
        };
    }

    /// Whether nothing more will be written.
    pub fn is_over(&self) -> bool {
        match &*self.writer.lock() {
            Writer::Idle | Writer::Taking(..) => false,
            Writer::Ending(thread) => thread.is_finished(),
            Writer::Never => true,
        }
    }

    /// Bytes handed to the operating system.
    pub fn written_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.progress.written_bytes.load(Relaxed)).sum()
    }

    /// How each of them stands.
    pub fn reports(&self) -> Vec<SideFileReport> {
        let is_over = self.is_over();
        self.files.iter().map(|file| file.report(is_over)).collect()
    }

    /// Files with an error that was not told yet, and the error.
    pub fn new_errors(&self) -> Vec<(Arc<SideFile>, String)> {
        let new = |file: &Arc<SideFile>| {
            let error = file.error()?;
            (!file.is_error_told.swap(true, Relaxed)).then(|| (Arc::clone(file), error))
        };
        self.files.iter().filter_map(new).collect()
    }
}

fn start(waiting_bytes: &Arc<AtomicUsize>) -> io::Result<Writer> {
    let (sender, jobs) = bounded(QUEUE_PIECES);
    let body = Body { jobs, waiting_bytes: Arc::clone(waiting_bytes), open: Vec::new() };
    let thread = std::thread::Builder::new().name("lockstep-side".to_owned()).spawn(move || body.run())?;
    Ok(Writer::Taking(sender, thread))
}

/// Make a file that was not there: `RECORDING_SOURCE_WHAT.SUFFIX`, with a number where that exists.
fn make(
    recording: &Path,
    source: &str,
    what: &str,
    suffix: &str,
) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
    let stem = recording.file_stem().unwrap_or_default().to_string_lossy();
    let source: String =
        source.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let mut number = 1;
    loop {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let path = recording.with_file_name(format!("{stem}_{source}_{what}{more}.{suffix}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists && number < NAMES => number += 1,
            Err(e) => return Err((path, e)),
        }
    }
}

/// The thread `lockstep-side`.
struct Body {
    jobs: Receiver<Job>,
    waiting_bytes: Arc<AtomicUsize>,
    open: Vec<(Arc<SideFile>, Output)>,
}

impl Body {
    fn run(mut self) {
        let (mut next, mut periods) = (Instant::now() + PERIOD, 0);
        loop {
            match self.jobs.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if next <= Instant::now() {
                periods = (periods + 1) % SYNC_PERIODS;
                self.hand_over(periods == 0);
                next = Instant::now() + PERIOD;
            }
        }
        self.hand_over(true);
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::New(file, handle) => {
                let output = Output::new(handle, Arc::clone(&file.progress));
                self.open.push((file, output));
            }
            Job::Append(file, bytes) => {
                if let Some((file, output)) = self.open.iter_mut().find(|(f, _)| Arc::ptr_eq(f, &file)) {
                    // What is not written is counted by what the file has of what it was given.
                    drop(output.write(&bytes));
                    keep_error(file, output);
                }
                self.waiting_bytes.fetch_sub(bytes.len(), Relaxed);
            }
        }
    }

    /// Hand what is gathered to the operating system, and make the disk keep it.
    fn hand_over(&mut self, sync: bool) {
        for (file, output) in &mut self.open {
            drop(output.flush());
            keep_error(file, output);
            let bytes = output.bytes();
            if sync && bytes != file.progress.synced_bytes.load(Relaxed) {
                file.progress.synced(output.sync(), bytes);
            }
        }
    }
}

fn keep_error(file: &SideFile, output: &Output) {
    if let Some(error) = output.error() {
        file.error.get_or_init(|| error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(files: &SideFiles) {
        files.finish();
        let begun = Instant::now();
        while !files.is_over() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(files.is_over());
    }

    #[test]
    fn pieces_are_written_in_order_and_names_never_clash() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("rec_my_glasses_scene.h264"), "there before").expect("a file");
        let files = SideFiles::default();
        assert_eq!(files.create("a", "scene", "h264").err(), Some(Refusal::NotRunning));
        files.set_recording(&dir.path().join("rec.xdf"));
        let scene = files.create("my glasses", "scene", "h264").expect("a file");
        let eyes = files.create("my glasses", "eyes", "h264").expect("a file");
        assert_eq!(scene.file_name, "rec_my_glasses_scene-2.h264");
        assert!(matches!(files.create("a", "../scene", "h264"), Err(Refusal::Invalid(_))));
        let large = vec![7u8; 200_000];
        assert_eq!(files.append(&scene, b"abc"), Some(0));
        assert_eq!(files.append(&eyes, b"x"), Some(0));
        assert_eq!(files.append(&scene, &large), Some(3));
        assert_eq!(files.append(&scene, b"d"), Some(200_003));
        wait(&files);
        let written = std::fs::read(&scene.path).expect("a file");
        assert_eq!(written, [b"abc".as_slice(), &large, b"d"].concat());
        assert_eq!(std::fs::read(&eyes.path).expect("a file"), b"x");
        let reports = files.reports();
        assert_eq!((reports[0].bytes, reports[0].problem()), (200_004, None));
        assert_eq!(files.written_bytes(), 200_005);
    }

    #[test]
    fn what_finds_no_room_is_counted_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = SideFiles::default();
        files.set_recording(&dir.path().join("rec.xdf"));
        let file = files.create("a", "scene", "h264").expect("a file");
        assert_eq!(files.append(&file, &vec![0; QUEUE_BYTES + 1]), None);
        wait(&files);
        // Nobody writes it any more.
        assert_eq!(files.append(&file, b"late"), None);
        let report = &files.reports()[0];
        assert_eq!((report.bytes, report.lost_bytes), (0, QUEUE_BYTES as u64 + 5));
        assert!(report.problem().is_some_and(|text| text.contains("rec_a_scene.h264: 67108869 bytes")));
        assert_eq!(files.create("a", "eyes", "h264").err(), Some(Refusal::NotRunning));
    }
}
