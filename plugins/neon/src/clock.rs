//! The thread `neon-clock`: asks the phone for its time, and notices when that is set.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lockstep_plugin_api::{Clock, Corridor, Error, Host, JumpWatch, LogLevel, Stop, probe_until_stopped};

use crate::echo::{Counters, Echo};

/// The phone answers in whole milliseconds.
pub const RESOLUTION_S: f64 = 1e-3;
/// Questions that are asked one after the other.
const PAIR: usize = 2;

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
    let mut watch = JumpWatch::new(RESOLUTION_S);
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
