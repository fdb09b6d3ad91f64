//! A stream as a list of event times.

use lockstep_xdf::{Columns, Damage, ScannedStream};

use super::crossing::{Crossing, Edge};
use super::level::{Levels, Reservoir};
use super::stats::median;
use super::{LagError, MAX_EVENTS, Side};
use crate::{Query, Synchronizer, Timing};

/// An edge between samples that are further apart than this many nominal intervals could be anywhere
/// between them.
const GAP_INTERVALS: f64 = 5.0;

/// Where an edge is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// Midway between the levels of the signal; see [`Levels`].
    Auto,
    /// In units of the channel.
    At(f64),
}

/// What of a recording is taken for events.
#[derive(Debug, Clone)]
pub struct Source {
    /// The stream.
    pub stream: Query,
    /// Its channel: a label, or a number from 1 on; `None`: the first for a threshold, any for a text.
    pub channel: Option<String>,
    /// The threshold; `None`: every sample of an irregular stream is an event, and a stream with a
    /// nominal rate has an automatic threshold.
    pub threshold: Option<Threshold>,
    /// Which edges count.
    pub edge: Edge,
    /// Half of the width of the hysteresis, in units of the channel; `None`: a tenth of the step.
    pub hysteresis: Option<f64>,
    /// Only samples with this text: all of it, or what it begins with when it ends with `*`.
    pub text: Option<String>,
    /// What follows an event sooner than this many seconds is no event.
    pub refractory_s: f64,
}

impl Source {
    /// A stream as it is: each sample of an irregular one, each rising edge of a regular one.
    pub fn new(stream: Query) -> Self {
        Self {
            stream,
            channel: None,
            threshold: None,
            edge: Edge::default(),
            hysteresis: None,
            text: None,
            refractory_s: 0.0,
        }
    }
}

/// The events of one stream.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) name: String,
    id: u32,
    /// Index of the channel that was looked at.
    pub(super) channel: Option<usize>,
    channel_name: Option<String>,
    levels: Option<Levels>,
    clock: Option<String>,
    /// Rising.
    pub(super) times_s: Vec<f64>,
    left_out: u64,
    /// First and last sample on the synchronized axis.
    pub(super) span_s: Option<(f64, f64)>,
    pub(super) relative_s: Option<f64>,
    pub(super) total_s: Option<f64>,
    pub(super) bound_s: Option<f64>,
    offset_mean_s: Option<f64>,
    offset_mean_applied: bool,
    pub(super) remarks: Vec<String>,
    pub(super) damage: Vec<Damage>,
}

/// One event with the errors of its time.
#[derive(Debug, Clone, Copy)]
struct Event {
    time_s: f64,
    relative_s: f64,
    total_s: f64,
    bound_s: f64,
}

impl Events {
    /// Find the events of a stream. `stated`: subtract the offset_mean of its header, as far as the
    /// synchronizer does.
    pub(super) fn find(
        synchronizer: &Synchronizer<'_>,
        stream: usize,
        source: &Source,
        stated: bool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LagError> {
        let timing = synchronizer.time(stream, progress)?;
        let scanned = timing.scanned();
        let info = &scanned.info;
        let no_events =
            |reason: &str| LagError::NoEvents { stream: info.name.clone(), reason: reason.to_owned() };
        let is_text = info.format.value_bytes().is_none();
        let threshold = match source.threshold {
            None if info.nominal_rate_hz > 0.0 && !is_text && source.text.is_none() => Some(Threshold::Auto),
            threshold => threshold,
        };
        if threshold.is_some() && is_text {
            return Err(no_events("its values are texts, which no threshold can be put to"));
        }
        if threshold.is_some() && source.text.is_some() {
            return Err(no_events("choose either a threshold or a text"));
        }
        if info.channel_count == 0 {
            return Err(no_events("it has no channels"));
        }
        let wanted = channel(scanned, source.channel.as_deref())?;
        let channel = if threshold.is_some() { Some(wanted.unwrap_or(0)) } else { wanted };
        let levels = match (threshold, channel) {
            (Some(threshold), Some(channel)) => {
                let levels = find_levels(&timing, channel, threshold, source.hysteresis)?;
                Some(levels.ok_or_else(|| no_events("it has no values that are numbers"))?)
            }
            _ => None,
        };
        let not_applied_s = if stated { 0.0 } else { timing.offset_mean_applied_s };
        let shifted = |time_s: Option<f64>| time_s.map(|time_s| time_s + not_applied_s);
        let mut out = Self {
            name: info.name.clone(),
            id: scanned.id,
            channel,
            channel_name: channel.map(|index| label(scanned, index)),
            levels,
            clock: synchronizer.clocks.of(stream).map(|clock| clock.name.clone()),
            times_s: Vec::new(),
            left_out: 0,
            span_s: shifted(timing.first_time_s).zip(shifted(timing.last_time_s)),
            relative_s: None,
            total_s: None,
            bound_s: None,
            offset_mean_s: timing.offset_mean_s,
            offset_mean_applied: stated && timing.offset_mean_applied_s != 0.0,
            remarks: Vec::new(),
            damage: Vec::new(),
        };
        let found = out.read(&timing, source, progress)?;
        out.keep(found, source.refractory_s, not_applied_s);
        Ok(out)
    }

    /// Second pass: the events in file order.
    fn read(
        &mut self,
        timing: &Timing<'_>,
        source: &Source,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Event>, LagError> {
        let mut found: Vec<Event> = Vec::new();
        let rate_hz = timing.scanned().info.nominal_rate_hz;
        let longest_s = if rate_hz > 0.0 { GAP_INTERVALS / rate_hz } else { f64::INFINITY };
        let mut crossing = self.levels.as_ref().map(|levels| Crossing::new(levels, source.edge, longest_s));
        let mut blocks = timing.blocks(self.channel.map(|channel| vec![channel]));
        let mut read = 0;
        while let Some(block) = blocks.next_block()? {
            let times = block.times;
            for (index, &time_s) in times.time_s.iter().enumerate() {
                let happened_s = match &mut crossing {
                    Some(crossing) => crossing.push(time_s, number(block.values, index)),
                    None => is_wanted(block.values, index, source.text.as_deref()).then_some(time_s),
                };
                if let Some(time_s) = happened_s.filter(|time_s| time_s.is_finite()) {
                    found.push(Event {
                        time_s,
                        relative_s: times.sigma_relative_s[index],
                        total_s: times.sigma_total_s[index],
                        bound_s: times.bound_s[index],
                    });
                }
            }
            read += times.len() as u64;
            progress(read);
            if found.len() > MAX_EVENTS {
                return Err(LagError::NoEvents {
                    stream: self.name.clone(),
                    reason: format!(
                        "more than {MAX_EVENTS} events were found; the threshold may lie in the noise, give one \
                         with --threshold, or a refractory time"
                    ),
                });
            }
        }
        self.damage.extend_from_slice(blocks.damage());
        if let Some(crossing) = crossing.filter(|crossing| crossing.in_gaps > 0) {
            self.left_out += crossing.in_gaps;
            self.remarks
                .push(format!("{} edges lie in gaps of its samples and are left out", crossing.in_gaps));
        }
        Ok(found)
    }

    /// Puts the events in order, leaves out what follows too soon, and takes the errors' medians.
    fn keep(&mut self, mut found: Vec<Event>, refractory_s: f64, shift_s: f64) {
        found.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
        let mut last_s = f64::NEG_INFINITY;
        let before = found.len();
        found.retain(|event| {
            let keep = event.time_s - last_s >= refractory_s;
            if keep {
                last_s = event.time_s;
            }
            keep
        });
        self.left_out += (before - found.len()) as u64;
        let middle = |of: fn(&Event) -> f64| {
            median(&found.iter().map(of).collect::<Vec<_>>()).filter(|value| value.is_finite())
        };
        self.relative_s = middle(|event| event.relative_s);
        self.total_s = middle(|event| event.total_s);
        self.bound_s = middle(|event| event.bound_s);
        self.times_s = found.iter().map(|event| event.time_s + shift_s).collect();
    }

    /// What is told of it.
    pub(super) fn side(self) -> Side {
        Side {
            events: self.times_s.len() as u64,
            stream: self.name,
            id: self.id,
            channel: self.channel_name,
            levels: self.levels,
            left_out: self.left_out,
            clock: self.clock,
            relative_s: self.relative_s,
            total_s: self.total_s,
            bound_s: self.bound_s,
            offset_mean_s: self.offset_mean_s,
            offset_mean_applied: self.offset_mean_applied,
        }
    }
}

/// Index of a channel by its label or its number from 1 on.
fn channel(scanned: &ScannedStream, wanted: Option<&str>) -> Result<Option<usize>, LagError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let count = scanned.info.channel_count;
    // Labels go first: there are channels named "2".
    let labelled = (0..count).find(|&index| stated_label(scanned, index) == Some(wanted));
    let numbered = || wanted.parse::<usize>().ok().filter(|number| (1..=count).contains(number));
    if let Some(index) = labelled.or_else(|| numbered().map(|number| number - 1)) {
        return Ok(Some(index));
    }
    const SHOWN: usize = 40;
    let mut known: Vec<String> = (0..count.min(SHOWN)).map(|index| label(scanned, index)).collect();
    if count > SHOWN {
        known.push(format!("{} more", count - SHOWN));
    }
    Err(LagError::Channel {
        stream: scanned.info.name.clone(),
        channel: wanted.to_owned(),
        known: known.join(", "),
    })
}

fn stated_label(scanned: &ScannedStream, index: usize) -> Option<&str> {
    let channels = scanned.info.desc.child("channels")?;
    let channel = channels.children.iter().filter(|child| child.name == "channel").nth(index)?;
    channel.text_at("label").map(str::trim).filter(|label| !label.is_empty())
}

fn label(scanned: &ScannedStream, index: usize) -> String {
    stated_label(scanned, index).map_or_else(|| (index + 1).to_string(), str::to_owned)
}

/// A pass over the values for the levels.
fn find_levels(
    timing: &Timing<'_>,
    channel: usize,
    threshold: Threshold,
    hysteresis: Option<f64>,
) -> Result<Option<Levels>, LagError> {
    let mut reservoir = Reservoir::new();
    let mut blocks = timing.blocks(Some(vec![channel]));
    while let Some(block) = blocks.next_block()? {
        (0..block.times.len()).for_each(|index| reservoir.push(number(block.values, index)));
    }
    let stated = match threshold {
        Threshold::Auto => None,
        Threshold::At(threshold) => Some(threshold),
    };
    Ok(reservoir.levels(stated, hysteresis))
}

/// The value of the first column; NaN for none.
fn number(values: &Columns, index: usize) -> f64 {
    macro_rules! at {
        ($list:expr) => {
            $list.first().and_then(|column| column.get(index)).map(|&value| value as f64)
        };
    }
    let value = match values {
        Columns::Int8(list) => at!(list),
        Columns::Int16(list) => at!(list),
        Columns::Int32(list) => at!(list),
        Columns::Int64(list) => at!(list),
        Columns::Float32(list) => at!(list),
        Columns::Double64(list) => at!(list),
        Columns::Text(_) => None,
    };
    value.unwrap_or(f64::NAN)
}

/// Whether a sample has the text, in any of the columns. Numbers are compared as they are written.
fn is_wanted(values: &Columns, index: usize, text: Option<&str>) -> bool {
    let Some(text) = text else { return true };
    let fits = |value: &str| match text.strip_suffix('*') {
        Some(begin) => value.starts_with(begin),
        None => value == text,
    };
    macro_rules! any {
        ($list:expr) => {
            $list.iter().filter_map(|column| column.get(index)).any(|value| fits(&value.to_string()))
        };
    }
    match values {
        Columns::Int8(list) => any!(list),
        Columns::Int16(list) => any!(list),
        Columns::Int32(list) => any!(list),
        Columns::Int64(list) => any!(list),
        Columns::Float32(list) => any!(list),
        Columns::Double64(list) => any!(list),
        Columns::Text(list) => list.iter().any(|column| fits(column.get(index))),
    }
}
