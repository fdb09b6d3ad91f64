//! Making the disk keep what was written: a thread of its own, so that a slow
//! disk never delays the writer.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::notice::{Level, Notices};

/// Between two syncs, once the recording has started.
const PERIOD: Duration = Duration::from_secs(1);
/// Between two syncs before that: the start waits for the first samples to be on the disk.
const EAGER_PERIOD: Duration = Duration::from_millis(100);

/// How far the file has come. All are totals.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes handed to the operating system.
    pub written_bytes: AtomicU64,
    /// Bytes of them that are on the disk.
    pub synced_bytes: AtomicU64,
    /// Sync often: somebody waits for it.
    pub eager: AtomicBool,
    /// Writing has failed; what comes is lost.
    pub failed: AtomicBool,
}

/// The thread that syncs. Dropping it ends it.
#[derive(Debug)]
pub struct Syncer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Sync `file` from now on.
    pub fn start(file: File, progress: Arc<Progress>, notices: Notices) -> io::Result<Self> {
        let (stop, stopped) = bounded::<()>(1);
        let thread = std::thread::Builder::new().name("lockstep-sync".to_owned()).spawn(move || {
            let mut complained = false;
            loop {
                let period = if progress.eager.load(Relaxed) { EAGER_PERIOD } else { PERIOD };
                if !matches!(stopped.recv_timeout(period), Err(RecvTimeoutError::Timeout)) {
                    return;
                }
                // Read before the sync: what is written during it may not be covered.
                let written = progress.written_bytes.load(Relaxed);
                if written == progress.synced_bytes.load(Relaxed) {
                    continue;
                }
                match file.sync_data() {
                    Ok(()) => progress.synced_bytes.store(written, Relaxed),
                    Err(e) if !complained => {
                        complained = true;
                        notices.send(
                            Level::Error,
                            "",
                            format!("the disk does not confirm what was written: {e}"),
                        );
                    }
                    Err(_) => {}
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
