//! Likelihoods of waves on grids, and expectation propagation over the chain (Minka 2001).

use super::delays::DelayLaw;
use super::kalman::{Chain, Site, Smoother};

/// Points of a wave's grid; a multiple of the lanes.
const POINTS: usize = 120;
const HALF: usize = POINTS / 2;
/// Least standard deviation of a grid, in spacings.
const COARSE: f64 = 0.5;
/// Points that are taken at a time.
const LANES: usize = 8;
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
    /// Around which theta each wave's grid lies, and by how much its points are off: single precision
    /// serves, and takes twice as many at a time.
    center: Vec<f64>,
    offset: Vec<f32>,
    /// Log likelihood with the log of the integration weight, below its maximum.
    log_like: Vec<f32>,
    /// Least standard deviation that the points resolve, per distance from the centre.
    coarseness: Vec<f64>,
}

impl Grids {
    pub fn clear(&mut self) {
        self.center.clear();
        self.offset.clear();
        self.log_like.clear();
        self.coarseness.clear();
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
        let from = 0.08 * s0;
        // Far from where theta can be, points would be wasted.
        let reach = width.min(1000.0 + 200.0 * sd_us).max(2.0 * from);
        let ratio = (reach / from).max(1.0001).powf(1.0 / (HALF - 1) as f64);
        self.coarseness.push(COARSE * (ratio - 1.0));
        let mut theta = [center; POINTS];
        let mut offset = from;
        for i in 1..=HALF {
            if i < HALF {
                theta[HALF + i] = center + offset;
            }
            theta[HALF - i] = center - offset;
            offset *= ratio;
        }
        let mut like = [0.0; POINTS];
        if step_us > 0.0 {
            for e in edges {
                add_floored(&theta, &mut like, *e, laws, step_us);
            }
        } else {
            for e in edges {
                for (l, &t) in like.iter_mut().zip(&theta) {
                    *l += laws[0].log_density(t - e.low_us) + laws[1].log_density(e.high_us - t);
                }
            }
        }
        let best = like.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.center.push(center);
        self.offset.extend(theta.iter().map(|t| (t - center) as f32));
        self.log_like.extend(like.iter().enumerate().map(|(i, l)| {
            let width = 0.5 * (theta[(i + 1).min(POINTS - 1)] - theta[i.saturating_sub(1)]);
            (width.ln() + l - best) as f32
        }));
    }

    /// Log of the integral, mean and variance of the wave's likelihood times a Gaussian with precision
    /// `tau` and mean `mean` (`tau` 0: of the likelihood alone).
    fn moments(&self, wave: usize, mean: f64, tau: f64) -> (f64, f64, f64) {
        let offset = &self.offset[wave * POINTS..][..POINTS];
        let like = &self.log_like[wave * POINTS..][..POINTS];
        let center = self.center[wave];
        let (shift, weight) = ((mean - center) as f32, (0.5 * tau) as f32);
        let mut exponents = [0.0f32; POINTS];
        let mut best = [f32::NEG_INFINITY; LANES];
        let all =
            exponents.chunks_exact_mut(LANES).zip(offset.chunks_exact(LANES)).zip(like.chunks_exact(LANES));
        for ((e, t), l) in all {
            for i in 0..LANES {
                let d = t[i] - shift;
                e[i] = l[i] - weight * d * d;
                best[i] = if e[i] > best[i] { e[i] } else { best[i] };
            }
        }
        let best = best.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let (mut s0, mut s1, mut s2) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
        for (e, d) in exponents.chunks_exact(LANES).zip(offset.chunks_exact(LANES)) {
            for i in 0..LANES {
                let w = exp_negative(e[i] - best);
                s0[i] += w;
                s1[i] += w * d[i];
                s2[i] += w * d[i] * d[i];
            }
        }
        let sum = |s: [f32; LANES]| s.into_iter().map(f64::from).sum::<f64>();
        let (s0, s1, s2) = (sum(s0), sum(s1), sum(s2));
        let m = s1 / s0;
        let log_norm = if tau > 0.0 { 0.5 * (tau / std::f64::consts::TAU).ln() } else { 0.0 };
        // No finer than the grid is there: a peak between two points must not pass for certainty.
        let finest = (self.coarseness[wave] * m).powi(2);
        (f64::from(best) + s0.ln() + log_norm, center + m, (s2 / s0 - m * m).max(finest))
    }
}

/// `exp(x)` for `x <= 0` to 6 digits, 0 far below; branchless, so that it can be vectorized.
#[inline]
fn exp_negative(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let t = x.max(-80.0) * std::f32::consts::LOG2_E;
    let whole = t + ROUND;
    let f = t - (whole - ROUND);
    // Taylor series of 2^f for |f| <= 1/2.
    let p = 1.333_355_8e-3;
    let p = p * f + 9.618_129e-3;
    let p = p * f + 5.550_411e-2;
    let p = p * f + 0.240_226_5;
    let p = p * f + std::f32::consts::LN_2;
    let p = p * f + 1.0;
    f32::from_bits(p.to_bits().wrapping_add(whole.to_bits() << 23))
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
pub(super) fn alone(grids: &Grids, min_variance: &[f64]) -> Vec<Site> {
    (0..min_variance.len())
        .map(|w| {
            let (_, mean, variance) = grids.moments(w, 0.0, 0.0);
            Site::new(mean, variance.max(min_variance[w]))
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
    min_variance: &[f64],
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
            let variance = variance.max(1e-8);
            let wanted = 1.0 / variance - cavity;
            // No single wave is trusted beyond the blur of the edges.
            let tau = wanted.clamp(MIN_TAU, 1.0 / min_variance[w]);
            let nu = if wanted > MIN_TAU { (m / variance - cavity * mean) * (tau / wanted) } else { tau * m };
            site.tau += DAMPING * (tau - site.tau);
            site.nu += DAMPING * (nu - site.nu);
        }
    }
    smoother.run(chain, sites, false);
}
