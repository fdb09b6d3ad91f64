//! What exchanges allow, without any model of the network: the arithmetic by which an estimate can be checked.

use std::ops::RangeInclusive;

use crate::Exchange;

/// Where in host time the instant `device_time_s` of a device's clock must lie, by `exchanges`, if that clock runs off
/// by at most `max_rate` (100e-6: 100 ppm) and neither way of an exchange takes less than no time; in seconds. `None`
/// without exchanges; empty where no such clock fits them all.
///
/// Each exchange says that the device read t1 after t0 and t2 before t3; the rate carries that to the instant asked
/// for. See Tobii, "Time Synchronization", on round-trip times, for why that is worth more than the middle of each.
pub fn allowed(exchanges: &[Exchange], device_time_s: f64, max_rate: f64) -> Option<RangeInclusive<f64>> {
    let mut both: Option<(f64, f64)> = None;
    for e in exchanges {
        let (since_t1_s, since_t2_s) = (device_time_s - e.t1_s, device_time_s - e.t2_s);
        let lowest_s = e.t0_s + since_t1_s - max_rate * since_t1_s.abs();
        let highest_s = e.t3_s + since_t2_s + max_rate * since_t2_s.abs();
        let (low_s, high_s) = both.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        both = Some((low_s.max(lowest_s), high_s.min(highest_s)));
    }
    both.map(|(low_s, high_s)| low_s..=high_s)
}
