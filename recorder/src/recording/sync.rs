//! Making the disk keep what was written: a thread of its own, so that a slow
//! disk never delays the writer.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

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
    sync_error: Mutex<Option<String>>,
}

impl Progress {
    /// A sync was answered. One failure is final: the system tells it only once,
    /// and what it could not keep may be lost though later syncs succeed.
    pub fn synced(&self, result: io::Result<()>, bytes: u64) {
        let mut error = self.sync_error.lock();
        match (result, &*error) {
            (Ok(()), None) => self.synced_bytes.store(bytes, Relaxed),
            (Err(e), None) => *error = Some(e.to_string()),
            (_, Some(_)) => {}
        }
    }

    /// Why the disk did not keep something, if it did not.
    pub fn sync_error(&self) -> Option<String> {
        self.sync_error.lock().clone()
    }
}

/// The thread that syncs. Dropping it ends it, without waiting: a sync that
/// hangs on a broken disk must not hold up the end.
#[derive(Debug)]
pub struct Syncer {
    _stop: Sender<()>,
}

impl Syncer {
    /// Sync `file` from now on.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(file: File, progress: Arc<Progress>) -> io::Result<Self> {
        let (stop, stopped) = bounded::<()>(1);
        std::thread::Builder::new().name("lockstep-sync".to_owned()).spawn(move || {
            loop {
                let period = if progress.eager.load(Relaxed) { EAGER_PERIOD } else { PERIOD };
                if !matches!(stopped.recv_timeout(period), Err(RecvTimeoutError::Timeout)) {
                    return;
                }
                // Read before the sync: what is written during it may not be covered.
                let written = progress.written_bytes.load(Relaxed);
                if written != progress.synced_bytes.load(Relaxed) {
                    progress.synced(file.sync_data(), written);
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_never_forgotten() {
        let progress = Progress::default();
        progress.synced(Ok(()), 10);
        progress.synced(Err(io::Error::other("the disk is broken")), 20);
        progress.synced(Ok(()), 30);
        assert_eq!(progress.synced_bytes.load(Relaxed), 10);
        assert_eq!(progress.sync_error().as_deref(), Some("the disk is broken"));
    }
}
