//! Dejitter: stamps of regular streams with their jitter taken out.
//!
//! Two passes over a stream, each in blocks of any size: [`DejitterFit`] sees all stamps, as recorded and
//! as mapped to host time; the [`DejitterPlan`] it ends in then changes the mapped ones. Memory does not
//! grow with the number of samples (but by what is listed: breaks, steps, dropped frames).
//!
//! [`DejitterMethod::Pyxdf`] puts one straight line through each segment, which straightens a clock that
//! wanders, however well it was mapped. [`DejitterMethod::Relative`] fits a continuous line with a corner
//! every 30 s at most; as few corners as the stamps justify, and through the device's own stamps,
//! which are then mapped, wherever these are the straighter ones. Stretches that are off the line of
//! their neighbours (a stalled network, a step that the map has beside its place) do not count. Stamps
//! are moved by no more than neighbouring stamps jump: a line that does not fit does little harm.

mod curves;
mod frames;
mod gaps;
mod line;
mod outliers;
mod plan;
mod relative;
mod spline;

pub use plan::{DejitterPlan, DroppedFrames, Gap};

use line::LineFit;
use relative::RelativeFit;

/// How stamps are dejittered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DejitterMethod {
    /// Not at all: pyxdf's `dejitter_timestamps=False`.
    None,
    /// As pyxdf does (`_jitter_removal`): a least squares line over the sample index in each segment;
    /// streams that can drop samples are left as they are.
    Pyxdf,
    /// Relative to the clock map; dropped frames are found.
    #[default]
    Relative,
}

/// What is known of the stream, and what counts as a break in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DejitterOptions {
    /// The method.
    pub method: DejitterMethod,
    /// The nominal rate; 0: irregular, never dejittered.
    pub nominal_rate_hz: f64,
    /// The header says `can_drop_samples`: a steady frame rate but for dropped frames.
    pub can_drop_samples: bool,
    /// Neighbouring stamps farther apart than this, and than `break_threshold_samples`, are a break.
    /// pyxdf's `jitter_break_threshold_seconds`.
    pub break_threshold_s: f64,
    /// The same in samples at the nominal rate: `jitter_break_threshold_samples`.
    pub break_threshold_samples: f64,
}

impl Default for DejitterOptions {
    fn default() -> Self {
        Self {
            method: DejitterMethod::default(),
            nominal_rate_hz: 0.0,
            can_drop_samples: false,
            break_threshold_s: 1.0,
            break_threshold_samples: 500.0,
        }
    }
}

impl DejitterOptions {
    /// Nominal time between samples; 0 where there is none.
    fn period_s(&self) -> f64 {
        if self.nominal_rate_hz > 0.0 { 1.0 / self.nominal_rate_hz } else { 0.0 }
    }

    /// Neighbouring stamps farther apart than this are a break.
    fn break_s(&self) -> f64 {
        self.break_threshold_s.max(self.break_threshold_samples * self.period_s())
    }
}

/// First pass: give it all stamps in file order, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct DejitterFit {
    state: State,
}

#[derive(Debug)]
enum State {
    Untouched(Ends),
    Line(LineFit),
    Relative(Box<RelativeFit>),
}

/// First and last stamp of a stream that stays as it is.
#[derive(Debug)]
struct Ends {
    count: u64,
    first_s: f64,
    last_s: f64,
    rate: EndsRate,
}

/// What pyxdf gives as the effective rate of a stream that stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndsRate {
    Zero,
    /// Whatever the division gives.
    Quotient,
    /// The same, 0 where no time passes.
    QuotientIfPositive,
}

impl DejitterFit {
    /// For one stream.
    pub fn new(options: DejitterOptions) -> Self {
        let untouched = |rate| State::Untouched(Ends { count: 0, first_s: 0.0, last_s: 0.0, rate });
        let irregular = options.nominal_rate_hz == 0.0;
        let state = match options.method {
            _ if irregular => untouched(EndsRate::Zero),
            DejitterMethod::None => untouched(EndsRate::Quotient),
            DejitterMethod::Pyxdf if options.can_drop_samples => untouched(EndsRate::QuotientIfPositive),
            DejitterMethod::Pyxdf => State::Line(LineFit::new(&options)),
            DejitterMethod::Relative if options.period_s() > 0.0 && options.period_s().is_finite() => {
                State::Relative(Box::new(RelativeFit::new(&options)))
            }
            DejitterMethod::Relative => untouched(EndsRate::Zero),
        };
        Self { state }
    }

    /// The next stamps: as recorded, and mapped to host time. The shorter slice counts.
    pub fn push(&mut self, device_times_s: &[f64], host_times_s: &[f64]) {
        let count = device_times_s.len().min(host_times_s.len());
        let (device_times_s, host_times_s) = (&device_times_s[..count], &host_times_s[..count]);
        match &mut self.state {
            State::Untouched(ends) => {
                if let (Some(first), Some(last)) = (host_times_s.first(), host_times_s.last()) {
                    if ends.count == 0 {
                        ends.first_s = *first;
                    }
                    ends.last_s = *last;
                    ends.count += count as u64;
                }
            }
            State::Line(fit) => host_times_s.iter().for_each(|host_s| fit.push(*host_s)),
            State::Relative(fit) => fit.push(device_times_s, host_times_s),
        }
    }

    /// All stamps were given.
    pub fn finish(self) -> DejitterPlan {
        match self.state {
            State::Untouched(ends) => ends.finish(),
            State::Line(fit) => fit.finish(),
            State::Relative(fit) => fit.finish(),
        }
    }
}

impl Ends {
    fn finish(self) -> DejitterPlan {
        let samples = self.count.saturating_sub(1) as f64;
        let duration_s = self.last_s - self.first_s;
        let rated = match self.rate {
            EndsRate::Zero => false,
            EndsRate::Quotient => self.count > 1,
            EndsRate::QuotientIfPositive => self.count > 1 && duration_s > 0.0,
        };
        let segments = if self.count > 0 { vec![(0, self.count - 1)] } else { Vec::new() };
        DejitterPlan::untouched(segments, if rated { samples / duration_s } else { 0.0 })
    }
}

#[cfg(test)]
mod tests;
