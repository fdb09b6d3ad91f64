//! One recording from start to closed file: starts the sources, watches them,
//! stops them, and judges what became of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use lockstep_platform::monotonic_s;
use lockstep_xdf::Element;
use serde_json::json;

use super::alarms::{Alarms, Change, Severity};
use super::intake::{Shared, SourceIntake, State};
use super::notice::{Level, Notice};
use super::prepare::Prepared;
use super::status::{FileStatus, Meters, Phase, SourceStatus, Status, label, start_progress};
use super::sync::{Progress, Syncer};
use super::verdict::{Outcome, Verdict, judge_streams};
use super::writer::Writer;
use crate::config::{Config, WhenMissing};
use crate::host::{Instance, StopReport};

/// Whoever watches a recording.
pub trait Watcher {
    /// Something happened.
    fn notice(&mut self, notice: &Notice);
    /// This is how it goes; called several times a second.
    fn status(&mut self, status: &Status);
}

/// Between two looks at the sources.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// Sources that have not stopped by then are left behind.
const STOP_DEADLINE: Duration = Duration::from_millis(700);
/// Between two questions for the free space.
const DISK_PERIOD_S: f64 = 1.0;
/// Sources are started, and their failures reported, within this time even when one hangs.
const START_HANG_S: f64 = 10.0;

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file or its folder cannot be made.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is there already.
    #[error("{path} already exists, and nothing is ever overwritten", path = path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The system gives no thread.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
}

struct Running {
    intake: Arc<SourceIntake>,
    plugin: String,
    instance: Option<Instance>,
    started: bool,
}

/// A running recording.
pub struct Session {
    shared: Arc<Shared>,
    sources: Vec<Running>,
    notices: Receiver<Notice>,
    writer: Writer,
    finish: Sender<()>,
    syncer: Syncer,
    progress: Arc<Progress>,
    path: PathBuf,
    begun_s: f64,
    when_missing: WhenMissing,
    wait_s: f64,
    duration_s: Option<f64>,
    clock_interval_s: f64,
    meters: Meters,
    alarms: Alarms,
    phase: Phase,
    missing_told: bool,
    free_bytes: Option<u64>,
    disk_asked_s: f64,
}

/// Why a recording ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    reason: String,
    failed: bool,
}

impl End {
    fn normal(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), failed: false }
    }

    fn failure(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), failed: true }
    }
}

/// Create the file, which must not exist, and its folders.
fn create(path: &Path) -> Result<std::fs::File, StartError> {
    let failed = |path: &Path, source| StartError::File { path: path.to_owned(), source };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| failed(parent, e))?;
    }
    std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => StartError::Exists { path: path.to_owned() },
        _ => failed(path, e),
    })
}

fn file_header() -> String {
    let text = |name: &str, text: String| Element::new(name).with_text(text);
    let now = jiff::Zoned::now();
    Element::new("info")
        .with_child(text("version", "1.0".to_owned()))
        .with_child(text("datetime", now.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()))
        .with_child(text("recorder", format!("Lockstep {}", env!("CARGO_PKG_VERSION"))))
        .to_xml()
}

impl Session {
    /// Create the file and start the sources.
    ///
    /// # Errors
    /// When the file cannot be created; no source has been started then.
    pub fn start(prepared: Prepared, config: &Config, path: &Path) -> Result<Self, StartError> {
        let Prepared { shared, sources, notices, wake } = prepared;
        let failed = |source| StartError::File { path: path.to_owned(), source };
        let file = create(path)?;
        let progress = Arc::new(Progress::default());
        progress.eager.store(true, Relaxed);
        let for_sync = file.try_clone().map_err(failed)?;
        let syncer = Syncer::start(for_sync, Arc::clone(&progress), shared.notices.clone())
            .map_err(StartError::Thread)?;
        let (finish, finished) = bounded(1);
        let writer =
            Writer::start(file, &file_header(), Arc::clone(&shared), Arc::clone(&progress), wake, finished)
                .map_err(failed)?;
        shared.events.write(
            "start",
            "",
            "",
            json!({
                "recorder": concat!("Lockstep ", env!("CARGO_PKG_VERSION")),
                "experiment": config.experiment,
                "file": path.display().to_string(),
                "started_utc": jiff::Timestamp::now().to_string(),
                "sources": sources.iter().map(|s| json!({
                    "name": s.intake.name,
                    "required": s.intake.required,
                    "plugin": s.plugin.id,
                    "plugin_version": s.plugin.version,
                    "plugin_from": s.plugin.origin.to_string(),
                })).collect::<Vec<_>>(),
            }),
        );
        let begun_s = monotonic_s();
        let sources = sources.into_iter().map(|source| {
            source.intake.set_open(true);
            source.instance.start();
            Running {
                intake: source.intake,
                plugin: source.plugin.id,
                instance: Some(source.instance),
                started: false,
            }
        });
        Ok(Self {
            sources: sources.collect(),
            shared,
            notices,
            writer,
            finish,
            syncer,
            progress,
            path: path.to_owned(),
            begun_s,
            when_missing: config.recording.when_missing,
            wait_s: config.recording.wait_s,
            duration_s: config.recording.duration_s,
            clock_interval_s: config.clock.interval_s,
            meters: Meters::default(),
            alarms: Alarms::default(),
            phase: Phase::Starting,
            missing_told: false,
            free_bytes: None,
            disk_asked_s: f64::NEG_INFINITY,
        })
    }

    /// Record until `stop` says why to stop, or it ends by itself; then close the file.
    pub async fn run(
        mut self,
        stop: impl Future<Output = &'static str>,
        watcher: &mut impl Watcher,
    ) -> Verdict {
        tokio::pin!(stop);
        let mut look = tokio::time::interval(LOOK_PERIOD);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                reason = &mut stop => break End::normal(reason),
                _ = look.tick() => {
                    if let Some(end) = self.look(watcher) {
                        break end;
                    }
                }
            }
        };
        self.end(end, watcher)
    }

    fn elapsed_s(&self) -> f64 {
        monotonic_s() - self.begun_s
    }

    /// One look at everything; whether it should end.
    fn look(&mut self, watcher: &mut impl Watcher) -> Option<End> {
        self.collect_starts();
        let mut status = self.status();
        for change in self.alarms.update(&status, self.clock_interval_s, self.progress.failed.load(Relaxed)) {
            self.tell_alarm(&change);
        }
        status.alarms = self.alarms.list();
        let end = self.decide(&status);
        self.show_notices(watcher);
        watcher.status(&status);
        end
    }

    fn show_notices(&self, watcher: &mut impl Watcher) {
        while let Ok(notice) = self.notices.try_recv() {
            watcher.notice(&notice);
        }
    }

    /// Take the answers of `start` that have come.
    fn collect_starts(&mut self) {
        let late = self.elapsed_s() > START_HANG_S;
        for source in self.sources.iter_mut().filter(|s| !s.started) {
            let answer = source.instance.as_ref().and_then(Instance::started);
            if answer.is_none() && !late {
                continue;
            }
            source.started = true;
            let reason = match answer {
                Some(Ok(())) => continue,
                Some(Err(reason)) => reason,
                None => format!("its start has not returned for {START_HANG_S:.0} s"),
            };
            // The source may have gone on to a state of its own meanwhile; failing comes last.
            drop(source.intake.set_state(0, State::Failed, &reason));
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

    /// Whether the recording has started by now, and whether it should end.
    fn decide(&mut self, status: &Status) -> Option<End> {
        if self.progress.failed.load(Relaxed) {
            let reason = "writing to the file failed";
            // Once it was recording, there is a file with everything up to now.
            return Some(match self.phase {
                Phase::Starting => End::failure(reason),
                Phase::Recording | Phase::Stopping => End::normal(reason),
            });
        }
        if self.phase == Phase::Starting && status.missing.is_empty() {
            self.phase = Phase::Recording;
            self.progress.eager.store(false, Relaxed);
            self.shared.events.write("recording", "", "", json!({"streams_on_disk": status.on_disk}));
            let text = match status.required {
                0 => "recording; no source is required".to_owned(),
                n => format!("recording: {n} of {n} streams on disk"),
            };
            self.shared.notices.send(Level::Info, "", text);
        }
        if self.phase == Phase::Starting {
            let missing = status.missing.join(", ");
            let failed = status.sources.iter().find(|s| s.required && s.state == State::Failed);
            match (self.when_missing, failed) {
                (WhenMissing::Fail, Some(source)) => {
                    let (name, reason) = (&source.name, &source.reason);
                    return Some(End::failure(format!("a required source cannot start: {name}: {reason}")));
                }
                (WhenMissing::Fail | WhenMissing::Wait, _) if status.elapsed_s > self.wait_s => {
                    let reason = format!("no sample on disk after {} s from {missing}", self.wait_s);
                    return Some(End::failure(reason));
                }
                (WhenMissing::Warn, _) if status.elapsed_s > self.wait_s && !self.missing_told => {
                    self.missing_told = true;
                    self.progress.eager.store(false, Relaxed);
                    self.shared.events.write("missing", "", "", json!({"missing": status.missing}));
                    let text = format!("recording without {missing}: nothing of it on disk");
                    self.shared.notices.send(Level::Error, "", text);
                }
                _ => {}
            }
        }
        if let Some(duration_s) = self.duration_s.filter(|d| status.elapsed_s >= *d) {
            return Some(End::normal(format!("the duration of {duration_s} s is over")));
        }
        let ended = |s: &SourceStatus| matches!(s.state, State::Finished | State::Failed);
        if status.sources.iter().all(ended) {
            let any_finished = status.sources.iter().any(|s| s.state == State::Finished);
            return Some(if any_finished {
                End::normal("end of input: every source has finished")
            } else {
                End::failure("every source has failed")
            });
        }
        None
    }

    fn status(&mut self) -> Status {
        let at_s = monotonic_s();
        let sources: Vec<SourceStatus> =
            self.sources.iter().map(|s| self.meters.source(&s.intake, &s.plugin, at_s)).collect();
        let (on_disk, required, missing) = start_progress(&sources);
        let bytes = self.progress.written_bytes.load(Relaxed);
        let bytes_per_s = self.meters.file.update(at_s, at_s, bytes);
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

    /// Stop the sources, close the file, judge.
    fn end(mut self, end: End, watcher: &mut impl Watcher) -> Verdict {
        let asked = Instant::now();
        let duration_s = self.elapsed_s();
        self.phase = Phase::Stopping;
        watcher.status(&self.status());
        self.shared.events.write("stop", "", "", json!({"reason": end.reason}));
        let mut problems = self.stop_sources(asked + STOP_DEADLINE);
        let status = self.status();
        let counts: Vec<_> = status
            .sources
            .iter()
            .flat_map(|s| &s.streams)
            .map(|s| json!({"stream_id": s.stream_id, "samples": s.samples, "lost": s.lost_samples()}))
            .collect();
        self.shared.events.write("stopped", "", "", json!({"streams": counts}));
        let _ = self.finish.send(());
        let report = self.writer.join();
        drop(self.syncer);
        while let Ok(notice) = self.notices.try_recv() {
            watcher.notice(&notice);
        }
        let streams = judge_streams(&status.sources);
        let mut outcome = streams.iter().map(|s| s.outcome).max().unwrap_or(Outcome::Failed);
        if self.when_missing == WhenMissing::Warn && outcome == Outcome::Failed {
            // It was asked to go on without what is missing.
            outcome = Outcome::Lossy;
        }
        let events_lost = self.shared.events.stream().lost_samples();
        if events_lost > 0 {
            problems.push(format!("{events_lost} events were dropped: there were too many"));
        }
        if let Some(error) = &report.error {
            let unwritten = report.unwritten_samples;
            problems
                .push(format!("writing failed: {error}; {unwritten} samples or more are not in the file"));
        }
        if !problems.is_empty() {
            outcome = outcome.max(Outcome::Lossy);
        }
        if end.failed {
            outcome = Outcome::Failed;
        }
        Verdict {
            outcome,
            ended_by: end.reason,
            problems,
            path: self.path,
            bytes: report.bytes,
            duration_s,
            stop_s: asked.elapsed().as_secs_f64(),
            streams,
            sources: status.sources,
        }
    }

    /// Stop all sources at once; what went wrong with it.
    fn stop_sources(&mut self, deadline: Instant) -> Vec<String> {
        for source in &self.sources {
            if let Some(instance) = &source.instance {
                instance.stop();
            }
        }
        let mut problems = Vec::new();
        for source in &mut self.sources {
            let name = &source.intake.name;
            let report = source.instance.take().map(|i| i.wait_stopped(deadline));
            source.intake.set_open(false);
            let problem = match report {
                None | Some(StopReport::Clean) => continue,
                // Its failure to start has been told before.
                Some(StopReport::Failed(_)) if source.intake.state().0 == State::Failed => continue,
                Some(StopReport::Failed(reason)) => format!("source {name}: {reason}"),
                Some(StopReport::Hung) => {
                    format!(
                        "source {name} did not stop within {} ms and was left behind",
                        STOP_DEADLINE.as_millis()
                    )
                }
            };
            self.shared.events.write("error", name, "", json!({"text": problem}));
            problems.push(problem);
        }
        problems
    }
}
