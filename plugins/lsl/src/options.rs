//! The options under `[source.options]`; these comments are the documentation users read.

use lockstep_plugin_api::Error;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::found::Found;
use crate::net;

/// Record streams of the Lab Streaming Layer. Each stream on the network that one of `streams` describes is
/// recorded once, also when it appears later. The network is searched as lsl_api.cfg says, where there is one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Which streams to record, as [{ type = "EEG" }, { predicate = "starts-with(name,'Eye')" }].
    /// Everything on the network is [{ predicate = "true()" }].
    #[schemars(length(min = 1, max = 256))]
    pub streams: Vec<Selection>,
}

/// Which streams: everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// LSL's own language, XPath 1.0 over the stream's description, as "type='EEG' and channel_count>8".
    pub predicate: String,
    /// Name of the stream.
    pub name: String,
    /// Content type, as "EEG" or "Markers".
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the machine it comes from, or its address.
    pub host: String,
    /// What identifies the device across restarts.
    pub source_id: String,
    /// Whether the recording waits for a stream that fits. With false it begins without one, and takes it
    /// when it comes. Default: true.
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

/// Longest predicate.
const MAX_PREDICATE_BYTES: usize = 4096;
/// Most names, numbers and signs of a predicate, beside what is in quotes.
const MAX_WORDS: usize = 600;
/// Deepest nesting of brackets in a predicate.
const MAX_BRACKETS: usize = 32;

impl Options {
    /// Check what the schema cannot say.
    ///
    /// # Errors
    /// [`Error::Option`] at the place that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        if self.streams.is_empty() {
            return Err(Error::option("/streams", "say which streams, as [{ type = \"EEG\" }]"));
        }
        for (index, selection) in self.streams.iter().enumerate() {
            if *selection == (Selection { required: selection.required, ..Selection::default() }) {
                let text = "say which streams: by predicate, name, type, host or source_id. Everything on the \
                            network is predicate = \"true()\"";
                return Err(Error::option(format!("/streams/{index}"), text));
            }
            if let Some(fault) = predicate_fault(&selection.predicate) {
                return Err(Error::option(format!("/streams/{index}/predicate"), fault));
            }
        }
        Ok(())
    }
}

/// What every outlet announces of its stream, and what else a predicate of that can say.
const ANNOUNCED: &str = "name type channel_count channel_format source_id nominal_srate uid session_id hostname \
                         created_at and or not div mod true false contains starts-with substring string-length \
                         translate concat normalize-space number floor ceiling round";

/// Whether a predicate asks only for what every outlet announces.
fn is_plain(predicate: &str) -> bool {
    // Texts in quotes are no names.
    let (mut words, mut quote) = (String::new(), None);
    for c in predicate.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '/' | '*' | '@' | '[' | ':') => return false,
            (None, c) => words.push(c),
        }
    }
    let is_known = |word: &str| ANNOUNCED.split(' ').any(|known| known == word);
    let words = words.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
    words.filter(|word| word.starts_with(char::is_alphabetic)).all(is_known)
}

/// What is plainly wrong with an LSL predicate. Functions and names are the outlets' to judge.
pub fn predicate_fault(predicate: &str) -> Option<String> {
    if predicate.len() > MAX_PREDICATE_BYTES {
        return Some(format!("longer than {MAX_PREDICATE_BYTES} bytes"));
    }
    if predicate.chars().any(char::is_control) {
        return Some("a line break or another control character cannot be sent to the outlets".to_owned());
    }
    // Whoever reads it goes down a level for each bracket and each sign, and may have a small stack.
    let (mut open, mut quote, mut words, mut in_word) = (Vec::new(), None, 0, false);
    for c in predicate.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => continue,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, ')' | ']') if open.pop() != Some(c) => return Some(format!("`{c}` closes nothing")),
            (None, _) => {}
        }
        let is_word = c.is_alphanumeric() || matches!(c, '_' | '.');
        words += usize::from(!(c.is_whitespace() || is_word && in_word));
        in_word = is_word;
        if open.len() > MAX_BRACKETS {
            return Some(format!("brackets are nested deeper than {MAX_BRACKETS}"));
        }
        if words > MAX_WORDS {
            return Some(format!("more than {MAX_WORDS} words and signs: select by several predicates"));
        }
    }
    match (quote, open.last()) {
        (Some(quote), _) => Some(format!("the quote {quote} is not closed")),
        (None, Some(end)) => Some(format!("a `{end}` is missing")),
        (None, None) => None,
    }
}

impl Selection {
    /// Whether `found` fits, as far as this machine can tell: see [`Selection::network_query`].
    /// `told` is whether an outlet said that it fits that query.
    pub fn fits(&self, found: &Found, told: bool) -> bool {
        let same = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        same(&self.name, &found.name)
            && same(&self.kind, &found.kind)
            && same(&self.source_id, &found.source_id)
            && (self.host.is_empty()
                || self.host.eq_ignore_ascii_case(&found.hostname)
                || found.data.is_some_and(|at| at.ip().to_string() == self.host))
            && match self.network_query() {
                Some(_) => told,
                None => self.predicate.is_empty() || net::matches(&self.predicate, found),
            }
    }

    /// The predicate, when only the outlets themselves can judge it: it asks for more of the description
    /// than they send to everybody, or is beyond what is understood here.
    pub fn network_query(&self) -> Option<&str> {
        let only_there = !is_plain(&self.predicate) || !net::is_readable(&self.predicate);
        (!self.predicate.is_empty() && only_there).then_some(self.predicate.as_str())
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("name", &self.name),
            ("type", &self.kind),
            ("host", &self.host),
            ("source_id", &self.source_id),
        ];
        let mut said: Vec<String> = Vec::new();
        if !self.predicate.is_empty() {
            said.push(self.predicate.clone());
        }
        said.extend(
            parts.iter().filter(|(_, v)| !v.is_empty()).map(|(key, value)| format!("{key}='{value}'")),
        );
        f.write_str(&said.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::sample;

    #[test]
    fn all_that_is_given_must_hold() {
        let found = sample("EEG cap", "EEG");
        let fits = |selection: &Selection| selection.fits(&found, false);
        assert!(fits(&Selection { name: "EEG cap".into(), ..Selection::default() }));
        assert!(fits(&Selection { kind: "EEG".into(), host: "LAB-PC".into(), ..Selection::default() }));
        assert!(fits(&Selection { host: "127.0.0.1".into(), ..Selection::default() }));
        assert!(!fits(&Selection { kind: "EEG".into(), name: "other".into(), ..Selection::default() }));
        assert!(fits(&Selection { predicate: "starts-with(name,'EEG')".into(), ..Selection::default() }));
        assert!(!fits(&Selection { predicate: "channel_count>100".into(), ..Selection::default() }));
        assert!(fits(&Selection { predicate: "true()".into(), ..Selection::default() }));
    }

    #[test]
    fn what_only_an_outlet_can_judge_is_asked_there() {
        let query = |text: &str| {
            Selection { predicate: text.into(), ..Selection::default() }.network_query().map(str::to_owned)
        };
        assert_eq!(query("type='EEG'"), None);
        assert_eq!(query("desc/maker='x'").as_deref(), Some("desc/maker='x'"));
        assert_eq!(query("count(child::name)=1").as_deref(), Some("count(child::name)=1"));
        assert_eq!(query("//label='Cz'").as_deref(), Some("//label='Cz'"));
        assert_eq!(query("type='a/desc' and not(contains(name,'x')) or channel_count>=2.5"), None);
        assert_eq!(query("v4data_port>0").as_deref(), Some("v4data_port>0"));
        assert_eq!(query(""), None);
        let other = Selection { predicate: "not(desc/maker='Acme')".into(), ..Selection::default() };
        assert!(!other.fits(&sample("x", "EEG"), false) && other.fits(&sample("x", "EEG"), true));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_place() {
        let refused = |selection: Selection| match (Options { streams: vec![selection] }).check() {
            Err(Error::Option { path, message }) => format!("{path}: {message}"),
            other => panic!("{other:?}"),
        };
        let with = |text: &str| Selection { predicate: text.into(), ..Selection::default() };
        assert!(refused(Selection::default()).starts_with("/streams/0: say which streams"));
        assert_eq!(refused(with("type='EEG")), "/streams/0/predicate: the quote ' is not closed");
        assert!(refused(with("contains(name,'x'")).contains("a `)` is missing"));
        assert!(refused(with("a)")).contains("closes nothing"));
        assert!(refused(with("a[b)")).contains("closes nothing"));
        assert!(refused(with("a\nb")).contains("line break"));
        assert!(Options { streams: vec![] }.check().is_err());
        assert!(Options { streams: vec![with("name=\"it's (\"")] }.check().is_ok());
    }
}
