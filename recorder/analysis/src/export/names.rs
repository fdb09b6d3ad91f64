//! Names of files and columns from what people call their streams and channels.

use std::collections::HashSet;

use lockstep_xdf::{ScannedStream, StreamInfo};
use serde::Serialize;

/// Longest file name without its extension, in bytes.
const MAX_STEM_BYTES: usize = 120;

/// Longest name of a column, in bytes, without what makes it unique.
const MAX_LABEL_BYTES: usize = 1000;

/// The columns before the channels.
pub(super) const TIME_COLUMNS: [&str; 5] =
    ["time_s", "device_time_s", "time_sigma_s", "time_sigma_relative_s", "time_bound_s"];

/// One channel as a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    /// Name of the column: the label, made unique and free of what files cannot hold.
    pub(super) name: String,
    /// The label in the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    /// The unit in the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
    /// The type in the header.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
}

/// The columns of a stream's channels: by `desc/channels/channel/label`, else `ch1`, `ch2`, ...
pub(super) fn columns(info: &StreamInfo) -> Vec<Column> {
    let described: Vec<_> = match info.desc.child("channels") {
        Some(channels) => channels.children.iter().filter(|child| child.name == "channel").collect(),
        None => Vec::new(),
    };
    let mut names = Names::default();
    TIME_COLUMNS.iter().for_each(|&name| drop(names.unique(name)));
    let columns = (0..info.channel_count).map(|index| {
        let text = |name: &str| {
            let text = described.get(index)?.text_at(name)?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let label = text("label");
        let clean = label.as_deref().map(clean).filter(|name| !name.is_empty());
        let name = names.unique(&clean.unwrap_or_else(|| format!("ch{}", index + 1)));
        Column { name, label, unit: text("unit"), kind: text("type") }
    });
    columns.collect()
}

/// A label without characters that are no part of a name: control characters, and the separators of
/// paths (columns are members of archives, too).
fn clean(label: &str) -> String {
    let replaced = label.chars().map(|c| if c.is_control() || matches!(c, '/' | '\\') { '_' } else { c });
    let mut name = replaced.collect::<String>();
    name.truncate(name.floor_char_boundary(MAX_LABEL_BYTES));
    name.trim().to_owned()
}

/// Names that are taken.
#[derive(Debug, Default)]
struct Names {
    taken: HashSet<String>,
    /// Where to go on looking, for many channels of one label.
    next: std::collections::HashMap<String, u64>,
}

impl Names {
    /// The name, or the first of `name_2`, `name_3` ... that is not taken; capitals do not tell names
    /// apart, for they do not on some disks.
    fn unique(&mut self, name: &str) -> String {
        let mut candidate = name.to_owned();
        let number = self.next.entry(name.to_lowercase()).or_insert(2);
        while !self.taken.insert(candidate.to_lowercase()) {
            candidate = format!("{name}_{number}");
            *number += 1;
        }
        candidate
    }
}

/// File names without extension, one for each stream: its name as far as every system takes it; with
/// the stream's id where several streams have the same name.
pub(super) fn stems(streams: &[ScannedStream]) -> Vec<String> {
    let plain: Vec<String> = streams.iter().map(|stream| portable(&stream.info.name)).collect();
    let mut names = Names::default();
    let mut seen = std::collections::HashMap::new();
    plain.iter().for_each(|stem| *seen.entry(stem.to_lowercase()).or_insert(0u32) += 1);
    let stems = streams.iter().zip(&plain).map(|(stream, stem)| {
        let alone = seen.get(&stem.to_lowercase()) == Some(&1);
        names.unique(&match stem.as_str() {
            "" => format!("stream-{}", stream.id),
            stem if alone => stem.to_owned(),
            stem => format!("{stem}-{}", stream.id),
        })
    });
    stems.collect()
}

/// A name that may stand in a file name on every desktop: Windows has the strictest rules.
pub(super) fn portable(name: &str) -> String {
    let replaced = name.chars().map(|c| {
        let forbidden = matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
        let invisible = matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if forbidden || invisible || c.is_control() { '_' } else { c }
    });
    let mut stem: String = replaced.collect();
    stem.truncate(stem.floor_char_boundary(MAX_STEM_BYTES));
    let stem = stem.trim_start().trim_end_matches(['.', ' ']).to_owned();
    // A name that begins with a dot is hidden.
    if stem.starts_with('.') || is_device(&stem) { format!("_{stem}") } else { stem }
}

/// Whether Windows takes the name for a device.
fn is_device(stem: &str) -> bool {
    let first = stem.split('.').next().unwrap_or(stem).trim_end().to_lowercase();
    let number = first.strip_prefix("com").or_else(|| first.strip_prefix("lpt"));
    let port = number.is_some_and(|rest| rest.chars().count() == 1 && !rest.starts_with(char::is_alphabetic));
    port || ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"].contains(&first.as_str())
}

#[cfg(test)]
mod tests {
    use lockstep_xdf::{ChannelFormat, Element};

    use super::*;

    fn labelled(labels: &[&str]) -> StreamInfo {
        let mut info = StreamInfo::new("N", "T", labels.len() + 1, 0.0, ChannelFormat::Int8);
        let mut channels = Element::new("channels");
        for label in labels {
            channels.push_child(Element::new("channel").with_child(Element::new("label").with_text(*label)));
        }
        info.desc.push_child(channels);
        info
    }

    #[test]
    fn labels_become_unique_names() {
        let names = |labels: &[&str]| -> Vec<String> {
            columns(&labelled(labels)).into_iter().map(|column| column.name).collect()
        };
        assert_eq!(names(&["Fz", "Cz", "Fz", "fz_2"]), ["Fz", "Cz", "Fz_2", "fz_2_2", "ch5"]);
        assert_eq!(names(&["time_s", "", " a/b\n ", "ch2"]), ["time_s_2", "ch2", "a_b", "ch2_2", "ch5"]);
        assert_eq!(names(&["../x", "\u{1}"]), [".._x", "_", "ch3"]);
    }

    #[test]
    fn stems_are_portable() {
        for (name, stem) in [
            ("EEG", "EEG"),
            ("a/b:c", "a_b_c"),
            ("..", ""),
            (".hidden", "_.hidden"),
            ("con", "_con"),
            ("Com1.x", "_Com1.x"),
            ("control", "control"),
            ("end. ", "end"),
            ("\u{202e}x", "_x"),
        ] {
            assert_eq!(portable(name), stem, "{name}");
        }
        assert!(portable(&"é".repeat(300)).len() <= MAX_STEM_BYTES);
    }
}
