//! `lockstep import-labrecorder`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::display::{print_err, print_out};
use crate::import::labrecorder::import;

/// Turn a configuration of LabRecorder (LabRecorder.cfg) into one of Lockstep.
///
/// What cannot be carried over, or works differently, is said on standard error and stands as a comment
/// in the TOML. Nothing is ever overwritten.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// LabRecorder's configuration
    pub config: PathBuf,
    /// Write into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Run it.
pub fn run(args: &ImportArgs) -> Result<u8, Failure> {
    let path = args.config.display();
    let bytes = std::fs::read(&args.config).map_err(|e| {
        Failure::usage(
            format!("{path} cannot be read: {e}"),
            "name the .cfg file that LabRecorder was started with",
        )
    })?;
    let name = args.config.file_name().map_or_else(|| path.to_string(), |n| n.to_string_lossy().into_owned());
    let imported = import(&bytes, &name).map_err(|e| Failure::usage(format!("{path}: {e}"), ""))?;
    match &args.output {
        None => print_out(&imported.toml),
        Some(output) => write(output, &imported.toml)?,
    }
    for note in &imported.notes {
        print_err(&format!("{} {note}", console::style("note:").for_stderr().yellow()));
    }
    if let Some(output) = &args.output {
        let output = output.display();
        print_out(&format!("{output} is written; check it with `lockstep validate {output}`"));
    }
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let shown = path.display();
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => Failure::usage(
                format!("{shown} already exists, and nothing is ever overwritten"),
                "choose another name",
            ),
            _ => Failure::usage(
                format!("{shown} cannot be written: {e}"),
                "check the folder and its permissions",
            ),
        })?;
    file.write_all(text.as_bytes())
        .map_err(|e| Failure::other(format!("{shown}: {e}"), "check the disk; the file is not complete"))
}
