//! Where a clock was stepped, or began or ended to be slewed, between two offsets.

use std::ops::Range;

use super::clean::median;
use super::student::{Fit, Sample, ScalePrior, Scratch, fit_best, score, smooth_with, weight};

/// Chi-squared of two degrees of freedom above which a place is looked at.
const SHOCK: f64 = 36.0;
/// The others must predict each offset better with the event than without, by this many nats together:
/// well above what two free parameters gain by chance, below what five offsets on a new level gain.
const GAIN: f64 = 10.0;
/// Fewer offsets than this are outliers, not a new level.
const FEWEST: usize = 4;
/// At either end of a recording fewer than this are doubted.
const FEW: usize = 8;
/// Frequency's random walk while looking: 1e-15 s^2/s^3, more than a phone's.
const Q_US: f64 = 1e-3;
const MOST: usize = 64;
/// Longest excursion, in offsets, that is congestion if the clock is as before after it: a minute of
/// LabRecorder's.
const EXCURSION: usize = 12;
const ROUNDS: usize = 4;

/// Divide stretches where the clock was stepped, and smooth them.
pub(super) fn fit_with_steps(
    samples: &[Sample],
    epochs: &[Range<usize>],
    scale_prior: ScalePrior,
) -> (Vec<Range<usize>>, Fit) {
    let (variances, scale_us) = reference(samples, epochs);
    let mut stretches = epochs.to_vec();
    let (mut scratch, mut states) = (Scratch::default(), Vec::new());
    loop {
        smooth_with::<true>(samples, &stretches, Q_US, |i| variances[i], &mut scratch, &mut states);
        let mut cuts = candidates(&stretches, |i| states[i].shock);
        // A big step makes its surroundings look stepped: the big ones first.
        let largest = cuts.iter().map(|&i| states[i].shock).fold(0.0, f64::max);
        cuts.retain(|&i| states[i].shock > 0.2 * largest);
        cuts.truncate((MOST + epochs.len()).saturating_sub(stretches.len()));
        if cuts.is_empty() {
            break;
        }
        for cut in cuts {
            divide(&mut stretches, cut);
        }
    }
    let mut best = fit_best(samples, &stretches, scale_us, scale_prior);
    for _ in 0..ROUNDS {
        let before = stretches.len();
        take_back(samples, epochs, &mut stretches, &best);
        if stretches.len() == before {
            break;
        }
        best = fit_best(samples, &stretches, best.scale_us, scale_prior);
    }
    (stretches, best)
}

/// Where the evidence for a step is highest and enough.
fn candidates(stretches: &[Range<usize>], shock: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut cuts = Vec::new();
    for stretch in stretches {
        let inside = stretch.start + FEWEST..(stretch.end + 1).saturating_sub(FEWEST);
        cuts.extend(inside.filter(|&i| {
            let mut near = i.saturating_sub(12).max(stretch.start)..(i + 13).min(stretch.end);
            shock(i) > SHOCK && near.all(|j| shock(j) < shock(i) || j == i)
        }));
    }
    cuts
}

/// Join stretches again where the division doesn't help to predict, the least useful first.
fn take_back(samples: &[Sample], epochs: &[Range<usize>], stretches: &mut Vec<Range<usize>>, fit: &Fit) {
    let fixed = |stretches: &[Range<usize>], i: usize| epochs.iter().any(|e| e.start == stretches[i].start);
    let one = |a: Range<usize>| {
        score(&samples[a.clone()], std::slice::from_ref(&(0..a.len())), fit.q_us, fit.scale_us)
    };
    let mut i = 1;
    while i + 1 < stretches.len() {
        // A short stretch between two that are one without it: congestion, not two steps.
        let (a, b, c) = (stretches[i - 1].clone(), stretches[i].clone(), stretches[i + 1].clone());
        if !fixed(stretches, i) && !fixed(stretches, i + 1) && b.len() <= EXCURSION {
            let outer: Vec<Sample> = [&samples[a.clone()], &samples[c.clone()]].concat();
            let joined = score(&outer, std::slice::from_ref(&(0..outer.len())), fit.q_us, fit.scale_us);
            if one(a) + one(c) - joined < GAIN {
                join(stretches, i + 1);
                join(stretches, i);
                continue;
            }
        }
        i += 1;
    }
    // One score per stretch, and one per pair of neighbours: only what was joined is done again.
    let mut alone: Vec<f64> = stretches.iter().map(|s| one(s.clone())).collect();
    let pair = |stretches: &[Range<usize>], i: usize| one(stretches[i - 1].start..stretches[i].end);
    let mut together: Vec<f64> = (0..stretches.len())
        .map(|i| if i == 0 || fixed(stretches, i) { f64::NEG_INFINITY } else { pair(stretches, i) })
        .collect();
    // Congestion in which a recording begins or ends shows no return.
    let doubt = |stretches: &[Range<usize>], i: usize| {
        let (before, after) = (&stretches[i - 1], &stretches[i]);
        let first = before.len() < FEW && epochs.iter().any(|e| e.start == before.start);
        let last = after.len() < FEW && epochs.iter().any(|e| e.end == after.end);
        if first || last { 3.0 } else { 1.0 }
    };
    while let Some((gain, i)) = (1..stretches.len())
        .map(|i| ((alone[i - 1] + alone[i] - together[i]) / doubt(stretches, i), i))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        && gain < GAIN
    {
        join(stretches, i);
        alone.remove(i);
        alone[i - 1] = together[i];
        together.remove(i);
        for j in [i - 1, i] {
            if j > 0 && j < stretches.len() && !fixed(stretches, j) {
                together[j] = pair(stretches, j);
            }
        }
    }
}

fn divide(stretches: &mut Vec<Range<usize>>, cut: usize) {
    if let Some(at) = stretches.iter().position(|s| s.start < cut && cut < s.end) {
        let end = stretches[at].end;
        stretches[at].end = cut;
        stretches.insert(at + 1, cut..end);
    }
}

fn join(stretches: &mut Vec<Range<usize>>, i: usize) {
    stretches[i - 1].end = stretches[i].end;
    stretches.remove(i);
}

/// How far each offset can be trusted while looking for steps, and the scale of their errors: from its
/// distance to the median of its neighbours, which keeps a step's edge where a smoother would blur it.
fn reference(samples: &[Sample], epochs: &[Range<usize>]) -> (Vec<f64>, f64) {
    let mut distances = Vec::with_capacity(samples.len());
    let mut bends = Vec::with_capacity(samples.len());
    for epoch in epochs {
        let part = &samples[epoch.clone()];
        bends.extend(part.windows(3).map(|w| {
            let u = (w[1].x_s - w[0].x_s) / (w[2].x_s - w[0].x_s).max(f64::MIN_POSITIVE);
            let spread = w[1].spread + (1.0 - u).powi(2) * w[0].spread + u * u * w[2].spread;
            (w[1].z_us - (1.0 - u) * w[0].z_us - u * w[2].z_us).abs() / spread.sqrt()
        }));
        for i in 0..part.len() {
            let slope = local_slope(&part[i.saturating_sub(12)..(i + 13).min(part.len())]);
            let near = &part[i.saturating_sub(3)..(i + 4).min(part.len())];
            let mut values: Vec<f64> = near.iter().map(|s| s.z_us - slope * (s.x_s - part[i].x_s)).collect();
            distances.push((part[i].z_us - median(&mut values)) / part[i].spread.sqrt());
        }
    }
    // 1.4826: from the median deviation of Gaussian errors to their sigma.
    let scale_us = (1.4826 * median(&mut bends)).max(1e-2);
    let variance =
        |(sample, d): (&Sample, f64)| scale_us * scale_us * sample.spread / weight((d / scale_us).powi(2));
    (samples.iter().zip(distances).map(variance).collect(), scale_us)
}

/// The slope that most of these samples share, whatever steps and outliers are among them.
fn local_slope(samples: &[Sample]) -> f64 {
    let pairs = samples.iter().zip(samples.iter().skip(3));
    let mut slopes: Vec<f64> =
        pairs.filter(|(a, b)| b.x_s > a.x_s).map(|(a, b)| (b.z_us - a.z_us) / (b.x_s - a.x_s)).collect();
    if slopes.is_empty() { 0.0 } else { median(&mut slopes) }
}
