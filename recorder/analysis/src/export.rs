//! Tables of synchronized samples: Parquet, CSV, NumPy archives; or a synchronized XDF file.
//!
//! Each stream becomes one table with a row for each sample, in the order of the file:
//!
//! | column | meaning |
//! |---|---|
//! | `time_s` | time on the synchronized axis (the recorder's clock) |
//! | `device_time_s` | the stamp as recorded |
//! | `time_sigma_s` | one sigma of everything to be expected of `time_s` |
//! | `time_sigma_relative_s` | one sigma as if paths were symmetric: for comparing streams of one clock |
//! | `time_bound_s` | the largest error there can be |
//! | ... | the channels, by their labels |
//!
//! The three errors are rounded up to four digits; they are infinite where nothing was measured.
//! Beside each table is a JSON file with what is known of the stream and what was done. Memory is
//! constant: a few blocks of samples.

mod csv;
mod job;
mod metadata;
mod names;
mod npz;
pub(crate) mod output;
mod parquet;
mod table;
pub(crate) mod xdf;
mod zip;

use std::io;
use std::path::{Path, PathBuf};

use lockstep_xdf::Damage;

use crate::{Query, QueryError, Recording, SyncError, SyncOptions, Synchronizer, select};
use job::Job;

/// How tables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet, typed columns, Snappy.
    Parquet,
    /// Comma-separated values with one line of names; numbers in the shortest form that is read back
    /// exactly.
    Csv,
    /// NumPy archives, one array for each column.
    ///
    /// Texts are fixed-width unicode arrays as long as such an array has at most 64 MiB; beyond that,
    /// two arrays: `NAME.utf8` with all bytes and `NAME.ends` with where each text ends.
    Npz,
    /// One XDF file with corrected stamps and no clock offsets.
    Xdf,
}

impl Format {
    /// As typed, and the extension of the files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Npz => "npz",
            Self::Xdf => "xdf",
        }
    }
}

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The format.
    pub format: Format,
    /// The streams; none: all.
    pub streams: Vec<Query>,
    /// Only samples from so many seconds after the start of the recording on: see
    /// [`Synchronizer::start_s`].
    pub from_s: Option<f64>,
    /// Only samples before so many seconds after the start of the recording.
    pub to_s: Option<f64>,
    /// What is done to the stamps.
    pub sync: SyncOptions,
    /// Replace files that exist.
    pub overwrite: bool,
}

/// What became of an export.
#[derive(Debug)]
pub struct Exported {
    /// One for each stream.
    pub streams: Vec<ExportedStream>,
    /// All files that were written.
    pub files: Vec<PathBuf>,
    /// What was wrong with the file as a whole and with the exported streams, in file order.
    pub damage: Vec<Damage>,
    /// Damaged places that are not listed, because there are too many.
    pub damage_left_out: u64,
    /// Why only a part of a packed file could be unpacked.
    pub unpack_fault: Option<String>,
}

/// What became of one stream.
#[derive(Debug, Clone)]
pub struct ExportedStream {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Rows written.
    pub rows: u64,
    /// The table.
    pub path: PathBuf,
    /// Median of `time_sigma_s` along the recording, where its clock was measured; 0 for the recorder's
    /// own clock.
    pub sigma_s: Option<f64>,
    /// What the user should know of its times.
    pub remarks: Vec<String>,
}

/// How far an export is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Name of the stream under way.
    pub stream: &'a str,
    /// Work done, in units of its own.
    pub done: u64,
    /// All work.
    pub of: u64,
}

/// Why an export failed. Nothing of the output stays.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recording cannot be synchronized.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// No stream was chosen.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A file is there already.
    #[error("{path} exists already", path = .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("{path}: {source}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The wanted stretch of time is empty.
    #[error("nothing lies from {from_s} s to before {to_s} s; the first must be lower")]
    Range {
        /// As given.
        from_s: f64,
        /// As given.
        to_s: f64,
    },
}

/// Export streams of a recording into a folder, which is made if it is not there.
///
/// # Errors
/// [`ExportError`]; what was written by then is deleted. Damage of the recording is no error: it is in
/// the result and in the JSON files.
pub fn export(
    recording: &Recording,
    folder: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Exported, ExportError> {
    if let (Some(from_s), Some(to_s)) = (options.from_s, options.to_s)
        && from_s >= to_s
    {
        return Err(ExportError::Range { from_s, to_s });
    }
    let synchronizer = Synchronizer::new(recording, options.sync.clone())?;
    let chosen = select(&recording.scan, &synchronizer.clocks, &options.streams)?;
    let mut job = Job::new(&synchronizer, options, folder, &chosen, progress)?;
    let mut exported = Exported {
        streams: Vec::new(),
        files: Vec::new(),
        damage: recording.scan.damage.clone(),
        damage_left_out: recording.scan.damage_left_out,
        unpack_fault: recording.unpack_fault.clone(),
    };
    exported.damage.extend_from_slice(&synchronizer.clocks.damage);
    if options.format == Format::Xdf {
        xdf::export(&mut job, &chosen, &mut exported)?;
    } else {
        job.claim(&chosen)?;
        for &stream in &chosen {
            job.table(stream, &mut exported)?;
        }
    }
    exported.files = job.output.keep()?;
    exported.damage.sort_by_key(|damage| damage.offset);
    exported.damage.dedup();
    Ok(exported)
}
