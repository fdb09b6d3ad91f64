//! The process noise: how fast the frequency of the clock wanders, and when.

use super::ep::{self, Grids};
use super::kalman::{Chain, Site, Smoother};

/// Candidates, in s^2/s^3.
const GRID: [f64; 11] = [1e-24, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12];
/// A window over which it is constant.
const WINDOW_S: f64 = 300.0;
const WINDOW_WAVES: usize = 30;
/// Cost of a change by one candidate, in log likelihood.
const CHANGE: f64 = 4.0;
const ITERATIONS: usize = 5;

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
/// others. `in_use`: only these values and their neighbours.
pub(super) fn choose(
    grids: &Grids,
    chain: &Chain,
    sites: &[Site],
    min_variance: f64,
    in_use: Option<&[f64]>,
) -> Vec<f64> {
    let n = sites.len();
    let windows = windows(chain);
    let used: Vec<usize> = (0..GRID.len())
        .filter(|&i| {
            in_use.is_none_or(|values| {
                values.iter().any(|&q| {
                    let at = nearest(q);
                    at.abs_diff(i) <= 1
                })
            })
        })
        .collect();
    let run = |&i: &usize| {
        let mut chain = chain.clone();
        chain.noise.fill(from_si(GRID[i]));
        let mut sites = sites.to_vec();
        let mut smoother = Smoother::default();
        let mut scores = Vec::with_capacity(n);
        ep::propagate(grids, &chain, &mut sites, &mut smoother, min_variance, ITERATIONS, Some(&mut scores));
        windows.iter().map(|w| scores[w.clone()].iter().sum()).collect::<Vec<f64>>()
    };
    let scores: Vec<Vec<f64>> = used.iter().map(run).collect();
    // Viterbi over the windows.
    let mut best = vec![vec![0.0; used.len()]; windows.len()];
    let mut from = vec![vec![0usize; used.len()]; windows.len()];
    for t in 0..windows.len() {
        for i in 0..used.len() {
            let (previous, cost) = if t == 0 {
                (i, 0.0)
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

fn nearest(q: f64) -> usize {
    let distance = |i: &usize| (from_si(GRID[*i]).ln() - q.ln()).abs();
    (0..GRID.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
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
