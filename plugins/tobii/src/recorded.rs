//! What comes from a tracker is recorded: samples, time syncs, what was lost.

use lockstep_plugin_api::{
    Clock, ClockInfo, Corridor, Domain, Error, Exchange, Host, JumpWatch, LogLevel, RawStream, Stamp, State,
    TextStream,
};
use serde_json::{Value, json};

use crate::backend::{At, Item, SyncOperation, Tracker};
use crate::streams::{self, Kind, US, seconds};

/// A pause between two samples that is longer than so many is looked into before it is called a loss.
const TORN_PERIODS: f64 = 20.0;
/// The clock reads whole microseconds.
const RESOLUTION_S: f64 = 1e-6;
/// How much two clocks may drift apart, in seconds a second.
const DRIFT: f64 = 100e-6;

/// What was counted.
#[derive(Debug, Default)]
struct Counted {
    gaze: u64,
    lost: u64,
    sync_operations: u64,
    clock_resets: u64,
    reconnects: u64,
}

/// What has happened since the last sample of gaze, and whether it is over.
#[derive(Debug, Default)]
enum Since<T> {
    #[default]
    Nothing,
    Began(T),
    Over(T),
}

impl<T> Since<T> {
    fn began(&mut self, what: T) {
        *self = Self::Began(what);
    }

    fn over(&mut self) {
        if let Self::Began(what) = std::mem::take(self) {
            *self = Self::Over(what);
        }
    }

    /// It explains what is missing before the next sample: where something is, or it is over.
    fn take(&mut self, is_missing: bool) -> Option<T> {
        match std::mem::take(self) {
            Self::Nothing => None,
            Self::Began(what) if !is_missing => {
                self.began(what);
                None
            }
            Self::Began(what) | Self::Over(what) => Some(what),
        }
    }

    fn is_going_on(&self) -> bool {
        matches!(self, Self::Began(_))
    }
}

/// The clock began anew: why that is known, and where it was before, if that is known.
#[derive(Debug)]
struct Anew {
    why: String,
    before: Option<Corridor>,
}

/// A stream beside gaze, and its last stamp on this time line.
#[derive(Debug)]
struct Other {
    kind: Kind,
    stream: RawStream,
    last_s: f64,
}

/// The streams of a tracker.
#[derive(Debug)]
pub struct Recorded {
    host: Host,
    clock: Clock,
    watch: JumpWatch,
    /// When the clock was last measured, in seconds of recorder time.
    measured_s: f64,
    gaze: RawStream,
    time_sync: RawStream,
    others: Vec<Other>,
    events: Option<TextStream>,
    frequency_hz: f64,
    /// How far the clock that the library reads is ahead of recorder time, in microseconds.
    ahead_us: f64,
    /// Device time of the last gaze sample, in microseconds.
    last_us: Option<i64>,
    /// Samples that are to be pushed: stamps and values.
    stamps_s: Vec<f64>,
    values: Vec<u8>,
    disconnected: Since<String>,
    paused: Since<()>,
    /// Since the last sample.
    anew: Option<Anew>,
    /// A jump was measured while samples from before it may still wait, and exchanges after it.
    jumped: Option<(Anew, Vec<Exchange>)>,
    said: Option<(State, String)>,
    counted: Counted,
}

impl Recorded {
    /// Add the clock and the streams of `tracker`, whose clock is measured each `interval_s` seconds; `ahead_us` is how
    /// far the clock that the library reads is ahead of recorder time.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn new(host: Host, tracker: &Tracker, interval_s: f64, ahead_us: f64) -> Result<Self, Error> {
        let info = ClockInfo::new("Tobii_clock", Domain::Device).resolution_s(RESOLUTION_S, Stamp::Exact);
        let clock = host.add_clock(&info.interval_s(interval_s))?;
        let add = |kind| streams::add(host, tracker, kind, &clock);
        let others = tracker.streams.iter().filter(|kind| !kind.is_gaze() && **kind != Kind::Events);
        let other = |kind: &Kind| Ok(Other { kind: *kind, stream: add(*kind)?, last_s: f64::NEG_INFINITY });
        let gaze = tracker.streams.iter().copied().find(|kind| kind.is_gaze()).unwrap_or(Kind::Gaze);
        let has_events = tracker.streams.contains(&Kind::Events);
        Ok(Self {
            gaze: add(gaze)?,
            time_sync: add(Kind::TimeSync)?,
            others: others.map(other).collect::<Result<_, Error>>()?,
            events: has_events.then(|| streams::add_events(host, tracker, &clock)).transpose()?,
            host,
            clock,
            watch: JumpWatch::new(0.0),
            measured_s: f64::NEG_INFINITY,
            frequency_hz: tracker.frequency_hz,
            ahead_us,
            last_us: None,
            stamps_s: Vec::new(),
            values: Vec::new(),
            disconnected: Since::Nothing,
            paused: Since::Nothing,
            anew: None,
            jumped: None,
            said: None,
            counted: Counted::default(),
        })
    }

    /// Whether the clock may have begun anew, or samples are missing, within these: measure before they are taken.
    pub fn is_torn(&self, items: &[Item]) -> bool {
        let mut last_us = self.last_us;
        items.iter().any(|item| match item {
            Item::Gaze { stamp_s, .. } => {
                let now_us = microseconds(*stamp_s);
                last_us.replace(now_us).is_some_and(|before_us| self.is_apart(before_us, now_us))
            }
            Item::Sample(kind, At::Device(stamp_s), _) => {
                self.others.iter().any(|other| other.kind == *kind && *stamp_s < other.last_s)
            }
            _ => false,
        })
    }

    fn is_apart(&self, before_us: i64, now_us: i64) -> bool {
        let passed_us = now_us.saturating_sub(before_us);
        passed_us < 0 || passed_us as f64 * self.frequency_hz.max(1.0) > TORN_PERIODS * US as f64
    }

    /// Record what has come.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn take(&mut self, items: &mut Vec<Item>) -> Result<(), Error> {
        for item in items.drain(..) {
            match item {
                Item::Gaze { stamp_s, values } => self.gaze(stamp_s, &values)?,
                Item::Sample(kind, at, bytes) => self.sample(kind, at, &bytes)?,
                Item::Event(stamp_s, text) => {
                    self.flush()?;
                    if let Some(stream) = &mut self.events {
                        // What found no room is counted by the recorder, here and below.
                        let _ = stream.push(&[stamp_s], &[text.as_str()])?;
                    }
                }
                Item::TimeSync(operation) => self.sync(&[operation])?,
                Item::Notice(name, details) => self.host.event(name, &details)?,
                Item::Frequency(hz) => self.frequency(hz)?,
                Item::Wrong(text) => {
                    self.host.log(LogLevel::Error, &text);
                    self.say(State::Degraded, &text);
                }
                Item::Paused(true) => {
                    self.paused.began(());
                    self.say(State::Degraded, "the tracker has paused");
                }
                Item::Paused(false) => self.paused.over(),
                Item::Connected(true) => self.found(),
                Item::Connected(false) => self.lost("the library lost the tracker"),
                Item::Lost(count) => {
                    let text = format!("{count} items of the tracker could not be taken or read");
                    self.host.log(LogLevel::Error, &text);
                    self.gap_everywhere(&text)?;
                }
            }
        }
        self.flush()?;
        // No sample of another time line came: there was none.
        self.begin_time_line()
    }

    fn gaze(&mut self, stamp_s: f64, values: &[f64]) -> Result<(), Error> {
        let now_us = microseconds(stamp_s);
        if let Some(last_us) = self.last_us
            && self.anew.is_none()
            && self.is_apart(last_us, now_us)
        {
            self.find_time_line(now_us < last_us)?;
        }
        self.tell_break(now_us)?;
        if !self.disconnected.is_going_on() && !self.paused.is_going_on() {
            let is_first = self.counted.gaze == 0;
            let was_away =
                |(state, why): &(State, String)| *state == State::Lost || why == "the tracker has paused";
            if is_first || self.said.as_ref().is_some_and(was_away) {
                self.say(State::Streaming, "");
            }
        }
        self.counted.gaze += 1;
        self.last_us = Some(now_us);
        self.stamps_s.push(stamp_s);
        self.values.extend(values.iter().flat_map(|value| value.to_ne_bytes()));
        Ok(())
    }

    fn sample(&mut self, kind: Kind, at: At, bytes: &[u8]) -> Result<(), Error> {
        let Some(place) = self.others.iter().position(|other| other.kind == kind) else { return Ok(()) };
        let (stamp_s, is_of_device) = match at {
            At::Device(stamp_s) => (stamp_s, true),
            At::System(us) => (recorder_s(us, self.ahead_us), false),
            At::Now => (self.host.now_s(), false),
        };
        if is_of_device && stamp_s < self.others[place].last_s && self.anew.is_none() {
            self.find_time_line(true)?;
        }
        let other = &mut self.others[place];
        if is_of_device {
            other.last_s = stamp_s;
        }
        other.stream.push_bytes(&[stamp_s], bytes).map(drop)
    }

    /// Stamps are torn here: the clock began anew if that was measured, or if they go back.
    fn find_time_line(&mut self, goes_back: bool) -> Result<(), Error> {
        if self.jumped.is_some() {
            self.begin_time_line()
        } else if goes_back {
            let before = self.watch.corridor();
            self.watch.forget();
            self.reset(Anew { why: "the tracker's stamps begin anew".to_owned(), before })
        } else {
            Ok(())
        }
    }

    /// What is missing between the last sample and one at `now_us`.
    fn tell_break(&mut self, now_us: i64) -> Result<(), Error> {
        let anew = self.anew.take();
        let Some(last_us) = self.last_us else {
            // Nothing is known to be missing before the first.
            let _ = (self.disconnected.take(false), self.paused.take(false));
            return Ok(());
        };
        let passed_s = match &anew {
            None => Some(seconds(now_us.saturating_sub(last_us))),
            Some(anew) => self.across(anew, last_us, now_us),
        };
        let missing = passed_s.filter(|_| self.frequency_hz > 0.0);
        let missing = missing.map(|passed_s| ((passed_s * self.frequency_hz).round() - 1.0).max(0.0) as u64);
        let is_missing = anew.is_some() || missing.is_some_and(|count| count > 0);
        let (gone, paused) = (self.disconnected.take(is_missing), self.paused.take(is_missing));
        if let Some(why) = &gone {
            // Gaze tells how much it misses; of streams without a rate nobody knows.
            self.gap_beside_gaze(why)?;
        }
        let (lost, reason) = match (gone, paused) {
            (Some(why), None) => (missing, why),
            // Which of the two it was, nobody knows.
            (Some(why), Some(())) => (None, format!("{why}; and the tracker had paused")),
            (None, Some(())) => (Some(0), "the tracker had paused".to_owned()),
            (None, None) if !is_missing => return Ok(()),
            (None, None) => {
                (missing, anew.map_or_else(|| "never came from the tracker".to_owned(), |anew| anew.why))
            }
        };
        self.counted.lost += lost.unwrap_or(0);
        self.flush()?;
        self.gaze.report_gap(lost, &reason)
    }

    /// Seconds between a sample on the time line before and one on this: by where both are in recorder time, if that is
    /// known well enough to count samples.
    fn across(&self, anew: &Anew, last_us: i64, now_us: i64) -> Option<f64> {
        let (before, now) = (anew.before?, self.watch.corridor()?);
        let apart_s = (seconds(now_us) + now.middle_s()) - (seconds(last_us) + before.middle_s());
        // What was measured a while before may have drifted.
        let unknown_s = before.width_s().max(now.width_s()) + DRIFT * (self.measured_s - before.at_s()).abs();
        (unknown_s * self.frequency_hz < 0.5).then_some(apart_s)
    }

    /// Record time syncs that were made one after the other.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn sync(&mut self, operations: &[SyncOperation]) -> Result<(), Error> {
        let mut exchanges = Vec::with_capacity(operations.len());
        for operation in operations {
            self.counted.sync_operations += 1;
            let values = [operation.request_us, operation.device_us, operation.response_us];
            let bytes: Vec<u8> = values.into_iter().flat_map(i64::to_ne_bytes).collect();
            let stamp_s = recorder_s(operation.request_us, self.ahead_us);
            let _ = self.time_sync.push_bytes(&[stamp_s], &bytes)?;
            let exchange = operation.exchange(self.ahead_us);
            self.measured_s = exchange.t3_s;
            let before = self.watch.corridor();
            if let Some(jump_s) = self.watch.jump_s(exchange) {
                self.push(&mut exchanges)?;
                self.begin_time_line()?;
                let why = format!("the tracker's clock jumped by {jump_s:+.6} s");
                self.jumped = Some((Anew { why, before }, Vec::new()));
            }
            match &mut self.jumped {
                Some((_, after)) => after.push(exchange),
                None => exchanges.push(exchange),
            }
        }
        self.push(&mut exchanges)
    }

    /// What follows is after the jump that was measured, if one was.
    fn begin_time_line(&mut self) -> Result<(), Error> {
        let Some((anew, mut after)) = self.jumped.take() else { return Ok(()) };
        self.reset(anew)?;
        self.push(&mut after)
    }

    fn push(&mut self, exchanges: &mut Vec<Exchange>) -> Result<(), Error> {
        if !exchanges.is_empty() {
            let _ = self.clock.push_exchanges(exchanges)?;
            exchanges.clear();
        }
        Ok(())
    }

    fn reset(&mut self, anew: Anew) -> Result<(), Error> {
        self.flush()?;
        self.counted.clock_resets += 1;
        self.others.iter_mut().for_each(|other| other.last_s = f64::NEG_INFINITY);
        self.clock.reset(&anew.why)?;
        self.anew = Some(anew);
        Ok(())
    }

    fn frequency(&mut self, hz: f64) -> Result<(), Error> {
        if hz > 0.0 && hz != self.frequency_hz {
            self.host.event("tobii_frequency", &json!({"from_hz": self.frequency_hz, "to_hz": hz}))?;
            self.host.log(LogLevel::Warn, &format!("the tracker sends {hz} samples a second from now on"));
            self.frequency_hz = hz;
        }
        Ok(())
    }

    /// The connection is lost.
    pub fn lost(&mut self, why: &str) {
        self.disconnected.began(why.to_owned());
        self.say(State::Lost, why);
    }

    /// It is there again.
    pub fn found(&mut self) {
        self.counted.reconnects += 1;
        self.disconnected.over();
    }

    fn gap_beside_gaze(&mut self, why: &str) -> Result<(), Error> {
        self.others.iter_mut().try_for_each(|other| other.stream.report_gap(None, why))?;
        self.events.as_mut().map_or(Ok(()), |events| events.report_gap(None, why))
    }

    fn gap_everywhere(&mut self, why: &str) -> Result<(), Error> {
        self.flush()?;
        self.gaze.report_gap(None, why)?;
        self.gap_beside_gaze(why)
    }

    /// Nothing more will come: a connection that is still lost has cost something.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn end(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.disconnected) {
            Since::Began(why) if self.counted.gaze > 0 => self.gap_everywhere(&why),
            _ => Ok(()),
        }
    }

    /// Say how the tracker is doing, once.
    pub fn say(&mut self, state: State, why: &str) {
        if self.said.as_ref().is_none_or(|(was, text)| *was != state || text != why) {
            self.host.set_state(state, why);
            self.said = Some((state, why.to_owned()));
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if !self.stamps_s.is_empty() {
            let _ = self.gaze.push_bytes(&self.stamps_s, &self.values)?;
            self.stamps_s.clear();
            self.values.clear();
        }
        Ok(())
    }

    /// What was counted.
    pub fn summary(&self) -> Value {
        let c = &self.counted;
        json!({
            "gaze": c.gaze, "lost": c.lost, "time_sync_operations": c.sync_operations,
            "clock_resets": c.clock_resets, "reconnects": c.reconnects, "system_clock_ahead_us": self.ahead_us,
        })
    }
}

fn microseconds(stamp_s: f64) -> i64 {
    (stamp_s * 1e6).round() as i64
}

fn recorder_s(system_us: i64, ahead_us: f64) -> f64 {
    seconds(system_us) - ahead_us / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_explains_what_is_missing_and_nothing_later() {
        let mut since = Since::Nothing;
        assert_eq!(since.take(true), None);
        since.began(1);
        // A sample that was still on its way.
        assert_eq!(since.take(false), None);
        assert!(since.is_going_on());
        assert_eq!(since.take(true), Some(1));
        since.began(2);
        since.over();
        assert!(!since.is_going_on());
        // Nothing was missing: what is missing later is of another cause.
        assert_eq!((since.take(false), since.take(true)), (Some(2), None));
    }
}
