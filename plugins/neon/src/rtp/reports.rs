//! From the time stamps of packets to the clock of the phone, by its sender reports.
//!
//! A report names one instant by both. One at a time they cannot be trusted: some senders pair the time now with the
//! stamp of the last packet, which makes the phone seem ahead by up to the pause between two packets, never behind.
//! So the lowest of the last reports counts, each older one raised by what the two may have drifted since. Where
//! reports are exact, that is the newest one.

use std::collections::VecDeque;

use super::Report;

/// Reports that are remembered.
const REMEMBERED: usize = 6;
/// How much the two clocks may drift apart, in parts of 1e9: both are the phone's.
const DRIFT_PPB: i64 = 100_000;
/// A report is off by more than a sender of this kind can be, and this much: the phone's clock was set.
const STEP_NS: i64 = 20_000_000;

/// One that is ahead by more than the pause between packets, and this, may tell that the clock was set forward by a
/// little...
const LATE_NS: i64 = 3_000_000;
/// ...and so many in a row tell that it was.
const LATE_REPORTS: u32 = 3;

/// Relates time stamps to the phone's clock.
#[derive(Debug)]
pub struct Reports {
    rate_hz: i64,
    /// Longest pause between two packets that is usual, in nanoseconds.
    pause_ns: i64,
    /// Where stamps are unwrapped from.
    last_ticks: Option<i64>,
    /// Ticks and phone time minus ticks, in nanoseconds, oldest first.
    known: VecDeque<(i64, i64)>,
    offset_ns: Option<i64>,
    /// The offset is assumed: the first report counts instead.
    is_assumed: bool,
    /// Reports in a row that were later than any sender of this kind can be.
    late: u32,
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// From now on packets can be placed.
    First,
    /// The offset moved by so many nanoseconds.
    Moved(i64),
    /// The phone's clock jumped ahead by so many nanoseconds since the report before.
    Stepped(i64),
}

impl Reports {
    /// For stamps of `rate_hz` ticks a second, and packets that are usually no further apart than `pause_ns`.
    pub fn new(rate_hz: u32, pause_ns: i64) -> Self {
        Self {
            rate_hz: i64::from(rate_hz).max(1),
            pause_ns,
            last_ticks: None,
            known: VecDeque::new(),
            offset_ns: None,
            is_assumed: false,
            late: 0,
        }
    }

    /// Until a report comes, what is stamped `ticks` was at `unix_ns`.
    pub fn assume(&mut self, ticks: i64, unix_ns: i64) {
        self.offset_ns = Some(unix_ns - self.nanoseconds(ticks));
        self.is_assumed = true;
    }

    /// The stamp without its wrap: the nearest to the one before.
    pub fn extended(&mut self, timestamp: u32) -> i64 {
        let last = self.last_ticks.unwrap_or_else(|| timestamp.into());
        let ticks = last + i64::from(timestamp.wrapping_sub(last as u32) as i32);
        self.last_ticks = Some(ticks);
        ticks
    }

    /// Take in a report.
    pub fn report(&mut self, report: Report) -> (i64, Change) {
        let ticks = self.extended(report.timestamp);
        let said_ns = report.unix_ns - self.nanoseconds(ticks);
        let is_assumed = std::mem::take(&mut self.is_assumed);
        let Some(before_ns) = self.offset_ns.filter(|_| !is_assumed) else {
            self.known.push_back((ticks, said_ns));
            self.offset_ns = Some(said_ns);
            return (ticks, Change::First);
        };
        let off_ns = said_ns - before_ns;
        let most_ns = STEP_NS + self.pause_ns + self.pause_ns / 2;
        self.late = if off_ns > self.pause_ns + LATE_NS { self.late + 1 } else { 0 };
        if off_ns > most_ns || off_ns < -STEP_NS || self.late >= LATE_REPORTS {
            self.late = 0;
            self.known.clear();
            self.known.push_back((ticks, said_ns));
            self.offset_ns = Some(said_ns);
            return (ticks, Change::Stepped(off_ns));
        }
        if self.known.len() == REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back((ticks, said_ns));
        let raised = |(at, offset_ns): &(i64, i64)| {
            offset_ns
                + self.nanoseconds((ticks - at).abs()) / 1_000_000_000 * DRIFT_PPB
                + self.nanoseconds((ticks - at).abs()) % 1_000_000_000 * DRIFT_PPB / 1_000_000_000
        };
        let now_ns = self.known.iter().map(raised).min().unwrap_or(said_ns);
        self.offset_ns = Some(now_ns);
        (ticks, Change::Moved(now_ns - before_ns))
    }

    /// When the phone took what is stamped `ticks`, in nanoseconds since 1970. `None`: no report has come yet.
    pub fn unix_ns(&self, ticks: i64) -> Option<i64> {
        Some(self.nanoseconds(ticks) + self.offset_ns?)
    }

    /// Phone time minus ticks, as it is used now.
    pub fn offset_ns(&self) -> Option<i64> {
        self.offset_ns
    }

    /// The sender has started anew.
    pub fn restart(&mut self) {
        (self.last_ticks, self.offset_ns, self.is_assumed, self.late) = (None, None, false, 0);
        self.known.clear();
    }

    /// So many ticks in nanoseconds, without losing digits, rounded to the nearest.
    pub fn nanoseconds(&self, ticks: i64) -> i64 {
        let (whole, part) = (ticks.div_euclid(self.rate_hz), ticks.rem_euclid(self.rate_hz));
        whole * 1_000_000_000 + (part * 1_000_000_000 + self.rate_hz / 2) / self.rate_hz
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE_NS: i64 = 1_700_000_000_000_000_000;
    const SECOND_NS: i64 = 1_000_000_000;

    fn reports() -> Reports {
        Reports::new(90_000, 5_000_000)
    }

    /// A report at `at_s`, of a sender that is ahead by `ahead_ns` then.
    fn report(at_s: i64, ahead_ns: i64) -> Report {
        let timestamp = (at_s * 90_000) as u32;
        Report { ssrc: 1, timestamp, unix_ns: BASE_NS + at_s * SECOND_NS + ahead_ns }
    }

    #[test]
    fn exact_reports_place_packets_exactly_also_before_the_first() {
        let mut reports = reports();
        let early = reports.extended(90_000);
        assert_eq!(reports.unix_ns(early), None);
        assert_eq!(reports.report(report(3, 0)).1, Change::First);
        assert_eq!(reports.unix_ns(early), Some(BASE_NS + SECOND_NS));
        for at_s in [6, 9, 12, 15, 18, 21, 24] {
            assert_eq!(reports.report(report(at_s, 0)).1, Change::Moved(0));
        }
    }

    #[test]
    fn a_sender_that_pairs_now_with_its_last_packet_is_seen_through() {
        let mut reports = reports();
        for (at_s, ahead_ns) in
            [(0, 4_000_000), (3, 100_000), (6, 4_900_000), (9, 3_000_000), (12, 2_000_000)]
        {
            reports.report(report(at_s, ahead_ns));
        }
        let off_ns = reports.offset_ns().expect("an offset") - BASE_NS;
        assert!((0..1_100_000).contains(&off_ns), "{off_ns}");
    }

    #[test]
    fn a_clock_that_is_set_is_a_step_and_one_that_is_slewed_is_followed() {
        let mut reports = reports();
        reports.report(report(0, 0));
        assert_eq!(reports.report(report(3, 100_000_000)).1, Change::Stepped(100_000_000));
        assert_eq!(reports.offset_ns(), Some(BASE_NS + 100_000_000));
        assert_eq!(reports.report(report(6, 50_000_000)).1, Change::Stepped(-50_000_000));
        for k in 1..20 {
            // 60 ppm.
            let slewed_ns = 50_000_000 + k * 180_000;
            let (_, change) = reports.report(report(6 + 3 * k, slewed_ns));
            assert_eq!(change, Change::Moved(180_000));
        }
    }

    #[test]
    fn a_clock_that_is_set_by_a_little_is_a_step_at_the_third_report() {
        let mut reports = reports();
        reports.report(report(0, 0));
        for at_s in [3, 6] {
            assert!(
                matches!(reports.report(report(at_s, 15_000_000)).1, Change::Moved(ns) if ns < 1_000_000)
            );
        }
        assert!(matches!(reports.report(report(9, 15_000_000)).1, Change::Stepped(ns) if ns > 14_000_000));
    }

    #[test]
    fn what_is_assumed_counts_until_the_first_report() {
        let mut reports = reports();
        reports.assume(90_000, BASE_NS + SECOND_NS + 500_000_000);
        assert_eq!(reports.offset_ns(), Some(BASE_NS + 500_000_000));
        assert_eq!(reports.report(report(3, 0)).1, Change::First);
        assert_eq!(reports.offset_ns(), Some(BASE_NS));
    }

    #[test]
    fn stamps_wrap_after_thirteen_hours() {
        let mut reports = reports();
        let at_s = 47_721;
        reports.report(report(at_s, 0));
        let ticks = reports.extended(((at_s + 2) * 90_000) as u32);
        assert_eq!(reports.unix_ns(ticks), Some(BASE_NS + (at_s + 2) * SECOND_NS));
        assert_eq!(reports.report(report(at_s + 3, 0)).1, Change::Moved(0));
        let late = reports.extended(((at_s + 1) * 90_000) as u32);
        assert_eq!(reports.unix_ns(late), Some(BASE_NS + (at_s + 1) * SECOND_NS), "one that was overtaken");
    }

    proptest! {
        #[test]
        fn no_report_makes_it_panic(all in proptest::collection::vec((any::<u32>(), -(1i64 << 61)..(1i64 << 61)), 0..50)) {
            let mut reports = reports();
            for (timestamp, unix_ns) in all {
                let (ticks, _) = reports.report(Report { ssrc: 1, timestamp, unix_ns });
                reports.unix_ns(ticks);
            }
        }
    }
}
