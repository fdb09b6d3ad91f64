//! Reads a JSON Schema the way a person would: what a place accepts, in words.

use serde_json::{Map, Value};

use super::{
    path::{ConfigPath, Segment},
    words,
};

/// Longest chain of references or nested types followed; a cycle ends here.
pub(super) const DEPTH_MAX: usize = 16;

/// What a text of at least one character is called.
pub(super) const NOT_EMPTY_TEXT: &str = "text that is not empty";

/// Bounds from here on only say "fits 64 bits" and are not worth a word: 2^53.
const BOUND_SHOWN_MAX: f64 = 9_007_199_254_740_992.0;

/// A JSON Schema with its `$defs`.
#[derive(Clone, Copy)]
pub(super) struct SchemaView<'a> {
    root: &'a Value,
}

impl<'a> SchemaView<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// The root schema.
    pub(super) fn root(self) -> &'a Value {
        self.root
    }

    /// Follows `$ref` to the schema it names.
    pub(super) fn resolve(self, schema: &'a Value) -> &'a Value {
        let mut here = schema;
        for _ in 0..DEPTH_MAX {
            let target = here
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|name| name.strip_prefix('#'))
                .and_then(|pointer| self.root.pointer(pointer));
            match target {
                Some(next) => here = next,
                None => break,
            }
        }
        here
    }

    /// The alternatives of a schema (`anyOf`, `oneOf`), resolved, without "null".
    pub(super) fn branches(self, schema: &'a Value) -> Vec<&'a Value> {
        ["anyOf", "oneOf"]
            .iter()
            .filter_map(|keyword| schema.get(keyword)?.as_array())
            .flatten()
            .map(|branch| self.resolve(branch))
            .filter(|branch| branch.get("type").and_then(Value::as_str) != Some("null"))
            .collect()
    }

    /// All schemas that apply to the same value as `schema`: itself, what it refers to, `allOf`
    /// and the alternatives.
    pub(super) fn layers(self, schema: &'a Value) -> Vec<&'a Value> {
        let mut layers = Vec::new();
        self.collect_layers(schema, DEPTH_MAX, &mut layers);
        layers
    }

    fn collect_layers(self, schema: &'a Value, depth: usize, layers: &mut Vec<&'a Value>) {
        if depth == 0 {
            return;
        }
        let resolved = self.resolve(schema);
        if !std::ptr::eq(resolved, schema) {
            layers.push(schema);
        }
        layers.push(resolved);
        let all_of = resolved.get("allOf").and_then(Value::as_array);
        for part in all_of.into_iter().flatten().chain(self.branches(resolved)) {
            self.collect_layers(part, depth - 1, layers);
        }
    }

    /// The schema of a key or entry of the value that `schema` describes.
    pub(super) fn child(self, schema: &'a Value, segment: &Segment) -> Option<&'a Value> {
        self.layers(schema).into_iter().find_map(|layer| match segment {
            Segment::Key(key) => layer
                .get("properties")
                .and_then(|properties| properties.get(key))
                .or_else(|| layer.get("additionalProperties").filter(|more| more.is_object())),
            Segment::Index(index) => layer
                .get("prefixItems")
                .and_then(|items| items.get(index))
                .or_else(|| layer.get("items").filter(|items| items.is_object())),
        })
    }

    /// The schema of the value at `path`.
    pub(super) fn at(self, path: &ConfigPath) -> Option<&'a Value> {
        path.segments().iter().try_fold(self.root, |schema, segment| self.child(schema, segment))
    }

    /// Whether the value at `path` can only be text.
    pub(super) fn takes_only_text(self, path: &ConfigPath) -> bool {
        self.at(path).is_some_and(|schema| self.type_names(self.resolve(schema)) == ["string"])
    }

    /// The first sentences written about a place: its own description, else its type's.
    pub(super) fn description(self, schema: &'a Value) -> Option<String> {
        let own = schema.get("description").and_then(Value::as_str);
        let text = own.or_else(|| self.resolve(schema).get("description")?.as_str())?;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Names of the keys a table may have, in the order of the schema.
    pub(super) fn keys(self, schema: &'a Value) -> Vec<&'a str> {
        let mut keys = Vec::new();
        for layer in self.layers(schema) {
            for key in properties(layer).into_iter().flat_map(Map::keys) {
                if !keys.contains(&key.as_str()) {
                    keys.push(key.as_str());
                }
            }
        }
        keys
    }

    /// The key that tells the alternatives of a table apart: a fixed word in each of them.
    pub(super) fn tag(self, branches: &[&'a Value]) -> Option<&'a str> {
        let first = properties(branches.first()?)?;
        let has_word = |branch: &&'a Value, key: &str| self.word(branch, key).is_some();
        first.keys().find(|key| branches.iter().all(|branch| has_word(branch, key))).map(String::as_str)
    }

    /// The one word that `key` must hold in a table of this schema.
    pub(super) fn word(self, schema: &'a Value, key: &str) -> Option<&'a Value> {
        let value = self.resolve(properties(schema)?.get(key)?);
        match value.get("enum").and_then(Value::as_array) {
            Some(only) if only.len() == 1 => only.first(),
            _ => value.get("const"),
        }
    }

    /// The words a value may be, when it must be one of some words.
    pub(super) fn words(self, schema: &'a Value) -> Option<Vec<&'a Value>> {
        let schema = self.resolve(schema);
        if let Some(word) = schema.get("const") {
            return Some(vec![word]);
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return Some(words.iter().filter(|word| !word.is_null()).collect());
        }
        let branches = self.branches(schema);
        if branches.is_empty() {
            return None;
        }
        let words: Option<Vec<_>> = branches.iter().map(|branch| self.words(branch)).collect();
        words.map(|words| words.into_iter().flatten().collect())
    }

    /// What a value of this schema is, in words: `an integer from 1 to 64`.
    pub(super) fn type_text(self, schema: &'a Value) -> String {
        self.type_text_within(schema, DEPTH_MAX)
    }

    fn type_text_within(self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolve(schema);
        if depth == 0 {
            return "any value".to_owned();
        }
        if let Some(words) = self.words(schema) {
            let words: Vec<String> = words.into_iter().map(words::literal).collect();
            return words::joined(&words, "or");
        }
        let mut texts: Vec<String> = Vec::new();
        for branch in self.branches(schema) {
            let text = self.type_text_within(branch, depth - 1);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        if texts.is_empty() {
            for name in self.type_names(schema) {
                texts.push(self.one_type(name, schema, depth));
            }
        }
        if texts.is_empty() {
            let all_of = schema.get("allOf").and_then(Value::as_array);
            texts.extend(
                all_of.into_iter().flatten().take(1).map(|part| self.type_text_within(part, depth - 1)),
            );
        }
        if texts.is_empty() && schema.get("properties").is_some() {
            texts.push("a table".to_owned());
        }
        if texts.is_empty() {
            return "any value".to_owned();
        }
        words::joined(&texts, "or")
    }

    /// Type names of `type`, without "null".
    fn type_names(self, schema: &'a Value) -> Vec<&'a str> {
        let names = match schema.get("type") {
            Some(Value::String(name)) => vec![name.as_str()],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        names.into_iter().filter(|name| *name != "null").collect()
    }

    fn one_type(self, name: &str, schema: &'a Value, depth: usize) -> String {
        match name {
            "string" => string_text(schema),
            "integer" => format!("an integer{}", range_text(schema)),
            "number" => format!("a number{}", range_text(schema)),
            "boolean" => "true or false".to_owned(),
            "object" => "a table".to_owned(),
            "array" => {
                let items = schema.get("items").filter(|items| items.is_object());
                let entry = items.map(|items| self.type_text_within(items, depth - 1));
                list_text(entry.as_deref(), &count_text(schema))
            }
            other => other.to_owned(),
        }
    }
}

/// The `properties` of a schema.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn string_text(schema: &Value) -> String {
    // Our own keyword: what `pattern` takes, in words.
    if let Some(form) = schema.get("x-form").and_then(Value::as_str) {
        return format!("text of {form}");
    }
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let pattern = schema.get("pattern").and_then(Value::as_str);
    match (bound("minLength"), bound("maxLength"), pattern) {
        (_, _, Some(pattern)) => format!("text of the form {pattern}"),
        (Some(1), None, None) => NOT_EMPTY_TEXT.to_owned(),
        (Some(min), None, None) => format!("text of at least {min} characters"),
        (None | Some(0), Some(max), None) => format!("text of at most {max} characters"),
        (Some(min), Some(max), None) => format!("text of {min} to {max} characters"),
        (None, None, None) => "text".to_owned(),
    }
}

fn list_text(entry: Option<&str>, count: &str) -> String {
    match entry {
        None => format!("a list{count}"),
        Some("text") => format!("a list of texts{count}"),
        Some("a table") => format!("a list of tables{count}"),
        Some("a number") => format!("a list of numbers{count}"),
        Some("an integer") => format!("a list of integers{count}"),
        Some(entry) => format!("a list{count} (each entry: {entry})"),
    }
}

fn count_text(schema: &Value) -> String {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    match (bound("minItems"), bound("maxItems")) {
        (None | Some(0), None) => String::new(),
        (Some(min), None) => format!(", at least {min}"),
        (None | Some(0), Some(max)) => format!(", at most {max}"),
        (Some(min), Some(max)) if min == max => format!(", exactly {min}"),
        (Some(min), Some(max)) => format!(", {min} to {max}"),
    }
}

fn range_text(schema: &Value) -> String {
    let bound = |keyword: &str| match schema.get(keyword) {
        Some(Value::Number(number)) => {
            let small = number.as_f64().is_some_and(|size| size.abs() < BOUND_SHOWN_MAX);
            small.then(|| words::number_text(number))
        }
        _ => None,
    };
    let low = match (bound("minimum"), bound("exclusiveMinimum")) {
        (_, Some(above)) => Some((format!("above {above}"), None)),
        (Some(min), None) => Some((format!("of at least {min}"), Some(min))),
        (None, None) => None,
    };
    let high = match (bound("maximum"), bound("exclusiveMaximum")) {
        (_, Some(below)) => Some((format!("below {below}"), None)),
        (Some(max), None) => Some((format!("of at most {max}"), Some(max))),
        (None, None) => None,
    };
    let range = match (low, high) {
        (None, None) => String::new(),
        (Some((_, Some(min))), Some((_, Some(max)))) => format!(" from {min} to {max}"),
        (Some((low, _)), Some((high, _))) => format!(" {low} and {high}"),
        (Some((only, _)), None) | (None, Some((only, _))) => format!(" {only}"),
    };
    match schema.get("multipleOf") {
        Some(Value::Number(step)) => format!("{range}, a multiple of {}", words::number_text(step)),
        _ => range,
    }
}
