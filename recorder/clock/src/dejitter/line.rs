//! pyxdf's way: one least squares line over the sample index in each segment.

use super::plan::Change;
use super::{DejitterOptions, DejitterPlan};

/// The line of one segment; `None` where the stamps stay as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line(Option<(f64, f64)>);

impl Line {
    fn at(start_s: f64, slope_s: f64, index: u64) -> f64 {
        start_s + slope_s * index as f64
    }

    /// `first` counts from the segment's first sample.
    pub(super) fn apply(&self, first: u64, host_times_s: &mut [f64]) {
        if let Some((start_s, slope_s)) = self.0 {
            for (i, time_s) in host_times_s.iter_mut().enumerate() {
                *time_s = Self::at(start_s, slope_s, first + i as u64);
            }
        }
    }
}

/// Streaming sums of the segment at hand.
#[derive(Debug)]
pub(super) struct LineFit {
    period_s: f64,
    break_s: f64,
    /// Samples before the segment.
    first: u64,
    count: u64,
    first_s: f64,
    last_s: f64,
    residuals: Sum,
    weighted: Sum,
    squares: Sum,
    segments: Vec<(u64, u64)>,
    lines: Vec<Line>,
    /// Over all segments: samples less one each, and durations.
    steps: f64,
    duration_s: f64,
    off_s2: f64,
}

/// A sum that carries what it rounds off (Neumaier).
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    fn value(self) -> f64 {
        self.sum + self.lost
    }
}

impl LineFit {
    pub(super) fn new(options: &DejitterOptions) -> Self {
        Self {
            period_s: options.period_s(),
            break_s: options.break_s(),
            first: 0,
            count: 0,
            first_s: 0.0,
            last_s: 0.0,
            residuals: Sum::default(),
            weighted: Sum::default(),
            squares: Sum::default(),
            segments: Vec::new(),
            lines: Vec::new(),
            steps: 0.0,
            duration_s: 0.0,
            off_s2: 0.0,
        }
    }

    pub(super) fn push(&mut self, host_s: f64) {
        if self.count > 0 && (host_s - self.last_s).abs() > self.break_s {
            self.close();
        }
        if self.count == 0 {
            self.first_s = host_s;
        }
        // Against the nominal line, so that the sums stay small: unix times have no digits to spare.
        let index = self.count as f64;
        let residual_s = (host_s - self.first_s) - index * self.period_s;
        self.residuals.add(residual_s);
        self.weighted.add(index * residual_s);
        self.squares.add(residual_s * residual_s);
        self.last_s = host_s;
        self.count += 1;
    }

    fn close(&mut self) {
        let n = self.count as f64;
        let middle = 0.5 * (n - 1.0);
        let mean_s = self.residuals.value() / n;
        let index_squares = n * (n * n - 1.0) / 12.0;
        let about_middle = self.weighted.value() - middle * self.residuals.value();
        let extra_s = if self.count > 1 { about_middle / index_squares } else { 0.0 };
        let slope_s = self.period_s + extra_s;
        let start_s = self.first_s + (mean_s - extra_s * middle);
        let (line, ends) = if start_s.is_finite() && slope_s.is_finite() && self.count > 1 {
            let ends = (start_s, Line::at(start_s, slope_s, self.count - 1));
            (Line(Some((start_s, slope_s))), ends)
        } else {
            (Line(None), (self.first_s, self.last_s))
        };
        let off_s2 = self.squares.value() - n * mean_s * mean_s - extra_s * about_middle;
        self.off_s2 += if off_s2 > 0.0 { off_s2 } else { 0.0 };
        self.steps += n - 1.0;
        self.duration_s += ends.1 - ends.0;
        self.lines.push(line);
        self.segments.push((self.first, self.first + self.count - 1));
        self.first += self.count;
        self.count = 0;
        (self.residuals, self.weighted, self.squares) = (Sum::default(), Sum::default(), Sum::default());
    }

    pub(super) fn finish(mut self) -> DejitterPlan {
        if self.count > 0 {
            self.close();
        }
        let rate_hz = if self.steps > 0.0 { self.steps / self.duration_s } else { 0.0 };
        let mut plan = DejitterPlan::untouched(self.segments, rate_hz);
        if self.first > 0 {
            plan.jitter_rms_s = (self.off_s2 / self.first as f64).sqrt();
        }
        plan.change = Change::Lines(self.lines);
        plan
    }
}
