//! The exchange server of a simulated device: its socket and the two directions of its network.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::clock::SimClock;
use crate::error::SimError;
use crate::host::now_s;
use crate::network::{Deliveries, Path};
use crate::rng::derive_seed;
use crate::truth::ExchangeTimes;

use super::config::{ExchangeConfig, UdpDeviceConfig};
use super::exchange::{Readings, Request};
use super::socket;

/// About how far apart probes come, for the hold-back of reordered ones.
const PROBE_INTERVAL_S: f64 = 0.064;

/// Answers requests with readings of the simulated clock.
#[derive(Debug)]
pub(super) struct ExchangeServer {
    config: ExchangeConfig,
    socket: UdpSocket,
    readings: Readings,
    downlink: Path,
    uplink: Path,
    requests: u64,
}

/// A request on its way to the device.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) from: SocketAddr,
    /// The number of an `echo` request, or a running count.
    pub(super) seq: u64,
    /// Copies that reach the device.
    pub(super) copies: usize,
}

/// A reply that the device has just sent into the simulated network.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reply: Vec<u8>,
    pub(super) times: ExchangeTimes,
    pub(super) fate: Deliveries,
}

impl ExchangeServer {
    /// Opens the socket of the server.
    ///
    /// # Errors
    /// [`SimError::Bind`] when the address is taken or not of this machine.
    pub(super) async fn bind(device: &UdpDeviceConfig, config: ExchangeConfig) -> Result<Self, SimError> {
        let socket = UdpSocket::bind(config.address).await.map_err(|source| SimError::Bind {
            device: device.name.clone(),
            address: config.address,
            source,
        })?;
        let path = |model, purpose| Path::new(model, PROBE_INTERVAL_S, derive_seed(device.seed, purpose));
        Ok(Self {
            config,
            socket,
            readings: Readings {
                unit: device.clock_unit,
                counter: device.counter,
                resolution_s: device.clock.resolution_s,
            },
            downlink: path(device.downlink, "exchange/downlink"),
            uplink: path(device.uplink, "exchange/uplink"),
            requests: 0,
        })
    }

    /// Where the server really listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.config.address)
    }

    /// Sends a request into the simulated downlink, or `None` when the datagram is no request.
    pub(super) fn accept(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        received_s: f64,
    ) -> Option<(Asked, Deliveries)> {
        let request = Request::parse(self.config.kind, datagram)?;
        let seq = request.sequence().map_or(self.requests, u64::from);
        self.requests += 1;
        let fate = self.downlink.route(received_s);
        Some((Asked { request, from, seq, copies: fate.copies() }, fate))
    }

    /// The device receives a request now: reads its clock twice and sends the reply.
    pub(super) fn answer(&mut self, clock: &SimClock, request: &Request) -> Answer {
        let ticks_per_s = self.readings.unit.ticks_per_s();
        let t1_host_s = now_s();
        let t1_ticks = clock.ticks(t1_host_s, ticks_per_s);
        let t2_host_s = now_s();
        let t2_ticks = clock.ticks(t2_host_s, ticks_per_s);
        Answer {
            reply: request.reply(&self.readings, t1_ticks, t2_ticks),
            times: ExchangeTimes { t1_host_s, t2_host_s, t1_ticks, t2_ticks },
            fate: self.uplink.route(t2_host_s),
        }
    }

    /// Hands a reply to the operating system.
    pub(super) async fn send(&self, reply: &[u8], to: SocketAddr) -> io::Result<()> {
        socket::send(&self.socket, reply, to).await
    }
}

/// Waits for a request; for ever when the device answers none. Safe to cancel.
pub(super) async fn receive(
    server: Option<&ExchangeServer>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    match server {
        Some(server) => server.socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}
