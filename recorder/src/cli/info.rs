//! `lockstep info`

use std::path::{Path, PathBuf};

use clap::Args;
use lockstep_analysis::{OpenError, Recording, open};

use super::Failure;
use super::export::open_failure;
use crate::display::print_out;
use crate::inspect::{render, summarize};

/// Show what is in a recording: streams, counts, rates, gaps, clocks, offsets, errors, events, and
/// whether it was closed cleanly. Reads any XDF file, packed (.xdfz, .xdf.gz) or not.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The recording
    pub file: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Opens a recording for looking at it.
pub(super) fn open_to_look(file: &Path) -> Result<Recording, Failure> {
    open(file, &mut |_| {}).map_err(|error| match &error {
        OpenError::Unpack {
            source: lockstep_xdf::packed::UnpackError::Read { unpacked_bytes: 0, source },
            ..
        } => {
            let text =
                format!("{}: not an XDF file: it begins like a packed one, but {source}", file.display());
            Failure::other(text, "is it a recording, and whole?")
        }
        _ => open_failure(error),
    })
}

/// Run it.
pub fn run(args: &InfoArgs) -> Result<u8, Failure> {
    let recording = open_to_look(&args.file)?;
    let summary = summarize(&recording)
        .map_err(|e| Failure::other(format!("{}: {e}", args.file.display()), "can the disk be read?"))?;
    if args.json {
        print_out(&serde_json::to_string(&summary).map_err(anyhow::Error::from)?);
    } else {
        print_out(&render(&summary, &args.file));
    }
    Ok(if summary.damage.is_empty() { 0 } else { 3 })
}
