//! `lockstep recover`

use std::path::{Path, PathBuf};

use clap::Args;
use console::style;
use lockstep_analysis::open;
use lockstep_analysis::recover::{self, Footer, Origin, Progress, RecoverError, Recovery};
use serde_json::{Value, json};

use super::Failure;
use super::export::{Bar, open_failure};
use crate::display::table::{Align, Table};
use crate::display::{format, print_err, print_out};

/// Places that are shown of each file; all are in --json.
const SHOWN: usize = 60;

/// Write a whole file from one that is torn or damaged, whatever program recorded it. All samples that can
/// be read are copied as they are; footers are made anew; what is not copied is listed by its place in the
/// file. Samples whose time is not known are left out, and so are clock offsets that were never measured.
///
/// The original is not touched.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The damaged recordings: any XDF files, packed (.xdfz, .xdf.gz) or not
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file to write; it must not exist [default: NAME_recovered.xdf beside the original]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only say what would be recovered; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON: a list with one object for each file
    #[arg(long)]
    pub json: bool,
}

/// Run it.
pub fn run(args: &RecoverArgs) -> Result<u8, Failure> {
    if args.output.is_some() && args.files.len() > 1 {
        let help = "leave --output out: each is written beside its original";
        return Err(Failure::usage("several files cannot be recovered into one", help));
    }
    let mut objects = Vec::new();
    let mut codes = Vec::new();
    for (index, file) in args.files.iter().enumerate() {
        let output = args.output.clone().unwrap_or_else(|| recover::default_name(file));
        let shown = file.display().to_string();
        match one(file, &output, args.dry_run) {
            Ok(recovery) => {
                let code = if recovery.is_lossy() { 3 } else { 0 };
                codes.push(code);
                if args.json {
                    let output = (!args.dry_run).then(|| output.display().to_string());
                    let mut object = json!({
                        "file": shown, "exit_code": code, "output": output,
                        "samples_lost": recovery.samples_lost(), "bytes_skipped": recovery.bytes_skipped(),
                    });
                    let more = serde_json::to_value(&recovery).map_err(anyhow::Error::from)?;
                    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
                        object.extend(more);
                    }
                    objects.push(object);
                } else {
                    let gap = if index > 0 { "\n" } else { "" };
                    let output = (!args.dry_run).then_some(output.as_path());
                    print_out(&format!("{gap}{}", render(&recovery, file, output)));
                }
            }
            Err(failure) => {
                codes.push(failure.exit_code());
                print_err(&failure.render());
                objects.push(json!({"file": shown, "exit_code": failure.exit_code(), "output": null}));
            }
        }
    }
    if args.json {
        print_out(&Value::from(objects).to_string());
    }
    // What kept a file from being recovered counts more than what was lost of another.
    Ok([2, 1, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0))
}

fn one(file: &Path, output: &Path, dry_run: bool) -> Result<Recovery, Failure> {
    if !dry_run {
        let same = std::fs::canonicalize(output)
            .ok()
            .filter(|there| std::fs::canonicalize(file).is_ok_and(|f| f == *there));
        if same.is_some() {
            let help = "name another file with --output: the original is never touched";
            return Err(Failure::usage(format!("{} is the file to recover from", output.display()), help));
        }
        // Before the work, not after it.
        if output.symlink_metadata().is_ok() {
            return Err(failure(RecoverError::Exists(output.to_owned())));
        }
    }
    if file.is_dir() {
        let help = "name a recording, a file ending in .xdf";
        return Err(Failure::usage(format!("{} is a folder", file.display()), help));
    }
    let bar = Bar::new();
    let recovered = recover_file(file, output, dry_run, &bar);
    bar.clear();
    recovered
}

fn recover_file(file: &Path, output: &Path, dry_run: bool, bar: &Bar) -> Result<Recovery, Failure> {
    let recording = open(file, &mut |opening| bar.opening(opening)).map_err(open_failure)?;
    if recording.is_being_recorded && !dry_run {
        let help = "stop the recording first; --dry-run says what could be recovered now";
        return Err(Failure::usage(format!("{} is being recorded at this moment", file.display()), help));
    }
    let mut show = |progress| match progress {
        Progress::Reading { done, of } => bar.show(done, of, "reading samples"),
        Progress::Writing { done, of } => bar.show(done, of, "writing"),
    };
    let unreadable = |error: &dyn std::fmt::Display| {
        let help = "a failing disk? copy the file with a tool that passes over what cannot be read, such as ddrescue, and recover the copy";
        Failure::other(format!("{}: {error}", file.display()), help)
    };
    let recovery = recover::plan(&recording, &mut show).map_err(|error| unreadable(&error))?;
    if dry_run {
        return Ok(recovery);
    }
    bar.show(0, 1, "writing");
    let origin = Origin {
        file: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        bytes: recording.file_bytes,
        crc32: Some(recover::crc32_of(file).map_err(|error| unreadable(&error))?),
        at: jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string(),
    };
    recover::write(&recording, &recovery, &origin, output, &mut show).map_err(failure)?;
    Ok(recovery)
}

fn failure(error: RecoverError) -> Failure {
    match &error {
        RecoverError::Exists(_) => {
            Failure::usage(error, "move it away, or name another file with --output; nothing was written")
        }
        RecoverError::Write { .. } => Failure::other(
            error,
            "is there room and may you write there? what was written by then was deleted",
        ),
        RecoverError::NotAsPlanned { .. } => {
            Failure::other(error, "it was deleted; please report this, with the file if you can")
        }
        RecoverError::Read { .. } | RecoverError::Nothing(_) => Failure::other(error, ""),
    }
}

fn render(recovery: &Recovery, file: &Path, output: Option<&Path>) -> String {
    let mut lines = vec![style(file.display()).bold().to_string()];
    lines.push(format!("  {}", format::bytes(recovery.bytes as f64)));
    let (samples, bytes) = (recovery.samples_lost(), recovery.bytes_skipped());
    let verdict = if recovery.is_lossy() {
        let what = format!(
            "✗ {} samples known to be lost, {} bytes skipped",
            format::count(samples),
            format::count(bytes)
        );
        style(what).red()
    } else if recovery.skipped.is_empty()
        && recovery.streams.iter().all(|stream| stream.footer == Footer::Kept)
    {
        style("✓ it is whole: nothing was to be mended".to_owned()).green()
    } else {
        style("✓ nothing that is in it was lost".to_owned()).green()
    };
    lines.push(format!("  {verdict}"));
    if !recovery.skipped.is_empty() {
        lines.push(String::new());
        lines.extend(places(recovery).lines().into_iter().map(|line| format!("  {line}")));
        let more = recovery.skipped.len().saturating_sub(SHOWN) as u64 + recovery.skipped_left_out;
        if more > 0 {
            lines.push(format!("  ... {more} more places; see --json"));
        }
    }
    lines.push(String::new());
    lines.extend(streams(recovery).lines().into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.extend(remarks(recovery).into_iter().map(|remark| format!("  {remark}")));
    lines.push(match output {
        Some(output) => format!("  Recovered into {}", style(output.display()).bold()),
        None => "  Nothing was written (--dry-run)".to_owned(),
    });
    lines.join("\n")
}

fn remarks(recovery: &Recovery) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(fault) = &recovery.unpack_fault {
        remarks.push(format!("! the packed file is damaged: {fault}"));
    }
    if recovery.file_header_made {
        remarks.push("! the file's header was missing or unreadable: one was made".to_owned());
    }
    if recovery.streams.iter().all(|stream| stream.footer == Footer::Made) && !recovery.streams.is_empty() {
        remarks.push(
            "The recording was not closed: whether its last moments are missing is not known".to_owned(),
        );
    }
    for stream in &recovery.streams {
        if let Some(old) = stream.old_id {
            remarks
                .push(format!("! two streams had the id {old}: \"{}\" has {} now", stream.name, stream.id));
        }
    }
    if let Some(checksums) = &recovery.checksums {
        for (from, to) in checksums.wrong.iter().take(SHOWN) {
            remarks.push(format!("! bytes {from} to {to} have another checksum than when they were recorded; what could be read of them is kept"));
        }
        let uncovered = checksums.uncovered_bytes();
        remarks.push(format!(
            "Checksums: {} bytes are as they were recorded, {} have none",
            format::count(checksums.right_bytes),
            format::count(uncovered)
        ));
    }
    if !recovery.side_files.is_empty() {
        remarks.push(format!(
            "Files beside the recording are left as they are: {}",
            recovery.side_files.join(", ")
        ));
    }
    remarks
}

fn places(recovery: &Recovery) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("BYTE", Align::Right),
        ("LENGTH", Align::Right),
        ("STREAM", Align::Left),
        ("LOST", Align::Right),
        ("WHAT", Align::Left),
    ]);
    for skipped in recovery.skipped.iter().take(SHOWN) {
        let sign = if skipped.is_lost { style("✗").red() } else { style("·").dim() };
        table.row(vec![
            sign.to_string(),
            skipped.byte.to_string(),
            format::count(skipped.bytes),
            match (&skipped.stream, skipped.stream_id) {
                (Some(name), _) => console::truncate_str(name, 24, "…").into_owned(),
                (None, Some(id)) => format!("id {id}"),
                (None, None) => String::new(),
            },
            match skipped.samples_lost {
                None if skipped.is_lost => "?".to_owned(),
                None | Some(0) => String::new(),
                Some(lost) => format::count(lost),
            },
            skipped.what.clone(),
        ]);
    }
    table
}

fn streams(recovery: &Recovery) -> Table {
    let mut table = Table::new(&[
        ("STREAM", Align::Left),
        ("ID", Align::Right),
        ("RECORDED", Align::Right),
        ("RECOVERED", Align::Right),
        ("LOST", Align::Right),
        ("OFFSETS", Align::Right),
        ("FOOTER", Align::Left),
    ]);
    for stream in &recovery.streams {
        let dropped = match stream.clock_offsets_dropped {
            0 => String::new(),
            dropped => format!(" (-{dropped})"),
        };
        table.row(vec![
            console::truncate_str(&stream.name, 32, "…").into_owned(),
            stream.id.to_string(),
            stream.samples_before.map_or_else(|| "?".to_owned(), format::count),
            format::count(stream.samples),
            format::count(stream.samples_lost),
            format!("{}{dropped}", format::count(stream.clock_offsets)),
            match stream.footer {
                Footer::Kept => "kept",
                Footer::Rebuilt => "rebuilt",
                Footer::Made => "made",
            }
            .to_owned(),
        ]);
    }
    table
}
