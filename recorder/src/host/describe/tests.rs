//! Descriptions of streams, given as plugins give them: of version 1.1, and of 1.0.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::*;
use crate::host::testing::{source, stream_info};
use crate::recording::intake::SourceIntake;
use crate::recording::notice::Notice;

struct Host {
    table: *const sys::Host,
    source: Arc<SourceIntake>,
    shown: Receiver<Notice>,
}

impl Host {
    fn new() -> Self {
        let (table, source, shown) = source();
        Self { table: table.as_ptr(), source, shown }
    }

    fn add(&self, info: &sys::StreamInfo) -> sys::Status {
        // SAFETY: the table is never freed, and all that `info` points to lives for the call.
        unsafe { ((*self.table).add_stream.expect("there"))((*self.table).ctx, info, &mut 0) }
    }

    fn told(&self) -> String {
        self.shown.try_iter().last().map(|n| n.text).unwrap_or_default()
    }

    /// Labels and names, as they were taken.
    fn labels(&self) -> Vec<(String, String)> {
        self.source.streams.iter().map(|s| (s.spec.label.clone(), s.spec.name.clone())).collect()
    }
}

fn info(name: &str) -> sys::StreamInfo {
    let plain = stream_info(sys::Str::new(name), sys::INT16);
    sys::StreamInfo { channel_count: 2, nominal_rate_hz: 100.0, ..plain }
}

const ORIGIN: &str = "<name>EEG</name><type>EEG</type><channel_count>2</channel_count>\
                      <channel_format>int16</channel_format><nominal_srate>100.0000000000000</nominal_srate>\
                      <desc><channels/></desc>";

#[test]
fn streams_may_share_a_name_and_not_a_label() {
    let host = Host::new();
    assert_eq!(host.add(&info("EEG")), sys::OK);
    assert_eq!(host.add(&info("EEG")), sys::EINVAL);
    assert!(host.told().contains("already one of this name or label"));
    let second = sys::StreamInfo { label: sys::Str::new("EEG (lab2)"), ..info("EEG") };
    assert_eq!(host.add(&second), sys::OK);
    assert_eq!(host.add(&second), sys::EINVAL);
    // A label is what the operator sees, and so is a name without one.
    assert_eq!(host.add(&sys::StreamInfo { label: sys::Str::new("a\u{1b}[2J\nb"), ..info("x") }), sys::OK);
    let owned = |texts: (&str, &str)| (texts.0.to_owned(), texts.1.to_owned());
    let expected = [("EEG", "EEG"), ("EEG (lab2)", "EEG"), ("a\u{fffd}[2J b", "x")].map(owned);
    assert_eq!(host.labels(), expected);
    assert!(
        host.source.streams.iter().all(|s| s.header_xml.contains(&format!("<name>{}</name>", s.spec.name)))
    );
    assert_eq!(host.add(&sys::StreamInfo { label: sys::Str::EMPTY, ..info("") }), sys::EINVAL);
}

#[test]
fn what_a_plugin_of_1_0_does_not_know_is_not_given() {
    let host = Host::new();
    let old = sys::StreamInfo {
        struct_size: <sys::StreamInfo as sys::Versioned>::BYTES_1_0 as u32,
        may_be_silent: 7,
        label: sys::Str { ptr: std::ptr::without_provenance(1), len: usize::MAX },
        origin_xml: sys::Str { ptr: std::ptr::without_provenance(1), len: usize::MAX },
        ..info("old")
    };
    assert_eq!(host.add(&old), sys::OK);
    let silent = sys::StreamInfo { may_be_silent: 1, ..info("markers") };
    assert_eq!(host.add(&silent), sys::OK);
    let taken: Vec<bool> = host.source.streams.iter().map(|s| s.spec.may_be_silent).collect();
    assert_eq!(taken, [false, true]);
    assert_eq!(host.labels()[0].0, "old");
}

#[test]
fn the_header_a_stream_came_with_is_its_header() {
    let host = Host::new();
    let given = sys::StreamInfo { origin_xml: sys::Str::new(ORIGIN), ..info("EEG") };
    assert_eq!(host.add(&given), sys::OK, "{}", host.told());
    let header = &host.source.streams.get(1).expect("a stream").header_xml;
    assert!(header.contains("<nominal_srate>100.0000000000000</nominal_srate><desc><channels/><lockstep>"));
}

#[test]
fn a_header_that_does_not_say_what_the_plugin_says_is_refused_with_both() {
    let host = Host::new();
    let wrong = |from: &str, to: &str| ORIGIN.replace(from, to);
    let deep = format!("{ORIGIN}{}{}", "<a>".repeat(64), "</a>".repeat(64));
    for (xml, told) in [
        (wrong("<name>EEG", "<name>ECG"), "it says <name> is \"ECG\", and the plugin says \"EEG\""),
        (wrong("<channel_count>2", "<channel_count>3"), "<channel_count> is 3, and the plugin says 2"),
        (wrong(">int16", ">int32"), "<channel_format> is int32, and the plugin says int16"),
        (wrong(">100.0", ">250.0"), "<nominal_srate> is 250, and the plugin says 100"),
        (wrong(">100.0000000000000", ">NaN"), "<nominal_srate> is NaN"),
        (wrong("<channel_count>2</channel_count>", ""), "<channel_count> is missing"),
        (wrong("</desc>", ""), "not well formed: line 1"),
        (deep, "nested deeper"),
        (format!("{ORIGIN}</info><info>"), "not well formed"),
    ] {
        let given = sys::StreamInfo { origin_xml: sys::Str::new(&xml), ..info("EEG") };
        assert_eq!(host.add(&given), sys::EINVAL, "{xml}");
        let line = host.told();
        assert!(line.contains(told) && line.contains("origin_xml of stream \"EEG\""), "{line}");
    }
    let twice = sys::StreamInfo {
        origin_xml: sys::Str::new(ORIGIN),
        desc_xml: sys::Str::new("<more/>"),
        ..info("EEG")
    };
    assert_eq!(host.add(&twice), sys::EINVAL);
    assert!(host.told().contains("cannot be given beside origin_xml"));
    let long = format!("{ORIGIN}<a>{}</a>", "x".repeat(MAX_ORIGIN_BYTES));
    let long = sys::StreamInfo { origin_xml: sys::Str::new(&long), ..info("EEG") };
    assert_eq!(host.add(&long), sys::ENOMEM);
    assert_eq!(host.source.streams.iter().count(), 0);
}
