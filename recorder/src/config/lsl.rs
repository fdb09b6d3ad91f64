//! Streams of LSL that are chosen outside of the configuration, by `--lsl` or by remote control: put into it,
//! as if they stood there.

use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::error::ConfigError;
use super::load::{Loaded, parse, read_text};

/// The plugin that records streams of LSL.
pub const PLUGIN: &str = "lsl";

/// Name of a source that is added, where no other has it.
const NAME: &str = "LSL";

/// The configuration where there is no file.
const ALONE: &str = "[experiment]\nname = \"lsl\"\n";

/// What errors call it.
const ALONE_NAME: &str = "the configuration of the command line";

/// Reads and checks the file at `path`, if one is named, with the LSL streams of `predicates` added to it, and
/// `overrides` applied in order.
///
/// # Errors
/// As [`load`](super::load()). A predicate that is none is found by the plugin.
pub fn load_with_streams(
    path: Option<&Path>,
    predicates: &[String],
    overrides: &[String],
) -> Result<Loaded, ConfigError> {
    let (name, text) = match path {
        Some(path) => read_text(path)?,
        None => (ALONE_NAME.to_owned(), ALONE.to_owned()),
    };
    parse(&with_streams(text, predicates), &name, overrides)
}

/// The text with the streams. One that is no TOML, or whose sources are none, stays as it is: whoever parses it
/// says why.
fn with_streams(text: String, predicates: &[String]) -> String {
    if predicates.is_empty() {
        return text;
    }
    let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let Ok(mut toml) = plain.parse::<DocumentMut>() else { return text };
    match add_streams(&mut toml, predicates) {
        Some(()) => toml.to_string(),
        None => text,
    }
}

/// Adds streams, each by a predicate that at least one stream has to fulfil, to the first source of the plugin
/// `lsl`, so that none is recorded by two, or as a source of their own where there is none. `None` when the sources
/// are not written as tables, which no configuration that was checked does.
pub fn add_streams(toml: &mut DocumentMut, predicates: &[String]) -> Option<()> {
    if predicates.is_empty() {
        return Some(());
    }
    let fresh = || Item::ArrayOfTables(ArrayOfTables::new());
    let mut sources = Sources::of(toml.as_table_mut().entry("source").or_insert_with(fresh))?;
    let first = sources.texts("plugin").iter().position(|plugin| plugin == PLUGIN);
    if let Some(index) = first {
        let options = sources.get(index)?.entry("options").or_insert_with(|| Item::Table(Table::new()));
        return add_to(options.as_table_like_mut()?, predicates);
    }
    let names = sources.texts("name");
    let mut candidates = (1..).map(|n| if n == 1 { NAME.to_owned() } else { format!("{NAME}-{n}") });
    let name = candidates.find(|name| !names.contains(name))?;
    sources.push(source(&name, predicates));
    Some(())
}

/// A source of its own. It stands last, so that the lines of the others keep their numbers.
fn source(name: &str, predicates: &[String]) -> Table {
    let mut streams: Array = predicates.iter().map(|predicate| selection(predicate)).collect();
    for stream in streams.iter_mut() {
        stream.decor_mut().set_prefix("\n  ");
    }
    streams.set_trailing_comma(true);
    streams.set_trailing("\n");
    let mut options = Table::new();
    options.set_position(Some(isize::MAX));
    options.insert("streams", Item::Value(streams.into()));
    let mut source = Table::new();
    source.set_position(Some(isize::MAX));
    source.decor_mut().set_prefix("\n");
    source.insert("name", Item::Value(name.into()));
    source.insert("plugin", Item::Value(PLUGIN.into()));
    source.insert("options", Item::Table(options));
    source
}

fn selection(predicate: &str) -> Value {
    InlineTable::from_iter([("predicate", Value::from(predicate))]).into()
}

fn add_to(options: &mut dyn TableLike, predicates: &[String]) -> Option<()> {
    let list = options.entry("streams").or_insert_with(|| Item::Value(Value::Array(Array::new())));
    match list {
        Item::Value(Value::Array(list)) => {
            predicates.iter().map(|p| selection(p)).for_each(|s| list.push_formatted(s))
        }
        Item::ArrayOfTables(list) => {
            for predicate in predicates {
                let mut table = Table::new();
                table.insert("predicate", Item::Value(predicate.as_str().into()));
                list.push(table);
            }
        }
        _ => return None,
    }
    Some(())
}

/// The sources, as they are written.
enum Sources<'a> {
    Tables(&'a mut ArrayOfTables),
    Inline(&'a mut Array),
}

impl<'a> Sources<'a> {
    fn of(item: &'a mut Item) -> Option<Self> {
        match item {
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
            Item::Value(Value::Array(list)) => Some(Self::Inline(list)),
            _ => None,
        }
    }

    /// The text under `key` of each; empty where there is none.
    fn texts(&mut self, key: &str) -> Vec<String> {
        let count = match self {
            Self::Tables(tables) => tables.len(),
            Self::Inline(list) => list.len(),
        };
        let text = |index| {
            let source = self.get(index);
            source.and_then(|source| source.get(key)).and_then(Item::as_str).unwrap_or_default().to_owned()
        };
        (0..count).map(text).collect()
    }

    fn get(&mut self, index: usize) -> Option<&mut dyn TableLike> {
        match self {
            Self::Tables(tables) => tables.get_mut(index).map(|table| table as &mut dyn TableLike),
            Self::Inline(list) => {
                list.get_mut(index)?.as_inline_table_mut().map(|table| table as &mut dyn TableLike)
            }
        }
    }

    fn push(&mut self, source: Table) {
        match self {
            Self::Tables(tables) => tables.push(source),
            Self::Inline(list) => list.push(source.into_inline_table()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const PREDICATES: [&str; 2] = ["type='EEG'", "name=\"a\\b\" and type='x'\u{7}"];
    const UDP: &str =
        "experiment.name = 'x'\n[[source]]\nname = 'LSL'\nplugin = 'udp'\n[source.options]\nport = 1\n";

    fn added(text: &str, predicates: &[&str]) -> String {
        let predicates: Vec<String> = predicates.iter().map(|p| (*p).to_owned()).collect();
        with_streams(text.to_owned(), &predicates)
    }

    fn with(text: &str, predicates: &[&str], overrides: &[&str]) -> Config {
        let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
        let text = added(text, predicates);
        parse(&text, "x.toml", &overrides)
            .unwrap_or_else(|e| panic!("{}\n{text}", e.render(false, 100)))
            .config
    }

    fn predicates(config: &Config, source: usize) -> Vec<&str> {
        assert_eq!((config.source[source].plugin.as_str(), config.source[source].required), (PLUGIN, true));
        let streams = config.source[source].options["streams"].as_array().expect("a list");
        streams.iter().filter_map(|stream| stream["predicate"].as_str()).collect()
    }

    #[test]
    fn without_a_file_there_is_one_source_and_a_name() {
        let config = with(ALONE, &PREDICATES, &["experiment.participant=P1", "source.LSL.required=true"]);
        assert_eq!(config.experiment.name, "lsl");
        assert_eq!(config.experiment.participant.as_deref(), Some("P1"));
        assert_eq!((config.source.len(), predicates(&config, 0)), (1, PREDICATES.to_vec()));
        assert!(crate::config::filename::resolve(&config, &jiff::Zoned::default()).is_ok());
        let config = with(ALONE, &[], &["remote.enabled=true"]);
        assert!(config.source.is_empty(), "nothing is chosen unasked");
        assert_eq!(
            added(ALONE, &PREDICATES[..1]),
            "[experiment]\nname = \"lsl\"\n\n[[source]]\nname = \"LSL\"\nplugin = \"lsl\"\n\n[source.options]\n\
             streams = [\n  { predicate = \"type='EEG'\" },\n]\n"
        );
    }

    #[test]
    fn streams_become_a_source_of_their_own_with_a_name_of_its_own() {
        let tables = format!("\u{feff}{UDP}");
        let inline = "source = [{ name = \"LSL\", plugin = \"udp\" }]\n[experiment]\nname = \"x\"\n";
        for text in [tables.as_str(), inline] {
            let config = with(text, &PREDICATES, &["source.LSL-2.acquisition.lab=2"]);
            assert_eq!((config.source.len(), config.source[1].name.as_str()), (2, "LSL-2"), "{text}");
            assert_eq!(predicates(&config, 1), PREDICATES, "{text}");
            assert_eq!(with(text, &[], &[]).source.len(), 1);
        }
        for text in [
            "[experiment]\nname = 'x'\n[remote]\nenabled = true\n",
            "source = []\n[experiment]\nname = 'x'\n",
        ] {
            let config = with(text, &["true()"], &[]);
            assert_eq!((config.source.len(), predicates(&config, 0)), (1, vec!["true()"]), "{text}");
        }
    }

    #[test]
    fn streams_join_those_of_a_configured_source_however_it_is_written() {
        let lsl = "[[source]]\nname = 'net'\nplugin = 'lsl'\n";
        for (options, before) in [
            ("", 0),
            ("options = {}\n", 0),
            ("options.streams = [{ name = 'a' }]\n", 1),
            ("[source.options]\nstreams = [\n  { name = 'a' }, # the amplifier\n]\n", 1),
            ("[[source.options.streams]]\nname = 'a'\n", 1),
        ] {
            let config = with(&format!("{UDP}{lsl}{options}"), &["type='EEG'"], &[]);
            assert_eq!((config.source.len(), predicates(&config, 1)), (2, vec!["type='EEG'"]), "{options}");
            let count = config.source[1].options["streams"].as_array().map(Vec::len);
            assert_eq!(count, Some(before + 1), "{options}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_its_line_of_the_file() {
        let error = |text: &str| parse(&added(text, &PREDICATES), "x.toml", &[]).expect_err(text).to_string();
        assert!(error("[experiment]\nname = x\n").starts_with("x.toml:2:8:"), "no TOML");
        assert!(error("source = 3\nexperiment.name = 'x'\n").starts_with("x.toml:1:10:"), "no sources");
        // A section behind the sources keeps its line, though a source is added.
        let behind = error(&format!("{UDP}[clock]\ninterval_s = 'x'\n"));
        assert!(behind.starts_with("x.toml:8:14:"), "{behind}");
        let loaded = parse(&added(ALONE, &PREDICATES), ALONE_NAME, &[]).expect("right");
        let option = loaded.option_path(0, "/streams/1/predicate");
        let error = loaded.error_at(&option, "no predicate", "").to_string();
        assert!(error.starts_with(&format!("{ALONE_NAME}:11:17: ")), "{error}");
    }
}
