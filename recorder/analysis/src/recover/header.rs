//! The file's header, and headers and footers that any reader of XML takes.

use lockstep_xdf::Element;

use super::Recovery;
use crate::Recording;
use crate::file::RECOVERED;

/// Skipped places that the file's header lists; all are in the report.
const LISTED: usize = 100;

/// What a recovered file says about where it is from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Name of the file it is from.
    pub file: String,
    /// Bytes of that file, as it is on the disk.
    pub bytes: u64,
    /// CRC-32 of that file, as it is on the disk; `None` if it was not read.
    pub crc32: Option<u32>,
    /// When it was recovered, as text.
    pub at: String,
}

/// The XML as it was if any reader takes it, else the same written anew.
///
/// Readers differ in what they take for XML; damage leaves characters and names that only some refuse.
pub(super) fn sound(xml: &str) -> String {
    match Element::parse(xml) {
        Ok(element) if !is_plain(xml, &element) => element.to_xml(),
        _ => xml.to_owned(),
    }
}

/// Declarations that every reader takes.
const DECLARATIONS: [&str; 4] = [
    "<?xml version=\"1.0\"?>",
    "<?xml version='1.0'?>",
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>",
];

/// Whether there is nothing but elements with usual names, text and usual characters.
fn is_plain(xml: &str, element: &Element) -> bool {
    let content = DECLARATIONS.iter().find_map(|declaration| xml.strip_prefix(declaration)).unwrap_or(xml);
    let is_usual = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    content.chars().all(is_usual)
        && !["<?", "<!", "]]>"].iter().any(|mark| content.contains(mark))
        && content.split('&').skip(1).all(begins_with_entity)
        && has_plain_names(element)
}

/// What stands after an ampersand.
fn begins_with_entity(text: &str) -> bool {
    let Some((name, _)) = text.split_once(';') else { return false };
    let code = match (name.strip_prefix("#x"), name.strip_prefix('#')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (None, Some(decimal)) => decimal.parse().ok(),
        (None, None) => return matches!(name, "lt" | "gt" | "amp" | "quot" | "apos"),
    };
    let character = code.and_then(char::from_u32);
    character.is_some_and(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..))
}

fn has_plain_names(element: &Element) -> bool {
    let plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    plain(&element.name)
        && element.attributes.iter().all(|(name, _)| plain(name))
        && element.children.iter().all(has_plain_names)
}

/// The file's header with a note of what was recovered.
pub(super) fn file_header(recording: &Recording, recovery: &Recovery, origin: &Origin) -> String {
    let text = |name: &str, text: String| Element::new(name).with_text(text);
    let mut info = recording
        .header
        .clone()
        .filter(|header| header.name == "info")
        .unwrap_or_else(|| Element::new("info").with_child(text("version", "1.0".to_owned())));
    let mut note = Element::new(RECOVERED)
        .with_child(text("from", origin.file.clone()))
        .with_child(text("from_bytes", origin.bytes.to_string()));
    if let Some(crc32) = origin.crc32 {
        note.push_child(text("from_crc32", format!("{crc32:08x}")));
    }
    note.push_child(text("by", format!("Lockstep {}", env!("CARGO_PKG_VERSION"))));
    note.push_child(text("at", origin.at.clone()));
    if recording.header.is_none() {
        note.push_child(text("file_header", "was missing; made anew".to_owned()));
    }
    note.push_child(text("samples_lost", recovery.samples_lost().to_string()));
    note.push_child(text("bytes_skipped", recovery.bytes_skipped().to_string()));
    for skipped in recovery.skipped.iter().take(LISTED) {
        let mut place = Element::new("skipped")
            .with_child(text("byte", skipped.byte.to_string()))
            .with_child(text("bytes", skipped.bytes.to_string()));
        if let Some(id) = skipped.stream_id {
            place.push_child(text("stream_id", id.to_string()));
        }
        if let Some(lost) = skipped.samples_lost {
            place.push_child(text("samples_lost", lost.to_string()));
        }
        place.push_child(text("what", skipped.what.clone()));
        note.push_child(place);
    }
    let more = recovery.skipped.len().saturating_sub(LISTED) as u64 + recovery.skipped_left_out;
    if more > 0 {
        note.push_child(text("skipped_left_out", more.to_string()));
    }
    info.push_child(note);
    info.to_xml()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_that_any_reader_takes_is_kept_byte_for_byte() {
        for kept in [
            "<?xml version=\"1.0\"?>\n<info>\n\t<name>a &amp; &#181;</name><desc /></info>\n",
            "<info><name>größer</name></info>",
        ] {
            assert_eq!(sound(kept), kept);
        }
        for other in [
            "<?xml versinn=\"1.0\"?><info/>",
            "<info><name>a\u{1}b</name></info>",
            "<info><!-- x --><a/></info>",
            "<info><n\u{d7}me/></info>",
        ] {
            let written = sound(other);
            assert!(written != other && Element::parse(&written).is_ok(), "{written}");
        }
    }
}
