//! What a source says: lines for whoever watches, and events for the file. A flood of either is cut, and
//! what was left out is counted.

use std::sync::Arc;

use lockstep_platform::monotonic_s;
use serde_json::{Value, json};

use super::Shared;
use crate::recording::limiter::{Limiter, Verdict};
use crate::recording::notice::Level;

/// Lines a second of one source and level that are shown and recorded; more are counted.
const LINES_PER_S: u32 = 20;
/// Events a second that one source may write; more are counted.
const EVENTS_PER_S: u32 = 200;

/// The lines and events of one source.
#[derive(Debug)]
pub struct Voice {
    shared: Arc<Shared>,
    source: String,
    /// One a level, so that a flood of one hides nothing of another.
    lines: [Limiter; 4],
    events: Limiter,
}

impl Voice {
    /// Of the source of this name.
    pub fn new(shared: Arc<Shared>, source: &str) -> Self {
        Self {
            shared,
            source: source.to_owned(),
            lines: [(); 4].map(|()| Limiter::new(LINES_PER_S)),
            events: Limiter::new(EVENTS_PER_S),
        }
    }

    /// Write an event, unless there are too many of them.
    pub fn record(&self, event: &str, stream: &str, details: Value) {
        if let Verdict::Pass { hidden_before } = self.events.ask(monotonic_s()) {
            self.tell_hidden("events", hidden_before);
            self.shared.events.write(event, &self.source, stream, details);
        }
    }

    /// Show a line, unless there are too many of them; whether it was shown.
    pub fn tell(&self, level: Level, text: &str) -> bool {
        match self.lines[level as usize].ask(monotonic_s()) {
            Verdict::Hide => false,
            Verdict::Pass { hidden_before } => {
                self.tell_hidden("lines", hidden_before);
                self.shared.notices.send(level, &self.source, text);
                true
            }
        }
    }

    /// Say what was left out and not yet said.
    pub fn tell_rest(&self) {
        for limiter in &self.lines {
            self.tell_hidden("lines", limiter.take_hidden());
        }
        self.tell_hidden("events", self.events.take_hidden());
    }

    fn tell_hidden(&self, what: &str, hidden: u64) {
        if hidden > 0 {
            let text = format!("{hidden} {what} were left out: there were too many");
            self.shared.events.write("hidden", &self.source, "", json!({"count": hidden, "what": what}));
            self.shared.notices.send(Level::Warning, &self.source, text);
        }
    }
}
