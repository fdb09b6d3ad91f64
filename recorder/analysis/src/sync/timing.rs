//! First pass over a stream: stamps only.

use std::borrow::Cow;

use lockstep_clock::{
    ClockMap, DejitterFit, DejitterMethod, DejitterOptions, DejitterPlan, Estimate, Placement, Survey,
};
use lockstep_xdf::{Damage, ScannedStream, Selection};

use super::blocks::SyncedBlocks;
use super::times::Times;
use super::{SyncError, Synchronizer};
use crate::arrival::Arrivals;
use crate::clocks::StreamClock;

/// Streams with up to this many samples keep their stamps in memory between the two looks of the
/// first pass (8 MB).
const KEPT_STAMPS: u64 = 1_000_000;

/// Where the samples of one stream belong on the synchronized axis, found by a first pass.
#[derive(Debug)]
pub struct Timing<'a> {
    pub(super) synchronizer: &'a Synchronizer<'a>,
    /// Index of the stream in `scan.streams`.
    pub stream: usize,
    /// Samples that can be read (and that pyxdf would not cut off, when it is imitated).
    pub samples: u64,
    /// First and last stamp, as recorded.
    pub device_span_s: Option<(f64, f64)>,
    /// Synchronized time of the first sample in the file.
    pub first_time_s: Option<f64>,
    /// Synchronized time of the last sample in the file.
    pub last_time_s: Option<f64>,
    /// What dejittering found and does: segments without a gap, the effective rate (0 for streams
    /// without a nominal rate), gaps, dropped frames.
    pub plan: DejitterPlan,
    /// First and last sample of each stretch between two resets or steps of the clock, both inclusive;
    /// empty when the stamps were taken as they are.
    pub clock_segments: Vec<(u64, u64)>,
    /// The header's `desc/synchronization/offset_mean`, where it is a number.
    pub offset_mean_s: Option<f64>,
    /// What was subtracted for it: 0 when it was asked not to be.
    pub offset_mean_applied_s: f64,
    /// What could not be read of the samples.
    pub damage: Vec<Damage>,
    placement: Option<Placement<'a>>,
}

/// What a look over the stamps gathered.
#[derive(Debug, Default)]
struct Stamps<'s> {
    count: u64,
    first_s: f64,
    last_s: f64,
    /// All of them, if there are few.
    kept: Option<Cow<'s, [f64]>>,
    damage: Vec<Damage>,
}

impl<'a> Timing<'a> {
    pub(super) fn new(
        synchronizer: &'a Synchronizer<'a>,
        stream: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, SyncError> {
        let recording = synchronizer.recording;
        let scanned = recording.scan.streams.get(stream).ok_or_else(|| no_stream(synchronizer, stream))?;
        let mut survey = synchronizer.map_of(stream).map(ClockMap::survey);
        let limit = synchronizer.cut[stream].unwrap_or(u64::MAX);
        let arrivals = Arrivals::new(&synchronizer.timeline, &scanned.chunks);

        // First look: count, and place.
        let keep = scanned.sample_count <= KEPT_STAMPS;
        let mut seen = Stamps { kept: keep.then(Cow::default), ..Stamps::default() };
        let mut blocks = recording.scan.blocks(recording.source(), stream, no_channels());
        while let Some(block) = blocks.next_block()? {
            let stamps_s = up_to(limit, seen.count, &block.data.time_stamps_s);
            let (Some(first_s), Some(last_s)) = (stamps_s.first(), stamps_s.last()) else { break };
            if seen.count == 0 {
                seen.first_s = *first_s;
            }
            seen.last_s = *last_s;
            if let Some(survey) = &mut survey {
                let mut rest = stamps_s;
                arrivals.split(block.file_offset, stamps_s.len(), |count, arrived_s| {
                    let (these, after) = rest.split_at(count.min(rest.len()));
                    survey.push(these, arrived_s);
                    rest = after;
                });
            }
            seen.kept.iter_mut().for_each(|kept| kept.to_mut().extend_from_slice(stamps_s));
            seen.count += stamps_s.len() as u64;
            progress(seen.count);
        }
        seen.damage.extend_from_slice(blocks.damage());
        Self::of_seen(synchronizer, stream, &mut seen, survey, progress)
    }

    /// The same for stamps that are in memory: all that can be read of the stream, in file order.
    pub(crate) fn of_stamps(
        synchronizer: &'a Synchronizer<'a>,
        stream: usize,
        stamps_s: &[f64],
    ) -> Result<Self, SyncError> {
        let streams = &synchronizer.recording.scan.streams;
        let scanned = streams.get(stream).ok_or_else(|| no_stream(synchronizer, stream))?;
        let stamps_s = up_to(synchronizer.cut[stream].unwrap_or(u64::MAX), 0, stamps_s);
        let mut survey = synchronizer.map_of(stream).map(ClockMap::survey);
        if let Some(survey) = &mut survey {
            let arrivals = Arrivals::new(&synchronizer.timeline, &scanned.chunks);
            let mut rest = stamps_s;
            arrivals.split(0, stamps_s.len(), |count, arrived_s| {
                let (these, after) = rest.split_at(count.min(rest.len()));
                survey.push(these, arrived_s);
                rest = after;
            });
        }
        let mut seen = Stamps {
            count: stamps_s.len() as u64,
            first_s: stamps_s.first().copied().unwrap_or_default(),
            last_s: stamps_s.last().copied().unwrap_or_default(),
            kept: Some(Cow::Borrowed(stamps_s)),
            damage: Vec::new(),
        };
        Self::of_seen(synchronizer, stream, &mut seen, survey, &mut |_| {})
    }

    fn of_seen(
        synchronizer: &'a Synchronizer<'a>,
        stream: usize,
        seen: &mut Stamps<'_>,
        survey: Option<Survey<'a>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, SyncError> {
        let options = &synchronizer.options;
        let scanned = &synchronizer.recording.scan.streams[stream];
        let limit = synchronizer.cut[stream].unwrap_or(u64::MAX);
        let offset_mean_s = number_at(scanned, "synchronization/offset_mean");
        let applied = options.offset_mean && !options.compat_pyxdf;
        let mut timing = Self {
            synchronizer,
            stream,
            samples: seen.count,
            device_span_s: (seen.count > 0).then_some((seen.first_s, seen.last_s)),
            first_time_s: None,
            last_time_s: None,
            plan: nothing_found(),
            clock_segments: Vec::new(),
            offset_mean_s,
            offset_mean_applied_s: offset_mean_s.filter(|_| applied).unwrap_or(0.0),
            damage: std::mem::take(&mut seen.damage),
            placement: survey.map(Survey::finish),
        };
        timing.find_clock_segments();
        timing.fit_rate(seen, limit, progress)?;
        timing.find_ends(seen);
        Ok(timing)
    }

    /// Second look: the mapped stamps, for the dejittering.
    fn fit_rate(
        &mut self,
        seen: &Stamps<'_>,
        limit: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), SyncError> {
        let recording = self.synchronizer.recording;
        let scanned = self.scanned();
        let options = DejitterOptions {
            method: self.synchronizer.options.dejitter,
            nominal_rate_hz: scanned.info.nominal_rate_hz,
            can_drop_samples: can_drop_samples(scanned),
            ..DejitterOptions::default()
        };
        let untouched = options.method == DejitterMethod::None || options.nominal_rate_hz == 0.0;
        let mut fit = DejitterFit::new(options);
        let mut ends_s = (None, None);
        let mut times_s: Vec<f64> = Vec::new();
        let mut push = |timing: &Self, first: u64, stamps_s: &[f64]| {
            times_s.clear();
            times_s.extend_from_slice(stamps_s);
            timing.map_in_place(first, &mut times_s);
            ends_s = (ends_s.0.or(times_s.first().copied()), times_s.last().copied());
            fit.push(stamps_s, &times_s);
        };
        if untouched {
            // Only the ends count.
            push(self, 0, &[seen.first_s]);
            push(self, self.samples.saturating_sub(1), &[seen.last_s]);
        } else if let Some(kept) = &seen.kept {
            // Small enough for the first caches.
            for (index, stamps_s) in kept.chunks(1 << 10).enumerate() {
                push(self, (index << 10) as u64, stamps_s);
            }
        } else {
            let mut blocks = recording.scan.blocks(recording.source(), self.stream, no_channels());
            let mut done = 0;
            while let Some(block) = blocks.next_block()? {
                let stamps_s = up_to(limit, done, &block.data.time_stamps_s);
                push(self, done, stamps_s);
                done += stamps_s.len() as u64;
                progress(self.samples + done);
            }
        }
        self.plan = fit.finish();
        if untouched {
            self.plan.segments = if self.samples > 0 { vec![(0, self.samples - 1)] } else { Vec::new() };
            self.plan.effective_rate_hz = match ends_s {
                // As pyxdf: whatever the division gives.
                (Some(first_s), Some(last_s)) if self.samples > 1 && scanned.info.nominal_rate_hz != 0.0 => {
                    (self.samples - 1) as f64 / (last_s - first_s)
                }
                _ => 0.0,
            };
        }
        progress(2 * self.samples);
        Ok(())
    }

    fn find_clock_segments(&mut self) {
        let has_map = self.synchronizer.map_of(self.stream).is_some_and(|map| !map.pieces.is_empty());
        if let Some(placement) = self.placement.as_ref().filter(|_| has_map) {
            let mut last_piece = None;
            for range in placement.ranges.iter().filter(|range| range.end > range.first) {
                match self.clock_segments.last_mut() {
                    // Samples around an event count to the piece before it.
                    Some(segment) if last_piece == Some(range.piece) => segment.1 = range.end - 1,
                    _ => self.clock_segments.push((range.first, range.end - 1)),
                }
                last_piece = Some(range.piece);
            }
        }
    }

    fn find_ends(&mut self, seen: &Stamps<'_>) {
        if self.samples == 0 {
            return;
        }
        let (mut times, mut scratch) = (Times::default(), Vec::new());
        self.apply(0, &[seen.first_s], &mut times, &mut scratch);
        self.apply(self.samples - 1, &[seen.last_s], &mut times, &mut scratch);
        if let [first_s, last_s] = times.time_s[..] {
            self.first_time_s = Some(first_s);
            self.last_time_s = Some(last_s);
        }
    }

    /// Adds the synchronized times of the stamps that begin at sample `first`: everything but pushing
    /// up what does not rise. `scratch` is only memory.
    pub fn apply(&self, first: u64, stamps_s: &[f64], out: &mut Times, scratch: &mut Vec<Estimate>) {
        let from = out.len();
        self.map(first, stamps_s, out, scratch);
        let new = &mut out.time_s[from..];
        if self.synchronizer.options.dejitter != DejitterMethod::None {
            self.plan.apply(first, stamps_s, new);
        }
        if self.offset_mean_applied_s != 0.0 {
            new.iter_mut().for_each(|time_s| *time_s -= self.offset_mean_applied_s);
        }
    }

    /// The synchronized times alone, in place: the same doubles that [`apply`](Self::apply) gives,
    /// faster. `scratch` is only memory.
    pub fn apply_in_place(&self, first: u64, times_s: &mut [f64], scratch: &mut Vec<f64>) {
        if self.synchronizer.options.dejitter == DejitterMethod::None {
            self.map_in_place(first, times_s);
        } else {
            scratch.clear();
            scratch.extend_from_slice(times_s);
            self.map_in_place(first, times_s);
            self.plan.apply(first, scratch, times_s);
        }
        if self.offset_mean_applied_s != 0.0 {
            times_s.iter_mut().for_each(|time_s| *time_s -= self.offset_mean_applied_s);
        }
    }

    fn map_in_place(&self, first: u64, times_s: &mut [f64]) {
        if let Some(placement) = &self.placement {
            placement.map_in_place(first, times_s);
        }
    }

    /// The clock's map alone.
    fn map(&self, first: u64, stamps_s: &[f64], out: &mut Times, scratch: &mut Vec<Estimate>) {
        match &self.placement {
            Some(placement) => {
                scratch.clear();
                placement.apply(first, stamps_s, scratch);
                out.push(scratch);
            }
            None => {
                let of_stream = self.synchronizer.clocks.of_stream.get(self.stream);
                let exact = of_stream == Some(&StreamClock::Host);
                out.push_as_they_are(stamps_s, if exact { 0.0 } else { f64::INFINITY });
            }
        }
    }

    /// Second pass: the samples with their times, block after block; `channels`: which, counted from
    /// 0, `None` for all.
    pub fn blocks(&self, channels: Option<Vec<usize>>) -> SyncedBlocks<'_> {
        SyncedBlocks::new(self, channels)
    }

    /// What times it.
    pub fn synchronizer(&self) -> &'a Synchronizer<'a> {
        self.synchronizer
    }

    /// What the header says of the stream, and where its chunks are.
    pub fn scanned(&self) -> &'a ScannedStream {
        &self.synchronizer.recording.scan.streams[self.stream]
    }

    /// Samples beyond this number are left out, as pyxdf does.
    pub(super) fn limit(&self) -> Option<u64> {
        self.synchronizer.cut[self.stream]
    }
}

fn no_stream(synchronizer: &Synchronizer<'_>, index: usize) -> SyncError {
    let count = synchronizer.recording.scan.streams.len();
    SyncError::Load(lockstep_xdf::LoadError::NoStream { index, count })
}

/// The plan of a stream without samples.
fn nothing_found() -> DejitterPlan {
    DejitterFit::new(DejitterOptions { method: DejitterMethod::None, ..DejitterOptions::default() }).finish()
}

fn no_channels() -> Selection {
    Selection { channels: Some(Vec::new()), time_range_s: None }
}

/// What of a block is before sample `limit`, when it begins at sample `first`.
fn up_to(limit: u64, first: u64, stamps_s: &[f64]) -> &[f64] {
    let left = usize::try_from(limit.saturating_sub(first)).unwrap_or(usize::MAX);
    &stamps_s[..stamps_s.len().min(left)]
}

/// A number of the header's `desc`.
fn number_at(stream: &ScannedStream, path: &str) -> Option<f64> {
    let number: f64 = stream.info.desc.text_at(path)?.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// Whether single samples may be missing from a steady rate: video, displays.
pub(crate) fn can_drop_samples(stream: &ScannedStream) -> bool {
    let text = stream.info.desc.text_at("synchronization/can_drop_samples");
    text.is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
