//! `lockstep export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lockstep_analysis::export::{self, ExportError, ExportOptions, Exported, Format, Progress};
use lockstep_analysis::{ASYMMETRY_NOTE, OpenError, Opening, Query, SyncError, SyncOptions, open};
use lockstep_clock::{DejitterMethod, Method};

use super::Failure;
use crate::display::{print_err, print_out};

/// Write each stream of a recording as a table on one time axis.
///
/// A table has the columns time_s (synchronized), device_time_s (as recorded), time_sigma_s and
/// time_sigma_relative_s (one sigma of all errors, and of those without asymmetry), time_bound_s (the
/// largest error there can be), then the channels by label. A JSON file beside it says what is known of
/// the stream and what was done. --format xdf writes one XDF file with corrected stamps instead, for
/// tools that do not correct them. The recording itself is not touched.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The recording: any XDF file, packed (.xdfz, .xdf.gz) or not
    pub file: PathBuf,
    /// The folder to write into; it is made if it is not there
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// The format of the tables
    #[arg(long, value_enum, default_value = "parquet")]
    pub format: FormatArg,
    /// Only these streams: name=EEG, type=Gaze, id=3, clock=NAME, or just a name; may be repeated
    #[arg(long = "stream", value_name = "QUERY")]
    pub streams: Vec<Query>,
    /// Only samples from so many seconds after the start of the recording on. It starts with the first
    /// sample of any stream, on the synchronized axis
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds)]
    pub from: Option<f64>,
    /// Only samples before so many seconds after the start of the recording
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds)]
    pub to: Option<f64>,
    #[command(flatten)]
    pub sync: SyncArgs,
    /// Make times that do not rise rise, by the smallest step a number has; how many is shown
    #[arg(long)]
    pub strictly_increasing: bool,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// What is done to the stamps.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// How clocks are synchronized [default: smooth; with --compat: robust]
    #[arg(long, value_name = "METHOD", value_parser = method)]
    pub sync: Option<Method>,
    /// How jitter is taken out of streams with a nominal rate [default: relative; with --compat: pyxdf]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub dejitter: Option<DejitterArg>,
    /// Do exactly what another reader does, its faults included
    #[arg(long, value_enum)]
    pub compat: Option<Compat>,
    /// Do not subtract the offset_mean that a stream's header states
    #[arg(long)]
    pub no_offset_mean: bool,
    /// Known asymmetry of a clock's path: half of how much longer the way there takes than the way back,
    /// in seconds; may be repeated
    #[arg(long = "asymmetry", value_name = "CLOCK=S", allow_hyphen_values = true, value_parser = asymmetry)]
    pub asymmetries: Vec<(String, f64)>,
}

/// Formats, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Apache Parquet: pandas, polars, R, MATLAB, DuckDB
    Parquet,
    /// Comma-separated values: everything
    Csv,
    /// NumPy archives: numpy.load
    Npz,
    /// One XDF file with corrected stamps
    Xdf,
}

/// Methods of dejittering, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DejitterArg {
    /// Stamps keep their jitter
    None,
    /// One straight line over each stretch without a gap
    Pyxdf,
    /// Relative to the clock's map, so that a wandering clock is not straightened
    Relative,
}

/// Readers that can be imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compat {
    /// pyxdf.load_xdf; --sync none and --dejitter none are its two switches
    Pyxdf,
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err("a number of seconds is needed, as in 12.5".to_owned()),
    }
}

pub(super) fn method(text: &str) -> Result<Method, String> {
    let names = || Method::ALL.map(Method::name).join(", ");
    let found = Method::ALL.into_iter().find(|method| method.name() == text);
    found.ok_or_else(|| format!("the methods are {}", names()))
}

fn asymmetry(text: &str) -> Result<(String, f64), String> {
    // Names of clocks may have `=` in them.
    let (name, number) = text.rsplit_once('=').ok_or("it is written as CLOCK=SECONDS")?;
    Ok((name.to_owned(), seconds(number)?))
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Csv => Self::Csv,
            FormatArg::Npz => Self::Npz,
            FormatArg::Xdf => Self::Xdf,
        }
    }
}

impl From<DejitterArg> for DejitterMethod {
    fn from(method: DejitterArg) -> Self {
        match method {
            DejitterArg::None => Self::None,
            DejitterArg::Pyxdf => Self::Pyxdf,
            DejitterArg::Relative => Self::Relative,
        }
    }
}

impl SyncArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn options(&self) -> Result<SyncOptions, Failure> {
        let dejitter = self.dejitter.map(DejitterMethod::from);
        if self.compat == Some(Compat::Pyxdf) {
            let refused = |what: &str, help: &str| {
                Err(Failure::usage(format!("pyxdf knows no {what}, so that --compat cannot have it"), help))
            };
            let synchronize = match self.sync {
                None | Some(Method::Robust) => true,
                Some(Method::None) => false,
                Some(other) => {
                    return refused(
                        &format!("--sync {}", other.name()),
                        "use --sync robust or --sync none, or leave --compat out",
                    );
                }
            };
            let dejitters = match dejitter {
                None | Some(DejitterMethod::Pyxdf) => true,
                Some(DejitterMethod::None) => false,
                Some(DejitterMethod::Relative) => {
                    return refused(
                        "--dejitter relative",
                        "use --dejitter pyxdf or --dejitter none, or leave --compat out",
                    );
                }
            };
            if !self.asymmetries.is_empty() {
                return refused("--asymmetry", "leave one of the two out");
            }
            return Ok(SyncOptions::pyxdf(synchronize, dejitters));
        }
        Ok(SyncOptions {
            method: self.sync.unwrap_or_default(),
            dejitter: dejitter.unwrap_or_default(),
            offset_mean: !self.no_offset_mean,
            asymmetry_s: self.asymmetries.clone(),
            ..SyncOptions::default()
        })
    }
}

/// Run it.
pub fn run(args: &ExportArgs) -> Result<u8, Failure> {
    let mut sync = args.sync.options()?;
    if sync.compat_pyxdf && args.strictly_increasing {
        let help = "leave one of the two out";
        return Err(Failure::usage(
            "pyxdf knows no --strictly-increasing, so that --compat cannot have it",
            help,
        ));
    }
    sync.strictly_increasing = args.strictly_increasing;
    let options = ExportOptions {
        format: args.format.into(),
        streams: args.streams.clone(),
        from_s: args.from,
        to_s: args.to,
        sync,
        overwrite: args.force,
    };
    let bar = Bar::new();
    let recording = open(&args.file, &mut |opening| bar.opening(opening)).map_err(open_failure)?;
    let exported =
        export::export(&recording, &args.output, &options, &mut |progress| bar.exporting(&progress));
    bar.clear();
    let exported = exported.map_err(failure)?;
    print_out(&render(&exported));
    if !options.sync.compat_pyxdf {
        print_err(ASYMMETRY_NOTE);
    }
    let damaged = !exported.damage.is_empty() || exported.unpack_fault.is_some();
    Ok(if damaged { 3 } else { 0 })
}

/// What is wrong with a recording that cannot be opened, and what to do.
pub fn open_failure(error: OpenError) -> Failure {
    match &error {
        OpenError::File { .. } => Failure::usage(error, "name a recording, a file ending in .xdf"),
        OpenError::Scan { .. } => Failure::other(error, "is this an XDF file?"),
        OpenError::Empty { .. } | OpenError::Unpack { .. } => Failure::other(error, ""),
    }
}

fn failure(error: ExportError) -> Failure {
    match &error {
        ExportError::Exists { .. } => {
            Failure::usage(error, "add --force to replace it, or choose another folder; nothing was written")
        }
        ExportError::Query(_) | ExportError::Range { .. } => Failure::usage(error, ""),
        ExportError::Sync(SyncError::UnknownClock { .. }) => Failure::usage(error, ""),
        ExportError::Sync(_) | ExportError::Write { .. } => {
            Failure::other(error, "what was written by then was deleted")
        }
    }
}

/// Places of damage that are listed.
const SHOWN_DAMAGE: usize = 20;

fn render(exported: &Exported) -> String {
    let mut lines = Vec::new();
    for stream in &exported.streams {
        let error = match stream.sigma_s {
            Some(0.0) => "recorder's clock".to_owned(),
            Some(sigma_s) => format!("± {}", duration(sigma_s)),
            None => "error not known".to_owned(),
        };
        lines.push(format!("{}: {} samples, {error}, {}", stream.name, stream.rows, stream.path.display()));
        lines.extend(stream.remarks.iter().map(|remark| format!("  ! {remark}")));
    }
    if let Some(fault) = &exported.unpack_fault {
        lines.push(format!("damaged: {fault}"));
    }
    lines.extend(exported.damage.iter().take(SHOWN_DAMAGE).map(|damage| format!("damaged: {damage}")));
    let more = (exported.damage.len().saturating_sub(SHOWN_DAMAGE)) as u64 + exported.damage_left_out;
    if more > 0 {
        lines.push(format!("damaged: {more} more places; see the JSON files and `lockstep check`"));
    }
    lines.join("\n")
}

/// One sigma in a unit that shows it.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", 1e6 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s => format!("{s:.1} s"),
    }
}

/// A progress bar on a terminal; nothing elsewhere.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(super) fn show(&self, done: u64, of: u64, what: &str) {
        let share = 1000.0 * done as f64 / of.max(1) as f64;
        // Drawn at most 20 times a second; the text is only made anew when it changes.
        if self.0.message() != what {
            self.0.set_message(what.to_owned());
        }
        self.0.set_position(share as u64);
    }

    pub(super) fn opening(&self, opening: Opening) {
        match opening {
            Opening::Unpacking { done, of } => self.show(done, of, "unpacking"),
            Opening::Scanning { done, of } => self.show(done, of, "looking for chunks"),
        }
    }

    fn exporting(&self, progress: &Progress<'_>) {
        self.show(progress.done, progress.of, progress.stream);
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_read() {
        assert_eq!(asymmetry("a=b=-1e-3"), Ok(("a=b".to_owned(), -1e-3)));
        assert!(asymmetry("phone").is_err());
        assert!(asymmetry("phone=inf").is_err());
        assert_eq!(method("robust"), Ok(Method::Robust));
        assert!(method("spline").unwrap_err().contains("smooth"));
        assert_eq!(duration(2.34e-5), "23.4 µs");
    }
}
