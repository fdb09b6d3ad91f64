//! One recording of a case: exchanges, samples, truth.

use super::probes::{ProbeKind, WRITE_EVERY_S, newest_lsl_wave};
use super::{Case, Family};
use crate::clock::{ClockPlan, SAMPLE_PERIOD_S, SimClock};
use crate::network::{Direction, Link, PathKind};
use crate::rng::{Draws, derive_seed};

/// The four stamps of an exchange, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimExchange {
    /// Question left, host time.
    pub t0_s: f64,
    /// Question received, device time as read.
    pub t1_s: f64,
    /// Answer left, device time as read.
    pub t2_s: f64,
    /// Answer received, host time.
    pub t3_s: f64,
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimSample {
    /// Its stamp by the device's clock. Not coarsened as the exchanges' readings are: devices that answer
    /// in whole milliseconds stamp their samples finely.
    pub device_time_s: f64,
    /// When it was taken, host time: the truth.
    pub host_time_s: f64,
}

/// A recording and what is true of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Every exchange, in the order of `t3`.
    pub exchanges: Vec<SimExchange>,
    /// Every sample, in order of time.
    pub samples: Vec<SimSample>,
    /// From when to when, in host time, the clock was stepped, slewed, suspended or restarted. A step
    /// begins and ends at one instant.
    pub disturbed: Vec<(f64, f64)>,
    /// Shortest delay to the device in seconds: of the path, or where that has no such constant, the
    /// shortest that happened.
    pub min_delay_there_s: f64,
    /// Shortest delay back, likewise, with the time the device needed.
    pub min_delay_back_s: f64,
    /// What a LabRecorder would have written: device time and offset. Empty for schedules other than
    /// LSL's.
    pub lab_recorder_offsets: Vec<(f64, f64)>,
}

impl Recorded {
    /// Half of the shortest delay there minus the shortest back: how far exchanges are off, which
    /// nobody can see from them.
    pub fn asymmetry_s(&self) -> f64 {
        0.5 * (self.min_delay_there_s - self.min_delay_back_s)
    }
}

/// An exchange and how long it was on its way.
struct Probed {
    exchange: SimExchange,
    there_s: f64,
    back_s: f64,
}

/// Draws the recording of a case. The same arguments give the same recording.
pub fn record(case: &Case, seed: u64) -> Recorded {
    // Cases share nothing, and the seed of one says nothing about another.
    let seed = derive_seed(seed, &case.name());
    let mut draws = Draws::new(seed, "study");
    let start_s = if case.family == Family::A { 0.0 } else { draws.within(0.0, 10_000.0).floor() };
    let plan = case.clock.plan(start_s, case.duration_s, seed);
    let clock = SimClock::with_horizon(&plan.model, start_s, case.duration_s, seed);
    let mut prober = Prober::new(case, start_s, &plan, &clock, seed);

    let all: Vec<Vec<Probed>> =
        case.probes.waves(case.duration_s).iter().map(|wave| prober.wave(wave)).collect();
    let lab_recorder_offsets =
        if case.probes.is_lsl() { lab_recorder(&all, start_s, case.duration_s) } else { Vec::new() };
    let kept = keep(case.probes, all, case.duration_s);

    let least = |part: fn(&Probed) -> f64| kept.iter().map(part).fold(f64::INFINITY, f64::min);
    let min_delay_there_s = prober.there.min_delay_s().unwrap_or_else(|| least(|probed| probed.there_s));
    let min_delay_back_s = prober.back.min_delay_s().unwrap_or_else(|| least(|probed| probed.back_s));
    let mut exchanges: Vec<SimExchange> = kept.into_iter().map(|probed| probed.exchange).collect();
    exchanges.sort_by(|a, b| a.t3_s.total_cmp(&b.t3_s));
    Recorded {
        exchanges,
        samples: samples(case, start_s, &plan, &clock),
        disturbed: plan.disturbed_s.iter().map(|(from, to)| (start_s + from, start_s + to)).collect(),
        min_delay_there_s,
        min_delay_back_s,
        lab_recorder_offsets,
    }
}

/// Asks the device for its time.
struct Prober<'a> {
    case: &'a Case,
    start_s: f64,
    plan: &'a ClockPlan,
    clock: &'a SimClock,
    there: Link,
    back: Link,
    draws: Draws,
}

impl<'a> Prober<'a> {
    fn new(case: &'a Case, start_s: f64, plan: &'a ClockPlan, clock: &'a SimClock, seed: u64) -> Self {
        let link = |direction| Link::new(case.path, direction, seed, case.duration_s);
        let (there, back) = (link(Direction::ToDevice), link(Direction::ToHost));
        Self { case, start_s, plan, clock, there, back, draws: Draws::new(seed, "study/probes") }
    }

    /// The exchanges of a wave that came back.
    fn wave(&mut self, leave_s: &[f64]) -> Vec<Probed> {
        leave_s.iter().filter_map(|at_s| self.probe(*at_s)).collect()
    }

    fn probe(&mut self, planned_s: f64) -> Option<Probed> {
        let sent_s = planned_s + self.draws.exponential(20e-6);
        let there_s = self.there.send(sent_s)?;
        let arrived_s = sent_s + there_s;
        let took_s = if self.reads_twice() { self.draws.exponential(50e-6) } else { 0.0 };
        let answered_s = arrived_s + took_s;
        let asleep = |(from_s, to_s): &(f64, f64)| (*from_s..=*to_s).contains(&arrived_s);
        if self.plan.outages_s.iter().any(asleep) {
            return None;
        }
        let back_s = self.back.send(answered_s)?;
        let read = |at_s: f64| self.case.reading.read(self.clock.device_time_s(self.start_s + at_s));
        let exchange = SimExchange {
            t0_s: self.start_s + sent_s,
            t1_s: read(arrived_s),
            t2_s: read(answered_s),
            t3_s: self.start_s + answered_s + back_s,
        };
        Some(Probed { exchange, there_s, back_s })
    }

    fn reads_twice(&self) -> bool {
        self.case.family == Family::B
            && matches!(self.case.path, PathKind::Weibull | PathKind::Bimodal | PathKind::Roam)
    }
}

/// The exchanges that the recorder keeps.
fn keep(probes: ProbeKind, waves: Vec<Vec<Probed>>, duration_s: f64) -> Vec<Probed> {
    if !probes.keeps_newest() {
        return waves.into_iter().flatten().collect();
    }
    let writes = (duration_s / WRITE_EVERY_S) as usize;
    let mut wanted = (1..=writes).filter_map(|k| newest_lsl_wave(k as f64 * WRITE_EVERY_S)).peekable();
    let mut kept = Vec::new();
    for (index, wave) in waves.into_iter().enumerate() {
        if wanted.peek() == Some(&index) {
            wanted.next();
            kept.extend(wave);
        }
    }
    kept
}

/// The offsets of a LabRecorder: each 5 s the cached estimate, of the newest wave of which anything
/// came back, stamped with the host's time of writing minus that offset.
fn lab_recorder(waves: &[Vec<Probed>], start_s: f64, duration_s: f64) -> Vec<(f64, f64)> {
    let writes = (duration_s / WRITE_EVERY_S) as usize;
    let round_trip_s = |e: &SimExchange| (e.t3_s - e.t0_s) - (e.t2_s - e.t1_s);
    (1..=writes)
        .filter_map(|k| {
            let at_s = k as f64 * WRITE_EVERY_S;
            let newest = newest_lsl_wave(at_s)?.min(waves.len().checked_sub(1)?);
            let wave = waves[..=newest].iter().rev().find(|wave| !wave.is_empty())?;
            let best = wave
                .iter()
                .map(|probed| probed.exchange)
                .min_by(|a, b| round_trip_s(a).total_cmp(&round_trip_s(b)))?;
            let offset_s = 0.5 * ((best.t0_s - best.t1_s) + (best.t3_s - best.t2_s));
            Some((start_s + at_s - offset_s, offset_s))
        })
        .collect()
}

/// Samples at 20 Hz of the device's oscillator, from start to end, but none while the device is off.
fn samples(case: &Case, start_s: f64, plan: &ClockPlan, clock: &SimClock) -> Vec<SimSample> {
    let counted_s = clock.oscillator_s(start_s + case.duration_s);
    let count = (counted_s / SAMPLE_PERIOD_S) as u64;
    let asleep = |host_s: f64| {
        let elapsed_s = host_s - start_s;
        plan.outages_s.iter().any(|(from_s, to_s)| (*from_s..=*to_s).contains(&elapsed_s))
    };
    (1..=count)
        .filter_map(|index| {
            let oscillator_s = index as f64 * SAMPLE_PERIOD_S;
            let host_time_s = clock.host_at_oscillator_s(oscillator_s);
            let device_s = clock.device_time_at_oscillator_s(oscillator_s);
            (!asleep(host_time_s)).then_some(SimSample { device_time_s: device_s, host_time_s })
        })
        .collect()
}
