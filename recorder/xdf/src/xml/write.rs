//! Write an element tree as XML that is well formed whatever the tree holds.

use std::collections::HashSet;

use super::Element;

/// Appends the element and all in it.
pub(super) fn element(out: &mut String, element: &Element) {
    let name = safe_name(&element.name);
    out.push('<');
    out.push_str(&name);
    let mut written = HashSet::new();
    for (key, value) in &element.attributes {
        let key = safe_name(key);
        if written.contains(&key) {
            continue;
        }
        out.push(' ');
        out.push_str(&key);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
        written.insert(key);
    }
    if element.text.is_empty() && element.children.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    escape(out, &element.text, false);
    for child in &element.children {
        self::element(out, child);
    }
    out.push_str("</");
    out.push_str(&name);
    out.push('>');
}

/// Appends text with the markup characters escaped, and those that a parser would change.
fn escape(out: &mut String, text: &str, in_attribute: bool) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            legal if is_legal(legal) => out.push(legal),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Whether XML 1.0 can hold the character (production 2, `Char`).
fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The name with everything replaced that a name without a prefix cannot have.
fn safe_name(name: &str) -> String {
    if name == "xmlns" {
        return "xmlns_".to_owned();
    }
    let mut safe = String::with_capacity(name.len() + 1);
    if !name.chars().next().is_some_and(is_name_start) {
        safe.push('_');
    }
    safe.extend(
        name.chars().map(
            |character| {
                if is_name_start(character) || is_name_rest(character) { character } else { '_' }
            },
        ),
    );
    safe
}

/// Whether a name can begin with the character, in every edition of XML 1.0; no colon.
fn is_name_start(character: char) -> bool {
    character == '_' || character.is_ascii_alphabetic() || is_letter_beyond_ascii(character)
}

/// Whether the character can stand in a name but not begin it; ASCII only.
fn is_name_rest(character: char) -> bool {
    matches!(character, '-' | '.' | '0'..='9')
}

/// The common letters that every edition of XML 1.0 takes in names (up to the fourth edition,
/// which most parsers follow, names are limited to the listed letters of Unicode 2.0): Latin,
/// Greek, Cyrillic, kana, Chinese characters, Hangul.
fn is_letter_beyond_ascii(character: char) -> bool {
    matches!(character,
        '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{131}'
        | '\u{391}'..='\u{3A1}' | '\u{3A3}'..='\u{3CE}' | '\u{410}'..='\u{44F}'
        | '\u{3041}'..='\u{3094}' | '\u{30A1}'..='\u{30FA}'
        | '\u{4E00}'..='\u{9FA5}' | '\u{AC00}'..='\u{D7A3}')
}
