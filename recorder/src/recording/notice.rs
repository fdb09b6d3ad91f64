//! Lines for whoever watches: a bounded channel from any thread to the display.

use crossbeam_channel::{Receiver, Sender, TrySendError};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For whoever develops.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is wrong; the recording goes on.
    Warning,
    /// Something failed or data was lost.
    Error,
}

/// A line for whoever watches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// Recorder time in seconds.
    pub at_s: f64,
    /// How much it matters.
    pub level: Level,
    /// The source it concerns; empty for the recorder itself.
    pub source: String,
    /// What happened.
    pub text: String,
}

/// `1 sample`, `2 samples`.
pub fn samples(n: u64) -> String {
    format!("{n} {}", if n == 1 { "sample" } else { "samples" })
}

/// `1 gap of unknown size`, `2 gaps of unknown size`.
pub fn gaps_of_unknown_size(n: u64) -> String {
    format!("{n} {} of unknown size", if n == 1 { "gap" } else { "gaps" })
}

/// Notices that may wait for the display.
const CAPACITY: usize = 1024;

/// Sends notices. Never waits: what finds the channel full is only counted, for
/// everything that must not be lost is also an event in the file.
#[derive(Debug, Clone)]
pub struct Notices {
    sender: Sender<Notice>,
    unshown: Arc<AtomicU64>,
}

impl Notices {
    /// A channel: the sending half, and the receiving half for the display.
    pub fn channel() -> (Self, Receiver<Notice>) {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        (Self { sender, unshown: Arc::default() }, receiver)
    }

    /// Show a line.
    pub fn send(&self, level: Level, source: &str, text: impl Into<String>) {
        let text = text.into();
        match level {
            Level::Debug => tracing::debug!(source, "{text}"),
            Level::Info => tracing::info!(source, "{text}"),
            Level::Warning => tracing::warn!(source, "{text}"),
            Level::Error => tracing::error!(source, "{text}"),
        }
        let notice =
            Notice { at_s: lockstep_platform::monotonic_s(), level, source: source.to_owned(), text };
        if let Err(TrySendError::Full(_)) = self.sender.try_send(notice) {
            self.unshown.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that found the channel full.
    pub fn unshown(&self) -> u64 {
        self.unshown.load(Ordering::Relaxed)
    }
}
