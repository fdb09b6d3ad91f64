//! Streams of LSL that are chosen outside of the configuration, by `--lsl` or by remote control: put into it,
//! as if they stood there.

use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::error::ConfigError;
use super::load::{Loaded, parse, read_text};
use super::path::ConfigPath;
use super::schema::Config;

/// The plugin that records streams of LSL.
pub const PLUGIN: &str = "lsl";

/// Name of a source that is added, where no other has it.
const NAME: &str = "LSL";

/// The configuration where there is no file.
const ALONE: &str = "[experiment]\nname = \"lsl\"\n";

/// What errors call it.
const ALONE_NAME: &str = "the configuration of the command line";

/// Why streams cannot be added to a configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotAdd {
    /// The sources are something else than tables, which no configuration that was checked has.
    #[error("the sources are not tables")]
    NotTables,
    /// It is not said which source is to record them.
    #[error(
        "the sources {first:?} and {second:?} are both of the plugin lsl: it is not clear which is to record the \
         streams that are chosen beside them, and one that both choose would be recorded twice"
    )]
    Several {
        /// Name of the first of them.
        first: String,
        /// Name of the second.
        second: String,
        /// Number of the second among all sources, from 0.
        index: usize,
    },
}

impl CannotAdd {
    /// The same, at its place.
    fn at(&self, loaded: &Loaded) -> ConfigError {
        let path = match self {
            Self::NotTables => ConfigPath::root().key("source"),
            Self::Several { index, .. } => loaded.source_path(*index).key("plugin"),
        };
        loaded.error_at(&path, self.to_string(), self.help())
    }

    /// How to mend it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotTables => "mend the configuration",
            Self::Several { .. } => {
                "put the streams into `streams` of the source that is to record them, or make one source of them"
            }
        }
    }
}

/// Reads and checks the file at `path`, if one is named, with the LSL streams of `predicates` added to it, and
/// `overrides` applied in order.
///
/// # Errors
/// As [`load`](super::load()), and when it is not clear which source is to record them. A predicate that is none
/// is found by the plugin.
pub fn load_with_streams(
    path: Option<&Path>,
    predicates: &[String],
    overrides: &[String],
) -> Result<Loaded, ConfigError> {
    let (name, text) = match path {
        Some(path) => read_text(path)?,
        None => (ALONE_NAME.to_owned(), ALONE.to_owned()),
    };
    parse_with_streams(&text, &name, predicates, overrides)
}

fn parse_with_streams(
    text: &str,
    file_name: &str,
    predicates: &[String],
    overrides: &[String],
) -> Result<Loaded, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let toml = text.parse::<DocumentMut>().ok().filter(|_| !predicates.is_empty());
    // One that is no TOML, or whose sources are none, stays as it is: whoever parses it says why.
    let Some(mut toml) = toml else { return parse(text, file_name, overrides) };
    match add_streams(&mut toml, predicates) {
        Ok(()) => {
            let loaded = parse(&toml.to_string(), file_name, overrides)?;
            // An override may have made another source one of this plugin, or taken the streams away again.
            check_room(&loaded.config).map_err(|error| error.at(&loaded))?;
            match predicates.iter().find(|predicate| !is_chosen(&loaded.config, predicate)) {
                Some(lost) => Err(ConfigError::plain(
                    format!("--set replaces `streams`, and so takes away what --lsl chose: {lost}"),
                    "name all streams with one of the two",
                )),
                None => Ok(loaded),
            }
        }
        Err(CannotAdd::NotTables) => parse(text, file_name, overrides),
        Err(error @ CannotAdd::Several { .. }) => Err(error.at(&parse(text, file_name, overrides)?)),
    }
}

/// Whether a source has this predicate among its streams.
fn is_chosen(config: &Config, predicate: &str) -> bool {
    let lists = config.source.iter().filter_map(|source| source.options.get("streams")?.as_array());
    let mut streams = lists.flatten();
    streams.any(|stream| stream.get("predicate").and_then(serde_json::Value::as_str) == Some(predicate))
}

/// Adds streams, each by a predicate that at least one stream has to fulfil, to the source of the plugin `lsl`, so
/// that none is recorded by two, or as a source of their own where there is none. The recording needs what is
/// added: a source that it did not need it needs from now on, but none of the streams that source had before.
///
/// # Errors
/// When there are several such sources, or the sources are not written as tables.
pub fn add_streams(toml: &mut DocumentMut, predicates: &[String]) -> Result<(), CannotAdd> {
    if predicates.is_empty() {
        return Ok(());
    }
    let fresh = || Item::ArrayOfTables(ArrayOfTables::new());
    let sources = toml.as_table_mut().entry("source").or_insert_with(fresh);
    let mut sources = Sources::of(sources).ok_or(CannotAdd::NotTables)?;
    let (plugins, names) = (sources.texts("plugin"), sources.texts("name"));
    let described = plugins.iter().zip(&names).map(|(plugin, name)| (plugin.as_str(), name.as_str()));
    match only_one(described)? {
        Some(index) => sources.get(index).and_then(|source| join(source, predicates)),
        None => {
            let mut candidates = (1..).map(|n| if n == 1 { NAME.to_owned() } else { format!("{NAME}-{n}") });
            let name = candidates.find(|name| !names.contains(name));
            name.map(|name| sources.push(source(&name, predicates)))
        }
    }
    .ok_or(CannotAdd::NotTables)
}

/// Whether streams could be added to `config`.
///
/// # Errors
/// When it has several sources of the plugin `lsl`.
pub fn check_room(config: &Config) -> Result<(), CannotAdd> {
    only_one(config.source.iter().map(|source| (source.plugin.as_str(), source.name.as_str()))).map(drop)
}

/// Which of the sources, each given by its plugin and its name, is the one of the plugin `lsl`.
fn only_one<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Option<usize>, CannotAdd> {
    let mut of_lsl = sources.enumerate().filter(|(_, (plugin, _))| *plugin == PLUGIN);
    match (of_lsl.next(), of_lsl.next()) {
        (Some((_, (_, first))), Some((index, (_, second)))) => {
            Err(CannotAdd::Several { first: first.to_owned(), second: second.to_owned(), index })
        }
        (first, _) => Ok(first.map(|(index, _)| index)),
    }
}

/// Adds streams to a source that is there.
fn join(source: &mut dyn TableLike, predicates: &[String]) -> Option<()> {
    let was_optional = require(source);
    let options = source.entry("options").or_insert_with(|| Item::Table(Table::new())).as_table_like_mut()?;
    if was_optional && let Some(streams) = options.get_mut("streams") {
        make_optional(streams);
    }
    add_to(options, predicates)
}

/// Makes a source one that the recording needs; whether it was none.
fn require(source: &mut dyn TableLike) -> bool {
    match source.get_mut("required") {
        Some(Item::Value(value)) if value.as_bool() == Some(false) => {
            let decor = value.decor().clone();
            *value = Value::from(true);
            *value.decor_mut() = decor;
            true
        }
        _ => false,
    }
}

/// The recording waits for none of these streams.
fn make_optional(streams: &mut Item) {
    let optional = || Item::Value(Value::from(false));
    match streams {
        Item::Value(Value::Array(list)) => {
            list.iter_mut().filter_map(Value::as_inline_table_mut).for_each(|s| {
                TableLike::insert(s, "required", optional());
            })
        }
        Item::ArrayOfTables(list) => list.iter_mut().for_each(|s| {
            s.insert("required", optional());
        }),
        // What is neither is no list of streams, and is told by whoever checks it.
        _ => {}
    }
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
mod tests;
