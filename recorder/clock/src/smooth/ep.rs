//! Likelihoods of waves on grids, and expectation propagation over the chain (Minka 2001).

use super::delays::DelayLaw;
use super::kalman::{Chain, Site, Smoother};

/// Points of a wave's grid; odd.
pub(super) const POINTS: usize = 121;
const HALF: usize = POINTS / 2;
/// Points over one exchange with floored readings.
const FLOOR_POINTS: usize = 97;
/// Precision that a site has at least, per us^2.
const MIN_TAU: f64 = 1e-10;
/// A wave speaks no worse of a clock than this.
const MIN_LOG_Z: f64 = -60.0;
/// Share of the way that a site moves in an iteration.
const DAMPING: f64 = 0.7;

/// An exchange as the grid needs it: edges of theta by its two ways, after the end points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    /// Theta is above this but for noise: `lo + a1`.
    pub low_us: f64,
    /// And below this: `hi - a2`.
    pub high_us: f64,
}

/// Likelihoods of all waves.
#[derive(Debug, Default)]
pub(super) struct Grids {
    theta: Vec<f64>,
    /// Log likelihood with the log of the integration weight, below its maximum.
    log_like: Vec<f64>,
}

impl Grids {
    pub fn clear(&mut self) {
        self.theta.clear();
        self.log_like.clear();
    }

    /// Add the next wave: a grid around `center_us`, fine within `sd_us`.
    pub fn push(&mut self, edges: &[Edges], laws: [&DelayLaw; 2], step_us: f64, center_us: f64, sd_us: f64) {
        let mut low = edges.iter().map(|e| e.low_us).fold(f64::NEG_INFINITY, f64::max);
        let mut high = edges.iter().map(|e| e.high_us).fold(f64::INFINITY, f64::min);
        if low > high {
            (low, high) = (high, low);
        }
        let margin = 4.0 + 12.0 * laws[0].edge_us + 0.5 * step_us;
        (low, high) = (low - margin, high + margin);
        let width = high - low;
        let s0 = (2.0 * sd_us).min(0.25 * width).max(1e-3);
        let center = center_us.clamp(low, high);
        let base = self.theta.len();
        let from = 0.08 * s0;
        let ratio = (width / from).max(1.0001).powf(1.0 / (HALF - 1) as f64);
        self.theta.resize(base + POINTS, center);
        let mut offset = from;
        for i in 1..=HALF {
            self.theta[base + HALF + i] = center + offset;
            self.theta[base + HALF - i] = center - offset;
            offset *= ratio;
        }
        self.log_like.resize(base + POINTS, 0.0);
        let theta = &self.theta[base..];
        let like = &mut self.log_like[base..];
        if step_us > 0.0 {
            for e in edges {
                add_floored(theta, like, *e, laws, step_us);
            }
        } else {
            for e in edges {
                for (l, &t) in like.iter_mut().zip(theta) {
                    *l += laws[0].log_density(t - e.low_us) + laws[1].log_density(e.high_us - t);
                }
            }
        }
        let best = like.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (i, l) in like.iter_mut().enumerate() {
            let width = 0.5 * (theta[(i + 1).min(POINTS - 1)] - theta[i.saturating_sub(1)]);
            *l += width.ln() - best;
        }
    }

    /// Log of the integral, mean and variance of the wave's likelihood times a Gaussian with precision
    /// `tau` and mean `mean` (`tau` 0: of the likelihood alone).
    fn moments(&self, wave: usize, mean: f64, tau: f64) -> (f64, f64, f64) {
        let theta = &self.theta[wave * POINTS..][..POINTS];
        let like = &self.log_like[wave * POINTS..][..POINTS];
        let mut exponents = [0.0; POINTS];
        let mut best = f64::NEG_INFINITY;
        for ((e, &t), &l) in exponents.iter_mut().zip(theta).zip(like) {
            let d = t - mean;
            *e = l - 0.5 * tau * d * d;
            best = if *e > best { *e } else { best };
        }
        let origin = theta[HALF];
        let (mut s0, mut s1, mut s2) = (0.0, 0.0, 0.0);
        for (&e, &t) in exponents.iter().zip(theta) {
            let e = e - best;
            if e > -32.0 {
                let w = e.exp();
                let d = t - origin;
                s0 += w;
                s1 += w * d;
                s2 += w * d * d;
            }
        }
        let m = s1 / s0;
        let log_norm = if tau > 0.0 { 0.5 * (tau / std::f64::consts::TAU).ln() } else { 0.0 };
        (best + s0.ln() + log_norm, origin + m, (s2 / s0 - m * m).max(0.0))
    }
}

/// Add the log likelihood of an exchange whose device reading was floored: the exact likelihood
/// averaged over the step.
fn add_floored(theta: &[f64], like: &mut [f64], e: Edges, laws: [&DelayLaw; 2], step_us: f64) {
    let margin = 5.0 * laws[0].edge_us;
    let (low, high) = (e.low_us.min(e.high_us) - margin, e.high_us.max(e.low_us) + margin);
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let mut at = [0.0; FLOOR_POINTS];
    let mut cumulated = [0.0; FLOOR_POINTS];
    let mut logs = [0.0; FLOOR_POINTS];
    let mut best = f64::NEG_INFINITY;
    for i in 0..FLOOR_POINTS {
        // Dense at both ends.
        let u = std::f64::consts::PI * i as f64 / (FLOOR_POINTS - 1) as f64;
        at[i] = middle - half * u.cos();
        logs[i] = laws[0].log_density(at[i] - e.low_us) + laws[1].log_density(e.high_us - at[i]);
        best = best.max(logs[i]);
    }
    for i in 1..FLOOR_POINTS {
        let mean = 0.5 * ((logs[i] - best).exp() + (logs[i - 1] - best).exp());
        cumulated[i] = cumulated[i - 1] + mean * (at[i] - at[i - 1]);
    }
    let total = cumulated[FLOOR_POINTS - 1].max(1e-300);
    let mut cursor = [1usize; 2];
    for (l, &t) in like.iter_mut().zip(theta) {
        let mut ends = [0.0; 2];
        for (end, (side, cursor)) in ends.iter_mut().zip([-0.5, 0.5].into_iter().zip(&mut cursor)) {
            let x = t + side * step_us;
            *end = if x <= low {
                0.0
            } else if x >= high {
                total
            } else {
                while at[*cursor] < x {
                    *cursor += 1;
                }
                let (a, b) = (at[*cursor - 1], at[*cursor]);
                let share = if b > a { (x - a) / (b - a) } else { 0.0 };
                cumulated[*cursor - 1] + share * (cumulated[*cursor] - cumulated[*cursor - 1])
            };
        }
        *l += ((ends[1] - ends[0]) / total + 1e-9).ln();
    }
}

/// Gaussian sites by the waves alone.
pub(super) fn alone(grids: &Grids, waves: usize, min_variance: f64) -> Vec<Site> {
    (0..waves)
        .map(|w| {
            let (_, mean, variance) = grids.moments(w, 0.0, 0.0);
            Site::new(mean, variance.max(min_variance))
        })
        .collect()
}

/// Iterate the sites to agree with their neighbours; returns the smoother's last state through
/// `smoother`. `scores`, when given, receives how well each wave fits what the others say.
pub(super) fn propagate(
    grids: &Grids,
    chain: &Chain,
    sites: &mut [Site],
    smoother: &mut Smoother,
    min_variance: f64,
    iterations: usize,
    mut scores: Option<&mut Vec<f64>>,
) {
    for iteration in 0..iterations {
        smoother.run(chain, sites, false);
        let last = iteration + 1 == iterations;
        if last && let Some(scores) = scores.as_deref_mut() {
            scores.clear();
        }
        for (w, site) in sites.iter_mut().enumerate() {
            let state = smoother.states[w];
            let precision = 1.0 / state.cov.a;
            let cavity = (precision - site.tau).max(1e-6 * precision.min(1.0)).max(1e-12);
            let mean = (precision * state.theta - site.nu) / cavity;
            let (log_z, m, variance) = grids.moments(w, mean, cavity);
            if last && let Some(scores) = scores.as_deref_mut() {
                scores.push(log_z.max(MIN_LOG_Z));
            }
            let variance = variance.max(min_variance);
            let tau = (1.0 / variance - cavity).max(MIN_TAU);
            let nu = if tau > MIN_TAU { m / variance - cavity * mean } else { tau * m };
            site.tau += DAMPING * (tau - site.tau);
            site.nu += DAMPING * (nu - site.nu);
        }
    }
    smoother.run(chain, sites, false);
}
