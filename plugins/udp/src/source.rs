//! The source: sockets, threads, and what is said at the start and at the end.

use std::ffi::CStr;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_platform::{UdpOptions, UdpReceiver, monotonic_ns};
use lockstep_plugin_api::{Clock, Error, Host, LogLevel, Source, State, Stop, probe_until_stopped};

use crate::counters::{Counters, ExchangeCounters};
use crate::describe::desc_xml;
use crate::exchange::Client;
use crate::layout::{Plan, StampPlan};
use crate::options::{Counted, Options};
use crate::pipeline::{Arrival, Pipeline};
use crate::sink::Recorder;
use crate::stamp::Timeline;

/// Longest wait for a datagram before looking at the clock and at the stop signal.
const POLL: Duration = Duration::from_millis(50);
/// The same while a datagram is held back for one that is missing.
const POLL_HOLDING: Duration = Duration::from_millis(5);
/// Pause after the socket failed.
const RETRY: Duration = Duration::from_millis(100);
/// Longest time to read what is still in the socket at the stop.
const DRAIN_NS: i64 = 100_000_000;
/// The largest datagram and a byte.
const BUFFER_BYTES: usize = 65_536;

/// Records the datagrams of one device as one stream.
#[derive(Debug)]
pub struct UdpSource {
    host: Host,
    plan: Plan,
    name: String,
    stop: Stop,
    /// Written by the receiving thread when it ends.
    counters: Arc<Mutex<Option<Counters>>>,
    exchange_counters: Arc<Mutex<ExchangeCounters>>,
}

impl Source for UdpSource {
    const ID: &'static CStr = c"udp";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr =
        c"Any device or program that sends UDP datagrams: JSON, CSV, binary layouts or text markers";
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        let plan = Plan::new(&options)?;
        let own_name = plan.stream.name.as_deref();
        let name = own_name.unwrap_or_else(|| host.source_name());
        Ok(Self {
            host,
            name: if name.is_empty() { "udp".to_owned() } else { name.to_owned() },
            plan,
            stop: Stop::new(),
            counters: Arc::default(),
            exchange_counters: Arc::default(),
        })
    }

    // A failure half-way ends the threads: `stop` guards them.
    fn start(&mut self) -> Result<(), Error> {
        let receiver = self.open()?;
        let (ticks_per_s, bits) = self.plan.stamp.map_or((1, 64), |stamp| (stamp.ticks_per_s, stamp.bits));
        let line = Arc::new(Mutex::new(Timeline::new(ticks_per_s, bits)));
        let client = match (self.plan.exchange, self.plan.stamp) {
            (Some(exchange), Some(stamp)) => {
                let counters = Arc::clone(&self.exchange_counters);
                let opened = Client::open(exchange, stamp, Arc::clone(&line), counters);
                Some(opened.map_err(|e| Error::io(format!("cannot open a socket for exchanges: {e}")))?)
            }
            _ => None,
        };
        let host = self.host;
        let clock_info = self.plan.stamp.as_ref().and_then(|stamp: &StampPlan| stamp.clock_info(&self.name));
        let clock = clock_info.map(|info| host.add_clock(&info)).transpose()?;
        let sink = self.add_stream(clock)?;
        host.set_state(
            State::Connecting,
            &format!("listening on {}, nothing received yet", self.plan.listen),
        );
        let pipeline = Pipeline::new(&self.plan, line);
        let (stop, counters) = (self.stop.clone(), Arc::clone(&self.counters));
        self.stop.guard(host.spawn("udp-receive", move || {
            let counted = receive(receiver, pipeline, sink, &stop)?;
            *counters.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
            Ok(())
        })?);
        if let (Some(mut client), Some(clock)) = (client, clock) {
            let stop = self.stop.clone();
            self.stop.guard(host.spawn("udp-exchange", move || {
                probe_until_stopped(host, &clock, &stop, |timeout| {
                    client.exchange(timeout, &host, &clock, &stop)
                })
            })?);
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.stop.stop_and_join();
        let Some(counters) = self.counters.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(()); // the receiving thread failed, and said so
        };
        let counted = self.plan.sequence.map(|sequence| match sequence.per {
            Counted::Sample => "samples",
            Counted::Datagram => "datagrams",
        });
        let exchanges = *self.exchange_counters.lock().unwrap_or_else(PoisonError::into_inner);
        let exchanges = self.plan.exchange.map(|_| exchanges);
        self.host.event("udp summary", &counters.summary(counted, exchanges))
    }
}

impl UdpSource {
    fn add_stream(&self, clock: Option<Clock>) -> Result<Recorder, Error> {
        let (host, plan) = (self.host, &self.plan.stream);
        let mut builder = host
            .raw_stream(&self.name, plan.format, plan.channels.len())
            .kind(&plan.kind)
            .source_id(&plan.source_id)
            .nominal_rate_hz(plan.nominal_rate_hz)
            .channels(plan.channels.clone())
            .desc_xml(desc_xml(&self.plan));
        if let Some(clock) = &clock {
            builder = builder.clock(clock);
        }
        Ok(Recorder { host, stream: builder.add()?, clock })
    }

    fn open(&self) -> Result<UdpReceiver, Error> {
        let options = UdpOptions {
            bind: self.plan.listen,
            multicast: self.plan.multicast.clone(),
            receive_buffer_bytes: Some(self.plan.receive_buffer_bytes),
        };
        let receiver =
            UdpReceiver::open(&options).map_err(|e| Error::io(bind_failure(self.plan.listen, &e)))?;
        let (given, wanted) = (receiver.receive_buffer_bytes()?, self.plan.receive_buffer_bytes);
        if given < wanted {
            self.host.log(
                LogLevel::Info,
                &format!(
                    "the system gives a receive buffer of {} of {} kB; when datagrams are dropped, raise its \
                     limit (Linux: sysctl net.core.rmem_max)",
                    given / 1024,
                    wanted / 1024
                ),
            );
        }
        Ok(receiver)
    }
}

/// Why a socket could not be opened, and what to do.
fn bind_failure(listen: SocketAddr, error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, or another source, listens there already; end it or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no network of this machine has this address; give one it has, or 0.0.0.0 (IPv6: [::]) for all"
        }
        io::ErrorKind::PermissionDenied => "this port needs privileges; choose one above 1023",
        _ => "check the addresses of the options `listen` and `multicast`",
    };
    format!("cannot listen on {listen}: {error}. {mend}")
}

/// The receiving thread: until the stop, and then what is still in the socket.
fn receive(
    mut receiver: UdpReceiver,
    mut pipeline: Pipeline,
    mut sink: Recorder,
    stop: &Stop,
) -> Result<Counters, Error> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut failed = false;
    while !stop.is_set() {
        let wait = if pipeline.deadline_ns().is_some() { POLL_HOLDING } else { POLL };
        match receiver.receive(&mut buffer, wait) {
            Ok(None) => pipeline.idle(monotonic_ns(), &mut sink)?,
            Ok(Some(datagram)) => {
                failed = false;
                let bytes = buffer.get(..datagram.len).unwrap_or_default();
                pipeline.datagram(bytes, &arrival(&datagram, &receiver), &mut sink)?;
            }
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    sink.host.set_state(State::Degraded, &format!("cannot receive: {error}"));
                }
                stop.wait(RETRY);
            }
        }
    }
    let stopped_ns = monotonic_ns();
    while let Ok(Some(datagram)) = receiver.receive(&mut buffer, Duration::ZERO) {
        // What was sent after the stop is no part of the recording.
        if datagram.arrival_ns > stopped_ns || monotonic_ns() - stopped_ns > DRAIN_NS {
            break;
        }
        let bytes = buffer.get(..datagram.len).unwrap_or_default();
        pipeline.datagram(bytes, &arrival(&datagram, &receiver), &mut sink)?;
    }
    pipeline.finish(monotonic_ns(), &mut sink)
}

fn arrival(datagram: &lockstep_platform::Datagram, receiver: &UdpReceiver) -> Arrival {
    Arrival {
        from: datagram.from,
        at_ns: datagram.arrival_ns,
        truncated: datagram.truncated,
        kernel_drops: receiver.kernel_drops(),
    }
}
