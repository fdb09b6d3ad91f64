//! `lockstep serve-source`, which nobody types: a source in a process of its own.

use std::path::PathBuf;

use clap::Args;

use super::Failure;

/// What the recorder gives it.
#[derive(Debug, Args)]
pub struct ServeSourceArgs {
    /// The source
    #[arg(long)]
    name: String,
    /// Its plugin
    #[arg(long)]
    plugin: String,
    /// The plugin's library, if it is not built in
    #[arg(long)]
    library: Option<PathBuf>,
    /// Memory it may use, in MiB
    #[arg(long)]
    memory_mb: u32,
    /// The recorder's process
    #[arg(long)]
    parent: u32,
}

/// Run it. It does not return but when it cannot begin.
#[cfg(unix)]
pub fn run(args: ServeSourceArgs) -> Result<u8, Failure> {
    let ServeSourceArgs { name, plugin, library, memory_mb, parent } = args;
    let memory_bytes = u64::from(memory_mb) << 20;
    crate::host::child::serve(&crate::host::child::ServeOptions {
        parent,
        name,
        plugin,
        library,
        memory_bytes,
    })?;
    Ok(0)
}

/// Run it.
#[cfg(not(unix))]
pub fn run(_: ServeSourceArgs) -> Result<u8, Failure> {
    Err(Failure::usage("this system has no processes for sources", ""))
}
