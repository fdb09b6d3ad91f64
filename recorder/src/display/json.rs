//! JSON for machines: one object a line, each with a `type`.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::{print_err, print_out};
use crate::recording::notice::Notice;
use crate::recording::status::{Phase, Status};
use crate::recording::verdict::Verdict;

/// Between two lines of status in the same phase.
const PERIOD: Duration = Duration::from_secs(1);

/// JSON objects, one a line.
#[derive(Debug, Default)]
pub struct Json {
    last: Option<(Instant, Phase)>,
}

impl Json {
    pub(super) fn line(kind: &str, value: &impl Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => print_out(&json!({"type": kind, kind: value}).to_string()),
            Err(e) => print_err(&format!("no JSON for {kind}: {e}")),
        }
    }

    pub(super) fn notice(&mut self, notice: &Notice) {
        Self::line("notice", notice);
    }

    pub(super) fn status(&mut self, status: &Status) {
        let due = |(at, phase): (Instant, Phase)| at.elapsed() >= PERIOD || phase != status.phase;
        if self.last.is_none_or(due) {
            self.last = Some((Instant::now(), status.phase));
            Self::line("status", status);
        }
    }

    pub(super) fn verdict(&mut self, verdict: &Verdict) {
        Self::line("verdict", verdict);
    }
}
