//! `--set key=value`: finds the place in the document, and puts the value there.

use std::{ops::Range, sync::Arc};

use serde_json::Value;
use toml::de::DeValue;
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike};

use super::{
    error::{ConfigError, Diagnostic, Label, SourceText},
    path::{ConfigPath, Segment},
    schema_view::SchemaView,
    tree::{Document, Kind, Leaf, Node, Place},
    words,
};

/// How an override is written, for the help of its errors.
const FORM: &str = "write --set key=value, for example --set experiment.participant=P012, \
                    or --set source.NAME.options.port=5 for the source with that name";

/// Applies `raw` (`key=value`) to the values in `document` and to the text in `toml`.
///
/// The value is read as TOML and, if it is none, as text. A key that takes text in `schema` takes
/// the value as it is typed, so that `experiment.session=01` needs no quotes.
///
/// # Errors
/// When the key cannot be read, names no source of the file, or leads through a value that is not
/// a table. The error points into the override.
pub(super) fn apply(
    raw: &str,
    document: &mut Document,
    toml: &mut DocumentMut,
    schema: &Value,
) -> Result<(), ConfigError> {
    let source = Arc::new(SourceText { name: "--set".to_owned(), text: raw.to_owned(), is_override: true });
    let fault = |span: Range<usize>, message: String, label: &str, help: String| {
        ConfigError::from(Diagnostic {
            message,
            help: Some(help),
            source: Some(Arc::clone(&source)),
            labels: vec![Label { span, text: label.to_owned() }],
        })
    };
    let (steps, value_start) =
        read_key(raw).map_err(|(span, message)| fault(span, message.to_owned(), "here", FORM.to_owned()))?;
    let (path, spans) = find_source(&steps, document)
        .map_err(|(span, message, help)| fault(span, message, "not a source of this file", help))?;
    if is_of_secret(&path, &raw[value_start..]) {
        // Without the override: nobody is shown it again.
        return Err(ConfigError::plain(
            "--set: a token is not taken from the command line, where every user of this machine sees it",
            "write it into the configuration or into a file (`token_file` in [remote]), or set the variable \
             LOCKSTEP_REMOTE_TOKEN",
        ));
    }
    let text = document.texts.len();
    document.texts.push(Arc::clone(&source));
    let (node, value) = read_value(&raw[value_start..], value_start, text, &path, schema);
    insert(&mut document.root, &path, &spans, node, text).map_err(|(span, found)| {
        fault(
            span,
            format!("this key holds {found}, so there is nothing below it"),
            "not a table",
            "shorten the key, or mend the file".to_owned(),
        )
    })?;
    edit(toml, &path, value).ok_or_else(|| {
        fault(
            0..value_start.saturating_sub(1),
            "this key has no place in the file".to_owned(),
            "no such place",
            FORM.to_owned(),
        )
    })
}

/// Whether an override would set the token of remote control.
fn is_of_secret(path: &ConfigPath, value: &str) -> bool {
    match path.segments() {
        [Segment::Key(section), Segment::Key(key), ..] => section == "remote" && key == "token",
        [Segment::Key(section)] if section == "remote" => {
            let value = value.trim().parse::<toml_edit::Value>().ok();
            value
                .as_ref()
                .and_then(toml_edit::Value::as_inline_table)
                .is_some_and(|t| t.contains_key("token"))
        }
        _ => false,
    }
}

/// Bytes of the override, and what is wrong there.
type KeyFault = (Range<usize>, &'static str);

/// Bytes of the override, what is wrong there, and how to mend it.
type SourceFault = (Range<usize>, String, String);

/// A step of a key as typed.
struct Step {
    name: String,
    span: Range<usize>,
}

/// Splits `a."b.c".d=value` into steps, and says where the value starts. A step without quotes
/// may hold anything but a dot and `=`.
fn read_key(raw: &str) -> Result<(Vec<Step>, usize), KeyFault> {
    let mut steps = Vec::new();
    let mut at = 0;
    loop {
        at += raw[at..].len() - raw[at..].trim_start().len();
        let rest = &raw[at..];
        let (name, len) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let len = quoted_len(rest, quote).ok_or((at..raw.len(), "the quote is not closed"))?;
                let name = match DeValue::parse(&rest[..len]) {
                    Ok(value) => value.get_ref().as_str().map(str::to_owned),
                    Err(_) => None,
                };
                (name.ok_or((at..at + len, "the quoted part cannot be read"))?, len)
            }
            _ => {
                let len = rest.find(['.', '=']).unwrap_or(rest.len());
                (rest[..len].trim_end().to_owned(), len)
            }
        };
        let span = at..at + len;
        if name.is_empty() {
            return Err((span, "the key has an empty part"));
        }
        steps.push(Step { name, span });
        at += len;
        at += raw[at..].len() - raw[at..].trim_start().len();
        match raw[at..].chars().next() {
            Some('.') => at += 1,
            Some('=') => return Ok((steps, at + 1)),
            Some(_) => return Err((at..raw.len(), "expected `.` or `=` here")),
            None => return Err((0..raw.len(), "there is no `=`")),
        }
    }
}

/// Length of the quoted text at the start of `rest`, quotes included.
fn quoted_len(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (n, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(n + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// Turns `source.NAME` into `source[i]`; other keys stay as they are.
fn find_source(steps: &[Step], document: &Document) -> Result<(ConfigPath, Vec<Range<usize>>), SourceFault> {
    let mut path = ConfigPath::root();
    let mut spans = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        spans.push(step.span.clone());
        if n == 1 && steps[0].name == "source" {
            let names = source_names(document);
            let index = names.iter().position(|name| name.as_deref() == Some(&step.name));
            path = path.index(index.ok_or_else(|| unknown_source(step, &names))?);
        } else {
            path = path.key(&step.name);
        }
    }
    Ok((path, spans))
}

fn unknown_source(step: &Step, names: &[Option<String>]) -> SourceFault {
    let names: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    let list = if names.is_empty() {
        "the file has no named source".to_owned()
    } else {
        format!("the sources of this file are {}", words::keys(&names))
    };
    let mut help = match words::meant(&step.name, &names) {
        Some(name) => format!("did you mean `{name}`?\n{list}"),
        None => list,
    };
    if names.iter().any(|name| name.contains(['.', '='])) {
        help.push_str("\na name with a dot goes in quotes, and the whole in single quotes: --set 'source.\"a.b\".required=false'");
    }
    (step.span.clone(), format!("there is no source named {:?}", step.name), help)
}

/// The name of each source, where it has one.
fn source_names(document: &Document) -> Vec<Option<String>> {
    let path = ConfigPath::root().key("source");
    let Some(Kind::Array(sources)) = document.get(&path).map(|node| &node.kind) else {
        return Vec::new();
    };
    let name = Segment::Key("name".to_owned());
    sources
        .iter()
        .map(|source| match source.child(&name).map(|node| &node.kind) {
            Some(Kind::Leaf(Leaf::Json(Value::String(name)))) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// Reads the value as TOML or as text, both for the tree and for the text.
fn read_value(
    typed: &str,
    start: usize,
    text: usize,
    path: &ConfigPath,
    schema: &Value,
) -> (Node, toml_edit::Value) {
    let plain = typed.trim();
    let shift = start + (typed.len() - typed.trim_start().len());
    let takes_text = SchemaView::new(schema).takes_only_text(path);
    if let Ok(parsed) = DeValue::parse(plain)
        && let Ok(value) = plain.parse::<toml_edit::Value>()
        && (!takes_text || parsed.get_ref().is_str())
    {
        let node = Node::from_value(parsed.get_ref(), parsed.span(), text, shift);
        return (node, value);
    }
    let node = Node {
        key: None,
        value: Place { text, span: shift..shift + plain.len() },
        kind: Kind::Leaf(Leaf::Json(Value::String(plain.to_owned()))),
    };
    (node, toml_edit::Value::from(plain))
}

/// Puts `node` at `path`, making the tables on the way. `spans` are the steps in the override.
fn insert(
    root: &mut Node,
    path: &ConfigPath,
    spans: &[Range<usize>],
    mut node: Node,
    text: usize,
) -> Result<(), (Range<usize>, String)> {
    let mut here = root;
    let mut before = 0..0;
    for (n, (segment, span)) in path.segments().iter().zip(spans).enumerate() {
        let last = n + 1 == path.segments().len();
        let found = match &here.kind {
            Kind::Leaf(Leaf::Json(value)) => words::found(value),
            Kind::Leaf(_) => "a number".to_owned(),
            Kind::Array(_) => "a list".to_owned(),
            Kind::Table(_) => "a table".to_owned(),
        };
        let next = match (&mut here.kind, segment) {
            (Kind::Array(entries), Segment::Index(index)) => entries.get_mut(*index),
            (Kind::Table(entries), Segment::Key(key)) => {
                let position = entries.iter().position(|(name, _)| name == key);
                let position = position.unwrap_or_else(|| {
                    let place = Place { text, span: span.clone() };
                    let fresh =
                        Node { key: Some(place.clone()), value: place, kind: Kind::Table(Vec::new()) };
                    entries.push((key.clone(), fresh));
                    entries.len() - 1
                });
                entries.get_mut(position).map(|(_, node)| node)
            }
            _ => None,
        };
        here = next.ok_or((before.clone(), found))?;
        before = span.clone();
        if last {
            node.key = Some(Place { text, span: span.clone() });
        }
    }
    *here = node;
    Ok(())
}

/// Sets `path` in the text, keeping comments; None when the way is blocked.
fn edit(toml: &mut DocumentMut, path: &ConfigPath, mut value: toml_edit::Value) -> Option<()> {
    let mut table: &mut dyn TableLike = toml.as_table_mut();
    let segments = path.segments();
    let mut n = 0;
    while let Some(Segment::Key(key)) = segments.get(n) {
        let index = match segments.get(n + 1) {
            Some(Segment::Index(index)) => Some(*index),
            _ => None,
        };
        let taken = if index.is_some() { 2 } else { 1 };
        if n + taken == segments.len() {
            return match (index, table.get_mut(key)) {
                (Some(index), Some(item)) => replace_entry(item, index, value),
                (Some(_), None) => None,
                (None, Some(item)) => {
                    if let Some(old) = item.as_value() {
                        value.decor_mut().clone_from(old.decor());
                    }
                    *item = Item::Value(value);
                    Some(())
                }
                (None, None) => {
                    table.insert(key, Item::Value(value));
                    Some(())
                }
            };
        }
        if !table.contains_key(key) {
            let mut fresh = Table::new();
            fresh.set_dotted(n > 0);
            table.insert(key, Item::Table(fresh));
        }
        let item = table.get_mut(key)?;
        table = match (index, item) {
            (None, item) => item.as_table_like_mut()?,
            (Some(index), Item::ArrayOfTables(list)) => list.get_mut(index)?,
            (Some(index), Item::Value(toml_edit::Value::Array(list))) => {
                list.get_mut(index)?.as_inline_table_mut()?
            }
            _ => return None,
        };
        n += taken;
    }
    None
}

/// Replaces one whole source by an inline table.
fn replace_entry(item: &mut Item, index: usize, value: toml_edit::Value) -> Option<()> {
    match item {
        Item::ArrayOfTables(list) => {
            let inline: InlineTable = value.as_inline_table()?.clone();
            *list.get_mut(index)? = inline.into_table();
        }
        Item::Value(toml_edit::Value::Array(list)) => *list.get_mut(index)? = value,
        _ => return None,
    }
    Some(())
}
