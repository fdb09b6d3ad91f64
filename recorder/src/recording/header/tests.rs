//! Headers the recorder makes, and headers that streams came with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockstep_clock::{Reading, Stamp};
use lockstep_xdf::ChannelFormat;
use lockstep_xdf::part::recorders_part;

use super::super::clock::Domain;
use super::super::stream::{Budget, Role, StreamIntake};
use super::*;

fn spec(name: &str, clock: Option<Arc<ClockIntake>>) -> StreamSpec {
    StreamSpec {
        source: "LSL".to_owned(),
        name: name.to_owned(),
        label: name.to_owned(),
        kind: "EEG".to_owned(),
        format: ChannelFormat::Float32,
        channel_count: 1,
        nominal_rate_hz: 0.0,
        may_be_silent: false,
        clock,
        role: Role::Data,
    }
}

/// A clock whose exchanges are stream 7.
fn clock() -> Arc<ClockIntake> {
    let reading = Reading { resolution_s: 0.0, stamp: Stamp::Exact };
    let spec_of = ClockSpec {
        name: "lab-pc".to_owned(),
        domain: Domain::Monotonic,
        reading,
        interval_s: None,
        desc: Vec::new(),
    };
    let companion = StreamIntake::new(7, spec("lab-pc", None), String::new(), Budget::new(1));
    Arc::new(ClockIntake::new(spec_of, Arc::new(companion)))
}

/// The header of a stream that came with `xml`.
fn kept(xml: &str, clock: Option<Arc<ClockIntake>>, configured: &SourceHeader) -> String {
    let mut origin = Element::new("info");
    origin.children = lockstep_xdf::xml::parse_inside(xml, 1).expect("XML");
    let details = HeaderDetails { origin: Some(origin), ..HeaderDetails::default() };
    stream_header(&Identity::default(), &spec("EEG", clock), details, configured)
}

fn facts() -> SourceHeader {
    SourceHeader { acquisition: vec![("source".to_owned(), "LSL".to_owned())], ..SourceHeader::default() }
}

const FIELDS: &str = "<name>EEG</name><type>EEG</type><channel_count>1</channel_count>\
                      <channel_format>float32</channel_format>";

/// A header as amplifiers write them: nested, with values of white space, attributes, entities and
/// CDATA, and elements of names the recorder has a meaning for.
#[test]
fn a_header_a_stream_came_with_stays_as_it_is_and_the_recorder_has_its_own_part() {
    let desc = "<manufacturer>M &amp; S &lt;GmbH&gt;</manufacturer>\
                <channels><channel n=\"1\" q=\"&quot;&#10;\"><label>  Cz </label><unit/></channel>\
                <channel><label>Größe</label></channel></channels>\
                <clock><name>their own</name><stream_id>3</stream_id></clock>\
                <acquisition><model>X1</model><source>theirs</source></acquisition>\
                <synchronization><offset_mean>0.01</offset_mean></synchronization>\
                <lockstep><acquisition><source>of a replay</source></acquisition>\
                <clock><name>of a replay</name></clock></lockstep>";
    let fields = format!("{FIELDS}<uid>u</uid><v4address>10.0.0.1</v4address>");
    let header = kept(&format!("{fields}<desc>{desc}</desc><after>1</after>"), Some(clock()), &facts());
    let ours = "<lockstep><acquisition><source>LSL</source></acquisition>\
                <clock><name>lab-pc</name><stream_id>7</stream_id></clock></lockstep>";
    let expected =
        format!("<?xml version=\"1.0\"?><info>{fields}<desc>{desc}{ours}</desc><after>1</after></info>");
    assert_eq!(header, expected);
    let info = StreamInfo::parse(&header).expect("a header");
    assert_eq!(recorders_part(&info.desc).text_at("clock/stream_id"), Some("7"));
}

#[test]
fn cdata_and_white_space_of_values_are_kept_and_that_between_elements_is_not() {
    let xml = format!(
        "{FIELDS}\n\t<desc>\n\t\t<note><![CDATA[a < b & c]]> \n d</note>\n\t\t<!-- gone --><blank>  </blank>\n\t</desc>"
    );
    let header = kept(&xml, None, &SourceHeader::default());
    let desc =
        "<desc><note>a &lt; b &amp; c \n d</note><blank>  </blank><lockstep><acquisition/></lockstep></desc>";
    assert!(header.ends_with(&format!("{desc}</info>")), "{header}");
}

/// The recorder's part is there even when there is nothing to say: else the clock of another system
/// would be looked for in this file.
#[test]
fn a_clock_of_its_own_is_not_taken_for_the_recorders() {
    let xml = format!("{FIELDS}<desc><clock><name>their own</name></clock></desc>");
    let info = StreamInfo::parse(&kept(&xml, None, &SourceHeader::default())).expect("a header");
    assert_eq!(recorders_part(&info.desc).text_at("clock/name"), None);
    assert_eq!(info.desc.text_at("clock/name"), Some("their own"));
    // Without a desc, and with an empty one.
    for xml in [FIELDS.to_owned(), format!("{FIELDS}<desc />")] {
        let info = StreamInfo::parse(&kept(&xml, Some(clock()), &facts())).expect("a header");
        assert_eq!(recorders_part(&info.desc).text_at("clock/name"), Some("lab-pc"));
        assert_eq!(info.desc.text_at("lockstep/acquisition/source"), Some("LSL"));
    }
}

#[test]
fn only_known_timing_that_the_configuration_states_is_put_where_readers_look_for_it() {
    let stated = SourceHeader {
        synchronization: SyncInfo { offset_mean_s: Some(0.042), ..SyncInfo::default() },
        ..SourceHeader::default()
    };
    let xml = format!(
        "{FIELDS}<desc><synchronization><offset_mean>0.5</offset_mean><offset_rms>0.1</offset_rms>\
         </synchronization></desc>"
    );
    let info = StreamInfo::parse(&kept(&xml, None, &stated)).expect("a header");
    let at = |path: &str| info.desc.text_at(path).map(str::to_owned);
    assert_eq!(at("synchronization/offset_mean").as_deref(), Some("0.042"));
    assert_eq!(at("synchronization/offset_rms").as_deref(), Some("0.1"));
    assert_eq!(at("synchronization/can_drop_samples"), None, "nobody stated it");
    let header = kept(FIELDS, None, &SourceHeader::default());
    assert!(!header.contains("synchronization"), "{header}");
}

/// Megabytes of every shape: many elements, many attributes, one long text, deep nesting. A step that
/// looks at everything before it would take minutes.
#[test]
fn large_headers_are_made_in_no_time() {
    let channels: String = (0..15_000)
        .map(|n| format!("<channel><label>C{n}</label><unit>microvolts</unit><type>EEG</type></channel>"))
        .collect();
    let attributes: String = (0..80_000).map(|n| format!(" a{n}=\"{n}\"")).collect();
    let nested = "<a>".repeat(59) + "<a/>" + &"</a>".repeat(59);
    for desc in [
        format!("<channels>{channels}</channels>"),
        format!("<many{attributes}/>"),
        format!("<text>{}</text>", "&amp;x ".repeat(200_000)),
        nested.repeat(2_400),
        "<clock/>".repeat(130_000),
    ] {
        assert!(desc.len() > 1_000_000, "{}", desc.len());
        let begun = Instant::now();
        let header = kept(&format!("{FIELDS}<desc>{desc}</desc>"), Some(clock()), &facts());
        assert!(header.contains(&desc) && StreamInfo::parse(&header).is_ok());
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_the_configuration_states_goes_over_what_the_plugin_stated() {
    let spec = StreamSpec {
        source: "cam".to_owned(),
        name: "frames".to_owned(),
        label: "frames".to_owned(),
        kind: "Video".to_owned(),
        format: ChannelFormat::Int64,
        channel_count: 1,
        nominal_rate_hz: 30.0,
        may_be_silent: false,
        clock: None,
        role: Role::Data,
    };
    let xml = "<synchronization><offset_mean>0.5</offset_mean><can_drop_samples>true</can_drop_samples>\
               </synchronization><acquisition><model>old</model><lens>f2</lens></acquisition>";
    let details = HeaderDetails {
        desc: lockstep_xdf::xml::parse_fragment(xml).expect("XML"),
        synchronization: SyncInfo { offset_rms_s: Some(0.1), ..SyncInfo::default() },
        ..HeaderDetails::default()
    };
    let configured = SourceHeader {
        synchronization: SyncInfo { offset_mean_s: Some(0.042), ..SyncInfo::default() },
        acquisition: vec![("model".to_owned(), "new".to_owned())],
    };
    let header = stream_header(&Identity::default(), &spec, details, &configured);
    let info = StreamInfo::parse(&header).expect("a header");
    let at = |path: &str| info.desc.text_at(path).map(str::to_owned);
    assert_eq!(at("synchronization/offset_mean").as_deref(), Some("0.042"));
    assert_eq!(at("synchronization/offset_rms").as_deref(), Some("0.1"));
    assert_eq!(at("synchronization/can_drop_samples").as_deref(), Some("true"));
    assert_eq!(at("synchronization/offset_median"), None, "nobody stated it");
    assert_eq!(at("acquisition/model").as_deref(), Some("new"));
    assert_eq!(at("acquisition/lens").as_deref(), Some("f2"));
    assert_eq!(header.matches("<synchronization>").count(), 1);
}
