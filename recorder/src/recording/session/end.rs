//! The end of a recording: its sources are stopped, its file is closed, and what became of it is judged.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Session, Watcher};
use crate::host::StopReport;
use crate::recording::notice::Level;
use crate::recording::side::SideFileReport;
use crate::recording::status::Phase;
use crate::recording::stops::Stops;
use crate::recording::verdict::{Outcome, Verdict, all_required_in_file, judge, judge_streams};
use crate::recording::writer::WriterReport;

/// Sources that have not stopped by then are left behind.
const STOP_DEADLINE: Duration = Duration::from_millis(700);
/// Between two looks while something is being waited for at the end.
const END_PERIOD: Duration = Duration::from_millis(5);
/// Files beside the recording have so long before its own end is written.
const SIDE_FILES_CLOSE: Duration = Duration::from_millis(500);
/// When closing the file takes longer than this, it is said.
const SLOW_CLOSE: Duration = Duration::from_secs(2);

impl Session {
    /// Stop the sources, close the file, judge.
    pub(super) async fn end(
        mut self,
        reason: String,
        stops: &mut Stops,
        watcher: &mut impl Watcher,
    ) -> Verdict {
        let asked = Instant::now();
        let duration_s = self.elapsed_s();
        let begun = self.phase != Phase::Starting;
        self.phase = Phase::Stopping;
        watcher.status(self.status());
        self.shared.events.write("stop", "", "", json!({"reason": reason}));
        let mut problems = self.stop_sources(asked + STOP_DEADLINE).await;
        self.close_side_files().await;
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
        let mut side_files = self.shared.side_files.reports();
        problems.extend(side_files.iter().filter_map(SideFileReport::problem));
        problems.extend(report.problems);
        // It would have gone on.
        problems.extend(self.ended_by_floor.take().map(|text| format!("ended early: {text}")));
        if let Some(error) = self.files.sync_error() {
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
        let parts = self.files.parts();
        let removed = outcome == Outcome::Failed
            && empty
            // Another file that somebody put in its place is not ours to remove.
            && parts.iter().all(|p| p.is_there() && std::fs::remove_file(&p.path).is_ok());
        side_files.retain(|file| !file.is_unused());
        Verdict {
            outcome,
            begun,
            ended_by: reason,
            problems,
            path: parts.first().map(|p| p.path.clone()).unwrap_or_default(),
            continued_in: parts.iter().skip(1).map(|p| p.path.clone()).collect(),
            bytes: if removed { 0 } else { report.bytes },
            duration_s,
            stop_s: asked.elapsed().as_secs_f64(),
            side_files,
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

    /// Have the files beside the recording written to their ends, and say in it how they stand. A disk that is too
    /// slow for that does not hold up the footers: `close_file` waits for the rest.
    async fn close_side_files(&mut self) {
        let files = &self.shared.side_files;
        files.finish();
        let begun = Instant::now();
        while !files.is_over() && begun.elapsed() < SIDE_FILES_CLOSE {
            tokio::time::sleep(END_PERIOD).await;
        }
        self.tell_side_file_errors();
        for file in self.shared.side_files.reports() {
            // Of a camera that never came: it would only raise questions.
            let removed = file.is_unused() && std::fs::remove_file(&file.path).is_ok();
            let details = json!({
                "file": file.path.file_name().unwrap_or_default().to_string_lossy(), "bytes": file.bytes,
                "pending_bytes": file.pending_bytes, "lost_bytes": file.lost_bytes, "error": file.error,
                "removed": removed,
            });
            self.shared.events.write("side_file_closed", &file.source, "", details);
        }
    }

    /// Have the writer write what is left and the footers, however long the disk
    /// takes, unless a second request says that this is too long.
    async fn close_file(&mut self, stops: &mut Stops) -> WriterReport {
        self.writer.finish();
        let begun = Instant::now();
        let (mut told, mut report) = (false, None);
        loop {
            report = report.or_else(|| self.writer.report(Duration::ZERO));
            if self.shared.side_files.is_over()
                && let Some(report) = report.take()
            {
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
                    // Only a file beside it is waited for.
                    if let Some(report) = report.take() {
                        return report;
                    }
                    let bytes = self.files.written_bytes();
                    let problem = format!("gave up waiting for the disk ({reason}); the file may lack its end and its footers");
                    return WriterReport { bytes, problems: vec![problem], samples: None };
                }
            }
        }
    }
}
