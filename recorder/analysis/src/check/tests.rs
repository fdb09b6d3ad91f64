//! Checks of files made here: whole ones, and the same with one thing wrong.

use std::path::Path;

use lockstep_xdf::{ChannelFormat, Element, SampleBlock, SampleEncoder, StreamFooter, StreamInfo, encode};
use proptest::prelude::*;

use super::*;

/// Something done to a list of pairs.
type Change<'a> = &'a dyn Fn(&mut Vec<(f64, f64)>);

/// What a test changes about a file.
#[derive(Debug, Clone)]
struct Made {
    header: &'static str,
    /// Stamps of the stream `eeg` (id 2), 50 a chunk.
    stamps: Vec<f64>,
    offsets: Vec<(f64, f64)>,
    footer_samples: Option<u64>,
    lost: u64,
    required: &'static str,
    exchanges: Vec<[f64; 4]>,
}

const LOCKSTEP: &str = "<info><version>1.0</version><recorder>Lockstep 0.1.0</recorder></info>";
const LAB_RECORDER: &str = "<info><version>1.0</version><datetime>2026-01-01T00:00:00+0000</datetime></info>";

impl Made {
    /// 500 samples at 100 Hz of a device 50 s behind, measured each second.
    fn whole() -> Self {
        let exchanges: Vec<[f64; 4]> = (0..6)
            .map(|k| {
                let t0 = 99.5 + f64::from(k);
                [t0, t0 + 0.001 - 50.0, t0 + 0.001 - 50.0, t0 + 0.002]
            })
            .collect();
        Self {
            header: LOCKSTEP,
            stamps: (0..500).map(|k| 50.0 + f64::from(k) * 0.01).collect(),
            offsets: exchanges.iter().map(|e| (e[1], 0.5 * ((e[0] - e[1]) + (e[3] - e[2])))).collect(),
            footer_samples: Some(500),
            lost: 0,
            required: "eeg",
            exchanges,
        }
    }

    /// The same without exchanges, as LabRecorder would have written it.
    fn lab_recorder() -> Self {
        Self { header: LAB_RECORDER, exchanges: Vec::new(), required: "", ..Self::whole() }
    }

    fn bytes(&self) -> Vec<u8> {
        let texts = |name: &str, children: &[(&str, &str)]| {
            let mut out = Element::new(name);
            children.iter().for_each(|(name, text)| out.push_child(Element::new(*name).with_text(*text)));
            out
        };
        let mut out = Vec::new();
        encode::file_header(&mut out, self.header);
        let mut eeg = StreamInfo::new("eeg", "EEG", 1, 100.0, ChannelFormat::Float32);
        if !self.required.is_empty() {
            let mut events =
                StreamInfo::new("Lockstep Events", "RecorderEvents", 1, 0.0, ChannelFormat::String);
            let config = format!("[[source]]\nname = \"{}\"\nplugin = \"udp\"\n", self.required);
            events.desc.push_child(texts("lockstep", &[("configuration_toml", &config)]));
            encode::stream_header(&mut out, 1, &events.to_xml());
            eeg.desc.push_child(texts("acquisition", &[("source", "eeg")]));
        }
        if !self.exchanges.is_empty() {
            eeg.desc.push_child(texts("clock", &[("name", "amp"), ("stream_id", "3")]));
            let mut info = StreamInfo::new("amp", "ClockExchange", 4, 0.0, ChannelFormat::Double64);
            info.desc.push_child(texts("clock", &[("name", "amp"), ("domain", "device")]));
            encode::stream_header(&mut out, 3, &info.to_xml());
        }
        encode::stream_header(&mut out, 2, &eeg.to_xml());
        let mut encoder = SampleEncoder::new(eeg.format, 1, 100.0);
        for stamps in self.stamps.chunks(50) {
            let values: Vec<u8> = stamps.iter().flat_map(|s| (*s as f32).to_ne_bytes()).collect();
            encoder.push(stamps, &values).unwrap();
            encode::samples(&mut out, 2, &encoder.take(SampleBlock::default()));
        }
        for (time_s, value_s) in &self.offsets {
            encode::clock_offset(&mut out, 2, *time_s, *value_s);
        }
        if !self.exchanges.is_empty() {
            let mut encoder = SampleEncoder::new(ChannelFormat::Double64, 4, 0.0);
            for exchange in &self.exchanges {
                let values: Vec<u8> = exchange.iter().flat_map(|stamp| stamp.to_ne_bytes()).collect();
                encoder.push(&exchange[3..], &values).unwrap();
            }
            encode::samples(&mut out, 3, &encoder.take(SampleBlock::default()));
            let footer = StreamFooter {
                first_timestamp_s: self.exchanges.first().map(|e| e[3]),
                last_timestamp_s: self.exchanges.last().map(|e| e[3]),
                sample_count: self.exchanges.len() as u64,
                ..StreamFooter::default()
            };
            encode::stream_footer(&mut out, 3, &footer.to_xml());
        }
        if let Some(sample_count) = self.footer_samples {
            let footer = StreamFooter {
                first_timestamp_s: self.stamps.first().copied(),
                last_timestamp_s: self.stamps.last().copied(),
                sample_count,
                clock_offsets: self.offsets.clone(),
                extra: vec![texts("lockstep", &[("lost", &self.lost.to_string())])],
                ..StreamFooter::default()
            };
            encode::stream_footer(&mut out, 2, &footer.to_xml());
        }
        if !self.required.is_empty() {
            encode::stream_footer(&mut out, 1, &StreamFooter::default().to_xml());
        }
        out
    }

    fn check(&self) -> Checked {
        check_bytes(&self.bytes())
    }
}

fn recording(bytes: &[u8]) -> Recording {
    let scan = lockstep_xdf::scan(&bytes, &mut |_| {}).unwrap();
    Recording::from_source(Path::new("made.xdf"), Box::new(bytes.to_vec()), scan)
}

fn check_bytes(bytes: &[u8]) -> Checked {
    check(&recording(bytes), &mut |_, _| {}).unwrap()
}

#[track_caller]
fn found<'a>(checked: &'a Checked, code: &str) -> &'a Finding {
    let found = checked.findings.iter().find(|finding| finding.code == code);
    found.unwrap_or_else(|| panic!("no {code} in {:#?}", checked.findings))
}

/// Codes of everything that is worse than a note.
fn codes(checked: &Checked) -> Vec<&'static str> {
    let bad = checked.findings.iter().filter(|finding| finding.severity > Severity::Note);
    bad.map(|finding| finding.code).collect()
}

#[test]
fn whole_files_are_clean() {
    let checked = Made::whole().check();
    assert_eq!(codes(&checked), [""; 0], "{:#?}", checked.findings);
    assert!(checked.is_clean());
    assert_eq!((checked.streams, checked.samples), (3, 506));
    let mut lab = Made::lab_recorder();
    // Real measurements differ.
    lab.offsets.iter_mut().zip(0..).for_each(|(offset, k)| offset.1 += 1e-6 * f64::from(k));
    assert_eq!(codes(&lab.check()), [""; 0]);
}

#[test]
fn a_file_that_was_cut_says_where() {
    let whole = Made::whole().bytes();
    let scan = recording(&whole).scan;
    let eeg = scan.streams.iter().find(|stream| stream.id == 2).unwrap();
    let chunk = eeg.chunks[4];
    let checked = check_bytes(&whole[..chunk.file_offset as usize + 100]);
    let cut = found(&checked, "cut");
    assert_eq!((cut.severity, cut.stream.as_deref()), (Severity::Error, Some("eeg")));
    // Complete samples of the chunk are kept: the damage begins after them.
    assert!(cut.offset.is_some_and(|at| at > chunk.file_offset && at < chunk.file_offset + 100), "{cut:?}");
    assert!(cut.samples_lost.is_some_and(|lost| (1..50).contains(&lost)), "{cut:?}");
    assert_eq!(codes(&checked).iter().filter(|code| **code == "no-footer").count(), 3);
}

#[test]
fn zeroed_and_flipped_bytes_are_found() {
    let whole = Made::whole().bytes();
    let scan = recording(&whole).scan;
    let chunk = scan.streams.iter().find(|stream| stream.id == 2).unwrap().chunks[4];
    let mut zeroed = whole.clone();
    zeroed[chunk.file_offset as usize..chunk.end() as usize].fill(0);
    let checked = check_bytes(&zeroed);
    assert_eq!(found(&checked, "damage").offset, Some(chunk.file_offset));
    let count = found(&checked, "footer-count");
    assert_eq!((count.samples_lost, count.severity), (Some(50), Severity::Error));
    let mut flipped = whole;
    flipped[chunk.file_offset as usize] ^= 0xff;
    assert!(!check_bytes(&flipped).is_clean());
}

#[test]
fn footers_are_compared() {
    let missing = Made { footer_samples: None, ..Made::whole() }.check();
    assert_eq!(codes(&missing), ["no-footer"]);
    let more = Made { footer_samples: Some(501), ..Made::whole() }.check();
    assert_eq!(found(&more, "footer-count").samples_lost, Some(1));
    let lost = Made { lost: 7, ..Made::whole() }.check();
    assert_eq!(found(&lost, "lost").samples_lost, Some(7));
}

#[test]
fn stamps_that_go_back_or_are_none_are_found() {
    let mut back = Made::whole();
    back.stamps[120] -= 0.5;
    let checked = back.check();
    let finding = found(&checked, "stamps-back");
    let scan = recording(&back.bytes()).scan;
    let chunk = scan.streams.iter().find(|stream| stream.id == 2).unwrap().chunks[2];
    assert_eq!((finding.offset, finding.places[0].sample), (Some(chunk.file_offset), 120));
    assert!((finding.places[0].step_s.unwrap() + 0.49).abs() < 1e-9);
    let mut none = Made::whole();
    none.stamps[7] = f64::NAN;
    assert_eq!(found(&none.check(), "stamps-not-finite").places[0].sample, 7);
}

#[test]
fn sources_that_gave_nothing_are_missing() {
    let missing = Made { required: "gaze", ..Made::whole() }.check();
    let finding = found(&missing, "missing-source");
    assert!(finding.severity == Severity::Error && finding.what.contains("gaze"), "{finding:?}");
    let silent = Made { stamps: Vec::new(), footer_samples: Some(0), ..Made::whole() }.check();
    assert!(found(&silent, "missing-source").what.contains("no sample"));
    found(&silent, "no-samples");
}

#[test]
fn offsets_that_were_not_measured_are_found() {
    let with = |change: Change<'_>| {
        let mut made = Made::lab_recorder();
        made.offsets = (0..40).map(|k| (50.0 + 5.0 * f64::from(k), 50.0 + 1e-4 * f64::from(k))).collect();
        change(&mut made.offsets);
        made.check()
    };
    assert_eq!(codes(&with(&|_| {})), [""; 0]);
    // What an uninitialised double looks like, and one that could be an offset but stands alone.
    for garbage in [6.9e-310, 1.4e280, -8123.25] {
        let checked = with(&|offsets| offsets[12].1 = garbage);
        let finding = found(&checked, "offset-garbage");
        assert!(finding.what.starts_with("1 of 40"), "{finding:?}");
        let last = with(&|offsets| offsets[39].1 = garbage);
        found(&last, "offset-garbage");
    }
    // The device's clock was set: that stays.
    let set = with(&|offsets| offsets[20..].iter_mut().for_each(|offset| offset.1 += 30.0));
    assert!(!codes(&set).contains(&"offset-garbage"), "{:#?}", set.findings);
    let back = with(&|offsets| offsets[20..].iter_mut().for_each(|offset| offset.0 -= 90.0));
    assert!(found(&back, "offset-back").what.contains("1 clock offsets"));
    let repeated = with(&|offsets| offsets[10..20].iter_mut().for_each(|offset| offset.1 = 50.0));
    assert_eq!(found(&repeated, "offset-repeated").severity, Severity::Warning);
    assert!(found(&repeated, "offset-repeated").what.starts_with("9 of 40"));
}

#[test]
fn exchanges_that_cannot_be_are_found() {
    for (change, text) in [
        ([0.0, 0.0, 0.0, -1.0], "t3 < t0"),
        ([0.0, 0.0, -1.0, 0.0], "t2 < t1"),
        ([0.0, 0.0, 1.0, 0.0], "longer than it took"),
        ([0.0, f64::NAN, 0.0, 0.0], "no numbers"),
    ] {
        let mut made = Made::whole();
        made.exchanges[3].iter_mut().zip(change).for_each(|(stamp, by)| *stamp += by);
        made.offsets.remove(3);
        let checked = made.check();
        let finding = found(&checked, "exchange-impossible");
        assert!(finding.what.contains(text) && finding.what.contains("sample 3"), "{finding:?}");
    }
    let mut made = Made::whole();
    made.offsets[2].1 += 1e-3;
    assert!(found(&made.check(), "offset-unfounded").what.starts_with("1 of 6"));
}

#[test]
fn rules_have_codes_and_words() {
    for rule in RULES {
        assert!(!rule.code.is_empty() && !rule.meaning.is_empty() && !rule.mend.is_empty(), "{rule:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_makes_it_fail(
        flips in proptest::collection::vec((0usize..6000, any::<u8>()), 1..40),
        cut in proptest::option::of(4usize..6000),
    ) {
        let mut bytes = Made::whole().bytes();
        let len = bytes.len();
        flips.into_iter().for_each(|(at, with)| bytes[4 + at % (len - 4)] ^= with);
        bytes.truncate(cut.unwrap_or(len).max(4));
        let checked = check_bytes(&bytes);
        prop_assert!(checked.findings.is_sorted_by(|a, b| a.severity >= b.severity));
    }
}
