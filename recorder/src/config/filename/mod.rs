//! The path of the file to record into: from the template, the experiment, and what is on disk.

mod error;
mod portable;
mod scan;
mod template;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Zoned;

pub use self::error::FilenameError;
use self::{
    scan::Pattern,
    template::{Piece, Template},
};
use super::{
    schema::{Config, Experiment, Run},
    words,
};

/// Largest run number.
pub const MAX_RUN: u32 = 999_999;

/// In a template: left out while no acquisition is set, as in the names of BIDS.
pub const OPTIONAL_ACQUISITION: &str = "[_acq-%a]";

/// Placeholders that are not keys of `[experiment]`; no free key may have these names.
pub(super) const RESERVED_KEYS: [&str; 4] = ["experiment", "date", "time", "datetime"];

/// Known keys of `[experiment]` that need not be set.
const OPTIONAL_KEYS: [&str; 5] = ["participant", "session", "task", "run", "acquisition"];

/// Where to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file: `directory` and the name. It does not exist; its folders may not exist either.
    pub path: PathBuf,
    /// The run number in force, when the configuration has one.
    pub run: Option<u32>,
}

impl super::Loaded {
    /// The report of a file name error, at the value to change.
    pub fn filename_error(&self, error: &FilenameError) -> super::ConfigError {
        self.document.diagnose(error.to_problem()).into()
    }
}

/// The path of the file to record into at the wall-clock time `now`.
///
/// The name comes from the template and stays below `directory`, whatever the values. With
/// `run = "auto"` the run is one more than the largest number among the existing files whose names
/// differ only in the run number (and in date and time, where the template has them); 1 when there
/// is none. Run numbers are written with at least three digits. Nothing is created.
///
/// # Errors
/// [`FilenameError`]: the template or a value cannot be used, the file exists, or a folder cannot
/// be listed.
pub fn resolve(config: &Config, now: &Zoned) -> Result<Target, FilenameError> {
    let namer = Namer::new(config, now)?;
    let directory = &config.recording.directory;
    let number = match config.experiment.run {
        Some(Run::Auto(_)) => return next_run(&namer, directory),
        Some(Run::Number(number)) => Some(number),
        None => None,
    };
    let path = namer.path(directory, number)?;
    if exists(&path)? {
        return Err(FilenameError::Exists { path, uses_run: namer.template.uses("run") });
    }
    Ok(Target { path, run: number })
}

/// [`resolve`], and "auto" becomes the number it is: `config` is then what the recording says of itself.
///
/// # Errors
/// Those of [`resolve`].
pub fn settle(config: &mut Config, now: &Zoned) -> Result<PathBuf, FilenameError> {
    let target = resolve(config, now)?;
    config.experiment.run = target.run.map(Run::Number);
    Ok(target.path)
}

/// What is wrong with a value that is to become a piece of a file name.
pub fn value_fault(value: &str) -> Option<String> {
    portable::value_fault(value)
}

fn with_acquisition(template: &str, experiment: &Experiment) -> String {
    let part = if experiment.acquisition.is_some() { "_acq-%a" } else { "" };
    template.replace(OPTIONAL_ACQUISITION, part)
}

/// Whether a template has a place for the run number; not when it cannot be read.
pub fn uses_run(template: &str) -> bool {
    Template::parse(template).is_ok_and(|template| template.uses("run"))
}

/// Checks all that does not depend on the disk or the time of day.
pub(super) fn check(config: &Config) -> Result<(), FilenameError> {
    let some_time = Zoned::default();
    let namer = Namer::new(config, &some_time)?;
    let number = match config.experiment.run {
        Some(Run::Auto(_)) => Some(MAX_RUN),
        Some(Run::Number(number)) => Some(number),
        None => None,
    };
    namer.path(Path::new("."), number).map(drop)
}

fn next_run(namer: &Namer<'_>, directory: &Path) -> Result<Target, FilenameError> {
    if !namer.template.uses("run") {
        return Err(FilenameError::NoRun {
            template: namer.config.recording.filename.clone().unwrap_or_default(),
        });
    }
    let patterns = namer.patterns()?;
    let largest = scan::largest_run(directory, &patterns)
        .map_err(|fault| FilenameError::Folder { folder: fault.folder, source: fault.error })?;
    let mut number = largest.map_or(1, |largest| largest.saturating_add(1));
    loop {
        let run = u32::try_from(number).ok().filter(|run| *run <= MAX_RUN);
        let path = namer.path(directory, Some(run.unwrap_or(MAX_RUN)))?;
        if run.is_none() {
            return Err(FilenameError::NoFreeRun { path });
        }
        // A disk that ignores case can hold the name although the scan did not see it.
        if !exists(&path)? {
            return Ok(Target { path, run });
        }
        number += 1;
    }
}

/// The default name adds `sub-` and the like itself: `sub-sub-01` is never meant.
fn no_repeated_label(experiment: &Experiment) -> Result<(), FilenameError> {
    let labels = [
        ("participant", "sub-", &experiment.participant),
        ("session", "ses-", &experiment.session),
        ("task", "task-", &experiment.task),
        ("acquisition", "acq-", &experiment.acquisition),
    ];
    for (key, label, value) in labels {
        if experiment.participant.is_some()
            && let Some(value) = value
            && value.starts_with(label)
        {
            return Err(FilenameError::Value {
                key: key.to_owned(),
                value: value.clone(),
                fault: format!("repeats `{label}`, which the default file name adds itself"),
            });
        }
    }
    Ok(())
}

/// Whether anything has this name, even a link that leads nowhere.
fn exists(path: &Path) -> Result<bool, FilenameError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => {
            Err(FilenameError::Folder { folder: path.parent().unwrap_or(path).to_owned(), source })
        }
    }
}

/// Fills a template.
struct Namer<'a> {
    config: &'a Config,
    template: Template,
    now: &'a Zoned,
}

impl<'a> Namer<'a> {
    fn new(config: &'a Config, now: &'a Zoned) -> Result<Self, FilenameError> {
        let template = match &config.recording.filename {
            Some(text) => Template::parse(&with_acquisition(text, &config.experiment))?,
            None => {
                no_repeated_label(&config.experiment)?;
                Template::standard(&config.experiment)
            }
        };
        let namer = Self { config, template, now };
        if matches!(config.experiment.run, Some(Run::Auto(_))) && !namer.template.uses("run") {
            return Err(FilenameError::NoRun {
                template: config.recording.filename.clone().unwrap_or_default(),
            });
        }
        Ok(namer)
    }

    /// The path with run number `run`.
    fn path(&self, directory: &Path, run: Option<u32>) -> Result<PathBuf, FilenameError> {
        // "./name" says no more than "name".
        let mut path = if directory == Path::new(".") { PathBuf::new() } else { directory.to_owned() };
        for pieces in &self.template.parts {
            let mut part = String::new();
            for piece in pieces {
                match piece {
                    Piece::Literal(text) => part.push_str(text),
                    Piece::Key(key) => part.push_str(&self.value(key, run)?),
                }
            }
            if let Some(fault) = portable::part_fault(&part) {
                return Err(FilenameError::Part { part, fault });
            }
            path.push(part);
        }
        Ok(path)
    }

    /// The template as patterns for the scan: everything filled in but run, date and time.
    fn patterns(&self) -> Result<Vec<Vec<Pattern>>, FilenameError> {
        let pattern = |piece: &Piece| {
            Ok(match piece {
                Piece::Literal(text) => Pattern::Text(text.clone()),
                Piece::Key(key) => match key.as_str() {
                    "run" => Pattern::Run,
                    "date" => Pattern::Shape("dddd-dd-dd"),
                    "time" => Pattern::Shape("dddddd"),
                    "datetime" => Pattern::Shape("dddd-dd-ddTdddddd"),
                    _ => Pattern::Text(self.value(key, None)?),
                },
            })
        };
        self.template.parts.iter().map(|part| part.iter().map(pattern).collect()).collect()
    }

    /// The text that fills `{key}`.
    fn value(&self, key: &str, run: Option<u32>) -> Result<String, FilenameError> {
        let experiment = &self.config.experiment;
        let value = match key {
            "date" => return Ok(self.now.strftime("%Y-%m-%d").to_string()),
            "time" => return Ok(self.now.strftime("%H%M%S").to_string()),
            "datetime" => return Ok(self.now.strftime("%Y-%m-%dT%H%M%S").to_string()),
            "run" => run.map(|run| format!("{run:03}")),
            "experiment" => Some(experiment.name.clone()),
            "participant" => experiment.participant.clone(),
            "session" => experiment.session.clone(),
            "task" => experiment.task.clone(),
            "acquisition" => experiment.acquisition.clone(),
            "modality" => Some(experiment.modality.clone()),
            free => experiment.extra.get(free).map(ToString::to_string),
        };
        let value = value.ok_or_else(|| self.no_value(key))?;
        match portable::value_fault(&value) {
            Some(fault) => {
                let key = if key == "experiment" { "name" } else { key };
                Err(FilenameError::Value { key: key.to_owned(), value, fault })
            }
            None => Ok(value),
        }
    }

    fn no_value(&self, key: &str) -> FilenameError {
        let available = self.available();
        let reason = if OPTIONAL_KEYS.contains(&key) {
            "which is not set in [experiment]".to_owned()
        } else {
            match words::meant(key, &available) {
                Some(word) => format!("which is unknown (did you mean {{{word}}}?)"),
                None => "which is unknown".to_owned(),
            }
        };
        let available: Vec<String> = available.iter().map(|key| format!("{{{key}}}")).collect();
        FilenameError::Placeholder {
            key: key.to_owned(),
            reason,
            available: words::joined(&available, "and"),
        }
    }

    /// The placeholders that have a value.
    fn available(&self) -> Vec<String> {
        let Experiment { participant, session, task, run, acquisition, extra, .. } = &self.config.experiment;
        let optional = [
            ("participant", participant.is_some()),
            ("session", session.is_some()),
            ("task", task.is_some()),
            ("run", run.is_some()),
            ("acquisition", acquisition.is_some()),
        ];
        let set = optional.into_iter().filter_map(|(key, set)| set.then_some(key));
        let always = ["experiment", "modality", "date", "time", "datetime"];
        set.chain(always).map(str::to_owned).chain(extra.keys().cloned()).collect()
    }
}
