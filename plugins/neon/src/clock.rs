//! The thread `neon-clock`: asks the phone for its time, and notices when that is set.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lockstep_plugin_api::{Clock, Corridor, Error, Exchange, Host, LogLevel, Stop, probe_until_stopped};

use crate::echo::{Counters, Echo};

/// The phone answers in whole milliseconds.
pub const RESOLUTION_S: f64 = 1e-3;
/// Questions that are asked one after the other.
const PAIR: usize = 2;
/// Exchanges that tell together where the clock is: a burst, about.
const REMEMBERED: usize = 8;

/// Where the phone's clock is, as far as it is known by now. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Whereabouts(Arc<Mutex<Option<Corridor>>>);

impl Whereabouts {
    /// Recorder time minus phone time in seconds.
    pub fn offset_s(&self) -> Option<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|corridor| corridor.middle_s())
    }

    fn set(&self, corridor: Option<Corridor>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = corridor;
    }
}

/// Notices a clock that is set. Pure.
#[derive(Debug, Default)]
struct Watch {
    recent: Vec<Exchange>,
}

impl Watch {
    /// By how much the clock has jumped ahead at this exchange, if it has.
    fn jump_s(&mut self, exchange: Exchange) -> Option<f64> {
        let now = Corridor::new(&[exchange], RESOLUTION_S)?;
        let jump_s = self.corridor().and_then(|before| now.jump_s(&before));
        if jump_s.is_some() {
            self.recent.clear();
        } else if self.recent.len() == REMEMBERED {
            self.recent.remove(0);
        }
        self.recent.push(exchange);
        jump_s
    }

    /// Where the clock was last; what does not fit together says nothing.
    fn corridor(&self) -> Option<Corridor> {
        let last = self.recent.get(self.recent.len().checked_sub(1)?..)?;
        let all = Corridor::new(&self.recent, RESOLUTION_S).filter(Corridor::is_possible);
        all.or_else(|| Corridor::new(last, RESOLUTION_S))
    }
}

/// Measure `clock` until `stop`; what was counted.
///
/// # Errors
/// Those of the recorder.
pub fn run(
    host: Host,
    clock: &Clock,
    mut echo: Echo,
    whereabouts: &Whereabouts,
    stop: &Stop,
) -> Result<Counters, Error> {
    let mut watch = Watch::default();
    probe_until_stopped(host, clock, stop, |timeout| {
        let (begun, mut measured) = (Instant::now(), Vec::with_capacity(PAIR));
        // A phone, and its Wi-Fi, that has just answered is awake: the second answer comes as soon as it can.
        for _ in 0..PAIR {
            let left = timeout.saturating_sub(begun.elapsed());
            let asked = if left.is_zero() { Ok(None) } else { echo.exchange(left) };
            let Some(exchange) = asked.map_err(|error| Error::io(format!("Time Echo: {error}")))? else {
                break;
            };
            if let Some(jump_s) = watch.jump_s(exchange) {
                let text = format!("the phone's clock was set: it jumped by {jump_s:+.3} s");
                clock.reset(&text)?;
                host.log(LogLevel::Warn, &text);
            }
            whereabouts.set(watch.corridor());
            measured.push(exchange);
        }
        Ok(measured)
    })?;
    Ok(echo.counters)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exchange at `at_s` with a phone whose clock is ahead by `ahead_s`, read in whole milliseconds.
    fn exchange(at_s: f64, ahead_s: f64) -> Exchange {
        let device_s = ((at_s + 0.003 + ahead_s) * 1e3).floor() / 1e3;
        Exchange { t0_s: at_s, t1_s: device_s, t2_s: device_s, t3_s: at_s + 0.006 }
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_at_once_and_drift_and_flooring_are_not_taken_for_it() {
        let mut watch = Watch::default();
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
    }
}
