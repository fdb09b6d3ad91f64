//! The truth log of a simulated NTP server.
//!
//! One row per question that came: `question,nonce,t1_host_s,t2_host_s,t1_ntp,t2_ntp,
//! request_delivered,reply_delivered,fault`. The nonce is the question's transmit time stamp; the
//! stamps are the 64 bits of the answer. A question that was lost on its way has no times. The
//! first line is `# ` and a JSON object.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::clock::ClockModel;
use crate::describe;
use crate::error::SimError;

use super::config::{Fault, NtpServerConfig};

/// What happened to one copy of a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) question: u64,
    pub(super) nonce: u64,
    /// True host times and stamps of receiving and sending.
    pub(super) times: Option<Times>,
    pub(super) request_delivered: usize,
    pub(super) reply_delivered: usize,
    pub(super) fault: Option<Fault>,
}

/// When a question was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) t1_host_s: f64,
    pub(super) t2_host_s: f64,
    pub(super) t1_ntp: u64,
    pub(super) t2_ntp: u64,
}

/// The file.
#[derive(Debug)]
pub(super) struct TruthFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl TruthFile {
    /// Creates it, and its folder if need be.
    ///
    /// # Errors
    /// [`SimError::Truth`] when it exists already or cannot be written.
    pub(super) fn create(path: PathBuf, facts: &Value) -> Result<Self, SimError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)
                .map_err(|source| SimError::Truth { path: folder.to_owned(), source })?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|source| SimError::Truth { path: path.clone(), source })?;
        let mut created = Self { path, file: BufWriter::new(file) };
        created.line(format_args!(
            "# {facts}\nquestion,nonce,t1_host_s,t2_host_s,t1_ntp,t2_ntp,request_delivered,reply_delivered,fault"
        ))?;
        Ok(created)
    }

    /// Writes one row.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub(super) fn row(&mut self, row: &Row) -> Result<(), SimError> {
        let times = match row.times {
            Some(t) => format!("{:?},{:?},{},{}", t.t1_host_s, t.t2_host_s, t.t1_ntp, t.t2_ntp),
            None => ",,,".to_owned(),
        };
        self.line(format_args!(
            "{},{},{times},{},{},{}",
            row.question,
            row.nonce,
            row.request_delivered,
            row.reply_delivered,
            row.fault.map_or("", Fault::name)
        ))
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub(super) fn flush(&mut self) -> Result<(), SimError> {
        self.file.flush().map_err(|source| SimError::Truth { path: self.path.clone(), source })
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> Result<(), SimError> {
        writeln!(self.file, "{line}").map_err(|source| SimError::Truth { path: self.path.clone(), source })
    }
}

/// The JSON object at its head. `clock` is the server's as over the monotonic clock of this machine,
/// whose epoch is `host_epoch_s`; at that instant this machine's UTC was `host_utc_epoch_s`.
pub(super) fn facts(
    config: &NtpServerConfig,
    clock: &ClockModel,
    host_epoch_s: f64,
    host_utc_epoch_s: f64,
) -> Value {
    json!({
        "simulated": true,
        "name": config.name,
        "seed": config.seed,
        "host_epoch_s": host_epoch_s,
        "host_utc_epoch_s": host_utc_epoch_s,
        "host_utc_minus_server_s": config.clock.offset_s,
        "clock": describe::clock(clock),
        "stratum": config.stratum,
        "uplink": describe::path(&config.uplink),
        "downlink": describe::path(&config.downlink),
        "fault": config.fault.map(|f| json!({"fault": f.fault.name(), "from": f.from, "count": f.count})),
    })
}
