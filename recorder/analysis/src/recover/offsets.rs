//! Clock offsets that were never measured.

use lockstep_xdf::ClockOffset;

use crate::check::clocks::{possible, unmeasured};

/// A measurement belongs between those before and after it, on the recorder's clock, to within this.
const SLACK_S: f64 = 60.0;
/// No recording waits longer for the next measurement.
const LONGEST_S: f64 = 7.0 * 86_400.0;

/// Which offsets of a stream are dropped. Fewer than `lockstep check` doubts: a clock that was set and set
/// back gives an offset that stands alone, and was measured all the same. Then its time and its value still
/// add up to a time of the recorder's clock between those of its neighbours; those of garbage do not, and a
/// value of exactly 0 among others was never measured.
pub(super) fn garbage(all: &[ClockOffset]) -> Vec<usize> {
    let doubtful = unmeasured(all);
    let recorder_s = |at: usize| all[at].collection_time_s + all[at].offset_s;
    let fine = |at: &usize| !doubtful.contains(at);
    let is_garbage = |&at: &usize| {
        let before = (0..at).rev().find(fine).map_or(f64::NEG_INFINITY, recorder_s);
        let after = (at + 1..all.len()).find(fine).map_or(before + LONGEST_S, recorder_s);
        let fits = (before - SLACK_S..=after + SLACK_S).contains(&recorder_s(at));
        !possible(&all[at]) || all[at].offset_s == 0.0 || !fits
    };
    doubtful.iter().copied().filter(is_garbage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measurements every 5 s of a device that is 100 s behind.
    fn measured() -> Vec<ClockOffset> {
        let offset = |k: u64| ClockOffset {
            collection_time_s: 50.0 + 5.0 * k as f64,
            offset_s: 100.0 + 1e-5 * k as f64,
            file_offset: k,
        };
        (0..20).map(offset).collect()
    }

    fn dropped(change: impl Fn(&mut Vec<ClockOffset>)) -> Vec<usize> {
        let mut all = measured();
        change(&mut all);
        garbage(&all)
    }

    #[test]
    fn what_was_never_measured_is_dropped_and_nothing_else() {
        assert_eq!(dropped(|_| {}), [0; 0]);
        for value in [6.9e-310, 1.4e280, -8123.25] {
            assert_eq!(dropped(|all| all[7].offset_s = value), [7]);
            assert_eq!(dropped(|all| all[19].offset_s = value), [19]);
        }
        // What LabRecorder writes after a timeout: 0 at a time of its own clock.
        let zero = |all: &mut Vec<ClockOffset>| {
            all[7] = ClockOffset { collection_time_s: 185.0, offset_s: 0.0, file_offset: 7 };
        };
        assert_eq!(dropped(zero), [7]);
        let times = |all: &mut Vec<ClockOffset>| all[7].collection_time_s = 3e300;
        assert_eq!(dropped(times), [7]);
    }

    #[test]
    fn clocks_that_are_set_stay() {
        // Set once; set and set back; restarted right before the end.
        assert_eq!(dropped(|all| all[9..].iter_mut().for_each(|o| o.offset_s += 30.0)), [0; 0]);
        let set = |all: &mut Vec<ClockOffset>| {
            all[7].offset_s += 30.0;
            all[7].collection_time_s -= 30.0;
        };
        assert_eq!(dropped(set), [0; 0]);
        let restarted = |all: &mut Vec<ClockOffset>| {
            all[19] = ClockOffset { collection_time_s: 3.0, offset_s: 242.0, file_offset: 19 };
        };
        assert_eq!(dropped(restarted), [0; 0]);
        // On the recorder's own clock there are nothing but zeros.
        assert_eq!(dropped(|all| all.iter_mut().for_each(|o| o.offset_s = 0.0)), [0; 0]);
    }
}
