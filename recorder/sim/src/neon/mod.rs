//! Simulated Neon glasses by Pupil Labs with their phone: REST, status socket, Time Echo, RTSP for
//! every sensor but audio, and mDNS.
//!
//! No glasses were there to compare with. What is simulated is what the maker's own client expects,
//! and the end-to-end tests run that client against it. Where nobody has written down what a phone
//! does, there is a choice, mostly with a setting beside it.
//!
//! The phone's oscillator paces all sensors: sample `i` is taken when it has counted `i / rate`
//! seconds since the start, also while nobody plays the sensor. RTP times and sender reports come
//! from the phone's clock, of which the truth logs know everything ([`NeonConfig::truth`]).
//!
//! | room | what |
//! |---|---|
//! | `layout`, `payload`, `signals`, `h264`, `rtp`, `sdp`, `feed`, `time` | pure: what is sent, bit by bit |
//! | `pump`, `player` | a sensor at work, and a client that plays it through the simulated network |
//! | `http`, `status`, `socket`, `rtsp`, `echo` | what is answered |
//! | `shared`, `listen`, `switchboard` | what they share, who may come, when the phone is away |

mod config;
mod echo;
mod feed;
mod h264;
mod http;
mod layout;
mod listen;
mod payload;
mod player;
mod pump;
mod report;
mod rtp;
mod rtsp;
mod sdp;
mod shared;
mod signals;
mod socket;
mod status;
mod switchboard;
mod time;
mod truth;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

pub use config::{EchoFaults, Gaze, InterleavedFaults, NeonConfig, Rates, ReportStyle, RtpClock, RtpConfig};
pub use layout::{GAZE_CHANNELS, Layout, Sensor};
pub use report::{NeonReport, SensorReport};
pub use shared::Addresses;

pub use crate::serve::Span;

use crate::clock::ClockModel;
use crate::error::SimError;
use crate::host::deadline;
use crate::serve;
use crate::serve::mdns::{Announcement, Service};
use crate::serve::time::DeviceTime;
use pump::{Pump, Sockets};
use shared::{Door, Shared};
use truth::{SharedLogs, TruthFolder};

/// The name of the phone as a machine. Real phones are all `neon.local.`, which nobody should find
/// here who looks for glasses.
const MACHINE: &str = "simulated-neon.local.";
/// Clients on their way to a sensor.
const ENTERING: usize = 64;

/// A phone whose sockets and logs are open.
#[derive(Debug)]
pub struct NeonPhone {
    shared: Arc<Shared>,
    pumps: Vec<(Pump, mpsc::Receiver<player::Player>)>,
    listeners: Vec<(TcpListener, listen::Service)>,
    _announcement: Option<Announcement>,
}

impl NeonPhone {
    /// Opens every socket and log. The phone's clock has its epoch now, which is also the start of
    /// everything that is told in seconds after the start.
    ///
    /// # Errors
    /// [`SimError`] for a parameter out of range, an address that is taken, or an existing log.
    pub async fn bind(config: NeonConfig) -> Result<Self, SimError> {
        config.validate()?;
        let (name, host) = (config.name.clone(), config.host);
        let (http, http_address) = serve::bind(&name, SocketAddr::new(host, config.port)).await?;
        let (rtsp, rtsp_address) = serve::bind(&name, SocketAddr::new(host, config.rtsp_port)).await?;
        let mut listeners = vec![(http, listen::Service::Http), (rtsp, listen::Service::Rtsp)];
        let mut addresses = Addresses { http: http_address, rtsp: rtsp_address, echo: None };
        if let Some(port) = config.echo_port {
            let (echo, address) = serve::bind(&name, SocketAddr::new(host, port)).await?;
            listeners.push((echo, listen::Service::Echo));
            addresses.echo = Some(address);
        }
        let mut sockets = Vec::new();
        let mut doors = Vec::new();
        let mut entrances = Vec::new();
        for _ in Sensor::ALL {
            let pair = Sockets::bind(&name, host).await?;
            let (players, entering) = mpsc::channel(ENTERING);
            let places = Arc::new(Semaphore::new(config.clients));
            doors.push(Door { players, places, server_port: pair.port() });
            sockets.push(pair);
            entrances.push(entering);
        }
        let announcement = if config.mdns {
            let id = status::hardware_id(config.seed);
            let service = Service {
                kind: "_http._tcp.local.",
                instance: &format!("PI monitor:{name}:{id}"),
                machine: MACHINE,
                facts: &[],
            };
            Some(Announcement::new(&name, &service, host, addresses.http.port())?)
        } else {
            None
        };
        let (host_ns, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
        let host_epoch_s = lockstep_platform::seconds(host_ns);
        // The model's offset is to this machine's UTC; simulated time runs on its monotonic clock.
        let utc_minus_host_s = utc_ns.saturating_sub(host_ns) as f64 / 1e9;
        let model = ClockModel { offset_s: config.clock.offset_s - utc_minus_host_s, ..config.clock.clone() };
        let phone = DeviceTime::new(&model, host_epoch_s, config.seed);
        let folder = match &config.truth {
            Some(path) => {
                let utc_epoch_s = lockstep_platform::seconds(utc_ns);
                let facts = truth::facts(&config, &model, host_epoch_s, utc_epoch_s);
                Some(TruthFolder::create(path.clone(), facts)?)
            }
            None => None,
        };
        let logs = SharedLogs::create(folder.as_ref())?;
        let shared = Arc::new(Shared::new(config, phone, addresses, doors, logs));
        let mut pumps = Vec::new();
        for ((sensor, pair), entering) in Sensor::ALL.into_iter().zip(sockets).zip(entrances) {
            let truth = folder.as_ref().map(|folder| folder.samples(sensor)).transpose()?;
            pumps.push((Pump::new(sensor, Arc::clone(&shared), pair, truth), entering));
        }
        Ok(Self { shared, pumps, listeners, _announcement: announcement })
    }

    /// Where it answers.
    pub fn addresses(&self) -> Addresses {
        self.shared.addresses
    }

    /// Is there until its duration is over, or until `stop` turns true or is dropped.
    ///
    /// Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`SimError::Truth`] when a log cannot be written.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<NeonReport, SimError> {
        let shared = self.shared;
        let (ending, end) = watch::channel(*stop.borrow());
        let mut servers = JoinSet::new();
        for (listener, service) in self.listeners {
            servers.spawn(listen::run(listener, service, Arc::clone(&shared), end.clone()));
        }
        let switchboard = Arc::clone(&shared);
        servers.spawn(async move { switchboard::run(&switchboard).await });
        let mut pumps = JoinSet::new();
        for (place, (pump, entering)) in self.pumps.into_iter().enumerate() {
            let run = pump.run(entering, end.clone());
            pumps.spawn(async move { (place, run.await) });
        }
        let duration_s = shared.config.duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
        let end_s = shared.phone.start_host_s() + duration_s;
        let mut sensors = Vec::with_capacity(pumps.len());
        loop {
            tokio::select! {
                // A pump that ends has failed, or was told to.
                ended = pumps.join_next() => match ended {
                    Some(ended) => {
                        let (place, report) = ended.map_err(|error| SimError::Task(error.to_string()))?;
                        sensors.push((place, report?));
                    }
                    None => break,
                },
                changed = stop.changed(), if !*ending.borrow() => {
                    if changed.is_err() || *stop.borrow() {
                        ending.send_replace(true);
                    }
                }
                () = sleep_until(deadline(end_s)), if !*ending.borrow() => {
                    // The wait of a long duration comes in parts.
                    ending.send_if_modified(|ending| {
                        *ending = crate::host::now_s() >= end_s;
                        *ending
                    });
                }
            }
        }
        servers.shutdown().await;
        shared.logs.close()?;
        sensors.sort_by_key(|(place, _)| *place);
        let counts = &shared.counts;
        let counted = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Ok(NeonReport {
            name: shared.config.name.clone(),
            sensors: sensors.into_iter().map(|(_, report)| report).collect(),
            requests: counted(&counts.requests),
            status_sockets: counted(&counts.status_sockets),
            events: counted(&counts.events),
            echoes: counted(&counts.echoes),
            resets: counted(&counts.resets),
        })
    }
}
