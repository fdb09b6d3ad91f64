//! Synchronization points: what the simple methods go through.

use crate::{Exchange, History, Measurement, best};

/// Exchanges that leave within this time of one another are one burst ...
const BURST_GAP_S: f64 = 0.5;
/// ... as long as the burst is no longer than this.
const BURST_LENGTH_S: f64 = 2.05;

/// Times and offsets beyond 30 million years are no measurements: they have no digits left.
const FARTHEST_S: f64 = 1e15;

fn near(time_s: f64) -> bool {
    time_s.abs() <= FARTHEST_S
}

/// One instant on both clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Device time.
    pub device_s: f64,
    /// Host minus device, a known asymmetry taken off.
    pub offset_s: f64,
    /// Round-trip time behind it, where known.
    pub round_trip_s: Option<f64>,
}

impl Point {
    /// Host time.
    pub(crate) fn host_s(&self) -> f64 {
        self.device_s + self.offset_s
    }
}

/// The points of a history, and how many of its entries cannot be used.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Points {
    pub points: Vec<Point>,
    pub unusable: usize,
    /// No round-trip times are behind them.
    pub blind: bool,
}

impl Points {
    /// The offsets of the file; where it has none, the best exchange of each burst.
    pub(crate) fn offsets(history: &History) -> Self {
        if history.offsets.is_empty() { Self::of_bursts(history) } else { Self::of_offsets(history) }
    }

    /// The best exchange of each burst; where there are no exchanges, the offsets of the file.
    pub(crate) fn bursts(history: &History) -> Self {
        if history.exchanges.is_empty() { Self::of_offsets(history) } else { Self::of_bursts(history) }
    }

    /// Every exchange; where there are none, the offsets of the file.
    pub(crate) fn every(history: &History) -> Self {
        if history.exchanges.is_empty() {
            return Self::of_offsets(history);
        }
        let points: Vec<_> = history.measurements().filter(usable).map(|m| point(&m, history)).collect();
        Self { unusable: history.exchanges.len() - points.len(), points, blind: false }
    }

    fn of_offsets(history: &History) -> Self {
        let shift_s = asymmetry_s(history);
        let usable = history.offsets.iter().filter(|o| near(o.device_time_s) && near(o.offset_s));
        let points: Vec<_> = usable
            .map(|o| Point {
                device_s: o.device_time_s,
                offset_s: o.offset_s + shift_s,
                round_trip_s: o.round_trip_s.filter(|r| r.is_finite()),
            })
            .collect();
        Self {
            unusable: history.offsets.len() - points.len(),
            blind: points.iter().all(|p| p.round_trip_s.is_none()),
            points,
        }
    }

    fn of_bursts(history: &History) -> Self {
        let mut points = Vec::new();
        let mut unusable = 0;
        for burst in bursts(&history.exchanges) {
            match best(burst, history.reading) {
                Some(measurement) if usable(&measurement) => points.push(point(&measurement, history)),
                _ => unusable += burst.len(),
            }
        }
        Self { points, unusable, blind: false }
    }

    /// A remark for the user about entries that were left out.
    pub(crate) fn remark(&self) -> Option<String> {
        (self.unusable > 0)
            .then(|| format!("{} clock measurements are impossible and left out", self.unusable))
    }
}

/// A path that is slower to the device by `2 b` than back shows offsets that are too low by `b`: it is
/// added to every measured offset.
fn asymmetry_s(history: &History) -> f64 {
    history.known_asymmetry_s.filter(|b| b.is_finite()).unwrap_or(0.0)
}

fn usable(measurement: &Measurement) -> bool {
    near(measurement.device_time_s) && near(measurement.offset_s)
}

fn point(measurement: &Measurement, history: &History) -> Point {
    Point {
        device_s: measurement.device_time_s,
        offset_s: measurement.offset_s + asymmetry_s(history),
        round_trip_s: Some(measurement.round_trip_s),
    }
}

/// Cut exchanges, in the order of their recording, into bursts.
fn bursts(exchanges: &[Exchange]) -> impl Iterator<Item = &[Exchange]> {
    let mut rest = exchanges;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let together = |i: usize| {
            (rest[i].t0_s - rest[i - 1].t0_s).abs() <= BURST_GAP_S
                && (rest[i].t0_s - first.t0_s).abs() <= BURST_LENGTH_S
        };
        let end = (1..rest.len()).find(|&i| !together(i)).unwrap_or(rest.len());
        let (burst, after) = rest.split_at(end);
        rest = after;
        Some(burst)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Offset, Reading};

    fn exchange(t0_s: f64, there_s: f64, back_s: f64) -> Exchange {
        let t1_s = t0_s + there_s - 50.0;
        Exchange { t0_s, t1_s, t2_s: t1_s, t3_s: t0_s + there_s + back_s }
    }

    #[test]
    fn the_fastest_of_each_burst_is_taken() {
        let exchanges = (0..3)
            .flat_map(|burst| {
                (0..8).map(move |i| {
                    let late_s = if i == 5 { 0.0 } else { 0.010 };
                    exchange(f64::from(burst) * 5.0 + f64::from(i) * 0.064, 0.001 + late_s, 0.001)
                })
            })
            .collect();
        let history = History { exchanges, ..History::default() };
        let got = Points::offsets(&history);
        assert_eq!(got.points.len(), 3);
        for point in &got.points {
            assert!((point.offset_s - 50.0).abs() < 1e-9, "{point:?}");
        }
    }

    #[test]
    fn probes_that_never_pause_are_cut_into_bursts_of_two_seconds() {
        let exchanges = (0..100).map(|i| exchange(f64::from(i) * 0.25, 0.001, 0.001)).collect();
        let history = History { exchanges, ..History::default() };
        assert_eq!(Points::bursts(&history).points.len(), 12);
    }

    #[test]
    fn a_known_asymmetry_makes_the_offset_right() {
        // 30 ms there, 10 ms back: measured 10 ms too low.
        let history = History { exchanges: vec![exchange(1.0, 0.030, 0.010)], ..History::default() };
        assert!((Points::bursts(&history).points[0].offset_s - 49.990).abs() < 1e-9);
        let known = History { known_asymmetry_s: Some(0.010), ..history };
        assert!((Points::bursts(&known).points[0].offset_s - 50.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_a_number_is_left_out_and_counted() {
        let offsets = [(1.0, f64::NAN), (f64::INFINITY, 1.0), (3.0, 4.0)]
            .map(|(device_time_s, offset_s)| Offset { device_time_s, offset_s, round_trip_s: None });
        let history = History { offsets: offsets.to_vec(), reading: Reading::FINE, ..History::default() };
        let got = Points::offsets(&history);
        assert_eq!((got.points.len(), got.unusable, got.blind), (1, 2, true));
    }
}
