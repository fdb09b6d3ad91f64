//! Truth logs: what a simulated device really did, as CSV with a line of JSON metadata.
//!
//! `NAME.csv` holds one row per sample, in the order of sampling:
//! `index,sent_host_s,device_ticks,device_time_s,delivered,<channels>`.
//!
//! | column | meaning |
//! |---|---|
//! | `index` | number of the sample, from 0 |
//! | `sent_host_s` | host time at which the device sent its datagram into the simulated network |
//! | `device_ticks` | the stamp, before any 32-bit wrap |
//! | `device_time_s` | true device time of the sample, not floored |
//! | `delivered` | copies the simulated network let through; 0 is a loss |
//!
//! `NAME.exchanges.csv` holds one row per request that reached the simulated network:
//! `seq,t1_host_s,t2_host_s,t1_ticks,t2_ticks,request_delivered,reply_delivered,t0`. A request that
//! was lost on its way has empty times. A request that was delivered twice has two rows.
//!
//! The first line is `# ` and a JSON object; floats are in their shortest round-trip decimal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::csv;
use crate::error::SimError;
use crate::format::Value;

const BUFFER_BYTES: usize = 256 * 1024;

/// The rows of one datagram's sample.
#[derive(Debug, Clone, Copy)]
pub struct SampleRow<'a> {
    /// Number of the sample, from 0.
    pub index: u64,
    /// Host time of the send, in seconds.
    pub sent_host_s: f64,
    /// The device's stamp, before any wrap.
    pub device_ticks: i64,
    /// True device time of the sample in seconds.
    pub device_time_s: f64,
    /// Copies the simulated network let through.
    pub delivered: usize,
    /// One value per channel.
    pub values: &'a [Value],
}

/// One request for an exchange and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeRow {
    /// `echo`: the sequence number of the request; `ntp`: a running count.
    pub seq: u64,
    /// The recorder's t0 as it stood in the request; `ntp`: its 64-bit transmit timestamp.
    pub t0: String,
    /// The device's two readings; `None` when the request was lost on its way.
    pub answer: Option<ExchangeTimes>,
    /// Copies of the request that reached the device.
    pub request_delivered: usize,
    /// Copies of the reply that the simulated network let through.
    pub reply_delivered: usize,
}

/// The two readings of an answered exchange, with the true host times at which they were taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExchangeTimes {
    /// True host time of t1, in seconds.
    pub t1_host_s: f64,
    /// True host time of t2, in seconds.
    pub t2_host_s: f64,
    /// Device reading when the request was received.
    pub t1_ticks: i64,
    /// Device reading just before the reply was sent.
    pub t2_ticks: i64,
}

/// The two files of one simulated device.
#[derive(Debug)]
pub struct TruthLog {
    samples: CsvFile,
    exchanges: CsvFile,
}

impl TruthLog {
    /// Creates `path` and its companion `.exchanges.csv`, and their folder if need be.
    ///
    /// `metadata` becomes the first line of both files.
    ///
    /// # Errors
    /// [`SimError::Truth`] when a file exists already or cannot be written.
    pub fn create(
        path: &Path,
        metadata: &serde_json::Value,
        channel_names: &[String],
    ) -> Result<Self, SimError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)
                .map_err(|source| SimError::Truth { path: folder.to_owned(), source })?;
        }
        let mut columns = b"index,sent_host_s,device_ticks,device_time_s,delivered".to_vec();
        for name in channel_names {
            columns.push(b',');
            csv::push_field(&mut columns, name);
        }
        let exchange_columns =
            b"seq,t1_host_s,t2_host_s,t1_ticks,t2_ticks,request_delivered,reply_delivered,t0";
        Ok(Self {
            samples: CsvFile::create(path.to_owned(), metadata, &columns)?,
            exchanges: CsvFile::create(exchanges_path(path), metadata, exchange_columns)?,
        })
    }

    /// Writes one sample.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub fn sample(&mut self, row: &SampleRow<'_>) -> Result<(), SimError> {
        self.samples.row(|line| {
            write!(
                line,
                "{},{:?},{},{:?},{}",
                row.index, row.sent_host_s, row.device_ticks, row.device_time_s, row.delivered
            )?;
            for value in row.values {
                line.push(b',');
                value.push_csv(line);
            }
            Ok(())
        })
    }

    /// Writes one exchange.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub fn exchange(&mut self, row: &ExchangeRow) -> Result<(), SimError> {
        self.exchanges.row(|line| {
            write!(line, "{},", row.seq)?;
            match row.answer {
                Some(times) => write!(
                    line,
                    "{:?},{:?},{},{}",
                    times.t1_host_s, times.t2_host_s, times.t1_ticks, times.t2_ticks
                )?,
                None => write!(line, ",,,")?,
            }
            write!(line, ",{},{},{}", row.request_delivered, row.reply_delivered, row.t0)
        })
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub fn flush(&mut self) -> Result<(), SimError> {
        self.samples.flush()?;
        self.exchanges.flush()
    }
}

/// Where the exchanges of the truth log at `path` are: `imu.csv` gives `imu.exchanges.csv`.
pub fn exchanges_path(path: &Path) -> PathBuf {
    path.with_extension("exchanges.csv")
}

/// A CSV file that is being written, with its name for error messages.
#[derive(Debug)]
pub(crate) struct CsvFile {
    path: PathBuf,
    file: BufWriter<File>,
    line: Vec<u8>,
}

impl CsvFile {
    /// Creates it with its first two lines: `metadata` and the names of its columns.
    ///
    /// # Errors
    /// [`SimError::Truth`] when it exists already or cannot be written.
    pub(crate) fn create(
        path: PathBuf,
        metadata: &serde_json::Value,
        columns: &[u8],
    ) -> Result<Self, SimError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|source| SimError::Truth { path: path.clone(), source })?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut created = Self { path, file, line: Vec::new() };
        created.row(|line| write!(line, "# {metadata}"))?;
        created.row(|line| {
            line.extend_from_slice(columns);
            Ok(())
        })?;
        Ok(created)
    }

    /// Writes one line, which `fill` appends without its end.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub(crate) fn row(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), SimError> {
        self.line.clear();
        let written = fill(&mut self.line).and_then(|()| {
            self.line.push(b'\n');
            self.file.write_all(&self.line)
        });
        written.map_err(|source| SimError::Truth { path: self.path.clone(), source })
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// [`SimError::Truth`] when the disk refuses.
    pub(crate) fn flush(&mut self) -> Result<(), SimError> {
        self.file.flush().map_err(|source| SimError::Truth { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_in(folder: &Path) -> (PathBuf, TruthLog) {
        let path = folder.join("new/imu.csv");
        let names = ["x".to_owned(), "y, raw".to_owned()];
        let log = TruthLog::create(&path, &serde_json::json!({"simulated": true}), &names)
            .expect("a fresh folder takes a log");
        (path, log)
    }

    #[test]
    fn samples_are_rows_with_exact_numbers_and_quoted_text() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, mut log) = log_in(folder.path());
        log.sample(&SampleRow {
            index: 3,
            sent_host_s: 1000.1,
            device_ticks: -5,
            device_time_s: 0.1 + 0.2,
            delivered: 2,
            values: &[Value::Float32(0.1), Value::String("say \"go\", now".to_owned())],
        })
        .expect("written");
        log.flush().expect("flushed");
        let text = fs::read_to_string(path).expect("log");
        assert_eq!(
            text,
            "# {\"simulated\":true}\n\
             index,sent_host_s,device_ticks,device_time_s,delivered,x,\"y, raw\"\n\
             3,1000.1,-5,0.30000000000000004,2,0.1,\"say \"\"go\"\", now\"\n"
        );
    }

    #[test]
    fn a_lost_request_has_empty_times() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, mut log) = log_in(folder.path());
        let mut row = ExchangeRow {
            seq: 1,
            t0: "10.5".to_owned(),
            answer: None,
            request_delivered: 0,
            reply_delivered: 0,
        };
        log.exchange(&row).expect("written");
        row.seq = 2;
        row.request_delivered = 1;
        row.answer = Some(ExchangeTimes { t1_host_s: 1.5, t2_host_s: 1.75, t1_ticks: 7, t2_ticks: 8 });
        log.exchange(&row).expect("written");
        log.flush().expect("flushed");
        let text = fs::read_to_string(exchanges_path(&path)).expect("log");
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(rows, ["1,,,,,0,0,10.5", "2,1.5,1.75,7,8,1,0,10.5"]);
    }

    #[test]
    fn an_existing_log_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, _log) = log_in(folder.path());
        let error = TruthLog::create(&path, &serde_json::json!({}), &[]).expect_err("it exists");
        assert!(error.to_string().contains("never overwritten"), "{error}");
    }
}
