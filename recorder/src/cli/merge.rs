//! `lockstep merge`

use std::path::PathBuf;

use clap::Args;
use lockstep_analysis::export::ExportError;
use lockstep_analysis::merge::{self, Errors, MergeError, MergeOptions, Merged, Via};
use lockstep_analysis::{ASYMMETRY_NOTE, SyncOptions, open};
use lockstep_clock::Method;

use super::Failure;
use super::export::{Bar, DejitterArg, method, open_failure};
use crate::display::table::{Align, Table};
use crate::display::{format, print_err, print_out};

/// Put recordings of different machines on one time axis, in one file.
///
/// The axis is the clock of the machine that recorded the first file. The others are related to it
/// through a clock that both have measured: that of an NTP server ([clock] ntp in their configurations),
/// or that of a stream which both have recorded. Stamps in the merged file are corrected and need no
/// clock offsets: pyxdf and any other tool show the right times. Each header says in desc/lockstep/merge
/// where its stream is from and how well its time is known. The recordings are only read.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The recordings, two or more; the first one's clock is the axis
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Through what hosts are related: ntp, or the name of a stream that both have recorded, or of a
    /// clock [default: the best that is there]
    #[arg(long, value_name = "ntp|STREAM")]
    pub via: Option<String>,
    /// How clocks are synchronized
    #[arg(long, value_name = "METHOD", value_parser = method, default_value = "smooth")]
    pub sync: Method,
    /// How jitter is taken out of streams with a nominal rate
    #[arg(long, value_enum, value_name = "METHOD", default_value = "relative")]
    pub dejitter: DejitterArg,
    /// Do not subtract the offset_mean that a stream's header states
    #[arg(long)]
    pub no_offset_mean: bool,
    /// Replace a file that exists; never one of the recordings
    #[arg(long)]
    pub force: bool,
    /// As JSON, times in seconds
    #[arg(long)]
    pub json: bool,
}

/// Run it.
pub fn run(args: &MergeArgs) -> Result<u8, Failure> {
    let options = MergeOptions {
        via: match args.via.as_deref() {
            None => Via::Any,
            Some("ntp") => Via::Ntp,
            Some(name) => Via::Named(name.to_owned()),
        },
        sync: SyncOptions {
            method: args.sync,
            dejitter: args.dejitter.into(),
            offset_mean: !args.no_offset_mean,
            ..SyncOptions::default()
        },
        overwrite: args.force,
    };
    let bar = Bar::new();
    let mut recordings = Vec::new();
    for file in &args.files {
        recordings.push(open(file, &mut |opening| bar.opening(opening)).map_err(open_failure)?);
    }
    let merged = merge::merge(&recordings, &args.output, &options, &mut |progress| {
        bar.show(progress.done, progress.of, progress.stream);
    });
    bar.clear();
    let merged = merged.map_err(failure)?;
    let cut: Vec<String> = recordings
        .iter()
        .filter_map(|recording| {
            Some(format!("{}: {}", recording.path.display(), recording.unpack_fault.as_ref()?))
        })
        .collect();
    if args.json {
        print_out(&serde_json::to_string(&merged).map_err(anyhow::Error::from)?);
    } else {
        print_out(&render(&merged, &cut));
        print_err(ASYMMETRY_NOTE);
    }
    Ok(if merged.damage.is_empty() && cut.is_empty() { 0 } else { 3 })
}

fn failure(error: MergeError) -> Failure {
    match &error {
        MergeError::Unrelated { .. } => Failure::other(
            error,
            "record with [clock] ntp = \"SERVER\" on each machine, or record one LSL stream on all of them",
        ),
        MergeError::Write(ExportError::Exists { .. }) => {
            Failure::usage(error, "add --force to replace it, or choose another name; nothing was written")
        }
        MergeError::OutputIsInput(_) => Failure::usage(error, "choose another name for the merged file"),
        MergeError::Few(_) | MergeError::Twice(_) | MergeError::NoName(_) => Failure::usage(error, ""),
        MergeError::Sync { .. } | MergeError::Write(_) => {
            Failure::other(error, "what was written by then was deleted")
        }
    }
}

/// Places of damage that are listed.
const SHOWN_DAMAGE: usize = 20;

fn render(merged: &Merged, cut: &[String]) -> String {
    let mut table = Table::new(&[
        ("FILE", Align::Left),
        ("STREAMS", Align::Right),
        ("RELATED BY", Align::Left),
        ("OFFSET s", Align::Right),
        ("DRIFT ppm", Align::Right),
        ("± RELATIVE", Align::Right),
        ("± TOTAL", Align::Right),
        ("AT MOST", Align::Right),
    ]);
    for (index, file) in merged.files.iter().enumerate() {
        let mut row = vec![file.name.clone(), file.streams.len().to_string()];
        if index == 0 {
            row.push("the axis".to_owned());
        } else {
            let Errors { relative_s, total_s, bound_s, .. } = file.uncertainty;
            row.push(file.related_by.join(", then "));
            row.push(format!("{:.6}", file.offset_s));
            row.push(file.drift_ppm.map_or_else(String::new, |ppm| format!("{ppm:.3}")));
            row.extend([relative_s, total_s, bound_s].map(error));
        }
        table.row(row);
    }
    let mut lines = table.lines();
    lines.push(String::new());
    let mut table = Table::new(&[
        ("STREAM", Align::Left),
        ("OF", Align::Left),
        ("ID", Align::Right),
        ("SAMPLES", Align::Right),
        ("± RELATIVE", Align::Right),
        ("± TOTAL", Align::Right),
        ("AT MOST", Align::Right),
    ]);
    for file in &merged.files {
        for stream in &file.streams {
            let Errors { relative_s, total_s, bound_s, .. } = stream.uncertainty;
            let mut row = vec![
                stream.name.clone(),
                file.name.clone(),
                stream.id.to_string(),
                format::count(stream.samples),
            ];
            row.extend([relative_s, total_s, bound_s].map(error));
            table.row(row);
        }
    }
    lines.extend(table.lines());
    lines.extend(merged.remarks.iter().map(|remark| format!("! {remark}")));
    lines.extend(cut.iter().map(|fault| format!("damaged: {fault}")));
    let shown = merged.damage.iter().take(SHOWN_DAMAGE);
    lines.extend(shown.map(|(name, damage)| format!("damaged: {name}: {damage}")));
    let more = merged.damage.len().saturating_sub(SHOWN_DAMAGE);
    if more > 0 {
        lines.push(format!("damaged: {more} more places; see `lockstep check`"));
    }
    lines.push(format!("written: {}", merged.path.display()));
    lines.join("\n")
}

/// An error in a unit that shows it.
fn error(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "not known".to_owned(),
        0.0 => "0".to_owned(),
        s if s < 1e-3 => format!("{:.1} µs", 1e6 * s),
        s if s < 1.0 => format!("{:.2} ms", 1e3 * s),
        s => format!("{s:.1} s"),
    }
}
