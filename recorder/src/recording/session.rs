//! One recording from start to closed file: starts the sources, watches them,
//! stops them, and judges what became of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use lockstep_platform::monotonic_s;
use lockstep_xdf::Element;
use serde_json::json;

use super::alarms::{Alarms, Change, FileTrouble, Severity};
use super::conduct::{Decision, Rules, decide};
use super::driven::Driven;
use super::intake::{Shared, SourceIntake};
use super::notice::Level;
use super::prepare::Prepared;
use super::status::{FileStatus, Meters, Phase, SourceStatus, Status, label, start_progress};
use super::stops::Stops;
use super::sync::{Progress, Syncer};
use super::verdict::{Outcome, Verdict, all_required_in_file, judge, judge_streams};
use super::writer::{Writer, WriterReport};
use crate::config::Config;
use crate::host::StopReport;
use crate::ntp;

/// Whoever watches a recording. It must not hold up the recording: whatever
/// takes time happens elsewhere.
pub trait Watcher {
    /// This is how it goes; called several times a second.
    fn status(&mut self, status: Status);
}

/// Between two looks at the sources.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// Sources that have not stopped by then are left behind.
const STOP_DEADLINE: Duration = Duration::from_millis(700);
/// Between two looks while something is being waited for at the end.
const END_PERIOD: Duration = Duration::from_millis(5);
/// When closing the file takes longer than this, it is said.
const SLOW_CLOSE: Duration = Duration::from_secs(2);
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
}

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
        let Prepared { shared, sources, master_clock, wake, .. } = prepared;
        let failed = |source| StartError::File { path: path.to_owned(), source };
        let file = create(path)?;
        let progress = Arc::new(Progress::default());
        progress.eager.store(true, Relaxed);
        let started = file.try_clone().and_then(|for_sync| {
            let (shared, for_writer) = (Arc::clone(&shared), Arc::clone(&progress));
            let writer = Writer::start(file, &file_header(), shared, for_writer, wake)?;
            Ok((writer, Syncer::start(for_sync, Arc::clone(&progress))?))
        });
        let (writer, syncer) = match started {
            Ok(both) => both,
            Err(e) => {
                // It was made just now and holds nothing: it must not stand in the way of another try.
                drop(std::fs::remove_file(path));
                return Err(failed(e));
            }
        };
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
                "master_clock": master_clock.as_ref().map(|c| c.server.to_string()),
            }),
        );
        let begun_s = monotonic_s();
        let mut running: Vec<Running> = Vec::new();
        let mut run = |intake: Arc<SourceIntake>, plugin: String, mut driven: Box<dyn Driven>| {
            intake.open();
            driven.start();
            running.push(Running { intake, plugin, driven, start_answered: false });
        };
        for source in sources {
            run(source.intake, source.plugin.id, Box::new(source.instance));
        }
        if let Some(clock) = master_clock {
            run(clock.intake, ntp::MADE_BY.to_owned(), Box::new(clock.client));
        }
        Ok(Self {
            sources: running,
            shared,
            writer,
            _syncer: syncer,
            progress,
            path: path.to_owned(),
            begun_s,
            rules: Rules::from(&config.recording),
            clock_interval_s: config.clock.interval_s,
            meters: Meters::default(),
            alarms: Alarms::default(),
            phase: Phase::Starting,
            sync_error_told: false,
            on_disk_told: 0,
            free_bytes: None,
            disk_asked_s: f64::NEG_INFINITY,
        })
    }

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
    async fn end(mut self, reason: String, stops: &mut Stops, watcher: &mut impl Watcher) -> Verdict {
        let asked = Instant::now();
        let duration_s = self.elapsed_s();
        let begun = self.phase != Phase::Starting;
        self.phase = Phase::Stopping;
        watcher.status(self.status());
        self.shared.events.write("stop", "", "", json!({"reason": reason}));
        let mut problems = self.stop_sources(asked + STOP_DEADLINE).await;
        let status = self.status();
        let counts: Vec<_> = status
            .sources
            .iter()
            .flat_map(|s| &s.streams)
            .map(|s| json!({"stream_id": s.stream_id, "samples": s.samples, "lost": s.lost_samples()}))
            .collect();
        let unshown = self.shared.notices.unshown();
        if unshown > 0 {
            self.shared.events.write(
                "hidden",
                "",
                "",
                json!({"count": unshown, "what": "lines on the screen"}),
            );
        }
        self.shared.events.write("stopped", "", "", json!({"streams": counts}));
        let report = self.close_file(stops).await;
        if let Some(error) = &report.error {
            problems.push(format!("writing failed: {error}"));
        }
        if let Some(error) = self.progress.sync_error() {
            problems.push(format!("the disk did not keep what was written: {error}"));
        }
        for clock in status.sources.iter().flat_map(|s| &s.clocks).filter(|c| c.exchanges_lost > 0) {
            problems
                .push(format!("clock {}: {} exchanges are not recorded", clock.name, clock.exchanges_lost));
        }
        let events = &self.shared.events.stream().counters;
        let events_lost = events.dropped.load(Relaxed).saturating_add(events.rejected.load(Relaxed));
        if events_lost > 0 {
            problems.push(format!("{events_lost} events were dropped: there were too many"));
        }
        let streams = judge_streams(&status.sources, report.samples.as_ref());
        // It may end before a look has seen the first samples on the disk; in the closed file they are.
        let begun = begun || (report.samples.is_some() && all_required_in_file(&status.sources, &streams));
        let outcome = judge(begun, &streams, &status.sources, &problems);
        let empty = streams.iter().all(|s| s.samples_in_file == 0);
        // Without a sample it is worth nothing, and would stand in the way of another try.
        let removed = outcome == Outcome::Failed && empty && std::fs::remove_file(&self.path).is_ok();
        Verdict {
            outcome,
            begun,
            ended_by: reason,
            problems,
            path: self.path,
            bytes: if removed { 0 } else { report.bytes },
            duration_s,
            stop_s: asked.elapsed().as_secs_f64(),
            streams,
            sources: status.sources,
        }
    }

    /// Stop all sources at once; what went wrong with it.
    async fn stop_sources(&mut self, deadline: Instant) -> Vec<String> {
        for source in &mut self.sources {
            source.driven.stop();
        }
        let mut problems = Vec::new();
        for source in &mut self.sources {
            let mut report = source.driven.stopped();
            while report.is_none() && Instant::now() < deadline {
                tokio::time::sleep(END_PERIOD).await;
                report = source.driven.stopped();
            }
            source.intake.close();
            let name = &source.intake.name;
            let problem = match report {
                Some(StopReport::Clean) => continue,
                // It failed to start, and the end came before that was seen.
                Some(StopReport::Failed(reason)) if !source.start_answered => {
                    source.intake.fail(&reason);
                    continue;
                }
                Some(StopReport::Failed(reason)) => format!("source {name}: {reason}"),
                None => {
                    let after_ms = STOP_DEADLINE.as_millis();
                    format!("source {name} did not stop within {after_ms} ms and was left behind")
                }
            };
            self.shared.events.write("error", name, "", json!({"text": problem}));
            problems.push(problem);
        }
        problems
    }

    /// Have the writer write what is left and the footers, however long the disk
    /// takes, unless a second request says that this is too long.
    async fn close_file(&mut self, stops: &mut Stops) -> WriterReport {
        self.writer.finish();
        let begun = Instant::now();
        let mut told = false;
        loop {
            if let Some(report) = self.writer.report(Duration::ZERO) {
                return report;
            }
            if begun.elapsed() > SLOW_CLOSE && !told {
                told = true;
                let text = "the disk is slow: still closing the file; stop once more to give up waiting";
                self.shared.notices.send(Level::Warning, "", text);
            }
            tokio::select! {
                () = tokio::time::sleep(END_PERIOD) => {}
                // Before it was told what a second one does, it may be the same request twice.
                reason = stops.next(), if told => {
                    let bytes = self.progress.written_bytes.load(Relaxed);
                    let error = format!("gave up waiting for the disk ({reason}); the file may lack its end and its footers");
                    return WriterReport { bytes, error: Some(error), samples: None };
                }
            }
        }
    }
}
