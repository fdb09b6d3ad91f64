//! The INI files of Qt's QSettings: quoted and unquoted values, lists, escapes, and values with a type.
//!
//! People also write these files by hand, so what Qt would silently eat (a lone backslash in a path) is
//! kept where it can only have been meant as it stands.

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Section, empty above the first one.
    pub section: String,
    /// Key.
    pub key: String,
    /// Line, counted from 1.
    pub line: usize,
    /// The value as it is written.
    pub raw: String,
    /// The values of the list, one for a plain value; none when the value says that there is none.
    pub items: Vec<String>,
    /// Whether it holds backslashes that are no escapes.
    pub odd_escapes: bool,
}

/// A file, and what is odd about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ini {
    /// All keys, in their order.
    pub entries: Vec<Entry>,
    /// What could not be read, or only by guessing.
    pub notes: Vec<String>,
}

/// The text of the bytes of a file: UTF-8, or Latin-1 as Qt wrote it once; `None` for UTF-16.
pub fn decode(bytes: &[u8]) -> Option<(String, bool)> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return None;
    }
    Some(match std::str::from_utf8(bytes) {
        Ok(text) => (text.trim_start_matches('\u{feff}').to_owned(), false),
        Err(_) => (bytes.iter().copied().map(char::from).collect(), true),
    })
}

/// Reads a file.
pub fn read(text: &str) -> Ini {
    let mut ini = Ini::default();
    let mut section = String::new();
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = unified.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let (number, line) = (at + 1, line.trim());
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = if name.eq_ignore_ascii_case("general") { String::new() } else { decoded_key(name) };
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            ini.notes.push(format!("line {number} is neither a key with a value nor a section: {line:?}"));
            continue;
        };
        let mut raw = value.trim().to_owned();
        // A backslash at the end continues the line, unless the next one can only be another key.
        while raw.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
            && let Some((_, next)) = lines.next_if(|(_, next)| !next.trim().is_empty() && !is_key(next))
        {
            raw.pop();
            raw.push_str(next.trim());
        }
        let value = parse_value(&raw);
        if value.unclosed {
            ini.notes.push(format!("line {number}: a quote is not closed; it is taken to end with the line"));
        }
        if value.unreadable {
            ini.notes.push(format!("line {number}: a value in Qt's own binary form cannot be read: {raw}"));
        }
        let key = decoded_key(key.trim());
        let section = section.clone();
        let Value { items, odd_escapes, .. } = value;
        ini.entries.push(Entry { section, key, line: number, raw, items, odd_escapes });
    }
    ini
}

fn is_key(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(['[', ';', '#'])
        || line.split_once('=').is_some_and(|(key, _)| !key.contains(['"', ',', ' ']) && !key.is_empty())
}

/// `%20` and `%U0041` in keys.
fn decoded_key(key: &str) -> String {
    let mut out = String::new();
    let mut rest = key;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (digits, skip) = match after.strip_prefix('U') {
            Some(wide) => (wide.get(..4), 5),
            None => (after.get(..2), 2),
        };
        match digits.and_then(|d| u32::from_str_radix(d, 16).ok()).and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                rest = &after[skip..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

#[derive(Debug, Default)]
struct Value {
    items: Vec<String>,
    odd_escapes: bool,
    unclosed: bool,
    unreadable: bool,
}

fn parse_value(raw: &str) -> Value {
    let mut value = Value::default();
    let mut item = Item::default();
    let mut in_quotes = false;
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                in_quotes = !in_quotes;
                item.quoted = true;
            }
            '\\' => match escaped(&mut chars) {
                Some(c) => item.push(c, true),
                None => {
                    value.odd_escapes = true;
                    item.push('\\', true);
                }
            },
            ',' if !in_quotes => value.take(std::mem::take(&mut item)),
            c => item.push(c, in_quotes),
        }
    }
    value.unclosed = in_quotes;
    value.take(item);
    value
}

/// A value of a list while it is read.
#[derive(Debug, Default)]
struct Item {
    text: String,
    quoted: bool,
    /// Bytes up to the last character that is no blank outside of quotes.
    kept: usize,
}

impl Item {
    fn push(&mut self, c: char, exact: bool) {
        if !exact && c.is_whitespace() && self.text.is_empty() {
            return;
        }
        self.text.push(c);
        if exact || !c.is_whitespace() {
            self.kept = self.text.len();
        }
    }
}

impl Value {
    fn take(&mut self, mut item: Item) {
        item.text.truncate(item.kept);
        let text = item.text;
        let typed = |name: &str| text.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
        if text == "@Invalid()" {
            return;
        }
        if text.starts_with("@Variant(") || text.starts_with("@DateTime(") {
            self.unreadable = true;
            return;
        }
        let plain = match (typed("@String("), typed("@ByteArray(")) {
            (Some(inside), _) | (None, Some(inside)) => inside,
            (None, None) => text.strip_prefix('@').filter(|rest| rest.starts_with('@')).unwrap_or(&text),
        };
        self.items.push(plain.to_owned());
    }
}

/// The character that stands behind a backslash; `None` when it is no escape, and nothing was taken.
fn escaped(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    const PLAIN: [(char, char); 10] = [
        ('a', '\u{7}'),
        ('b', '\u{8}'),
        ('f', '\u{c}'),
        ('n', '\n'),
        ('r', '\r'),
        ('t', '\t'),
        ('v', '\u{b}'),
        ('"', '"'),
        ('\'', '\''),
        ('\\', '\\'),
    ];
    let next = *chars.peek()?;
    if let Some((_, c)) = PLAIN.iter().find(|(letter, _)| *letter == next) {
        chars.next();
        return Some(*c);
    }
    if next != 'x' {
        return None;
    }
    let digits: String = chars.clone().skip(1).take_while(char::is_ascii_hexdigit).take(6).collect();
    let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?;
    chars.nth(digits.len());
    Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(raw: &str) -> Vec<String> {
        parse_value(raw).items
    }

    #[test]
    fn values_are_plain_quoted_or_lists() {
        assert_eq!(items("22345"), ["22345"]);
        assert_eq!(items("a b"), ["a b"]);
        assert_eq!(items("\"EEG (lab)\", \"Eye, left (lab)\" ,x"), ["EEG (lab)", "Eye, left (lab)", "x"]);
        assert_eq!(items("\" a \""), [" a "]);
        assert_eq!(items(r#""say \"hi\"", a\x41\xe4, \\"#), ["say \"hi\"", "aA\u{e4}", "\\"]);
        assert_eq!(items(""), [""]);
        assert_eq!(items("\"\""), [""]);
    }

    #[test]
    fn values_of_a_type_are_known() {
        assert_eq!(items("@Invalid()"), [""; 0]);
        assert_eq!(items("@String(x)"), ["x"]);
        assert_eq!(items("@@home"), ["@home"]);
        assert!(parse_value("@Variant(\\0\\0)").unreadable);
    }

    #[test]
    fn backslashes_that_are_no_escapes_are_kept() {
        let value = parse_value(r"C:\Recordings\Study");
        assert_eq!((value.items[0].as_str(), value.odd_escapes), (r"C:\Recordings\Study", true));
        assert!(parse_value("\"open").unclosed);
    }

    #[test]
    fn files_have_sections_comments_and_continued_lines() {
        let ini = read(
            "; c\r\n# c\r\nA=1\r\n[General]\r\nB%20C = x, \\\r\n  y\r\n[other]\r\nD=C:\\data\\\r\nE=2\r\nodd\r\n",
        );
        let found: Vec<_> =
            ini.entries.iter().map(|e| (e.section.as_str(), e.key.as_str(), e.line)).collect();
        assert_eq!(found, [("", "A", 3), ("", "B C", 5), ("other", "D", 8), ("other", "E", 9)]);
        assert_eq!(ini.entries[1].items, ["x", "y"]);
        assert_eq!(ini.entries[2].items, ["C:\\data\\"]);
        assert_eq!(ini.notes, ["line 10 is neither a key with a value nor a section: \"odd\""]);
    }

    #[test]
    fn encodings() {
        assert_eq!(decode(b"\xef\xbb\xbfA=1"), Some(("A=1".to_owned(), false)));
        assert_eq!(decode(b"M\xfcller"), Some(("M\u{fc}ller".to_owned(), true)));
        assert_eq!(decode(b"\xff\xfeA\0"), None);
    }
}
