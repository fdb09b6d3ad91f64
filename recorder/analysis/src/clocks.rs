//! Which clock stamps each stream of a recording, and all that was measured of it.

use lockstep_clock::{Exchange, History, Offset, Reading, Stamp};
use lockstep_xdf::part::recorders_part;
use lockstep_xdf::{Columns, Damage, Element, LoadError, ScannedStream, Selection};

use crate::Recording;

/// XDF type of a stream that holds the exchanges with one clock: channels t0 t1 t2 t3 in seconds.
pub const EXCHANGE_TYPE: &str = "ClockExchange";

/// Element of `desc` in which an export notes that the stamps are synchronized already.
pub const SYNCHRONIZED_NOTE: &str = "lockstep_synchronized";

/// Name of the element that says which clock stamps a stream.
pub(crate) const CLOCK: &str = "clock";

/// What stamps a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamClock {
    /// The recorder's own clock: the stamps are host times, and need nothing.
    Host,
    /// A clock that was measured: its index in [`Clocks::list`].
    Measured(usize),
    /// A clock of which the file holds no measurement. The stamps can only be taken as they are, and
    /// nothing is known of their error.
    Unknown,
}

/// One device clock of a recording.
#[derive(Debug, Clone)]
pub struct Clock {
    /// What the streams call it; where they do not, the name of the stream. Unique in the list.
    pub name: String,
    /// What its numbers count from ("device", "unix", "monotonic"), where the file says so.
    pub domain: Option<String>,
    /// Index in `scan.streams` of the stream of its exchanges, where there is one.
    pub companion: Option<usize>,
    /// Indices in `scan.streams` of the streams it stamps.
    pub streams: Vec<usize>,
    /// Everything that was measured.
    pub history: History,
}

/// All clocks of a recording.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    /// The clocks that were measured, in the order of the streams.
    pub list: Vec<Clock>,
    /// What stamps each stream; one for each of `scan.streams`.
    pub of_stream: Vec<StreamClock>,
    /// What could not be read of the exchanges.
    pub damage: Vec<Damage>,
}

impl Clocks {
    /// Find the clocks of a recording and read their exchanges.
    ///
    /// A stream belongs to a clock whose exchanges are in a stream of type [`EXCHANGE_TYPE`] when
    /// `desc/clock/stream_id` gives the id of that stream, or, without an id, when `desc/clock/name`
    /// is the same in both; of streams that came with a header of their own, `desc/lockstep/clock`. A stream with clock offsets of its own, one of them not 0, has a clock of
    /// its own. Anything else is stamped by the recorder, or nobody knows by what.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(recording: &Recording) -> Result<Self, LoadError> {
        let streams = &recording.scan.streams;
        let mut clocks = Self::default();
        let mut by_companion: Vec<Option<usize>> = vec![None; streams.len()];
        for (index, stream) in streams.iter().enumerate() {
            let companion = companion_of(streams, stream);
            let of_stream = match companion {
                Some(companion) => {
                    let clock = match by_companion[companion] {
                        Some(clock) => clock,
                        None => clocks.add(measured_by(stream, &streams[companion], companion)),
                    };
                    by_companion[companion] = Some(clock);
                    StreamClock::Measured(clock)
                }
                None if is_host(recording, stream) => StreamClock::Host,
                None if stream.clock_offsets.is_empty() => StreamClock::Unknown,
                None => StreamClock::Measured(clocks.add(alone(recording, stream))),
            };
            if let StreamClock::Measured(clock) = of_stream {
                let clock = &mut clocks.list[clock];
                clock.streams.push(index);
                // Streams of one clock have the same offsets, but for those that began late.
                if stream.clock_offsets.len() > clock.history.offsets.len() {
                    clock.history.offsets = offsets(stream);
                }
            }
            clocks.of_stream.push(of_stream);
        }
        for clock in &mut clocks.list {
            if let Some(companion) = clock.companion {
                let (exchanges, damage) = read_exchanges(recording, companion)?;
                clock.history.exchanges = exchanges;
                clocks.damage.extend(damage);
            }
        }
        Ok(clocks)
    }

    /// The clock of a stream; `None` for the recorder's own and for unknown ones.
    pub fn of(&self, stream: usize) -> Option<&Clock> {
        match self.of_stream.get(stream) {
            Some(StreamClock::Measured(clock)) => self.list.get(*clock),
            _ => None,
        }
    }

    /// Adds a clock under a name no other has.
    fn add(&mut self, mut clock: Clock) -> usize {
        let name = clock.name.clone();
        let mut number = 2;
        while self.list.iter().any(|other| other.name == clock.name) {
            clock.name = format!("{name}-{number}");
            number += 1;
        }
        self.list.push(clock);
        self.list.len() - 1
    }
}

/// What the ClockOffset chunks of one stream say of its clock, whatever other streams say: what
/// tools see that do not know of exchanges.
pub fn own_history(recording: &Recording, stream: &ScannedStream) -> History {
    History { offsets: offsets(stream), stale_stamps: recording.is_lab_recorder(), ..History::default() }
}

/// Whether a stream holds exchanges with a clock.
pub fn holds_exchanges(stream: &ScannedStream) -> bool {
    let info = &stream.info;
    info.kind == EXCHANGE_TYPE
        && info.channel_count == 4
        && info.format == lockstep_xdf::ChannelFormat::Double64
}

/// The element in which the recorder says which clock stamps a stream: `desc/clock` where it made the
/// header, `desc/lockstep/clock` where the stream came with one.
pub fn clock_element(stream: &ScannedStream) -> Option<&Element> {
    recorders_part(&stream.info.desc).child(CLOCK)
}

/// Text of a child of [`clock_element`], when it says something.
pub fn clock_text<'a>(stream: &'a ScannedStream, name: &str) -> Option<&'a str> {
    let text = clock_element(stream)?.text_at(name)?.trim();
    (!text.is_empty()).then_some(text)
}

/// Index of the stream with the exchanges of the clock that stamps `stream`.
fn companion_of(streams: &[ScannedStream], stream: &ScannedStream) -> Option<usize> {
    if stream.info.kind == EXCHANGE_TYPE {
        // Stamped t3, on the recorder's clock.
        return None;
    }
    if let Some(id) = clock_text(stream, "stream_id").and_then(|id| id.parse::<u32>().ok()) {
        let by_id = streams.iter().position(|other| other.id == id && holds_exchanges(other));
        if by_id.is_some() {
            return by_id;
        }
    }
    let name = clock_text(stream, "name")?;
    streams.iter().position(|other| {
        holds_exchanges(other)
            && (clock_text(other, "name") == Some(name)
                || (clock_text(other, "name").is_none() && other.info.name == name))
    })
}

/// Whether the stamps are host times.
fn is_host(recording: &Recording, stream: &ScannedStream) -> bool {
    if stream.info.kind == EXCHANGE_TYPE {
        return true;
    }
    // Of stamps that an export has synchronized, the errors are not in the file.
    if clock_text(stream, "name").is_some() || stream.info.desc.child(SYNCHRONIZED_NOTE).is_some() {
        return false;
    }
    // Other recorders measure their own clock's offset too: one that is exactly 0 was not measured.
    let zeros = stream.clock_offsets.iter().all(|offset| offset.offset_s == 0.0);
    zeros && (recording.is_lockstep() || !stream.clock_offsets.is_empty())
}

/// A clock whose exchanges are in a stream of the file.
fn measured_by(stream: &ScannedStream, companion: &ScannedStream, index: usize) -> Clock {
    let name = clock_text(stream, "name").or_else(|| clock_text(companion, "name"));
    Clock {
        name: name.unwrap_or(&companion.info.name).to_owned(),
        domain: clock_text(companion, "domain").map(str::to_owned),
        companion: Some(index),
        streams: Vec::new(),
        history: History { reading: reading(companion), ..History::default() },
    }
}

/// A clock that only the offsets of one stream tell of.
fn alone(recording: &Recording, stream: &ScannedStream) -> Clock {
    Clock {
        name: clock_text(stream, "name").unwrap_or(&stream.info.name).to_owned(),
        domain: None,
        companion: None,
        streams: Vec::new(),
        history: own_history(recording, stream),
    }
}

/// How the clock is read, by the header of the stream of its exchanges.
pub(crate) fn reading(companion: &ScannedStream) -> Reading {
    let resolution_s = clock_text(companion, "resolution_s").and_then(|text| text.parse::<f64>().ok());
    let stamp = match clock_text(companion, "stamp") {
        Some("floor") => Stamp::Floor,
        _ => Stamp::Exact,
    };
    Reading { resolution_s: resolution_s.filter(|s| s.is_finite() && *s >= 0.0).unwrap_or(0.0), stamp }
}

fn offsets(stream: &ScannedStream) -> Vec<Offset> {
    let all = stream.clock_offsets.iter();
    all.map(|o| Offset { device_time_s: o.collection_time_s, offset_s: o.offset_s, round_trip_s: None })
        .collect()
}

/// All exchanges of a stream that holds them, in file order.
pub(crate) fn read_exchanges(
    recording: &Recording,
    stream: usize,
) -> Result<(Vec<Exchange>, Vec<Damage>), LoadError> {
    let mut exchanges = Vec::new();
    let mut blocks = recording.scan.blocks(recording.source(), stream, Selection::default());
    while let Some(block) = blocks.next_block()? {
        let Columns::Double64(columns) = &block.data.values else { continue };
        if let [t0, t1, t2, t3] = columns.as_slice() {
            let stamps = t0.iter().zip(t1).zip(t2.iter().zip(t3));
            exchanges.extend(stamps.map(|((&t0_s, &t1_s), (&t2_s, &t3_s))| Exchange {
                t0_s,
                t1_s,
                t2_s,
                t3_s,
            }));
        }
    }
    Ok((exchanges, blocks.damage().to_vec()))
}
