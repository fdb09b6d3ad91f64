//! The demo: three simulated devices with clocks of their own, run in the
//! background while they are recorded.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::JoinHandle;
use std::time::Duration;

use lockstep_sim::clock::ClockModel;
use lockstep_sim::format::Format;
use lockstep_sim::network::PathModel;
use lockstep_sim::udp::{
    DeviceReport, ExchangeConfig, ExchangeKind, Payload, Rate, Simulator, UdpDeviceConfig,
    default_channel_names,
};
use tokio::sync::watch;

use super::configuration;
use crate::inspect::Summary;

/// How long the demo records.
pub const DEMO_DURATION: Duration = Duration::from_secs(10);
/// The devices begin to send when the recorder listens, and end before it stops,
/// so that what they sent and what was recorded can be compared.
const START_DELAY: Duration = Duration::from_millis(600);
const SENDING: Duration = Duration::from_millis(9200);

/// Simulated devices that are running.
#[derive(Debug)]
pub struct Demo {
    /// The configuration that records them.
    pub config_toml: String,
    stop: watch::Sender<bool>,
    thread: JoinHandle<anyhow::Result<Vec<DeviceReport>>>,
}

/// What was sent and what was recorded of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoReport {
    /// Its name.
    pub name: String,
    /// Samples sent.
    pub sent: u64,
    /// Samples in the file.
    pub recorded: u64,
}

fn devices() -> anyhow::Result<Vec<UdpDeviceConfig>> {
    // Bound all at once, so that the ports differ; closed again for the recorder to take.
    let sockets = [(); 3].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut ports = Vec::new();
    for socket in sockets {
        ports.push(socket?.local_addr()?);
    }
    let network = PathModel { delay_s: 0.2e-3, jitter_s: 0.2e-3, ..PathModel::default() };
    let exchange = Some(ExchangeConfig {
        kind: ExchangeKind::Echo,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    });
    let device = |name: &str, address, rate, offset_s, skew_ppm, seed| UdpDeviceConfig {
        rate,
        clock: ClockModel { offset_s, skew_ppm, wander_ppm: 0.01, ..ClockModel::default() },
        uplink: network,
        downlink: network,
        exchange,
        seed,
        start_delay: START_DELAY,
        duration: Some(SENDING),
        ..UdpDeviceConfig::new(name, address)
    };
    Ok(vec![
        UdpDeviceConfig {
            channel_names: default_channel_names(32),
            samples_per_datagram: 10,
            ..device("eeg", ports[0], Rate::Regular { hz: 1000.0 }, 1234.567, 40.0, 1)
        },
        UdpDeviceConfig {
            payload: Payload::Json,
            format: Format::Double64,
            channel_names: default_channel_names(6),
            ..device("imu", ports[1], Rate::Regular { hz: 100.0 }, -86.4, -15.0, 2)
        },
        UdpDeviceConfig {
            payload: Payload::Marker,
            format: Format::String,
            channel_names: default_channel_names(1),
            exchange: None,
            ..device("markers", ports[2], Rate::Irregular { mean_hz: 3.0 }, 0.0, 0.0, 3)
        },
    ])
}

impl Demo {
    /// Start the devices.
    ///
    /// # Errors
    /// When no ports or no thread can be had.
    pub fn start() -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (config_out, config_in) = crossbeam_channel::bounded(1);
        let mut configs = devices()?;
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let simulator = Simulator::bind(configs.clone()).await?;
                for (config, address) in configs.iter_mut().zip(simulator.exchange_addresses()) {
                    if let (Some(exchange), Some(address)) = (&mut config.exchange, address) {
                        exchange.address = address;
                    }
                }
                drop(config_out.send(configuration(&configs)));
                Ok(simulator.run(stopped).await?)
            })
        })?;
        match config_in.recv() {
            Ok(config_toml) => Ok(Self { config_toml, stop, thread }),
            // It has ended before it could tell: its error says why.
            Err(_) => Err(match thread.join() {
                Ok(Err(e)) => e,
                _ => anyhow::anyhow!("the simulator ended"),
            }),
        }
    }

    /// End the devices and compare what they sent with what `summary` says was recorded.
    ///
    /// # Errors
    /// When the simulator failed.
    pub fn finish(self, summary: &Summary) -> anyhow::Result<Vec<DemoReport>> {
        self.stop.send_replace(true);
        let reports = self.thread.join().map_err(|_| anyhow::anyhow!("the simulator panicked"))??;
        let recorded = |name: &str| {
            let stream = summary.streams.iter().find(|s| s.name == name);
            stream.map_or(0, |s| s.samples)
        };
        Ok(reports
            .into_iter()
            .map(|r| DemoReport { recorded: recorded(&r.name), sent: r.samples, name: r.name })
            .collect())
    }
}
