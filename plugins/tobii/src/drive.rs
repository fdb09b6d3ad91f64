//! The thread `tobii`: opens the tracker, records what it sends, measures its clock, and connects again.

use std::time::{Duration, Instant};

use lockstep_platform::monotonic_ns;
use lockstep_plugin_api::{Error, Host, LogLevel, ProbeSchedule, ProbeSettings, State, Stop};
use serde_json::{Value, json};

use crate::backend::{Backend, Item, SyncOperation, Trouble};
use crate::glasses3::Glasses3;
use crate::options::{BackendKind, Options};
use crate::pro_sdk::ProSdk;
use crate::recorded::Recorded;
use crate::stream_engine::StreamEngine;

/// Pause before a tracker that is not there is looked for again.
const SEARCH_AGAIN: Duration = Duration::from_millis(500);
/// Pause before a connection that was lost is made again.
const RECONNECT_AGAIN: Duration = Duration::from_millis(100);
/// Pairs of readings by which the clock that a library reads is compared with ours.
const READINGS: usize = 20;
/// What is less than this, in microseconds, beside what the readings leave open is no difference.
const SAME_CLOCK_US: f64 = 2.0;
/// Longest time for the time syncs at the stop.
const LAST_SYNCS: Duration = Duration::from_millis(200);

/// Record until `stop`; what was counted.
///
/// # Errors
/// The tracker cannot be recorded, and why; those of the recorder.
pub fn run(host: Host, options: &Options, stop: &Stop) -> Result<Value, Error> {
    let Some(mut backend) = open(host, options, stop)? else { return Ok(Value::Null) };
    let ahead_us = system_clock_ahead_us(host, backend.as_ref())?;
    let recorded = Recorded::new(host, backend.tracker(), ahead_us)?;
    let settings = ProbeSettings {
        interval_s: options.time_sync.interval_s,
        probes_per_burst: options.time_sync.operations,
    };
    let mut drive = Drive {
        host,
        stop,
        recorded,
        schedule: ProbeSchedule::new(settings),
        operations: options.time_sync.operations,
        begun_s: host.now_s(),
        items: Vec::new(),
        told: String::new(),
    };
    drive.run(backend.as_mut())?;
    Ok(drive.recorded.summary())
}

/// The tracker, once it is there; `None`: it was told to stop.
fn open(host: Host, options: &Options, stop: &Stop) -> Result<Option<Box<dyn Backend>>, Error> {
    let mut told = String::new();
    loop {
        let opened: Result<Box<dyn Backend>, Trouble> = match options.backend {
            BackendKind::StreamEngine => StreamEngine::open(options).map(|backend| Box::new(backend) as _),
            BackendKind::ProSdk => ProSdk::open(options).map(|backend| Box::new(backend) as _),
            BackendKind::Glasses3 => Glasses3::open(options).map(|backend| Box::new(backend) as _),
        };
        match opened {
            Ok(backend) => return Ok(Some(backend)),
            Err(Trouble::Refused(why)) => return Err(Error::io(why)),
            Err(trouble) => {
                let why = trouble.to_string();
                if told != why {
                    host.set_state(State::Connecting, &why);
                    told = why;
                }
                if stop.wait(SEARCH_AGAIN) {
                    return Ok(None);
                }
            }
        }
    }
}

/// How far the clock that the library reads is ahead of recorder time, in microseconds: 0 where they are the same, as
/// on Linux; else measured, and said.
fn system_clock_ahead_us(host: Host, backend: &dyn Backend) -> Result<f64, Error> {
    let us = || monotonic_ns() as f64 / 1e3;
    // Where it must lie, by each pair: after the one reading and before the other. Microseconds are floored.
    let (mut lowest, mut highest) = (f64::NEG_INFINITY, f64::INFINITY);
    for _ in 0..READINGS {
        let before = us();
        let Some(system_us) = backend.system_clock_us() else { continue };
        let after = us();
        lowest = lowest.max(system_us as f64 - after);
        highest = highest.min(system_us as f64 + 1.0 - before);
    }
    if lowest.is_infinite() {
        host.log(LogLevel::Warn, "the library does not tell its clock; it is taken for that of this machine");
        return Ok(0.0);
    }
    let ahead_us = f64::midpoint(lowest, highest);
    let is_same = lowest <= SAME_CLOCK_US && highest >= -SAME_CLOCK_US;
    let details = json!({"ahead_us": ahead_us, "same": is_same, "within_us": (highest - lowest) / 2.0});
    host.event("tobii_system_clock", &details)?;
    if is_same {
        return Ok(0.0);
    }
    let text = format!(
        "the clock that the library reads is {:+.3} ms ahead of the recorder's; allowed for",
        ahead_us / 1e3
    );
    host.log(LogLevel::Warn, &text);
    Ok(ahead_us)
}

struct Drive<'a> {
    host: Host,
    stop: &'a Stop,
    recorded: Recorded,
    schedule: ProbeSchedule,
    operations: u32,
    begun_s: f64,
    items: Vec<Item>,
    /// What was last said to be wrong with time syncs.
    told: String,
}

impl Drive<'_> {
    fn run(&mut self, backend: &mut dyn Backend) -> Result<(), Error> {
        while !self.stop.is_set() {
            let pumped = backend.pump(&mut self.items);
            if self.recorded.is_torn(&self.items) {
                // Whether its clock jumped is to be known before samples are called lost, or of another time line.
                self.measure(backend)?;
                self.restart_schedule();
            }
            self.recorded.take(&mut self.items)?;
            if let Err(trouble) = pumped {
                self.reconnect(backend, &trouble)?;
            }
            let elapsed_s = self.elapsed_s();
            if elapsed_s >= self.schedule.next_burst_s() {
                self.schedule.burst_begun(elapsed_s);
                self.measure(backend)?;
                self.recorded.take(&mut self.items)?;
            }
        }
        let begun = Instant::now();
        let mut last = Vec::new();
        while last.len() < self.operations as usize && begun.elapsed() < LAST_SYNCS {
            match backend.time_sync() {
                Some(Ok(operation)) => last.push(operation),
                _ => break,
            }
        }
        self.recorded.sync(&last)?;
        // What is on its way; that the connection is lost by now is no matter.
        let _ = backend.pump(&mut self.items);
        self.recorded.take(&mut self.items)
    }

    fn elapsed_s(&self) -> f64 {
        self.host.now_s() - self.begun_s
    }

    fn restart_schedule(&mut self) {
        let elapsed_s = self.elapsed_s();
        self.schedule.restart(elapsed_s);
        // The one that is due now was just made.
        self.schedule.burst_begun(elapsed_s);
    }

    /// A burst of time syncs. What comes meanwhile waits in the items.
    fn measure(&mut self, backend: &mut dyn Backend) -> Result<(), Error> {
        let mut burst: Vec<SyncOperation> = Vec::new();
        for _ in 0..self.operations {
            match backend.time_sync() {
                None => break,
                Some(Ok(operation)) => burst.push(operation),
                Some(Err(trouble)) => {
                    // A connection that is lost shows in what is pumped.
                    let text = format!("no time sync: {trouble}");
                    if matches!(trouble, Trouble::Refused(_)) {
                        self.recorded.say(State::Degraded, &text);
                    }
                    if self.told != text {
                        self.host.log(LogLevel::Warn, &text);
                        self.told = text;
                    }
                    break;
                }
            }
            if backend.pump(&mut self.items).is_err() || self.stop.is_set() {
                break;
            }
        }
        if !burst.is_empty() && !std::mem::take(&mut self.told).is_empty() {
            self.recorded.say(State::Streaming, "");
        }
        self.recorded.sync(&burst)
    }

    /// Connect again, for as long as it takes.
    fn reconnect(&mut self, backend: &mut dyn Backend, trouble: &Trouble) -> Result<(), Error> {
        self.recorded.lost(&trouble.to_string());
        while !self.stop.wait(RECONNECT_AGAIN) {
            match backend.reconnect() {
                Ok(()) => {
                    self.recorded.found();
                    // Before its samples are taken: its clock may have begun anew.
                    self.measure(backend)?;
                    self.restart_schedule();
                    return Ok(());
                }
                Err(Trouble::Upgrading) => self.recorded.say(State::Lost, &Trouble::Upgrading.to_string()),
                Err(_) => {}
            }
        }
        Ok(())
    }
}
