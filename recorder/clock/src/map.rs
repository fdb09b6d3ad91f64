//! The result of every method: a map from device time to host time, with its errors.

use std::ops::Range;

use crate::corridor::{self, Corridor};
use crate::place::Survey;
use crate::{Event, Method};

/// Host time of a device stamp, and how far it can be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Host (recorder) time in seconds.
    pub host_time_s: f64,
    /// One sigma of the statistical error, as if the fastest path took equally long both ways. Right
    /// for comparing streams of one clock. Infinite where nothing was measured.
    pub relative_s: f64,
    /// One sigma of everything to be expected: `relative_s`, the usual asymmetry of paths, and the
    /// error of the model.
    pub total_s: f64,
    /// The error is no larger than this, however unequal the ways: half the lowest round-trip time of
    /// the exchanges around, half a step of the readings, and what the clock can have done between them.
    /// It knows nothing of a clock that was set before the first exchange or after the last.
    pub bound_s: f64,
    /// In an interval in which the clock was stepped or slewed and nothing shows exactly when: the
    /// figures are then wide, and the bound does not hold for certain.
    pub flagged: bool,
}

/// One knot of a curve: the clock at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knot {
    /// Device time minus the curve's `device_ref_s`.
    pub x_s: f64,
    /// Host time minus the curve's `host_ref_s`, minus `x_s`.
    pub y_s: f64,
    /// Derivative of `y_s` by `x_s`: how much faster the host's clock runs.
    pub slope: f64,
    /// Variance of `y_s`, in s^2.
    pub variance_s2: f64,
    /// Covariance of `y_s` and `slope`, in s.
    pub covariance_s: f64,
    /// Variance of `slope`: with the covariance, what grows beyond the ends.
    pub slope_variance: f64,
    /// Intensity of the frequency's random walk towards the next knot, in s^2/s^3: the error between
    /// and beyond knots.
    pub noise_s2_per_s3: f64,
}

/// A smooth curve through knots: cubic Hermite between them, straight beyond them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Device time that `x_s` counts from.
    pub device_ref_s: f64,
    /// Host time that `y_s` counts from.
    pub host_ref_s: f64,
    /// In order of `x_s`; never empty.
    pub knots: Vec<Knot>,
    /// Of each knot, what exchanges allow; empty where there were none: the piece's bound is then for all.
    pub corridors: Vec<Corridor>,
}

/// How device stamps become host times in one piece.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// `host = device + (intercept_s + slope * device)`, in exactly this order of operations: what
    /// pyxdf computes.
    Line {
        /// Host minus device at device time 0.
        intercept_s: f64,
        /// Per second of device time.
        slope: f64,
    },
    /// A curve.
    Curve(Curve),
}

/// A stretch in which the device clock ran on without a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// First and last device time that was measured in it.
    pub device_span_s: (f64, f64),
    /// First and last host time that was measured in it.
    pub host_span_s: (f64, f64),
    /// The map.
    pub shape: Shape,
    /// Sigma of a constant error of the piece that belongs to `relative_s`: of the end points of the
    /// delays, of the path it was measured over. For a line: all of the statistical error.
    pub sigma_s: f64,
    /// Sigma of the usual asymmetry and of the model's error: what `total_s` has besides.
    pub asymmetry_sigma_s: f64,
    /// Half the lowest round-trip time plus half a step of the readings. The bound of a shape without
    /// corridors; elsewhere what the usual asymmetry is a share of.
    pub bound_s: f64,
}

/// How samples are assigned to pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// By the steps of the stamps themselves and by when the samples arrived.
    Events,
    /// As pyxdf does: cut at the first sample that is nearer to the next range's start than to the
    /// current range's end.
    Nearest,
}

/// The map of one device clock by one method.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockMap {
    /// Which method made it.
    pub method: Method,
    /// In order of host time. Empty: the stamps are taken as they are.
    pub pieces: Vec<Piece>,
    /// Steps, slews and resets between the pieces: `events[i]` is between `pieces[i]` and
    /// `pieces[i + 1]`.
    pub events: Vec<Event>,
    /// How samples are assigned to pieces.
    pub assignment: Assignment,
    /// What the user should know about how it was made: a fallback, too few exchanges.
    pub remarks: Vec<String>,
}

impl ClockMap {
    /// The map that changes nothing, with `bound_s` infinite.
    pub fn identity(method: Method) -> Self {
        Self {
            method,
            pieces: Vec::new(),
            events: Vec::new(),
            assignment: Assignment::Events,
            remarks: Vec::new(),
        }
    }

    /// Begin to place the samples of one stream: give it all stamps in file order, then finish.
    pub fn survey(&self) -> Survey<'_> {
        Survey::new(self)
    }

    /// Host time of a device time by the curve of one piece.
    pub fn in_piece(&self, piece: usize, device_time_s: f64) -> Estimate {
        match self.pieces.get(piece) {
            Some(piece) => piece.at(device_time_s),
            None => Estimate {
                host_time_s: device_time_s,
                relative_s: f64::INFINITY,
                total_s: f64::INFINITY,
                bound_s: f64::INFINITY,
                flagged: false,
            },
        }
    }

    /// The inverse: device time of a host time, with the errors of the map there. `host_time_s` of the
    /// result is the host time asked for.
    ///
    /// This is the Neon seed's `companion_app_time = external_clock_time - offset`.
    pub fn device_time_s(&self, host_time_s: f64) -> (f64, Estimate) {
        let piece = self.pieces.partition_point(|p| p.host_span_s.1 < host_time_s);
        // Between two pieces: the nearer one.
        let piece = match piece {
            p if p >= self.pieces.len() => self.pieces.len().saturating_sub(1),
            0 => 0,
            p => {
                let after_s = self.pieces[p].host_span_s.0 - host_time_s;
                let before_s = host_time_s - self.pieces[p - 1].host_span_s.1;
                if after_s > before_s { p - 1 } else { p }
            }
        };
        let device_time_s = self.pieces.get(piece).map_or(host_time_s, |p| p.device_time_s(host_time_s));
        let estimate = Estimate { host_time_s, ..self.in_piece(piece, device_time_s) };
        (device_time_s, estimate)
    }
}

impl Piece {
    /// Host time of a device time, and its errors.
    pub fn at(&self, device_time_s: f64) -> Estimate {
        let (host_time_s, variance_s2, allowed_s) = match &self.shape {
            Shape::Line { intercept_s, slope } => {
                (device_time_s + (intercept_s + slope * device_time_s), 0.0, None)
            }
            Shape::Curve(curve) => curve.at(device_time_s),
        };
        let relative_s = (variance_s2 + self.sigma_s * self.sigma_s).sqrt();
        let bound_s = match allowed_s {
            Some(allowed_s) => allowed_s + 4.0 * self.sigma_s,
            None => self.bound_s + 4.0 * relative_s,
        };
        Estimate {
            host_time_s,
            relative_s,
            total_s: relative_s.hypot(self.asymmetry_sigma_s),
            bound_s,
            flagged: false,
        }
    }

    /// Device times become host times; the same doubles that [`at`](Self::at) gives.
    pub(crate) fn map_in_place(&self, times_s: &mut [f64]) {
        match &self.shape {
            Shape::Line { intercept_s, slope } => {
                times_s.iter_mut().for_each(|time_s| *time_s += intercept_s + slope * *time_s);
            }
            Shape::Curve(curve) => curve.map_in_place(times_s),
        }
    }

    /// Device time at which the piece's map shows a host time.
    pub fn device_time_s(&self, host_time_s: f64) -> f64 {
        match &self.shape {
            Shape::Line { intercept_s, slope } => (host_time_s - intercept_s) / (1.0 + slope),
            Shape::Curve(curve) => curve.invert(host_time_s),
        }
    }
}

/// `y_s` between two knots: the cubic with their values and slopes.
#[inline]
fn between(a: &Knot, b: &Knot, x_s: f64) -> f64 {
    let h = b.x_s - a.x_s;
    let u = (x_s - a.x_s) / h;
    let v = 1.0 - u;
    v * v * (1.0 + 2.0 * u) * a.y_s
        + u * u * (1.0 + 2.0 * v) * b.y_s
        + h * u * v * (v * a.slope - u * b.slope)
}

/// `y_s` before the first knot or after the last: straight on.
#[inline]
fn beyond(knot: &Knot, x_s: f64) -> f64 {
    knot.y_s + knot.slope * (x_s - knot.x_s)
}

/// How many of the first times, less a reference, are within a range; most of a long run without a branch
/// for each.
fn count_within(times_s: &[f64], reference_s: f64, range_s: Range<f64>) -> usize {
    let inside = |time_s: f64| {
        let x_s = time_s - reference_s;
        (x_s >= range_s.start) & (x_s < range_s.end)
    };
    let (together, _) = times_s.as_chunks::<64>();
    let all = together.iter().take_while(|times_s| times_s.iter().fold(true, |all, t| all & inside(*t)));
    let sure = 64 * all.count();
    sure + times_s[sure..].iter().take_while(|time_s| inside(**time_s)).count()
}

impl Curve {
    /// Host time, the variance of it, and by how much it can be off by the corridors, at a device time.
    pub fn at(&self, device_time_s: f64) -> (f64, f64, Option<f64>) {
        let x_s = device_time_s - self.device_ref_s;
        let (y_s, variance_s2, allowed_s) = self.relative(x_s);
        (self.host_ref_s + (x_s + y_s), variance_s2, allowed_s)
    }

    /// Device times of one piece, most of them in order, become host times: the same doubles that
    /// [`at`](Self::at) gives, without looking for the knots each time.
    pub(crate) fn map_in_place(&self, times_s: &mut [f64]) {
        let mut rest = times_s;
        while let Some(first_s) = rest.first() {
            let x_s = first_s - self.device_ref_s;
            let after = self.knots.partition_point(|knot| knot.x_s <= x_s);
            let (a, b) = (after.checked_sub(1).and_then(|i| self.knots.get(i)), self.knots.get(after));
            let from_s = a.map_or(f64::NEG_INFINITY, |knot| knot.x_s);
            let to_s = b.map_or(f64::INFINITY, |knot| knot.x_s);
            // At least one, for NaN is nowhere.
            let count = count_within(rest, self.device_ref_s, from_s..to_s).max(1);
            let (now, later) = rest.split_at_mut(count);
            // A loop for each case: none has to ask again at each sample.
            match (a.copied(), b.copied()) {
                (Some(a), Some(b)) => self.map_by(now, |x_s| between(&a, &b, x_s)),
                (Some(knot), None) | (None, Some(knot)) => self.map_by(now, |x_s| beyond(&knot, x_s)),
                (None, None) => self.map_by(now, |_| 0.0),
            }
            rest = later;
        }
    }

    /// The same by the given `y_s` of `x_s`.
    fn map_by(&self, times_s: &mut [f64], y_s: impl Fn(f64) -> f64) {
        let (device_ref_s, host_ref_s) = (self.device_ref_s, self.host_ref_s);
        for time_s in times_s {
            let x_s = *time_s - device_ref_s;
            *time_s = host_ref_s + (x_s + y_s(x_s));
        }
    }

    /// `y_s` at `x_s`, its variance, and by how much it can be off by the corridors.
    fn relative(&self, x_s: f64) -> (f64, f64, Option<f64>) {
        let after = self.knots.partition_point(|knot| knot.x_s <= x_s);
        let (Some(a), Some(b)) = (after.checked_sub(1).map(|i| &self.knots[i]), self.knots.get(after)) else {
            // Before the first knot or after the last.
            let last = if after == 0 { 0 } else { after - 1 };
            let Some(knot) = self.knots.get(last) else { return (0.0, f64::INFINITY, None) };
            let dt_s = x_s - knot.x_s;
            let variance_s2 = knot.variance_s2
                + dt_s * (2.0 * knot.covariance_s + dt_s * knot.slope_variance)
                + knot.noise_s2_per_s3 * dt_s.abs().powi(3) / 3.0;
            let allowed_s = self.corridors.get(last).map(|c| corridor::beyond((knot, c), x_s));
            return (beyond(knot, x_s), variance_s2.max(knot.variance_s2), allowed_s);
        };
        let h = b.x_s - a.x_s;
        let u = (x_s - a.x_s) / h;
        let v = 1.0 - u;
        let noise_s2 = a.noise_s2_per_s3 * h * h * h * (u * v).powi(3);
        let y_s = between(a, b, x_s);
        let allowed_s = match (self.corridors.get(after - 1), self.corridors.get(after)) {
            (Some(c), Some(d)) => Some(corridor::between((a, c), (b, d), x_s, y_s) + 4.0 * noise_s2.sqrt()),
            _ => None,
        };
        (y_s, v * a.variance_s2 + u * b.variance_s2 + noise_s2, allowed_s)
    }

    /// Device time at which the curve shows a host time (two Newton steps suffice: slopes are tiny).
    fn invert(&self, host_time_s: f64) -> f64 {
        let target_s = host_time_s - self.host_ref_s;
        let mut x_s = target_s;
        for _ in 0..8 {
            let step_s = target_s - x_s - self.relative(x_s).0;
            x_s += step_s;
            if step_s.abs() <= f64::EPSILON * x_s.abs() {
                break;
            }
        }
        self.device_ref_s + x_s
    }
}
