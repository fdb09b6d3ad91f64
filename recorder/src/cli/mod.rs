//! The command line: what was typed is turned into calls, and what came of them
//! into text and an exit code.

mod benchmark;
mod check;
mod clock;
mod demo;
mod exit;
mod export;
mod import_labrecorder;
mod info;
mod lag;
mod merge;
mod neon;
mod plugins;
mod record;
mod recover;
mod remote;
mod serve_source;
pub mod simulate;
mod streams;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::{Failure, ReadableError};

use crate::display::print_err;

/// Below the help of every command.
const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  failed: there is no usable result
  2  wrong usage or configuration: nothing was begun
  3  recorded, but data were lost or writing failed; what and how much is shown and written into the file";

/// Below the help of `check`, where they mean something more precise.
const CHECK_EXIT_CODES: &str = "\
Exit codes:
  0  whole: nothing was found but notes
  1  a file cannot be read
  2  wrong usage: there is no such file
  3  data are lost, damaged or doubtful: see the findings";

/// Below the help of `recover`.
const RECOVER_EXIT_CODES: &str = "\
Exit codes:
  0  recovered, and nothing was lost
  1  a file cannot be read or written
  2  wrong usage: there is no such file, or the new one exists
  3  recovered, but samples or bytes were lost: they are listed";

const ENVIRONMENT: &str = "\
Environment:
  LOCKSTEP_PLUGIN_PATH   folders with plugins, separated as in PATH
  LOCKSTEP_REMOTE_TOKEN  token that clients of remote control say first
  RUST_LOG               log for developers on standard error, e.g. RUST_LOG=debug
  NO_COLOR               no colours";

/// Records every device in the room into one file, and knows when each sample happened.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = format!("{EXIT_CODES}\n\n{ENVIRONMENT}"))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record an experiment
    #[command(after_help = EXIT_CODES)]
    Record(record::RecordArgs),
    /// Check a configuration: the file, the plugins, their options
    #[command(after_help = EXIT_CODES)]
    Validate(validate::ValidateArgs),
    /// Turn a configuration of LabRecorder into one of Lockstep
    #[command(after_help = EXIT_CODES)]
    ImportLabrecorder(import_labrecorder::ImportArgs),
    /// List the plugins, or explain one and its options
    #[command(after_help = EXIT_CODES)]
    Plugins(plugins::PluginsArgs),
    /// List the LSL streams on the network, with the clocks of their machines
    #[command(after_help = EXIT_CODES)]
    Streams(streams::StreamsArgs),
    /// Pupil Labs Neon: the clock of a phone, events to it, and its own recording
    #[command(after_help = EXIT_CODES)]
    Neon(neon::NeonArgs),
    /// Simulate a device, to rehearse without hardware
    #[command(after_help = EXIT_CODES)]
    Simulate(simulate::SimulateArgs),
    /// Show what is in a recording
    #[command(after_help = EXIT_CODES)]
    Info(info::InfoArgs),
    /// Check whether recordings are whole: structure, counts, stamps, clocks, losses
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(check::CheckArgs),
    /// Write a whole file from a torn or damaged one, of any recorder
    #[command(after_help = RECOVER_EXIT_CODES)]
    Recover(recover::RecoverArgs),
    /// Show the clocks of a recording: exchanges, drift, residuals, errors, steps; and draw them
    #[command(after_help = EXIT_CODES)]
    Clock(clock::ClockArgs),
    /// Write tables: each stream on one time axis, with the error of each sample
    #[command(after_help = EXIT_CODES)]
    Export(export::ExportArgs),
    /// Measure the lag between two streams: markers against a photodiode
    #[command(after_help = EXIT_CODES)]
    Lag(Box<lag::LagArgs>),
    /// Put recordings of different machines on one time axis, in one file
    #[command(after_help = EXIT_CODES)]
    Merge(merge::MergeArgs),
    /// Record simulated devices for 10 s into the current folder
    #[command(after_help = EXIT_CODES)]
    Demo(demo::DemoArgs),
    /// Compare methods on simulated recordings whose truth is known
    Benchmark(benchmark::BenchmarkArgs),
    /// A source in a process of its own; the recorder starts it
    #[command(hide = true)]
    ServeSource(serve_source::ServeSourceArgs),
    /// Print the JSON Schema of configurations, for editors
    Schema,
    /// Print a completion script for a shell
    #[command(after_help = EXIT_CODES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Run the command that was typed.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    let result = match cli.command {
        Command::Record(args) => record::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::ImportLabrecorder(args) => import_labrecorder::run(&args),
        Command::Plugins(args) => plugins::run(&args),
        Command::Streams(args) => streams::run(&args),
        Command::Neon(args) => neon::run(&args),
        Command::Simulate(args) => simulate::run(args).map(|()| 0).map_err(Failure::from),
        Command::Info(args) => info::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Recover(args) => recover::run(&args),
        Command::Clock(args) => clock::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Lag(args) => lag::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Benchmark(args) => benchmark::run(&args),
        Command::ServeSource(args) => serve_source::run(args),
        Command::Schema => {
            crate::display::print_out(&format!("{:#}", crate::config::Config::json_schema()));
            Ok(0)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "lockstep", &mut script);
            crate::display::print_out(&String::from_utf8_lossy(&script));
            Ok(0)
        }
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            print_err(&failure.render());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The developers' log, off unless asked for.
fn start_log() {
    use tracing_subscriber::EnvFilter;
    if let Ok(filter) = EnvFilter::try_from_default_env() {
        // Fails only when there is one already.
        drop(tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
