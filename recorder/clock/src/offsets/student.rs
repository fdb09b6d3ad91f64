//! Robust smoothing: errors with Student-t tails, their scale and the clock's wander from the data.

use std::ops::Range;

use super::smoother::{Point, Prior, Smoothed, Workspace, smooth};

/// Degrees of freedom of the errors. Low enough that an offset taken during congestion hardly counts.
const NU: f64 = 2.5;
/// The weights of EM claim the information of Gaussian errors of the same scale; that of Student-t errors is
/// (nu + 1)/(nu + 3) of it (Fisher information of the location).
const INFORMATION: f64 = (NU + 1.0) / (NU + 3.0);
/// Scores that differ by less, in nats, decide nothing.
const UNDECIDED: f64 = 2.0;
const ITERATIONS: usize = 30;
/// With so many offsets candidates are tried on two threads.
const WORTH_A_THREAD: usize = 1000;

/// An offset to be smoothed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Device time.
    pub x_s: f64,
    /// Offset minus the base line of its stretch.
    pub z_us: f64,
    /// Variance of its error in units of the common one.
    pub spread: f64,
}

/// What is known of the scale of the errors before they are seen: it counts as `weight` offsets.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScalePrior {
    /// The scale.
    pub scale_us: f64,
    /// How many offsets it counts as.
    pub weight: f64,
    /// The scale can't be lower: the step of the readings.
    pub floor_us: f64,
}

/// The smoothed clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Fit {
    /// At each sample.
    pub states: Vec<Smoothed>,
    /// Scale of the errors.
    pub scale_us: f64,
    /// Intensity of the frequency's random walk, us^2/s^3.
    pub q_us: f64,
    /// Log likelihood of each sample as predicted by all others, summed.
    pub score: f64,
}

/// How much an error counts, of its square in units of the scale's.
pub(super) fn weight(error2: f64) -> f64 {
    (NU + 1.0) / (NU + error2)
}

/// What is assumed of a stretch before it is seen: anything its offsets allow.
fn prior(samples: &[Sample]) -> Prior {
    let largest_us = samples.iter().fold(0.0f64, |m, s| m.max(s.z_us.abs()));
    // A lone offset says nothing of the frequency; crystals are within 50 ppm or so. More of them may
    // belong to a clock that is being slewed.
    let frequency = if samples.len() > 1 { 1e6 } else { 2500.0 };
    Prior { offset_us2: (1e4 + 10.0 * largest_us).powi(2), frequency }
}

/// Memory that one smoothing of all stretches leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    points: Vec<Point>,
    part: Vec<Smoothed>,
    workspace: Workspace,
}

/// Smooth each stretch with given variances of the errors. `SHOCKS`: whether theirs are wanted.
pub(super) fn smooth_with<const SHOCKS: bool>(
    samples: &[Sample],
    stretches: &[Range<usize>],
    q_us: f64,
    variance: impl Fn(usize) -> f64,
    scratch: &mut Scratch,
    states: &mut Vec<Smoothed>,
) {
    let Scratch { points, part, workspace } = scratch;
    states.clear();
    for stretch in stretches {
        points.clear();
        points.extend(stretch.clone().map(|i| Point {
            x_s: samples[i].x_s,
            z_us: samples[i].z_us,
            variance_us2: variance(i),
        }));
        smooth::<SHOCKS>(points, q_us, prior(&samples[stretch.clone()]), workspace, part);
        states.extend_from_slice(part);
    }
}

/// The scale of the errors: given, or to be found.
#[derive(Debug, Clone, Copy)]
enum Scale {
    Fixed,
    Free(ScalePrior),
}

/// Expectation maximisation of the weights and, if it is free, of the scale.
fn maximise(
    samples: &[Sample],
    stretches: &[Range<usize>],
    q_us: f64,
    start_us: f64,
    scale: Scale,
    scratch: &mut Scratch,
) -> (Vec<Smoothed>, Vec<f64>, f64) {
    let mut scale2 = start_us * start_us;
    let mut weights = vec![1.0; samples.len()];
    let mut states = Vec::new();
    for _ in 0..ITERATIONS {
        let variance = |i: usize| scale2 * samples[i].spread / weights[i];
        smooth_with::<false>(samples, stretches, q_us, variance, scratch, &mut states);
        let mut sum = 0.0;
        let mut change: f64 = 0.0;
        for (i, (sample, state)) in samples.iter().zip(&states).enumerate() {
            let error2 = (sample.z_us - state.offset_us).powi(2) + state.variance_us2;
            let new = weight(error2 / (scale2 * sample.spread));
            sum += new * error2 / sample.spread;
            change = change.max((new - weights[i]).abs());
            weights[i] = new;
        }
        if let Scale::Free(prior) = scale {
            let all = samples.len() as f64 + prior.weight;
            let new2 = ((sum + prior.weight * prior.scale_us.powi(2)) / all).max(prior.floor_us.powi(2));
            change = change.max((new2 / scale2 - 1.0).abs());
            scale2 = new2;
        }
        if change < 2e-3 {
            break;
        }
    }
    (states, weights, scale2)
}

/// Smooth with a given wander. `stretches` cover the samples in order; nothing is shared between them but
/// the scale of the errors.
fn fit(
    samples: &[Sample],
    stretches: &[Range<usize>],
    q_us: f64,
    start_us: f64,
    scale_prior: ScalePrior,
) -> Fit {
    let start_us = start_us.max(scale_prior.floor_us);
    let scratch = &mut Scratch::default();
    let (mut states, weights, scale2) =
        maximise(samples, stretches, q_us, start_us, Scale::Free(scale_prior), scratch);
    let score = leave_one_out(samples, &states, &weights, scale2);
    // Once more, for honest variances.
    let mut honest = Vec::new();
    let variance = |i: usize| scale2 * samples[i].spread / (weights[i] * INFORMATION);
    smooth_with::<false>(samples, stretches, q_us, variance, scratch, &mut honest);
    for (state, honest) in states.iter_mut().zip(honest) {
        *state = Smoothed { offset_us: state.offset_us, frequency: state.frequency, ..honest };
    }
    Fit { states, scale_us: scale2.sqrt(), q_us, score }
}

/// How well samples predict each other, with wander and scale given.
pub(super) fn score(samples: &[Sample], stretches: &[Range<usize>], q_us: f64, scale_us: f64) -> f64 {
    let scratch = &mut Scratch::default();
    let (states, weights, scale2) = maximise(samples, stretches, q_us, scale_us, Scale::Fixed, scratch);
    leave_one_out(samples, &states, &weights, scale2)
}

/// Each sample's own say is divided out of the smoothed state; what is left predicts it.
fn leave_one_out(samples: &[Sample], states: &[Smoothed], weights: &[f64], scale2: f64) -> f64 {
    let mut sum = 0.0;
    for ((sample, state), weight) in samples.iter().zip(states).zip(weights) {
        let tau = weight / (scale2 * sample.spread);
        // A stretch of one sample predicts nothing: cavities are wide, not infinite.
        let precision = (1.0 / state.variance_us2 - tau).max(1e-12);
        let centre = (state.offset_us / state.variance_us2 - tau * sample.z_us) / precision;
        let variance = scale2 * sample.spread + 1.0 / precision;
        let t2 = (sample.z_us - centre).powi(2) / variance;
        sum -= 0.5 * variance.ln() + 0.5 * (NU + 1.0) * (t2 / NU).ln_1p();
    }
    sum
}

/// Smooth with the wander that predicts best, of 1e-24 to 1e-12 s^2/s^3 by decades; the calmest of those that
/// predict about as well, which short recordings can't tell apart.
pub(super) fn fit_best(
    samples: &[Sample],
    stretches: &[Range<usize>],
    start_us: f64,
    scale_prior: ScalePrior,
) -> Fit {
    // From s^2 to us^2: 1e12.
    let at = |exponent: i32| fit(samples, stretches, 1e-12 * 10f64.powi(exponent), start_us, scale_prior);
    let exponents: Vec<i32> = (0..=12).collect();
    let fits: Vec<Fit> = if samples.len() < WORTH_A_THREAD {
        exponents.into_iter().map(at).collect()
    } else {
        // Every second one is another thread's: lively and calm clocks take equally long then.
        let half = |odd: usize| exponents.iter().skip(odd).step_by(2).map(|e| at(*e)).collect::<Vec<_>>();
        let (even, odd) = std::thread::scope(|scope| {
            let odd = scope.spawn(|| half(1));
            (half(0), odd.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let mut odd = odd.into_iter();
        even.into_iter().flat_map(|fit| std::iter::once(fit).chain(odd.next())).collect()
    };
    let highest = fits.iter().map(|fit| fit.score).fold(f64::NEG_INFINITY, f64::max);
    fits.into_iter().find(|fit| fit.score >= highest - UNDECIDED).unwrap_or_default()
}
