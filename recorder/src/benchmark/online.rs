//! The causal map on one recording, against the last offset that live readers use today.

use lockstep_clock::{Monotone, OnlineMap, best};
use lockstep_sim::study::{Case, Recorded};
use serde::Serialize;

use super::score::{percentile, reading, waves};

/// Stretches of time since the start, in seconds; the last has no end.
pub const STRETCHES_S: [f64; 3] = [10.0, 60.0, 300.0];

/// p95 of the error in us by time since the start: 10 to 60 s, 1 to 5 min, later. `None` where a
/// recording has no samples there, or a method no times.
pub type ByTime = [Option<f64>; 3];

/// How the causal methods did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OnlineScore {
    /// The offset with the lowest round-trip time of the newest wave: LSL's.
    pub last_us: ByTime,
    /// The filter.
    pub filter_us: ByTime,
    /// Its strictly monotone output.
    pub monotone_us: ByTime,
    /// Share of the filter's errors after 10 s within the 95 % interval of `relative`.
    pub relative_coverage: f64,
    /// The same for `total`.
    pub total_coverage: f64,
}

impl OnlineScore {
    /// The mean of several, value by value.
    pub fn mean(scores: &[Self]) -> Self {
        let by_time = |get: fn(&Self) -> ByTime| {
            std::array::from_fn(|i| {
                let there: Vec<f64> = scores.iter().filter_map(|score| get(score)[i]).collect();
                (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
            })
        };
        let n = scores.len().max(1) as f64;
        Self {
            last_us: by_time(|s| s.last_us),
            filter_us: by_time(|s| s.filter_us),
            monotone_us: by_time(|s| s.monotone_us),
            relative_coverage: scores.iter().map(|s| s.relative_coverage).sum::<f64>() / n,
            total_coverage: scores.iter().map(|s| s.total_coverage).sum::<f64>() / n,
        }
    }
}

/// Errors of one method, by time since the start.
#[derive(Default)]
struct Errors([Vec<f64>; 3]);

impl Errors {
    fn add(&mut self, elapsed_s: f64, error_s: f64) {
        let begun = STRETCHES_S.iter().filter(|from_s| elapsed_s >= **from_s).count();
        if let Some(stretch) = begun.checked_sub(1) {
            self.0[stretch].push(error_s.abs());
        }
    }

    fn p95_us(mut self) -> ByTime {
        std::array::from_fn(|i| {
            let errors_s = &mut self.0[i];
            (!errors_s.is_empty()).then(|| 1e6 * percentile(errors_s, 0.95))
        })
    }
}

/// Goes through a recording as it happened: every sample is timed with the waves that were over.
pub fn judge(case: &Case, recorded: &Recorded) -> OnlineScore {
    let reading = reading(case);
    let mut waves = waves(recorded).into_iter().peekable();
    let mut map = OnlineMap::new(reading);
    let mut monotone = Monotone::default();
    let mut last_s = None;
    let (mut last, mut filter, mut slewed) = (Errors::default(), Errors::default(), Errors::default());
    let (mut in_relative, mut in_total, mut judged) = (0_usize, 0_usize, 0_usize);
    let start_s = recorded.samples.first().map_or(0.0, |sample| sample.host_time_s);
    for sample in &recorded.samples {
        let now_s = sample.host_time_s;
        let over = |wave: &Vec<lockstep_clock::Exchange>| wave.iter().all(|e| e.t3_s <= now_s);
        while let Some(wave) = waves.next_if(over) {
            map.push_wave(&wave);
            last_s = best(&wave, reading).map(|best| best.offset_s).or(last_s);
        }
        let elapsed_s = now_s - start_s;
        if let Some(offset_s) = last_s {
            last.add(elapsed_s, sample.device_time_s + offset_s - now_s);
        }
        if map.newest_s().is_some() {
            let estimate = map.at(sample.device_time_s);
            let error_s = estimate.host_time_s - now_s;
            filter.add(elapsed_s, error_s);
            if elapsed_s >= STRETCHES_S[0] {
                judged += 1;
                in_relative += usize::from(error_s.abs() <= 1.96 * estimate.relative_s);
                in_total += usize::from(error_s.abs() <= 1.96 * estimate.total_s);
            }
        }
        if let Some(estimate) = monotone.next(&map, sample.device_time_s) {
            slewed.add(elapsed_s, estimate.host_time_s - now_s);
        }
    }
    let share = |part: usize| part as f64 / judged.max(1) as f64;
    OnlineScore {
        last_us: last.p95_us(),
        filter_us: filter.p95_us(),
        monotone_us: slewed.p95_us(),
        relative_coverage: share(in_relative),
        total_coverage: share(in_total),
    }
}
