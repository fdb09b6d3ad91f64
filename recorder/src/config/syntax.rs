//! Parses TOML text, and turns the parser's complaints into plain sentences.

use std::{ops::Range, sync::Arc};

use toml::de::DeTable;

use super::{
    error::{ConfigError, Diagnostic, Label, SourceText},
    tree::{Document, Kind, Node},
};

/// Most syntax errors shown at once: after the first few the parser has lost the thread.
const SHOWN_MAX: usize = 3;

/// Parses the text of a file.
pub(super) fn parse(text: &str, file_name: &str) -> Result<Document, ConfigError> {
    let source =
        Arc::new(SourceText { name: file_name.to_owned(), text: text.to_owned(), is_override: false });
    let (table, errors) = DeTable::parse_recoverable(text);
    let root = Node::from_table(table.get_ref(), table.span(), 0);
    let all_alone = errors.first().is_some_and(|first| stands_alone(first.message()));
    let mut shown = Vec::new();
    let mut lines = Vec::new();
    for error in &errors {
        let span = clamp(error.span().unwrap_or(0..0), text);
        let line = text[..span.start].matches('\n').count();
        let mut diagnostic = explain(error.message(), span, text, &root);
        diagnostic.source = Some(Arc::clone(&source));
        if shown.len() < SHOWN_MAX
            && !lines.contains(&line)
            && (lines.is_empty() || all_alone && stands_alone(error.message()))
        {
            lines.push(line);
            shown.push(diagnostic);
        }
    }
    match ConfigError::collect(shown) {
        Some(error) => Err(error),
        None => Ok(Document { texts: vec![source], root }),
    }
}

/// Whether an error of this kind is not a consequence of an earlier one.
fn stands_alone(message: &str) -> bool {
    message.starts_with("string values must be quoted") || message.starts_with("duplicate key")
}

/// Says what is wrong at `span`, where the parser said `said`.
fn explain(said: &str, span: Range<usize>, text: &str, root: &Node) -> Diagnostic {
    let piece = &text[span.clone()];
    let line = line_at(text, span.start);
    let mut others = Vec::new();
    let (message, label, help) = if said.starts_with("duplicate key") {
        if let Some(first) = first_key(root, piece, span.start) {
            others.push(Label { span: first, text: "first set here".to_owned() });
        }
        let help = if line.trim_start().starts_with("[source]") {
            "write [[source]], in double brackets: one for each source"
        } else {
            "keep one of the two"
        };
        (format!("`{piece}` is set twice"), "set again here".to_owned(), help.to_owned())
    } else if said.starts_with("string values must be quoted") && piece.trim().is_empty() {
        (
            "a value is missing after `=`".to_owned(),
            "the value goes here".to_owned(),
            "text goes in quotes (\"P012\"), numbers stand as they are (5.0)".to_owned(),
        )
    } else if said.starts_with("string values must be quoted") {
        unquoted(piece)
    } else if said.starts_with("unexpected leading zero") {
        (
            "a number cannot start with 0".to_owned(),
            "starts with 0".to_owned(),
            "a label such as \"01\" is text and goes in quotes".to_owned(),
        )
    } else if said.starts_with("invalid boolean") {
        (
            format!("`{piece}` is not true or false"),
            "true or false, in small letters".to_owned(),
            "text goes in quotes".to_owned(),
        )
    } else if said.contains("escape") || said.contains("unicode") {
        (
            "a backslash in \"...\" must be followed by an escape such as n or t".to_owned(),
            "not an escape".to_owned(),
            "write a Windows path in single quotes, 'C:\\data', or with forward slashes, \"C:/data\""
                .to_owned(),
        )
    } else if is_decimal_comma(text, span.start) {
        (
            "a decimal comma".to_owned(),
            "the number ends before this".to_owned(),
            "write numbers with a point: 0.5".to_owned(),
        )
    } else if let Some((what, close)) = unclosed(said) {
        (format!("{what} is not closed"), format!("`{close}` is missing"), format!("add the `{close}`"))
    } else if said.starts_with("key with no value") {
        (
            "this line is neither `key = value` nor a [section]".to_owned(),
            "`=` is missing".to_owned(),
            "write `key = value`, with an equals sign".to_owned(),
        )
    } else {
        (
            format!("this is not TOML: {said}"),
            "here".to_owned(),
            "the file is made of [section] lines and `key = value` lines; text goes in quotes".to_owned(),
        )
    };
    let mut labels = vec![Label { span, text: label }];
    labels.extend(others);
    Diagnostic { message, help: Some(help), source: None, labels }
}

/// What was opened and not closed, and what would close it.
fn unclosed(said: &str) -> Option<(&'static str, &'static str)> {
    let cases = [
        ("unclosed array table", "a [[section]] line", "]]"),
        ("unclosed table", "a [section] line", "]"),
        ("unclosed array", "a list", "]"),
        ("unclosed inline table", "a table", "}"),
        ("invalid basic string, expected", "a text", "\""),
        ("invalid literal string, expected", "a text", "'"),
    ];
    cases.iter().find(|(start, ..)| said.starts_with(start)).map(|(_, what, close)| (*what, *close))
}

/// A value that is neither a number nor quoted.
fn unquoted(piece: &str) -> (String, String, String) {
    let shown = super::words::quoted(piece.trim_matches(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']));
    if piece.contains(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']) {
        return (
            "these are typographic quotes, which TOML does not read".to_owned(),
            "needs straight quotes".to_owned(),
            format!("write {shown}; turn off \"smart quotes\" in the editor"),
        );
    }
    let help = if piece.starts_with(|c: char| c.is_ascii_digit()) {
        format!("a number stands alone, without its unit; text goes in quotes: {shown}")
    } else {
        format!("write {shown}")
    };
    ("text without quotes".to_owned(), "neither a number nor text in quotes".to_owned(), help)
}

/// Whether the error at `at` follows `1,` of `1,5`.
fn is_decimal_comma(text: &str, at: usize) -> bool {
    let before = &text[..at];
    let after = &text[at..];
    let digit = |c: char| c.is_ascii_digit();
    let comma_before = before.ends_with(',') && before[..before.len() - 1].ends_with(digit);
    let comma_after = after.starts_with(',') && before.ends_with(digit);
    let comma = comma_before && after.starts_with(digit) || comma_after && after[1..].starts_with(digit);
    comma && !line_at(text, at).contains('[')
}

/// Where `key` was first set, when that is not in doubt.
fn first_key(node: &Node, key: &str, again: usize) -> Option<Range<usize>> {
    let mut found = Vec::new();
    collect_keys(node, key, again, &mut found);
    match found.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn collect_keys(node: &Node, key: &str, again: usize, found: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Table(entries) => {
            for (name, child) in entries {
                if let Some(place) = &child.key
                    && name == key
                    && place.span.start < again
                {
                    found.push(place.span.clone());
                }
                collect_keys(child, key, again, found);
            }
        }
        Kind::Array(entries) => entries.iter().for_each(|child| collect_keys(child, key, again, found)),
        Kind::Leaf(_) => {}
    }
}

/// The line around byte `at`.
fn line_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[start..].lines().next().unwrap_or("")
}

/// `span` made safe to cut `text` with.
fn clamp(span: Range<usize>, text: &str) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
