//! The XML of a StreamHeader chunk: what a stream is.

use crate::format::ChannelFormat;
use crate::number;
use crate::xml::{Element, XmlError};

/// Elements that a live LSL stream fills with its network address; written empty.
const ADDRESS_FIELDS: [&str; 6] =
    ["v4address", "v4data_port", "v4service_port", "v6address", "v6data_port", "v6service_port"];

/// What a stream's header says, with LSL's meaning of each field.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// `<name>`: the stream's name.
    pub name: String,
    /// `<type>`: what kind of data it is, such as "EEG", "Gaze" or "Markers".
    pub kind: String,
    /// `<channel_count>`: values per sample.
    pub channel_count: usize,
    /// `<nominal_srate>`: samples per second as promised, 0 for an irregular stream.
    pub nominal_rate_hz: f64,
    /// `<channel_format>`: format of every value.
    pub format: ChannelFormat,
    /// `<source_id>`: names the device or program, the same in every recording.
    pub source_id: String,
    /// `<version>`: version of the LSL protocol the header follows.
    pub version: String,
    /// `<created_at>`: when the stream was made, in seconds of the recorder's clock.
    pub created_at_s: f64,
    /// `<uid>`: unique to this run of the stream.
    pub uid: String,
    /// `<session_id>`: separates recordings on one network.
    pub session_id: String,
    /// `<hostname>`: the machine the stream comes from.
    pub hostname: String,
    /// `<desc>`: everything else; channels, acquisition, synchronization. Written under the name
    /// `desc` whatever its own.
    pub desc: Element,
}

/// Why the XML of a stream's header or footer is of no use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// It is no XML.
    #[error("not XML that can be read: {0}")]
    Xml(#[from] XmlError),
    /// The outermost element is another one.
    #[error("the outermost element is <{found}>, not <info>")]
    NotInfo {
        /// Name of the outermost element.
        found: String,
    },
    /// A field without which no sample can be read is missing.
    #[error("<{field}> is missing")]
    Missing {
        /// The element's name.
        field: &'static str,
    },
    /// A field without which no sample can be read holds something else.
    #[error("<{field}> is \"{value}\", not {expected}")]
    Invalid {
        /// The element's name.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it can hold.
        expected: &'static str,
    },
}

impl StreamInfo {
    /// A stream with these properties; every other field empty, except `version` "1.1" and
    /// `session_id` "default".
    pub fn new(
        name: impl Into<String>,
        kind: impl Into<String>,
        channel_count: usize,
        nominal_rate_hz: f64,
        format: ChannelFormat,
    ) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            channel_count,
            nominal_rate_hz,
            format,
            source_id: String::new(),
            version: "1.1".to_owned(),
            created_at_s: 0.0,
            uid: String::new(),
            session_id: "default".to_owned(),
            hostname: String::new(),
            desc: Element::new("desc"),
        }
    }

    /// The content of a StreamHeader chunk, in LSL's order of elements.
    pub fn to_xml(&self) -> String {
        let fields = [
            ("name", self.name.clone()),
            ("type", self.kind.clone()),
            ("channel_count", self.channel_count.to_string()),
            ("channel_format", self.format.to_string()),
            ("source_id", self.source_id.clone()),
            ("nominal_srate", number::text(self.nominal_rate_hz)),
            ("version", self.version.clone()),
            ("created_at", number::text(self.created_at_s)),
            ("uid", self.uid.clone()),
            ("session_id", self.session_id.clone()),
            ("hostname", self.hostname.clone()),
        ];
        let mut info = Element::new("info");
        for (name, text) in fields {
            info.push_child(Element::new(name).with_text(text));
        }
        for name in ADDRESS_FIELDS {
            info.push_child(Element::new(name));
        }
        let mut desc = self.desc.clone();
        "desc".clone_into(&mut desc.name);
        info.push_child(desc);
        info.to_xml()
    }

    /// Reads the content of a StreamHeader chunk.
    ///
    /// Only `channel_count` and `channel_format` are required. Other fields that are missing are
    /// empty; so is a `created_at` that is no number (0). Fields not in [`StreamInfo`] are left
    /// out. Of a field that is there twice the first counts.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn parse(xml: &str) -> Result<Self, HeaderError> {
        Self::from_element(&Element::parse(xml)?)
    }

    /// Reads the element `info` of a StreamHeader chunk, as [`StreamInfo::parse`].
    ///
    /// # Errors
    /// [`HeaderError`], but for XML that cannot be read.
    pub fn from_element(info: &Element) -> Result<Self, HeaderError> {
        if info.name != "info" {
            return Err(HeaderError::NotInfo { found: info.name.clone() });
        }
        let text = |field: &str| info.text_at(field).unwrap_or_default().to_owned();
        let required = |field: &'static str| {
            let value = info.text_at(field).map(str::trim);
            value.ok_or(HeaderError::Missing { field })
        };
        let count = required("channel_count")?;
        let format = required("channel_format")?;
        let rate = info.text_at("nominal_srate").unwrap_or_default().trim();
        Ok(Self {
            name: text("name"),
            kind: text("type"),
            channel_count: count.parse().map_err(|_| invalid("channel_count", count, "a whole number"))?,
            nominal_rate_hz: match rate {
                "" => 0.0,
                rate => rate.parse().map_err(|_| invalid("nominal_srate", rate, "a number"))?,
            },
            format: ChannelFormat::parse(format).ok_or_else(|| {
                let expected = "int8, int16, int32, int64, float32, double64 or string";
                invalid("channel_format", format, expected)
            })?,
            source_id: text("source_id"),
            version: text("version"),
            created_at_s: text("created_at").trim().parse().unwrap_or(0.0),
            uid: text("uid"),
            session_id: text("session_id"),
            hostname: text("hostname"),
            desc: info.child("desc").cloned().unwrap_or_else(|| Element::new("desc")),
        })
    }
}

fn invalid(field: &'static str, value: &str, expected: &'static str) -> HeaderError {
    HeaderError::Invalid { field, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_elements_are_in_lsls_order() {
        let xml = StreamInfo::new("N", "T", 2, 1000.0, ChannelFormat::Int16).to_xml();
        let info = Element::parse(&xml).unwrap();
        let names: Vec<_> = info.children.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "name type channel_count channel_format source_id nominal_srate version created_at uid \
             session_id hostname v4address v4data_port v4service_port v6address v6data_port \
             v6service_port desc"
        );
        assert_eq!(info.text_at("nominal_srate"), Some("1000"));
    }

    #[test]
    fn an_irregular_stream_says_rate_zero() {
        let xml = StreamInfo::new("N", "T", 1, 0.0, ChannelFormat::String).to_xml();
        assert!(xml.contains("<nominal_srate>0</nominal_srate>"));
    }

    #[test]
    fn count_and_format_are_enough() {
        let xml = "<info><channel_format> float32 </channel_format><channel_count>\n3\n\
                   </channel_count><other>x</other></info>";
        let info = StreamInfo::parse(xml).unwrap();
        assert_eq!(info.channel_count, 3);
        assert_eq!(info.format, ChannelFormat::Float32);
        assert_eq!(info.nominal_rate_hz, 0.0);
        assert_eq!(info.desc, Element::new("desc"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (xml, expected) in [
            ("<info/>", "<channel_count> is missing"),
            ("<info><channel_count>2</channel_count></info>", "<channel_format> is missing"),
            (
                "<info><channel_count>two</channel_count><channel_format>int8</channel_format></info>",
                "<channel_count> is \"two\", not a whole number",
            ),
            (
                "<info><channel_count>2</channel_count><channel_format>float</channel_format></info>",
                "<channel_format> is \"float\", not int8",
            ),
            (
                "<info><channel_count>2</channel_count><channel_format>int8</channel_format>\
                 <nominal_srate>fast</nominal_srate></info>",
                "<nominal_srate> is \"fast\", not a number",
            ),
            ("<stream/>", "is <stream>, not <info>"),
            ("<info>", "line 1, column 7: <info> is not closed"),
        ] {
            let message = StreamInfo::parse(xml).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[^\\p{Cc}\u{FFFE}\u{FFFF}]{0,20}",
            kind in "[<>&\"' \n\ta-z]{0,20}",
            channel_count in 0usize..,
            rate_bits: u64,
            created_at_s in prop::num::f64::ANY,
            format in prop::sample::select(ChannelFormat::ALL.to_vec()),
        ) {
            let rate = f64::from_bits(rate_bits);
            prop_assume!(!rate.is_nan() && !created_at_s.is_nan());
            let mut info = StreamInfo::new(name, kind, channel_count, rate, format);
            info.created_at_s = created_at_s;
            info.desc.push_child(Element::new("channels").with_attribute("n", "1\n2"));
            let back = StreamInfo::parse(&info.to_xml()).unwrap();
            prop_assert_eq!(back.nominal_rate_hz.to_bits(), rate_bits);
            prop_assert_eq!(back, info);
        }
    }
}
