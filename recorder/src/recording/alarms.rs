//! What someone should look at: found from the status, kept while it lasts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::files::Trouble;
use super::intake::SourceKind;
use super::notice::samples;
use super::state::State;
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
/// Deviation of the effective rate from the nominal one: warning, failure.
const RATE_OFF: (f64, f64) = (0.02, 0.10);
/// A clock that was measured must be measured again within this many intervals and some seconds.
const CLOCK_STALE_INTERVALS: f64 = 3.0;
/// A clock that stamps streams must be measured for the first time within this and one interval.
const FIRST_MEASUREMENT_S: f64 = 5.0;
/// An alarm is over when what raised it has been gone for this long: one that flickers stays on.
const CLEAR_AFTER_S: f64 = 5.0;
/// Free space lasts at least: warning, failure.
const DISK_LEFT_S: (f64, f64) = (3600.0, 600.0);
/// A queue this full: warning.
const QUEUE_FULL: f64 = 0.25;

/// The alarms that are on, and when each was last found.
#[derive(Debug, Default)]
pub struct Alarms {
    on: BTreeMap<String, (Alarm, f64)>,
}

/// What else is wrong than the status shows.
#[derive(Debug, Clone, Default)]
pub struct FileTrouble {
    /// Writing fails at this moment.
    pub write: Option<Trouble>,
    /// The disk did not keep something.
    pub sync_error: Option<String>,
    /// The file was deleted and cannot be written anew, or is not where it was; in words.
    pub deleted: Option<String>,
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
    pub fn update(&mut self, status: &Status, clock_interval_s: f64, trouble: &FileTrouble) -> Vec<Change> {
        let mut changes = Vec::new();
        for finding in find(status, clock_interval_s, trouble) {
            let key = finding.key();
            let Finding { severity, source, stream, text, .. } = finding;
            match self.on.get_mut(&key) {
                // Getting worse is told again; new numbers in the text are not.
                Some((alarm, found_s)) if alarm.severity >= severity => {
                    alarm.text = text;
                    *found_s = status.at_s;
                }
                _ => {
                    let alarm = Alarm { severity, source, stream, text, since_s: status.at_s };
                    changes.push(Change::Raised(alarm.clone()));
                    self.on.insert(key, (alarm, status.at_s));
                }
            }
        }
        self.on.retain(|_, (alarm, found_s)| {
            let over = status.at_s - *found_s >= CLEAR_AFTER_S;
            if over {
                changes.push(Change::Cleared(alarm.clone()));
            }
            !over
        });
        changes
    }

    /// Those that are on, newest first.
    pub fn list(&self) -> Vec<Alarm> {
        let mut list: Vec<Alarm> = self.on.values().map(|(alarm, _)| alarm.clone()).collect();
        list.sort_by(|a, b| b.since_s.total_cmp(&a.since_s));
        list
    }
}

fn find(status: &Status, clock_interval_s: f64, trouble: &FileTrouble) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |kind, severity, text| {
        found.push(Finding { kind, severity, source: String::new(), stream: String::new(), text });
    };
    if let Some(error) = &trouble.sync_error {
        add("sync", Severity::Failure, format!("the disk did not keep what was written: {error}"));
    }
    if let Some(Trouble { error, held_bytes, lost_samples }) = &trouble.write {
        let held = *held_bytes as f64 / 1e6;
        let lost = match lost_samples {
            0 => "nothing is lost yet".to_owned(),
            lost => format!("{} lost so far", samples(*lost)),
        };
        add(
            "write",
            Severity::Failure,
            format!("writing fails: {error}; {held:.1} MB wait in memory, {lost}"),
        );
    }
    if let Some(text) = &trouble.deleted {
        add("deleted", Severity::Failure, text.clone());
    }
    if let Some(left_s) = status.file.time_left_s.filter(|left_s| *left_s < DISK_LEFT_S.0) {
        let severity = if left_s < DISK_LEFT_S.1 { Severity::Failure } else { Severity::Warning };
        let left =
            if left_s < 120.0 { format!("{left_s:.0} s") } else { format!("{:.0} min", left_s / 60.0) };
        add("disk", severity, format!("the disk is full in {left}: free some space"));
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
        State::Degraded if source.kind == SourceKind::MasterClock => {
            add("state", "", Severity::Warning, source.reason.clone());
        }
        State::Lost => add("state", "", Severity::Failure, format!("the device is gone{because}")),
        State::Degraded => add("state", "", Severity::Warning, format!("degraded{because}")),
        _ => {}
    }
    if source.queue_fill > QUEUE_FULL {
        let text = format!("its queue is {:.0} % full: the disk is too slow", 100.0 * source.queue_fill);
        add("queue", "", Severity::Warning, text);
    }
    // A master clock is measured at intervals of its own, and says itself when that fails.
    if source.state.is_silent() || source.kind == SourceKind::MasterClock {
        return;
    }
    for stream in source.streams.iter().filter(|s| !s.state.is_silent()) {
        let is_regular = stream.nominal_rate_hz > 0.0;
        // A stream of events that is not required, or of which the source says so, may stay silent: before
        // the first trial that is normal. So may one that nobody requires; but a regular one that has begun
        // and stops is worth a look.
        let may_be_silent = stream.may_be_silent || (!source.required && !is_regular);
        if may_be_silent && !(is_regular && stream.newest_age_s.is_some()) {
            continue;
        }
        if let Some((kind, severity, text)) = find_in_stream(stream, &because) {
            let severity = if may_be_silent { Severity::Warning } else { severity };
            add(kind, &stream.name, severity, text);
        }
    }
    for clock in &source.clocks {
        let clock_interval_s = clock.interval_s.unwrap_or(clock_interval_s);
        let limit_s = CLOCK_STALE_INTERVALS * clock_interval_s + 5.0;
        let unmeasured = clock.offsets == 0 && clock.streams > 0;
        if unmeasured && clock.known_for_s > FIRST_MEASUREMENT_S + clock_interval_s {
            let text =
                format!("{}: never measured; its stamps cannot be placed on recorder time", clock.name);
            add("clock", "", Severity::Warning, text);
        }
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
    if stream.silent_for_s().is_some() {
        return Some(("silent", Severity::Failure, format!("no samples for {age_s:.0} s")));
    }
    let rate_hz =
        stream.effective_rate_hz.filter(|_| stream.known_for_s > RATE_WINDOW_S.max(10.0 / nominal_hz))?;
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
    use crate::recording::status::sample;

    fn status(at_s: f64, samples: u64, newest_age_s: Option<f64>, rate_hz: f64) -> Status {
        let mut source = sample::source("eeg", State::Streaming);
        let stream = &mut source.streams[0];
        (stream.samples, stream.newest_age_s, stream.known_for_s) = (samples, newest_age_s, at_s);
        stream.effective_rate_hz = Some(rate_hz);
        sample::status(at_s, vec![source])
    }

    fn update(alarms: &mut Alarms, status: &Status) -> Vec<Change> {
        alarms.update(status, 5.0, &FileTrouble::default())
    }

    #[test]
    fn a_stream_that_was_found_and_sends_nothing_is_an_alarm_until_it_sends() {
        let mut alarms = Alarms::default();
        assert_eq!(update(&mut alarms, &status(2.0, 0, None, 0.0)), []);
        let raised = update(&mut alarms, &status(3.5, 0, None, 0.0));
        assert!(
            matches!(&raised[..], [Change::Raised(a)] if a.stream == "eeg" && a.severity == Severity::Failure)
        );
        assert_eq!(update(&mut alarms, &status(4.5, 0, None, 0.0)), [], "told once");
        assert!(alarms.list()[0].text.contains("for 4 s"), "with the newest numbers: {:?}", alarms.list());
        assert_eq!(update(&mut alarms, &status(5.0, 1, Some(0.0), 100.0)), [], "not over at once");
        let cleared = update(&mut alarms, &status(9.6, 9, Some(0.0), 100.0));
        assert!(matches!(&cleared[..], [Change::Cleared(_)]));
        assert!(alarms.list().is_empty());
    }

    #[test]
    fn a_stream_that_may_be_silent_is_no_alarm_until_it_has_begun_a_regular_rate() {
        let severity = |may_be_silent: bool, nominal_rate_hz: f64, newest_age_s: Option<f64>| {
            let mut now = status(90.0, 0, newest_age_s, 0.0);
            let stream = &mut now.sources[0].streams[0];
            (stream.may_be_silent, stream.nominal_rate_hz) = (may_be_silent, nominal_rate_hz);
            match &update(&mut Alarms::default(), &now)[..] {
                [] => None,
                [Change::Raised(alarm)] => Some(alarm.severity),
                other => panic!("{other:?}"),
            }
        };
        for newest_age_s in [None, Some(60.0)] {
            assert_eq!(severity(false, 100.0, newest_age_s), Some(Severity::Failure));
            assert_eq!(severity(true, 0.0, newest_age_s), None, "events");
        }
        assert_eq!(severity(true, 100.0, None), None, "nobody waits for it");
        assert_eq!(severity(true, 100.0, Some(60.0)), Some(Severity::Warning), "it had begun");
    }

    #[test]
    fn a_rate_that_is_off_is_a_warning_and_then_a_failure() {
        let mut alarms = Alarms::default();
        assert_eq!(update(&mut alarms, &status(5.0, 9, Some(0.0), 50.0)), [], "too early to say");
        let first = update(&mut alarms, &status(20.0, 9, Some(0.0), 95.0));
        assert!(matches!(&first[..], [Change::Raised(a)] if a.severity == Severity::Warning));
        let second = update(&mut alarms, &status(21.0, 9, Some(0.0), 80.0));
        assert!(
            matches!(&second[..], [Change::Raised(a)] if a.severity == Severity::Failure),
            "worse is told"
        );
    }

    #[test]
    fn a_rate_at_the_edge_is_one_alarm_and_no_flicker() {
        let mut alarms = Alarms::default();
        let changes: usize = (0..100)
            .map(|i| {
                let rate_hz = if i % 2 == 0 { 97.9 } else { 98.1 };
                update(&mut alarms, &status(20.0 + f64::from(i), 9, Some(0.0), rate_hz)).len()
            })
            .sum();
        assert_eq!(changes, 1);
    }

    #[test]
    fn a_clock_that_is_never_measured_is_an_alarm_when_it_stamps_streams() {
        let clock = |streams| crate::recording::status::ClockStatus { streams, ..sample::clock("dev") };
        for (streams, alarmed) in [(0, 0), (1, 1)] {
            let mut now = status(11.0, 9, Some(0.0), 100.0);
            now.sources[0].clocks = vec![clock(streams)];
            assert_eq!(update(&mut Alarms::default(), &now).len(), alarmed);
        }
    }

    #[test]
    fn a_clock_that_is_measured_rarely_is_an_alarm_only_when_it_is_late() {
        let clock = |age_s, interval_s| crate::recording::status::ClockStatus {
            age_s: Some(age_s),
            interval_s,
            offsets: 3,
            ..sample::clock("dev")
        };
        for (age_s, interval_s, alarmed) in
            [(15.0, None, 0), (60.0, None, 1), (60.0, Some(60.0), 0), (200.0, Some(60.0), 1)]
        {
            let mut now = status(11.0, 9, Some(0.0), 100.0);
            now.sources[0].clocks = vec![clock(age_s, interval_s)];
            assert_eq!(update(&mut Alarms::default(), &now).len(), alarmed, "{age_s} {interval_s:?}");
        }
    }

    #[test]
    fn a_master_clock_that_does_not_answer_is_a_warning_in_its_own_words() {
        let with = |state, reason| {
            let mut now = status(11.0, 9, Some(0.0), 100.0);
            now.sources.push(sample::master_clock(state, reason));
            update(&mut Alarms::default(), &now)
        };
        let raised = with(State::Degraded, "10.0.0.1 does not answer");
        assert!(
            matches!(&raised[..], [Change::Raised(a)] if a.source == "ntp" && a.severity == Severity::Warning
                && a.text == "10.0.0.1 does not answer"),
            "{raised:?}"
        );
        assert_eq!(with(State::Streaming, ""), [], "its interval is longer than that of device clocks");
    }
}
