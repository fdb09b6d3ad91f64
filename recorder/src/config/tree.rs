//! A TOML document as a tree in which every key and value knows where it was written.

use std::{ops::Range, sync::Arc};

use serde_json::{Map, Number, Value};
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::{
    error::{Diagnostic, Label, SourceText},
    path::{ConfigPath, Segment},
};

/// A piece of one of the texts of a [`Document`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the text: 0 is the file, the others are overrides.
    pub text: usize,
    /// Bytes of that text.
    pub span: Range<usize>,
}

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// The key, when it stands in a table.
    pub key: Option<Place>,
    /// The value; for a table with a header, the header.
    pub value: Place,
    /// What it holds.
    pub kind: Kind,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Keys in the order of the text.
    Table(Vec<(String, Node)>),
    /// A list, or the tables of a `[[header]]`.
    Array(Vec<Node>),
    /// A text, number, flag or date.
    Leaf(Leaf),
}

/// A value without parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    /// Anything JSON can carry as it is; dates are texts here.
    Json(Value),
    /// nan or inf, as written.
    NotFinite(String),
    /// An integer beyond 64 bits, as written.
    TooLarge(String),
}

/// Which part of an entry an error points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// Something wrong at a path, before it is known where in the text that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where.
    pub path: ConfigPath,
    /// Key or value.
    pub at: At,
    /// What is wrong, in one sentence.
    pub message: String,
    /// A few words beside the caret.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// The values in force, and the texts they were written in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    /// The file, then one text for each override.
    pub texts: Vec<Arc<SourceText>>,
    /// The root table.
    pub root: Node,
}

impl Document {
    /// The nearest existing value on the way to `path`, and whether it is the exact one.
    pub(super) fn nearest(&self, path: &ConfigPath) -> (&Node, bool) {
        let mut node = &self.root;
        for segment in path.segments() {
            match node.child(segment) {
                Some(child) => node = child,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// The value at `path`.
    pub(super) fn get(&self, path: &ConfigPath) -> Option<&Node> {
        let (node, exact) = self.nearest(path);
        exact.then_some(node)
    }

    /// Where an error about `path` is shown: at its value (or key), else at the nearest parent.
    pub(super) fn place(&self, path: &ConfigPath, at: At) -> Place {
        match (self.nearest(path), at) {
            ((node, true), At::Key) => node.key.clone().unwrap_or_else(|| node.value.clone()),
            ((node, _), _) => node.value.clone(),
        }
    }

    /// Turns a problem into an error that knows its place.
    pub(super) fn diagnose(&self, problem: Problem) -> Diagnostic {
        let place = self.place(&problem.path, problem.at);
        Diagnostic {
            message: problem.message,
            help: problem.help,
            source: self.texts.get(place.text).cloned(),
            labels: vec![Label { span: place.span, text: problem.label }],
        }
    }

    /// Names a place in words: `` `port` in the options of source "eeg" ``.
    pub(super) fn name_of(&self, path: &ConfigPath) -> String {
        let segments = path.segments();
        match segments {
            [] => "the configuration".to_owned(),
            [Segment::Key(key), Segment::Index(index)] if key == "source" => self.source_name(*index),
            [Segment::Key(key), Segment::Index(index), Segment::Key(table)]
                if key == "source"
                    && matches!(table.as_str(), "options" | "acquisition" | "synchronization") =>
            {
                format!("the {table} of {}", self.source_name(*index))
            }
            [Segment::Key(key), Segment::Index(index), Segment::Key(table), rest @ ..]
                if key == "source" && !rest.is_empty() =>
            {
                format!("`{}` in the {table} of {}", joined(rest), self.source_name(*index))
            }
            [Segment::Key(key), Segment::Index(index), rest @ ..] if key == "source" => {
                format!("`{}` of {}", joined(rest), self.source_name(*index))
            }
            [Segment::Key(key)] => match self.get(path).map(|node| &node.kind) {
                Some(Kind::Table(_)) => format!("[{key}]"),
                _ => format!("`{key}`"),
            },
            [Segment::Key(table), rest @ ..] => format!("`{}` in [{table}]", joined(rest)),
            _ => format!("`{path}`"),
        }
    }

    /// `source "eeg"`, or `source 2` when it has no name; counted from 1.
    fn source_name(&self, index: usize) -> String {
        let path = ConfigPath::root().key("source").index(index).key("name");
        match self.get(&path).map(|node| &node.kind) {
            Some(Kind::Leaf(Leaf::Json(Value::String(name)))) if !name.trim().is_empty() => {
                format!("source {name:?}")
            }
            _ => format!("source {}", index + 1),
        }
    }

    /// The whole document as JSON, and what JSON cannot carry.
    pub(super) fn to_json(&self) -> (Value, Vec<Problem>) {
        let mut problems = Vec::new();
        let value = self.node_to_json(&self.root, &ConfigPath::root(), &mut problems);
        (value, problems)
    }

    fn node_to_json(&self, node: &Node, path: &ConfigPath, problems: &mut Vec<Problem>) -> Value {
        let mut refuse = |written: &str, why: &str, help: &str| {
            problems.push(Problem {
                path: path.clone(),
                at: At::Value,
                message: format!("{} is {written}, {why}", self.name_of(path)),
                label: why.trim_start_matches("which is ").to_owned(),
                help: Some(help.to_owned()),
            });
            Value::Null
        };
        match &node.kind {
            Kind::Leaf(Leaf::Json(value)) => value.clone(),
            Kind::Leaf(Leaf::NotFinite(written)) => refuse(
                written,
                "which is not a finite number",
                "write an ordinary number; leave the key out when there is no limit",
            ),
            Kind::Leaf(Leaf::TooLarge(written)) => refuse(
                written,
                "which is too large for an integer",
                "integers go from -9223372036854775808 to 9223372036854775807",
            ),
            Kind::Array(entries) => Value::Array(
                entries
                    .iter()
                    .enumerate()
                    .map(|(n, entry)| self.node_to_json(entry, &path.clone().index(n), problems))
                    .collect(),
            ),
            Kind::Table(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, entry)| {
                        let path = path.clone().key(key);
                        (key.clone(), self.node_to_json(entry, &path, problems))
                    })
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Node {
    /// The value one step down.
    pub(super) fn child(&self, segment: &Segment) -> Option<&Self> {
        match (&self.kind, segment) {
            (Kind::Table(entries), Segment::Key(key)) => {
                entries.iter().find_map(|(name, node)| (name == key).then_some(node))
            }
            (Kind::Array(entries), Segment::Index(index)) => entries.get(*index),
            _ => None,
        }
    }

    /// A table as parsed; `shift` is where its text starts within the text numbered `text`.
    pub(super) fn from_table(table: &DeTable<'_>, value: Range<usize>, text: usize) -> Self {
        let reader = Reader { text, shift: 0 };
        reader.node(None, value, reader.table(table))
    }

    /// A value as parsed; it starts `shift` bytes into the text numbered `text`.
    pub(super) fn from_value(value: &DeValue<'_>, span: Range<usize>, text: usize, shift: usize) -> Self {
        let reader = Reader { text, shift };
        reader.node(None, span, reader.kind(value))
    }
}

/// Copies parsed TOML into nodes.
#[derive(Clone, Copy)]
struct Reader {
    text: usize,
    shift: usize,
}

impl Reader {
    fn place(self, span: Range<usize>) -> Place {
        Place { text: self.text, span: span.start + self.shift..span.end + self.shift }
    }

    fn node(self, key: Option<Range<usize>>, value: Range<usize>, kind: Kind) -> Node {
        Node { key: key.map(|span| self.place(span)), value: self.place(value), kind }
    }

    fn table(self, table: &DeTable<'_>) -> Kind {
        let mut entries: Vec<(String, Node)> = table
            .iter()
            .map(|(key, value)| {
                let node = self.node(Some(key.span()), value.span(), self.kind(value.get_ref()));
                (key.get_ref().to_string(), node)
            })
            .collect();
        entries.sort_by_key(|(_, node)| node.key.as_ref().map_or(0, |place| place.span.start));
        Kind::Table(entries)
    }

    fn array(self, array: &DeArray<'_>) -> Kind {
        let entries = array.iter().map(|entry| self.node(None, entry.span(), self.kind(entry.get_ref())));
        Kind::Array(entries.collect())
    }

    fn kind(self, value: &DeValue<'_>) -> Kind {
        let leaf = match value {
            DeValue::Table(table) => return self.table(table),
            DeValue::Array(array) => return self.array(array),
            DeValue::String(text) => Leaf::Json(Value::String(text.to_string())),
            DeValue::Boolean(flag) => Leaf::Json(Value::Bool(*flag)),
            DeValue::Datetime(datetime) => Leaf::Json(Value::String(datetime.to_string())),
            DeValue::Integer(integer) => integer_leaf(integer),
            DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::from_f64).map_or_else(
                || Leaf::NotFinite(float.as_str().to_owned()),
                |number| Leaf::Json(Value::Number(number)),
            ),
        };
        Kind::Leaf(leaf)
    }
}

fn integer_leaf(integer: &DeInteger<'_>) -> Leaf {
    i64::from_str_radix(integer.as_str(), integer.radix()).map_or_else(
        |_| Leaf::TooLarge(integer.as_str().to_owned()),
        |number| Leaf::Json(Value::from(number)),
    )
}

/// The steps as `fields[2].name`.
fn joined(segments: &[Segment]) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = super::path::write_segments(&mut out, segments);
    out
}
