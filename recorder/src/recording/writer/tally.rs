//! Counts of what became of a stream's samples.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lockstep_xdf::{Element, StreamFooter};
use serde_json::json;

use crate::recording::intake::Shared;
use crate::recording::notice::{Level, samples};
use crate::recording::status::label;
use crate::recording::stream::{Role, StreamIntake};

/// Samples of one stream, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) first_timestamp_s: Option<f64>,
    pub(super) last_timestamp_s: Option<f64>,
}

impl Tally {
    pub(super) fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.first_timestamp_s = self.first_timestamp_s.or(more.first_timestamp_s);
        self.last_timestamp_s = more.last_timestamp_s.or(self.last_timestamp_s);
    }
}

/// What the writer keeps of one stream.
#[derive(Debug)]
pub(super) struct StreamInFile {
    pub(super) intake: Arc<StreamIntake>,
    /// Its header is in the file that is written now.
    pub(super) has_header: bool,
    /// Samples in all files.
    pub(super) samples: u64,
    /// Those in the file that is written now.
    pub(super) in_file: Tally,
    /// Clock offsets gathered for it, and those of them in the file that is written now.
    pub(super) offsets: usize,
    pub(super) offsets_in_file: usize,
    /// Length of the file when its first samples were in it.
    pub(super) first_samples_end: Option<u64>,
    /// Samples that found no file since this was last told.
    pub(super) unwritten: Tally,
    /// All of them.
    pub(super) unwritten_total: u64,
    reported: Reported,
}

/// Losses of a stream that are in the event stream already.
#[derive(Debug, Default)]
struct Reported {
    dropped: u64,
    rejected: u64,
    backwards: u64,
}

impl StreamInFile {
    pub(super) fn new(intake: Arc<StreamIntake>) -> Self {
        Self {
            intake,
            has_header: false,
            samples: 0,
            in_file: Tally::default(),
            offsets: 0,
            offsets_in_file: 0,
            first_samples_end: None,
            unwritten: Tally::default(),
            unwritten_total: 0,
            reported: Reported::default(),
        }
    }

    /// Write losses that were counted since the last time into the event stream.
    pub(super) fn report_losses(&mut self, shared: &Shared) {
        let Self { intake, reported, .. } = self;
        let counters = &intake.counters;
        let spec = &intake.spec;
        let report = |event: &str, reason: &str, counter: &AtomicU64, reported: &mut u64, level| {
            let total = counter.load(Relaxed);
            let new = total.saturating_sub(*reported);
            if new == 0 {
                return;
            }
            *reported = total;
            let details = json!({"samples": new, "total": total, "reason": reason});
            shared.events.write(event, &spec.source, &spec.label, details);
            let text = format!("{} {}: {reason} ({total} in all)", samples(new), event.replace('_', " "));
            shared.notices.send(level, &label(&spec.source, &spec.label), text);
        };
        report("dropped", "the queue was full", &counters.dropped, &mut reported.dropped, Level::Error);
        report("rejected", "could not be recorded", &counters.rejected, &mut reported.rejected, Level::Error);
        let back = "earlier than the one before";
        report("timestamps_back", back, &counters.backwards, &mut reported.backwards, Level::Warning);
    }

    /// Samples found no file, and never will.
    pub(super) fn add_unwritten(&mut self, tally: &Tally) {
        self.unwritten.add(tally);
        self.unwritten_total += tally.count;
    }

    /// Write into the event stream which samples found no file since the last time.
    pub(super) fn report_unwritten(&mut self, shared: &Shared) {
        let Tally { count, first_timestamp_s, last_timestamp_s } = std::mem::take(&mut self.unwritten);
        if count == 0 {
            return;
        }
        let spec = &self.intake.spec;
        let details = json!({
            "samples": count, "total": self.unwritten_total, "first_timestamp_s": first_timestamp_s,
            "last_timestamp_s": last_timestamp_s, "reason": "no file could be written",
        });
        shared.events.write("unwritten", &spec.source, &spec.label, details);
        let text = format!("{} lost: no file could be written", samples(count));
        shared.notices.send(Level::Error, &label(&spec.source, &spec.label), text);
    }

    /// The footer of the file that is written now; `next`: the one in which it goes on.
    pub(super) fn footer(&self, next: Option<&Path>) -> StreamFooter {
        let counters = &self.intake.counters;
        let mut losses = Element::new("lockstep");
        for (name, count) in [
            ("dropped", counters.dropped.load(Relaxed)),
            ("rejected", counters.rejected.load(Relaxed)),
            ("lost", counters.lost.load(Relaxed)),
            ("gaps_of_unknown_size", counters.gaps_of_unknown_size.load(Relaxed)),
            ("timestamps_back", counters.backwards.load(Relaxed)),
            ("unwritten", self.unwritten_total),
        ] {
            losses.push_child(Element::new(name).with_text(count.to_string()));
        }
        if let Some(name) = next.and_then(Path::file_name) {
            losses.push_child(Element::new("continued_in").with_text(name.to_string_lossy()));
        }
        let Tally { count, first_timestamp_s, last_timestamp_s } = self.in_file;
        let measured_rate_hz = match (first_timestamp_s, last_timestamp_s) {
            (Some(first), Some(last)) if last > first && self.intake.spec.role == Role::Data => {
                Some((count - 1) as f64 / (last - first))
            }
            _ => None,
        };
        let mut offsets = Vec::new();
        if let Some(clock) = &self.intake.spec.clock {
            clock.offsets_from(0, &mut offsets);
            offsets.truncate(self.offsets_in_file);
        }
        StreamFooter {
            first_timestamp_s,
            last_timestamp_s,
            sample_count: count,
            measured_rate_hz,
            clock_offsets: offsets.iter().map(|m| (m.device_time_s, m.offset_s)).collect(),
            extra: vec![losses],
        }
    }
}
