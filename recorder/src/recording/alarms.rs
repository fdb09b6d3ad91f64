//! What someone should look at: found from the status, kept while it lasts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::intake::State;
use super::status::{RATE_WINDOW_S, SourceStatus, Status};

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
    /// What is wrong.
    pub text: String,
    /// Recorder time in seconds since when.
    pub since_s: f64,
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

/// What is wrong now: an identity that stays while it lasts, and the words for it.
type Finding = (String, Severity, String, String);

impl Alarms {
    /// Compare with `status` (whose own alarms are not read); what has changed.
    pub fn update(&mut self, status: &Status, clock_interval_s: f64, write_failed: bool) -> Vec<Change> {
        let found = find(status, clock_interval_s, write_failed);
        let mut changes = Vec::new();
        self.on.retain(|key, alarm| {
            let stays = found.iter().any(|f| f.0 == *key);
            if !stays {
                changes.push(Change::Cleared(alarm.clone()));
            }
            stays
        });
        for (key, severity, source, text) in found {
            match self.on.get_mut(&key) {
                // Getting worse is told again; new numbers in the text are not.
                Some(alarm) if alarm.severity >= severity => alarm.text = text,
                _ => {
                    let alarm = Alarm { severity, source, text, since_s: status.at_s };
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
    if write_failed {
        let text = "writing to the file has failed; nothing more is recorded".to_owned();
        found.push(("write".to_owned(), Severity::Failure, String::new(), text));
    }
    if let Some(left_s) = status.file.time_left_s.filter(|left_s| *left_s < DISK_LEFT_S.0) {
        let severity = if left_s < DISK_LEFT_S.1 { Severity::Failure } else { Severity::Warning };
        let text = format!("the disk is full in {:.0} min: free some space", left_s / 60.0);
        found.push(("disk".to_owned(), severity, String::new(), text));
    }
    for source in &status.sources {
        find_in_source(source, clock_interval_s, &mut found);
    }
    found
}

fn find_in_source(source: &SourceStatus, clock_interval_s: f64, found: &mut Vec<Finding>) {
    let mut add = |what: &str, severity, text: String| {
        found.push((format!("{}/{what}", source.name), severity, source.name.clone(), text));
    };
    let because = if source.reason.is_empty() { String::new() } else { format!(": {}", source.reason) };
    match source.state {
        State::Failed => add("state", Severity::Failure, format!("the source has failed{because}")),
        State::Lost => add("state", Severity::Failure, format!("the device is gone{because}")),
        State::Degraded => add("state", Severity::Warning, format!("degraded{because}")),
        _ => {}
    }
    if source.queue_fill > QUEUE_FULL {
        let text = format!("its queue is {:.0} % full: the disk is too slow", 100.0 * source.queue_fill);
        add("queue", Severity::Warning, text);
    }
    let ended = matches!(source.state, State::Finished | State::Failed | State::Lost);
    for stream in &source.streams {
        let name = &stream.name;
        let regular = stream.nominal_rate_hz > 0.0;
        match stream.newest_age_s {
            None if stream.known_for_s > FIRST_SAMPLE_S && !ended => {
                let text = format!("{name}: nothing received for {:.0} s{because}", stream.known_for_s);
                add(name, Severity::Failure, text);
            }
            Some(age_s) if regular && !ended => {
                let stale_s = STALE_S.max(STALE_INTERVALS / stream.nominal_rate_hz);
                let off = stream.effective_rate_hz.map(|r| r / stream.nominal_rate_hz - 1.0);
                let settled = stream.known_for_s > RATE_WINDOW_S;
                if age_s > stale_s {
                    add(name, Severity::Failure, format!("{name}: no samples for {age_s:.0} s"));
                } else if let Some(off) = off.filter(|off| settled && off.abs() > RATE_OFF.0) {
                    let severity = if off.abs() > RATE_OFF.1 { Severity::Failure } else { Severity::Warning };
                    let rate_hz = stream.effective_rate_hz.unwrap_or_default();
                    let (nominal_hz, percent) = (stream.nominal_rate_hz, 100.0 * off);
                    let text = format!(
                        "{name}: {rate_hz:.1} Hz where {nominal_hz} Hz are nominal ({percent:+.1} %)"
                    );
                    add(name, severity, text);
                }
            }
            _ => {}
        }
    }
    let limit_s = CLOCK_STALE_INTERVALS * clock_interval_s + 5.0;
    for clock in &source.clocks {
        let name = &clock.name;
        if let Some(age_s) = clock.age_s.filter(|age_s| *age_s > limit_s && !ended) {
            add(name, Severity::Warning, format!("{name}: not measured for {age_s:.0} s"));
        }
    }
}
