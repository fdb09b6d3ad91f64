//! Checks a value against a JSON Schema, and says in plain sentences what does not fit.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;

use super::{
    path::{ConfigPath, Segment},
    schema_view::{NOT_EMPTY_TEXT, SchemaView},
    tree::{At, Document, Problem},
    words,
};

/// Most errors reported at once.
const SHOWN_MAX: usize = 20;

/// Everything in `instance` that does not fit `schema`. `base` is where the instance stands in
/// `document`.
///
/// # Errors
/// When `schema` is not a valid JSON Schema: the reason.
pub(super) fn problems(
    schema: &Value,
    instance: &Value,
    document: &Document,
    base: &ConfigPath,
) -> Result<Vec<Problem>, String> {
    let schema = with_integer_bounds(schema);
    let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    let explainer = Explainer { view: SchemaView::new(&schema), instance, document, base };
    let mut problems = Vec::new();
    for error in validator.iter_errors(instance) {
        explainer.explain(&error, &mut problems);
    }
    let mut unique: Vec<Problem> = Vec::new();
    for problem in problems {
        if unique.len() < SHOWN_MAX && !unique.contains(&problem) {
            unique.push(problem);
        }
    }
    Ok(unique)
}

/// The schema with the bounds that formats such as "uint32" imply, which validation leaves out.
fn with_integer_bounds(schema: &Value) -> Value {
    let mut schema = schema.clone();
    add_integer_bounds(&mut schema);
    schema
}

fn add_integer_bounds(schema: &mut Value) {
    match schema {
        Value::Object(table) => {
            let bounds = match table.get("format").and_then(Value::as_str) {
                Some("uint8") => Some((0, i64::from(u8::MAX))),
                Some("uint16") => Some((0, i64::from(u16::MAX))),
                Some("uint32") => Some((0, i64::from(u32::MAX))),
                Some("uint64" | "uint") => Some((0, i64::MAX)),
                Some("int8") => Some((i64::from(i8::MIN), i64::from(i8::MAX))),
                Some("int16") => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
                Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
                _ => None,
            };
            if let Some((min, max)) = bounds {
                table.entry("minimum").or_insert_with(|| Value::from(min));
                table.entry("maximum").or_insert_with(|| Value::from(max));
            }
            table.values_mut().for_each(add_integer_bounds);
        }
        Value::Array(list) => list.iter_mut().for_each(add_integer_bounds),
        _ => {}
    }
}

/// Translates the validator's errors about one instance.
struct Explainer<'a> {
    view: SchemaView<'a>,
    instance: &'a Value,
    document: &'a Document,
    base: &'a ConfigPath,
}

impl<'a> Explainer<'a> {
    fn explain(&self, error: &ValidationError<'_>, out: &mut Vec<Problem>) {
        let pointer = error.instance_path().as_str();
        let path = self.base.clone().pointer(pointer, self.instance);
        let found = self.instance.pointer(pointer).unwrap_or(&Value::Null);
        let schema = self.schema_of(error, pointer);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    out.push(self.unknown_key(&path, key, schema));
                }
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                out.push(self.missing(&path, key, schema));
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.alternatives(&path, found, schema, context, out);
            }
            ValidationErrorKind::Type { .. }
            | ValidationErrorKind::Constant { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Minimum { .. }
            | ValidationErrorKind::Maximum { .. }
            | ValidationErrorKind::ExclusiveMinimum { .. }
            | ValidationErrorKind::ExclusiveMaximum { .. }
            | ValidationErrorKind::MultipleOf { .. }
            | ValidationErrorKind::MinLength { .. }
            | ValidationErrorKind::MaxLength { .. }
            | ValidationErrorKind::MinItems { .. }
            | ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::Pattern { .. } => out.push(self.wrong_value(&path, found, schema)),
            ValidationErrorKind::UniqueItems => out.push(Problem {
                message: format!("{} holds the same entry twice", self.document.name_of(&path)),
                label: "each entry may stand here once".to_owned(),
                help: self.about(&path),
                at: At::Value,
                path,
            }),
            _ => out.push(Problem {
                message: format!("{} is not accepted: {error}", self.document.name_of(&path)),
                label: "not accepted".to_owned(),
                help: self.about(&path),
                at: At::Value,
                path,
            }),
        }
    }

    /// The schema whose keyword failed.
    fn schema_of(&self, error: &ValidationError<'_>, pointer: &str) -> &'a Value {
        let keyword = error.schema_path().as_str();
        let mut above = keyword;
        while let Some((rest, _)) = above.rsplit_once('/') {
            above = rest;
            if let Some(schema) = self.view.root().pointer(above)
                && schema.get(error.kind().keyword()).is_some()
            {
                return schema;
            }
        }
        let below = ConfigPath::root().pointer(pointer, self.instance);
        self.view.at(&below).unwrap_or(self.view.root())
    }

    /// What the schema says about the value at `path`: `port: UDP port to listen on.`
    fn about(&self, path: &ConfigPath) -> Option<String> {
        let below: Vec<Segment> = path.segments()[self.base.segments().len()..].to_vec();
        let schema = self.view.at(&below.into())?;
        let description = self.view.description(schema)?;
        let key = path.last_key()?;
        Some(format!("`{key}`: {description}"))
    }

    fn wrong_value(&self, path: &ConfigPath, found: &Value, schema: &'a Value) -> Problem {
        let name = self.document.name_of(path);
        let mut accepted = self.view.type_text(schema);
        if !found.is_string() {
            // That it must not be empty is beside the point.
            accepted = accepted.replace(NOT_EMPTY_TEXT, "text");
        }
        let mut helps = Vec::new();
        match (self.view.words(schema), found) {
            (Some(words), Value::String(typed)) => {
                let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
                if let Some(word) = words::meant(typed, &words) {
                    helps.push(format!("did you mean {word:?}?"));
                }
            }
            _ if found.is_null() => {}
            _ => helps.extend(mend(&accepted, found, path)),
        }
        helps.extend(self.about(path));
        let expected = match self.view.words(schema) {
            Some(words) if words.len() > 1 => format!("one of {accepted}"),
            _ => accepted,
        };
        Problem {
            path: path.clone(),
            at: At::Value,
            message: format!("{name} must be {expected}, found {}", words::found(found)),
            label: format!("expected {expected}"),
            help: (!helps.is_empty()).then(|| helps.join("\n")),
        }
    }

    fn unknown_key(&self, path: &ConfigPath, key: &str, schema: &'a Value) -> Problem {
        let accepted = self.view.keys(schema);
        let inside = self.document.name_of(path);
        let mut helps = Vec::new();
        if let Some(word) = words::meant(key, &accepted) {
            helps.push(format!("did you mean `{word}`?"));
        } else if accepted.contains(&"options") && accepted.contains(&"plugin") {
            helps.push(format!(
                "an option of the plugin goes under options: options.{key} = ..., or below [source.options]"
            ));
        }
        if path.segments().is_empty() {
            let sections: Vec<String> = accepted.iter().map(|key| section(key)).collect();
            helps.push(format!("the sections are {}", words::joined(&sections, "and")));
            let is_section = matches!(self.instance.get(key), Some(Value::Object(_) | Value::Array(_)));
            return Problem {
                path: path.clone().key(key),
                at: At::Key,
                message: if is_section {
                    format!("unknown section [{key}]")
                } else {
                    format!("`{key}` stands outside of any section")
                },
                label: "not a section".to_owned(),
                help: Some(helps.join("\n")),
            };
        }
        helps.push(match accepted.as_slice() {
            [] => format!("{inside} takes no keys"),
            _ => format!("accepted here: {}", words::keys(&accepted)),
        });
        let what = if path.segments().iter().any(|step| *step == Segment::Key("options".to_owned())) {
            "option"
        } else {
            "key"
        };
        Problem {
            path: path.clone().key(key),
            at: At::Key,
            message: format!("unknown {what} `{key}` in {inside}"),
            label: format!("unknown {what}"),
            help: Some(helps.join("\n")),
        }
    }

    fn missing(&self, path: &ConfigPath, key: &str, schema: &'a Value) -> Problem {
        let wanted = self.view.child(schema, &Segment::Key(key.to_owned()));
        let accepted = wanted.map(|schema| self.view.type_text(schema));
        self.missing_key(path, key, accepted)
    }

    fn missing_key(&self, path: &ConfigPath, key: &str, accepted: Option<String>) -> Problem {
        let inside = self.document.name_of(path);
        let about = self.about(&path.clone().key(key));
        let at_root = path.segments().is_empty();
        let (message, label, mend) = if at_root {
            (format!("[{key}] is missing"), format!("this file has no [{key}]"), format!("add [{key}]"))
        } else {
            let value = match accepted {
                Some(text) if text.starts_with("text") => "\"...\"".to_owned(),
                Some(accepted) => format!("... ({accepted})"),
                None => "...".to_owned(),
            };
            (
                format!("`{key}` is missing in {inside}"),
                format!("`{key}` is missing here"),
                format!("add {key} = {value}"),
            )
        };
        let help = about.map_or_else(|| mend.clone(), |about| format!("{mend}\n{about}"));
        Problem { path: path.clone().key(key), at: At::Value, message, label, help: Some(help) }
    }

    /// None of several alternatives fits: find the one that was meant and report that.
    fn alternatives(
        &self,
        path: &ConfigPath,
        found: &Value,
        schema: &'a Value,
        context: &[Vec<ValidationError<'static>>],
        out: &mut Vec<Problem>,
    ) {
        let branches = self.view.branches(schema);
        let tables: Vec<&Value> = branches.iter().copied().filter(|branch| is_table(branch)).collect();
        if found.is_object()
            && tables.len() > 1
            && let Some(tag) = self.view.tag(&tables)
        {
            let words: Vec<&Value> = tables.iter().filter_map(|branch| self.view.word(branch, tag)).collect();
            match found.get(tag) {
                None => {
                    let texts: Vec<String> = words.into_iter().map(words::literal).collect();
                    out.push(self.missing_key(path, tag, Some(words::joined(&texts, "or"))));
                    return;
                }
                Some(word) if !words.contains(&word) => {
                    let choice = serde_json::json!({ "enum": words });
                    let help = Explainer { view: SchemaView::new(&choice), ..*self };
                    let mut problem = help.wrong_value(&path.clone().key(tag), word, &choice);
                    problem.help = match (problem.help, self.about(&path.clone().key(tag))) {
                        (Some(meant), Some(about)) if !meant.contains(&about) => {
                            Some(format!("{meant}\n{about}"))
                        }
                        (meant, about) => meant.or(about),
                    };
                    out.push(problem);
                    return;
                }
                Some(_) => {}
            }
            let matched = context.iter().find(|errors| {
                let tag_pointer = format!("/{}", tag.replace('~', "~0").replace('/', "~1"));
                !errors.iter().any(|error| {
                    error.instance_path().as_str().ends_with(&tag_pointer)
                        && matches!(
                            error.kind(),
                            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. }
                        )
                })
            });
            if let Some(errors) = matched {
                errors.iter().for_each(|error| self.explain(error, out));
                return;
            }
        }
        let own_type = |error: &&ValidationError<'_>| {
            self.base.clone().pointer(error.instance_path().as_str(), self.instance) == *path
                && matches!(
                    error.kind(),
                    ValidationErrorKind::Type { .. }
                        | ValidationErrorKind::Constant { .. }
                        | ValidationErrorKind::Enum { .. }
                )
        };
        let meant = context
            .iter()
            .filter(|errors| !errors.iter().any(|error| own_type(&error)))
            .min_by_key(|errors| errors.len());
        match meant {
            Some(errors) if found.is_object() || found.is_array() => {
                errors.iter().for_each(|error| self.explain(error, out));
            }
            _ => out.push(self.wrong_value(path, found, schema)),
        }
    }
}

/// A mend for common slips of type.
fn mend(accepted: &str, found: &Value, path: &ConfigPath) -> Option<String> {
    let takes = |word: &str| accepted.contains(word);
    match found {
        Value::Number(number) if takes("text") => Some(format!("text goes in quotes: \"{number}\"")),
        Value::Bool(flag) if takes("text") => Some(format!("text goes in quotes: \"{flag}\"")),
        Value::String(text)
            if (takes("number") || takes("integer")) && text.trim().parse::<f64>().is_ok() =>
        {
            Some(format!("numbers stand without quotes: {}", text.trim()))
        }
        Value::String(text) if takes("true or false") => {
            let plain = text.trim().to_lowercase();
            ["true", "false"].contains(&plain.as_str()).then(|| format!("write {plain} without quotes"))
        }
        Value::Object(_) if takes("a list") => {
            let key = path.last_key()?;
            Some(format!("write [[{key}]], in double brackets: one for each {key}"))
        }
        _ => None,
    }
}

/// The header of a section.
fn section(key: &str) -> String {
    if key == "source" { "[[source]]".to_owned() } else { format!("[{key}]") }
}

fn is_table(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object") || schema.get("properties").is_some()
}
