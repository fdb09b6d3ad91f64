//! A plugin that misbehaves on request, for the tests.

use std::ffi::CStr;

use lockstep_plugin_api::{Error, Host, LogLevel, Source, State, Stop, export_source};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Place {
    Create,
    Start,
    Stop,
    Destroy,
    Thread,
    /// Nowhere: it counts, as it should.
    Nowhere,
}

/// How it misbehaves there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fault {
    Panic,
    Error,
    /// Does not return.
    Hang,
    /// Refuses one of its options.
    BadOption,
    /// Says that it has finished.
    Finish,
    /// Floods the queue until samples are dropped.
    Flood,
    /// Pushes stamps that are no numbers and stamps that go back.
    BadStamps,
    /// Reports that samples were lost, and that its clock was reset.
    Gap,
    /// Adds a stream and sends nothing.
    Silent,
}

/// Options of the faulty plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Where it misbehaves.
    #[serde(rename = "in", default = "nowhere")]
    place: Place,
    /// How it misbehaves there.
    #[serde(default = "panic")]
    fault: Fault,
}

fn nowhere() -> Place {
    Place::Nowhere
}

fn panic() -> Fault {
    Fault::Panic
}

struct Faulty {
    host: Host,
    options: Options,
    stop: Stop,
}

impl Options {
    fn strike(&self, place: Place) -> Result<(), Error> {
        if self.place != place {
            return Ok(());
        }
        match self.fault {
            Fault::Panic => panic!("on request, in {place:?}"),
            Fault::Error => Err(Error::io(format!("an error on request, in {place:?}"))),
            Fault::BadOption => Err(Error::option("/fault", "refused on request")),
            Fault::Hang => loop {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            },
            _ => Ok(()),
        }
    }
}

impl Source for Faulty {
    const ID: &'static CStr = c"faulty";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Misbehaves on request, for the tests";
    type Options = Options;

    fn create(host: Host, options: Options) -> Result<Self, Error> {
        options.strike(Place::Create)?;
        Ok(Self { host, options, stop: Stop::new() })
    }

    fn start(&mut self) -> Result<(), Error> {
        self.options.strike(Place::Start)?;
        let (host, stop) = (self.host, self.stop.clone());
        let (place, fault) = (self.options.place, self.options.fault);
        let options = Options { place, fault };
        let mut stream = host.stream::<i32>(host.source_name(), 1).nominal_rate_hz(100.0).add()?;
        let clock = host.add_clock(&lockstep_plugin_api::ClockInfo::new(
            format!("{}-clock", host.source_name()),
            lockstep_plugin_api::Domain::Device,
        ))?;
        host.set_state(State::Streaming, "");
        let thread = host.spawn("faulty", move || {
            let mut count = 0;
            while !stop.wait_s(0.01) {
                if place == Place::Thread && fault == Fault::Silent {
                    continue;
                }
                let _ = stream.push_sample(host.now_s(), &[count])?;
                count += 1;
                if place != Place::Thread || count != 20 {
                    continue;
                }
                match fault {
                    Fault::Finish => {
                        host.set_state(State::Finished, "on request");
                        return Ok(());
                    }
                    Fault::Flood => {
                        let stamps = vec![host.now_s(); 1 << 16];
                        let values = vec![0; 1 << 16];
                        for _ in 0..1000 {
                            let _ = stream.push(&stamps, &values)?;
                        }
                    }
                    Fault::BadStamps => {
                        assert!(stream.push_sample(f64::NAN, &[0]).is_err());
                        let _ = stream.push_sample(1.0, &[0])?;
                    }
                    Fault::Gap => {
                        stream.report_gap(Some(7), "on request")?;
                        clock.reset("on request")?;
                        host.log(LogLevel::Warn, "a warning on request");
                    }
                    _ => options.strike(Place::Thread)?,
                }
            }
            Ok(())
        })?;
        self.stop.guard(thread);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.options.strike(Place::Stop)?;
        self.stop.stop_and_join();
        Ok(())
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        drop(self.options.strike(Place::Destroy));
    }
}

export_source!(Faulty, lks_plugin_entry_faulty);
