//! Waits as long as the simulated network takes, for requests and their answers.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;

use crate::host::now_s;
use crate::rng::derive_seed;

use super::shared::Shared;
use super::tcp::TcpPath;

/// The timer is not trusted with the last of a wait.
const TIMER_S: f64 = 2e-3;

/// The two directions of the simulated network for one connection.
#[derive(Debug)]
pub(super) struct Ways {
    down: TcpPath,
    up: TcpPath,
}

impl Ways {
    /// Those of one more connection.
    pub(super) fn new(shared: &Shared) -> Self {
        let config = &shared.config;
        let seed = config.seed.wrapping_add(shared.next_connection());
        Self {
            down: TcpPath::new(config.downlink, derive_seed(seed, "neon/down")),
            up: TcpPath::new(config.uplink, derive_seed(seed, "neon/up")),
        }
    }

    /// Waits until what is here now has come to the phone.
    pub(super) async fn there(&mut self) {
        wait(&mut self.down).await;
    }

    /// Waits until what the phone sends now has come here.
    pub(super) async fn back(&mut self) {
        wait(&mut self.up).await;
    }
}

async fn wait(path: &mut TcpPath) {
    let begun_s = now_s();
    let due_s = begun_s + path.delay_s(begun_s);
    // The timer wakes in steps of a millisecond, which would make one way longer than the other, by the phase of the
    // millisecond: what a clock is measured by must not depend on that.
    if due_s - begun_s > TIMER_S {
        sleep(Duration::from_secs_f64(due_s - begun_s - TIMER_S)).await;
    }
    while now_s() < due_s {
        yield_now().await;
    }
}
