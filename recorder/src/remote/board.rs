//! What `status` shows: the recorder as it is now, whether it records or waits.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::sync::watch;

use super::naming::Naming;
use super::network::Present;
use super::selection::Selection;
use crate::display::Screen;
use crate::recording::session::Watcher;
use crate::recording::status::{Phase, Status};
use crate::recording::verdict::{Outcome, Verdict};

/// What the recorder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// It waits for `start`.
    Idle,
    /// Not every required stream has a sample on the disk.
    Starting,
    /// It records.
    Recording,
    /// Sources are being stopped and the file closed.
    Stopping,
}

/// The recorder as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct Board {
    /// What it does.
    pub state: Activity,
    /// Where commands come in.
    pub address: SocketAddr,
    /// The sources of the configuration.
    pub sources: Vec<String>,
    /// What was selected beside them: predicates of LSL, for the next recording.
    pub selected: Selection,
    /// What `filename` has set, for the next recording.
    pub filename: Naming,
    /// The streams of LSL on the network, as of the last `update`; before the first, none is known.
    pub network: Option<Vec<Present>>,
    /// Clients that were refused for want of the token.
    pub refused: u64,
    /// The recording that is going on.
    pub recording: Option<Status>,
    /// The recording before.
    pub last: Option<Ended>,
}

impl Board {
    /// The line that `status` is answered.
    pub fn json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|e| format!("the status cannot be written as JSON: {e}"))
    }
}

/// What became of a recording, in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    /// What became of it.
    pub outcome: Outcome,
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Size of the file; 0: it held no sample and was removed.
    pub bytes: u64,
    /// Streams with samples in the file.
    pub streams: usize,
    /// Samples in the file.
    pub samples: u64,
    /// Samples known to be missing from it.
    pub lost: u64,
    /// Whether more is missing, nobody knows how much.
    pub lost_more: bool,
    /// How long it lasted.
    pub duration_s: f64,
    /// Why it ended.
    pub ended_by: String,
    /// What else went wrong.
    pub problems: Vec<String>,
}

impl Ended {
    /// The figures of a verdict; `path` is the whole path.
    pub fn new(verdict: &Verdict, path: &Path) -> Self {
        let streams = verdict.streams.iter();
        let unwritten = |s: &crate::recording::verdict::StreamVerdict| match &s.status {
            Some(status) => {
                status.lost_samples().saturating_add(status.samples.saturating_sub(s.samples_in_file))
            }
            None => 0,
        };
        let of_no_stream: u64 = verdict.sources.iter().map(|s| s.lost_of_no_stream).sum();
        Self {
            outcome: verdict.outcome,
            path: path.to_owned(),
            bytes: verdict.bytes,
            streams: streams.clone().filter(|s| s.samples_in_file > 0).count(),
            samples: streams.clone().map(|s| s.samples_in_file).sum(),
            lost: streams.map(unwritten).fold(of_no_stream, u64::saturating_add),
            lost_more: verdict.outcome == Outcome::Lossy
                && verdict.sources.iter().any(|s| {
                    s.gaps_of_no_stream > 0 || s.streams.iter().any(|stream| stream.gaps_of_unknown_size > 0)
                }),
            duration_s: verdict.duration_s,
            ended_by: verdict.ended_by.clone(),
            problems: verdict.problems.clone(),
        }
    }

    /// What `stop` is answered, without its first token.
    pub fn describe(&self) -> String {
        let (path, ended_by) = (self.path.display(), &self.ended_by);
        let word = match self.outcome {
            Outcome::Complete => "complete",
            Outcome::Lossy => "data are missing",
            Outcome::Failed if self.bytes == 0 => return format!("nothing was recorded: {ended_by}"),
            Outcome::Failed => "failed",
        };
        let more = if self.lost_more { " and some more" } else { "" };
        let problems: String = self.problems.iter().map(|problem| format!("; {problem}")).collect();
        format!(
            "stopped {path} ({word}: {} streams, {} samples, {} lost{more}; ended by: {ended_by}{problems})",
            self.streams, self.samples, self.lost
        )
    }
}

/// Watches a recording for the screen and for the board.
pub(super) struct BoardWatcher<'a> {
    pub screen: &'a mut Screen,
    pub board: &'a watch::Sender<Board>,
}

impl Watcher for BoardWatcher<'_> {
    fn status(&mut self, status: Status) {
        self.board.send_modify(|board| {
            board.state = match status.phase {
                Phase::Starting => Activity::Starting,
                Phase::Recording => Activity::Recording,
                Phase::Stopping => Activity::Stopping,
            };
            board.recording = Some(status.clone());
        });
        self.screen.status(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::state::State;
    use crate::recording::status::sample;
    use crate::recording::verdict::judge_streams;

    fn verdict(outcome: Outcome, bytes: u64) -> Verdict {
        let mut source = sample::source("eeg", State::Streaming);
        source.streams[0].lost = 3;
        source.lost_of_no_stream = 2;
        Verdict {
            outcome,
            begun: true,
            ended_by: "remote control".to_owned(),
            problems: vec![],
            path: "a.xdf".into(),
            continued_in: vec![],
            bytes,
            duration_s: 10.0,
            stop_s: 0.1,
            side_files: vec![],
            streams: judge_streams(std::slice::from_ref(&source), Some(&[(2, 990)].into())),
            sources: vec![source],
        }
    }

    #[test]
    fn the_figures_are_those_of_the_file() {
        let ended = Ended::new(&verdict(Outcome::Lossy, 1000), Path::new("/data/a.xdf"));
        assert_eq!((ended.streams, ended.samples, ended.lost), (1, 990, 15));
        assert_eq!(
            ended.describe(),
            "stopped /data/a.xdf (data are missing: 1 streams, 990 samples, 15 lost; ended by: remote control)"
        );
        let nothing = Ended::new(&verdict(Outcome::Failed, 0), Path::new("/data/a.xdf"));
        assert_eq!(nothing.describe(), "nothing was recorded: remote control");
    }
}
