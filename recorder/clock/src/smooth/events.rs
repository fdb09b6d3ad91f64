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
/// Waves on either side by which a change of events is judged.
const SETTLE_REACH: usize = 12;
/// Waves by which an event is moved, or another one set beside it.
const SETTLE_STEP: usize = 3;
/// Log likelihood that a change must gain.
const MIN_GAIN: f64 = 2.0;
const MAX_SETTLE: usize = 5;

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
        let mut peaks: Vec<usize> = (1..n)
            .filter(|&k| stat[k] > threshold && stat[k] >= stat[k - 1])
            .filter(|&k| stat.get(k + 1).is_none_or(|&next| stat[k] >= next))
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
    settle(&chain, sites, fixed, &mut kept);
    kept
}

/// Move, remove and add events next to each other until no such change makes the waves around likelier.
/// A slew that lasts a few waves shows best in its middle, where neither of its ends is.
fn settle(chain: &Chain, sites: &[Site], fixed: &[usize], events: &mut Vec<usize>) {
    let n = sites.len();
    let mut smoother = Smoother::default();
    for _ in 0..MAX_SETTLE {
        let mut settled = true;
        for k in events.clone() {
            let Ok(at) = events.binary_search(&k) else { continue };
            let around = k.saturating_sub(SETTLE_REACH)..(k + SETTLE_REACH).min(n);
            let mut score = |events: &[usize]| {
                let jump = |w: usize| {
                    let is_event = events.binary_search(&w).is_ok() || fixed.contains(&w);
                    if is_event { EVENT } else { Jump::default() }
                };
                smoother.log_likelihood_of(around.clone(), chain, sites, jump)
            };
            let mut best = (score(events) + MIN_GAIN, None);
            let mut consider = |changed: Vec<usize>| {
                let score = score(&changed);
                if score > best.0 {
                    best = (score, Some(changed));
                }
            };
            let mut without = events.clone();
            without.remove(at);
            for to in k.saturating_sub(SETTLE_STEP).max(1)..(k + SETTLE_STEP + 1).min(n) {
                if events.binary_search(&to).is_err() && !fixed.contains(&to) {
                    for rest in [&without, &*events] {
                        let mut changed = rest.clone();
                        changed.insert(changed.partition_point(|&e| e < to), to);
                        consider(changed);
                    }
                }
            }
            consider(without);
            if let Some(changed) = best.1 {
                *events = changed;
                settled = false;
            }
        }
        if settled {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::noise::from_si;
    use super::*;

    /// Waves each 5 s of a clock that is slewed by 500 ppm from one time to another, known to 10 us.
    fn slewed(waves: usize, from_s: f64, to_s: f64) -> (Chain, Vec<Site>) {
        let chain = Chain {
            gap_s: (0..waves).map(|w| if w == 0 { 0.0 } else { 5.0 }).collect(),
            noise: vec![from_si(1e-16); waves],
            jumps: vec![Jump::default(); waves],
        };
        let slewed_us = |at_s: f64| 500.0 * (at_s.min(to_s) - from_s).max(0.0);
        // Errors of a few us that repeat after some waves.
        let site = |w: usize| Site::new(slewed_us(5.0 * w as f64) + 3.0 * (w as f64).sin(), 100.0);
        (chain, (0..waves).map(site).collect())
    }

    #[test]
    fn a_clock_that_wanders_has_no_events() {
        let (chain, sites) = slewed(100, 1e9, 2e9);
        assert_eq!(find(&chain, &sites, &[], 36.0), [0usize; 0]);
    }

    #[test]
    fn the_ends_of_a_slew_are_where_they_are_however_short_it_is() {
        for (from_s, to_s) in [(198.0, 203.0), (198.0, 208.0), (198.0, 213.0), (198.0, 242.0)] {
            let (chain, sites) = slewed(100, from_s, to_s);
            let after = |at_s: f64| (at_s / 5.0).ceil() as usize;
            assert_eq!(find(&chain, &sites, &[], 36.0), [after(from_s), after(to_s)], "{from_s} to {to_s}");
        }
    }

    #[test]
    fn a_slew_between_two_waves_is_one_event() {
        let (chain, sites) = slewed(100, 201.0, 204.0);
        assert_eq!(find(&chain, &sites, &[], 36.0), [41]);
    }
}
