//! The summary of a file, gathered in constant memory.

use lockstep_analysis::check::StampFacts;
use lockstep_analysis::{Recording, SyncError, SyncOptions, Synchronizer};
use lockstep_xdf::DamageReason;
use serde::Serialize;
use serde_json::Value;

use super::clocks::{ClockFacts, MasterFacts, clock_facts, master_facts};
use super::events::{self, Events};
use super::streams::{StreamFacts, stream_facts};

/// What is in a recording.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// When it was begun, as its header says.
    pub datetime: Option<String>,
    /// Which program wrote it, as its header says.
    pub recorder: Option<String>,
    /// Whether every stream has a footer, and nothing is damaged.
    pub closed_cleanly: bool,
    /// A recorder writes it at this moment.
    pub is_being_recorded: bool,
    /// Its streams, in the order of their headers.
    pub streams: Vec<StreamFacts>,
    /// Its device clocks.
    pub clocks: Vec<ClockFacts>,
    /// This machine beside its master clock, where one was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<MasterFacts>,
    /// Events of a Lockstep recording, each with `time_s`.
    pub events: Vec<Value>,
    /// How many events there are.
    pub event_count: u64,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Boundary chunks.
    pub boundaries: u64,
}

/// A place that could not be read.
#[derive(Debug, PartialEq, Serialize)]
pub struct Damage {
    /// Where it begins, in bytes from the start of the (unpacked) file.
    pub offset: u64,
    /// How many bytes were passed over; `None`: to the end of the file.
    pub bytes: Option<u64>,
    /// What is wrong there.
    pub reason: String,
    /// Id of the stream it belongs to, where that is known.
    pub stream_id: Option<u32>,
    /// Samples that could not be read, where that is known.
    pub samples_lost: Option<u64>,
}

/// Look through a recording.
///
/// # Errors
/// When the system does not give it. Damage is no error: it is listed.
pub fn summarize(recording: &Recording) -> Result<Summary, SyncError> {
    let scan = &recording.scan;
    let synchronizer = Synchronizer::new(recording, SyncOptions::default())?;
    let clocks = clock_facts(&synchronizer)?;
    let mut stamps = Vec::with_capacity(scan.streams.len());
    let mut streams = Vec::with_capacity(scan.streams.len());
    for index in 0..scan.streams.len() {
        let facts = StampFacts::read(recording, index, &mut |_| {})?;
        streams.push(stream_facts(&synchronizer, index, &facts, &clocks)?);
        stamps.push(facts);
    }
    let Events { list: events, count: event_count, of_clock } = events::read(recording)?;
    let damage = damage(recording, &stamps);
    let footers = streams.iter().all(|stream| stream.has_footer);
    let text = |name: &str| recording.header.as_ref()?.text_at(name).map(str::to_owned);
    Ok(Summary {
        bytes: recording.file_bytes,
        datetime: text("datetime"),
        recorder: text("recorder"),
        is_being_recorded: recording.is_being_recorded,
        closed_cleanly: damage.is_empty() && footers && !streams.is_empty(),
        master: master_facts(&clocks, &of_clock),
        streams,
        clocks,
        events,
        event_count,
        damage,
        boundaries: scan.boundaries.len() as u64,
    })
}

/// What could not be read. Chunks of kinds that this version does not know are not damage.
fn damage(recording: &Recording, stamps: &[StampFacts]) -> Vec<Damage> {
    let scan = &recording.scan;
    let of_stamps = stamps.iter().flat_map(|facts| &facts.damage);
    let mut all: Vec<_> = scan.damage.iter().chain(of_stamps).collect();
    all.retain(|damage| !matches!(damage.reason, DamageReason::UnknownTag(_)));
    all.sort_by_key(|damage| damage.offset);
    all.dedup();
    let mut list: Vec<Damage> = all
        .into_iter()
        .map(|damage| {
            let at_end = damage.bytes > 0 && damage.offset.saturating_add(damage.bytes) >= scan.bytes;
            Damage {
                offset: damage.offset,
                bytes: (!at_end).then_some(damage.bytes),
                reason: damage.reason.to_string(),
                stream_id: damage.stream_id,
                samples_lost: damage.samples_lost.filter(|&lost| lost > 0),
            }
        })
        .collect();
    list.extend(recording.unpack_fault.as_ref().map(|fault| Damage {
        offset: scan.bytes,
        bytes: None,
        reason: fault.clone(),
        stream_id: None,
        samples_lost: None,
    }));
    list
}
