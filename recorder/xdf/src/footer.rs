//! The XML of a StreamFooter chunk: what is known of a stream at its end.

use crate::header::HeaderError;
use crate::number;
use crate::xml::Element;

/// What a stream's footer says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamFooter {
    /// `<first_timestamp>`: stamp of the first sample in seconds, `None` without samples.
    pub first_timestamp_s: Option<f64>,
    /// `<last_timestamp>`: stamp of the last sample in seconds, `None` without samples.
    pub last_timestamp_s: Option<f64>,
    /// `<sample_count>`: samples in the file.
    pub sample_count: u64,
    /// `<measured_srate>`: the effective rate in samples per second, if it is known.
    pub measured_rate_hz: Option<f64>,
    /// `<clock_offsets>`: collection time and offset in seconds of every ClockOffset chunk.
    pub clock_offsets: Vec<(f64, f64)>,
    /// Any other elements, after the ones above.
    pub extra: Vec<Element>,
}

impl StreamFooter {
    /// The content of a StreamFooter chunk.
    ///
    /// The format requires both stamps, so a stream without samples says 0 for them, like the
    /// reference recorder's.
    pub fn to_xml(&self) -> String {
        let field = |name: &str, text: String| Element::new(name).with_text(text);
        let stamp = |stamp_s: Option<f64>| number::text(stamp_s.unwrap_or(0.0));
        let mut info = Element::new("info")
            .with_child(field("first_timestamp", stamp(self.first_timestamp_s)))
            .with_child(field("last_timestamp", stamp(self.last_timestamp_s)))
            .with_child(field("sample_count", self.sample_count.to_string()));
        if let Some(rate_hz) = self.measured_rate_hz {
            info.push_child(field("measured_srate", number::text(rate_hz)));
        }
        let mut offsets = Element::new("clock_offsets");
        for &(collection_time_s, offset_s) in &self.clock_offsets {
            offsets.push_child(
                Element::new("offset")
                    .with_child(field("time", number::text(collection_time_s)))
                    .with_child(field("value", number::text(offset_s))),
            );
        }
        info.push_child(offsets);
        info.children.extend(self.extra.iter().cloned());
        info.to_xml()
    }

    /// Reads the content of a StreamFooter chunk.
    ///
    /// Nothing is required: a missing count is 0, a missing stamp or rate is `None`, and both
    /// stamps are `None` if the count is 0. Clock offsets without a time or a value are left out.
    ///
    /// # Errors
    /// [`HeaderError`] for XML that cannot be read and for a field that holds no number.
    pub fn parse(xml: &str) -> Result<Self, HeaderError> {
        let info = Element::parse(xml)?;
        if info.name != "info" {
            return Err(HeaderError::NotInfo { found: info.name });
        }
        let sample_count = number_at(&info, "sample_count", "a whole number")?.unwrap_or(0);
        let stamp = |field| {
            let stamp_s: Result<Option<f64>, _> = number_at(&info, field, "a number");
            stamp_s.map(|stamp_s| stamp_s.filter(|_| sample_count > 0))
        };
        Ok(Self {
            first_timestamp_s: stamp("first_timestamp")?,
            last_timestamp_s: stamp("last_timestamp")?,
            sample_count,
            measured_rate_hz: number_at(&info, "measured_srate", "a number")?,
            clock_offsets: info.child("clock_offsets").map_or_else(Vec::new, offsets),
            extra: info.children.into_iter().filter(|child| !is_own_field(&child.name)).collect(),
        })
    }
}

fn is_own_field(name: &str) -> bool {
    matches!(name, "first_timestamp" | "last_timestamp" | "sample_count" | "measured_srate" | "clock_offsets")
}

/// The number in a field; `None` if it is missing or empty.
fn number_at<T: std::str::FromStr>(
    info: &Element,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<T>, HeaderError> {
    match info.text_at(field).unwrap_or_default().trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| HeaderError::Invalid {
            field,
            value: text.to_owned(),
            expected,
        }),
    }
}

fn offsets(list: &Element) -> Vec<(f64, f64)> {
    let number = |offset: &Element, name| offset.text_at(name)?.trim().parse().ok();
    list.children
        .iter()
        .filter(|child| child.name == "offset")
        .filter_map(|offset| Some((number(offset, "time")?, number(offset, "value")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stream_without_samples_has_stamps_of_zero() {
        let xml = StreamFooter::default().to_xml();
        assert_eq!(
            xml,
            "<?xml version=\"1.0\"?><info><first_timestamp>0</first_timestamp>\
             <last_timestamp>0</last_timestamp><sample_count>0</sample_count><clock_offsets/></info>"
        );
        assert_eq!(StreamFooter::parse(&xml).unwrap(), StreamFooter::default());
    }

    #[test]
    fn a_field_without_a_number_is_named() {
        let xml = "<info><sample_count>-1</sample_count></info>";
        let message = StreamFooter::parse(xml).unwrap_err().to_string();
        assert!(message.contains("<sample_count> is \"-1\", not a whole number"), "{message}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            stamps in prop::array::uniform2(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO),
            sample_count in 1u64..,
            measured_rate_hz in prop::option::of(prop::num::f64::POSITIVE),
            clock_offsets in prop::collection::vec((prop::num::f64::NORMAL, prop::num::f64::NORMAL), 0..5),
        ) {
            let footer = StreamFooter {
                first_timestamp_s: Some(stamps[0]),
                last_timestamp_s: Some(stamps[1]),
                sample_count,
                measured_rate_hz,
                clock_offsets,
                extra: vec![Element::new("dropped").with_text("3")],
            };
            prop_assert_eq!(StreamFooter::parse(&footer.to_xml()).unwrap(), footer);
        }
    }
}
