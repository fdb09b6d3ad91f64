//! What becomes of the master clock in the recording: its exchanges, its
//! states, and events that say which clock it was.

use std::net::SocketAddr;
use std::sync::Arc;

use lockstep_clock::{Exchange, Reading, Stamp, best};
use lockstep_platform::{monotonic_and_utc_ns, monotonic_s};
use lockstep_xdf::Element;
use serde_json::{Value, json};

use super::NAME;
use super::connection::Counts;
use super::packet::{Packet, UNITS_PER_S, short_s};
use super::server::Server;
use crate::recording::clock::{ClockSpec, Domain};
use crate::recording::intake::SourceIntake;
use crate::recording::notice::Level;
use crate::recording::state::State;

/// How its time stamps are read. Seconds since 1970 as float64 have steps of 2^-22 s (0.24 us) in
/// this century, which is finer than any network.
const READING: Reading = Reading { resolution_s: 1.0 / UNITS_PER_S, stamp: Stamp::Exact };
/// How far this machine's UTC is from the master clock is written again after this time...
const HOST_CLOCK_S: f64 = 300.0;
/// ... or when it has changed by this much, and by more than can be an error.
const HOST_CLOCK_CHANGE_S: f64 = 0.001;

/// Writes into the recording.
#[derive(Debug)]
pub struct Report {
    source: Arc<SourceIntake>,
    server: Server,
    /// Number of the clock, once it is added.
    clock: Option<u32>,
    /// The last server of which was told.
    told: Option<(SocketAddr, Packet)>,
    /// When and what was last told of this machine's UTC.
    host_clock: Option<(f64, f64)>,
    /// What was measured of it since, and is not news.
    untold_host_clock: Option<Value>,
    measured: bool,
}

impl Report {
    /// Nothing is written yet.
    pub fn new(source: Arc<SourceIntake>, server: Server) -> Self {
        Self {
            source,
            server,
            clock: None,
            told: None,
            host_clock: None,
            untold_host_clock: None,
            measured: false,
        }
    }

    /// Whether there ever was an exchange.
    pub fn measured(&self) -> bool {
        self.measured
    }

    /// It begins.
    pub fn begin(&self) {
        self.state(State::Connecting, &format!("asking {} for the time", self.server));
    }

    /// It is known how often this server is asked.
    pub fn asks(&self, address: SocketAddr, public: bool, probes: u32, interval_s: f64) {
        let details = json!({
            "server": self.server.to_string(), "address": address.to_string(), "public": public,
            "questions_per_burst": probes, "interval_s": interval_s,
        });
        self.event("ntp_asking", &details);
    }

    /// Exchanges were measured; the newest answer was `packet`.
    pub fn exchanges(&mut self, exchanges: &[Exchange], address: SocketAddr, packet: &Packet) {
        self.add_clock(Some((address, packet)));
        let clock = self.clock;
        if let (Some(clock), Some((before, _))) = (clock, self.told)
            && before != address
        {
            // Two servers may be milliseconds apart: that is a jump, not a drift.
            drop(self.source.clock_reset(clock, &format!("{address} answers now, in place of {before}")));
        }
        if self.told.is_none_or(|(before, told)| before != address || identity(&told) != identity(packet)) {
            self.event("ntp_server", &self.server_json(address, packet));
            if matches!(packet.leap, 1 | 2) {
                let text = format!("{} announces a leap second at the end of the month", self.server);
                self.source.log(Level::Warning, &text);
            }
        }
        self.told = Some((address, *packet));
        if let Some(clock) = clock {
            // A full queue is counted by the companion stream, and shown as any other loss; a source
            // that is closed records nothing more.
            drop(self.source.push_exchanges(clock, exchanges));
            self.measured = true;
        }
        self.see_host_clock(exchanges);
        let reference = packet.reference_text();
        let reason = format!("from {address}, stratum {}, reference {reference}", packet.stratum);
        self.state(State::Streaming, &reason);
    }

    /// It cannot be measured, for this reason, which names the server.
    pub fn trouble(&mut self, reason: &str) {
        self.add_clock(None);
        self.state(State::Degraded, reason);
    }

    /// Something to be read by whoever watches.
    pub fn warn(&self, text: &str) {
        self.source.log(Level::Warning, text);
    }

    /// It ends.
    pub fn end(&mut self, counts: &Counts) {
        self.add_clock(None);
        if let Some(details) = self.untold_host_clock.take() {
            self.event("host_clock", &details);
        }
        let mut details = json!(counts);
        if let Some((address, packet)) = self.told {
            details["server"] = self.server_json(address, &packet);
        }
        self.event("ntp_summary", &details);
    }

    /// Add the clock once: the header says of the server what is known by then.
    fn add_clock(&mut self, answer: Option<(SocketAddr, &Packet)>) {
        if self.clock.is_some() {
            return;
        }
        let facts = match answer {
            Some((address, packet)) => self.server_json(address, packet),
            None => json!({"server": self.server.to_string()}),
        };
        let mut ntp = Element::new("ntp");
        for (key, value) in facts.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            ntp.push_child(Element::new(key.as_str()).with_text(text));
        }
        let (domain, desc) = (Domain::Unix, vec![ntp]);
        match self.source.add_clock(ClockSpec {
            name: NAME.to_owned(),
            domain,
            reading: READING,
            interval_s: None,
            desc,
        }) {
            Ok(number) => self.clock = Some(number),
            Err(refusal) => self.state(State::Failed, &refusal.to_string()),
        }
    }

    fn server_json(&self, address: SocketAddr, packet: &Packet) -> Value {
        json!({
            "server": self.server.to_string(),
            "address": address.to_string(),
            "version": packet.version,
            "leap": packet.leap,
            "stratum": packet.stratum,
            "reference_id": packet.reference_text(),
            "precision_s": packet.precision_s(),
            "root_delay_s": short_s(packet.root_delay),
            "root_dispersion_s": short_s(packet.root_dispersion),
        })
    }

    /// How far the UTC of this machine is from the master clock: other programs stamp with it.
    fn see_host_clock(&mut self, exchanges: &[Exchange]) {
        let Some(measured) = best(exchanges, READING) else { return };
        let (monotonic_ns, utc_ns) = monotonic_and_utc_ns();
        let utc_minus_recorder_s = utc_ns.saturating_sub(monotonic_ns) as f64 / 1e9;
        let ahead_s = utc_minus_recorder_s + measured.offset_s;
        let now_s = monotonic_s();
        let news = self.host_clock.is_none_or(|(told_s, told)| {
            let change_s = (ahead_s - told).abs();
            now_s - told_s >= HOST_CLOCK_S || change_s >= HOST_CLOCK_CHANGE_S.max(measured.bound_s)
        });
        let details = json!({
            "recorder_time_s": measured.device_time_s + measured.offset_s,
            "host_utc_minus_master_s": ahead_s,
            "bound_s": measured.bound_s,
            "round_trip_s": measured.round_trip_s,
            "host_utc_minus_recorder_s": utc_minus_recorder_s,
        });
        if news {
            self.host_clock = Some((now_s, ahead_s));
            self.untold_host_clock = None;
            self.event("host_clock", &details);
        } else {
            self.untold_host_clock = Some(details);
        }
    }

    fn state(&self, state: State, reason: &str) {
        // Refused only when the source is closed: then nobody waits for it.
        drop(self.source.set_state(0, state, reason));
    }

    fn event(&self, name: &str, details: &Value) {
        drop(self.source.event(0, name, &details.to_string()));
    }
}

/// What makes a clock another one. Delays and dispersions change with each answer.
fn identity(packet: &Packet) -> (u8, u8, [u8; 4]) {
    (packet.leap, packet.stratum, packet.reference_id)
}
