//! Our way: broken lines over the sample index, relative to the clock map.

use super::curves::{Curve, Curves};
use super::frames::{Frame, FrameTracker};
use super::gaps::{GapFinder, Pair, Step};
use super::plan::Change;
use super::spline::{Accumulator, Broken, Column};
use super::{DejitterOptions, DejitterPlan, DroppedFrames, Gap};

/// Shortest time between corners: a phone that warms up bends by less than 1 us within it.
const KNOTS_S: f64 = 30.0;
/// And fewest samples.
const KNOT_SAMPLES: f64 = 8.0;
/// A map is steeper than this only where it jumps.
const STEEPEST: f64 = 1e-3;
/// More steps of the map than this: it is no map that device stamps could be straightened by.
const MOST_STEPS: usize = 4096;
/// More drops than this are not listed, and the stream stays as it is.
const MOST_DROPS: usize = 1 << 20;
/// Samples that are looked at together for a step of the map, and the one before them.
const STEADY: usize = 65;
/// Frames whose stamps are off by more than this share of a period, root mean square, lie on no raster
/// (evenly distributed ones: 0.29).
const RASTER: f64 = 0.25;

/// First pass.
#[derive(Debug)]
pub(super) struct RelativeFit {
    source: Source,
    period_s: f64,
    knots: f64,
    /// Samples taken so far, over all segments.
    taken: u64,
    open: Option<Open>,
    last: Option<Pair>,
    /// What is to be added to device times so that steps of the map are not in them.
    shift_s: f64,
    steps: Vec<(u64, f64)>,
    steps_lost: bool,
    drops_lost: bool,
    plan: DejitterPlan,
    curves: Curves,
    total: Total,
}

#[derive(Debug)]
enum Source {
    Regular(GapFinder, Vec<Step>),
    Frames(FrameTracker, Vec<Frame>),
}

/// The segment at hand.
#[derive(Debug)]
struct Open {
    first: u64,
    /// First device and host time, which the sums count from.
    references_s: Option<[f64; 2]>,
    position: u64,
    sums: Accumulator<2>,
    /// Drops before the segment.
    drops: usize,
}

/// Over all segments.
#[derive(Debug, Default)]
struct Total {
    steps: f64,
    duration_s: f64,
    squares_s2: f64,
    count: f64,
}

impl RelativeFit {
    pub(super) fn new(options: &DejitterOptions) -> Self {
        let (period_s, break_s) = (options.period_s(), options.break_s());
        let source = if options.can_drop_samples {
            Source::Frames(FrameTracker::new(period_s, break_s), Vec::new())
        } else {
            Source::Regular(GapFinder::new(period_s, break_s), Vec::new())
        };
        Self {
            source,
            period_s,
            knots: (KNOTS_S / period_s).round().max(KNOT_SAMPLES),
            taken: 0,
            open: None,
            last: None,
            shift_s: 0.0,
            steps: Vec::new(),
            steps_lost: false,
            drops_lost: false,
            plan: DejitterPlan::untouched(Vec::new(), 0.0),
            curves: Curves::default(),
            total: Total::default(),
        }
    }

    /// The next samples; both slices are equally long.
    pub(super) fn push(&mut self, device_times_s: &[f64], host_times_s: &[f64]) {
        let mut at = 0;
        while at < host_times_s.len() {
            if let Source::Regular(gaps, _) = &mut self.source {
                let end = at + gaps.take_ordinary(&host_times_s[at..]);
                self.take_all(&device_times_s[at..end], &host_times_s[at..end]);
                at = end;
            }
            if let (Some(device_s), Some(host_s)) = (device_times_s.get(at), host_times_s.get(at)) {
                let pair = (*device_s, *host_s);
                self.feed(|source| match source {
                    Source::Regular(gaps, out) => gaps.push(pair, out),
                    Source::Frames(frames, out) => frames.push(pair, out),
                });
                at += 1;
            }
        }
    }

    /// Run the source, and take what it has settled.
    fn feed(&mut self, run: impl FnOnce(&mut Source)) {
        run(&mut self.source);
        match &mut self.source {
            Source::Regular(_, out) => {
                let mut steps = std::mem::take(out);
                for step in steps.drain(..) {
                    match step {
                        Step::Sample(pair) => self.take(1, pair),
                        Step::Break(missing_s) => self.gap(missing_s),
                    }
                }
                if let Source::Regular(_, out) = &mut self.source {
                    *out = steps;
                }
            }
            Source::Frames(tracker, out) => {
                self.period_s = tracker.period_s();
                let mut frames = std::mem::take(out);
                for frame in frames.drain(..) {
                    match frame {
                        Frame::Next(frames, pair) => self.take(frames, pair),
                        Frame::Restart(missing_s, pair) => {
                            self.gap(missing_s);
                            self.take(1, pair);
                        }
                    }
                }
                if let Source::Frames(_, out) = &mut self.source {
                    *out = frames;
                }
            }
        }
    }

    fn gap(&mut self, missing_s: f64) {
        if self.open.is_some() {
            self.close();
            self.plan.gaps.push(Gap { after_sample: self.taken - 1, missing_s });
        }
    }

    /// Samples that follow each other without a dropped frame.
    fn take_all(&mut self, device_times_s: &[f64], host_times_s: &[f64]) {
        let mut at = 0;
        while at < host_times_s.len() {
            let (device_s, host_s) = (&device_times_s[at..], &host_times_s[at..]);
            let before = self.open.as_mut().filter(|open| open.references_s.is_some()).zip(self.last);
            let mut count = 0;
            if let Some((open, last)) = before {
                count = steady(last, device_s, host_s);
                let [device_ref_s, host_ref_s] = open.references_s.unwrap_or_default();
                let column = |values_s, shift_s, reference_s| Column { values_s, shift_s, reference_s };
                let columns = [
                    column(&device_s[..count], self.shift_s, device_ref_s),
                    column(&host_s[..count], 0.0, host_ref_s),
                ];
                open.sums.push_all((open.position + 1) as f64, &columns);
                open.position += count as u64;
                self.taken += count as u64;
            }
            at += count;
            match at.checked_sub(1).filter(|_| count > 0) {
                Some(last) => self.last = Some((device_times_s[last], host_times_s[last])),
                None => {
                    self.take(1, (device_s[0], host_s[0]));
                    at += 1;
                }
            }
        }
    }

    fn take(&mut self, frames: u64, (device_s, host_s): Pair) {
        let usable = device_s.is_finite() && host_s.is_finite();
        if usable {
            self.follow_map(device_s, host_s);
        }
        let device_s = device_s + self.shift_s;
        let open = self.open.get_or_insert_with(|| Open {
            first: self.taken,
            references_s: None,
            position: 0,
            sums: Accumulator::new(self.knots, self.period_s),
            drops: self.plan.dropped.len(),
        });
        if self.taken > open.first {
            open.position += frames;
            if frames > 1 && self.plan.dropped.len() < MOST_DROPS {
                self.plan.dropped.push(DroppedFrames { after_sample: self.taken - 1, frames: frames - 1 });
            } else if frames > 1 {
                self.drops_lost = true;
            }
        }
        if usable {
            let [device_ref_s, host_ref_s] = *open.references_s.get_or_insert([device_s, host_s]);
            open.sums.push(open.position as f64, [device_s - device_ref_s, host_s - host_ref_s]);
        }
        self.taken += 1;
    }

    /// Steps of the map are changes of host minus device that no rate explains.
    fn follow_map(&mut self, device_s: f64, host_s: f64) {
        let pair = (device_s, host_s);
        if let Some(last) = self.last.replace(pair) {
            let (change_s, most_s) = change(last, pair);
            if change_s.abs() > most_s {
                self.shift_s += change_s;
                if self.steps.len() < MOST_STEPS {
                    self.steps.push((self.taken, self.shift_s));
                } else {
                    self.steps_lost = true;
                }
            }
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let count = self.taken - open.first;
        self.plan.segments.push((open.first, self.taken - 1));
        let (first, drops, position) = (open.first, open.drops, open.position as f64);
        let references_s = open.references_s.unwrap_or([0.0, 0.0]);
        let digits_s = f64::EPSILON * references_s[0].abs().max(references_s[1].abs()) + 1e-12;
        let (last_device_s, last_host_s) = self.last_of_segment();
        let Some((track, line)) = chosen(open.sums.finish(), digits_s, !self.steps_lost) else {
            self.curves.segments.push(None);
            return;
        };
        let off_s = (line.squares_s2 / line.count).sqrt();
        if matches!(self.source, Source::Frames(..)) && off_s > RASTER * self.period_s {
            self.plan.remarks.push(format!(
                "samples {first} to {} lie on no raster of frames: their stamps stay as they are",
                self.taken - 1
            ));
            self.plan.dropped.truncate(drops);
            self.total.steps += (count - 1) as f64;
            self.total.duration_s += last_host_s - references_s[1];
            self.curves.segments.push(None);
            return;
        }
        let rate = (last_host_s - references_s[1]) / (last_device_s - references_s[0]);
        let rate = if (0.99..1.01).contains(&rate) { rate } else { 1.0 };
        let last = line.values_s.len() - 1;
        let fitted_s = line.values_s[last] - line.values_s[0];
        self.total.steps += position;
        // Fitted device time, as long as it took on the host's clock.
        self.total.duration_s += if track == 0 { fitted_s * rate } else { fitted_s };
        self.total.squares_s2 += line.squares_s2;
        self.total.count += line.count;
        self.curves.segments.push(Some(Curve {
            first,
            drops,
            reference_s: references_s[track],
            device_rate: (track == 0).then_some(rate),
            line,
        }));
    }

    /// The last sample taken, its device time without the map's steps.
    fn last_of_segment(&self) -> Pair {
        self.last.map_or((0.0, 0.0), |(device_s, host_s)| (device_s + self.shift_s, host_s))
    }

    pub(super) fn finish(mut self) -> DejitterPlan {
        self.feed(|source| match source {
            Source::Regular(gaps, out) => gaps.finish(out),
            Source::Frames(frames, out) => frames.finish(out),
        });
        self.close();
        let mut plan = self.plan;
        if self.total.steps > 0.0 && self.total.duration_s > 0.0 {
            plan.effective_rate_hz = self.total.steps / self.total.duration_s;
        }
        if self.total.count > 0.0 {
            plan.jitter_rms_s = (self.total.squares_s2 / self.total.count).sqrt();
        }
        if self.drops_lost {
            plan.remarks.push("too many dropped frames to list: stamps stay as they are".to_owned());
            return plan;
        }
        self.curves.steps = self.steps;
        plan.change = Change::Curves(Box::new(self.curves));
        plan
    }
}

/// Change of host minus device from one sample to the next, and the largest one that is no step of the map.
#[inline]
fn change(last: Pair, (device_s, host_s): Pair) -> (f64, f64) {
    let host_step_s = host_s - last.1;
    let (device_abs_s, host_abs_s) = (device_s.abs(), host_s.abs());
    let largest_s = if device_abs_s > host_abs_s { device_abs_s } else { host_abs_s };
    let digits_s = 4.0 * f64::EPSILON * largest_s;
    (host_step_s - (device_s - last.0), STEEPEST * host_step_s.abs() + digits_s)
}

/// How many samples follow the last one without a step of the map, and are numbers.
fn steady(last: Pair, device_times_s: &[f64], host_times_s: &[f64]) -> usize {
    let is_steady = |last: Pair, pair: Pair| {
        let (change_s, most_s) = change(last, pair);
        // NaN is not within, infinity not below.
        (change_s.abs() <= most_s) & (most_s < f64::INFINITY)
    };
    let pairs = || device_times_s.iter().copied().zip(host_times_s.iter().copied());
    let Some(first) = pairs().next() else { return 0 };
    if !is_steady(last, first) {
        return 0;
    }
    let mut count = 1;
    // Many without a branch each, then one by one.
    let together = device_times_s.windows(STEADY).step_by(STEADY - 1);
    for (device_s, host_s) in together.zip(host_times_s.windows(STEADY).step_by(STEADY - 1)) {
        let steps =
            (1..STEADY).map(|i| is_steady((device_s[i - 1], host_s[i - 1]), (device_s[i], host_s[i])));
        if !steps.fold(true, |all, steady| all & steady) {
            break;
        }
        count += STEADY - 1;
    }
    let rest = pairs().skip(count - 1).zip(pairs().skip(count));
    count + rest.take_while(|(last, pair)| is_steady(*last, *pair)).count()
}

/// The fit that the stamps justify: fewest knots for what is left (Akaike's criterion), through device
/// times (track 0) or host times.
fn chosen(fits: Vec<[Option<Broken>; 2]>, digits_s: f64, device: bool) -> Option<(usize, Broken)> {
    let mut best: Option<(f64, usize, Broken)> = None;
    for fit in fits {
        for (track, line) in fit.into_iter().enumerate().filter(|(track, _)| *track == 1 || device) {
            let Some(line) = line else { continue };
            // Less than the digits of the stamps is nothing gained.
            let variance = (line.squares_s2 / line.count).max(digits_s * digits_s);
            let score = line.count * variance.ln() + 2.0 * line.knots.len() as f64;
            if best.as_ref().is_none_or(|(least, ..)| score < *least) {
                best = Some((score, track, line));
            }
        }
    }
    best.map(|(_, track, line)| (track, line))
}
