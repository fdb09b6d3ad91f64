//! The source: its threads, and what is said at the end.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_plugin_api::{Error, Host, Source, State, Stop};

use crate::clock::{Counters, Prober};
use crate::discovery::Discovery;
use crate::hub::{Hub, Wires};
use crate::options::Options;

/// Waves that wait to be taken: a newer one says all that an older one did.
const WAVES: usize = 2;
/// Orders and reports that wait to be taken: all streams of a source may be found at once.
const ORDERS: usize = 1024;

/// Records streams of the Lab Streaming Layer.
#[derive(Debug)]
pub struct LslSource {
    host: Host,
    options: Options,
    stop: Stop,
    /// Written by the thread of the clocks when it ends.
    counters: Arc<Mutex<Option<Counters>>>,
}

impl Source for LslSource {
    const ID: &'static CStr = c"lsl";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr =
        c"Streams of the Lab Streaming Layer (LSL), as LabRecorder records them";
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        options.check()?;
        Ok(Self { host, options, stop: Stop::new(), counters: Arc::default() })
    }

    // A failure half-way ends the threads: `stop` guards them.
    fn start(&mut self) -> Result<(), Error> {
        let host = self.host;
        let selections = self.options.streams.clone();
        let discovery = Discovery::new(&selections);
        let prober = Prober::new(host.probe_settings())
            .map_err(|e| Error::io(format!("cannot open a socket for clock exchanges: {e}")))?;
        let (waves_in, waves) = crossbeam_channel::bounded(WAVES);
        let (orders, orders_out) = crossbeam_channel::bounded(ORDERS);
        let (reports_in, reports) = crossbeam_channel::bounded(ORDERS);
        let wires = Wires { waves, hurry: Arc::clone(&discovery.hurry), orders, reports };
        let hub = Hub::new(host, selections, wires)
            .map_err(|e| Error::io(format!("cannot watch connections: {e}")))?;
        host.set_state(State::Connecting, "asking the network");
        let (stop, counters) = (self.stop.clone(), Arc::clone(&self.counters));
        self.stop.guard(host.spawn("lsl-clock", move || {
            let counted = prober.run(host, &stop, &orders_out, &reports_in)?;
            *counters.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
            Ok(())
        })?);
        let stop = self.stop.clone();
        self.stop.guard(host.spawn("lsl-streams", move || hub.run(&stop))?);
        let stop = self.stop.clone();
        self.stop.guard(host.spawn("lsl-discovery", move || discovery.run(host, &stop, &waves_in))?);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.stop.stop_and_join();
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.host.event("lsl summary", &Hub::summary(counters))
    }
}
