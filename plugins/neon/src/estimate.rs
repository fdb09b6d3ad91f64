//! What a round of exchanges tells of a phone's clock, and how it has drifted since the first one. Pure.

use lockstep_plugin_api::Exchange;

use crate::bracket::Bracket;
use crate::official::Official;

/// A drift is told when it was watched for as long, in seconds.
const DRIFT_AFTER_S: f64 = 20.0;
/// The network is unsteady when one answer in twenty takes this much longer than the quickest, in seconds.
const UNSTEADY_S: f64 = 0.03;

/// What is remembered of the estimates before.
#[derive(Debug, Default)]
pub struct Watched {
    /// Phone time and offset of the first estimate.
    first: Option<(f64, f64)>,
}

/// What exchanges tell at their end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// By the maker's estimator.
    pub official: Official,
    /// This machine's UTC minus the phone's, in seconds.
    pub offset_s: f64,
    /// It is off by no more, in seconds, however unequal the ways are.
    pub bound_s: f64,
    /// If the ways are equal, it is off by about as much, in seconds.
    pub equal_ways_s: f64,
    /// Shortest round-trip time, and that which one answer in twenty exceeds, in seconds.
    pub round_trip_s: (f64, f64),
    /// How much faster the phone's clock runs, in parts per million, once that was watched for long enough.
    pub drift_ppm: Option<f64>,
}

impl Watched {
    /// Take in the exchanges of one round, in order, of a machine whose UTC is ahead of its recorder time by
    /// `utc_minus_host_s`; `None`: fewer than two.
    pub fn add(&mut self, round: &[Exchange], utc_minus_host_s: f64) -> Option<Estimate> {
        let official = Official::new(round, utc_minus_host_s)?;
        let bracket = Bracket::new(round)?;
        let device_s = round.last()?.t2_s;
        let offset_s = bracket.offset_s + utc_minus_host_s;
        let mut round_trips_s: Vec<f64> = round.iter().map(|e| e.t3_s - e.t0_s).collect();
        round_trips_s.sort_by(f64::total_cmp);
        let (first_s, first_offset_s) = *self.first.get_or_insert((device_s, offset_s));
        let watched_s = device_s - first_s;
        Some(Estimate {
            official,
            offset_s,
            bound_s: bracket.bound_s,
            equal_ways_s: bracket.equal_ways_s,
            round_trip_s: (*round_trips_s.first()?, *round_trips_s.get(round_trips_s.len() * 19 / 20)?),
            // A clock that gains makes the offset fall.
            drift_ppm: (watched_s > DRIFT_AFTER_S).then(|| -1e6 * (offset_s - first_offset_s) / watched_s),
        })
    }
}

impl Estimate {
    /// Whether answers take so differently long that the offset suffers.
    pub fn is_unsteady(&self) -> bool {
        self.round_trip_s.1 - self.round_trip_s.0 > UNSTEADY_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred exchanges from `at_s` on, with a phone that is 2 s behind at 0 s and gains 50 ppm.
    fn round(at_s: f64, slowest_s: f64) -> Vec<Exchange> {
        let one = |k: i32| {
            let t0_s = at_s + 0.0107 * f64::from(k);
            let way_s = if k % 10 == 0 { slowest_s / 2.0 } else { 1e-4 };
            let device_s = (t0_s + way_s) * (1.0 + 50e-6) - 2.0;
            let read_s = (device_s * 1e3).floor() / 1e3;
            Exchange { t0_s, t1_s: read_s, t2_s: read_s, t3_s: t0_s + 2.0 * way_s }
        };
        (0..100).map(one).collect()
    }

    #[test]
    fn a_drift_is_told_after_a_while_with_its_sign() {
        let mut watched = Watched::default();
        let first = watched.add(&round(0.0, 2e-4), 100.0).expect("exchanges");
        assert!(first.drift_ppm.is_none() && !first.is_unsteady());
        assert!((first.offset_s - 102.0).abs() < first.bound_s + 1e-4, "{first:?}");
        let later = watched.add(&round(100.0, 2e-4), 100.0).expect("exchanges");
        assert!((later.drift_ppm.expect("watched long enough") - 50.0).abs() < 3.0, "{later:?}");
        assert!(watched.add(&round(200.0, 0.08), 100.0).expect("exchanges").is_unsteady());
        assert_eq!(watched.add(&round(200.0, 0.0)[..1], 100.0), None);
    }
}
