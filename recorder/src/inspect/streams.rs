//! The streams of a recording.

use lockstep_analysis::check::{StampFacts, footer_agrees};
use lockstep_analysis::clocks::clock_text;
use lockstep_analysis::{StreamClock, SyncError, Synchronizer, Uncertainty};
use lockstep_xdf::{Element, ScannedStream};
use serde::Serialize;

use super::clocks::ClockFacts;
use crate::recording::clock::EXCHANGE_TYPE;

/// Gaps that are listed.
const MAX_GAPS: usize = 20;

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
    /// Samples a second of recorder time, without the gaps; of streams with a nominal rate.
    pub synchronized_rate_hz: Option<f64>,
    /// Gaps in the stamps of a stream with a nominal rate.
    pub gaps: GapFacts,
    /// What the stamps scatter about regular ones, root mean square, in seconds.
    pub jitter_rms_s: Option<f64>,
    /// Stamps that are earlier than the one before.
    pub timestamps_back: u64,
    /// Stamps that are no numbers.
    pub timestamps_not_finite: u64,
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
    /// "recorder", "measured" or "unknown": how its times become the recorder's.
    pub clock_kind: &'static str,
    /// How often its clock was stepped, slewed or reset.
    pub clock_events: u64,
    /// Medians of the errors of its times; `None` where nothing is known. Zeros for the recorder's clock.
    pub uncertainty: Option<Uncertainty>,
    /// What the header's `synchronization/offset_mean` says, in seconds: to be subtracted from its times.
    pub offset_mean_s: Option<f64>,
    /// Whether it has a footer.
    pub has_footer: bool,
    /// Whether the footer agrees with the samples; `None` without a footer.
    pub footer_agrees: Option<bool>,
    /// What the recorder counted as missing; `None`: it does not say.
    pub lost_samples: Option<u64>,
    /// Gaps of unknown size besides; `None`: it does not say.
    pub gaps_of_unknown_size: Option<u64>,
}

/// Gaps in the stamps of a stream.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct GapFacts {
    /// How many.
    pub count: u64,
    /// All together, in seconds: what is missing, or was never sent.
    pub missing_s: f64,
    /// The longest one.
    pub longest_s: f64,
    /// The first ones: after which sample, and how many seconds.
    pub first: Vec<(u64, f64)>,
    /// Frames that a stream with `can_drop_samples` did not deliver.
    pub dropped_frames: u64,
}

/// All of one stream.
pub(super) fn stream_facts(
    synchronizer: &Synchronizer<'_>,
    index: usize,
    stamps: &StampFacts,
    clocks: &[ClockFacts],
) -> Result<StreamFacts, SyncError> {
    let stream = &synchronizer.recording.scan.streams[index];
    let info = &stream.info;
    let mut facts = recorded(stream, stamps);
    match synchronizer.clocks.of_stream.get(index) {
        Some(StreamClock::Host) => {
            facts.clock_kind = "recorder";
            let zero = 0.0;
            facts.uncertainty =
                Some(Uncertainty { relative_s: zero, total_s: zero, bound_s: zero, total_max_s: zero });
        }
        Some(StreamClock::Measured(clock)) => {
            facts.clock_kind = "measured";
            if let Some(clock) = clocks.get(*clock) {
                facts.clock_events = clock.study.events.len() as u64;
                facts.uncertainty = clock.study.uncertainty;
                facts.clock.get_or_insert_with(|| clock.name.clone());
            }
        }
        Some(StreamClock::Unknown) | None => {}
    }
    // Nothing is regular about the others, and they are spared the second look.
    if info.nominal_rate_hz > 0.0 && stamps.samples > 1 {
        let timing = synchronizer.time(index, &mut |_| {})?;
        let plan = &timing.plan;
        facts.synchronized_rate_hz = (plan.effective_rate_hz > 0.0).then_some(plan.effective_rate_hz);
        facts.jitter_rms_s = Some(plan.jitter_rms_s);
        facts.gaps = GapFacts {
            count: plan.gaps.len() as u64,
            missing_s: plan.gaps.iter().map(|gap| gap.missing_s).sum(),
            longest_s: plan.gaps.iter().map(|gap| gap.missing_s).fold(0.0, f64::max),
            first: plan.gaps.iter().take(MAX_GAPS).map(|gap| (gap.after_sample, gap.missing_s)).collect(),
            dropped_frames: plan.dropped_frames(),
        };
    }
    Ok(facts)
}

/// What the file says without any synchronization.
fn recorded(stream: &ScannedStream, stamps: &StampFacts) -> StreamFacts {
    let info = &stream.info;
    let (first_s, last_s) = (stamps.first_s, stamps.last_s);
    let effective_rate_hz = first_s.zip(last_s).and_then(|(first_s, last_s)| {
        (stamps.samples > 1 && last_s > first_s).then(|| (stamps.samples - 1) as f64 / (last_s - first_s))
    });
    let offset = |offset: Option<&lockstep_xdf::ClockOffset>| offset.map(|offset| offset.offset_s);
    let offsets = &stream.clock_offsets;
    let losses = stream.footer.as_ref().and_then(|f| f.extra.iter().find(|e| e.name == "lockstep"));
    let count = |e: &Element, name: &str| e.text_at(name).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    let text = |path: &str| info.desc.text_at(path);
    StreamFacts {
        stream_id: stream.id,
        name: info.name.clone(),
        kind: info.kind.clone(),
        format: info.format.name(),
        channel_count: info.channel_count,
        nominal_rate_hz: info.nominal_rate_hz,
        samples: stamps.samples,
        first_timestamp_s: first_s,
        last_timestamp_s: last_s,
        effective_rate_hz,
        synchronized_rate_hz: None,
        gaps: GapFacts::default(),
        jitter_rms_s: None,
        timestamps_back: stamps.back.count,
        timestamps_not_finite: stamps.not_finite.count,
        chunks: stream.chunks.len() as u64,
        stamps_elided: stamps_elided(stream),
        clock_offsets: offsets.len() as u64,
        offset_range_s: offset(offsets.first()).zip(offset(offsets.last())),
        // The stream of a clock's exchanges names that clock, but is in recorder time itself.
        clock: clock_text(stream, "name").filter(|_| info.kind != EXCHANGE_TYPE).map(str::to_owned),
        clock_stream_id: clock_text(stream, "stream_id").and_then(|id| id.parse().ok()),
        clock_kind: "unknown",
        clock_events: 0,
        uncertainty: None,
        offset_mean_s: text("synchronization/offset_mean").and_then(|mean| mean.trim().parse().ok()),
        has_footer: stream.footer.is_some(),
        footer_agrees: footer_agrees(stream, stamps),
        lost_samples: losses.map(|e| {
            let kinds = ["dropped", "rejected", "lost", "unwritten"];
            kinds.iter().fold(0, |sum: u64, kind| sum.saturating_add(count(e, kind)))
        }),
        gaps_of_unknown_size: losses.map(|e| count(e, "gaps_of_unknown_size")),
    }
}

/// Samples without a stamp of their own, by the sizes of the chunks: each sample takes its values and
/// one byte, and eight more with a stamp. Of texts nothing can be said.
fn stamps_elided(stream: &ScannedStream) -> u64 {
    let Some(size) = stream.info.format.value_bytes() else { return 0 };
    let of_chunk = |chunk: &lockstep_xdf::SampleChunk| {
        let samples = u64::from(chunk.samples);
        let without = samples.saturating_mul(1 + (size * stream.info.channel_count) as u64);
        samples - u64::from(chunk.body_bytes).saturating_sub(without).min(8 * samples) / 8
    };
    stream.chunks.iter().map(of_chunk).sum()
}
