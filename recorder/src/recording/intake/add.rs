//! A source adds a clock, a stream, or a file beside the recording.

use std::sync::Arc;

use lockstep_xdf::ChannelFormat;
use serde_json::json;

use super::{Refusal, SourceIntake};
use crate::recording::clock::{ClockIntake, ClockSpec, EXCHANGE_TYPE};
use crate::recording::header::{HeaderDetails, exchange_header, stream_header};
use crate::recording::side::{MAX_SIDE_FILES, SideFile};
use crate::recording::stream::{Role, StreamIntake, StreamSpec};

/// Streams one source may have.
pub const MAX_STREAMS_PER_SOURCE: usize = 512;
/// Clocks one source may have.
pub const MAX_CLOCKS_PER_SOURCE: usize = 128;
/// Channels one stream may have.
pub const MAX_CHANNELS: usize = 1 << 20;

/// What a plugin said of a stream it adds.
#[derive(Debug)]
pub struct NewStream {
    /// Name, for the header.
    pub name: String,
    /// What the operator sees: a text of one line, unique within the source.
    pub label: String,
    /// XDF type.
    pub kind: String,
    /// Format.
    pub format: ChannelFormat,
    /// Channels.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// It may send nothing for long.
    pub may_be_silent: bool,
    /// The clock's number; 0: recorder time.
    pub clock: u32,
    /// The rest of the header.
    pub details: HeaderDetails,
}

impl SourceIntake {
    /// Add a clock and the companion stream of its exchanges.
    pub fn add_clock(&self, spec: ClockSpec) -> Result<u32, Refusal> {
        self.check_open()?;
        if spec.name.is_empty() {
            return Err(Refusal::Invalid("a clock must have a name".to_owned()));
        }
        if !(spec.reading.resolution_s.is_finite() && spec.reading.resolution_s >= 0.0) {
            return Err(Refusal::Invalid(format!("clock {:?}: resolution below zero", spec.name)));
        }
        let mut refusal = Refusal::Limit("clocks of a source", MAX_CLOCKS_PER_SOURCE);
        let mut number = 0;
        let added = self.clocks.append(|n| {
            number = n;
            let made = self.make_clock(spec);
            made.map_err(|e| refusal = e).ok()
        });
        added.map(|_| number).ok_or(refusal)
    }

    fn make_clock(&self, spec: ClockSpec) -> Result<Arc<ClockIntake>, Refusal> {
        if self.clocks.iter().any(|c| c.spec.name == spec.name) {
            return Err(Refusal::Invalid(format!("there is already a clock named {:?}", spec.name)));
        }
        let companion = StreamSpec {
            source: self.name.clone(),
            name: spec.name.clone(),
            label: spec.name.clone(),
            kind: EXCHANGE_TYPE.to_owned(),
            format: ChannelFormat::Double64,
            channel_count: 4,
            nominal_rate_hz: 0.0,
            may_be_silent: true,
            clock: None,
            role: Role::Exchanges,
        };
        let acquisition = &self.header.acquisition;
        let header = exchange_header(&self.shared.identity, &companion, &spec, acquisition);
        let budget = Arc::clone(&self.budget);
        let companion = self.shared.add(|id| StreamIntake::new(id, companion, header, budget))?;
        Ok(Arc::new(ClockIntake::new(spec, companion)))
    }

    /// Add a file beside the recording: its number, and itself.
    pub fn add_side_file(&self, what: &str, suffix: &str) -> Result<(u32, &Arc<SideFile>), Refusal> {
        self.check_open()?;
        let made = self.shared.side_files.create(&self.name, what, suffix)?;
        let mut number = 0;
        let added = self.side_files.append(|n| {
            number = n;
            Some(made)
        });
        // There are not more than this of all sources together.
        let file = added.ok_or(Refusal::Limit("files beside a recording", MAX_SIDE_FILES))?;
        self.shared.events.write("side_file", &self.name, "", json!({"what": what, "file": file.file_name}));
        Ok((number, file))
    }

    /// Add a stream.
    pub fn add_stream(&self, new: NewStream) -> Result<u32, Refusal> {
        self.check_open()?;
        let invalid = |what: String| Err(Refusal::Invalid(format!("stream {:?}: {what}", new.label)));
        if new.label.is_empty() {
            return Err(Refusal::Invalid("a stream must have a name".to_owned()));
        }
        if new.channel_count == 0 || new.channel_count > MAX_CHANNELS {
            return invalid(format!("{} channels; 1 to {MAX_CHANNELS} are possible", new.channel_count));
        }
        if !(new.nominal_rate_hz.is_finite() && new.nominal_rate_hz >= 0.0) {
            return invalid(format!("the nominal rate {} is not a rate", new.nominal_rate_hz));
        }
        let clock = match new.clock {
            0 => None,
            number => match self.clocks.get(number) {
                Some(clock) => Some(Arc::clone(clock)),
                None => return invalid(format!("no clock has the number {number}")),
            },
        };
        let spec = StreamSpec {
            source: self.name.clone(),
            name: new.name,
            label: new.label,
            kind: new.kind,
            format: new.format,
            channel_count: new.channel_count,
            nominal_rate_hz: new.nominal_rate_hz,
            may_be_silent: new.may_be_silent,
            clock,
            role: Role::Data,
        };
        let header = stream_header(&self.shared.identity, &spec, new.details, &self.header);
        let mut number = 0;
        let mut refusal = Refusal::Limit("streams of a source", MAX_STREAMS_PER_SOURCE);
        let added = self.streams.append(|n| {
            number = n;
            if self.streams.iter().any(|s| s.spec.label == spec.label) {
                let text = format!("stream {:?}: there is already one of this name or label", spec.label);
                refusal = Refusal::Invalid(text);
                return None;
            }
            let budget = Arc::clone(&self.budget);
            let made = self.shared.add(|id| StreamIntake::new(id, spec, header, budget));
            made.map_err(|e| refusal = e).ok()
        });
        let stream = added.ok_or(refusal)?;
        self.shared.events.write(
            "stream",
            &self.name,
            &stream.spec.label,
            json!({
                "stream_id": stream.id,
                "name": stream.spec.name,
                "format": stream.spec.format.name(),
                "channel_count": stream.spec.channel_count,
                "nominal_rate_hz": stream.spec.nominal_rate_hz,
                "clock": stream.spec.clock.as_ref().map(|c| &c.spec.name),
            }),
        );
        Ok(number)
    }
}
