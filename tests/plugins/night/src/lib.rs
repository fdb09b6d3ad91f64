//! A device that lives hours in minutes: streams, clock exchanges, gaps and clock resets of a whole night, pushed
//! many times as fast as they would come. For `tests/bench/night`, whose checker `tests/check/night.py` computes
//! every value and stamp once more: all of them follow from the number of the sample.

mod device;

use std::ffi::CStr;
use std::time::Instant;

use lockstep_plugin_api::{
    Clock, ClockInfo, Domain, Error, Host, Pushed, Source, State, Stop, Stream, TextStream, export_source,
};
use schemars::JsonSchema;
use serde::Deserialize;

use device::{
    EXCHANGE_EVERY_US, Gaps, RESET_EVERY_US, STEP_US, exchanges, gaze_value, signal_value, stamp_s,
};

/// Samples of each stream a second.
const SIGNAL_HZ: u64 = 500;
const GAZE_HZ: u64 = 120;
const MARKER_HZ: u64 = 1;
const SIGNAL_CHANNELS: usize = 8;
const GAZE_CHANNELS: usize = 4;
/// Real time that the device may be ahead of, before it waits.
const AHEAD_S: f64 = 0.005;

/// How long and how fast it lives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Hours that it lives.
    #[serde(default = "ten")]
    #[schemars(range(min = 0.001, max = 1000.0))]
    hours: f64,
    /// Seconds that it lives in each second.
    #[serde(default = "speed")]
    #[schemars(range(min = 0.1, max = 10_000.0))]
    speed: f64,
}

fn ten() -> f64 {
    10.0
}

fn speed() -> f64 {
    360.0
}

struct Night {
    host: Host,
    options: Options,
    stop: Stop,
}

/// What the device has in the recording.
struct Life {
    begin_s: f64,
    clock: Clock,
    signal: Stream<i16>,
    gaze: Stream<f32>,
    markers: TextStream,
    signal_gaps: Gaps,
    gaze_gaps: Gaps,
    stamps: Vec<f64>,
    counts: Vec<i16>,
    points: Vec<f32>,
}

/// A recorder that does not keep up would make every figure of the night worthless.
fn kept(pushed: Pushed) -> Result<(), Error> {
    match pushed {
        Pushed::Queued => Ok(()),
        Pushed::Dropped => Err(Error::io("the recorder does not keep up: give a lower speed")),
    }
}

impl Life {
    fn new(host: Host) -> Result<Self, Error> {
        let begin_s = host.now_s();
        let clock = host.add_clock(&ClockInfo::new("night-clock", Domain::Device))?;
        let desc = format!("<night><begin_s>{begin_s}</begin_s></night>");
        let signal = host.stream("signal", SIGNAL_CHANNELS).nominal_rate_hz(SIGNAL_HZ as f64).clock(&clock);
        let gaze = host.stream("gaze", GAZE_CHANNELS).nominal_rate_hz(GAZE_HZ as f64).clock(&clock);
        let markers = host.text_stream("markers", 1).kind("Markers").clock(&clock).may_be_silent(true);
        Ok(Self {
            begin_s,
            clock,
            signal: signal.desc_xml(desc).add()?,
            gaze: gaze.add()?,
            markers: markers.add()?,
            signal_gaps: Gaps { every: 421 * SIGNAL_HZ, lasts: 2 * SIGNAL_HZ },
            gaze_gaps: Gaps { every: 601 * GAZE_HZ, lasts: 3 * GAZE_HZ },
            stamps: Vec::new(),
            counts: Vec::new(),
            points: Vec::new(),
        })
    }

    /// All that happens from `begin_us` until a step later, by the device's crystal.
    fn step(&mut self, begin_us: u64) -> Result<(), Error> {
        if begin_us > 0 && begin_us.is_multiple_of(RESET_EVERY_US) {
            self.clock.reset("simulated")?;
        }
        if begin_us.is_multiple_of(EXCHANGE_EVERY_US) {
            kept(self.clock.push_exchanges(&exchanges(begin_us, self.begin_s))?)?;
        }
        self.push_signal(begin_us)?;
        self.push_gaze(begin_us)?;
        for number in numbers(begin_us, MARKER_HZ) {
            let text = format!("night/{number}");
            kept(self.markers.push(&[stamp_s(number, MARKER_HZ)], &[&text])?)?;
        }
        Ok(())
    }

    fn push_signal(&mut self, begin_us: u64) -> Result<(), Error> {
        self.stamps.clear();
        self.counts.clear();
        for number in numbers(begin_us, SIGNAL_HZ) {
            if let Some(lost) = self.signal_gaps.ended_at(number) {
                self.signal.report_gap(Some(lost), "simulated")?;
            }
            if !self.signal_gaps.has(number) {
                self.stamps.push(stamp_s(number, SIGNAL_HZ));
                self.counts.extend((0..SIGNAL_CHANNELS).map(|channel| signal_value(number, channel)));
            }
        }
        kept(self.signal.push(&self.stamps, &self.counts)?)
    }

    fn push_gaze(&mut self, begin_us: u64) -> Result<(), Error> {
        self.stamps.clear();
        self.points.clear();
        for number in numbers(begin_us, GAZE_HZ) {
            if let Some(lost) = self.gaze_gaps.ended_at(number) {
                self.gaze.report_gap(Some(lost), "simulated")?;
            }
            if !self.gaze_gaps.has(number) {
                self.stamps.push(stamp_s(number, GAZE_HZ));
                self.points.extend((0..GAZE_CHANNELS).map(|channel| gaze_value(number, channel)));
            }
        }
        kept(self.gaze.push(&self.stamps, &self.points)?)
    }
}

/// Numbers of the samples that are due from `begin_us` until a step later.
fn numbers(begin_us: u64, rate_hz: u64) -> std::ops::Range<u64> {
    let first_from = |us: u64| (us * rate_hz).div_ceil(1_000_000);
    first_from(begin_us)..first_from(begin_us + STEP_US)
}

impl Source for Night {
    const ID: &'static CStr = c"night";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"A device that lives hours in minutes, for a benchmark";
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        Ok(Self { host, options, stop: Stop::new() })
    }

    fn start(&mut self) -> Result<(), Error> {
        let (host, stop, options) = (self.host, self.stop.clone(), self.options.clone());
        let mut life = Life::new(host)?;
        host.set_state(State::Streaming, "");
        let thread = host.spawn("night", move || {
            let (began, steps) = (Instant::now(), (options.hours * 3600e6 / STEP_US as f64).round() as u64);
            for step in 0..steps {
                let due_s = step as f64 * STEP_US as f64 * 1e-6 / options.speed;
                let ahead_s = due_s - began.elapsed().as_secs_f64();
                if if ahead_s > AHEAD_S { stop.wait_s(ahead_s) } else { stop.is_set() } {
                    return Ok(());
                }
                life.step(step * STEP_US)?;
            }
            host.set_state(State::Finished, "the night is over");
            Ok(())
        })?;
        self.stop.guard(thread);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.stop.stop_and_join();
        Ok(())
    }
}

export_source!(Night, lks_plugin_entry_night);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_each_sample_once() {
        for rate_hz in [SIGNAL_HZ, GAZE_HZ, MARKER_HZ] {
            let all: Vec<u64> = (0..70).flat_map(|step| numbers(step * STEP_US, rate_hz)).collect();
            let expected: Vec<u64> = (0..7 * rate_hz).collect();
            assert_eq!(all, expected);
        }
    }
}
