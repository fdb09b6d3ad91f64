//! The source: a thread that does all of it.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_plugin_api::{Error, Host, Source, State, Stop};
use serde_json::Value;

use crate::drive;
use crate::options::Options;

/// Records one eye tracker.
#[derive(Debug)]
pub struct TobiiSource {
    host: Host,
    options: Options,
    stop: Stop,
    /// Written by the thread when it ends.
    counted: Arc<Mutex<Value>>,
}

impl Source for TobiiSource {
    const ID: &'static CStr = c"tobii";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr =
        c"Tobii eye trackers, through Tobii's own libraries, and Glasses 3: gaze, eye openness, IMU, sync port";
    const CALLS_VENDOR_CODE: bool = true;
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        options.check()?;
        Ok(Self { host, options, stop: Stop::new(), counted: Arc::default() })
    }

    fn start(&mut self) -> Result<(), Error> {
        let host = self.host;
        host.set_state(State::Connecting, &format!("opening the tracker ({})", self.options.backend.name()));
        let (options, stop, counted) = (self.options.clone(), self.stop.clone(), Arc::clone(&self.counted));
        self.stop.guard(host.spawn("tobii", move || {
            let summary = drive::run(host, &options, &stop)?;
            *counted.lock().unwrap_or_else(PoisonError::into_inner) = summary;
            Ok(())
        })?);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.stop.stop_and_join();
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        self.host.event("tobii summary", &counted)
    }
}
