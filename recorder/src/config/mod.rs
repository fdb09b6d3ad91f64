//! The configuration of an experiment: one TOML file and `--set` overrides, checked, with every
//! error shown at its line; and the name of the file to record into.
//!
//! A text is parsed into a tree that remembers where each value stands ([`load()`], [`parse()`]),
//! checked against the JSON Schema of [`Config`], then for what a schema cannot say. The options
//! of a source are checked in the same way against the schema of its plugin ([`check_options()`]).

mod check;
mod error;
mod explain;
pub mod filename;
mod load;
pub mod lsl;
mod options;
mod overrides;
mod path;
mod schema;
mod schema_view;
mod secret;
mod syntax;
mod tree;
mod whole;
mod words;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Diagnostic};
pub use filename::{FilenameError, Target};
pub use load::{Loaded, load, parse};
pub use options::{OptionDoc, check_options, describe_options};
pub use path::{ConfigPath, Segment};
pub use schema::{
    AutoRun, Clock, Config, DEFAULT_MEMORY_MB, Experiment, Isolation, Recording, Remote, Run, Scalar, Source,
    Synchronization, WhenMissing,
};
pub use secret::{MASK, SECRET_MAX_BYTES, SECRET_MIN_BYTES, Secret};
