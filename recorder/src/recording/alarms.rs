//! What someone should look at: found from the status, kept while it lasts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::intake::State;
use super::status::{RATE_WINDOW_S, SourceStatus, Status, StreamStatus, label};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Look at it.
    Warning,
    /// Data are missing or soon will be.
    Failure,
}

/// Something someone should look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alarm {
    /// How bad it is.
    pub severity: Severity,
    /// The source it concerns; empty: the recording.
    pub source: String,
    /// The stream it concerns; empty: the source as a whole.
    pub stream: String,
    /// What is wrong.
    pub text: String,
    /// Recorder time in seconds since when.
    pub since_s: f64,
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match label(&self.source, &self.stream) {
            whole if whole.is_empty() => f.write_str(&self.text),
            label => write!(f, "{label}: {}", self.text),
        }
    }
}

/// A change in what is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It began.
    Raised(Alarm),
    /// It ended.
    Cleared(Alarm),
}

/// A stream that was found must send within this time.
const FIRST_SAMPLE_S: f64 = 3.0;
/// A regular stream must not pause longer than this...
const STALE_S: f64 = 3.0;
/// ... nor longer than this many of its sampling intervals.
const STALE_INTERVALS: f64 = 15.0;
/// Deviation of the effective rate from the nominal one: warning, failure.
const RATE_OFF: (f64, f64) = (0.02, 0.10);
/// A clock that was measured must be measured again within this many intervals and some seconds.
const CLOCK_STALE_INTERVALS: f64 = 3.0;
/// Free space lasts at least: warning, failure.
const DISK_LEFT_S: (f64, f64) = (3600.0, 600.0);
/// A queue this full: warning.
const QUEUE_FULL: f64 = 0.25;

/// The alarms that are on.
#[derive(Debug, Default)]
pub struct Alarms {
    on: BTreeMap<String, Alarm>,
}

/// What is wrong now.
struct Finding {
    /// Kind of what is wrong: with source and stream it stays the same while it lasts.
    kind: &'static str,
    severity: Severity,
    source: String,
    stream: String,
    text: String,
}

impl Finding {
    fn key(&self) -> String {
        format!("{}/{}/{}", self.source, self.stream, self.kind)
    }
}

impl Alarms {
    /// Compare with `status` (whose own alarms are not read); what has changed.
    pub fn update(&mut self, status: &Status, clock_interval_s: f64, write_failed: bool) -> Vec<Change> {
        let found = find(status, clock_interval_s, write_failed);
        let mut changes = Vec::new();
        self.on.retain(|key, alarm| {
            let stays = found.iter().any(|f| f.key() == *key);
            if !stays {
                changes.push(Change::Cleared(alarm.clone()));
            }
            stays
        });
        for finding in found {
            let key = finding.key();
            let Finding { severity, source, stream, text, .. } = finding;
            match self.on.get_mut(&key) {
                // Getting worse is told again; new numbers in the text are not.
                Some(alarm) if alarm.severity >= severity => alarm.text = text,
                _ => {
                    let alarm = Alarm { severity, source, stream, text, since_s: status.at_s };
                    changes.push(Change::Raised(alarm.clone()));
                    self.on.insert(key, alarm);
                }
            }
        }
        changes
    }

    /// Those that are on, newest first.
    pub fn list(&self) -> Vec<Alarm> {
        let mut list: Vec<Alarm> = self.on.values().cloned().collect();
        list.sort_by(|a, b| b.since_s.total_cmp(&a.since_s));
        list
    }
}

fn find(status: &Status, clock_interval_s: f64, write_failed: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |kind, severity, text| {
        found.push(Finding { kind, severity, source: String::new(), stream: String::new(), text });
    };
    if write_failed {
        let text = "writing to the file has failed; nothing more is recorded".to_owned();
        add("write", Severity::Failure, text);
    }
    if let Some(left_s) = status.file.time_left_s.filter(|left_s| *left_s < DISK_LEFT_S.0) {
        let severity = if left_s < DISK_LEFT_S.1 { Severity::Failure } else { Severity::Warning };
        add("disk", severity, format!("the disk is full in {:.0} min: free some space", left_s / 60.0));
    }
    for source in &status.sources {
        find_in_source(source, clock_interval_s, &mut found);
    }
    found
}

fn find_in_source(source: &SourceStatus, clock_interval_s: f64, found: &mut Vec<Finding>) {
    let mut add = |kind, stream: &str, severity, text: String| {
        let (source, stream) = (source.name.clone(), stream.to_owned());
        found.push(Finding { kind, severity, source, stream, text });
    };
    let because = if source.reason.is_empty() { String::new() } else { format!(": {}", source.reason) };
    match source.state {
        State::Failed => add("state", "", Severity::Failure, format!("the source has failed{because}")),
        State::Lost => add("state", "", Severity::Failure, format!("the device is gone{because}")),
        State::Degraded => add("state", "", Severity::Warning, format!("degraded{because}")),
        _ => {}
    }
    if source.queue_fill > QUEUE_FULL {
        let text = format!("its queue is {:.0} % full: the disk is too slow", 100.0 * source.queue_fill);
        add("queue", "", Severity::Warning, text);
    }
    if matches!(source.state, State::Finished | State::Failed | State::Lost) {
        return;
    }
    for stream in &source.streams {
        if let Some((kind, severity, text)) = find_in_stream(stream, &because) {
            add(kind, &stream.name, severity, text);
        }
    }
    let limit_s = CLOCK_STALE_INTERVALS * clock_interval_s + 5.0;
    for clock in &source.clocks {
        if let Some(age_s) = clock.age_s.filter(|age_s| *age_s > limit_s) {
            let text = format!("{}: not measured for {age_s:.0} s", clock.name);
            add("clock", "", Severity::Warning, text);
        }
    }
}

fn find_in_stream(stream: &StreamStatus, because: &str) -> Option<(&'static str, Severity, String)> {
    let nominal_hz = stream.nominal_rate_hz;
    let Some(age_s) = stream.newest_age_s else {
        let waited_s = stream.known_for_s;
        let text = format!("nothing received for {waited_s:.0} s{because}");
        return (waited_s > FIRST_SAMPLE_S).then_some(("silent", Severity::Failure, text));
    };
    if nominal_hz <= 0.0 {
        return None;
    }
    if age_s > STALE_S.max(STALE_INTERVALS / nominal_hz) {
        return Some(("silent", Severity::Failure, format!("no samples for {age_s:.0} s")));
    }
    let rate_hz = stream.effective_rate_hz.filter(|_| stream.known_for_s > RATE_WINDOW_S)?;
    let off = rate_hz / nominal_hz - 1.0;
    if off.abs() <= RATE_OFF.0 {
        return None;
    }
    let severity = if off.abs() > RATE_OFF.1 { Severity::Failure } else { Severity::Warning };
    let percent = 100.0 * off;
    let text = format!("{rate_hz:.1} Hz where {nominal_hz} Hz are nominal ({percent:+.1} %)");
    Some(("rate", severity, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::status::{FileStatus, Phase};

    fn status(at_s: f64, samples: u64, newest_age_s: Option<f64>, rate_hz: f64) -> Status {
        let stream = StreamStatus {
            name: "eeg".to_owned(),
            stream_id: 2,
            format: "float32",
            channel_count: 8,
            nominal_rate_hz: 100.0,
            effective_rate_hz: Some(rate_hz),
            samples,
            dropped: 0,
            rejected: 0,
            lost: 0,
            gaps_of_unknown_size: 0,
            timestamps_back: 0,
            newest_age_s,
            known_for_s: at_s,
            on_disk: samples > 0,
            clock: None,
        };
        let source = SourceStatus {
            name: "amp".to_owned(),
            plugin: "udp".to_owned(),
            required: true,
            state: State::Streaming,
            reason: String::new(),
            queue_fill: 0.0,
            streams: vec![stream],
            clocks: Vec::new(),
        };
        let file = FileStatus {
            path: "a.xdf".into(),
            bytes: 0,
            bytes_on_disk: 0,
            bytes_per_s: None,
            free_bytes: None,
            time_left_s: None,
        };
        Status {
            phase: Phase::Recording,
            at_s,
            elapsed_s: at_s,
            on_disk: 1,
            required: 1,
            missing: Vec::new(),
            file,
            sources: vec![source],
            alarms: Vec::new(),
        }
    }

    #[test]
    fn a_stream_that_was_found_and_sends_nothing_is_an_alarm_until_it_sends() {
        let mut alarms = Alarms::default();
        assert_eq!(alarms.update(&status(2.0, 0, None, 0.0), 5.0, false), []);
        let raised = alarms.update(&status(3.5, 0, None, 0.0), 5.0, false);
        assert!(
            matches!(&raised[..], [Change::Raised(a)] if a.stream == "eeg" && a.severity == Severity::Failure)
        );
        assert_eq!(alarms.update(&status(4.5, 0, None, 0.0), 5.0, false), [], "told once");
        assert!(alarms.list()[0].text.contains("for 4 s"), "with the newest numbers: {:?}", alarms.list());
        let cleared = alarms.update(&status(5.0, 1, Some(0.0), 100.0), 5.0, false);
        assert!(matches!(&cleared[..], [Change::Cleared(_)]));
        assert!(alarms.list().is_empty());
    }

    #[test]
    fn a_rate_that_is_off_is_a_warning_and_then_a_failure() {
        let mut alarms = Alarms::default();
        assert_eq!(alarms.update(&status(5.0, 9, Some(0.0), 50.0), 5.0, false), [], "too early to say");
        let first = alarms.update(&status(20.0, 9, Some(0.0), 95.0), 5.0, false);
        assert!(matches!(&first[..], [Change::Raised(a)] if a.severity == Severity::Warning));
        let second = alarms.update(&status(21.0, 9, Some(0.0), 80.0), 5.0, false);
        assert!(
            matches!(&second[..], [Change::Raised(a)] if a.severity == Severity::Failure),
            "worse is told"
        );
        let stale = alarms.update(&status(22.0, 9, Some(4.0), 80.0), 5.0, false);
        assert_eq!(stale.len(), 2, "no longer a rate, but silence: {stale:?}");
    }
}
