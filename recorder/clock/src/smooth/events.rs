//! Steps and kinks of a clock: transitions at which an impulse on the state explains the data far
//! better than the process noise (the auxiliary residual of de Jong and Penzer 1998).

use super::kalman::{Chain, Jump, Site, Smoother};

/// Variances of an event: 1 s on theta, 1000 ppm on the frequency.
pub(super) const EVENT: Jump = Jump { theta_us2: 1e12, frequency: 1e6 };
/// New events in one pass.
const MAX_NEW: usize = 40;
/// Waves between two new events of one pass.
const APART: usize = 12;
/// An event whose statistic without it is below this share of the threshold goes.
const KEEP: f64 = 0.7;
const MAX_PASSES: usize = 60;

/// Find the events of Gaussian data: indices of the waves right after them. `fixed` are there already
/// and stay.
pub(super) fn find(chain: &Chain, sites: &[Site], fixed: &[usize], threshold: f64) -> Vec<usize> {
    let n = sites.len();
    let mut chain = chain.clone();
    for &k in fixed {
        chain.jumps[k] = EVENT;
    }
    let mut smoother = Smoother::default();
    let mut found: Vec<usize> = Vec::new();
    for _ in 0..MAX_PASSES {
        smoother.run(&chain, sites, true);
        let stat = &smoother.impulse;
        let taken = |k: usize, list: &[usize]| list.iter().any(|&e| e.abs_diff(k) <= 1);
        let mut peaks: Vec<usize> = (2..n.saturating_sub(2))
            .filter(|&k| stat[k] > threshold && stat[k] >= stat[k - 1] && stat[k] >= stat[k + 1])
            .filter(|&k| !taken(k, &found) && !taken(k, fixed))
            .collect();
        peaks.sort_by(|&a, &b| stat[b].total_cmp(&stat[a]));
        let mut new: Vec<usize> = Vec::new();
        for k in peaks {
            if new.len() < MAX_NEW && new.iter().all(|&e| e.abs_diff(k) > APART) {
                new.push(k);
            }
        }
        if new.is_empty() {
            break;
        }
        for &k in &new {
            chain.jumps[k] = EVENT;
        }
        found.extend(new);
    }
    // Those that the later ones made needless.
    let mut kept = found.clone();
    for &k in &found {
        chain.jumps[k] = Jump::default();
        smoother.run(&chain, sites, true);
        if smoother.impulse[k] < KEEP * threshold {
            kept.retain(|&e| e != k);
        } else {
            chain.jumps[k] = EVENT;
        }
    }
    kept.sort_unstable();
    kept
}
