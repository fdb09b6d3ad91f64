//! Where the phone's clock is now, by the last exchanges. Pure.
//!
//! Each exchange says that host minus phone was between what the question and what the answer allow: the phone read
//! `r` between t0 and t3, at a time in `[r, r + 1 ms)`, so the offset is above `t0 - r - 1 ms` and below `t3 - r`.
//! Exchanges at ever new phases of the millisecond cut these intervals down to little more than the shortest round
//! trip. Older ones are widened by what two clocks may drift apart meanwhile.

use lockstep_plugin_api::Exchange;

use crate::clock::RESOLUTION_S;

/// How much two clocks may drift apart, in seconds a second: quartz crystals, warm or cold.
const DRIFT: f64 = 50e-6;

/// Host minus phone, as far as exchanges tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// The middle of what is possible, in seconds: right if both ways take equally long.
    pub offset_s: f64,
    /// It is off by no more, however unequal the ways are.
    pub bound_s: f64,
    /// If the ways are equal, it is off by about as much: phases of the millisecond that were not met, and delays
    /// that were never short.
    pub equal_ways_s: f64,
    /// How many exchanges it is made of, the newest: those before a step of the clock do not fit.
    pub used: usize,
}

impl Bracket {
    /// At the last of `exchanges`, which are in order; `None` without any.
    pub fn new(exchanges: &[Exchange]) -> Option<Self> {
        let now_s = exchanges.last()?.t3_s;
        let (mut lowest_s, mut highest_s) = (f64::NEG_INFINITY, f64::INFINITY);
        let (mut used, mut shortest_s) = (0, f64::INFINITY);
        for exchange in exchanges.iter().rev() {
            let drift_s = DRIFT * (now_s - exchange.t3_s).max(0.0);
            let low_s = lowest_s.max(exchange.t0_s - exchange.t1_s - RESOLUTION_S - drift_s);
            let high_s = highest_s.min(exchange.t3_s - exchange.t2_s + drift_s);
            if low_s > high_s {
                break;
            }
            (lowest_s, highest_s, used) = (low_s, high_s, used + 1);
            shortest_s = shortest_s.min(exchange.t3_s - exchange.t0_s);
        }
        let bound_s = 0.5 * (highest_s - lowest_s);
        Some(Self {
            offset_s: f64::midpoint(lowest_s, highest_s),
            bound_s,
            equal_ways_s: (bound_s - 0.5 * shortest_s).abs(),
            used,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Exchanges at `times_s` with ways of these lengths, by a phone that is `offset_s` behind and drifts.
    fn exchanges(offset_s: f64, drift: f64, ways: &[(f64, f64, f64)]) -> (Vec<Exchange>, f64) {
        let mut at_s = 5000.0;
        let all: Vec<Exchange> = ways
            .iter()
            .map(|(gap_s, out_s, back_s)| {
                at_s += gap_s;
                let device_s = at_s + out_s - offset_s + drift * (at_s + out_s - 5000.0);
                let read_s = (device_s * 1e3).floor() / 1e3;
                Exchange { t0_s: at_s, t1_s: read_s, t2_s: read_s, t3_s: at_s + out_s + back_s }
            })
            .collect();
        let end_s = all.last().map_or(0.0, |e| e.t3_s);
        (all, offset_s - drift * (end_s - 5000.0))
    }

    #[test]
    fn a_hundred_exchanges_find_it_far_below_the_millisecond() {
        for (offset_s, way_s) in [(12.345, 60e-6), (-0.25, 60e-6), (1.7, 0.010)] {
            let ways: Vec<_> =
                (0..100).map(|k| (0.011 + 0.0007 * (f64::from(k) * 0.618).fract(), way_s, way_s)).collect();
            let (all, truth_s) = exchanges(offset_s, 30e-6, &ways);
            let now = Bracket::new(&all).expect("exchanges");
            assert!((now.offset_s - truth_s).abs() < 60e-6, "{} us off", 1e6 * (now.offset_s - truth_s));
            assert!((now.offset_s - truth_s).abs() <= now.bound_s);
            assert!(now.equal_ways_s < 60e-6 && now.used == 100, "{now:?}");
        }
    }

    #[test]
    fn exchanges_before_a_step_are_left_out() {
        let (mut all, _) = exchanges(2.0, 0.0, &[(0.0107, 1e-4, 1e-4); 50]);
        let (after, truth_s) = exchanges(2.1, 0.0, &[(0.0107, 1e-4, 1e-4); 50]);
        all.extend(after.iter().map(|e| Exchange {
            t0_s: e.t0_s + 10.0,
            t1_s: e.t1_s + 10.0,
            t2_s: e.t2_s + 10.0,
            t3_s: e.t3_s + 10.0,
        }));
        let now = Bracket::new(&all).expect("exchanges");
        assert!(now.used == 50 && (now.offset_s - truth_s).abs() < now.bound_s, "{now:?}");
    }

    proptest! {
        /// Whatever the ways: the truth is within the bound.
        #[test]
        fn the_bound_holds(
            offset_s in -1e3f64..1e3,
            drift in -50e-6f64..50e-6,
            ways in proptest::collection::vec((0.005f64..0.05, 5e-5f64..0.03, 5e-5f64..0.03), 1..120),
        ) {
            let (all, truth_s) = exchanges(offset_s, drift, &ways);
            let now = Bracket::new(&all).expect("exchanges");
            prop_assert!((now.offset_s - truth_s).abs() <= now.bound_s + 1e-9, "{now:?} {truth_s}");
        }
    }
}
