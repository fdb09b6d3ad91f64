//! Waits as long as the simulated network takes, for requests and their answers.

use std::time::Duration;

use tokio::time::sleep;

use crate::host::now_s;
use crate::rng::derive_seed;

use super::shared::Shared;
use super::tcp::TcpPath;

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
    let delay_s = path.delay_s(now_s());
    if delay_s > 0.0 {
        sleep(Duration::from_secs_f64(delay_s)).await;
    }
}
