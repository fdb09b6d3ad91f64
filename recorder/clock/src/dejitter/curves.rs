//! Second pass of our way: stamps moved towards the fitted lines.

use super::DroppedFrames;
use super::spline::Broken;

/// The lines of all segments; `None` for one that stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Curves {
    pub segments: Vec<Option<Curve>>,
    /// From this sample on so much is added to device times.
    pub steps: Vec<(u64, f64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    pub first: u64,
    /// Where the segment's drops begin in the list of all.
    pub drops: usize,
    pub reference_s: f64,
    /// Fitted to device times: corrections are mapped at this rate. `None`: fitted to host times.
    pub device_rate: Option<f64>,
    pub line: Broken,
}

impl Curves {
    /// Change stamps that begin at sample `index` and are all of one segment.
    pub(super) fn apply(
        &self,
        segment: usize,
        index: u64,
        device_times_s: &[f64],
        host_times_s: &mut [f64],
        dropped: &[DroppedFrames],
    ) {
        let Some(Some(curve)) = self.segments.get(segment) else { return };
        let mut step = self.steps.partition_point(|(from, _)| *from <= index);
        let mut shift_s = step.checked_sub(1).map_or(0.0, |last| self.steps[last].1);
        let mut drop = dropped.partition_point(|drop| drop.after_sample < index);
        let mut missing: u64 = dropped[curve.drops.min(drop)..drop].iter().map(|drop| drop.frames).sum();
        let mut interval = 0;
        let mut at = 0;
        let count = device_times_s.len().min(host_times_s.len());
        while at < count {
            let sample = index + at as u64;
            while let Some((_, after_s)) = self.steps.get(step).filter(|(from, _)| *from <= sample) {
                shift_s = *after_s;
                step += 1;
            }
            while let Some(next) = dropped.get(drop).filter(|next| next.after_sample < sample) {
                missing += next.frames;
                drop += 1;
            }
            let position = (sample - curve.first + missing) as f64;
            interval = curve.line.interval(position, interval);
            // As far as nothing of this changes.
            let mut more = curve.line.left(position, interval, count - at);
            if let Some((from, _)) = self.steps.get(step) {
                more = more.min(usize::try_from(from - sample).unwrap_or(usize::MAX));
            }
            if let Some(next) = dropped.get(drop) {
                more = more.min(usize::try_from(next.after_sample - sample + 1).unwrap_or(usize::MAX));
            }
            let end = at + more.max(1);
            let run = Run { curve, position, interval, shift_s };
            run.apply(&device_times_s[at..end], &mut host_times_s[at..end]);
            at = end;
        }
    }
}

/// Samples without a dropped frame or a step of the map, in one interval.
struct Run<'a> {
    curve: &'a Curve,
    position: f64,
    interval: usize,
    shift_s: f64,
}

impl Run<'_> {
    fn apply(&self, device_times_s: &[f64], host_times_s: &mut [f64]) {
        let Self { curve: Curve { line, reference_s, device_rate, .. }, position, interval, shift_s } = *self;
        let fitted_s = line.of_interval(interval);
        let seen_s = line.jumps_s[interval];
        let numbered = (0_u32..).zip(device_times_s.iter().zip(host_times_s));
        let places = numbered.map(|(i, pair)| (position + f64::from(i), pair));
        match device_rate {
            Some(rate) => places.for_each(|(position, (device_s, host_s))| {
                let off_s = ((device_s + shift_s - reference_s) - fitted_s(position)) * rate;
                *host_s -= off_s.max(-seen_s).min(seen_s);
            }),
            None => places.for_each(|(position, (_, host_s))| {
                let off_s = (*host_s - reference_s) - fitted_s(position);
                *host_s -= off_s.max(-seen_s).min(seen_s);
            }),
        }
    }
}
