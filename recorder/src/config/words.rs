//! Small pieces of the sentences in error messages: found values, lists, suggestions.

use serde_json::{Number, Value};

/// Longest piece of a user's value repeated in a message, in characters.
const FOUND_MAX_CHARS: usize = 40;

/// The value as found, in words: `the text "5"`, `the number 5`, `a list`.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => format!("the text {}", quoted(text)),
        Value::Array(list) => match list.len() {
            0 => "an empty list".to_owned(),
            1 => "a list of 1 entry".to_owned(),
            many => format!("a list of {many} entries"),
        },
        Value::Object(_) => "a table".to_owned(),
    }
}

/// `text` in double quotes, escaped, and cut when long.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= FOUND_MAX_CHARS {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(FOUND_MAX_CHARS).collect();
    format!("{:?}", format!("{head}..."))
}

/// A value as it is written in TOML.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Number(number) => number_text(number),
        Value::Array(list) => {
            let entries: Vec<String> = list.iter().map(literal).collect();
            format!("[{}]", entries.join(", "))
        }
        Value::Object(table) => {
            let entries: Vec<String> = table
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key} = {}", literal(value)))
                .collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        other => other.to_string(),
    }
}

/// A number without a needless `.0`.
pub(super) fn number_text(number: &Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// `a`, `b` and `c`, each in backticks.
pub(super) fn keys<S: AsRef<str>>(keys: &[S]) -> String {
    let ticked: Vec<String> = keys.iter().map(|key| format!("`{}`", key.as_ref())).collect();
    joined(&ticked, "and")
}

/// `a, b or c`.
pub(super) fn joined<S: AsRef<str>>(parts: &[S], last: &str) -> String {
    match parts {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [head @ .., tail] => {
            let head: Vec<&str> = head.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", head.join(", "), tail.as_ref())
        }
    }
}

/// The accepted word that `typed` was most likely meant to be.
pub(super) fn meant<'a, S: AsRef<str>>(typed: &str, accepted: &'a [S]) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace(['-', ' '], "_");
    accepted
        .iter()
        .map(|word| {
            let word = word.as_ref();
            let plain = word.to_lowercase().replace(['-', ' '], "_");
            let mut score = strsim::jaro_winkler(&typed, &plain);
            if strsim::osa_distance(&typed, &plain) <= 1 || differs_by_suffix(&typed, &plain) {
                score = score.max(0.95);
            }
            (score, word)
        })
        .filter(|(score, _)| *score >= 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Whether one word is the other and an underscored rest, as `duration` and `duration_s`.
fn differs_by_suffix(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    !short.is_empty() && long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'))
}

/// `text` with lines of at most `width` characters, broken at blanks only.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    for (n, line) in text.lines().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let mut used = 0;
        for word in line.split(' ') {
            let len = word.chars().count();
            if used > 0 && used + 1 + len > width {
                out.push('\n');
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += len;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_near_words_only() {
        let accepted = ["interval_s", "probes"];
        assert_eq!(meant("intervall", &accepted), Some("interval_s"));
        assert_eq!(meant("interval", &accepted), Some("interval_s"));
        assert_eq!(meant("Probes", &accepted), Some("probes"));
        assert_eq!(meant("colour", &accepted), None);
    }

    #[test]
    fn lines_break_at_blanks_only() {
        assert_eq!(wrapped("one two /a/long/path", 8), "one two\n/a/long/path");
        assert_eq!(wrapped("a\nb c", 80), "a\nb c");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(quoted("short"), "\"short\"");
        assert!(quoted(&"x".repeat(100)).ends_with("...\""));
    }
}
