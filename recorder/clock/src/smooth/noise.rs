//! The process noise: how fast the frequency of the clock wanders, and when.

use super::ep::{self, Grids};
use super::kalman::{Chain, Site, Smoother};

/// Candidates, in s^2/s^3.
const GRID: [f64; 11] = [1e-24, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12];
/// The candidate that a crystal at room temperature needs.
const USUAL: usize = 4;
/// A window over which it is constant.
const WINDOW_S: f64 = 300.0;
const WINDOW_WAVES: usize = 30;
/// Cost of a change by one candidate, in log likelihood.
const CHANGE: f64 = 4.0;
const ITERATIONS: usize = 5;
const FIRST_ITERATIONS: usize = 6;

/// s^2/s^3 in us^2/s^3.
pub(super) const fn from_si(q: f64) -> f64 {
    q * 1e12
}

/// One value for all, by the Gaussian likelihood of the sites.
pub(super) fn likeliest(chain: &Chain, sites: &[Site]) -> f64 {
    let mut chain = chain.clone();
    let mut smoother = Smoother::default();
    let mut best = (f64::NEG_INFINITY, from_si(1e-18));
    for q in [1e-24, 1e-20, 1e-18, 1e-16, 1e-14, 1e-12] {
        chain.noise.fill(from_si(q));
        let score = smoother.log_likelihood(&chain, sites);
        if score > best.0 {
            best = (score, from_si(q));
        }
    }
    best.1
}

/// Noise of each transition: the path through the candidates on which waves are foretold best by the
/// others. `stillness`: log likelihood that a candidate must gain over the next lower one.
pub(super) fn choose(
    grids: &Grids,
    chain: &Chain,
    sites: &[Site],
    min_variance: &[f64],
    stillness: f64,
) -> Vec<f64> {
    let n = sites.len();
    let windows = windows(chain);
    let used: Vec<usize> = (0..GRID.len()).collect();
    // From the most restless clock to the stillest, each beginning with what the one before arrived at.
    let mut sites = sites.to_vec();
    let mut smoother = Smoother::default();
    let mut chain = chain.clone();
    let mut scores: Vec<Vec<f64>> = vec![Vec::new(); used.len()];
    for (at, &i) in used.iter().enumerate().rev() {
        chain.noise.fill(from_si(GRID[i]));
        let mut by_wave = Vec::with_capacity(n);
        let iterations = if at + 1 == used.len() { FIRST_ITERATIONS } else { ITERATIONS };
        ep::propagate(grids, &chain, &mut sites, &mut smoother, min_variance, iterations, Some(&mut by_wave));
        scores[at] = windows.iter().map(|w| by_wave[w.clone()].iter().sum()).collect();
    }
    // Viterbi over the windows.
    let mut best = vec![vec![0.0; used.len()]; windows.len()];
    let mut from = vec![vec![0usize; used.len()]; windows.len()];
    for t in 0..windows.len() {
        for i in 0..used.len() {
            let (previous, cost) = if t == 0 {
                (i, -prior(used[i], stillness))
            } else {
                (0..used.len())
                    .map(|j| (j, best[t - 1][j] - CHANGE * used[i].abs_diff(used[j]) as f64))
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .unwrap_or((i, 0.0))
            };
            best[t][i] = cost + scores[i][t];
            from[t][i] = previous;
        }
    }
    let mut noise = vec![from_si(1e-18); n];
    let mut state =
        (0..used.len()).max_by(|&a, &b| best[windows.len() - 1][a].total_cmp(&best[windows.len() - 1][b]));
    for t in (0..windows.len()).rev() {
        let Some(i) = state else { break };
        noise[windows[t].clone()].fill(from_si(GRID[used[i]]));
        state = Some(from[t][i]);
    }
    noise
}

/// Minus the log prior of a candidate: crystals wander by about 1e-18, and a livelier one has to be shown.
fn prior(candidate: usize, stillness: f64) -> f64 {
    if candidate >= USUAL { stillness * (candidate - USUAL) as f64 } else { 0.5 * (USUAL - candidate) as f64 }
}

/// Ranges of waves: 300 s, but 30 waves at least.
fn windows(chain: &Chain) -> Vec<std::ops::Range<usize>> {
    let n = chain.gap_s.len();
    let mut windows = Vec::new();
    let (mut first, mut length_s) = (0, 0.0);
    for w in 0..n {
        length_s += chain.gap_s[w];
        if length_s >= WINDOW_S && w + 1 - first >= WINDOW_WAVES && n - w > WINDOW_WAVES {
            windows.push(first..w + 1);
            (first, length_s) = (w + 1, 0.0);
        }
    }
    windows.push(first..n);
    windows
}
