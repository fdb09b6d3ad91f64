//! One method on one recording.

use std::time::Instant;

use lockstep_clock::{Estimate, Exchange, History, Method, Offset, Reading, Stamp, best, fit};
use lockstep_sim::study::{Case, CaseReading, Recorded};
use serde::Serialize;

/// Samples that are placed at a time.
const BLOCK: usize = 8192;
/// A wave ends where no exchange follows for this long, in seconds ...
const WAVE_GAP_S: f64 = 1.0;
/// ... or when it has lasted this long.
const WAVE_LENGTH_S: f64 = 2.05;
/// A normal error is within so many sigma 95 % of the time.
const SIGMAS_95: f64 = 1.959_964;

/// What a method is given of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Every exchange, and the best of each wave as an offset: what this recorder writes.
    Exchanges,
    /// LabRecorder's offsets alone.
    LabRecorder,
}

/// Errors of one map, over all samples of one recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Score {
    /// 95th percentile of the error's size.
    pub p95_us: f64,
    /// Largest error.
    pub max_us: f64,
    /// 95th percentile with the path's asymmetry taken out, which nobody can see in exchanges.
    pub p95_bias_removed_us: f64,
    /// Share of samples whose error is within the 95 % interval of `relative`.
    pub relative_coverage: f64,
    /// The same for `total`.
    pub total_coverage: f64,
    /// Median sigma `relative`.
    pub relative_us: f64,
    /// Median sigma `total`.
    pub total_us: f64,
    /// Median hard bound.
    pub bound_us: f64,
    /// Share of samples outside flagged intervals whose error is within the bound.
    pub bound_holds: f64,
    /// Share of all samples whose error is within the bound.
    pub bound_holds_anywhere: f64,
    /// Share of samples in flagged intervals.
    pub flagged: f64,
    /// Time the fit took, in seconds.
    pub fit_s: f64,
}

impl Score {
    /// The mean of several, value by value; of none, zeros.
    pub fn mean(scores: &[Self]) -> Self {
        let n = scores.len().max(1) as f64;
        let mean = |value: fn(&Self) -> f64| scores.iter().map(value).sum::<f64>() / n;
        Self {
            p95_us: mean(|s| s.p95_us),
            max_us: mean(|s| s.max_us),
            p95_bias_removed_us: mean(|s| s.p95_bias_removed_us),
            relative_coverage: mean(|s| s.relative_coverage),
            total_coverage: mean(|s| s.total_coverage),
            relative_us: mean(|s| s.relative_us),
            total_us: mean(|s| s.total_us),
            bound_us: mean(|s| s.bound_us),
            bound_holds: mean(|s| s.bound_holds),
            bound_holds_anywhere: mean(|s| s.bound_holds_anywhere),
            flagged: mean(|s| s.flagged),
            fit_s: mean(|s| s.fit_s),
        }
    }

    /// Full width of the 95 % interval of `total`, over the error's p95.
    pub fn width_over_p95(&self) -> f64 {
        2.0 * SIGMAS_95 * self.total_us / self.p95_us
    }
}

/// How the clock of a case is read.
pub fn reading(case: &Case) -> Reading {
    match case.reading {
        CaseReading::Exact => Reading::FINE,
        CaseReading::Floor { resolution_s } => Reading { resolution_s, stamp: Stamp::Floor },
    }
}

/// The exchanges of a recording in waves: in the order in which they were sent, a wave ends at a gap.
pub fn waves(recorded: &Recorded) -> Vec<Vec<Exchange>> {
    let mut all: Vec<Exchange> = recorded
        .exchanges
        .iter()
        .map(|e| Exchange { t0_s: e.t0_s, t1_s: e.t1_s, t2_s: e.t2_s, t3_s: e.t3_s })
        .collect();
    all.sort_by(|a, b| a.t0_s.total_cmp(&b.t0_s));
    let mut waves: Vec<Vec<Exchange>> = Vec::new();
    for exchange in all {
        let same = waves.last().is_some_and(|wave| {
            let gap_s = wave.last().map_or(f64::INFINITY, |last| exchange.t0_s - last.t0_s);
            let length_s = wave.first().map_or(f64::INFINITY, |first| exchange.t0_s - first.t0_s);
            gap_s <= WAVE_GAP_S && length_s <= WAVE_LENGTH_S
        });
        match waves.last_mut() {
            Some(wave) if same => wave.push(exchange),
            _ => waves.push(vec![exchange]),
        }
    }
    waves
}

/// What a file would hold of a recording's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Exchanges and offsets.
    pub history: History,
    /// Of each offset, when it was written and the time it shows, both host time: samples that stand
    /// before it in the file had arrived by then.
    pub written_s: Vec<(f64, f64)>,
}

/// What a file would hold of the recording's clock.
pub fn seen(case: &Case, recorded: &Recorded, given: Given) -> Seen {
    let history = history(case, recorded, given);
    let shown = |offset: &Offset| offset.device_time_s + offset.offset_s;
    let written_s = match given {
        Given::LabRecorder => history.offsets.iter().map(|offset| (shown(offset), shown(offset))).collect(),
        Given::Exchanges => {
            let over = |wave: &Vec<Exchange>| wave.iter().map(|e| e.t3_s).fold(f64::NEG_INFINITY, f64::max);
            let usable = waves(recorded).into_iter().filter(|wave| best(wave, history.reading).is_some());
            usable.map(|wave| over(&wave)).zip(&history.offsets).map(|(at_s, o)| (at_s, shown(o))).collect()
        }
    };
    Seen { history, written_s }
}

fn history(case: &Case, recorded: &Recorded, given: Given) -> History {
    let reading = reading(case);
    if given == Given::LabRecorder {
        let offsets = recorded
            .lab_recorder_offsets
            .iter()
            .map(|&(device_time_s, offset_s)| Offset { device_time_s, offset_s, round_trip_s: None })
            .collect();
        return History { reading, offsets, stale_stamps: true, ..History::default() };
    }
    let offsets = waves(recorded)
        .iter()
        .filter_map(|wave| best(wave, reading))
        .map(|best| Offset {
            device_time_s: best.device_time_s,
            offset_s: best.offset_s,
            round_trip_s: Some(best.round_trip_s),
        })
        .collect();
    let exchanges = recorded
        .exchanges
        .iter()
        .map(|e| Exchange { t0_s: e.t0_s, t1_s: e.t1_s, t2_s: e.t2_s, t3_s: e.t3_s })
        .collect();
    History { reading, exchanges, offsets, ..History::default() }
}

/// Fits a method and compares its times with the truth, at every sample.
pub fn judge(method: Method, seen: &Seen, recorded: &Recorded) -> Score {
    let began = Instant::now();
    let map = fit(method, &seen.history);
    let fit_s = began.elapsed().as_secs_f64();
    let mut survey = map.survey();
    let mut rest = &recorded.samples[..];
    let mut stamps = Vec::new();
    let last = (f64::INFINITY, None);
    for (at_s, arrived_s) in seen.written_s.iter().map(|w| (w.0, Some(w.1))).chain([last]) {
        let (before, after) = rest.split_at(rest.partition_point(|sample| sample.host_time_s < at_s));
        stamps.clear();
        stamps.extend(before.iter().map(|sample| sample.device_time_s));
        survey.push(&stamps, arrived_s);
        rest = after;
    }
    let placement = survey.finish();
    let mut tally = Tally::new(recorded.samples.len(), recorded.asymmetry_s());
    let mut estimates = Vec::with_capacity(BLOCK);
    let mut block_stamps = Vec::with_capacity(BLOCK);
    for (block, samples) in recorded.samples.chunks(BLOCK).enumerate() {
        block_stamps.clear();
        block_stamps.extend(samples.iter().map(|sample| sample.device_time_s));
        estimates.clear();
        placement.apply((block * BLOCK) as u64, &block_stamps, &mut estimates);
        for (estimate, sample) in estimates.iter().zip(samples) {
            tally.add(estimate, sample.host_time_s);
        }
    }
    Score { fit_s, ..tally.score() }
}

/// Counts of what is asked of every sample.
struct Tally {
    asymmetry_s: f64,
    errors_s: Vec<f64>,
    unbiased_s: Vec<f64>,
    relative_s: Vec<f64>,
    total_s: Vec<f64>,
    bound_s: Vec<f64>,
    in_relative: usize,
    in_total: usize,
    in_bound: usize,
    in_bound_anywhere: usize,
    flagged: usize,
}

impl Tally {
    fn new(samples: usize, asymmetry_s: f64) -> Self {
        let room = || Vec::with_capacity(samples);
        Self {
            asymmetry_s,
            errors_s: room(),
            unbiased_s: room(),
            relative_s: room(),
            total_s: room(),
            bound_s: room(),
            in_relative: 0,
            in_total: 0,
            in_bound: 0,
            in_bound_anywhere: 0,
            flagged: 0,
        }
    }

    fn add(&mut self, estimate: &Estimate, truth_s: f64) {
        let error_s = estimate.host_time_s - truth_s;
        let size_s = error_s.abs();
        self.errors_s.push(size_s);
        // Half the difference of the ways makes the offset too small.
        self.unbiased_s.push((error_s + self.asymmetry_s).abs());
        self.relative_s.push(estimate.relative_s);
        self.total_s.push(estimate.total_s);
        self.bound_s.push(estimate.bound_s);
        self.in_relative += usize::from(size_s <= SIGMAS_95 * estimate.relative_s);
        self.in_total += usize::from(size_s <= SIGMAS_95 * estimate.total_s);
        self.flagged += usize::from(estimate.flagged);
        self.in_bound += usize::from(!estimate.flagged && size_s <= estimate.bound_s);
        self.in_bound_anywhere += usize::from(size_s <= estimate.bound_s);
    }

    fn score(mut self) -> Score {
        let count = self.errors_s.len().max(1) as f64;
        let share = |part: usize| part as f64 / count;
        let unflagged = (self.errors_s.len() - self.flagged).max(1) as f64;
        Score {
            max_us: 1e6 * self.errors_s.iter().copied().fold(0.0, f64::max),
            p95_us: 1e6 * percentile(&mut self.errors_s, 0.95),
            p95_bias_removed_us: 1e6 * percentile(&mut self.unbiased_s, 0.95),
            relative_coverage: share(self.in_relative),
            total_coverage: share(self.in_total),
            relative_us: 1e6 * percentile(&mut self.relative_s, 0.5),
            total_us: 1e6 * percentile(&mut self.total_s, 0.5),
            bound_us: 1e6 * percentile(&mut self.bound_s, 0.5),
            bound_holds: self.in_bound as f64 / unflagged,
            bound_holds_anywhere: share(self.in_bound_anywhere),
            flagged: share(self.flagged),
            fit_s: 0.0,
        }
    }
}

/// The value below which this part of the values lies (nearest rank); 0 of none. Reorders them.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let rank = ((part * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}
