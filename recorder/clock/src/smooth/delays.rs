//! What the delays of one direction are like: where they begin, and how they are spread above that.

use super::stats::{kth_lowest, median};

/// Scales of the components, geometric from 2 us to 0.3 s.
const SCALES: usize = 20;
const SCALE_FROM_US: f64 = 2.0;
const SCALE_TO_US: f64 = 3e5;
/// Rounds of expectation and maximization.
const EM_ROUNDS: usize = 60;
/// Pseudo-count of every component.
const PSEUDO_COUNT: f64 = 1e-3;
/// Of more residuals, every so many-th is used.
const MAX_RESIDUALS: usize = 4000;
/// Density that anything has, per microsecond, and the weight of the rest.
const FLOOR_PER_US: f64 = 1e-9;
const WEIGHT: f64 = 0.999;
/// Cells of the table in each octave of (delay + 1 us), as a power of two.
const CELL_BITS: u32 = 5;
/// Octaves: 2^24 us are 16 s.
const OCTAVES: usize = 24;
const NODES: usize = (OCTAVES << CELL_BITS) + 1;
/// Bits of the number 1.0 as a 32-bit float, and of the rest of the mantissa.
const ONE: u32 = 0x3f80_0000;
const REST_BITS: u32 = 23 - CELL_BITS;

/// Log density of the delay above its end point.
#[derive(Debug, Clone)]
pub(super) struct DelayLaw {
    /// At delays of 2^(k/32) - 1 us, roughly: the nodes of 32-bit floats' leading bits.
    table: Vec<f64>,
    /// Below the end point the log density falls by one in so many microseconds.
    pub edge_us: f64,
    /// The density begins at zero and rises: a soft edge.
    pub soft: bool,
}

impl DelayLaw {
    /// Log density per microsecond at `x_us` above the end point.
    #[inline]
    pub fn log_density(&self, x_us: f64) -> f64 {
        if x_us < 0.0 {
            return self.table[0] + x_us / self.edge_us;
        }
        let bits = ((x_us + 1.0) as f32).to_bits().saturating_sub(ONE);
        let cell = (bits >> REST_BITS) as usize;
        if cell >= NODES - 1 {
            return self.table[NODES - 1];
        }
        let share = f64::from(bits & ((1 << REST_BITS) - 1)) * (1.0 / f64::from(1 << REST_BITS));
        let (below, above) = (self.table[cell], self.table[cell + 1]);
        below + share * (above - below)
    }

    /// Learn from residuals (delays minus their end point, microseconds). `step_us`: of floored
    /// readings; the residuals then contain a uniform error of that width, and the law does not.
    /// `may_be_soft`: the order statistics of the delays allow a density that rises from zero.
    pub fn learn(residuals: &[f64], step_us: f64, edge_us: f64, finest_us: f64, may_be_soft: bool) -> Self {
        let histogram = Histogram::new(residuals, step_us);
        let sharp = Mixture::fit(&histogram, step_us, finest_us, false);
        let mut mixture = sharp;
        let mut soft = false;
        // An Erlang component at a sharp edge would learn a spike that the estimate itself made.
        if may_be_soft {
            let rising = Mixture::fit(&histogram, step_us, finest_us, true);
            if rising.log_likelihood - mixture.log_likelihood > 15.0 + 0.02 * histogram.total {
                mixture = rising;
                soft = true;
            }
        }
        let table = (0..NODES)
            .map(|node| {
                let x_us = f64::from(f32::from_bits(ONE + ((node as u32) << REST_BITS))) - 1.0;
                (WEIGHT * mixture.density(x_us) + FLOOR_PER_US).ln()
            })
            .collect();
        Self { table, edge_us, soft }
    }
}

/// Residuals counted in cells of the same spacing as the table's.
struct Histogram {
    /// Mean residual and count of each cell that has any.
    cells: Vec<(f64, f64)>,
    total: f64,
}

impl Histogram {
    fn new(residuals: &[f64], step_us: f64) -> Self {
        let stride = residuals.len().div_ceil(MAX_RESIDUALS).max(1);
        let mut sums = vec![(0.0, 0.0); NODES];
        let mut total = 0.0;
        let lowest = -0.5 * step_us;
        for &x in residuals.iter().step_by(stride) {
            let x = x.max(lowest);
            let bits = ((x - lowest + 1.0) as f32).to_bits().saturating_sub(ONE);
            let cell = ((bits >> REST_BITS) as usize).min(NODES - 1);
            sums[cell].0 += x;
            sums[cell].1 += 1.0;
            total += 1.0;
        }
        let cells = sums.into_iter().filter(|c| c.1 > 0.0).map(|(sum, n)| (sum / n, n)).collect();
        Self { cells, total }
    }
}

/// A component of the mixture.
#[derive(Clone, Copy)]
enum Component {
    Exponential(f64),
    /// Three exponential stages of this scale.
    Erlang(f64),
}

impl Component {
    fn density(self, x_us: f64) -> f64 {
        match self {
            _ if x_us < 0.0 => 0.0,
            Self::Exponential(scale) => (-x_us / scale).exp() / scale,
            Self::Erlang(scale) => {
                let z = x_us / scale;
                0.5 * z * z * (-z).exp() / scale
            }
        }
    }

    fn distribution(self, x_us: f64) -> f64 {
        match self {
            _ if x_us <= 0.0 => 0.0,
            Self::Exponential(scale) => -(-x_us / scale).exp_m1(),
            Self::Erlang(scale) => {
                let z = x_us / scale;
                1.0 - (-z).exp() * (1.0 + z + 0.5 * z * z)
            }
        }
    }

    /// Density of the delay plus a uniform error of width `step_us`.
    fn seen(self, x_us: f64, step_us: f64) -> f64 {
        if step_us <= 0.0 {
            return self.density(x_us);
        }
        (self.distribution(x_us + 0.5 * step_us) - self.distribution(x_us - 0.5 * step_us)) / step_us
    }
}

struct Mixture {
    parts: Vec<(Component, f64)>,
    log_likelihood: f64,
}

impl Mixture {
    fn fit(histogram: &Histogram, step_us: f64, finest_us: f64, rising: bool) -> Self {
        let ratio = (SCALE_TO_US / SCALE_FROM_US).powf(1.0 / (SCALES - 1) as f64);
        let finest_us = finest_us.min(1e4);
        let scales =
            (0..SCALES).map(|i| SCALE_FROM_US * ratio.powi(i as i32)).filter(|&scale| scale >= finest_us);
        let mut components: Vec<Component> = scales.clone().map(Component::Exponential).collect();
        if rising {
            components.extend(scales.map(|scale| Component::Erlang(scale / 3.0)));
        }
        let m = components.len();
        let densities: Vec<f64> = histogram
            .cells
            .iter()
            .flat_map(|&(x, _)| components.iter().map(move |c| c.seen(x, step_us)))
            .collect();
        let mut weights = vec![1.0 / m as f64; m];
        let mut log_likelihood = 0.0;
        let mut counts = vec![0.0; m];
        for _ in 0..EM_ROUNDS {
            counts.fill(PSEUDO_COUNT);
            log_likelihood = 0.0;
            for (row, &(_, n)) in densities.chunks_exact(m).zip(&histogram.cells) {
                let sum: f64 = row.iter().zip(&weights).map(|(d, w)| d * w).sum::<f64>() + 1e-12;
                log_likelihood += n * sum.ln();
                let share = n / sum;
                for ((count, d), w) in counts.iter_mut().zip(row).zip(&weights) {
                    *count += share * d * w;
                }
            }
            let total: f64 = counts.iter().sum();
            for (weight, count) in weights.iter_mut().zip(&counts) {
                *weight = count / total;
            }
        }
        Self { parts: components.into_iter().zip(weights).collect(), log_likelihood }
    }

    fn density(&self, x_us: f64) -> f64 {
        self.parts.iter().map(|(c, w)| w * c.density(x_us)).sum()
    }
}

/// Where delays begin, and how uncertain that is: from their low order statistics.
///
/// Above a sharp edge the `k`-th lowest grows like `k`, above a soft one slower: the ratio of their
/// differences shows which, and the differences then extrapolate to the edge.
pub(super) fn end_point(delays: &mut [f64], soft: bool) -> (f64, f64) {
    let n = delays.len();
    let mut ranks: Vec<usize> =
        [4, 8, 16, 32, 64].into_iter().filter(|&k| ((4 * k) as f64) < 0.06 * n as f64).collect();
    if ranks.is_empty() {
        ranks.push((n / 50).max(1));
    }
    let most = ranks.iter().max().copied().unwrap_or(1);
    if n < 4 * most {
        let low = delays.iter().copied().fold(f64::INFINITY, f64::min);
        let spread = median(delays) - low;
        return (low, spread.max(0.0));
    }
    delays.select_nth_unstable_by(4 * most - 1, f64::total_cmp);
    let low = &mut delays[..4 * most];
    low.sort_unstable_by(f64::total_cmp);
    let at = |k: usize| low[k - 1];
    let near: f64 = ranks.iter().map(|&k| at(2 * k) - at(k)).sum();
    let far: f64 = ranks.iter().map(|&k| at(4 * k) - at(2 * k)).sum();
    let growth = if near > 0.0 { far / near } else { 2.0 };
    let growth = if !soft || growth > 1.6 { 2.0 } else { growth.max(1.42) };
    let count = ranks.len() as f64;
    let edge = ranks.iter().map(|&k| at(k) - (at(2 * k) - at(k)) / (growth - 1.0)).sum::<f64>() / count;
    let sigma =
        ranks.iter().map(|&k| (at(2 * k) - at(k)) * (2.0 / (k as f64).sqrt() + 0.15)).sum::<f64>() / count;
    (edge, sigma)
}

/// How the delays grow when their rank is doubled, well inside of their distribution: 2 or more above a
/// sharp edge, 1.4 above a density that rises from zero.
pub(super) fn growth(delays: &mut [f64]) -> f64 {
    let at = |delays: &mut [f64], share: f64| super::stats::quantile(delays, share);
    let [a, b, c] = [0.0375, 0.075, 0.15].map(|share| at(delays, share));
    if b > a { (c - b) / (b - a) } else { 2.0 }
}

/// The 4th lowest: a minimum that one freak does not make.
pub(super) fn low_value(values: &mut [f64]) -> f64 {
    kth_lowest(values, 3)
}
