//! Why there is no file to record into, and how to mend it.

use std::{io, path::PathBuf};

use crate::config::{
    path::ConfigPath,
    tree::{At, Problem},
};

use super::{MAX_RUN, OPTIONAL_KEYS};

/// Why there is no file to record into.
#[derive(Debug, thiserror::Error)]
pub enum FilenameError {
    /// The template cannot be read.
    #[error("the file name template {template:?} cannot be used: {problem}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A placeholder that nothing fills.
    #[error("the file name uses {{{key}}}, {reason}; available are {available}")]
    Placeholder {
        /// The placeholder.
        key: String,
        /// Why it has no value.
        reason: String,
        /// What can be used.
        available: String,
    },
    /// A value that cannot be a piece of a file name.
    #[error("`{key}` = {value:?} cannot be used in a file name: it {fault}")]
    Value {
        /// The key of `[experiment]`.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A folder or file name that is not allowed as a whole.
    #[error("{part:?} cannot be the name of a folder or file: it {fault}")]
    Part {
        /// The name.
        part: String,
        /// What is wrong with it.
        fault: String,
    },
    /// `run = "auto"` and a template without a run number.
    #[error("run = \"auto\" needs {{run}} in the file name template {template:?}")]
    NoRun {
        /// The template.
        template: String,
    },
    /// The file is there already.
    #[error("{} already exists, and nothing is ever overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// Whether the name depends on the run number.
        uses_run: bool,
    },
    /// All run numbers are taken.
    #[error("there is no free run number up to {MAX_RUN} for {}", path.display())]
    NoFreeRun {
        /// The path with the last number.
        path: PathBuf,
    },
    /// A folder cannot be looked into.
    #[error("cannot look for existing files in {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FilenameError {
    /// How to mend it.
    pub fn help(&self) -> String {
        match self {
            Self::Template { .. } => {
                "a template is text with placeholders, as \"{participant}/{task}_run-{run}.xdf\"".to_owned()
            }
            Self::Placeholder { key, .. } if OPTIONAL_KEYS.contains(&key.as_str()) => {
                format!("set `{key}` in [experiment], or take {{{key}}} out of `filename` in [recording]")
            }
            Self::Placeholder { key, .. } => {
                format!("correct `filename` in [recording], or add a free key `{key}` to [experiment]")
            }
            Self::Value { key, .. } => {
                format!("change `{key}` in [experiment]: letters, digits, - and _ are always fine")
            }
            Self::Part { .. } => "change the value or the template it comes from".to_owned(),
            Self::NoRun { .. } => {
                "add {run} to `filename`, as \"..._run-{run}.xdf\", or give the run a number".to_owned()
            }
            Self::Exists { uses_run: true, .. } => "set run = \"auto\" in [experiment] for the next free \
                number, or another run, session or task"
                .to_owned(),
            Self::Exists { uses_run: false, .. } => "put {run} into `filename` in [recording] and \
                run = \"auto\" into [experiment] for the next free number, or use {date} and {time}"
                .to_owned(),
            Self::NoFreeRun { .. } => "record into another folder".to_owned(),
            Self::Folder { .. } => "check that the folder is one that this user may read".to_owned(),
        }
    }

    /// The value of the configuration to change.
    pub fn config_path(&self) -> ConfigPath {
        let experiment = ConfigPath::root().key("experiment");
        let recording = ConfigPath::root().key("recording");
        match self {
            Self::Value { key, .. } => experiment.key(key),
            Self::Template { .. } | Self::Part { .. } | Self::Placeholder { .. } => recording.key("filename"),
            Self::NoRun { .. } | Self::NoFreeRun { .. } | Self::Exists { uses_run: true, .. } => {
                experiment.key("run")
            }
            Self::Exists { uses_run: false, .. } => recording.key("filename"),
            Self::Folder { .. } => recording.key("directory"),
        }
    }

    pub(in crate::config) fn to_problem(&self) -> Problem {
        Problem {
            path: self.config_path(),
            at: At::Value,
            message: self.to_string(),
            label: match self {
                Self::Value { fault, .. } | Self::Part { fault, .. } => fault.clone(),
                Self::Placeholder { key, .. } => format!("{{{key}}} has no value"),
                Self::NoRun { .. } => "has no place in the file name".to_owned(),
                Self::Exists { .. } | Self::NoFreeRun { .. } => "names a file that exists".to_owned(),
                Self::Template { .. } | Self::Folder { .. } => "here".to_owned(),
            },
            help: Some(self.help()),
        }
    }
}
