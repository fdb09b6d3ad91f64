//! Names a place in a configuration: keys and list positions from the root.

use std::fmt;

use serde_json::Value;

/// One step of a [`ConfigPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// A position in a list, counted from 0.
    Index(usize),
}

/// A place in a configuration, from the root; it prints as `source[0].options.port`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigPath(Vec<Segment>);

impl ConfigPath {
    /// The root of the document.
    pub fn root() -> Self {
        Self::default()
    }

    /// This path, one key deeper.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(Segment::Key(key.into()));
        self
    }

    /// This path, one list position deeper.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The path one step up; none at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// The last step when it is a key.
    pub fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Segment::Key(key) => Some(key),
            Segment::Index(_) => None,
        }
    }

    /// Follows a JSON pointer (RFC 6901) below this path. `instance` is the value the pointer is
    /// read against: it tells list positions from keys that look like numbers.
    #[must_use]
    pub fn pointer(mut self, pointer: &str, instance: &Value) -> Self {
        let mut here = Some(instance);
        for raw in pointer.split('/').skip(1) {
            let token = raw.replace("~1", "/").replace("~0", "~");
            let position = token.parse::<usize>().ok();
            match (here, position) {
                (Some(Value::Array(list)), Some(position)) => {
                    self = self.index(position);
                    here = list.get(position);
                }
                _ => {
                    here = here.and_then(|value| value.get(&token));
                    self = self.key(token);
                }
            }
        }
        self
    }
}

impl From<Vec<Segment>> for ConfigPath {
    fn from(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl fmt::Display for ConfigPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_segments(f, &self.0)
    }
}

/// Writes `a.b[2]."odd key"`.
pub(super) fn write_segments(f: &mut impl fmt::Write, segments: &[Segment]) -> fmt::Result {
    for (n, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Index(index) => write!(f, "[{index}]")?,
            Segment::Key(key) => {
                if n > 0 {
                    f.write_char('.')?;
                }
                if is_bare_key(key) {
                    f.write_str(key)?;
                } else {
                    write!(f, "{key:?}")?;
                }
            }
        }
    }
    Ok(())
}

/// Whether TOML lets this key stand without quotes.
pub(super) fn is_bare_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_keys_positions_and_odd_names() {
        let path = ConfigPath::root().key("source").index(0).key("options").key("a.b");
        assert_eq!(path.to_string(), "source[0].options.\"a.b\"");
    }

    #[test]
    fn a_pointer_tells_positions_from_numeric_keys() {
        let instance = serde_json::json!({"list": [{"7": {"a/b": 1}}]});
        let path = ConfigPath::root().pointer("/list/0/7/a~1b", &instance);
        assert_eq!(path.to_string(), "list[0].7.\"a/b\"");
    }
}
