//! The description of a stream, as its outlet gives it when asked (`LSL:fullinfo`).

use lockstep_plugin_api::xml_text;

use crate::found::Found;
use crate::net;

/// What asks for it.
pub const REQUEST: &[u8] = b"LSL:fullinfo\r\n";
/// Longest description.
pub const MAX_BYTES: usize = 8 << 20;

/// A stream's own header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What stands inside its `info`, as it stands there.
    pub inside: String,
    /// Whether something had to be changed, and what.
    pub changed: Option<&'static str>,
}

/// Read the description of the stream `found`.
///
/// # Errors
/// Why it cannot be used.
pub fn read(bytes: &[u8], found: &Found) -> Result<Description, String> {
    let (text, changed) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => {
            (String::from_utf8_lossy(bytes).into_owned(), Some("bytes that are no UTF-8 were replaced"))
        }
    };
    let inside = inside_info(&text).ok_or("it is no description: there is no <info> in it")?;
    let described = net::read_description(&text).ok_or("it does not say what the stream is")?;
    let agrees = described.uid == found.uid
        && described.channel_count == found.channel_count
        && described.format == found.format;
    if !agrees {
        return Err("it is the description of another stream".to_owned());
    }
    Ok(Description { inside: inside.to_owned(), changed })
}

/// The header of a stream whose description cannot be had, from what it announces.
pub fn announced(found: &Found) -> Description {
    let mut inside = String::new();
    let port = |at: Option<std::net::SocketAddr>, v6: bool| {
        at.filter(|at| at.is_ipv6() == v6).map_or(0, |at| at.port()).to_string()
    };
    let elements = [
        ("name", found.name.clone()),
        ("type", found.kind.clone()),
        ("channel_count", found.channel_count.to_string()),
        ("channel_format", format_name(found.format).to_owned()),
        ("source_id", found.source_id.clone()),
        ("nominal_srate", found.nominal_rate_hz.to_string()),
        ("version", "1.10".to_owned()),
        ("created_at", found.created_at_s.to_string()),
        ("uid", found.uid.clone()),
        ("session_id", found.session_id.clone()),
        ("hostname", found.hostname.clone()),
        ("v4address", String::new()),
        ("v4data_port", port(found.data, false)),
        ("v4service_port", port(found.time_service, false)),
        ("v6address", String::new()),
        ("v6data_port", port(found.data, true)),
        ("v6service_port", port(found.time_service, true)),
    ];
    for (name, text) in elements {
        inside.push_str(&format!("<{name}>{}</{name}>", xml_text(&text)));
    }
    inside.push_str("<desc></desc>");
    Description { inside, changed: Some("only what the stream announces is known of it") }
}

/// The name of a format, as LSL and XDF write it.
pub fn format_name(format: lockstep_plugin_api::Format) -> &'static str {
    use lockstep_plugin_api::Format;
    match format {
        Format::Float32 => "float32",
        Format::Double64 => "double64",
        Format::String => "string",
        Format::Int32 => "int32",
        Format::Int16 => "int16",
        Format::Int8 => "int8",
        Format::Int64 => "int64",
    }
}

fn inside_info(xml: &str) -> Option<&str> {
    let begin = xml.find("<info")?;
    let begin = begin + xml.get(begin..)?.find('>')? + 1;
    let end = xml.rfind("</info>")?;
    xml.get(begin..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::found::sample;

    fn described(found: &Found, desc: &str) -> String {
        let inside = announced(found).inside.replace("<desc></desc>", desc);
        format!("<?xml version=\"1.0\"?>\n<info>{inside}</info>\n")
    }

    #[test]
    fn what_stands_inside_is_kept_as_it_is() {
        let found = Found { name: "a < b & c".to_owned(), ..sample("x", "EEG") };
        let desc = "<desc>\n\t<maker a=\"1\">  two  <!-- so --> &amp; <![CDATA[<x>]]></maker></desc>";
        let xml = described(&found, desc);
        let description = read(xml.as_bytes(), &found).expect("a description");
        assert!(description.inside.ends_with(desc));
        assert!(description.inside.starts_with("<name>a &lt; b &amp; c</name>"));
        assert_eq!(description.changed, None);
    }

    #[test]
    fn what_is_not_of_this_stream_is_refused() {
        let found = sample("x", "EEG");
        assert!(read(b"nothing", &found).is_err());
        assert!(read(b"<info>", &found).is_err());
        let other = Found { uid: "other".to_owned(), ..found.clone() };
        assert!(
            read(described(&other, "<desc/>").as_bytes(), &found).unwrap_err().contains("another stream")
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_said() {
        let found = sample("x", "EEG");
        let mut xml = described(&found, "<desc><a>?</a></desc>").into_bytes();
        let at = xml.iter().rposition(|&b| b == b'?').expect("the mark");
        xml[at] = 0xff;
        let description = read(&xml, &found).expect("a description");
        assert!(description.inside.contains('\u{fffd}') && description.changed.is_some());
    }

    proptest! {
        #[test]
        fn no_description_makes_it_panic(text in ".{0,200}", raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let found = sample("x", "EEG");
            let _ = read(&raw, &found);
            let _ = read(described(&found, &text).as_bytes(), &found);
        }
    }
}
