//! Waits as long as the simulated network takes, for requests and their answers.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;

use crate::host::now_s;

use super::tcp::TcpPath;

/// The timer is not trusted with the last of a wait.
const TIMER_S: f64 = 2e-3;
/// No wait is longer at a time.
const LONGEST_WAIT_S: f64 = 3600.0;

/// The two directions of the simulated network for one connection.
#[derive(Debug)]
pub(crate) struct Ways {
    down: TcpPath,
    up: TcpPath,
}

impl Ways {
    /// Those of one connection: towards the device, and back.
    pub(crate) fn new(down: TcpPath, up: TcpPath) -> Self {
        Self { down, up }
    }

    /// Both: towards the device, and back.
    pub(crate) fn into_paths(self) -> (TcpPath, TcpPath) {
        (self.down, self.up)
    }

    /// Waits until what is here now has come to the device.
    pub(crate) async fn there(&mut self) {
        wait(&mut self.down).await;
    }

    /// Waits until what the device sends now has come here.
    pub(crate) async fn back(&mut self) {
        wait(&mut self.up).await;
    }
}

async fn wait(path: &mut TcpPath) {
    let begun_s = now_s();
    wait_until(begun_s + path.delay_s(begun_s)).await;
}

/// Waits until a host time, more exactly than a timer does; it may be cancelled.
pub(crate) async fn wait_until(due_s: f64) {
    // The timer wakes in steps of a millisecond, which would make one way longer than the other, by the phase of the
    // millisecond: what a clock is measured by must not depend on that.
    while due_s - now_s() > TIMER_S {
        sleep(Duration::from_secs_f64((due_s - now_s() - TIMER_S).clamp(0.0, LONGEST_WAIT_S))).await;
    }
    while now_s() < due_s {
        yield_now().await;
    }
}
