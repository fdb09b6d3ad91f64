//! XML of headers and footers: what is read can be written and read again, and is bounded by the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockstep_xdf::{Element, StreamFooter, StreamInfo, xml};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(element) = Element::parse(&text) {
        assert!(nodes(&element) <= data.len() && depth(&element) <= xml::MAX_DEPTH);
        let written = element.to_xml();
        let again = Element::parse(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        // Names and characters that XML does not have are replaced the first time, and then no more.
        assert_eq!(again.to_xml(), written);
    }
    if let Ok(inside) = xml::parse_inside(&text, 2) {
        let desc = inside.into_iter().fold(Element::new("desc"), Element::with_child);
        let info = Element::new("info").with_child(desc).to_xml();
        Element::parse(&info).unwrap_or_else(|error| panic!("what is taken can be read there: {error}"));
    }
    if let Ok(info) = StreamInfo::parse(&text) {
        let again = StreamInfo::parse(&info.to_xml()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((again.channel_count, again.format), (info.channel_count, info.format));
        assert_eq!(again.nominal_rate_hz.to_bits(), info.nominal_rate_hz.to_bits());
    }
    if let Ok(footer) = StreamFooter::parse(&text) {
        let again = StreamFooter::parse(&footer.to_xml()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.sample_count, footer.sample_count);
        assert_eq!(again.clock_offsets.len(), footer.clock_offsets.len());
    }
});

fn nodes(element: &Element) -> usize {
    1 + element.attributes.len() + element.children.iter().map(nodes).sum::<usize>()
}

fn depth(element: &Element) -> usize {
    1 + element.children.iter().map(depth).max().unwrap_or(0)
}
