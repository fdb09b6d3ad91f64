//! What is known of a table: the JSON beside it.

use std::path::PathBuf;

use lockstep_xdf::packed::Packing;
use lockstep_xdf::{Columns, Damage};
use serde_json::{Value, json};

use super::ExportedStream;
use super::job::{Job, Range};
use super::names::Column;
use crate::{ASYMMETRY_NOTE, ClockReport, StreamClock, SyncedBlock, SyncedBlocks, Timing};

/// Gathers what is known of one table while it is written.
pub(super) struct Metadata<'t> {
    timing: &'t Timing<'t>,
    columns: Vec<Column>,
    range: Range,
    clock: Option<ClockReport>,
    rows: u64,
    /// Lowest and highest time of the rows.
    times_s: Option<(f64, f64)>,
    flagged: u64,
    invalid_texts: u64,
    pushed: (u64, f64),
    damage: Vec<Damage>,
}

impl<'t> Metadata<'t> {
    pub(super) fn new(job: &Job<'_, '_>, timing: &'t Timing<'t>, columns: Vec<Column>) -> Self {
        let synchronizer = job.synchronizer;
        let clock = match synchronizer.clocks.of_stream.get(timing.stream) {
            Some(StreamClock::Measured(clock)) => synchronizer.clock_report(*clock),
            _ => None,
        };
        Self {
            timing,
            columns,
            range: job.range,
            clock,
            rows: 0,
            times_s: None,
            flagged: 0,
            invalid_texts: 0,
            pushed: (0, 0.0),
            damage: Vec::new(),
        }
    }

    /// Rows counted so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// One more block.
    pub(super) fn count(&mut self, block: &SyncedBlock<'_>) {
        self.rows += block.times.len() as u64;
        self.flagged += block.times.flagged.iter().filter(|flagged| **flagged).count() as u64;
        for &time_s in &block.times.time_s {
            let (first_s, last_s) = self.times_s.get_or_insert((time_s, time_s));
            *first_s = first_s.min(time_s);
            *last_s = last_s.max(time_s);
        }
        if let Columns::Text(columns) = block.values {
            self.invalid_texts += columns.iter().map(lockstep_xdf::TextColumn::invalid_utf8).sum::<u64>();
        }
    }

    /// All blocks were counted.
    pub(super) fn finish(&mut self, blocks: &SyncedBlocks<'_>) {
        self.pushed = blocks.pushed_up();
        self.damage = blocks.damage().to_vec();
    }

    /// What the user should know of the times.
    fn remarks(&self) -> Vec<String> {
        let synchronizer = self.timing.synchronizer();
        let mut remarks = Vec::new();
        if synchronizer.options.compat_pyxdf {
            return remarks;
        }
        match synchronizer.clocks.of_stream.get(self.timing.stream) {
            Some(StreamClock::Unknown) => remarks.push(
                "the recording has no measurement of this stream's clock: the stamps are taken as they are, \
                 and how far they are off is not known"
                    .to_owned(),
            ),
            Some(StreamClock::Measured(_)) if !self.columns.is_empty() => {
                remarks.extend(self.clock.iter().flat_map(|clock| clock.remarks.clone()));
            }
            _ => {}
        }
        remarks.extend_from_slice(&self.timing.plan.remarks);
        if self.flagged > 0 {
            remarks.push(format!(
                "{} samples are in intervals in which the clock was stepped or slewed and nothing shows exactly \
                 when: their errors are wide, and the bound does not hold for certain",
                self.flagged
            ));
        }
        if self.timing.offset_mean_applied_s != 0.0 {
            remarks.push(format!(
                "offset_mean of {} s in the header was subtracted",
                self.timing.offset_mean_applied_s
            ));
        }
        if self.pushed.0 > 0 {
            let (count, most_s) = self.pushed;
            remarks.push(format!("{count} times that did not rise were pushed up, by {most_s} s at most"));
        }
        if self.invalid_texts > 0 {
            remarks
                .push(format!("{} texts were not UTF-8: the bytes at fault are U+FFFD", self.invalid_texts));
        }
        remarks
    }

    /// For the result of the export.
    pub(super) fn exported(&self, path: PathBuf) -> ExportedStream {
        let scanned = self.timing.scanned();
        let host =
            self.timing.synchronizer().clocks.of_stream.get(self.timing.stream) == Some(&StreamClock::Host);
        let measured = self.clock.as_ref().and_then(|clock| clock.uncertainty);
        ExportedStream {
            name: scanned.info.name.clone(),
            id: scanned.id,
            rows: self.rows,
            path,
            sigma_s: if host { Some(0.0) } else { measured.map(|errors| errors.total_s) },
            remarks: self.remarks(),
        }
    }

    /// The JSON, indented.
    pub(super) fn to_json(&self) -> String {
        format!("{:#}\n", self.value())
    }

    pub(super) fn value(&self) -> Value {
        let timing = self.timing;
        let scanned = timing.scanned();
        let info = &scanned.info;
        let mut value = json!({
            "stream": {
                "id": scanned.id,
                "name": info.name,
                "type": info.kind,
                "channel_count": info.channel_count,
                "channel_format": info.format.name(),
                "nominal_rate_hz": info.nominal_rate_hz,
                "source_id": info.source_id,
                "uid": info.uid,
                "session_id": info.session_id,
                "hostname": info.hostname,
                "created_at_s": info.created_at_s,
            },
            "channels": self.columns,
            "rows": self.rows,
            "first_time_s": self.times_s.map(|times| times.0),
            "last_time_s": self.times_s.map(|times| times.1),
            "samples": timing.samples,
            "effective_rate_hz": timing.plan.effective_rate_hz,
            "segments": timing.plan.segments,
            "clock_segments": timing.clock_segments,
            "gaps": timing.plan.gaps.iter().map(gap).collect::<Value>(),
            "dropped_frames": timing.plan.dropped_frames(),
            "jitter_rms_s": timing.plan.jitter_rms_s,
            "synchronization": self.synchronization(),
            "clock": self.clock,
            "recording": self.recording(),
            "damage": damage(&self.damage),
            "header_xml": scanned.header_xml,
            "footer_xml": scanned.footer_xml,
        });
        if timing.synchronizer().options.compat_pyxdf {
            // The names that pyxdf's `info` has.
            value["effective_srate"] = json!(timing.plan.effective_rate_hz);
        }
        value
    }

    fn synchronization(&self) -> Value {
        let timing = self.timing;
        let synchronizer = timing.synchronizer();
        let options = &synchronizer.options;
        let stamped_by = match synchronizer.clocks.of_stream.get(timing.stream) {
            Some(StreamClock::Host) => "recorder",
            Some(StreamClock::Measured(_)) => "measured clock",
            _ => "unknown clock",
        };
        json!({
            "by": format!("Lockstep {}", env!("CARGO_PKG_VERSION")),
            "compat": options.compat_pyxdf.then_some("pyxdf"),
            "method": options.method.name(),
            "dejitter": crate::sync::dejitter_name(options.dejitter),
            "stamped_by": stamped_by,
            "offset_mean_s": timing.offset_mean_s,
            "offset_mean_subtracted": timing.offset_mean_s.is_some_and(|_| options.offset_mean)
                && !options.compat_pyxdf,
            "strictly_increasing": options.strictly_increasing,
            "pushed_up": self.pushed.0,
            "pushed_up_most_s": self.pushed.1,
            "flagged_samples": self.flagged,
            "recording_start_s": self.range.start_s,
            "from_time_s": self.range.times_s.map(|times| times.0),
            "to_time_s": self.range.times_s.map(|times| times.1),
            "remarks": self.remarks(),
            "note": ASYMMETRY_NOTE,
        })
    }

    fn recording(&self) -> Value {
        let recording = self.timing.synchronizer().recording;
        let packing = match recording.packing {
            Packing::None => "none",
            Packing::Gzip => "gzip",
            Packing::Zlib => "zlib",
        };
        json!({
            "file": recording.path.file_name().map(|name| name.to_string_lossy()),
            "bytes": recording.file_bytes,
            "packing": packing,
            "unpack_fault": recording.unpack_fault,
            "recorder": recording.recorder(),
            "header_xml": recording.scan.header_xml,
            "damage": damage(&recording.scan.damage),
            "damage_left_out": recording.scan.damage_left_out,
        })
    }
}

fn gap(gap: &lockstep_clock::Gap) -> Value {
    json!({ "after_sample": gap.after_sample, "missing_s": gap.missing_s })
}

/// Damage as JSON.
pub(super) fn damage(list: &[Damage]) -> Value {
    let places = list.iter().map(|damage| {
        json!({
            "offset": damage.offset,
            "bytes": damage.bytes,
            "stream_id": damage.stream_id,
            "samples_lost": damage.samples_lost,
            "reason": damage.reason.to_string(),
        })
    });
    places.collect()
}
