//! Making the disk keep what was written: a thread of its own, so that a slow
//! disk never delays the writer.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

/// Between two syncs before the recording has begun: the start waits for the first samples to be on the disk.
const EAGER_PERIOD: Duration = Duration::from_millis(100);
/// So much of the age that samples may have before they are on the disk is left to the writer and to the sync
/// itself.
const MARGIN: Duration = Duration::from_millis(300);

/// How far the file has come. All are totals.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes handed to the operating system.
    pub written_bytes: AtomicU64,
    /// Bytes of them that are on the disk.
    pub synced_bytes: AtomicU64,
    /// Sync often: somebody waits for it.
    pub eager: AtomicBool,
    /// Writing has failed.
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
    /// Sync the file at `path` from now on, so often that what is in it is on the disk when it is as old as
    /// `max_age`, if the disk is quick.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(file: File, path: &Path, progress: Arc<Progress>, max_age: Duration) -> io::Result<Self> {
        let (stop, stopped) = bounded::<()>(1);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let lasting = max_age.saturating_sub(MARGIN).max(EAGER_PERIOD);
        std::thread::Builder::new().name("lockstep-sync".to_owned()).spawn(move || {
            // Some file systems cannot sync a folder: then its name is kept when they see fit.
            drop(lockstep_platform::sync_folder(&folder));
            loop {
                let period = if progress.eager.load(Relaxed) { EAGER_PERIOD } else { lasting };
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
