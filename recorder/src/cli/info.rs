//! `lockstep info`

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::display::print_out;
use crate::inspect::{render, summarize};

/// Show what is in a recording: streams, counts, rates, clocks, offsets, events, and whether it was
/// closed cleanly. Reads any XDF file.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The recording
    pub file: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Run it.
pub fn run(args: &InfoArgs) -> Result<u8, Failure> {
    let shown = args.file.display();
    let file = std::fs::File::open(&args.file)
        .map_err(|e| Failure::usage(format!("{shown}: {e}"), "name a recording, a file ending in .xdf"))?;
    let bytes = file.metadata()?.len();
    if bytes < lockstep_xdf::MAGIC.len() as u64 {
        let help = "a recorder that was killed at once, or a copy that failed, leaves such a file";
        return Err(Failure::other(format!("{shown} is empty: it has {bytes} bytes"), help));
    }
    let summary = summarize(file, bytes)
        .map_err(|e| Failure::other(format!("{shown}: {e}"), "is this an XDF file, and not compressed?"))?;
    if args.json {
        print_out(&serde_json::to_string(&summary).map_err(anyhow::Error::from)?);
    } else {
        print_out(&render(&summary, &args.file));
    }
    Ok(if summary.damage.is_empty() { 0 } else { 3 })
}
