//! One recording from start to closed file: starts the sources, watches them,
//! stops them, and judges what became of it.

mod end;
mod start;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lockstep_platform::monotonic_s;
use serde_json::json;

use super::alarms::{Alarms, Change, FileTrouble, Severity};
use super::conduct::{Decision, Rules, decide};
use super::driven::Driven;
use super::intake::{Shared, SourceIntake};
use super::notice::Level;
use super::status::{FileStatus, Meters, Phase, SourceStatus, Status, label, start_progress};
use super::stops::Stops;
use super::sync::{Progress, Syncer};
use super::verdict::Verdict;
use super::writer::Writer;

pub use start::StartError;

/// Whoever watches a recording. It must not hold up the recording: whatever
/// takes time happens elsewhere.
pub trait Watcher {
    /// This is how it goes; called several times a second.
    fn status(&mut self, status: Status);
}

/// Between two looks at the sources.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// Between two questions for the free space.
const DISK_PERIOD_S: f64 = 1.0;
/// Sources are started, and their failures reported, within this time even when one hangs.
const START_HANG_S: f64 = 10.0;

struct Running {
    intake: Arc<SourceIntake>,
    plugin: String,
    driven: Box<dyn Driven>,
    /// Whether `start` has answered, or was given up.
    start_answered: bool,
}

/// A running recording.
pub struct Session {
    shared: Arc<Shared>,
    sources: Vec<Running>,
    writer: Writer,
    /// Ends with the session.
    _syncer: Syncer,
    progress: Arc<Progress>,
    path: PathBuf,
    begun_s: f64,
    rules: Rules,
    clock_interval_s: f64,
    meters: Meters,
    alarms: Alarms,
    phase: Phase,
    sync_error_told: bool,
    /// Streams on disk when that was last told, before the recording has begun.
    on_disk_told: usize,
    free_bytes: Option<u64>,
    disk_asked_s: f64,
}

impl Session {
    /// Record until it is asked to stop, or it ends by itself; then close the
    /// file. A second request gives up waiting for a file that does not close.
    pub async fn run(mut self, stops: &mut Stops, watcher: &mut impl Watcher) -> Verdict {
        let mut look = tokio::time::interval(LOOK_PERIOD);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let reason = loop {
            tokio::select! {
                reason = stops.next() => break reason,
                _ = look.tick() => {
                    if let Some(reason) = self.look(watcher) {
                        break reason;
                    }
                }
            }
        };
        self.end(reason, stops, watcher).await
    }

    fn elapsed_s(&self) -> f64 {
        monotonic_s() - self.begun_s
    }

    /// One look at everything; why it should end, if it should.
    fn look(&mut self, watcher: &mut impl Watcher) -> Option<String> {
        self.collect_starts();
        let mut status = self.status();
        let write_failed = self.progress.failed.load(Relaxed);
        let trouble = FileTrouble { write_failed, sync_error: self.progress.sync_error() };
        for change in self.alarms.update(&status, self.clock_interval_s, &trouble) {
            self.tell_alarm(&change);
        }
        self.tell_side_file_errors();
        if let (Some(error), false) = (&trouble.sync_error, self.sync_error_told) {
            self.sync_error_told = true;
            self.shared.events.write("sync_error", "", "", json!({"text": error}));
        }
        status.alarms = self.alarms.list();
        let decision = decide(self.phase, &status, &self.rules, write_failed);
        let (on_disk, required) = (status.on_disk, status.required);
        if self.phase == Phase::Starting && decision == Decision::GoOn && on_disk > self.on_disk_told {
            self.on_disk_told = on_disk;
            let missing = status.missing_with_reasons();
            let text = format!("{on_disk} of {required} streams on disk; still missing: {missing}");
            self.shared.notices.send(Level::Info, "", text);
        }
        watcher.status(status);
        match decision {
            Decision::GoOn => None,
            Decision::Begin { without } => {
                self.begin(on_disk, &without);
                None
            }
            Decision::End(reason) => Some(reason),
        }
    }

    fn begin(&mut self, on_disk: usize, without: &[String]) {
        self.phase = Phase::Recording;
        self.progress.eager.store(false, Relaxed);
        self.shared.events.write("recording", "", "", json!({"missing": without}));
        let (level, text) = match without {
            [] if on_disk == 0 => (Level::Info, "recording: no stream has to be waited for".to_owned()),
            [] => (Level::Info, format!("recording: {on_disk} of {on_disk} streams on disk")),
            without => {
                (Level::Error, format!("recording without {}: nothing of it on disk", without.join(", ")))
            }
        };
        self.shared.notices.send(level, "", text);
    }

    /// Take the answers of `start` that have come.
    fn collect_starts(&mut self) {
        let late = self.elapsed_s() > START_HANG_S;
        for source in self.sources.iter_mut().filter(|s| !s.start_answered) {
            let answer = source.driven.started();
            if answer.is_none() && !late {
                continue;
            }
            source.start_answered = true;
            let reason = match answer {
                Some(Ok(())) => continue,
                Some(Err(reason)) => reason,
                None => format!("its start has not returned for {START_HANG_S:.0} s"),
            };
            source.intake.fail(&reason);
        }
    }

    /// A file beside the recording cannot be written: said once, in the recording and to whoever watches.
    fn tell_side_file_errors(&self) {
        for (file, error) in self.shared.side_files.new_errors() {
            let details = json!({"file": file.file_name, "error": error});
            self.shared.events.write("side_file_error", &file.source, "", details);
            let text = format!("{}: {error}; what comes for it from now on is lost", file.file_name);
            self.shared.notices.send(Level::Error, &file.source, text);
        }
    }

    fn tell_alarm(&self, change: &Change) {
        let (event, alarm) = match change {
            Change::Raised(alarm) => ("alarm", alarm),
            Change::Cleared(alarm) => ("alarm_cleared", alarm),
        };
        self.shared.events.write(
            event,
            &alarm.source,
            &alarm.stream,
            json!({"severity": alarm.severity, "text": alarm.text, "since_s": alarm.since_s}),
        );
        let (level, text) = match (event, alarm.severity) {
            ("alarm_cleared", _) => (Level::Info, format!("over: {}", alarm.text)),
            (_, Severity::Warning) => (Level::Warning, alarm.text.clone()),
            (_, Severity::Failure) => (Level::Error, alarm.text.clone()),
        };
        self.shared.notices.send(level, &label(&alarm.source, &alarm.stream), text);
    }

    fn status(&mut self) -> Status {
        let at_s = monotonic_s();
        let sources: Vec<SourceStatus> = self
            .sources
            .iter()
            .map(|s| SourceStatus {
                child: s.driven.child(),
                ..self.meters.source(&s.intake, &s.plugin, at_s)
            })
            .collect();
        let (on_disk, required, missing) = start_progress(&sources);
        let bytes = self.progress.written_bytes.load(Relaxed);
        let growing = bytes.saturating_add(self.shared.side_files.written_bytes());
        let bytes_per_s = self.meters.file.update(at_s, at_s, growing);
        if at_s - self.disk_asked_s >= DISK_PERIOD_S {
            self.disk_asked_s = at_s;
            let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
            self.free_bytes = lockstep_platform::free_bytes(folder.unwrap_or(Path::new("."))).ok();
        }
        let time_left_s = match (self.free_bytes, bytes_per_s) {
            (Some(free), Some(rate)) if rate > 0.0 => Some(free as f64 / rate),
            _ => None,
        };
        Status {
            phase: self.phase,
            at_s,
            elapsed_s: at_s - self.begun_s,
            on_disk,
            required,
            missing,
            file: FileStatus {
                path: self.path.clone(),
                bytes,
                bytes_on_disk: self.progress.synced_bytes.load(Relaxed),
                bytes_per_s,
                free_bytes: self.free_bytes,
                time_left_s,
            },
            sources,
            alarms: self.alarms.list(),
        }
    }
}
