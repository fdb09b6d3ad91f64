//! The truth logs of a simulated tracker: a folder with a CSV file for each thing that is known.
//!
//! | file | one row for |
//! |---|---|
//! | `gaze.csv` | each sample taken, in order |
//! | `syncport.csv` | each change of the digital input |
//! | `timesync.csv` | each time sync that was answered |
//! | `events.csv` | whatever else happened: connections, restarts, pauses, notifications |
//!
//! | column | meaning |
//! |---|---|
//! | `index` | number of the sample, from 0; those of a pause are missing |
//! | `host_s` | true host time at which it was taken, or the device clock was read |
//! | `device_us` | the device clock then |
//! | `system_us` | the library's conversion of it; empty if it never arrived |
//! | `delivered` | 1 if a client was given it |
//! | `*_valid` | 1 if it could be measured |
//!
//! A time sync is `index,kind,sent_host_s,host_s,received_host_s,st1_us,et2_us,st3_us,used,delivered`:
//! `kind` is `asked` (by the client, who gets the result), `update` (asked for by the client) or
//! `auto` (the library's own), `used` says whether the library converts with it. Events are
//! `host_s,device_us,kind,details`.
//!
//! The first line of each is `# ` and a JSON object. They are written out ten times a second, so that
//! they can be read while the device is still there; the last line may then be cut.

use std::fs;
use std::io::Write as _;

use serde_json::json;

use crate::csv;
use crate::describe;
use crate::error::SimError;
use crate::truth::CsvFile;

use super::config::TrackerConfig;
use super::signals::{Eye, Values};
use super::time::Moment;
use super::tracker::{Sample, SyncPortChange};

const FLUSH_EVERY_S: f64 = 0.1;
const EYE_COLUMNS: &str = "origin_valid,origin_x_mm,origin_y_mm,origin_z_mm,\
    position_valid,position_x,position_y,position_z,\
    point_valid,point_x_mm,point_y_mm,point_z_mm,display_x,display_y,\
    eyeball_valid,eyeball_x_mm,eyeball_y_mm,eyeball_z_mm,pupil_valid,pupil_mm,openness_valid,openness_mm";

/// Why a time sync was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKind {
    /// A client asked, and gets the result.
    Asked,
    /// A client asked the library to make one for itself.
    Update,
    /// The library made it by itself.
    Auto,
}

impl SyncKind {
    /// Its name in the logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Update => "update",
            Self::Auto => "auto",
        }
    }
}

/// A time sync with the true host times of its three instants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timesync {
    /// Why it was made.
    pub kind: SyncKind,
    /// When the question left.
    pub sent_host_s: f64,
    /// When the device clock was read.
    pub host_s: f64,
    /// When the answer was there.
    pub received_host_s: f64,
    /// System time of the question.
    pub st1_us: i64,
    /// Device time of the reading.
    pub et2_us: i64,
    /// System time of the answer.
    pub st3_us: i64,
}

impl Timesync {
    /// Round-trip time as the library sees it.
    pub fn round_trip_us(&self) -> i64 {
        self.st3_us - self.st1_us
    }
}

/// The logs, or nothing without a folder.
#[derive(Debug)]
pub(super) struct TruthLogs {
    files: Option<Files>,
    fill: f32,
    syncs: u64,
    flushed_host_s: f64,
    /// The first error of the disk; the device goes on.
    failed: Option<SimError>,
}

#[derive(Debug)]
struct Files {
    gaze: CsvFile,
    syncport: CsvFile,
    timesync: CsvFile,
    events: CsvFile,
}

impl TruthLogs {
    /// Creates all files in the folder of the configuration, if it names one.
    ///
    /// # Errors
    /// [`SimError::Truth`] when one exists already or cannot be written.
    pub(super) fn create(config: &TrackerConfig, start_host_s: f64) -> Result<Self, SimError> {
        let fill = config.invalid.value();
        let Some(folder) = &config.truth else {
            return Ok(Self { files: None, fill, syncs: 0, flushed_host_s: start_host_s, failed: None });
        };
        fs::create_dir_all(folder).map_err(|source| SimError::Truth { path: folder.clone(), source })?;
        let facts = json!({
            "simulated": true,
            "device": "eye tracker",
            "name": config.serial,
            "seed": config.seed,
            "host_epoch_s": start_host_s,
            "clock": describe::clock(&config.clock.model()),
            "config": config,
        });
        let file = |name: &str, columns: &str| CsvFile::create(folder.join(name), &facts, columns.as_bytes());
        let eye = |eye: &str| {
            EYE_COLUMNS.split(',').map(|name| format!("{eye}_{name}")).collect::<Vec<_>>().join(",")
        };
        let gaze = format!(
            "index,host_s,device_us,system_us,delivered,{},{},head_valid,head_x_mm,head_y_mm,head_z_mm,head_rx,head_ry,head_rz",
            eye("left"),
            eye("right")
        );
        let files = Files {
            gaze: file("gaze.csv", &gaze)?,
            syncport: file("syncport.csv", "index,host_s,device_us,system_us,value,delivered")?,
            timesync: file(
                "timesync.csv",
                "index,kind,sent_host_s,host_s,received_host_s,st1_us,et2_us,st3_us,used,delivered",
            )?,
            events: file("events.csv", "host_s,device_us,kind,details")?,
        };
        Ok(Self { files: Some(files), fill, syncs: 0, flushed_host_s: start_host_s, failed: None })
    }

    /// Writes one sample; it has a system time only if it arrived.
    pub(super) fn sample(&mut self, sample: &Sample, arrived: bool, delivered: bool) {
        let fill = self.fill;
        self.write(|files| {
            files.gaze.row(|line| {
                head(
                    line,
                    sample.index,
                    sample.host_s,
                    sample.device_us,
                    arrived.then_some(sample.system_us),
                )?;
                write!(line, ",{}", u8::from(delivered))?;
                push_values(line, &sample.values, fill)
            })
        });
    }

    /// Writes one change of the digital input.
    pub(super) fn syncport(&mut self, change: &SyncPortChange, arrived: bool, delivered: bool) {
        self.write(|files| {
            files.syncport.row(|line| {
                head(
                    line,
                    change.index,
                    change.host_s,
                    change.device_us,
                    arrived.then_some(change.system_us),
                )?;
                write!(line, ",{},{}", change.value, u8::from(delivered))
            })
        });
    }

    /// Writes one time sync.
    pub(super) fn timesync(&mut self, sync: &Timesync, used: bool, delivered: bool) {
        let index = self.syncs;
        self.syncs += 1;
        self.write(|files| {
            files.timesync.row(|line| {
                let s = sync;
                write!(
                    line,
                    "{index},{},{:?},{:?},{:?},{},{},{},{},{}",
                    s.kind.name(),
                    s.sent_host_s,
                    s.host_s,
                    s.received_host_s,
                    s.st1_us,
                    s.et2_us,
                    s.st3_us,
                    u8::from(used),
                    u8::from(delivered)
                )
            })
        });
    }

    /// Writes that something happened.
    pub(super) fn event(&mut self, moment: &Moment, kind: &str, details: &str) {
        self.write(|files| {
            files.events.row(|line| {
                write!(line, "{:?},{},{kind},", moment.host_s, moment.device_us)?;
                csv::push_field(line, details);
                Ok(())
            })
        });
    }

    /// Writes out what is buffered, now and then.
    pub(super) fn tick(&mut self, host_s: f64) {
        if host_s - self.flushed_host_s >= FLUSH_EVERY_S {
            self.flushed_host_s = host_s;
            self.flush();
        }
    }

    /// Writes out what is buffered.
    pub(super) fn flush(&mut self) {
        self.write(|files| {
            files.gaze.flush()?;
            files.syncport.flush()?;
            files.timesync.flush()?;
            files.events.flush()
        });
    }

    /// The first error of the disk, told once.
    pub(super) fn failure(&mut self) -> Option<SimError> {
        self.failed.take()
    }

    fn write(&mut self, write: impl FnOnce(&mut Files) -> Result<(), SimError>) {
        if let Some(files) = self.files.as_mut()
            && let Err(error) = write(files)
        {
            self.failed.get_or_insert(error);
            // A log with a hole would say that nothing happened there.
            self.files = None;
        }
    }
}

fn head(
    line: &mut Vec<u8>,
    index: u64,
    host_s: f64,
    device_us: i64,
    system_us: Option<i64>,
) -> std::io::Result<()> {
    write!(line, "{index},{host_s:?},{device_us},")?;
    system_us.map_or(Ok(()), |us| write!(line, "{us}"))
}

fn push_values(line: &mut Vec<u8>, values: &Values, fill: f32) -> std::io::Result<()> {
    for eye in [&values.left, &values.right] {
        push_eye(line, eye, fill)?;
    }
    let head = values.head.map(|head| {
        let (at, turned) = (head.position_mm, head.rotation);
        [at[0], at[1], at[2], turned[0], turned[1], turned[2]]
    });
    push_field(line, head, fill)
}

fn push_eye(line: &mut Vec<u8>, eye: &Eye, fill: f32) -> std::io::Result<()> {
    push_field(line, eye.origin_mm, fill)?;
    push_field(line, eye.position, fill)?;
    let point =
        eye.point.map(|point| [point.mm[0], point.mm[1], point.mm[2], point.display[0], point.display[1]]);
    push_field(line, point, fill)?;
    push_field(line, eye.eyeball_mm, fill)?;
    push_field(line, eye.pupil_mm.map(|mm| [mm]), fill)?;
    push_field(line, eye.openness_mm.map(|mm| [mm]), fill)
}

/// Validity and numbers of a field, in their shortest decimal.
fn push_field<const N: usize>(line: &mut Vec<u8>, field: Option<[f32; N]>, fill: f32) -> std::io::Result<()> {
    write!(line, ",{}", u8::from(field.is_some()))?;
    for number in field.unwrap_or([fill; N]) {
        write!(line, ",{number:?}")?;
    }
    Ok(())
}
