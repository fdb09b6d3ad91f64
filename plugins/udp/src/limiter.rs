//! Reports that come in floods, thinned to a few a second without losing count.

/// Nanoseconds in which `burst` reports go out one by one; the rest is summed up.
const WINDOW_NS: i64 = 1_000_000_000;

/// Thins one kind of report.
#[derive(Debug)]
pub struct Limiter {
    burst: u32,
    /// When the current window began.
    opened_ns: Option<i64>,
    used: u32,
    pending: Pending,
}

/// Reports that were held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// How many.
    pub reports: u64,
    /// Samples they were about, where that was known.
    pub known: u64,
    /// Whether for some it was not known.
    pub unknown: bool,
}

impl Limiter {
    /// Let `burst` reports a second through.
    pub fn new(burst: u32) -> Self {
        Self { burst, opened_ns: None, used: 0, pending: Pending::default() }
    }

    /// A report about `samples` is to be made: whether now, or with [`Self::due`] later.
    pub fn now(&mut self, now_ns: i64, samples: Option<u64>) -> bool {
        if self.opened_ns.is_none_or(|opened| now_ns.saturating_sub(opened) >= WINDOW_NS)
            && self.pending.reports == 0
        {
            (self.opened_ns, self.used) = (Some(now_ns), 0);
        }
        if self.used < self.burst {
            self.used += 1;
            return true;
        }
        self.pending.reports += 1;
        self.pending.known += samples.unwrap_or(0);
        self.pending.unknown |= samples.is_none();
        false
    }

    /// What was held back, when its second is over.
    pub fn due(&mut self, now_ns: i64) -> Option<Pending> {
        let over = self.opened_ns.is_some_and(|opened| now_ns.saturating_sub(opened) >= WINDOW_NS);
        (over && self.pending.reports > 0).then(|| {
            // The sum is the report of the window that begins now.
            (self.opened_ns, self.used) = (Some(now_ns), self.burst);
            std::mem::take(&mut self.pending)
        })
    }

    /// What was held back, now.
    pub fn flush(&mut self) -> Option<Pending> {
        (self.pending.reports > 0).then(|| std::mem::take(&mut self.pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = WINDOW_NS;

    #[test]
    fn a_flood_becomes_one_report_a_second_and_nothing_is_forgotten() {
        let mut limiter = Limiter::new(1);
        let (mut reports, mut samples) = (0, 0);
        for ms in 0..3500 {
            let now = ms * S / 1000;
            if let Some(sum) = limiter.due(now) {
                reports += 1;
                samples += sum.known;
                assert!(!sum.unknown);
            }
            if limiter.now(now, Some(2)) {
                reports += 1;
                samples += 2;
            }
        }
        samples += limiter.flush().map_or(0, |sum| sum.known);
        assert_eq!((reports, samples), (4, 7000));
    }

    #[test]
    fn rare_reports_go_out_at_once() {
        let mut limiter = Limiter::new(1);
        assert!(limiter.now(0, None));
        assert!(!limiter.now(1, None));
        assert_eq!(limiter.due(S - 1), None);
        assert_eq!(limiter.due(S), Some(Pending { reports: 1, known: 0, unknown: true }));
        assert!(limiter.now(2 * S, None));
        assert_eq!(limiter.flush(), None);
    }
}
