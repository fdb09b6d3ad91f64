//! The status of sources, streams and clocks, as it is read from what they have sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use lockstep_platform::seconds;

use super::{ClockStatus, RateMeter, SourceStatus, StreamStatus};
use crate::recording::clock::ClockIntake;
use crate::recording::intake::SourceIntake;
use crate::recording::stream::StreamIntake;

/// What has to be remembered between two looks.
#[derive(Debug, Default)]
pub struct Meters {
    streams: HashMap<u32, StreamMeter>,
    /// When a clock was first seen, by the id of its companion stream.
    clocks: HashMap<u32, f64>,
    /// Growth of the file.
    pub file: RateMeter,
}

#[derive(Debug)]
struct StreamMeter {
    first_seen_s: f64,
    /// Starts with the first samples, so that waiting for them does not lower the rate.
    rate: Option<RateMeter>,
}

impl Meters {
    /// How `source` is doing at `at_s`.
    pub fn source(&mut self, source: &SourceIntake, plugin: &str, at_s: f64) -> SourceStatus {
        let (state, reason) = source.state();
        let of_no_stream = &source.unattributed;
        let clocks = source.clocks.iter().map(|clock| {
            let first_seen_s = *self.clocks.entry(clock.companion.id).or_insert(at_s);
            let stamps =
                |s: &&Arc<StreamIntake>| s.spec.clock.as_ref().is_some_and(|c| Arc::ptr_eq(c, clock));
            ClockStatus {
                streams: source.streams.iter().filter(stamps).count(),
                known_for_s: at_s - first_seen_s,
                ..clock_status(clock, at_s)
            }
        });
        let clocks = clocks.collect();
        SourceStatus {
            lost_of_no_stream: of_no_stream
                .lost
                .load(Relaxed)
                .saturating_add(of_no_stream.rejected.load(Relaxed)),
            gaps_of_no_stream: of_no_stream.gaps_of_unknown_size.load(Relaxed),
            name: source.name.clone(),
            plugin: plugin.to_owned(),
            kind: source.kind,
            required: source.required,
            state,
            reason,
            child: None,
            queue_fill: source.budget.fill(),
            streams: source.streams.iter().map(|s| self.stream(s, at_s)).collect(),
            clocks,
        }
    }

    fn stream(&mut self, stream: &StreamIntake, at_s: f64) -> StreamStatus {
        let meter =
            self.streams.entry(stream.id).or_insert_with(|| StreamMeter { first_seen_s: at_s, rate: None });
        let c = &stream.counters;
        let samples = c.received.load(Relaxed);
        if samples > 0 {
            meter.rate.get_or_insert_with(|| RateMeter::of_stream(stream.spec.nominal_rate_hz));
        }
        let newest_ns = c.newest_ns.load(Relaxed);
        StreamStatus {
            name: stream.spec.label.clone(),
            state: stream.state.get().0,
            stream_id: stream.id,
            format: stream.spec.format.name(),
            channel_count: stream.spec.channel_count,
            nominal_rate_hz: stream.spec.nominal_rate_hz,
            effective_rate_hz: meter.rate.as_mut().and_then(|r| r.update(at_s, seconds(newest_ns), samples)),
            samples,
            dropped: c.dropped.load(Relaxed),
            rejected: c.rejected.load(Relaxed),
            lost: c.lost.load(Relaxed),
            gaps_of_unknown_size: c.gaps_of_unknown_size.load(Relaxed),
            timestamps_back: c.backwards.load(Relaxed),
            newest_age_s: (newest_ns != 0).then(|| (at_s - seconds(newest_ns)).max(0.0)),
            known_for_s: at_s - meter.first_seen_s,
            may_be_silent: stream.spec.may_be_silent,
            on_disk: c.on_disk.load(Relaxed),
            clock: stream.spec.clock.as_ref().map(|c| c.spec.name.clone()),
        }
    }
}

fn clock_status(clock: &ClockIntake, at_s: f64) -> ClockStatus {
    let lost = &clock.companion.counters;
    let summary = clock.summary();
    let newest = summary.newest;
    ClockStatus {
        name: clock.spec.name.clone(),
        offset_s: newest.map(|(m, _)| m.offset_s),
        round_trip_s: newest.map(|(m, _)| m.round_trip_s),
        bound_s: newest.map(|(m, _)| m.bound_s),
        age_s: newest.map(|(_, when_s)| (at_s - when_s).max(0.0)),
        interval_s: clock.spec.interval_s,
        exchanges: summary.exchanges,
        exchanges_lost: lost.dropped.load(Relaxed).saturating_add(lost.rejected.load(Relaxed)),
        streams: 0,
        known_for_s: 0.0,
        offsets: summary.offsets,
        useless_bursts: summary.useless_bursts,
        resets: summary.resets,
    }
}
