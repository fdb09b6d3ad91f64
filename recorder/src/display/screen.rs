//! A thread of its own for the display: a terminal that is stopped, or a pipe
//! nobody reads, must not hold up the recording.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use parking_lot::Mutex;

use super::Display;
use crate::recording::notice::Notice;
use crate::recording::session::Watcher;
use crate::recording::status::Status;
use crate::recording::verdict::Verdict;

/// The end waits for the display this long, and no longer.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Shows a recording, in the background.
#[derive(Debug)]
pub struct Screen {
    /// The newest status that has not been shown; older ones are not worth showing.
    newest: Arc<Mutex<Option<Box<Status>>>>,
    look: Sender<()>,
    verdict: Sender<Box<Verdict>>,
    ended: Receiver<()>,
}

impl Screen {
    /// Show notices and statuses on `display` from now on.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(mut display: Display, notices: Receiver<Notice>) -> io::Result<Self> {
        let newest = Arc::<Mutex<Option<Box<Status>>>>::default();
        let (look, looks) = bounded(1);
        let (verdict, verdicts) = bounded::<Box<Verdict>>(1);
        let (end, ended) = bounded(0);
        let slot = Arc::clone(&newest);
        std::thread::Builder::new().name("lockstep-display".to_owned()).spawn(move || {
            let _end: Sender<()> = end;
            loop {
                select! {
                    recv(notices) -> notice => if let Ok(notice) = notice {
                        display.notice(&notice);
                    },
                    recv(looks) -> look => {
                        // Dropped without a verdict: the recording could not be started.
                        if look.is_err() {
                            return;
                        }
                        // Taken out first: showing it may take for ever, and must not hold the lock.
                        let status = slot.lock().take();
                        if let Some(status) = status {
                            display.status(&status);
                        }
                    },
                    recv(verdicts) -> verdict => {
                        while let Ok(notice) = notices.try_recv() {
                            display.notice(&notice);
                        }
                        if let Ok(verdict) = verdict {
                            display.verdict(&verdict);
                        }
                        return;
                    }
                }
            }
        })?;
        Ok(Self { newest, look, verdict, ended })
    }

    /// Show the verdict, and wait a moment for it to be shown.
    pub fn finish(self, verdict: &Verdict) {
        // There is room for one, and this is it.
        drop(self.verdict.try_send(Box::new(verdict.clone())));
        // Answers when the thread ends, for nothing is ever sent.
        let _ = self.ended.recv_timeout(LAST_WORD);
    }
}

impl Watcher for Screen {
    fn status(&mut self, status: Status) {
        *self.newest.lock() = Some(Box::new(status));
        // Full: it will look anyway.
        let _ = self.look.try_send(());
    }
}
