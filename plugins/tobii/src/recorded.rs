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

/// What was counted.
#[derive(Debug, Default)]
struct Counted {
    gaze: u64,
    lost: u64,
    sync_operations: u64,
    clock_resets: u64,
    reconnects: u64,
}

/// Why samples are missing before the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Break {
    /// The connection was lost, and why.
    Disconnected(String),
    /// It had paused, and took none.
    Paused,
}

/// The streams of a tracker.
#[derive(Debug)]
pub struct Recorded {
    host: Host,
    clock: Clock,
    watch: JumpWatch,
    gaze: RawStream,
    time_sync: RawStream,
    others: Vec<(Kind, RawStream)>,
    events: Option<TextStream>,
    frequency_hz: f64,
    /// How far the clock that the library reads is ahead of recorder time, in microseconds.
    ahead_us: f64,
    /// Device time of the last gaze sample, in microseconds, on this time line.
    last_us: Option<i64>,
    /// Samples that are to be pushed: stamps and values.
    stamps_s: Vec<f64>,
    values: Vec<u8>,
    broken: Option<Break>,
    /// The clock began anew since the last sample, and why that is known.
    anew: Option<String>,
    /// A jump was measured while samples from before it may still wait: why, and the exchanges after it.
    jumped: Option<(String, Vec<Exchange>)>,
    /// Where the clock was before it began anew.
    before_jump: Option<Corridor>,
    said: Option<(State, String)>,
    counted: Counted,
}

impl Recorded {
    /// Add the clock and the streams of `tracker`; `ahead_us` is how far the clock that the library reads is ahead of
    /// recorder time.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn new(host: Host, tracker: &Tracker, ahead_us: f64) -> Result<Self, Error> {
        let info = ClockInfo::new("Tobii_clock", Domain::Device).resolution_s(RESOLUTION_S, Stamp::Exact);
        let clock = host.add_clock(&info)?;
        let add = |kind| streams::add(host, tracker, kind, &clock);
        let others = tracker.streams.iter().filter(|kind| !kind.is_gaze() && **kind != Kind::Events);
        let gaze = tracker.streams.iter().copied().find(|kind| kind.is_gaze()).unwrap_or(Kind::Gaze);
        let has_events = tracker.streams.contains(&Kind::Events);
        Ok(Self {
            gaze: add(gaze)?,
            time_sync: add(Kind::TimeSync)?,
            others: others.map(|kind| Ok((*kind, add(*kind)?))).collect::<Result<_, Error>>()?,
            events: has_events.then(|| streams::add_events(host, tracker, &clock)).transpose()?,
            host,
            clock,
            watch: JumpWatch::new(0.0),
            frequency_hz: tracker.frequency_hz,
            ahead_us,
            last_us: None,
            stamps_s: Vec::new(),
            values: Vec::new(),
            broken: None,
            anew: None,
            jumped: None,
            before_jump: None,
            said: None,
            counted: Counted::default(),
        })
    }

    /// Whether the clock may have begun anew, or samples are missing, within these: measure before they are taken.
    pub fn is_torn(&self, items: &[Item]) -> bool {
        let mut last_us = self.last_us;
        items.iter().any(|item| {
            let Item::Gaze { stamp_s, .. } = item else { return false };
            let now_us = microseconds(*stamp_s);
            last_us.replace(now_us).is_some_and(|before_us| self.is_apart(before_us, now_us))
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
                Item::Sample(kind, at, bytes) => {
                    let stamp_s = match at {
                        At::Device(stamp_s) => stamp_s,
                        At::System(us) => recorder_s(us, self.ahead_us),
                        At::Now => self.host.now_s(),
                    };
                    if let Some((_, stream)) = self.others.iter_mut().find(|(of, _)| *of == kind) {
                        // What found no room is counted by the recorder, here and below.
                        let _ = stream.push_bytes(&[stamp_s], &bytes)?;
                    }
                }
                Item::Event(stamp_s, text) => {
                    if let Some(stream) = &mut self.events {
                        let _ = stream.push(&[stamp_s], &[text.as_str()])?;
                    }
                }
                Item::TimeSync(operation) => self.sync(&[operation])?,
                Item::Notice(name, details) => self.host.event(name, &details)?,
                Item::Paused(true) => {
                    self.broken = Some(Break::Paused);
                    self.say(State::Degraded, "the tracker has paused");
                }
                Item::Paused(false) | Item::Connected(true) => self.say(State::Streaming, ""),
                Item::Connected(false) => self.lost("the library lost the tracker"),
                Item::Lost(count) => {
                    self.flush()?;
                    self.host.log(LogLevel::Error, &format!("{count} items of the tracker found no room"));
                    self.gaze.report_gap(None, "items of the tracker found no room")?;
                }
            }
        }
        self.flush()?;
        // No sample of another time line came: there was none.
        self.begin_time_line()
    }

    fn gaze(&mut self, stamp_s: f64, values: &[f64]) -> Result<(), Error> {
        let now_us = microseconds(stamp_s);
        if self.anew.is_none() && self.last_us.is_some_and(|last_us| self.is_apart(last_us, now_us)) {
            if self.jumped.is_some() {
                self.begin_time_line()?;
            } else if self.last_us.is_some_and(|last_us| now_us < last_us) {
                self.before_jump = self.watch.corridor();
                self.watch.forget();
                self.reset("the tracker's stamps begin anew")?;
            }
        }
        self.tell_break(now_us)?;
        if self.counted.gaze == 0 || self.said.as_ref().is_some_and(|(state, _)| *state == State::Lost) {
            self.say(State::Streaming, "");
        }
        self.counted.gaze += 1;
        self.last_us = Some(now_us);
        self.stamps_s.push(stamp_s);
        self.values.extend(values.iter().flat_map(|value| value.to_ne_bytes()));
        Ok(())
    }

    /// What is missing between the last sample and one at `now_us`.
    fn tell_break(&mut self, now_us: i64) -> Result<(), Error> {
        let anew = self.anew.take();
        let broken = self.broken.take();
        let Some(last_us) = self.last_us else { return Ok(()) };
        let before_jump = self.before_jump.take_if(|_| anew.is_some());
        let passed_s = match (&anew, before_jump, self.watch.corridor()) {
            (None, ..) => Some(seconds(now_us.saturating_sub(last_us))),
            // On two time lines: by where both are in recorder time, if that is known well enough.
            (Some(_), Some(before), Some(now)) => {
                let apart_s = (seconds(now_us) + now.middle_s()) - (seconds(last_us) + before.middle_s());
                (before.width_s().max(now.width_s()) * self.frequency_hz < 0.5).then_some(apart_s)
            }
            (Some(_), ..) => None,
        };
        let missing = passed_s.filter(|_| self.frequency_hz > 0.0);
        let missing = missing.map(|passed_s| ((passed_s * self.frequency_hz).round() - 1.0).max(0.0) as u64);
        let (lost, reason) = match (broken, missing) {
            (Some(Break::Paused), _) => (Some(0), "the tracker had paused".to_owned()),
            (Some(Break::Disconnected(why)), missing) => (missing, why),
            (None, None | Some(0)) if anew.is_none() => return Ok(()),
            (None, missing) => (missing, anew.unwrap_or_else(|| "never came from the tracker".to_owned())),
        };
        self.counted.lost += lost.unwrap_or(0);
        self.flush()?;
        self.gaze.report_gap(lost, &reason)
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
            let before = self.watch.corridor();
            if let Some(jump_s) = self.watch.jump_s(exchange) {
                self.push(&mut exchanges)?;
                self.begin_time_line()?;
                self.before_jump = before;
                self.jumped = Some((format!("the tracker's clock jumped by {jump_s:+.6} s"), Vec::new()));
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
        let Some((why, mut after)) = self.jumped.take() else { return Ok(()) };
        self.reset(&why)?;
        self.push(&mut after)
    }

    fn push(&mut self, exchanges: &mut Vec<Exchange>) -> Result<(), Error> {
        if !exchanges.is_empty() {
            let _ = self.clock.push_exchanges(exchanges)?;
            exchanges.clear();
        }
        Ok(())
    }

    fn reset(&mut self, why: &str) -> Result<(), Error> {
        self.flush()?;
        self.counted.clock_resets += 1;
        self.anew = Some(why.to_owned());
        self.clock.reset(why)
    }

    /// The connection is lost.
    pub fn lost(&mut self, why: &str) {
        self.broken = Some(Break::Disconnected(why.to_owned()));
        self.say(State::Lost, why);
    }

    /// It is there again.
    pub fn found(&mut self) {
        self.counted.reconnects += 1;
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
