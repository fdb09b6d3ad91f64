//! What the recorder itself says is missing: losses it counted, sources it should have recorded.

use lockstep_xdf::part::recorders_part;
use lockstep_xdf::{Element, LoadError, ScannedStream};

use super::rules;
use super::side_files::SideFiles;
use super::{Finding, StampFacts};
use crate::Recording;
use crate::clocks::EXCHANGE_TYPE;
use crate::events::{self, EVENTS_TYPE};

/// One source of the configuration that a recording was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredSource {
    /// Its name.
    pub name: String,
    /// Whether the recording was to have it.
    pub required: bool,
}

/// The sources that a Lockstep recording was to have, by the configuration in its header. Empty where
/// there is none.
pub fn configured_sources(recording: &Recording) -> Vec<ConfiguredSource> {
    let text = recording.scan.streams.iter().find_map(|stream| {
        let is_events = stream.info.kind == EVENTS_TYPE;
        stream.info.desc.text_at("lockstep/configuration_toml").filter(|_| is_events)
    });
    let Some(Ok(table)) = text.map(str::parse::<toml::Table>) else { return Vec::new() };
    let sources = table.get("source").and_then(toml::Value::as_array);
    let source = |source: &toml::Value| {
        let name = source.get("name")?.as_str()?.to_owned();
        let required = source.get("required").and_then(toml::Value::as_bool).unwrap_or(true);
        Some(ConfiguredSource { name, required })
    };
    sources.into_iter().flatten().filter_map(source).collect()
}

/// The source of a stream, by its header.
pub fn source_of(stream: &ScannedStream) -> Option<&str> {
    recorders_part(&stream.info.desc).text_at("acquisition/source").map(str::trim)
}

pub(super) fn find(
    recording: &Recording,
    facts: &[StampFacts],
    out: &mut Vec<Finding>,
) -> Result<(), LoadError> {
    missing(recording, facts, out);
    for stream in &recording.scan.streams {
        counted(stream, out);
    }
    events(recording, out)
}

fn missing(recording: &Recording, facts: &[StampFacts], out: &mut Vec<Finding>) {
    for source in configured_sources(recording) {
        let of_source: Vec<_> = recording
            .scan
            .streams
            .iter()
            .zip(facts)
            .filter(|(stream, _)| {
                source_of(stream) == Some(&source.name) && stream.info.kind != EXCHANGE_TYPE
            })
            .collect();
        let rule = if source.required { &rules::MISSING_SOURCE } else { &rules::MISSING_OPTIONAL };
        if of_source.is_empty() {
            let what = format!("no stream of the source \"{}\"", source.name);
            out.push(Finding::new(rule, what));
        } else if of_source.iter().all(|(_, facts)| facts.samples == 0) {
            let what = format!("no sample of the source \"{}\"", source.name);
            out.push(Finding::new(rule, what).of(of_source[0].0));
        }
    }
}

/// The recorder's counters in a stream's footer.
fn counted(stream: &ScannedStream, out: &mut Vec<Finding>) {
    let Some(footer) = &stream.footer else { return };
    let Some(losses) = footer.extra.iter().find(|element| element.name == "lockstep") else { return };
    let count = |name: &str| number(losses, name);
    let kinds = [
        ("dropped", "the queue was full"),
        ("rejected", "they could not be recorded"),
        ("lost", "they never arrived"),
        ("unwritten", "no file could be written in time"),
    ];
    for (name, why) in kinds {
        let lost = count(name);
        if lost > 0 {
            let what = format!("{lost} samples {name}: {why}");
            out.push(Finding { samples_lost: Some(lost), ..Finding::new(&rules::LOST, what).of(stream) });
        }
    }
    if let Some(name) = losses.text_at("continued_in").filter(|_| stream.info.kind == EVENTS_TYPE) {
        let what = format!("the recording goes on in {name}");
        out.push(Finding::new(&rules::CONTINUED, what).of(stream));
    }
    let gaps = count("gaps_of_unknown_size");
    if gaps > 0 {
        let what = format!("{gaps} {} of unknown size", if gaps == 1 { "gap" } else { "gaps" });
        out.push(Finding::new(&rules::LOST_UNKNOWN, what).of(stream));
    }
}

/// Whether the recorder says that samples of a stream are not in the file.
pub(super) fn has_lost(stream: &ScannedStream) -> bool {
    let extra = stream.footer.iter().flat_map(|footer| &footer.extra);
    let losses = extra.filter(|element| element.name == "lockstep");
    losses.flat_map(|losses| ["dropped", "unwritten"].map(|name| number(losses, name))).any(|lost| lost > 0)
}

fn number(losses: &Element, name: &str) -> u64 {
    losses.text_at(name).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Events that say that the file itself is not whole, or what there is beside it.
fn events(recording: &Recording, out: &mut Vec<Finding>) -> Result<(), LoadError> {
    let mut side_files = SideFiles::default();
    events::each(recording, |stream, offset, text| {
        if !["write_error", "sync_error", "side_file"].iter().any(|name| text.contains(name)) {
            return;
        }
        let Ok(event) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let field = |name: &str| event.get(name).and_then(serde_json::Value::as_str).unwrap_or("");
        match field("event") {
            name @ ("write_error" | "sync_error") => {
                let what = format!("{}: {}", name.replace('_', " "), field("text"));
                out.push(Finding::new(&rules::WRITE_ERROR, what).of(stream).at(offset));
            }
            "side_file" => side_files.made(field("file")),
            "side_file_closed" => side_files.closed(&event),
            _ => {}
        }
    })?;
    side_files.find(&recording.path, out);
    Ok(())
}
