//! States of sources and streams.

use parking_lot::Mutex;
use serde::Serialize;

use super::notice::Level;

/// State of a source or stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not started.
    #[default]
    Idle,
    /// Looking for the device, or waiting for its first data.
    Connecting,
    /// Data arrive.
    Streaming,
    /// Data arrive, but something is wrong.
    Degraded,
    /// The device is gone; the source keeps trying.
    Lost,
    /// No more data will ever come.
    Finished,
    /// Gave up.
    Failed,
}

impl State {
    /// As shown and written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Streaming => "streaming",
            Self::Degraded => "degraded",
            Self::Lost => "lost",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    /// How much it matters.
    pub fn level(self) -> Level {
        match self {
            Self::Lost | Self::Failed => Level::Error,
            Self::Degraded => Level::Warning,
            _ => Level::Info,
        }
    }

    /// Whether nothing is to be expected in this state.
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Lost)
    }
}

/// The present state and the reason for it.
#[derive(Debug, Default)]
pub struct StateCell(Mutex<(State, String)>);

impl StateCell {
    /// Change it; whether that is news.
    pub fn set(&self, state: State, reason: &str) -> bool {
        let mut now = self.0.lock();
        if now.0 == state && now.1 == reason {
            return false;
        }
        *now = (state, reason.to_owned());
        true
    }

    /// State and reason.
    pub fn get(&self) -> (State, String) {
        self.0.lock().clone()
    }
}
