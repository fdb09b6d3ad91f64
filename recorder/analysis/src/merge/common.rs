//! What two recordings have in common: the clock of one NTP server, or a stream that both recorded.

use lockstep_clock::{ClockMap, History, Method, fit};
use lockstep_xdf::{Blocks, LoadError, ScannedStream, Selection};

use super::Via;
use super::bridge::Link;
use crate::clocks::{EXCHANGE_TYPE, clock_text, holds_exchanges, read_exchanges, reading};
use crate::{Recording, StreamClock, Synchronizer, Timing};

/// Name under which Lockstep records its exchanges with an NTP server.
const NTP: &str = "ntp";

/// Stamps are the same when they are this near, in seconds: those left out in the file are made again by
/// adding, in which recorders round differently.
const SAME_S: f64 = 1e-9;

/// Equal stamps that suffice.
const ENOUGH: u64 = 200;

/// A clock that a host has measured and that others may have measured, too.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) name: String,
    /// The server behind it, where the file says so.
    server: Option<String>,
    /// Recorded by `[clock] ntp`, not just counting from 1970.
    is_ntp: bool,
    exchanges: usize,
    pub(super) map: ClockMap,
}

/// One recording that is merged.
pub(super) struct Input<'a> {
    pub(super) recording: &'a Recording,
    pub(super) synchronizer: &'a Synchronizer<'a>,
    pub(super) masters: Vec<Master>,
    /// First pass over each of its streams.
    pub(super) timings: Vec<Timing<'a>>,
}

/// How two hosts are related.
pub(super) struct Candidate<'a> {
    pub(super) link: Link<'a>,
    /// For people.
    pub(super) how: String,
    pub(super) remark: Option<String>,
}

impl Master {
    /// The master clocks of a recording.
    pub(super) fn all(recording: &Recording, method: Method) -> Result<Vec<Self>, LoadError> {
        let mut out = Vec::new();
        for (index, stream) in recording.scan.streams.iter().enumerate() {
            let desc = &stream.info.desc;
            let text = |path: &str| desc.text_at(path).map(str::trim).filter(|text| !text.is_empty());
            if !holds_exchanges(stream) || clock_text(stream, "domain") != Some("unix") {
                continue;
            }
            let name = clock_text(stream, "name").unwrap_or(&stream.info.name).to_owned();
            let (exchanges, _) = read_exchanges(recording, index)?;
            if exchanges.is_empty() {
                continue;
            }
            let count = exchanges.len();
            let history = History { reading: reading(stream), exchanges, ..History::default() };
            out.push(Self {
                is_ntp: name == NTP || desc.child("ntp").is_some(),
                name,
                server: text("ntp/server").map(str::to_owned),
                exchanges: count,
                // Without a map there is no way from one host to the other.
                map: fit(if method == Method::None { Method::default() } else { method }, &history),
            });
        }
        Ok(out)
    }
}

impl Input<'_> {
    /// Its file name.
    pub(super) fn name(&self) -> String {
        let path = &self.recording.path;
        path.file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// What is there that another recording might have, too.
    pub(super) fn found(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for master in &self.masters {
            let server = master.server.as_ref().map_or(String::new(), |server| format!(" of {server}"));
            parts.push(format!("clock {}{server} ({} exchanges)", master.name, master.exchanges));
        }
        for (index, stream) in self.recording.scan.streams.iter().enumerate() {
            if stream.info.kind == EXCHANGE_TYPE {
                continue;
            }
            let clock = match self.synchronizer.clocks.of_stream.get(index) {
                Some(StreamClock::Unknown) | None => "clock not measured",
                Some(StreamClock::Host) => "recorder's clock",
                Some(StreamClock::Measured(_)) => "clock measured",
            };
            let source = match stream.info.source_id.as_str() {
                "" => "no source_id".to_owned(),
                source => format!("source_id {source}"),
            };
            parts.push(format!("stream \"{}\" ({source}, {clock})", stream.info.name));
        }
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    }
}

/// All ways from the host of `from` to that of `to`.
pub(super) fn candidates<'b>(
    from: &'b Input<'_>,
    to: &'b Input<'_>,
    via: &Via,
) -> Result<Vec<Candidate<'b>>, LoadError> {
    let mut out = Vec::new();
    for one in &from.masters {
        for other in &to.masters {
            let wanted = match via {
                Via::Any | Via::Ntp => one.is_ntp && other.is_ntp,
                Via::Named(name) => one.name == *name && other.name == *name,
            };
            if !wanted || (one.name != other.name && one.server != other.server) {
                continue;
            }
            let remark = match (&one.server, &other.server) {
                (Some(a), Some(b)) if a != b => Some(format!(
                    "{} asked the server {a} and {} asked {b}: what both servers differ by is in no figure here",
                    from.name(),
                    to.name()
                )),
                _ => None,
            };
            let server = match &one.server {
                Some(server) => format!("clock {} ({server})", one.name),
                None => format!("clock {}", one.name),
            };
            let link = Link { from: Some(&one.map), to: Some(&other.map) };
            out.push(Candidate { link, how: server, remark });
        }
    }
    if *via == Via::Ntp {
        return Ok(out);
    }
    for (index, stream) in from.recording.scan.streams.iter().enumerate() {
        for (other_index, other) in to.recording.scan.streams.iter().enumerate() {
            let named = match via {
                Via::Named(name) => stream.info.name == *name,
                _ => true,
            };
            if !named || !may_be_one(stream, other) {
                continue;
            }
            let (Some(leg), Some(other_leg)) =
                (leg(from.synchronizer, index), leg(to.synchronizer, other_index))
            else {
                continue;
            };
            let common = common_stamps((from.recording, index), (to.recording, other_index))?;
            if common == 0 || common < stream.sample_count.min(other.sample_count).min(10) {
                continue;
            }
            let more = if common >= ENOUGH { " and more" } else { "" };
            out.push(Candidate {
                link: Link { from: leg, to: other_leg },
                how: format!("stream {} ({common}{more} equal stamps)", stream.info.name),
                remark: None,
            });
        }
    }
    Ok(out)
}

/// Whether two headers can be those of one stream.
fn may_be_one(a: &ScannedStream, b: &ScannedStream) -> bool {
    let (a, b) = (&a.info, &b.info);
    let same_uid = !a.uid.is_empty() && a.uid == b.uid;
    let same_source = !a.source_id.is_empty() && a.source_id == b.source_id && a.name == b.name;
    a.kind != EXCHANGE_TYPE
        && a.kind == b.kind
        && a.format == b.format
        && a.channel_count == b.channel_count
        && (same_uid || same_source)
}

/// The map of the clock that stamps a stream; `Some(None)`: the recorder's own. `None`: not known.
fn leg<'b>(synchronizer: &'b Synchronizer<'_>, stream: usize) -> Option<Option<&'b ClockMap>> {
    match synchronizer.clocks.of_stream.get(stream)? {
        StreamClock::Host => Some(None),
        StreamClock::Measured(_) => {
            synchronizer.map_of(stream).filter(|map| !map.pieces.is_empty()).map(Some)
        }
        StreamClock::Unknown => None,
    }
}

/// How many raw stamps two streams have in common; the count ends at [`ENOUGH`].
fn common_stamps(a: (&Recording, usize), b: (&Recording, usize)) -> Result<u64, LoadError> {
    let (mut a, mut b) = (Stamps::new(a), Stamps::new(b));
    let mut common = 0;
    while common < ENOUGH {
        let (Some(one_s), Some(other_s)) = (a.now()?, b.now()?) else { break };
        if (one_s - other_s).abs() <= SAME_S {
            common += 1;
            a.at += 1;
            b.at += 1;
        } else if one_s < other_s || !one_s.is_finite() {
            a.at += 1;
        } else {
            b.at += 1;
        }
    }
    Ok(common)
}

/// The stamps of a stream, one after another.
struct Stamps<'a> {
    blocks: Blocks<'a>,
    stamps_s: Vec<f64>,
    at: usize,
}

impl<'a> Stamps<'a> {
    fn new((recording, stream): (&'a Recording, usize)) -> Self {
        let selection = Selection { channels: Some(Vec::new()), time_range_s: None };
        let blocks = recording.scan.blocks(recording.source(), stream, selection);
        Self { blocks, stamps_s: Vec::new(), at: 0 }
    }

    fn now(&mut self) -> Result<Option<f64>, LoadError> {
        while self.at >= self.stamps_s.len() {
            let Some(block) = self.blocks.next_block()? else { return Ok(None) };
            self.stamps_s.clear();
            self.stamps_s.extend_from_slice(&block.data.time_stamps_s);
            self.at = 0;
        }
        Ok(self.stamps_s.get(self.at).copied())
    }
}
