//! When a device takes its samples, in seconds of its own oscillator.

use std::time::Duration;

use crate::rng::Draws;

use super::config::Rate;

/// The sampling times of one device, datagram by datagram. Pure.
#[derive(Debug, Clone)]
pub struct Schedule {
    start_s: f64,
    /// Samples are taken before this much oscillator time has passed since the start.
    duration_s: f64,
    taken: u64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Regular { hz: f64 },
    Irregular { mean_interval_s: f64, elapsed_s: f64, draws: Box<Draws> },
}

impl Schedule {
    /// A schedule whose time 0 is `start_s` of the oscillator; without `duration` it has no end.
    ///
    /// Sample `i` of a regular stream is taken at `start_s + i / hz`, computed afresh for each `i`
    /// so that rounding does not add up, and only while `i / hz` is below the duration. The first
    /// event of an irregular stream comes after its first random interval.
    pub fn new(rate: Rate, start_s: f64, duration: Option<Duration>, seed: u64) -> Self {
        let kind = match rate {
            Rate::Regular { hz } => Kind::Regular { hz },
            Rate::Irregular { mean_hz } => Kind::Irregular {
                mean_interval_s: 1.0 / mean_hz,
                elapsed_s: 0.0,
                draws: Box::new(Draws::new(seed, "schedule")),
            },
        };
        let duration_s = duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
        Self { start_s, duration_s, taken: 0, kind }
    }

    /// Oscillator time at which no more samples are taken; infinite without a duration.
    pub fn end_s(&self) -> f64 {
        self.start_s + self.duration_s
    }

    /// Replaces `batch` by the next `samples` times, fewer at the end, none after it.
    pub fn next_batch(&mut self, samples: usize, batch: &mut Vec<f64>) {
        batch.clear();
        while batch.len() < samples {
            let elapsed_s = self.kind.elapsed_s(self.taken);
            if elapsed_s >= self.duration_s {
                break;
            }
            batch.push(self.start_s + elapsed_s);
            self.taken += 1;
        }
    }
}

impl Kind {
    /// Time of sample `index` since the start. An irregular schedule moves on at each call.
    fn elapsed_s(&mut self, index: u64) -> f64 {
        match self {
            Self::Regular { hz } => index as f64 / *hz,
            Self::Irregular { mean_interval_s, elapsed_s, draws } => {
                *elapsed_s += draws.exponential(*mean_interval_s);
                *elapsed_s
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(schedule: &mut Schedule, samples: usize) -> Vec<Vec<f64>> {
        let mut batches = Vec::new();
        loop {
            let mut batch = Vec::new();
            schedule.next_batch(samples, &mut batch);
            if batch.is_empty() {
                return batches;
            }
            batches.push(batch);
        }
    }

    #[test]
    fn a_regular_stream_has_exact_times_and_a_short_last_datagram() {
        let duration = Some(Duration::from_millis(500));
        let mut schedule = Schedule::new(Rate::Regular { hz: 10.0 }, 100.0, duration, 1);
        assert_eq!(all(&mut schedule, 2), [vec![100.0, 100.1], vec![100.2, 100.3], vec![100.4]]);
    }

    #[test]
    fn an_irregular_stream_has_its_mean_rate_and_repeats() {
        let duration = Some(Duration::from_secs(1000));
        let schedule = Schedule::new(Rate::Irregular { mean_hz: 20.0 }, 5.0, duration, 1);
        let times: Vec<f64> = all(&mut schedule.clone(), 3).concat();
        assert!(times.is_sorted() && times[0] > 5.0 && times.iter().all(|t| *t < 1005.0));
        assert!((times.len() as f64 - 20_000.0).abs() < 600.0, "{} events", times.len());
        assert_eq!(times, all(&mut schedule.clone(), 7).concat());
    }
}
