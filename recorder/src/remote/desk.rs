//! What the next recording will be: the configuration, what was selected beside it, and how the file is
//! named; all of it checked as the configuration is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use lockstep_platform::is_loopback;
use lockstep_plugin_lsl::Selection as Streams;
use serde::Deserialize;
use toml_edit::DocumentMut;

use super::naming::Naming;
use super::protocol::{Command, Reply};
use super::selection::Selection;
use crate::config::{Config, ConfigError, Loaded, filename, lsl, parse};
use crate::host::PluginSearch;
use crate::recording::prepare::{Prepared, prepare};

/// Most errors of a configuration that are told in one line.
const ERRORS_MAX: usize = 3;

/// What the next recording will be.
#[derive(Debug)]
pub struct Desk<'a> {
    base: &'a Loaded,
    search: &'a PluginSearch,
    selection: Selection,
    naming: Naming,
}

/// A recording that can be started.
#[derive(Debug)]
pub struct Ready {
    /// Its sources.
    pub prepared: Prepared,
    /// What it says of itself.
    pub config: Config,
    /// Its file: the whole path.
    pub path: PathBuf,
}

/// What is going to be recorded.
#[derive(Debug)]
pub struct Outlook {
    /// Which streams of LSL, selected or configured.
    pub streams: Vec<Streams>,
    /// Everything, and the file, in words.
    pub text: String,
}

impl<'a> Desk<'a> {
    /// From a configuration.
    pub fn new(base: &'a Loaded, search: &'a PluginSearch) -> Self {
        Self { base, search, selection: Selection::default(), naming: Naming::default() }
    }

    /// What was selected.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// What was set of the file name.
    pub fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Obey a command that starts and stops nothing. While something is being `recorded` the disk is not asked:
    /// it may be slow, and the recording's looks come first.
    pub fn obey(&mut self, command: Command, recording: bool) -> Reply {
        let done = match command {
            Command::SelectAll => self.can_select().map(|()| {
                self.selection.all();
                self.selected()
            }),
            Command::SelectNone => {
                self.selection.none();
                Ok(self.selected())
            }
            Command::Select(predicate) => {
                self.can_select().and_then(|()| self.selection.add(&predicate)).map(|new| {
                    let already = if new { "" } else { "it was selected already: " };
                    format!("{already}{}", self.selected())
                })
            }
            Command::Filename(naming) => self.name(naming, recording),
            Command::Update
            | Command::Start
            | Command::Stop
            | Command::Status
            | Command::Token(_)
            | Command::Help => Err("this command is not for the desk: please report this".to_owned()),
        };
        match done {
            Ok(text) => Reply::Done(of_the_next(text, recording)),
            Err(text) => Reply::Failed(text),
        }
    }

    /// Whether a client at `from` may give this command: one of another machine names no folder outside of the
    /// configuration's.
    ///
    /// # Errors
    /// Why not, and how to mend it.
    pub fn allows(&self, command: &Command, from: SocketAddr) -> Result<(), String> {
        let Command::Filename(naming) = command else { return Ok(()) };
        let Some(root) = naming.root().filter(|_| !is_loopback(from.ip())) else { return Ok(()) };
        let directory = &self.base.config.recording.directory;
        if is_below(Path::new(root), directory) {
            return Ok(());
        }
        Err(format!(
            "nothing was changed: {root:?} is not below {}, and from another machine no other folder can be chosen: \
             leave {{root:..}} out, or set `directory` in [recording] to a folder above it",
            whole(directory).display()
        ))
    }

    /// Everything before the start.
    ///
    /// # Errors
    /// Why it cannot be started, and how to mend it.
    pub fn ready(&self) -> Result<Ready, String> {
        let nothing = "nothing is configured and nothing is selected: send `select all`, or a predicate as \
                       `select type='EEG'`, or write a [[source]] into the configuration";
        let loaded = self.loaded(&self.naming)?;
        if loaded.config.source.is_empty() {
            return Err(nothing.to_owned());
        }
        let mut config = loaded.config.clone();
        let path = settle(&mut config)?;
        let prepared = prepare(&loaded, self.search).map_err(|e| one_line(&e))?;
        Ok(Ready { prepared, config, path })
    }

    fn can_select(&self) -> Result<(), String> {
        lsl::check_room(&self.base.config).map_err(|e| format!("{e}: {}", e.help()))
    }

    fn name(&mut self, newer: Naming, recording: bool) -> Result<String, String> {
        let naming = self.naming.with(newer);
        let loaded = self.loaded(&naming);
        let loaded = loaded.map_err(|e| format!("nothing was changed: {e}"))?;
        self.naming = naming;
        Ok(if recording { "taken".to_owned() } else { next_file(&loaded.config) })
    }

    /// What is going to be recorded, for `update`.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub fn outlook(&self, recording: bool) -> Result<Outlook, String> {
        let loaded = self.loaded(&self.naming)?;
        let mut streams = Vec::new();
        for source in loaded.config.source.iter().filter(|source| source.plugin == lsl::PLUGIN) {
            let Some(list) = source.options.get("streams") else { continue };
            let list = Vec::<Streams>::deserialize(list)
                .map_err(|e| format!("the streams of source {:?} cannot be read: {e}", source.name))?;
            streams.extend(list);
        }
        let file = if recording { String::new() } else { format!("; {}", next_file(&loaded.config)) };
        Ok(Outlook { streams, text: of_the_next(format!("{}{file}", self.selected()), recording) })
    }

    /// What is going to be recorded, in words.
    fn selected(&self) -> String {
        let sources: Vec<&str> = self.base.config.source.iter().map(|s| s.name.as_str()).collect();
        match (sources.as_slice(), self.selection.is_empty()) {
            ([], true) => "nothing is selected".to_owned(),
            ([], false) => format!("{} will be recorded", self.selection.describe()),
            (sources, true) => format!("what is configured will be recorded: {}", sources.join(", ")),
            (sources, false) => {
                format!(
                    "{} will be recorded, and what is configured: {}",
                    self.selection.describe(),
                    sources.join(", ")
                )
            }
        }
    }

    /// The configuration with all that was selected and set, checked.
    fn loaded(&self, naming: &Naming) -> Result<Loaded, String> {
        let faulty = || "the configuration cannot be extended: please report this".to_owned();
        let mut toml: DocumentMut = self.base.text.parse().map_err(|_| faulty())?;
        naming.write_into(&mut toml).ok_or_else(faulty)?;
        lsl::add_streams(&mut toml, self.selection.predicates()).map_err(|_| faulty())?;
        let mut loaded = parse(&toml.to_string(), &self.base.file_name, &[]).map_err(|e| one_line(&e))?;
        // It may have been typed beside the configuration.
        loaded.config.recording.duration_s = self.base.config.recording.duration_s;
        Ok(loaded)
    }
}

/// Whether `folder` is `directory` or in it, by its name. Links in it are this machine's own, and are followed.
fn is_below(folder: &Path, directory: &Path) -> bool {
    let up = folder.components().any(|part| part == std::path::Component::ParentDir);
    let folder = whole(folder);
    let real = directory.canonicalize();
    !up && (folder.starts_with(whole(directory)) || real.is_ok_and(|real| folder.starts_with(real)))
}

fn of_the_next(text: String, recording: bool) -> String {
    if recording { format!("for the next recording: {text}") } else { text }
}

/// The file that `config` names now, as a whole path.
fn settle(config: &mut Config) -> Result<PathBuf, String> {
    let path = filename::settle(config, &Zoned::now()).map_err(|e| match &e {
        filename::FilenameError::Exists { uses_run: true, .. } => {
            format!("{e}: send filename {{run:auto}} for the next free number, or another run")
        }
        _ => format!("{e}: {}", e.help()),
    })?;
    Ok(whole(&path))
}

fn next_file(config: &Config) -> String {
    match settle(&mut config.clone()) {
        Ok(path) => format!("the next file is {}", path.display()),
        Err(fault) => format!("taken, but nothing can be recorded yet: {fault}"),
    }
}

/// A path that a program elsewhere can make something of.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What is wrong with a configuration, without its places in the text.
fn one_line(error: &ConfigError) -> String {
    let told = error.diagnostics().iter().take(ERRORS_MAX).map(|diagnostic| match diagnostic.help() {
        Some(help) => format!("{}: {help}", diagnostic.message()),
        None => diagnostic.message().to_owned(),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
