//! The source that `lockstep record --lsl` asks for, as a configuration.

use std::fmt::Write as _;
use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use super::error::ConfigError;
use super::load::{Loaded, parse, read_text};

/// Name of the source, where no other has it.
const NAME: &str = "LSL";

/// Name of the experiment, where there is no file.
const EXPERIMENT: &str = "lsl";

/// What errors call a configuration that is no file.
const ALONE: &str = "the configuration of --lsl";

/// Reads and checks the file at `path`, if one is named, with a source more that records the LSL streams
/// of `predicates` (none: no source more), and `overrides` applied in order.
///
/// # Errors
/// As [`load`](super::load()). A predicate that is none is found by the plugin.
pub fn load_with_lsl(
    path: Option<&Path>,
    predicates: &[String],
    overrides: &[String],
) -> Result<Loaded, ConfigError> {
    match path {
        Some(path) if predicates.is_empty() => super::load(path, overrides),
        Some(path) => {
            let (name, text) = read_text(path)?;
            parse(&added(&text, predicates), &name, overrides)
        }
        None => parse(&alone(predicates), ALONE, overrides),
    }
}

/// A configuration of nothing but the source.
fn alone(predicates: &[String]) -> String {
    format!("[experiment]\nname = \"{EXPERIMENT}\"\n{}", block(NAME, predicates))
}

/// The text with the source after all others, under a name that none of them has. A text that is no TOML
/// stays as it is: whoever parses it says why.
fn added(text: &str, predicates: &[String]) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok(mut document) = text.parse::<DocumentMut>() else { return text.to_owned() };
    let name = free_name(&document);
    if let Some(Item::Value(Value::Array(list))) = document.get_mut("source") {
        // [[source]] cannot follow source = [ ... ].
        list.push(inline(&name, predicates));
        return document.to_string();
    }
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("{text}{end}{}", block(&name, predicates))
}

fn free_name(document: &DocumentMut) -> String {
    let is_lsl = |name: Option<&Item>, wanted: &str| name.and_then(Item::as_str) == Some(wanted);
    let taken = |wanted: &str| match document.get("source") {
        Some(Item::ArrayOfTables(list)) => list.iter().any(|s: &Table| is_lsl(s.get("name"), wanted)),
        Some(Item::Value(Value::Array(list))) => list.iter().any(|s| {
            let name = s.as_inline_table().and_then(|s| s.get("name"));
            name.and_then(Value::as_str) == Some(wanted)
        }),
        _ => false,
    };
    let mut name = NAME.to_owned();
    for number in 2.. {
        if !taken(&name) {
            break;
        }
        name = format!("{}-{number}", NAME);
    }
    name
}

fn block(name: &str, predicates: &[String]) -> String {
    let mut out = format!(
        "\n# Added by `lockstep record --lsl`.\n[[source]]\nname = \"{name}\"\nplugin = \"lsl\"\n\
         [source.options]\nstreams = [\n"
    );
    for predicate in predicates {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {{ predicate = {} }},", Value::from(predicate.as_str()));
    }
    out.push_str("]\n");
    out
}

fn inline(name: &str, predicates: &[String]) -> InlineTable {
    let streams: Array = predicates
        .iter()
        .map(|predicate| InlineTable::from_iter([("predicate", Value::from(predicate.as_str()))]))
        .collect();
    let options = InlineTable::from_iter([("streams", Value::from(streams))]);
    InlineTable::from_iter([
        ("name", Value::from(name)),
        ("plugin", Value::from("lsl")),
        ("options", Value::from(options)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predicates() -> Vec<String> {
        ["type='EEG'", "name=\"a\\b\" and type='x'\u{7}"].map(str::to_owned).to_vec()
    }

    fn checked(text: &str, overrides: &[&str]) -> Loaded {
        let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
        parse(text, "x.toml", &overrides).unwrap_or_else(|e| panic!("{e}:\n{text}"))
    }

    /// The predicates of the last source, and its name.
    fn last(loaded: &Loaded) -> (String, Vec<String>) {
        let source = loaded.config.source.last().expect("a source");
        assert_eq!((source.plugin.as_str(), source.required), ("lsl", true));
        let streams = source.options["streams"].as_array().expect("a list");
        let text = |s: &serde_json::Value| s["predicate"].as_str().expect("a text").to_owned();
        (source.name.clone(), streams.iter().map(text).collect())
    }

    #[test]
    fn without_a_file_there_is_one_source_and_a_name() {
        let loaded = checked(&alone(&predicates()), &["experiment.participant=P1"]);
        assert_eq!(loaded.config.experiment.name, "lsl");
        assert_eq!(loaded.config.experiment.participant.as_deref(), Some("P1"));
        assert_eq!(last(&loaded), ("LSL".to_owned(), predicates()));
        assert_eq!(loaded.config.source.len(), 1);
        let target = crate::config::filename::resolve(&loaded.config, &jiff::Zoned::default());
        assert!(target.is_ok());
    }

    #[test]
    fn to_a_file_a_source_is_added_whatever_its_form_and_under_a_free_name() {
        let tables = "[experiment]\nname = \"x\"\n[[source]]\nname = \"LSL\"\nplugin = \"udp\"";
        let inline = "source = [{ name = \"LSL\", plugin = \"udp\" }]\n[experiment]\nname = \"x\"\n";
        for text in [tables, inline] {
            let loaded = checked(&added(text, &predicates()), &["source.LSL-2.acquisition.lab=2"]);
            assert_eq!(last(&loaded), ("LSL-2".to_owned(), predicates()), "{text}");
            assert_eq!(loaded.config.source.len(), 2);
        }
        let none = checked(&added("\u{feff}experiment = { name = \"x\" }", &predicates()), &[]);
        assert_eq!(last(&none), ("LSL".to_owned(), predicates()));
    }

    #[test]
    fn what_is_wrong_with_the_source_is_told_at_its_line() {
        let loaded = parse(&alone(&predicates()), ALONE, &[]).expect("right");
        let at = loaded.source_path(0).key("plugin");
        let error = loaded.error_at(&at, "there is no plugin \"lsl\"", "");
        assert_eq!(error.to_string(), format!("{ALONE}:7:10: there is no plugin \"lsl\""));
        let option = loaded.option_path(0, "/streams/1/predicate");
        let error = loaded.error_at(&option, "no predicate", "").to_string();
        assert!(error.starts_with(&format!("{ALONE}:11:17: ")), "{error}");
    }

    #[test]
    fn a_file_that_is_wrong_is_told_as_it_is() {
        let text = added("[experiment]\nname = x\n", &predicates());
        let error = parse(&text, "x.toml", &[]).expect_err("no TOML").to_string();
        assert!(error.starts_with("x.toml:2:8:"), "{error}");
    }
}
