//! The summary of a file, gathered in one pass with constant memory.

use std::collections::BTreeMap;
use std::io::Read;

use lockstep_xdf::{
    Chunk, ChunkReader, Element, ReadError, SampleDecoder, SampleValues, StreamFooter, StreamInfo,
};
use serde::Serialize;
use serde_json::Value;

use crate::recording::clock::EXCHANGE_TYPE;
use crate::recording::events::STREAM_TYPE;

/// Events that are kept; of more, only the count.
const MAX_EVENTS: usize = 10_000;
/// Damaged places that are listed.
const MAX_DAMAGE: usize = 1000;

/// What is in a recording.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// When it was begun, as its header says.
    pub datetime: Option<String>,
    /// Which program wrote it, as its header says.
    pub recorder: Option<String>,
    /// Whether every stream has a footer, and nothing is damaged.
    pub closed_cleanly: bool,
    /// Its streams, in the order of their headers.
    pub streams: Vec<StreamFacts>,
    /// Its device clocks.
    pub clocks: Vec<ClockFacts>,
    /// Events of a Lockstep recording, each with `time_s`.
    pub events: Vec<Value>,
    /// How many events there are.
    pub event_count: u64,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Boundary chunks.
    pub boundaries: u64,
}

/// What is known of a stream.
#[derive(Debug, Serialize)]
pub struct StreamFacts {
    /// Its id.
    pub stream_id: u32,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Format of its values.
    pub format: &'static str,
    /// Values of each sample.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// Samples in the file.
    pub samples: u64,
    /// First stamp, as recorded.
    pub first_timestamp_s: Option<f64>,
    /// Last stamp, as recorded.
    pub last_timestamp_s: Option<f64>,
    /// Samples a second from the first to the last stamp.
    pub effective_rate_hz: Option<f64>,
    /// Stamps that are earlier than the one before.
    pub timestamps_back: u64,
    /// Chunks its samples came in.
    pub chunks: u64,
    /// Samples whose stamp was left out because it follows from the one before.
    pub stamps_elided: u64,
    /// Clock offsets.
    pub clock_offsets: u64,
    /// First and last offset (host minus device, seconds).
    pub offset_range_s: Option<(f64, f64)>,
    /// Name of the clock that stamps it, where the header says so.
    pub clock: Option<String>,
    /// Id of the stream of that clock's exchanges, where the header says so.
    pub clock_stream_id: Option<u32>,
    /// Whether it has a footer.
    pub has_footer: bool,
    /// Whether the footer agrees with the samples; `None` without a footer.
    pub footer_agrees: Option<bool>,
    /// What the recorder counted as missing; `None`: it does not say.
    pub lost_samples: Option<u64>,
    /// Gaps of unknown size besides; `None`: it does not say.
    pub gaps_of_unknown_size: Option<u64>,
}

/// What is known of a device clock, from the stream of its exchanges.
#[derive(Debug, Serialize)]
pub struct ClockFacts {
    /// Its name.
    pub name: String,
    /// Id of the stream of its exchanges.
    pub stream_id: u32,
    /// What its numbers count from.
    pub domain: String,
    /// Step of its readings in seconds.
    pub resolution_s: Option<f64>,
    /// `exact` or `floor`.
    pub stamp: String,
    /// Exchanges in the file.
    pub exchanges: u64,
    /// Lowest round-trip time of them.
    pub round_trip_min_s: Option<f64>,
    /// Highest round-trip time of them.
    pub round_trip_max_s: Option<f64>,
}

/// A place that could not be read.
#[derive(Debug, Serialize)]
pub struct Damage {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were passed over; `None`: to the end of the file.
    pub bytes: Option<u64>,
    /// What is wrong there.
    pub reason: String,
}

struct Reading {
    facts: StreamFacts,
    info: StreamInfo,
    decoder: SampleDecoder,
}

struct Gathering {
    summary: Summary,
    order: Vec<u32>,
    streams: BTreeMap<u32, Reading>,
    clocks: BTreeMap<u32, ClockFacts>,
}

/// Read a file of `bytes` bytes through.
///
/// # Errors
/// When it is not an XDF file or the system does not give it. Damage is no
/// error: it is listed, and reading goes on after it.
pub fn summarize(input: impl Read, bytes: u64) -> Result<Summary, ReadError> {
    let summary = Summary { bytes, ..Summary::default() };
    let mut all = Gathering { summary, order: Vec::new(), streams: BTreeMap::new(), clocks: BTreeMap::new() };
    let mut reader = ChunkReader::new(input);
    loop {
        let problem = match reader.next_chunk() {
            Ok(Some((offset, chunk))) => match all.take(chunk) {
                Ok(()) => continue,
                // The chunk's frame is whole: the next one follows it.
                Err(reason) => {
                    all.damage(offset, Some(0), reason);
                    continue;
                }
            },
            Ok(None) => break,
            Err(e @ (ReadError::Io { .. } | ReadError::NotXdf { .. })) => return Err(e),
            Err(e) => e,
        };
        let offset = reader.offset();
        let passed = reader.resync()?;
        let at_end = offset + passed >= bytes;
        all.damage(offset, (!at_end).then_some(passed), problem.to_string());
    }
    Ok(all.finish())
}

impl Gathering {
    fn damage(&mut self, offset: u64, bytes: Option<u64>, reason: String) {
        if self.summary.damage.len() < MAX_DAMAGE {
            self.summary.damage.push(Damage { offset, bytes, reason });
        }
    }

    fn take(&mut self, chunk: Chunk<'_>) -> Result<(), String> {
        match chunk {
            Chunk::FileHeader { xml } => {
                if let Ok(info) = Element::parse(&xml) {
                    self.summary.datetime = info.text_at("datetime").map(str::to_owned);
                    self.summary.recorder = info.text_at("recorder").map(str::to_owned);
                }
            }
            Chunk::StreamHeader { stream_id, xml } => {
                let info =
                    StreamInfo::parse(&xml).map_err(|e| format!("header of stream {stream_id}: {e}"))?;
                self.header(stream_id, info);
            }
            Chunk::Samples { stream_id, sample_count, body } => {
                self.samples(stream_id, sample_count, body)?
            }
            Chunk::ClockOffset { stream_id, offset_s, .. } => {
                let facts = &mut self.stream(stream_id)?.facts;
                facts.clock_offsets += 1;
                let first = facts.offset_range_s.map_or(offset_s, |r| r.0);
                facts.offset_range_s = Some((first, offset_s));
            }
            Chunk::Boundary => self.summary.boundaries += 1,
            Chunk::StreamFooter { stream_id, xml } => {
                let footer =
                    StreamFooter::parse(&xml).map_err(|e| format!("footer of stream {stream_id}: {e}"))?;
                footer_into(&mut self.stream(stream_id)?.facts, &footer);
            }
            Chunk::Unknown { .. } => {}
        }
        Ok(())
    }

    fn header(&mut self, stream_id: u32, info: StreamInfo) {
        if info.kind == EXCHANGE_TYPE {
            let text = |path: &str| info.desc.text_at(path).unwrap_or("?").to_owned();
            let clock = ClockFacts {
                name: info.name.clone(),
                stream_id,
                domain: text("clock/domain"),
                resolution_s: text("clock/resolution_s").parse().ok(),
                stamp: text("clock/stamp"),
                exchanges: 0,
                round_trip_min_s: None,
                round_trip_max_s: None,
            };
            self.clocks.insert(stream_id, clock);
        }
        let facts = StreamFacts {
            stream_id,
            name: info.name.clone(),
            kind: info.kind.clone(),
            format: info.format.name(),
            channel_count: info.channel_count,
            nominal_rate_hz: info.nominal_rate_hz,
            samples: 0,
            first_timestamp_s: None,
            last_timestamp_s: None,
            effective_rate_hz: None,
            timestamps_back: 0,
            chunks: 0,
            stamps_elided: 0,
            clock_offsets: 0,
            offset_range_s: None,
            // The stream of a clock's exchanges names that clock, but is in recorder time itself.
            clock: info.desc.text_at("clock/name").filter(|_| info.kind != EXCHANGE_TYPE).map(str::to_owned),
            clock_stream_id: info.desc.text_at("clock/stream_id").and_then(|id| id.parse().ok()),
            has_footer: false,
            footer_agrees: None,
            lost_samples: None,
            gaps_of_unknown_size: None,
        };
        let decoder = SampleDecoder::new(info.format, info.channel_count, info.nominal_rate_hz);
        if self.streams.insert(stream_id, Reading { facts, info, decoder }).is_none() {
            self.order.push(stream_id);
        }
    }

    fn stream(&mut self, stream_id: u32) -> Result<&mut Reading, String> {
        self.streams.get_mut(&stream_id).ok_or_else(|| format!("stream {stream_id} has no header before it"))
    }

    fn samples(&mut self, stream_id: u32, sample_count: u64, body: &[u8]) -> Result<(), String> {
        let Some(Reading { facts, info, decoder }) = self.streams.get_mut(&stream_id) else {
            return Err(format!("samples of stream {stream_id}, which has no header before them"));
        };
        facts.chunks += 1;
        let mut clock = self.clocks.get_mut(&stream_id).filter(|_| info.format.value_bytes() == Some(8));
        let is_events = info.kind == STREAM_TYPE;
        let (events, event_count) = (&mut self.summary.events, &mut self.summary.event_count);
        let before = facts.samples;
        let result = decoder.decode(sample_count, body, |timestamp_s, values| {
            facts.samples += 1;
            facts.timestamps_back += u64::from(facts.last_timestamp_s.is_some_and(|last| timestamp_s < last));
            facts.first_timestamp_s.get_or_insert(timestamp_s);
            facts.last_timestamp_s = Some(timestamp_s);
            match values {
                SampleValues::Numeric(bytes) => {
                    if let Some(clock) = &mut clock {
                        exchange_into(clock, bytes);
                    }
                }
                SampleValues::Strings(texts) if is_events => {
                    *event_count += 1;
                    if events.len() < MAX_EVENTS {
                        events.extend(texts.first().map(|text| event(timestamp_s, text)));
                    }
                }
                SampleValues::Strings(_) => {}
            }
        });
        let read = facts.samples - before;
        if let Some(size) = info.format.value_bytes() {
            // Each sample takes its values and one byte, and eight more with a stamp.
            let without = read * (1 + (size * info.channel_count) as u64);
            facts.stamps_elided += read - (body.len() as u64).saturating_sub(without).min(8 * read) / 8;
        }
        result.map_err(|e| format!("samples of stream {stream_id}: {e}"))
    }

    fn finish(mut self) -> Summary {
        for reading in self.streams.values_mut() {
            let f = &mut reading.facts;
            if let (Some(first), Some(last), true) = (f.first_timestamp_s, f.last_timestamp_s, f.samples > 1)
            {
                f.effective_rate_hz = (last > first).then(|| (f.samples - 1) as f64 / (last - first));
            }
        }
        let mut summary = self.summary;
        let footers = self.streams.values().all(|s| s.facts.has_footer);
        summary.closed_cleanly = summary.damage.is_empty() && footers && !self.streams.is_empty();
        summary.streams =
            self.order.iter().filter_map(|id| self.streams.remove(id)).map(|s| s.facts).collect();
        for stream in &summary.streams {
            if let Some(clock) = self.clocks.get_mut(&stream.stream_id) {
                clock.exchanges = stream.samples;
            }
        }
        summary.clocks = self.clocks.into_values().collect();
        summary
    }
}

/// Whether two stamps are the same, but for the 16 digits that other recorders write.
fn agree(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-15 * a.abs().max(b.abs()),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn footer_into(facts: &mut StreamFacts, footer: &StreamFooter) {
    facts.has_footer = true;
    facts.footer_agrees = Some(
        footer.sample_count == facts.samples
            && agree(footer.first_timestamp_s, facts.first_timestamp_s)
            && agree(footer.last_timestamp_s, facts.last_timestamp_s)
            && footer.clock_offsets.len() as u64 == facts.clock_offsets,
    );
    let losses = footer.extra.iter().find(|e| e.name == "lockstep");
    let count = |e: &Element, name: &str| e.text_at(name).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    facts.lost_samples = losses.map(|e| {
        let kinds = ["dropped", "rejected", "lost"];
        kinds.iter().fold(0, |sum: u64, kind| sum.saturating_add(count(e, kind)))
    });
    facts.gaps_of_unknown_size = losses.map(|e| count(e, "gaps_of_unknown_size"));
}

fn exchange_into(clock: &mut ClockFacts, bytes: &[u8]) {
    let stamp = |i: usize| {
        bytes.get(8 * i..8 * i + 8).and_then(|b| b.try_into().ok()).map_or(f64::NAN, f64::from_le_bytes)
    };
    let round_trip_s = (stamp(3) - stamp(0)) - (stamp(2) - stamp(1));
    if round_trip_s.is_finite() {
        let min = clock.round_trip_min_s.map_or(round_trip_s, |m| m.min(round_trip_s));
        let max = clock.round_trip_max_s.map_or(round_trip_s, |m| m.max(round_trip_s));
        (clock.round_trip_min_s, clock.round_trip_max_s) = (Some(min), Some(max));
    }
}

fn event(time_s: f64, text: &str) -> Value {
    let mut object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        _ => serde_json::Map::from_iter([("text".to_owned(), Value::from(text))]),
    };
    object.insert("time_s".to_owned(), time_s.into());
    Value::Object(object)
}
