//! Simulated Tobii Pro Glasses 3, that is their recording unit: the API over WebSocket and HTTP with
//! its signals, and mDNS. No RTSP, no video, no recordings that could be fetched.
//!
//! No glasses were there to compare with. What is simulated is what is known of the API; where nobody
//! has written down what glasses do (numbers of errors, which of two messages comes first, what a
//! lapse of the keepalive does to the time), there is a choice, some with a setting beside it.
//!
//! The glasses' oscillator paces all samples, also while nobody listens. Time stamps are readings of
//! their clock (steps and slews included) since the signals were opened, in whole microseconds, of
//! which the truth logs know everything ([`Glasses3Config::truth`]).
//!
//! | room | what |
//! |---|---|
//! | `time` | pure: the clock; since when and how long signals are alive |
//! | `messages`, `signals`, `feed` | pure: requests and answers; what is felt and seen; what is taken when |
//! | `api` | properties and actions |
//! | `server`, `socket` | who may come; one client and its way through the simulated network |
//! | `pump` | takes the samples |
//! | `shared`, `truth` | what they share, and what they write down |

mod api;
mod config;
mod feed;
mod messages;
mod pump;
mod report;
mod server;
mod shared;
mod signals;
mod socket;
mod time;
mod truth;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep_until;

pub use config::{GAZE_RATES_HZ, Glasses3Config, MAGNETOMETER_HZ};
pub use feed::Signal;
pub use report::{Glasses3Report, SignalReport};
pub use time::KEPT_ALIVE_S;

pub use crate::serve::Span;

use crate::clock::ClockModel;
use crate::error::SimError;
use crate::host::{deadline, now_s};
use crate::serve;
use crate::serve::mdns::{Announcement, Service};
use crate::serve::time::DeviceTime;
use shared::Shared;

/// Glasses whose socket and logs are open.
#[derive(Debug)]
pub struct Glasses3 {
    shared: Arc<Shared>,
    listener: TcpListener,
    address: SocketAddr,
    _announcement: Option<Announcement>,
}

impl Glasses3 {
    /// Opens the socket and every log. The glasses' clock has its epoch now, which is also the start
    /// of everything that is told in seconds after the start.
    ///
    /// # Errors
    /// [`SimError`] for a parameter out of range, an address that is taken, or an existing log.
    pub async fn bind(config: Glasses3Config) -> Result<Self, SimError> {
        config.validate()?;
        let wanted = SocketAddr::new(config.host, config.port);
        let (listener, address) = serve::bind(&config.serial, wanted).await?;
        let announcement = if config.mdns {
            let service = Service {
                kind: "_tobii-g3api._tcp.local.",
                instance: &config.serial,
                machine: &format!("{}.local.", config.serial.to_ascii_lowercase()),
                facts: &[("path", server::REST)],
            };
            Some(Announcement::new(&config.serial, &service, config.host, address.port())?)
        } else {
            None
        };
        let (host_ns, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
        let host_epoch_s = lockstep_platform::seconds(host_ns);
        // The model's offset is to this machine's UTC; simulated time runs on its monotonic clock.
        let utc_minus_host_s = utc_ns.saturating_sub(host_ns) as f64 / 1e9;
        let model = ClockModel { offset_s: config.clock.offset_s - utc_minus_host_s, ..config.clock.clone() };
        let time = DeviceTime::new(&model, host_epoch_s, config.seed);
        let facts = truth::facts(&config, &model, host_epoch_s, lockstep_platform::seconds(utc_ns));
        let logs = truth::Logs::create(&config, &facts)?;
        let shared = Arc::new(Shared::new(config, time, logs));
        Ok(Self { shared, listener, address, _announcement: announcement })
    }

    /// Where they answer.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Are there until their duration is over, or until `stop` turns true or is dropped.
    ///
    /// Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`SimError::Truth`] when a log cannot be written.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<Glasses3Report, SimError> {
        let shared = self.shared;
        let (ending, end) = watch::channel(false);
        let duration_s = shared.config.duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
        let end_s = shared.time.start_host_s() + duration_s;
        let serving = tokio::spawn(server::run(self.listener, Arc::clone(&shared), end.clone()));
        let pumped = Arc::clone(&shared);
        let pumping = tokio::spawn(async move { pump::run(&pumped, end).await });
        let stopped = async { while !*stop.borrow() && stop.changed().await.is_ok() {} };
        let over = async {
            // The wait of a long duration comes in parts.
            while now_s() < end_s {
                sleep_until(deadline(end_s)).await;
            }
        };
        tokio::select! {
            () = stopped => {}
            () = over => {}
        }
        ending.send_replace(true);
        for task in [serving, pumping] {
            task.await.map_err(|error| SimError::Task(error.to_string()))?;
        }
        shared.logs.close()?;
        let counts = &shared.counts;
        let counted = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Glasses3Report {
            serial: shared.config.serial.clone(),
            signals: shared.reports(),
            sockets: counted(&counts.sockets),
            requests: counted(&counts.requests),
            refused: counted(&counts.refused),
            zeros: shared.state().streams.zeros(),
            resets: counted(&counts.resets),
        })
    }
}
