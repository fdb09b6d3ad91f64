//! One sensor: its connection, again and again, and its stream.

mod link;
mod recorded;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockstep_platform::{monotonic_ns, seconds};
use lockstep_plugin_api::{Error, Host, LogLevel, State, Stop};
use serde_json::{Value, json};

use self::link::Link;
use self::recorded::Recorded;
use crate::clock::Whereabouts;
use crate::options::Transport;
use crate::phone::{Sensor, Status};
use crate::pipeline::Output;
use crate::streams::Recordable;

/// Pause before the next try, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// A connection that lasts as long is well.
const LASTING: Duration = Duration::from_secs(3);
/// Packets wait for a sender report for so long; then their arrival has to do.
const REPORT_WAIT_NS: i64 = 10_000_000_000;

/// What a sensor's thread needs.
#[derive(Debug)]
pub struct Task {
    /// The recorder.
    pub host: Host,
    /// Which sensor.
    pub sensor: Sensor,
    /// How its samples come.
    pub transport: Transport,
    /// What the phone says of its sensors.
    pub status: Arc<Mutex<Status>>,
    /// Where the phone's clock is.
    pub whereabouts: Whereabouts,
}

impl Task {
    /// Record into `stream` until `stop`; what was counted.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn run(self, stream: Recordable, stop: &Stop) -> Result<Value, Error> {
        let mut recorded = Recorded::new(self.host, stream);
        let mut totals = Totals::default();
        let mut pause = RETRY.0;
        while !stop.is_set() {
            let url = self.status.lock().unwrap_or_else(PoisonError::into_inner).url(self.sensor);
            let Some(url) = url else {
                recorded.lost("the phone says that it is not connected; are the glasses plugged in?")?;
                stop.wait(RETRY.0);
                continue;
            };
            let begun = Instant::now();
            match Link::open(self.sensor, &url, self.transport, stop) {
                Ok(Some(mut link)) => {
                    let ended = self.stream(&mut link, &mut recorded, stop)?;
                    totals.add(&link);
                    if let Some(why) = ended {
                        recorded.lost(&why)?;
                    }
                }
                Ok(None) => break,
                Err(why) => recorded.lost(&why)?,
            }
            pause = if begun.elapsed() > LASTING { RETRY.0 } else { (pause * 2).min(RETRY.1) };
            stop.wait(pause);
        }
        recorded.finish()?;
        Ok(totals.summary())
    }

    /// Record what one connection brings; why it ended, `None`: it was told to.
    fn stream(&self, link: &mut Link, recorded: &mut Recorded, stop: &Stop) -> Result<Option<String>, Error> {
        let mut out: Vec<Output> = Vec::new();
        let ended = loop {
            if stop.is_set() {
                break None;
            }
            let step = link.step(&mut out);
            self.place_late_ones(link, &mut out);
            recorded.take(&mut out)?;
            if let Err(why) = step {
                break Some(why);
            }
        };
        link.end(&mut out);
        if let Some(since_ns) = link.pipeline.waits_since_ns() {
            self.place_by_arrival(link, since_ns, &mut out);
            link.pipeline.give_up(&mut out);
        }
        recorded.take(&mut out)?;
        Ok(ended)
    }

    fn place_late_ones(&self, link: &mut Link, out: &mut Vec<Output>) {
        let Some(since_ns) = link.pipeline.waits_since_ns() else { return };
        if monotonic_ns() - since_ns > REPORT_WAIT_NS {
            self.place_by_arrival(link, since_ns, out);
        }
    }

    fn place_by_arrival(&self, link: &mut Link, since_ns: i64, out: &mut Vec<Output>) {
        let Some(offset_s) = self.whereabouts.offset_s() else { return };
        // The difference of two large numbers, so that arrivals keep their nanoseconds.
        let first_unix_ns = ((seconds(since_ns) - offset_s) * 1e9) as i64;
        link.pipeline.place_by_arrival(|arrival_ns| first_unix_ns + (arrival_ns - since_ns), out);
        self.host.log(
            LogLevel::Warn,
            &format!(
                "{}: no sender report came, so its samples are timed by when they arrived",
                self.sensor.name()
            ),
        );
    }
}

/// What was counted over all connections.
#[derive(Debug, Default)]
struct Totals {
    connections: u64,
    order: crate::rtp::order::Counters,
    pipeline: crate::pipeline::Counters,
    ignored: u64,
    injected: u64,
    junk_bytes: u64,
    kernel_drops: u64,
}

impl Totals {
    fn add(&mut self, link: &Link) {
        let (order, counted) = (link.pipeline.order(), link.pipeline.counters);
        self.connections += 1;
        self.order.received += order.received;
        self.order.duplicates += order.duplicates;
        self.order.reordered += order.reordered;
        self.order.lost += order.lost;
        self.order.late += order.late;
        self.pipeline.unreadable += counted.unreadable;
        self.pipeline.partly += counted.partly;
        self.pipeline.keepalives += counted.keepalives;
        self.pipeline.never_placed += counted.never_placed;
        self.pipeline.incomplete += counted.incomplete;
        self.pipeline.unfinished += counted.unfinished;
        self.ignored += link.ignored;
        let (injected, junk_bytes) = link.disturbances();
        self.injected += injected;
        self.junk_bytes += junk_bytes;
        self.kernel_drops += link.kernel_drops();
    }

    fn summary(&self) -> Value {
        let (order, counted) = (self.order, self.pipeline);
        json!({
            "connections": self.connections, "packets": order.received, "duplicates": order.duplicates,
            "reordered": order.reordered, "lost": order.lost, "late": order.late,
            "unreadable": counted.unreadable, "read_in_part": counted.partly, "keepalives": counted.keepalives,
            "never_placed": counted.never_placed, "incomplete_pictures": counted.incomplete,
            "unfinished_pictures": counted.unfinished, "ignored": self.ignored,
            "answers_within_packets": self.injected, "junk_bytes": self.junk_bytes,
            "kernel_drops": self.kernel_drops,
        })
    }
}

impl Recorded {
    /// Nothing comes at present.
    fn lost(&mut self, why: &str) -> Result<(), Error> {
        self.ended(why)?;
        let state = if self.has_samples() { State::Lost } else { State::Connecting };
        self.say(state, why);
        Ok(())
    }
}
