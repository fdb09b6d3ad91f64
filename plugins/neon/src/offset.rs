//! Exchanges with a phone, without a recording.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep_plugin_api::{Exchange, ProbeSchedule, ProbeSettings};

use crate::echo::Echo;
use crate::find;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Pause between two exchanges, before it is dithered: never at the same phase of a millisecond.
const GAP_S: f64 = 0.011;
/// The schedule's own pause, which is dithered in the same way.
const SCHEDULE_GAP_S: f64 = 0.064;

/// A phone that can be asked for its time.
#[derive(Debug)]
pub struct Phone {
    /// As its owner calls it.
    pub name: String,
    /// Where its interface is.
    pub at: SocketAddr,
    echo: Echo,
    schedule: ProbeSchedule,
}

impl Phone {
    /// Find the phone at `address`, or by its name, or the only one.
    ///
    /// # Errors
    /// It is not found, or too old, in words.
    pub fn find(address: &str, device: &str) -> Result<Self, String> {
        let (at, known) = find::known(address, device)?;
        let phone = known.phone.unwrap_or_default();
        let port =
            phone.time_echo_port.ok_or("the Companion app is too old to be asked for its time; update it")?;
        Ok(Self {
            name: phone.device_name,
            at,
            echo: Echo::new(Arc::new(Mutex::new(Some(SocketAddr::new(at.ip(), port))))),
            schedule: ProbeSchedule::new(ProbeSettings::default()),
        })
    }

    /// Ask `count` times, a hundred times a second or so. Answers that do not come are left out; when the phone
    /// cannot be reached any more, what there is by then counts.
    ///
    /// # Errors
    /// The phone cannot be reached, in words.
    pub fn exchanges(&mut self, count: usize) -> Result<Vec<Exchange>, String> {
        let mut all = Vec::with_capacity(count);
        // The first one makes the connection, and is of another kind.
        let _ = self.exchange().or_else(|_| self.exchange())?;
        for place in 0..count {
            // In pairs: a phone that has just answered is awake.
            if place % 2 == 0 {
                std::thread::sleep(Duration::from_secs_f64(self.schedule.gap_s() * GAP_S / SCHEDULE_GAP_S));
            }
            match self.exchange() {
                Ok(exchange) => all.extend(exchange),
                Err(why) if all.is_empty() => return Err(why),
                Err(_) => break,
            }
        }
        Ok(all)
    }

    fn exchange(&mut self) -> Result<Option<Exchange>, String> {
        self.echo.exchange(ANSWER).map_err(|error| format!("its Time Echo cannot be reached: {error}"))
    }
}
