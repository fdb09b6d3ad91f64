//! Exchanges of a machine with a server, made without sockets and without waiting. Pure.
//!
//! There is one true time, which nobody can read. The machine's clock and the server's are each a
//! [`SimClock`] over it: what that type calls host time is the true time here. The machine's clock
//! is the one that recorders stamp with, the server's counts seconds since 1970.

use crate::clock::SimClock;
use crate::network::{Path, PathModel};
use crate::rng::derive_seed;

use super::packet;

/// The four stamps of one exchange, in seconds, as a client records them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stamps {
    /// The question left, by the machine's clock.
    pub t0_s: f64,
    /// The question came, by the server's clock, since 1970.
    pub t1_s: f64,
    /// The answer left, by the server's clock, since 1970.
    pub t2_s: f64,
    /// The answer came, by the machine's clock.
    pub t3_s: f64,
}

/// What became of one question, in seconds of true time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hop {
    /// When it left.
    pub sent_s: f64,
    /// How long it was on its way.
    pub to_server_s: f64,
    /// How long the server held it.
    pub held_s: f64,
    /// How long the answer was on its way.
    pub to_host_s: f64,
}

/// The stamps of one exchange between a machine and a server with these clocks.
///
/// The machine reads whole nanoseconds; the server's stamps have gone through a packet (2^-32 s)
/// and were then rounded once, to the 2^-22 s that seconds since 1970 have as a double.
pub fn stamps(host: &SimClock, server: &SimClock, hop: &Hop) -> Stamps {
    let arrived_s = hop.sent_s + hop.to_server_s;
    let left_s = arrived_s + hop.held_s;
    let ticks_per_s = packet::UNIT.ticks_per_s();
    let host_s = |true_s: f64| host.ticks(true_s, ticks_per_s) as f64 / ticks_per_s as f64;
    let server_s = |true_s: f64| packet::unix_s(packet::stamp(server.ticks(true_s, ticks_per_s)));
    Stamps {
        t0_s: host_s(hop.sent_s),
        t1_s: server_s(arrived_s),
        t2_s: server_s(left_s),
        t3_s: host_s(left_s + hop.to_host_s),
    }
}

/// A machine, a server, and the network between them.
#[derive(Debug, Clone)]
pub struct Scene {
    host: SimClock,
    server: SimClock,
    to_server: Path,
    to_host: Path,
    /// How long the server holds a question, in seconds.
    held_s: f64,
}

impl Scene {
    /// A machine with the clock `host`, a server with the clock `server`, and two directions of a
    /// network. Questions are about `interval_s` apart. The same arguments give the same exchanges.
    pub fn new(
        host: SimClock,
        server: SimClock,
        to_server: PathModel,
        to_host: PathModel,
        interval_s: f64,
        seed: u64,
    ) -> Self {
        Self {
            host,
            server,
            to_server: Path::new(to_server, interval_s, derive_seed(seed, "scene/to_server")),
            to_host: Path::new(to_host, interval_s, derive_seed(seed, "scene/to_host")),
            held_s: 20e-6,
        }
    }

    /// The machine's clock over true time.
    pub fn host(&self) -> &SimClock {
        &self.host
    }

    /// The server's clock over true time.
    pub fn server(&self) -> &SimClock {
        &self.server
    }

    /// The exchange whose question leaves at `sent_s` of true time, which must not fall; `None`
    /// when the question or its answer is lost.
    pub fn exchange(&mut self, sent_s: f64) -> Option<Stamps> {
        let there = self.to_server.route(sent_s);
        let to_server_s = there.delays_s().first().copied()?;
        let left_s = sent_s + to_server_s + self.held_s;
        let to_host_s = self.to_host.route(left_s).delays_s().first().copied()?;
        Some(stamps(&self.host, &self.server, &Hop { sent_s, to_server_s, held_s: self.held_s, to_host_s }))
    }

    /// The exchanges of one burst: `probes` questions, `gap_s` apart, the first at `sent_s`.
    pub fn burst(&mut self, sent_s: f64, probes: u32, gap_s: f64) -> Vec<Stamps> {
        (0..probes).filter_map(|probe| self.exchange(sent_s + f64::from(probe) * gap_s)).collect()
    }
}
