//! A simulated device that sends a stream over UDP and answers clock exchanges.
//!
//! A device samples by its own oscillator: sample `i` is taken when the oscillator has counted
//! `start + i / rate`, and carries the reading of the device clock at that moment. A datagram is
//! sent when its last sample is due on the host; if the scheduler is late, so is the datagram, and
//! the truth log says so. Datagrams, requests and replies then pass the simulated network inside
//! the simulator, whose timers add up to about a millisecond to a delay that is not zero.
//!
//! Nothing busy-waits: a device sleeps until the next sample or arrival is due.

mod config;
mod device;
pub mod exchange;
mod metadata;
pub mod payload;
mod report;
pub mod schedule;
mod server;
mod socket;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use config::{CounterWidth, ExchangeConfig, Rate, UdpDeviceConfig, default_channel_names};
pub use exchange::ExchangeKind;
pub use payload::Payload;
pub use report::{DeviceReport, ExchangeReport};

use crate::error::SimError;
use crate::host::now_s;
use device::Device;

/// How often [`run_blocking`] looks at its stop flag.
const FLAG_PERIOD: Duration = Duration::from_millis(20);

/// Devices whose sockets and truth logs are open and which have not sent anything yet.
#[derive(Debug)]
pub struct Simulator {
    devices: Vec<Device>,
}

impl Simulator {
    /// Checks all configurations and opens every socket and log.
    ///
    /// The clocks of all devices have their epoch now.
    ///
    /// # Errors
    /// The first device that cannot be opened, as [`SimError`].
    pub async fn bind(configs: Vec<UdpDeviceConfig>) -> Result<Self, SimError> {
        configs.iter().try_for_each(UdpDeviceConfig::validate)?;
        let host_epoch_s = now_s();
        let mut devices = Vec::with_capacity(configs.len());
        for config in configs {
            devices.push(Device::open(config, host_epoch_s).await?);
        }
        Ok(Self { devices })
    }

    /// Where each device answers exchanges, in the order of the configurations.
    pub fn exchange_addresses(&self) -> Vec<Option<SocketAddr>> {
        self.devices.iter().map(Device::exchange_address).collect()
    }

    /// Runs all devices until each has reached its duration, or until `stop` turns true or its
    /// sender is dropped.
    ///
    /// Needs a tokio runtime with I/O and time. The reports come in the order of the configurations.
    ///
    /// # Errors
    /// The first device that fails ends the others and gives its [`SimError`].
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<Vec<DeviceReport>, SimError> {
        let start_s = now_s();
        let mut tasks = JoinSet::new();
        for (position, device) in self.devices.into_iter().enumerate() {
            let run = device.run(start_s, stop.clone());
            tasks.spawn(async move { (position, run.await) });
        }
        let mut reports = Vec::with_capacity(tasks.len());
        while let Some(ended) = tasks.join_next().await {
            let (position, result) = ended.map_err(|error| SimError::Task(error.to_string()))?;
            // An early return drops the set, which aborts the other devices.
            reports.push((position, result?));
        }
        reports.sort_by_key(|(position, _)| *position);
        Ok(reports.into_iter().map(|(_, report)| report).collect())
    }
}

/// Opens and runs `devices`: [`Simulator::bind`] and [`Simulator::run`] in one.
///
/// # Errors
/// As those two.
pub async fn run(
    devices: Vec<UdpDeviceConfig>,
    stop: watch::Receiver<bool>,
) -> Result<Vec<DeviceReport>, SimError> {
    Simulator::bind(devices).await?.run(stop).await
}

/// Runs `devices` on the calling thread until they end or `stop` is set.
///
/// For programs without a tokio runtime; must not be called from inside one.
///
/// # Errors
/// As [`run`], or [`SimError::Runtime`] when no runtime can be made.
pub fn run_blocking(
    devices: Vec<UdpDeviceConfig>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<DeviceReport>, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(SimError::Runtime)?;
    runtime.block_on(async {
        let (sender, receiver) = watch::channel(false);
        let mut running = std::pin::pin!(run(devices, receiver));
        let mut period = tokio::time::interval(FLAG_PERIOD);
        loop {
            tokio::select! {
                ended = &mut running => return ended,
                _ = period.tick() => if stop.load(Ordering::Relaxed) {
                    sender.send_replace(true);
                },
            }
        }
    })
}
