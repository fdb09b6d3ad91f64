//! The thread that asks the master clock, from start to stop. It never holds up
//! the recording: names are resolved on another thread, and at the stop it ends
//! within 50 ms.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, select};
use lockstep_platform::monotonic_s;

use super::answer::{Kiss, Refusal};
use super::connection::{Burst, Connection, Counts, Stop, unit};
use super::manners::{Manners, Settings};
use super::report::Report;
use super::resolve::Resolver;
use super::server::Server;
use crate::host::StopReport;
use crate::recording::driven::Driven;
use crate::recording::intake::SourceIntake;

/// Name of the thread.
const THREAD: &str = "ntp";
/// A name that is not resolved by then is an alarm.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries to resolve a name: first, longest. It doubles.
const RESOLVE_AGAIN_S: (f64, f64) = (2.0, 64.0);
/// After so many bursts without an answer another address is tried.
const MISSES_BEFORE_OTHERS: u32 = 3;
/// After so many an alarm is raised, unless the clock was never measured: then after the first.
const MISSES_BEFORE_ALARM: u32 = 2;
/// Addresses whose manners are remembered.
const MAX_REMEMBERED: usize = 64;

/// Asks the master clock, on a thread of its own. Dropping it leaves the thread to end by itself.
#[derive(Debug)]
pub struct Client {
    waiting: Option<Asker>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    answer: Option<Result<(), String>>,
}

impl Client {
    /// A client for `source` that has not begun.
    pub fn new(server: Server, settings: Settings, source: Arc<SourceIntake>) -> Self {
        let (stop, stopped) = bounded(1);
        let asker = Asker {
            resolver: Resolver::new(server.clone()),
            report: Report::new(source, server.clone()),
            server,
            settings,
            stop: Stop(stopped),
            candidates: VecDeque::new(),
            known: Vec::new(),
            denied: Vec::new(),
            connection: None,
            misses: 0,
            resolve_again_s: RESOLVE_AGAIN_S.0,
            counts: Counts::default(),
        };
        Self { waiting: Some(asker), stop: Some(stop), thread: None, answer: None }
    }
}

impl Driven for Client {
    fn start(&mut self) {
        let Some(asker) = self.waiting.take() else { return };
        match std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || asker.run()) {
            Ok(thread) => {
                self.thread = Some(thread);
                self.answer = Some(Ok(()));
            }
            Err(e) => self.answer = Some(Err(format!("no thread for it: {e}"))),
        }
    }

    fn started(&mut self) -> Option<Result<(), String>> {
        self.answer.take()
    }

    fn stop(&mut self) {
        self.stop = None;
    }

    fn stopped(&mut self) -> Option<StopReport> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return None;
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Some(StopReport::Failed("its thread has panicked".to_owned())),
            None | Some(Ok(())) => Some(StopReport::Clean),
        }
    }
}

#[derive(Debug)]
struct Asker {
    server: Server,
    settings: Settings,
    resolver: Resolver,
    report: Report,
    stop: Stop,
    /// Addresses of the last look-up that were not tried yet.
    candidates: VecDeque<SocketAddr>,
    /// How the addresses that were tried may be asked.
    known: Vec<(SocketAddr, Manners)>,
    /// Addresses that must not be asked again.
    denied: Vec<SocketAddr>,
    connection: Option<Connection>,
    /// Bursts in a row without a usable answer.
    misses: u32,
    resolve_again_s: f64,
    counts: Counts,
}

impl Asker {
    fn run(mut self) {
        self.report.begin();
        while !self.stop.is_set() {
            let pause_s = match self.connection.take() {
                Some(connection) => self.ask(connection),
                None if self.candidates.is_empty() => self.resolve(),
                None => self.connect(),
            };
            if pause_s > 0.0 && self.stop.wait(Duration::from_secs_f64(pause_s)) {
                break;
            }
        }
        if let Some(mut connection) = self.connection.take() {
            let last = connection.last_burst(&mut self.counts);
            self.record(&connection, &last);
        }
        self.report.end(&self.counts);
    }

    /// Look up the addresses; how long to wait before going on.
    fn resolve(&mut self) -> f64 {
        let again_s = self.resolve_again_s;
        self.resolve_again_s = (2.0 * again_s).min(RESOLVE_AGAIN_S.1);
        let pending = match self.resolver.begin() {
            Ok(pending) => pending,
            Err(e) => {
                self.report.trouble(&format!("{}: no thread to look up its address: {e}", self.server));
                return again_s;
            }
        };
        let resolved = select! {
            recv(pending) -> resolved => resolved.unwrap_or_else(|_| Err("the look-up has failed".to_owned())),
            recv(self.stop.0) -> _ => return 0.0,
            default(RESOLVE_PATIENCE) => {
                self.report.trouble(&format!("{}: the system has not found its address yet", self.server));
                return 0.0;
            }
        };
        self.resolver.done();
        match resolved {
            Ok(addresses) => self.candidates.extend(addresses.iter().filter(|a| !self.denied.contains(a))),
            Err(e) => {
                self.report.trouble(&format!("{}: its address cannot be found: {e}", self.server));
                return again_s;
            }
        }
        if self.candidates.is_empty() {
            // All of them refuse to be asked again, which was told; a name may get new ones.
            return if self.server.address().is_some() { f64::from(u32::MAX) } else { RESOLVE_AGAIN_S.1 };
        }
        0.0
    }

    /// Open a socket to the next address; how long to wait before going on.
    fn connect(&mut self) -> f64 {
        let Some(address) = self.candidates.pop_front() else { return 0.0 };
        let known = self.known.iter().position(|(known, _)| *known == address);
        let manners = match known.map(|at| self.known.swap_remove(at)) {
            Some((_, manners)) => manners,
            None => {
                let manners = Manners::new(self.settings, address);
                self.report.asks(address, manners.public(), manners.probes(), manners.interval_s());
                manners
            }
        };
        match Connection::open(address, manners) {
            Ok(connection) => {
                self.connection = Some(connection);
                0.0
            }
            Err(e) => {
                self.report.trouble(&format!("{}: no socket for {address}: {e}", self.server));
                self.pause_s(self.settings.interval_s)
            }
        }
    }

    /// One burst; how long to wait before the next, or before another address is tried.
    fn ask(&mut self, mut connection: Connection) -> f64 {
        let begun_s = monotonic_s();
        connection.manners.begin(begun_s);
        let burst = connection.burst(&self.stop, &mut self.counts);
        self.record(&connection, &burst);
        let address = connection.address;
        if let Some(Refusal::Kiss { kiss, code }) = &burst.refusal {
            match kiss {
                Kiss::Rate => {
                    connection.manners.slow_down();
                    let interval_s = connection.manners.interval_s();
                    self.report.warn(&format!(
                        "{address} is asked too often (kiss code {code:?}): from now on once each {interval_s} s"
                    ));
                }
                Kiss::Deny => {
                    self.denied.push(address);
                    self.report.trouble(&format!(
                        "{} refuses to be asked (kiss code {code:?}): it is not asked again",
                        self.named(address)
                    ));
                    return 0.0;
                }
                Kiss::Other => {}
            }
        }
        if self.stop.is_set() {
            self.connection = Some(connection);
            return 0.0;
        }
        if burst.exchanges.is_empty() {
            self.miss(address, &burst);
        } else {
            self.misses = 0;
            self.resolve_again_s = RESOLVE_AGAIN_S.0;
        }
        let next_s = connection.manners.next_s(begun_s, unit()) - monotonic_s();
        if self.misses < MISSES_BEFORE_OTHERS && burst.error.is_none() {
            self.connection = Some(connection);
            return next_s;
        }
        if self.known.len() < MAX_REMEMBERED {
            self.known.push((address, connection.manners));
        }
        // The same address is not asked sooner for having been looked up again.
        self.pause_s(next_s)
    }

    /// What to wait when an address does not serve: nothing while there are others.
    fn pause_s(&self, pause_s: f64) -> f64 {
        if self.candidates.is_empty() { pause_s } else { 0.0 }
    }

    /// No answer of the burst may be used: say so, when it is time to.
    fn miss(&mut self, address: SocketAddr, burst: &Burst) {
        self.misses = self.misses.saturating_add(1);
        let server = self.named(address);
        let reason = match (&burst.error, &burst.refusal) {
            (Some(error), _) => format!("{server} cannot be asked: {error}"),
            // Told already, and not the server's fault.
            (None, Some(Refusal::Kiss { kiss: Kiss::Rate, .. })) if self.report.measured() => return,
            (None, Some(refusal)) => format!("{server} {refusal}"),
            (None, None) => format!("{server} does not answer"),
        };
        let silent = burst.error.is_none() && burst.refusal.is_none();
        if !silent || !self.report.measured() || self.misses >= MISSES_BEFORE_ALARM {
            self.report.trouble(&reason);
        }
    }

    fn record(&mut self, connection: &Connection, burst: &Burst) {
        if let Some(packet) = &burst.packet {
            self.report.exchanges(&burst.exchanges, connection.address, packet);
        }
    }

    /// The server as configured, with its address where that is something else.
    fn named(&self, address: SocketAddr) -> String {
        match self.server.address() {
            Some(_) => self.server.to_string(),
            None => format!("{} ({address})", self.server),
        }
    }
}
