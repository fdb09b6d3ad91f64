//! `LabRecorder.cfg`: what it says, and the configuration of ours that does the same.

use super::qsettings::{self, Entry};
use super::write;
use crate::config::parse;

/// The keys LabRecorder knows.
const KEYS: [&str; 10] = [
    "StorageLocation",
    "StudyRoot",
    "PathTemplate",
    "SessionBlocks",
    "BidsModalities",
    "RequiredStreams",
    "OnlineSync",
    "RCSEnabled",
    "RCSPort",
    "AutoStart",
];

/// The configuration, and what has to be read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The TOML, with comments.
    pub toml: String,
    /// What could not be carried over, or not as it was; each stands in the TOML too.
    pub notes: Vec<String>,
}

/// Why a file is none of LabRecorder's.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is UTF-16.
    #[error("the file is UTF-16: save it as UTF-8")]
    Encoding,
    /// It says nothing that LabRecorder knows.
    #[error(
        "none of LabRecorder's keys is in it ({}): is it a LabRecorder.cfg?",
        KEYS.join(", ")
    )]
    Foreign,
    /// What was made of it is not right.
    #[error("what was made of it is not a valid configuration ({0}): please report this")]
    Invalid(String),
}

/// A stream as LabRecorder names it: `Name (HOST)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamName {
    /// Name of the stream.
    pub name: String,
    /// The machine it comes from; any.
    pub host: Option<String>,
}

impl StreamName {
    /// Reads `Name (HOST)`; names hold parentheses too, so the last ones are the machine's.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let cut = text.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
        let (name, host) = match cut {
            Some((name, host)) if !name.trim().is_empty() => (name.trim(), host.trim()),
            _ => (text, ""),
        };
        let host = (!host.is_empty()).then(|| host.to_owned());
        (!name.is_empty()).then(|| Self { name: name.to_owned(), host })
    }
}

/// What a file says. What stands nowhere is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Study {
    /// The whole path of the recordings.
    pub storage: Option<String>,
    /// The folder.
    pub root: Option<String>,
    /// The name below it.
    pub template: Option<String>,
    /// Tasks to choose from.
    pub blocks: Vec<String>,
    /// Modalities to choose from.
    pub modalities: Vec<String>,
    /// Streams without which it warns.
    pub required: Vec<StreamName>,
    /// How stamps were changed while recording.
    pub online_sync: Vec<String>,
    /// Remote control.
    pub remote: Option<bool>,
    /// Its port.
    pub port: Option<u16>,
    /// Whether it begins by itself.
    pub autostart: bool,
    /// What could not be read, or only by guessing.
    pub notes: Vec<String>,
}

/// A configuration of ours from the bytes of a `LabRecorder.cfg`.
///
/// # Errors
/// [`ImportError`].
pub fn import(bytes: &[u8], file_name: &str) -> Result<Imported, ImportError> {
    let study = Study::read(bytes)?;
    let written = write::toml(&study, file_name, true);
    // Where the file names no streams there is no source, and they are chosen at the start: that is no fault of it.
    let chosen_later = ["remote.enabled=true".to_owned()];
    let checked =
        |imported: Imported| match parse(&imported.toml, "the imported configuration", &chosen_later) {
            Ok(_) => Ok(imported),
            Err(error) => Err(error.to_string()),
        };
    // A name that no file can have is what may still be wrong.
    checked(written).or_else(|_| checked(write::toml(&study, file_name, false))).map_err(ImportError::Invalid)
}

impl Study {
    fn read(bytes: &[u8]) -> Result<Self, ImportError> {
        let (text, latin1) = qsettings::decode(bytes).ok_or(ImportError::Encoding)?;
        let ini = qsettings::read(&text);
        let mut study = Self { notes: ini.notes, ..Self::default() };
        if latin1 {
            study.notes.push("the file is not UTF-8; it was read as Latin-1: look at its umlauts".to_owned());
        }
        let mut known = 0;
        let mut seen: Vec<&str> = Vec::new();
        for entry in &ini.entries {
            let name = KEYS.iter().find(|key| key.eq_ignore_ascii_case(&entry.key));
            let Some(name) = name.filter(|_| entry.section.is_empty()) else {
                let section =
                    if entry.section.is_empty() { String::new() } else { format!("[{}] ", entry.section) };
                study.note(entry, &format!("{section}{} = {} is not known", entry.key, entry.raw));
                continue;
            };
            known += 1;
            if seen.contains(name) {
                study.note(entry, &format!("{name} stands twice; the last one holds"));
            }
            seen.push(name);
            study.take(name, entry);
        }
        if known == 0 { Err(ImportError::Foreign) } else { Ok(study) }
    }

    fn note(&mut self, entry: &Entry, text: &str) {
        self.notes.push(format!("line {}: {text}", entry.line));
    }

    fn take(&mut self, name: &str, entry: &Entry) {
        match name {
            "StorageLocation" => self.storage = self.path(name, entry),
            "StudyRoot" => self.root = self.path(name, entry),
            "PathTemplate" => self.template = self.path(name, entry),
            "SessionBlocks" => self.blocks = list(entry),
            "BidsModalities" => self.modalities = list(entry),
            "RequiredStreams" => {
                self.required.clear();
                for text in list(entry) {
                    match StreamName::parse(&text) {
                        Some(stream) if self.required.contains(&stream) => {
                            self.note(entry, &format!("{text:?} stands twice"));
                        }
                        Some(stream) => self.required.push(stream),
                        None => self.note(entry, &format!("{text:?} names no stream")),
                    }
                }
            }
            "OnlineSync" => self.online_sync = list(entry),
            "RCSEnabled" => self.remote = self.flag(name, entry),
            "AutoStart" => self.autostart = self.flag(name, entry) == Some(true),
            _ => {
                let text = joined(entry);
                self.port = text.parse().ok().filter(|port| *port > 0);
                if self.port.is_none() && !text.is_empty() {
                    self.note(entry, &format!("{name} = {text} is no port"));
                }
            }
        }
    }

    /// A path. In one, backslashes stand between folders more often than they are escapes.
    fn path(&mut self, name: &str, entry: &Entry) -> Option<String> {
        let mut path = joined(entry);
        if path.contains(char::is_control) || entry.odd_escapes {
            path = entry.raw.trim_matches('"').to_owned();
            self.note(entry, &format!(
                "a backslash is an escape in that file, and LabRecorder reads {name} differently from how it looks; \
                 it is taken as it looks: {path}"
            ));
        }
        (!path.is_empty()).then_some(path)
    }

    fn flag(&mut self, name: &str, entry: &Entry) -> Option<bool> {
        let text = joined(entry).to_lowercase();
        match text.as_str() {
            "1" | "true" | "yes" | "on" => Some(true),
            "0" | "false" | "no" | "off" => Some(false),
            "" => None,
            _ => {
                self.note(entry, &format!("{name} = {text} is neither true nor false"));
                None
            }
        }
    }
}

/// The values that say something.
fn list(entry: &Entry) -> Vec<String> {
    let texts = entry.items.iter().map(|text| text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

/// A plain value; one with commas in it was no list.
fn joined(entry: &Entry) -> String {
    entry.items.join(",").trim().to_owned()
}

#[cfg(test)]
mod tests;
