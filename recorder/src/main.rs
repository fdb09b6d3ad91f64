//! The binary `lockstep`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lockstep_recorder::cli::main()
}
