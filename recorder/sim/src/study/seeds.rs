//! Seeds for tuning and seeds for reporting, kept apart.
//!
//! A figure that is reported must come from recordings that nobody looked at while choosing
//! constants: tune on [`tuning`], report on [`reporting`], never the other way round.

use std::ops::Range;

/// First seed for reporting.
const REPORTING: u64 = 1_000_000;

/// `count` seeds to tune on: 0, 1, 2 and so on (at most a million).
pub fn tuning(count: u64) -> Range<u64> {
    0..count.min(REPORTING)
}

/// `count` seeds to report on: 1000000 and up.
pub fn reporting(count: u64) -> Range<u64> {
    REPORTING..REPORTING.saturating_add(count)
}
