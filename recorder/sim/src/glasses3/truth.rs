//! The truth logs of simulated glasses: a folder with a CSV file for each thing that is known.
//!
//! | file | one row for |
//! |---|---|
//! | `gaze.csv`, `imu.csv`, `sync_port.csv` | each message, also those that were not sent because nobody kept the signals alive |
//! | `exchanges.csv` | each event that came back as a signal |
//! | `events.csv` | whatever else happened: connections, subscriptions, when signals began and ended, refusals, recordings, outages |
//!
//! Messages are `index,host_s,sent_host_s,device_us,stamp_s,delivered` and then their own columns;
//! numbers that were not in a message are empty.
//!
//! | column | meaning |
//! |---|---|
//! | `index` | number of the message in its signal, from 0 |
//! | `host_s` | true host time at which it was taken |
//! | `sent_host_s` | true host time at which it was sent into the simulated network |
//! | `device_us` | the glasses' clock when it was taken, in microseconds since 1970 |
//! | `stamp_s` | the time stamp that was sent; empty if nothing was |
//! | `delivered` | `CONNECTION:SIGNAL` of each client that was sent it, with spaces between |
//!
//! Exchanges are `index,connection,request,came_host_s,host_s,device_us,stamp_s,delivered,tag,object`:
//! who asked and with which number, true host times at which the request came to this machine and,
//! through the simulated network, to the glasses, and what was sent back then. Events are
//! `host_s,device_us,kind,details`, the last of them JSON.
//!
//! The first line of each is `# ` and a JSON object. They are written out twice a second, so that they
//! can be read while the glasses are still there; the last line may then be cut.

use std::fs;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::clock::ClockModel;
use crate::csv;
use crate::describe;
use crate::error::SimError;
use crate::serve::Span;
use crate::serve::time::Moment;
use crate::truth::CsvFile;

use super::config::Glasses3Config;
use super::feed::{self, Sample, Signal};
use super::time::KEPT_ALIVE_S;

/// Who was sent something: the number of the connection, and what the client calls the signal.
pub(super) type Delivered = Vec<(u64, u64)>;

/// What became of a message.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) stamp_s: f64,
    pub(super) delivered: Delivered,
}

/// An event that came back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) connection: u64,
    pub(super) request: &'a Value,
    pub(super) came_host_s: f64,
    pub(super) tag: &'a str,
    pub(super) object: &'a Value,
}

/// The logs, or nothing without a folder.
#[derive(Debug)]
pub(super) struct Logs(Mutex<Option<Files>>);

#[derive(Debug)]
struct Files {
    /// In the order of [`Signal::ALL`]; the last has the exchanges.
    signals: Vec<CsvFile>,
    events: CsvFile,
    exchanges: u64,
    /// The first error of the disk, told at the end.
    failed: Option<SimError>,
}

impl Logs {
    /// Creates them, if the configuration names a folder.
    ///
    /// # Errors
    /// [`SimError::Truth`] when one exists already or cannot be written.
    pub(super) fn create(config: &Glasses3Config, facts: &Value) -> Result<Self, SimError> {
        let Some(folder) = &config.truth else { return Ok(Self(Mutex::new(None))) };
        fs::create_dir_all(folder).map_err(|source| SimError::Truth { path: folder.clone(), source })?;
        let file = |name: &str, columns: &str| CsvFile::create(folder.join(name), facts, columns.as_bytes());
        let signal = |signal: Signal| {
            let own = feed::columns(signal);
            if signal == Signal::Event {
                let first = "index,connection,request,came_host_s,host_s,device_us,stamp_s,delivered";
                return file("exchanges.csv", &format!("{first},{own}"));
            }
            let first = "index,host_s,sent_host_s,device_us,stamp_s,delivered";
            file(&format!("{}.csv", signal.name().replace('-', "_")), &format!("{first},{own}"))
        };
        let files = Files {
            signals: Signal::ALL.into_iter().map(signal).collect::<Result<_, _>>()?,
            events: file("events.csv", "host_s,device_us,kind,details")?,
            exchanges: 0,
            failed: None,
        };
        Ok(Self(Mutex::new(Some(files))))
    }

    /// Writes one message.
    pub(super) fn sample(&self, sample: &Sample, moment: &Moment, sent_host_s: f64, sent: Option<&Sent>) {
        self.write(|files| {
            files.signals[sample.signal.index()].row(|line| {
                write!(line, "{},{:?},{sent_host_s:?},{},", sample.index, moment.host_s, moment.device_us())?;
                push_sent(line, sent)?;
                line.extend_from_slice(sample.data.columns().as_bytes());
                Ok(())
            })
        });
    }

    /// Writes one event that came back.
    pub(super) fn exchange(&self, exchange: &Exchange<'_>, moment: &Moment, sent: &Sent) {
        self.write(|files| {
            let index = files.exchanges;
            files.exchanges += 1;
            files.signals[Signal::Event.index()].row(|line| {
                let e = exchange;
                write!(line, "{index},{},{},{:?},", e.connection, e.request, e.came_host_s)?;
                write!(line, "{:?},{},", moment.host_s, moment.device_us())?;
                push_sent(line, Some(sent))?;
                line.push(b',');
                csv::push_field(line, e.tag);
                line.push(b',');
                csv::push_field(line, &e.object.to_string());
                Ok(())
            })
        });
    }

    /// Writes that something happened.
    pub(super) fn event(&self, moment: &Moment, kind: &str, details: &Value) {
        self.write(|files| {
            files.events.row(|line| {
                write!(line, "{:?},{},{kind},", moment.host_s, moment.device_us())?;
                csv::push_field(line, &details.to_string());
                Ok(())
            })
        });
    }

    /// Writes out what is buffered.
    pub(super) fn flush(&self) {
        self.write(|files| {
            files.signals.iter_mut().try_for_each(CsvFile::flush)?;
            files.events.flush()
        });
    }

    /// Writes out what is buffered, at the end.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refused at any time.
    pub(super) fn close(&self) -> Result<(), SimError> {
        self.flush();
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.as_mut().and_then(|files| files.failed.take()).map_or(Ok(()), Err)
    }

    /// Connections do not end by a full disk: the first error is kept.
    fn write(&self, write: impl FnOnce(&mut Files) -> Result<(), SimError>) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = files.as_mut()
            && let Err(error) = write(files)
        {
            files.failed.get_or_insert(error);
        }
    }
}

fn push_sent(line: &mut Vec<u8>, sent: Option<&Sent>) -> std::io::Result<()> {
    let Some(sent) = sent else {
        line.push(b',');
        return Ok(());
    };
    write!(line, "{:?},", sent.stamp_s)?;
    for (place, (connection, signal)) in sent.delivered.iter().enumerate() {
        let space = if place == 0 { "" } else { " " };
        write!(line, "{space}{connection}:{signal}")?;
    }
    Ok(())
}

/// The JSON object at the head of each file. `clock` is the glasses' as over the monotonic clock of
/// this machine, whose epoch is `host_epoch_s`; at that instant this machine's UTC was
/// `host_utc_epoch_s`.
pub(super) fn facts(
    config: &Glasses3Config,
    clock: &ClockModel,
    host_epoch_s: f64,
    host_utc_epoch_s: f64,
) -> Value {
    let span =
        |span: &Span| json!({"at_s": span.at_s, "for_s": span.for_s.is_finite().then_some(span.for_s)});
    json!({
        "simulated": true,
        "device": "Glasses 3",
        "name": config.serial,
        "seed": config.seed,
        "host_epoch_s": host_epoch_s,
        "host_utc_epoch_s": host_utc_epoch_s,
        "host_utc_minus_device_s": config.clock.offset_s,
        "clock": describe::clock(clock),
        "gaze_hz": config.gaze_hz,
        "imu_hz": config.imu_hz,
        "magnetometer_hz": super::config::MAGNETOMETER_HZ,
        "sync_port_every_s": config.sync_port_every_s,
        "kept_alive_s": KEPT_ALIVE_S,
        "zero_restarts": config.zero_restarts,
        "whole": config.whole,
        "event_first": config.event_first,
        "outages": config.outages.iter().map(span).collect::<Vec<_>>(),
        "uplink": describe::path(&config.uplink),
        "downlink": describe::path(&config.downlink),
    })
}
