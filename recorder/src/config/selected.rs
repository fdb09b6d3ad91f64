//! Streams of LSL that are chosen outside of the configuration: put into it, as if they stood there.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// The plugin that records streams of LSL.
pub const PLUGIN: &str = "lsl";

/// Adds streams, each by a predicate that at least one stream has to fulfil, to the first source of the plugin
/// `lsl`, or as a source of their own where there is none. `None` when the sources are not written as tables, which no
/// configuration that was checked does.
pub fn add_streams(toml: &mut DocumentMut, predicates: &[String]) -> Option<()> {
    if predicates.is_empty() {
        return Some(());
    }
    let fresh = || Item::ArrayOfTables(ArrayOfTables::new());
    let mut sources = Sources::of(toml.as_table_mut().entry("source").or_insert_with(fresh))?;
    let names = sources.texts("name");
    let first = sources.texts("plugin").iter().position(|plugin| plugin == PLUGIN);
    match first {
        Some(index) => {
            let options = sources.get(index)?.entry("options").or_insert_with(|| Item::Table(Table::new()));
            add_to(options.as_table_like_mut()?, predicates)
        }
        None => {
            let mut candidates = (1..).map(|n| if n == 1 { "LSL".to_owned() } else { format!("LSL {n}") });
            let name = candidates.find(|name| !names.contains(name))?;
            let mut options = InlineTable::new();
            options.insert("streams", Value::Array(predicates.iter().map(|p| selection(p)).collect()));
            let mut source = Table::new();
            source.insert("name", Item::Value(name.into()));
            source.insert("plugin", Item::Value(PLUGIN.into()));
            source.insert("options", Item::Value(Value::InlineTable(options)));
            sources.push(source);
            Some(())
        }
    }
}

fn selection(predicate: &str) -> Value {
    let mut table = InlineTable::new();
    table.insert("predicate", predicate.into());
    Value::InlineTable(table)
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
    use crate::config::{Config, parse};

    fn with(text: &str, predicates: &[&str]) -> Config {
        let mut toml: DocumentMut = text.parse().expect("TOML");
        let predicates: Vec<String> = predicates.iter().map(|p| (*p).to_owned()).collect();
        add_streams(&mut toml, &predicates).expect("added");
        parse(&toml.to_string(), "x.toml", &[])
            .unwrap_or_else(|e| panic!("{}\n{toml}", e.render(false, 100)))
            .config
    }

    fn streams(config: &Config, source: usize) -> String {
        config.source[source].options["streams"].to_string()
    }

    const UDP: &str =
        "experiment.name = 'x'\n[[source]]\nname = 'LSL'\nplugin = 'udp'\n[source.options]\nport = 1\n";

    #[test]
    fn streams_become_a_source_of_their_own_with_a_name_of_its_own() {
        let config = with("experiment.name = 'x'\n[remote]\nenabled = true\n", &["type='EEG'", "name=\"M\""]);
        assert_eq!((config.source[0].name.as_str(), config.source[0].required), ("LSL", true));
        assert_eq!(streams(&config, 0), r#"[{"predicate":"type='EEG'"},{"predicate":"name=\"M\""}]"#);
        let config = with(UDP, &["true()"]);
        assert_eq!((config.source.len(), config.source[1].name.as_str()), (2, "LSL 2"));
        let inline = "experiment.name = 'x'\nsource = [{ name = 'a', plugin = 'udp' }]\n";
        assert_eq!(with(inline, &["true()"]).source[1].plugin, "lsl");
        assert_eq!(with(inline, &[]).source.len(), 1);
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
            let config = with(&format!("{UDP}{lsl}{options}"), &["type='EEG'"]);
            assert_eq!(config.source.len(), 2, "{options}");
            let list = config.source[1].options["streams"].as_array().expect("a list");
            assert_eq!(
                (list.len(), list[before]["predicate"].as_str()),
                (before + 1, Some("type='EEG'")),
                "{options}"
            );
        }
    }
}
