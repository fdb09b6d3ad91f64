//! The truth logs of simulated glasses: a folder with a CSV file for each thing that is known.
//!
//! | file | one row for |
//! |---|---|
//! | `gaze.csv`, `imu.csv`, `eye_events.csv`, `scene.csv`, `eyes.csv` | each sample taken |
//! | `exchanges.csv` | each answer of the Time Echo |
//! | `events.csv` | whatever else happened: events posted, recordings, who plays what, outages |
//!
//! Samples begin with `index,host_s,sent_host_s,device_ns,rtp,delivered`, then their own columns.
//!
//! | column | meaning |
//! |---|---|
//! | `index` | number of the sample, from 0; those that an unplugged sensor missed are missing here |
//! | `host_s` | true host time at which it was taken |
//! | `sent_host_s` | true host time at which it was sent into the simulated network |
//! | `device_ns` | the phone's clock when it was taken, in nanoseconds since 1970 |
//! | `rtp` | its RTP time, 32 bits |
//! | `delivered` | `CLIENT:COPIES` of each client that plays, with spaces between; of pictures the copies of all packets |
//!
//! Exchanges are `connection,question,t1_ms,received_host_s,read_host_s,device_ms,sent_host_s,fault`:
//! the client's own number, true host times of its arrival at the phone, of the reading and of the
//! sending, and the reading. Events are `host_s,device_ns,kind,details`, the last of them JSON.
//!
//! The first line of each is `# ` and a JSON object. They are written out twice a second, so that
//! they can be read while the phone is still there; the last line may then be cut.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::clock::ClockModel;
use crate::csv;
use crate::describe;
use crate::error::SimError;
use crate::serve::Span;
use crate::serve::time::Moment;
use crate::truth::CsvFile;

use super::config::NeonConfig;
use super::feed::{self, Sample};
use super::layout::Sensor;

/// The folder, before its files are opened.
#[derive(Debug)]
pub(super) struct TruthFolder {
    path: PathBuf,
    facts: Value,
}

impl TruthFolder {
    /// Creates the folder if it is not there.
    ///
    /// # Errors
    /// [`SimError::Truth`] when it cannot be created.
    pub(super) fn create(path: PathBuf, facts: Value) -> Result<Self, SimError> {
        fs::create_dir_all(&path).map_err(|source| SimError::Truth { path: path.clone(), source })?;
        Ok(Self { path, facts })
    }

    fn file(&self, name: &str, columns: &str) -> Result<CsvFile, SimError> {
        CsvFile::create(self.path.join(name), &self.facts, columns.as_bytes())
    }

    /// Creates the log of a sensor.
    ///
    /// # Errors
    /// [`SimError::Truth`] when it exists already or cannot be written.
    pub(super) fn samples(&self, sensor: Sensor) -> Result<CsvFile, SimError> {
        let own = feed::columns(sensor);
        let columns = format!("index,host_s,sent_host_s,device_ns,rtp,delivered,{own}");
        let name = if sensor == Sensor::World { "scene" } else { sensor.name() };
        self.file(&format!("{name}.csv"), &columns)
    }
}

/// Writes one sample.
///
/// # Errors
/// [`SimError::Truth`] when the disk refuses.
pub(super) fn write_sample(
    file: &mut CsvFile,
    sample: &Sample,
    sent_host_s: f64,
    rtp: u32,
    delivered: &[(u64, u64)],
) -> Result<(), SimError> {
    file.row(|line| {
        let moment = &sample.moment;
        write!(line, "{},{:?},{sent_host_s:?},{},{rtp},", sample.index, moment.host_s, moment.device_ns)?;
        for (place, (client, copies)) in delivered.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(line, "{space}{client}:{copies}")?;
        }
        line.extend_from_slice(sample.columns.as_bytes());
        Ok(())
    })
}

/// The logs that several connections write into.
#[derive(Debug)]
pub(super) struct SharedLogs {
    files: Mutex<Option<Files>>,
}

#[derive(Debug)]
struct Files {
    exchanges: CsvFile,
    events: CsvFile,
    /// The first error of the disk, told at the end.
    failed: Option<SimError>,
}

/// One answer of the Time Echo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    pub(super) connection: u64,
    pub(super) question: u64,
    pub(super) t1_ms: u64,
    pub(super) received_host_s: f64,
    pub(super) read_host_s: f64,
    pub(super) device_ms: i64,
    pub(super) sent_host_s: f64,
    pub(super) fault: &'static str,
}

impl SharedLogs {
    /// Creates both, or neither without a folder.
    ///
    /// # Errors
    /// [`SimError::Truth`] when one exists already or cannot be written.
    pub(super) fn create(folder: Option<&TruthFolder>) -> Result<Self, SimError> {
        let create = |folder: &TruthFolder| -> Result<Files, SimError> {
            Ok(Files {
                exchanges: folder.file(
                    "exchanges.csv",
                    "connection,question,t1_ms,received_host_s,read_host_s,device_ms,sent_host_s,fault",
                )?,
                events: folder.file("events.csv", "host_s,device_ns,kind,details")?,
                failed: None,
            })
        };
        Ok(Self { files: Mutex::new(folder.map(create).transpose()?) })
    }

    /// Writes one exchange.
    pub(super) fn exchange(&self, exchange: &Exchange) {
        self.write(|files| {
            let e = exchange;
            files.exchanges.row(|line| {
                write!(
                    line,
                    "{},{},{},{:?},{:?},{},{:?},{}",
                    e.connection,
                    e.question,
                    e.t1_ms,
                    e.received_host_s,
                    e.read_host_s,
                    e.device_ms,
                    e.sent_host_s,
                    e.fault
                )
            })
        });
    }

    /// Writes that something happened.
    pub(super) fn event(&self, moment: &Moment, kind: &str, details: &Value) {
        self.write(|files| {
            files.events.row(|line| {
                write!(line, "{:?},{},{kind},", moment.host_s, moment.device_ns)?;
                csv::push_field(line, &details.to_string());
                Ok(())
            })
        });
    }

    /// Writes out what is buffered.
    pub(super) fn flush(&self) {
        self.write(|files| files.exchanges.flush().and_then(|()| files.events.flush()));
    }

    /// Writes out what is buffered, at the end.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refused at any time.
    pub(super) fn close(&self) -> Result<(), SimError> {
        self.flush();
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.as_mut().and_then(|files| files.failed.take()).map_or(Ok(()), Err)
    }

    /// Connections do not end by a full disk: the first error is kept.
    fn write(&self, write: impl FnOnce(&mut Files) -> Result<(), SimError>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = files.as_mut()
            && let Err(error) = write(files)
        {
            files.failed.get_or_insert(error);
        }
    }
}

/// The JSON object at the head of each file. `clock` is the phone's as over the monotonic clock of
/// this machine, whose epoch is `host_epoch_s`; at that instant this machine's UTC was
/// `host_utc_epoch_s`.
pub(super) fn facts(
    config: &NeonConfig,
    clock: &ClockModel,
    host_epoch_s: f64,
    host_utc_epoch_s: f64,
) -> Value {
    let span =
        |span: &Span| json!({"at_s": span.at_s, "for_s": span.for_s.is_finite().then_some(span.for_s)});
    let spans = |spans: &[Span]| spans.iter().map(span).collect::<Vec<_>>();
    let rates = &config.rates;
    let rtp = &config.rtp;
    json!({
        "simulated": true,
        "device": "Neon",
        "name": config.name,
        "seed": config.seed,
        "host_epoch_s": host_epoch_s,
        "host_utc_epoch_s": host_utc_epoch_s,
        "host_utc_minus_device_s": config.clock.offset_s,
        "clock": describe::clock(clock),
        "rates_hz": {
            "gaze": rates.gaze_hz, "imu": rates.imu_hz, "eye_events": rates.eye_events_hz,
            "world": rates.world_hz, "eyes": rates.eyes_hz,
        },
        "layout": config.gaze.layout.name(),
        "switches": config.gaze.switches.iter()
            .map(|(at_s, layout)| json!({"at_s": at_s, "layout": layout.name()})).collect::<Vec<_>>(),
        "not_worn": spans(&config.gaze.not_worn),
        "odd_gaze_every": config.gaze.odd_every,
        "rtp": {
            "ticks_per_s": super::rtp::TICKS_PER_S,
            "clock": rtp.clock.name(),
            "wrap_after_s": rtp.wrap_after_s,
            "first_report_s": rtp.first_report_s,
            "report_interval_s": rtp.report_interval_s,
            "report_style": rtp.report_style.name(),
            "mark_each_unit": rtp.mark_each_unit,
        },
        "interleaved": {
            "hide_channels": config.interleaved.hide_channels,
            "garbage_every": config.interleaved.garbage_every,
        },
        "echo": {
            "port": config.echo_port.is_some(),
            "split_every": config.echo.split_every,
            "wrong_every": config.echo.wrong_every,
        },
        "outages": spans(&config.outages),
        "unplugged": config.unplugged.iter()
            .map(|(sensor, of)| json!({"sensor": sensor.name(), "span": span(of)})).collect::<Vec<_>>(),
        "refusal": config.refusal,
        "uplink": describe::path(&config.uplink),
        "downlink": describe::path(&config.downlink),
    })
}
