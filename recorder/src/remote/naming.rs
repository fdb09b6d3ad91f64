//! What `filename {root:..}{task:..}` sets: the folder, the template, and the values of its placeholders.

use std::collections::BTreeMap;

use serde::Serialize;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::config::filename::{MAX_RUN, uses_run};

/// One of the values of `filename`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// The folder.
    Root,
    /// The template of the name below it.
    Template,
    /// `%b`.
    Task,
    /// `%r` and `%n`.
    Run,
    /// `%p`.
    Participant,
    /// `%s`.
    Session,
    /// `%a`.
    Acquisition,
    /// `%m`.
    Modality,
}

/// All of them, as they are written.
const FIELDS: [(&str, Field); 8] = [
    ("root", Field::Root),
    ("template", Field::Template),
    ("task", Field::Task),
    ("run", Field::Run),
    ("participant", Field::Participant),
    ("session", Field::Session),
    ("acquisition", Field::Acquisition),
    ("modality", Field::Modality),
];

/// How it is written, for the mend of an error.
pub const FORM: &str = "write filename {root:..}{template:..}{task:..}{run:..}{participant:..}{session:..}\
                        {acquisition:..}{modality:..}, as many of them as are wanted";

/// Values as they were sent. An empty one says that there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Naming(BTreeMap<Field, String>);

impl Naming {
    /// Reads `{root:/data}{task:hold}`. A value may hold braces in pairs, as a template does.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut naming = Self::default();
        let mut rest = text.trim_start();
        if rest.is_empty() {
            return Err(format!("nothing to set: {FORM}"));
        }
        while !rest.is_empty() {
            let inside =
                rest.strip_prefix('{').ok_or_else(|| format!("expected `{{` before {rest:?}: {FORM}"))?;
            let end = closing(inside).ok_or_else(|| format!("{rest:?} has no closing brace: {FORM}"))?;
            naming.set(&inside[..end])?;
            rest = inside[end + 1..].trim_start();
        }
        Ok(naming)
    }

    fn set(&mut self, pair: &str) -> Result<(), String> {
        let (name, value) = pair.split_once(':').ok_or_else(|| format!("{{{pair}}} has no colon: {FORM}"))?;
        let (name, value) = (name.trim().to_lowercase(), value.trim());
        let field = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        let field = field.ok_or_else(|| format!("{{{name}:..}} is not known: {FORM}"))?;
        let is_run = value.is_empty() || value == "auto" || run_number(value).is_some();
        if field == Field::Run && !is_run {
            return Err(format!(
                "{{run:{value}}} is no run: write a number from 0 to {MAX_RUN}, or {{run:auto}} for the next free one"
            ));
        }
        if self.0.insert(field, value.to_owned()).is_some() {
            return Err(format!("{{{name}:..}} stands twice: keep one of the two"));
        }
        Ok(())
    }

    /// These values, and `newer` ones in place of those of the same name.
    #[must_use]
    pub fn with(&self, newer: Self) -> Self {
        let mut all = self.clone();
        all.0.extend(newer.0);
        all
    }

    /// The folder that it sets.
    pub(super) fn root(&self) -> Option<&str> {
        self.0.get(&Field::Root).map(String::as_str).filter(|root| !root.is_empty())
    }

    /// Puts the values into a configuration; `None` when a section of it is no table.
    pub(super) fn write_into(&self, toml: &mut DocumentMut) -> Option<()> {
        for (field, value) in &self.0 {
            let (section, key) = match field {
                Field::Root => ("recording", "directory"),
                Field::Template => ("recording", "filename"),
                Field::Task => ("experiment", "task"),
                Field::Run => ("experiment", "run"),
                Field::Participant => ("experiment", "participant"),
                Field::Session => ("experiment", "session"),
                Field::Acquisition => ("experiment", "acquisition"),
                Field::Modality => ("experiment", "modality"),
            };
            // An empty root, template or modality takes back what was sent before, and leaves the file's.
            let takes_back = matches!(field, Field::Root | Field::Template | Field::Modality);
            let table = section_of(toml, section)?;
            match value.as_str() {
                "" if takes_back => {}
                "" => drop(table.remove(key)),
                value => {
                    let number = (*field == Field::Run).then(|| run_number(value)).flatten();
                    let value =
                        number.map_or_else(|| Value::from(value), |number| Value::from(i64::from(number)));
                    table.insert(key, Item::Value(value));
                }
            }
        }
        count_runs(toml)
    }
}

/// A template with a place for the run number, and no run: the next free one, as LabRecorder counts.
fn count_runs(toml: &mut DocumentMut) -> Option<()> {
    let template = section_of(toml, "recording")?.get("filename").and_then(Item::as_str).map(str::to_owned);
    let experiment = section_of(toml, "experiment")?;
    if template.is_some_and(|template| uses_run(&template)) && !experiment.contains_key("run") {
        experiment.insert("run", Item::Value(Value::from("auto")));
    }
    Some(())
}

fn section_of<'a>(toml: &'a mut DocumentMut, name: &str) -> Option<&'a mut dyn TableLike> {
    toml.as_table_mut().entry(name).or_insert_with(|| Item::Table(Table::new())).as_table_like_mut()
}

fn run_number(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().filter(|run| *run <= MAX_RUN)
}

/// Where the brace stands that closes the one before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "[experiment]\nname = \"grip\"\ntask = \"rest\"\n[recording]\ndirectory = \"data\"\n";

    fn written(base: &str, commands: &[&str]) -> String {
        let mut toml: DocumentMut = base.parse().expect("TOML");
        let naming = commands
            .iter()
            .fold(Naming::default(), |all, command| all.with(Naming::parse(command).expect("right")));
        naming.write_into(&mut toml).expect("tables");
        toml.to_string()
    }

    #[test]
    fn all_values_of_labrecorder_are_taken() {
        let text = written(
            BASE,
            &["{root:C:\\Study 1}{template:exp%n/{task}.xdf} {task:hold}{run:7}{participant:P1}{session:S1}\
             {acquisition:left}{modality:eeg}"],
        );
        let value: toml::Value = toml::from_str(&text).expect("TOML");
        assert_eq!(value["recording"]["directory"].as_str(), Some("C:\\Study 1"));
        assert_eq!(
            value["recording"]["filename"].as_str(),
            Some("exp%n/{task}.xdf"),
            "case and braces are kept"
        );
        assert_eq!(value["experiment"]["task"].as_str(), Some("hold"));
        assert_eq!(value["experiment"]["run"].as_integer(), Some(7));
        assert_eq!(value["experiment"]["acquisition"].as_str(), Some("left"));
        assert_eq!(value["experiment"]["modality"].as_str(), Some("eeg"));
    }

    #[test]
    fn values_stay_until_others_come_and_an_empty_one_takes_them_away() {
        let text = written(BASE, &["{task:hold}{session:1}", "{task:walk}"]);
        assert!(text.contains("task = \"walk\"") && text.contains("session = \"1\""), "{text}");
        let text = written(BASE, &["{root:elsewhere}{modality:eeg}", "{task:}{root:}{modality:}"]);
        assert!(text.contains("directory = \"data\"") && !text.contains("task"), "{text}");
    }

    #[test]
    fn a_template_that_counts_counts_by_itself() {
        assert!(written(BASE, &["{template:Exp%n/x}"]).contains("run = \"auto\""));
        assert!(written(BASE, &["{template:Exp%n/x}{run:3}"]).contains("run = 3"));
        assert!(!written(BASE, &["{template:x}"]).contains("run"));
    }

    #[test]
    fn sections_written_otherwise_are_found() {
        for base in ["experiment = { name = 'x' }\n", "experiment.name = 'x'\nrecording.directory = 'd'\n"] {
            let text = written(base, &["{task:hold}{root:r}"]);
            let value: toml::Value = toml::from_str(&text).expect("TOML");
            assert_eq!(value["experiment"]["task"].as_str(), Some("hold"), "{text}");
            assert_eq!(value["recording"]["directory"].as_str(), Some("r"), "{text}");
        }
    }

    #[test]
    fn wrong_commands_say_what_is_wrong() {
        for (text, piece) in [
            ("", "nothing to set"),
            ("task:x", "expected `{`"),
            ("{task:x", "no closing brace"),
            ("{task}", "no colon"),
            ("{block:x}", "{block:..} is not known"),
            ("{run:second}", "is no run"),
            ("{run:1000000}", "is no run"),
            ("{task:a}{task:b}", "stands twice"),
        ] {
            let fault = Naming::parse(text).expect_err(text);
            assert!(fault.contains(piece), "{text}: {fault}");
        }
    }
}
