//! One recording from start to closed file: starts the sources, watches them,
//! stops them, and judges what became of it.

mod end;
mod start;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lockstep_platform::monotonic_s;
use serde_json::json;

use super::alarms::{Alarms, Change, FileTrouble, Severity};
use super::conduct::{Decision, FileState, Rules, decide};
use super::driven::Driven;
use super::files::Files;
use super::intake::{Shared, SourceIntake};
use super::notice::Level;
use super::space::{Floor, nominal_bytes_per_s, too_little};
use super::status::{FileStatus, Meters, Phase, SourceStatus, Status, label, start_progress};
use super::stops::Stops;
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
/// A recording without a planned end should have room for so long.
const PLANNED_S: f64 = 3600.0;
/// Sources are started, and their failures reported, within this time even when one hangs.
const START_HANG_S: f64 = 10.0;

/// Bytes that are free where `path` is; `None`: the system does not say.
fn free_beside(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    lockstep_platform::free_bytes(folder.unwrap_or(Path::new("."))).ok()
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
    files: Arc<Files>,
    floor: Floor,
    floor_reached: bool,
    /// Nobody asked for the end: the disk is nearly full.
    ended_by_floor: Option<String>,
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
    /// When the free space was asked for, and beside which file.
    disk_asked: (f64, PathBuf),
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
        let files = &self.files;
        let trouble =
            FileTrouble { write: files.trouble(), sync_error: files.sync_error(), deleted: files.deleted() };
        for change in self.alarms.update(&status, self.clock_interval_s, &trouble) {
            self.tell_alarm(&change);
        }
        self.tell_side_file_errors();
        if let (Some(error), false) = (&trouble.sync_error, self.sync_error_told) {
            self.sync_error_told = true;
            self.shared.events.write("sync_error", "", "", json!({"text": error}));
            // A disk that is broken or gone shows it here first, for writes go to memory.
            self.files.move_on(&format!("the disk did not keep what was written ({error})"));
        }
        status.alarms = self.alarms.list();
        let file = FileState {
            writer_died: self.files.has_writer_died(),
            write_error: trouble.write.map(|trouble| trouble.error),
            floor_reached: self.floor_text(),
        };
        let decision = decide(self.phase, &status, &self.rules, &file);
        let (on_disk, required) = (status.on_disk, status.required);
        if self.phase == Phase::Starting && decision == Decision::GoOn && on_disk > self.on_disk_told {
            self.on_disk_told = on_disk;
            let missing = status.missing_with_reasons();
            let text = format!("{on_disk} of {required} streams on disk; still missing: {missing}");
            self.shared.notices.send(Level::Info, "", text);
        }
        let nominal = nominal_bytes_per_s(&status.sources);
        watcher.status(status);
        match decision {
            Decision::GoOn => None,
            Decision::Begin { without } => {
                self.begin(on_disk, &without);
                self.tell_room(nominal);
                None
            }
            Decision::End(reason) => {
                self.ended_by_floor = file.floor_reached;
                Some(reason)
            }
        }
    }

    fn begin(&mut self, on_disk: usize, without: &[String]) {
        self.phase = Phase::Recording;
        self.files.begin();
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

    /// Why it is time to close the file: so little space is free, and there is no second place to go on in.
    fn floor_text(&self) -> Option<String> {
        let free = self.free_bytes.filter(|_| self.floor_reached && self.phase != Phase::Stopping)?;
        let text = format!(
            "only {:.1} MB are free beside {}, and min_free_mb keeps {:.1} MB for its end",
            free as f64 / 1e6,
            self.files.current_path().display(),
            self.floor.bytes() as f64 / 1e6
        );
        (!self.files.move_on(&text)).then_some(text)
    }

    /// Say when the disk has not room enough for what is planned, by what is known before it has grown.
    fn tell_room(&self, nominal_bytes_per_s: f64) {
        let left_s = self.floor.time_left_s(self.free_bytes, Some(nominal_bytes_per_s));
        let planned_s = self.rules.duration_s.unwrap_or(PLANNED_S);
        if let Some(text) = too_little(left_s, planned_s, nominal_bytes_per_s) {
            self.shared.events.write("little_room", "", "", json!({"text": text}));
            self.shared.notices.send(Level::Warning, "", text);
        }
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
        let bytes = self.files.written_bytes();
        let growing = bytes.saturating_add(self.shared.side_files.written_bytes());
        let bytes_per_s = self.meters.file.update(at_s, at_s, growing);
        let path = self.files.current_path();
        let is_elsewhere = self.disk_asked.1 != path;
        if is_elsewhere {
            // What is known of the other disk says nothing of this one.
            self.floor = Floor::new(self.floor.bytes());
        }
        if is_elsewhere || at_s - self.disk_asked.0 >= DISK_PERIOD_S {
            self.disk_asked = (at_s, path.clone());
            self.free_bytes = free_beside(&path);
            self.floor_reached = self.floor.look(self.free_bytes);
        }
        let time_left_s = self.floor.time_left_s(self.free_bytes, bytes_per_s);
        Status {
            phase: self.phase,
            at_s,
            elapsed_s: at_s - self.begun_s,
            on_disk,
            required,
            missing,
            file: FileStatus {
                path,
                bytes,
                bytes_on_disk: self.files.synced_bytes(),
                bytes_per_s,
                free_bytes: self.free_bytes,
                time_left_s,
                held_bytes: self.files.trouble().map_or(0, |trouble| trouble.held_bytes),
            },
            sources,
            alarms: self.alarms.list(),
        }
    }
}
