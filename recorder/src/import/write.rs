//! Writes the configuration, each part with what it was and what is different.

use toml_edit::Value;

use super::labrecorder::{Imported, StreamName, Study};
use super::pattern::{Pattern, split};
use crate::config::{Remote, filename};

/// Widest line of a comment.
const WIDTH: usize = 100;

/// The name below the study's folder where the file names none.
const DEFAULT_TEMPLATE: &str = "exp%n/block_%b.xdf";

/// Lines of TOML, and the notes among them.
struct Page {
    toml: String,
    notes: Vec<String>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.toml.push_str(line);
        self.toml.push('\n');
    }

    fn key(&mut self, key: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        self.line(&format!("{key} = {value}"));
    }

    fn comment(&mut self, text: &str) {
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut line = "#".to_owned();
        for word in plain.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH && line.len() > 1 {
                self.line(&line);
                line = "#".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    /// A comment that has to be read: it is said at the import, too.
    fn note(&mut self, text: &str) {
        self.comment(&format!("NOTE: {text}"));
        self.notes.push(text.to_owned());
    }
}

/// The configuration; without `named` the file name is our own default.
pub fn toml(study: &Study, file_name: &str, named: bool) -> Imported {
    let mut page = Page { toml: String::new(), notes: Vec::new() };
    page.comment(&format!(
        "Made from {file_name} by `lockstep import-labrecorder`. Check it: `lockstep validate`."
    ));
    for note in &study.notes {
        page.note(note);
    }
    let (directory, pattern, naming_notes) = naming(study);
    experiment(&mut page, study, named.then_some(&pattern), file_name);
    page.line("\n[recording]");
    page.comment(&format!("{}.", origin(study)));
    for note in naming_notes {
        page.note(&note);
    }
    page.key("directory", directory);
    if named {
        pattern.notes.iter().for_each(|note| page.note(note));
        page.key("filename", pattern.template.as_str());
    } else {
        page.note(&format!("no file can be named {:?}: the default name is used", pattern.template));
    }
    page.comment(
        "A file that exists is never overwritten, and never renamed. With run = \"auto\" the next free number is \
         looked for in the folder itself.",
    );
    page.comment(
        "Where LabRecorder asks whether to record without a stream, this decides: \"fail\" gives up after wait_s, \
         \"warn\" records what is there.",
    );
    page.key("when_missing", "fail");
    page.line("wait_s = 10.0");
    remote(&mut page, study);
    streams(&mut page, study);
    online_sync(&mut page, &study.online_sync);
    Imported { toml: page.toml, notes: page.notes }
}

fn origin(study: &Study) -> &'static str {
    match (&study.storage, &study.root, &study.template) {
        (Some(_), ..) => "From StorageLocation, cut into the folder and the name below it",
        (None, Some(_), Some(_)) => "From StudyRoot and PathTemplate",
        (None, Some(_), None) => "From StudyRoot; LabRecorder's own default for the name",
        (None, None, Some(_)) => "From PathTemplate",
        (None, None, None) => "LabRecorder's own default for the name",
    }
}

/// The folder, the name below it, and what there is to say of them.
fn naming(study: &Study) -> (String, Pattern, Vec<String>) {
    let mut notes = Vec::new();
    let (mut directory, template) = match (&study.storage, &study.root) {
        (Some(storage), _) => {
            if study.root.is_some() || study.template.is_some() {
                notes.push(
                    "StorageLocation stands beside StudyRoot or PathTemplate; StorageLocation holds"
                        .to_owned(),
                );
            }
            split(storage)
        }
        (None, root) => {
            if root.is_none() {
                notes.push(
                    "LabRecorder would record into Documents/CurrentStudy, this into the working directory: set \
                     `directory`"
                        .to_owned(),
                );
            }
            let template = study.template.as_deref().unwrap_or(DEFAULT_TEMPLATE);
            (root.clone().unwrap_or_else(|| ".".to_owned()), template.to_owned())
        }
    };
    if directory.starts_with('~') || directory.contains(char::is_control) {
        notes.push(format!("the folder {directory:?} cannot be used as it stands: write the whole path"));
        directory = ".".to_owned();
    }
    let pattern = Pattern::new(&template);
    if !pattern.counts() {
        notes.push(
            "no counter (%n, %r) is in the name: the second recording of the same name is refused, where LabRecorder \
             renames or overwrites the first"
                .to_owned(),
        );
    }
    (directory, pattern, notes)
}

fn experiment(page: &mut Page, study: &Study, pattern: Option<&Pattern>, file_name: &str) {
    let needs = |letter| pattern.is_some_and(|pattern| pattern.needs(letter));
    page.line("\n[experiment]");
    page.key("name", name_of(study, file_name));
    let mut typed = Vec::new();
    for (letter, key, value) in
        [('p', "participant", "P001"), ('s', "session", "S001"), ('a', "acquisition", "A1")]
    {
        if needs(letter) {
            typed.push(key);
            page.key(key, value);
        }
    }
    let fits = |text: &&String| filename::value_fault(text).is_none();
    if let Some(task) = study.blocks.iter().find(fits) {
        page.comment(&format!("SessionBlocks: {}", study.blocks.join(", ")));
        page.key("task", task.as_str());
        typed.push("task");
    } else if needs('b') {
        page.key("task", "task");
        typed.push("task");
    }
    for odd in study.blocks.iter().filter(|block| !fits(block)) {
        page.note(&format!("the block {odd:?} cannot be a piece of a file name"));
    }
    if pattern.is_some_and(Pattern::counts) {
        page.comment("%n and %r: one more than the largest number among the files that are there.");
        page.key("run", "auto");
    }
    if needs('m') || !study.modalities.is_empty() {
        page.comment(&match study.modalities.as_slice() {
            [] => "LabRecorder's own choice: eeg, ieeg, meg, beh".to_owned(),
            choice => format!("BidsModalities: {}", choice.join(", ")),
        });
        page.key("modality", study.modalities.iter().find(fits).map_or("eeg", String::as_str));
    }
    if !typed.is_empty() {
        page.note(&format!(
            "{} {} chosen in LabRecorder's window: set {} for each recording, with `--set experiment.{}=...` or, by \
             remote control, `filename {{{}:...}}`",
            typed.join(", "),
            if typed.len() == 1 { "is" } else { "are" },
            if typed.len() == 1 { "it" } else { "them" },
            typed[0],
            typed[0],
        ));
    }
}

/// A name for the experiment: that of the study's folder, or of the file.
fn name_of(study: &Study, file_name: &str) -> String {
    let last = |path: &str| path.rsplit(['/', '\\']).find(|part| !part.is_empty()).map(str::to_owned);
    let folder = study.root.as_deref().filter(|_| study.storage.is_none()).and_then(last);
    let stem =
        last(file_name).map(|name| name.rsplit_once('.').map_or(name.clone(), |(stem, _)| stem.to_owned()));
    let fits = |name: &String| filename::value_fault(name).is_none() && name.trim() == name;
    folder.filter(fits).or(stem.filter(fits)).unwrap_or_else(|| "study".to_owned())
}

fn remote(page: &mut Page, study: &Study) {
    if study.remote.is_none() && study.port.is_none() {
        if study.autostart {
            page.comment("AutoStart: `lockstep record` always begins at once.");
        }
        return;
    }
    let enabled = study.remote == Some(true);
    page.line("\n[remote]");
    page.comment("RCSEnabled and RCSPort. The commands are LabRecorder's, and every one is answered.");
    if enabled {
        page.note(
            "LabRecorder's `start` by remote control selects every stream on the network; here it records the sources \
             of this file, and what `select` has selected before: `select all` is every stream",
        );
    }
    page.key("enabled", enabled);
    page.key("port", i64::from(study.port.unwrap_or(Remote::default().port)));
    page.comment(
        "LabRecorder listens on the whole network: \"0.0.0.0\" does that, with a token. This is for programs of this \
         machine:",
    );
    page.key("bind", Remote::default().bind);
    if enabled {
        page.note("remote control takes commands from this machine only, until `bind` says otherwise");
    }
    match (study.autostart, enabled) {
        (true, true) => page.note(
            "AutoStart is not carried over: with remote control it waits for `start`. Without it, `lockstep record` \
             begins at once",
        ),
        (true, false) => page.comment("AutoStart: `lockstep record` begins at once."),
        (false, _) => {}
    }
}

fn streams(page: &mut Page, study: &Study) {
    if study.required.is_empty() {
        no_streams(page, study.remote == Some(true));
        return;
    }
    page.line("\n[[source]]");
    page.key("name", "LSL");
    page.key("plugin", "lsl");
    page.line("[source.options]");
    page.comment(
        "RequiredStreams. The recording waits for each of them. required = false is for those that may be missing.",
    );
    page.line("streams = [");
    for StreamName { name, host } in &study.required {
        let quoted = |text: &str| Value::from(text).to_string();
        let host = host.as_ref().map_or_else(String::new, |host| format!(", host = {}", quoted(host)));
        page.line(&format!("    {{ name = {}{host} }},", quoted(name)));
    }
    page.line("]");
}

/// No source then: nothing is recorded unasked.
fn no_streams(page: &mut Page, remote: bool) {
    page.line("");
    let how = if remote {
        "`select all` by remote control chooses every stream, `select type='EEG'` those of a type, and `start` is refused \
         before. Streams of every recording can stand here instead"
    } else {
        "name streams here, without the # before [[source]] and what follows, or on the command line: --lsl \
         \"type='EEG'\", or --lsl \"true()\" for every stream. `lockstep streams` lists what is there"
    };
    page.note(&format!(
        "no RequiredStreams: LabRecorder lets you choose in its window, and its `start` by remote control records every \
         stream. Here nothing is recorded unasked: {how}"
    ));
    for line in [
        "[[source]]",
        "name = \"LSL\"",
        "plugin = \"lsl\"",
        "[source.options]",
        "streams = [",
        "    { type = \"EEG\" },",
        "    { name = \"Markers\", required = false },",
        "]",
    ] {
        page.line(&format!("# {line}"));
    }
}

fn online_sync(page: &mut Page, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    page.line("");
    for entry in entries {
        page.comment(&format!("OnlineSync: {entry}"));
    }
    page.note(
        "OnlineSync is not carried over: stamps are recorded as they come, and put right when they are read. `lockstep \
         export` does what was asked for: post_clocksync by --sync smooth and post_dejitter by --dejitter relative (both \
         are the default), post_monotonize by --strictly-increasing; post_threadsafe means nothing in a file",
    );
}
