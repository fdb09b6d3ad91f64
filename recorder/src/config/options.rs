//! The options of a source: checked against the JSON Schema of its plugin, and documented from it.

use serde_json::Value;

use super::{
    error::ConfigError,
    explain,
    load::Loaded,
    schema_view::{DEPTH_MAX, SchemaView, properties},
    tree::{At, Problem},
    whole::whole_numbers,
    words,
};

/// Checks the options of source number `source_index` against `schema`, the JSON Schema (draft
/// 2020-12, as made by schemars) that its plugin publishes, and returns them as the plugin gets
/// them: dates as text, whole numbers such as `5.0` as integers.
///
/// # Errors
/// Each option that does not fit, at its place in the file; or that the schema itself is not
/// valid, which is a fault of the plugin; or that there is no such source.
pub fn check_options(loaded: &Loaded, source_index: usize, schema: &Value) -> Result<Value, ConfigError> {
    let Some(source) = loaded.config.source.get(source_index) else {
        return Err(ConfigError::plain(
            format!("there is no source number {}", source_index + 1),
            "this is a fault of the recorder, not of the file",
        ));
    };
    let path = loaded.source_path(source_index);
    let mut options = Value::Object(source.options.clone());
    whole_numbers(&mut options);
    let base = path.clone().key("options");
    let problems = explain::problems(schema, &options, &loaded.document, &base).map_err(|reason| {
        loaded.error_at(
            &path.key("plugin"),
            format!("the plugin \"{}\" describes its options wrongly: {reason}", source.plugin),
            "this is a fault of the plugin, not of this file: tell its author, or use another version",
        )
    })?;
    let diagnostics = problems.into_iter().map(|problem| loaded.document.diagnose(problem)).collect();
    ConfigError::collect(diagnostics).map_or(Ok(options), Err)
}

/// Documentation of one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDoc {
    /// Where it stands below `options`: `port`, `clock.address`, `fields[].name`.
    pub path: String,
    /// What it accepts, in words: `an integer from 1 to 65535`.
    pub type_text: String,
    /// The default as written in TOML; none when there is none.
    pub default: Option<String>,
    /// Whether it must be given (within its table).
    pub required: bool,
    /// What it is for.
    pub description: String,
    /// The choice it belongs to, as `format = "csv"`, when it is not always accepted.
    pub only_with: Option<String>,
}

/// Documents every option of a plugin's JSON Schema: nested tables and the entries of lists are
/// listed as `a.b` and `fields[].name`, in the order of the schema.
pub fn describe_options(schema: &Value) -> Vec<OptionDoc> {
    let mut docs = Vec::new();
    let describer = Describer { view: SchemaView::new(schema) };
    describer.table(schema, "", None, DEPTH_MAX, &mut docs);
    docs
}

struct Describer<'a> {
    view: SchemaView<'a>,
}

impl<'a> Describer<'a> {
    fn table(
        &self,
        schema: &'a Value,
        prefix: &str,
        only_with: Option<&str>,
        depth: usize,
        docs: &mut Vec<OptionDoc>,
    ) {
        if depth == 0 {
            return;
        }
        let schema = self.view.resolve(schema);
        self.own_keys(schema, prefix, only_with, depth, docs);
        let all_of = schema.get("allOf").and_then(Value::as_array);
        for part in all_of.into_iter().flatten() {
            self.table(part, prefix, only_with, depth - 1, docs);
        }
        let branches: Vec<&Value> = self.view.branches(schema);
        let tag = if branches.len() > 1 { self.view.tag(&branches) } else { None };
        if let Some(tag) = tag {
            self.tag_doc(&branches, tag, prefix, only_with, docs);
        }
        for branch in branches {
            let choice = tag.and_then(|tag| {
                let word = self.view.word(branch, tag)?;
                Some(format!("{prefix}{tag} = {}", words::literal(word)))
            });
            let only_with = choice.as_deref().or(only_with);
            let start = docs.len();
            self.table(branch, prefix, only_with, depth - 1, docs);
            if let Some(tag) = tag {
                let tag_path = format!("{prefix}{tag}");
                let mut n = 0;
                docs.retain(|doc| {
                    n += 1;
                    n <= start || doc.path != tag_path
                });
            }
        }
    }

    /// The key that chooses among alternatives, with what each choice means.
    fn tag_doc(
        &self,
        branches: &[&'a Value],
        tag: &str,
        prefix: &str,
        only_with: Option<&str>,
        docs: &mut Vec<OptionDoc>,
    ) {
        let mut words = Vec::new();
        let mut meanings = Vec::new();
        for branch in branches {
            let Some(word) = self.view.word(branch, tag) else {
                continue;
            };
            let word = words::literal(word);
            if let Some(meaning) = self.view.description(branch) {
                meanings.push(format!("{word}: {meaning}"));
            }
            words.push(word);
        }
        docs.push(OptionDoc {
            path: format!("{prefix}{tag}"),
            type_text: words::joined(&words, "or"),
            default: None,
            required: true,
            description: meanings.join(" "),
            only_with: only_with.map(str::to_owned),
        });
    }

    fn own_keys(
        &self,
        schema: &'a Value,
        prefix: &str,
        only_with: Option<&str>,
        depth: usize,
        docs: &mut Vec<OptionDoc>,
    ) {
        let required = schema.get("required").and_then(Value::as_array);
        for (key, value) in properties(schema).into_iter().flatten() {
            let path = format!("{prefix}{key}");
            let resolved = self.view.resolve(value);
            let default = value.get("default").or_else(|| resolved.get("default"));
            docs.push(OptionDoc {
                path: path.clone(),
                type_text: self.view.type_text(value),
                // A table is documented key by key.
                default: default.filter(|value| !value.is_null() && !value.is_object()).map(words::literal),
                required: required.is_some_and(|names| names.iter().any(|name| name == key)),
                description: self.describe(value),
                only_with: only_with.map(str::to_owned),
            });
            self.below(value, &path, only_with, depth - 1, docs);
        }
    }

    /// The keys below a value: of a table, or of the tables in a list.
    fn below(
        &self,
        schema: &'a Value,
        path: &str,
        only_with: Option<&str>,
        depth: usize,
        docs: &mut Vec<OptionDoc>,
    ) {
        if depth == 0 || self.view.words(schema).is_some() {
            return;
        }
        self.table(schema, &format!("{path}."), only_with, depth, docs);
        for layer in self.view.layers(schema) {
            if let Some(items) = layer.get("items").filter(|items| items.is_object()) {
                self.below(items, &format!("{path}[]"), only_with, depth - 1, docs);
            }
        }
    }

    /// The description, and the meaning of each word where the value is one of some words.
    fn describe(&self, schema: &'a Value) -> String {
        let mut text = self.view.description(schema).unwrap_or_default();
        let resolved = self.view.resolve(schema);
        for branch in self.view.branches(resolved) {
            if let (Some([word]), Some(meaning)) =
                (self.view.words(branch).as_deref(), self.view.description(branch))
            {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(&format!("{}: {meaning}", words::literal(word)));
            }
        }
        text
    }
}

impl Loaded {
    /// An error at a place of the configuration that a later stage found, as a plugin that is not
    /// installed or an option that a device refuses. It is shown at the value at `path`, or at the
    /// nearest parent when nothing is there.
    pub fn error_at(
        &self,
        path: &super::ConfigPath,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ConfigError {
        let help = help.into();
        self.document
            .diagnose(Problem {
                path: path.clone(),
                at: At::Value,
                message: message.into(),
                label: "here".to_owned(),
                help: (!help.is_empty()).then_some(help),
            })
            .into()
    }
}
