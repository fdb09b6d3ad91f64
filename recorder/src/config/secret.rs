//! Text that nobody is shown: not on the screen, not in a recording.

use std::fmt;

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use toml_edit::{DocumentMut, Item, Value};

/// What stands in place of a secret.
pub const MASK: &str = "***";
/// Shortest secret, in bytes: nobody guesses one of chance that is as long.
pub const SECRET_MIN_BYTES: usize = 16;
/// Longest secret, in bytes.
pub const SECRET_MAX_BYTES: usize = 256;

/// Text that is compared and never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keep `text`, whatever it is: see [`Secret::fault`].
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Why it cannot serve, and what would.
    pub fn fault(&self) -> Option<String> {
        let text = &self.0;
        if text == MASK {
            return Some(format!("is {MASK}, which a recording shows in its place; write the token itself"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some("holds a blank, or something that is no letter, digit or sign of ASCII".to_owned());
        }
        if !(SECRET_MIN_BYTES..=SECRET_MAX_BYTES).contains(&text.len()) {
            let (min, max) = (SECRET_MIN_BYTES, SECRET_MAX_BYTES);
            return Some(format!("is {} characters long; {min} to {max} are needed", text.len()));
        }
        None
    }

    /// Whether `said` is it. How long that takes tells nothing of it.
    pub fn is(&self, said: &Self) -> bool {
        let (secret, said) = (self.0.as_bytes(), said.0.as_bytes());
        let mut differ = secret.len() ^ said.len();
        for (at, byte) in said.iter().enumerate() {
            // An empty secret is like none.
            let own = secret.get(at % secret.len().max(1)).copied().unwrap_or(!byte);
            differ |= usize::from(std::hint::black_box(own ^ byte));
        }
        std::hint::black_box(differ) == 0 && !secret.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string" })
    }
}

/// A configuration without its secrets, for whoever reads the recording.
pub(super) fn masked(toml: &str) -> String {
    let Ok(mut document) = toml.parse::<DocumentMut>() else {
        // It was read before; and what cannot be masked is not shown.
        return String::new();
    };
    let remote = document.get_mut("remote").and_then(Item::as_table_like_mut);
    let Some(token) = remote.and_then(|remote| remote.get_mut("token")) else {
        return toml.to_owned();
    };
    let mut mask = Value::from(MASK);
    if let Some(old) = token.as_value() {
        mask.decor_mut().clone_from(old.decor());
    }
    *token = Item::Value(mask);
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "2f1c9d7be04a4d0f";

    #[test]
    fn it_is_masked_however_it_is_written() {
        for toml in [
            "[remote]\ntoken = \"2f1c9d7be04a4d0f\" # ours\nport = 1\n",
            "remote = { token = '2f1c9d7be04a4d0f', port = 1 }\n",
            "remote.token = \"2f1c9d7be04a4d0f\"\nremote.port = 1\n",
            "[\"remote\"]\nport = 1\n\"token\" = \"\"\"2f1c9d7be04a4d0f\"\"\"\n",
            "remote.\"tok\\u0065n\" = \"\\u0032f1c9d7be04a4d0f\"\nremote.port = 1\n",
        ] {
            let masked = masked(toml);
            assert!(!masked.contains(&TOKEN[1..]), "{masked}");
            let value: toml::Value = toml::from_str(&masked).expect("TOML");
            assert_eq!(value["remote"]["token"].as_str(), Some(MASK));
            assert_eq!(value["remote"]["port"].as_integer(), Some(1));
        }
        let plain = "[remote]\nport=1 # as it is\n";
        assert_eq!(masked(plain), plain);
        assert_eq!(masked("]"), "");
    }

    #[test]
    fn nothing_shows_it() {
        let secret = Secret::new(TOKEN);
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(serde_json::to_string(&secret).expect("JSON"), "\"***\"");
    }

    #[test]
    fn only_the_same_is_the_same() {
        let secret = Secret::new(TOKEN);
        assert!(secret.is(&Secret::new(TOKEN)));
        for wrong in ["", "2", "2f1c9d7be04a4d0e", "2f1c9d7be04a4d0f2f1c9d7be04a4d0f", "2f1c9d7be04a4d0f "] {
            assert!(!secret.is(&Secret::new(wrong)), "{wrong:?}");
        }
        assert!(!Secret::new("").is(&Secret::new("")), "an empty one opens nothing");
    }

    #[test]
    fn what_cannot_serve_says_why() {
        assert_eq!(Secret::new(TOKEN).fault(), None);
        for (text, piece) in [("", "0 characters"), ("short", "5 characters"), ("***", "in its place")] {
            let fault = Secret::new(text).fault().expect(text);
            assert!(fault.contains(piece), "{fault}");
        }
        for text in ["sixteen letters and blanks", "2f1c9d7be04a4d0f\n", "2f1c9d7be04a4d0\u{e4}"] {
            assert!(Secret::new(text).fault().is_some_and(|fault| fault.contains("ASCII")), "{text}");
        }
        assert!(Secret::new("x".repeat(257)).fault().is_some());
    }
}
