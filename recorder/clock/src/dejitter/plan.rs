//! Second pass: what the first one found, and stamps changed by it.

use super::curves::Curves;
use super::line::Line;

/// Frames that a stream with a steady frame rate did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedFrames {
    /// They are missing after this sample.
    pub after_sample: u64,
    /// How many.
    pub frames: u64,
}

/// Where stamps of a regular stream jump and stay so: samples are missing, or its clock was set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// It is after this sample.
    pub after_sample: u64,
    /// Seconds more than one sample takes; below zero where the stamps go back.
    pub missing_s: f64,
}

/// How the stamps of one stream are dejittered.
#[derive(Debug, Clone, PartialEq)]
pub struct DejitterPlan {
    /// First and last sample (inclusive, as pyxdf has it) of each segment without a break.
    pub segments: Vec<(u64, u64)>,
    /// Samples per second of host time within segments; frames per second where frames are dropped. 0
    /// where there is none to be had.
    pub effective_rate_hz: f64,
    /// Breaks between segments (not listed by [`Pyxdf`](super::DejitterMethod::Pyxdf)).
    pub gaps: Vec<Gap>,
    /// Dropped frames, in order.
    pub dropped: Vec<DroppedFrames>,
    /// Root mean square of what the stamps are off the fitted lines, outliers left out by
    /// [`Relative`](super::DejitterMethod::Relative). 0 where nothing was fitted.
    pub jitter_rms_s: f64,
    /// What the user should know.
    pub remarks: Vec<String>,
    pub(super) change: Change,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    None,
    /// One for each segment.
    Lines(Vec<Line>),
    Curves(Box<Curves>),
}

impl DejitterPlan {
    pub(super) fn untouched(segments: Vec<(u64, u64)>, effective_rate_hz: f64) -> Self {
        Self {
            segments,
            effective_rate_hz,
            gaps: Vec::new(),
            dropped: Vec::new(),
            jitter_rms_s: 0.0,
            remarks: Vec::new(),
            change: Change::None,
        }
    }

    /// How many frames were dropped.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped.iter().fold(0, |sum, drop| sum.saturating_add(drop.frames))
    }

    /// Dejitter the stamps that begin at sample `first_index`: the same that the first pass saw, as
    /// recorded and mapped. Calls are made in order, or at random.
    pub fn apply(&self, first_index: u64, device_times_s: &[f64], host_times_s: &mut [f64]) {
        if matches!(self.change, Change::None) {
            return;
        }
        let mut segment = self.segments.partition_point(|(_, last)| *last < first_index);
        let mut done = 0;
        while let Some((first, last)) = self.segments.get(segment) {
            let index = first_index + done as u64;
            let left = host_times_s.len().min(device_times_s.len()) - done;
            if left == 0 || index < *first {
                break;
            }
            let count = usize::try_from(last - index + 1).unwrap_or(usize::MAX).min(left);
            let end = done + count;
            let host_times_s = &mut host_times_s[done..end];
            match &self.change {
                Change::None => {}
                Change::Lines(lines) => {
                    if let Some(line) = lines.get(segment) {
                        line.apply(index - first, host_times_s);
                    }
                }
                Change::Curves(curves) => {
                    curves.apply(segment, index, &device_times_s[done..end], host_times_s, &self.dropped);
                }
            }
            done = end;
            segment += 1;
        }
    }
}
