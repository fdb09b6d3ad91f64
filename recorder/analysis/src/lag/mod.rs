//! The lag between two streams that saw the same events: markers against a photodiode, a trigger
//! channel against a response box.
//!
//! 1. Each stream becomes a list of event times on the synchronized axis ([`Source`]): every sample of
//!    an irregular stream, or every crossing of a threshold of a regular one.
//! 2. The most likely constant lag is voted for by all pairs within the window, events are matched one
//!    to one around it, and the tolerance is taken from what was found; see `matching`.
//! 3. The offsets of the pairs are described with a standard error for each figure ([`Figures`]).
//!
//! Signs. A **lag** is *against minus events*: a photodiode that sees the light 23.4 ms after its marker
//! has the lag +23.4 ms. An **offset** of the synchronization block is what is to be subtracted from the
//! stamps of the stream whose header holds it. Those markers are stamped 23.4 ms before the light, so
//! that their offset_mean is -0.0234; the photodiode's, if it should agree with the markers instead,
//! is +0.0234.
//!
//! The numbers of the block are made without the `offset_mean` that the header of its stream states
//! already, for they are to replace it. The other stream's is applied as always.
//!
//! Memory grows with the number of events, not of samples.

mod crossing;
mod events;
mod level;
mod matching;
mod stats;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod written;

use lockstep_xdf::Damage;
use serde::Serialize;

pub use crossing::Edge;
pub use events::{Source, Threshold};
pub use level::Levels;
pub use stats::{Bin, Drift, Estimated, Figures};

use crate::{Query, QueryError, StreamClock, SyncError, Synchronizer, select};
use events::Events;
use matching::Matched;

/// More events than this are no events.
pub const MAX_EVENTS: usize = 5_000_000;

/// For which stream the synchronization block is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlockFor {
    /// The events: corrected, they say when the sensor saw it.
    #[default]
    Events,
    /// The stream they are compared with: corrected, it agrees with the events.
    Against,
    /// None: what the headers state is applied to both, and what remains should be zero.
    Neither,
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct LagOptions {
    /// The events.
    pub events: Source,
    /// What they are compared with.
    pub against: Source,
    /// Lags that are looked for: lowest and highest, in seconds.
    pub window_s: (f64, f64),
    /// Pairs are this near to the usual lag, in seconds; `None`: found from the pairs.
    pub tolerance_s: Option<f64>,
    /// For which stream the block is meant.
    pub block_for: BlockFor,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Lag {
    /// The events.
    pub events: Side,
    /// What they were compared with.
    pub against: Side,
    /// Pairs.
    pub matched: u64,
    /// Events without anything that followed.
    pub missed: u64,
    /// Events of the other stream that no event led to.
    pub extra: u64,
    /// Events that were left out of all counts, because the other stream has no samples there.
    pub not_covered: u64,
    /// Lags that were looked for, lowest and highest.
    pub window_s: (f64, f64),
    /// How far from the usual lag a pair may be.
    pub tolerance_s: f64,
    /// The lags, *against minus events*.
    pub lag: Figures,
    /// Pairs that are off the median by more than six robust sigmas.
    pub outliers: u64,
    /// The lag over the recording, with at least three pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// One sigma of what the clocks add to every lag alike; `None`: nothing is known.
    pub clock_sigma_s: Option<f64>,
    /// The largest error the clocks can add; `None`: nothing is known.
    pub clock_bound_s: Option<f64>,
    /// Both streams are stamped by one clock, so that `clock_sigma_s` leaves asymmetry out.
    pub one_clock: bool,
    /// The numbers for the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronization: Option<Block>,
    /// Counts of the lags.
    pub histogram: Vec<Bin>,
    /// What should be known.
    pub remarks: Vec<String>,
    /// What could not be read.
    #[serde(skip)]
    pub damage: Vec<Damage>,
}

/// One of the two streams.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Its name.
    pub stream: String,
    /// Its id.
    pub id: u32,
    /// The channel that was looked at; `None`: every sample is an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The threshold and the levels, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Levels>,
    /// Events that were found.
    pub events: u64,
    /// Events that were left out: within the refractory time of another, or in a gap of the samples.
    pub left_out: u64,
    /// Name of its clock; `None`: the recorder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// Medians of the errors of its times; `None`: nothing is known.
    pub relative_s: Option<f64>,
    /// One sigma of everything to be expected.
    pub total_s: Option<f64>,
    /// The largest error there can be.
    pub bound_s: Option<f64>,
    /// The header's offset_mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_mean_s: Option<f64>,
    /// Whether it was subtracted here.
    pub offset_mean_applied: bool,
}

/// Numbers for `[source.synchronization]`, in seconds: stamp minus truth, to be subtracted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Block {
    /// The stream whose header they are for.
    pub stream: String,
    /// Mean.
    pub offset_mean: f64,
    /// Root mean square about the mean.
    pub offset_rms: f64,
    /// Median.
    pub offset_median: f64,
    /// 95 % of the offsets are greater.
    pub offset_5_centile: f64,
    /// 95 % of the offsets are less.
    pub offset_95_centile: f64,
}

/// Why there is no lag.
#[derive(Debug, thiserror::Error)]
pub enum LagError {
    /// The recording cannot be synchronized or read.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// No such stream.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Several streams fit.
    #[error("`{query}` fits {count} streams: {ids}; say which with id=NUMBER")]
    Several {
        /// As typed.
        query: String,
        /// How many.
        count: usize,
        /// Their ids.
        ids: String,
    },
    /// Both are the same.
    #[error("the events and what they are compared with are the same stream and channel, \"{stream}\"")]
    Same {
        /// Its name.
        stream: String,
    },
    /// The channel is not there.
    #[error("the stream \"{stream}\" has no channel {channel}; it has {known}")]
    Channel {
        /// The stream.
        stream: String,
        /// As typed.
        channel: String,
        /// The channels.
        known: String,
    },
    /// The stream cannot be made into events that way.
    #[error("the stream \"{stream}\": {reason}")]
    NoEvents {
        /// The stream.
        stream: String,
        /// Why.
        reason: String,
    },
    /// Too few pairs for any figure.
    #[error(
        "{matched} of {events} events of \"{of}\" and {others} of \"{against}\" belong together for any lag \
         from {from_s} s to {to_s} s; at least 2 are needed"
    )]
    NoMatch {
        /// Name of the events' stream.
        of: String,
        /// Name of the other.
        against: String,
        /// Events of the first.
        events: usize,
        /// Events of the other.
        others: usize,
        /// Pairs.
        matched: usize,
        /// Window.
        from_s: f64,
        /// Window.
        to_s: f64,
    },
    /// The window is empty.
    #[error("no lag is from {from_s} s to {to_s} s; the first must be lower")]
    Window {
        /// As given.
        from_s: f64,
        /// As given.
        to_s: f64,
    },
}

/// Measure the lag between two streams of a recording.
///
/// `progress` is told how many samples were looked at.
///
/// # Errors
/// [`LagError`]; damage of the samples is in the result.
pub fn lag(
    synchronizer: &Synchronizer<'_>,
    options: &LagOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Lag, LagError> {
    let (from_s, to_s) = options.window_s;
    // NaN fails the comparison.
    if !(from_s < to_s && from_s.is_finite() && to_s.is_finite()) {
        return Err(LagError::Window { from_s, to_s });
    }
    let first = one(synchronizer, &options.events.stream)?;
    let second = one(synchronizer, &options.against.stream)?;
    let stated = |side: BlockFor| options.block_for != side;
    let events = Events::find(synchronizer, first, &options.events, stated(BlockFor::Events), progress)?;
    let against = Events::find(synchronizer, second, &options.against, stated(BlockFor::Against), progress)?;
    if first == second && events.channel == against.channel {
        return Err(LagError::Same { stream: events.name });
    }
    let matched = matching::run(&events.times_s, &against.times_s, options.window_s, options.tolerance_s);
    if matched.pairs.len() < 2 {
        return Err(LagError::NoMatch {
            of: events.name,
            against: against.name,
            events: events.times_s.len(),
            others: against.times_s.len(),
            matched: matched.pairs.len(),
            from_s,
            to_s,
        });
    }
    Ok(describe(synchronizer, options, (first, second), events, against, &matched))
}

/// The one stream that a query means.
fn one(synchronizer: &Synchronizer<'_>, query: &Query) -> Result<usize, LagError> {
    let scan = &synchronizer.recording.scan;
    let fit = select(scan, &synchronizer.clocks, std::slice::from_ref(query))?;
    match fit[..] {
        [stream] => Ok(stream),
        _ => {
            let ids: Vec<_> = fit.iter().map(|&stream| format!("id={}", scan.streams[stream].id)).collect();
            Err(LagError::Several { query: query.to_string(), count: fit.len(), ids: ids.join(", ") })
        }
    }
}

fn describe(
    synchronizer: &Synchronizer<'_>,
    options: &LagOptions,
    streams: (usize, usize),
    events: Events,
    against: Events,
    matched: &Matched,
) -> Lag {
    let times_s: Vec<f64> = matched.pairs.iter().map(|&(event, _)| events.times_s[event]).collect();
    let pairs = matched.pairs.iter();
    let lags_s: Vec<f64> =
        pairs.map(|&(event, other)| against.times_s[other] - events.times_s[event]).collect();
    let lag = Figures::of(&lags_s);
    let drift = Drift::of(&times_s, &lags_s);
    let mut remarks = matched.remarks.clone();
    for side in [&events, &against] {
        remarks.extend(side.remarks.iter().map(|remark| format!("{}: {remark}", side.name)));
    }
    if let Some(drift) = &drift
        && drift.slope.value.abs() > 4.0 * drift.slope.error
        && drift.change_s.abs() > 0.5 * lag.offset_rms_s.value
    {
        remarks.push(format!(
            "the lag changes by {:.3} ms over the recording: one number does not describe it; is a clock not \
             synchronized?",
            1e3 * drift.change_s
        ));
    }
    let outliers = stats::outliers(&lags_s);
    let one_clock =
        match (synchronizer.clocks.of_stream.get(streams.0), synchronizer.clocks.of_stream.get(streams.1)) {
            (Some(StreamClock::Unknown), _) | (_, Some(StreamClock::Unknown)) => false,
            (a, b) => a == b && !synchronizer.options.compat_pyxdf,
        };
    let both = |of: &dyn Fn(&Events) -> Option<f64>| Some((of(&events)?, of(&against)?));
    let sigmas = if one_clock { both(&|side| side.relative_s) } else { both(&|side| side.total_s) };
    let clock_sigma_s = sigmas.map(|(a, b)| a.hypot(b));
    let clock_bound_s = both(&|side| side.bound_s).map(|(a, b)| a + b);
    let (missed, extra, not_covered) = counts(&events, &against, matched, lag.offset_median_s.value);
    Lag {
        matched: matched.pairs.len() as u64,
        missed,
        extra,
        not_covered,
        window_s: options.window_s,
        tolerance_s: matched.tolerance_s,
        outliers,
        drift,
        clock_sigma_s,
        clock_bound_s,
        one_clock,
        synchronization: Block::of(options.block_for, &lag, &events.name, &against.name),
        histogram: stats::histogram(&lags_s, 21),
        damage: events.damage.iter().chain(&against.damage).cloned().collect(),
        events: events.side(),
        against: against.side(),
        lag,
        remarks,
    }
}

/// Missed and extra events, and those that the other stream could not have seen: it had not begun,
/// or had ended.
fn counts(events: &Events, against: &Events, matched: &Matched, lag_s: f64) -> (u64, u64, u64) {
    let within = |span_s: Option<(f64, f64)>, time_s: f64| {
        span_s.is_some_and(|(from_s, to_s)| {
            from_s <= time_s - matched.tolerance_s && time_s + matched.tolerance_s <= to_s
        })
    };
    let mut of_events = vec![false; events.times_s.len()];
    let mut of_against = vec![false; against.times_s.len()];
    for &(event, other) in &matched.pairs {
        of_events[event] = true;
        of_against[other] = true;
    }
    let (mut missed, mut extra, mut not_covered) = (0, 0, 0);
    let mut judge = |time_s: f64, other_span_s, count: &mut u64| {
        if within(other_span_s, time_s) { *count += 1 } else { not_covered += 1 }
    };
    for (&time_s, _) in events.times_s.iter().zip(&of_events).filter(|(_, matched)| !**matched) {
        judge(time_s + lag_s, against.span_s, &mut missed);
    }
    for (&time_s, _) in against.times_s.iter().zip(&of_against).filter(|(_, matched)| !**matched) {
        judge(time_s - lag_s, events.span_s, &mut extra);
    }
    (missed, extra, not_covered)
}

impl Block {
    fn of(block_for: BlockFor, lag: &Figures, events: &str, against: &str) -> Option<Self> {
        let figures = |stream: &str, sign: f64, low_s: f64, high_s: f64| Self {
            stream: stream.to_owned(),
            offset_mean: sign * lag.offset_mean_s.value,
            offset_rms: lag.offset_rms_s.value,
            offset_median: sign * lag.offset_median_s.value,
            offset_5_centile: sign * low_s,
            offset_95_centile: sign * high_s,
        };
        let (low_s, high_s) = (lag.offset_5_centile_s.value, lag.offset_95_centile_s.value);
        match block_for {
            // What is added to the lag is taken off the stamps: the centiles change places.
            BlockFor::Events => Some(figures(events, -1.0, high_s, low_s)),
            BlockFor::Against => Some(figures(against, 1.0, low_s, high_s)),
            BlockFor::Neither => None,
        }
    }

    /// As TOML, under the header it has in a configuration. Nanoseconds, for nothing finer was
    /// measured.
    pub fn to_toml(&self) -> String {
        let numbers = [
            ("offset_mean", self.offset_mean),
            ("offset_rms", self.offset_rms),
            ("offset_median", self.offset_median),
            ("offset_5_centile", self.offset_5_centile),
            ("offset_95_centile", self.offset_95_centile),
        ];
        let lines = numbers.map(|(name, value)| format!("{name} = {value:.9}\n"));
        format!("[source.synchronization]\n{}", lines.concat())
    }
}
