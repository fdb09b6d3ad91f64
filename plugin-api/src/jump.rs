//! Noticing that a device's clock was set, or began anew.

use crate::clock::Exchange;
use crate::corridor::Corridor;

/// Exchanges that tell together where the clock is: a burst, about.
const REMEMBERED: usize = 8;

/// Notices by its exchanges that a clock has jumped. Pure.
#[derive(Debug)]
pub struct JumpWatch {
    /// Step of its readings, which it floors; 0: none that matters.
    resolution_s: f64,
    recent: Vec<Exchange>,
}

impl JumpWatch {
    /// Of a clock that floors its readings to steps of `resolution_s` seconds (0: to none that matters).
    pub fn new(resolution_s: f64) -> Self {
        Self { resolution_s, recent: Vec::new() }
    }

    /// By how many seconds the clock has jumped ahead at this exchange, if it has. Less than 10 ms is no jump.
    pub fn jump_s(&mut self, exchange: Exchange) -> Option<f64> {
        let now = Corridor::new(&[exchange], self.resolution_s)?;
        let jump_s = self.corridor().and_then(|before| now.jump_s(&before));
        if jump_s.is_some() {
            self.recent.clear();
        } else if self.recent.len() == REMEMBERED {
            self.recent.remove(0);
        }
        self.recent.push(exchange);
        jump_s
    }

    /// Where the clock was last; `None`: nobody knows.
    pub fn corridor(&self) -> Option<Corridor> {
        let last = self.recent.get(self.recent.len().checked_sub(1)?..)?;
        // What does not fit together says nothing.
        let all = Corridor::new(&self.recent, self.resolution_s).filter(Corridor::is_possible);
        all.or_else(|| Corridor::new(last, self.resolution_s))
    }

    /// The clock has begun anew, as is known otherwise.
    pub fn forget(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exchange at `at_s` with a device whose clock is ahead by `ahead_s`, read in whole milliseconds.
    fn exchange(at_s: f64, ahead_s: f64) -> Exchange {
        let device_s = ((at_s + 0.003 + ahead_s) * 1e3).floor() / 1e3;
        Exchange { t0_s: at_s, t1_s: device_s, t2_s: device_s, t3_s: at_s + 0.006 }
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_at_once_and_drift_and_flooring_are_not_taken_for_it() {
        let mut watch = JumpWatch::new(1e-3);
        let mut at_s = 1000.0;
        for k in 0..200 {
            at_s += 0.0637;
            assert_eq!(watch.jump_s(exchange(at_s, 50e-6 * at_s)), None, "{k}");
        }
        let offset_s = watch.corridor().expect("known").middle_s();
        assert!((offset_s + 50e-6 * at_s).abs() < 1e-3, "{offset_s}");
        at_s += 5.0;
        let jump_s = watch.jump_s(exchange(at_s, 50e-6 * at_s + 0.1)).expect("a jump");
        assert!((jump_s - 0.1).abs() < 5e-3, "{jump_s}");
        assert_eq!(watch.jump_s(exchange(at_s + 0.06, 50e-6 * at_s + 0.1)), None);
        watch.forget();
        assert_eq!((watch.jump_s(exchange(at_s + 1.0, 50.0)), watch.corridor().is_some()), (None, true));
    }
}
