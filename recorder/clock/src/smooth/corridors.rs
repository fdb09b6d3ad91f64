//! What the exchanges allow at each wave: the hard bound of the map.
//!
//! The interval of a wave's best exchange holds whatever the clock and the path do. It is narrowed by
//! those of the waves around it only where the estimate goes through them in one piece, by what the
//! estimate can be off from one to the other; never over an event, nor with waves that may lie on
//! either side of one.

use super::engine::Engine;
use super::stats::median;
use crate::Corridor;

/// Waves on either side that narrow a wave's interval.
const REACH: usize = 12;
/// Waves in one piece that narrow each other: fewer say little of how well the estimate is known.
const MIN_RUN: usize = 8;
/// Sigmas of the estimate that are allowed for.
const SIGMAS: f64 = 4.0;
/// Blurs of the edges of the delays by which a delay may be shorter than the path's.
const BLURS: f64 = 6.0;
/// Share of half the lowest round-trip time for which the same holds.
const SHARE: f64 = 0.1;
/// Room towards the other side of an event that a wave leaves, in halves of the path's lowest round-trip
/// time, from which the clock may be on its way there.
const MAX_ROOM: f64 = 1.5;
/// Time on either side that shows the steady rate, in seconds, and waves at least.
const RATE_REACH_S: f64 = 100.0;
const RATE_WAVES: usize = 3;
/// Waves on either side that show it where the clock may be slewed for longer.
const RATE_WIDE: usize = 40;
/// Difference of rates, in us/s, that is no wander.
const MAX_WANDER: f64 = 5.0;
/// A clock that wanders more than this, in s^2/s^3, is no crystal: it may be stepped or slewed unseen.
const RESTLESS: f64 = 2e-14;

/// What is found of every wave.
pub(super) struct Allowed {
    pub corridors: Vec<Corridor>,
    /// Variance of theta: the smoother's, and what an event nearby leaves open.
    pub variances_us2: Vec<f64>,
}

/// The corridor of every wave. `cuts`: the first waves of the pieces but the first.
pub(super) fn of(engine: &Engine, cuts: &[usize]) -> Allowed {
    let states = &engine.smoother.states;
    let n = states.len();
    // How far the truth can be below and above the estimate, by the wave itself.
    let own: Vec<(f64, f64)> = (0..n)
        .map(|w| {
            let (lo_us, hi_us) = interval_us(engine, w);
            (states[w].theta - lo_us, hi_us - states[w].theta)
        })
        .collect();
    let mut inflations = vec![1.0; n];
    for (from, to) in super::pieces(cuts, n) {
        inflations[from..to].fill(engine.inflation(to - from));
    }
    let doubts = doubts(engine, cuts, &inflations);
    let mut variances_us2: Vec<f64> = states.iter().zip(&inflations).map(|(s, i)| i * s.cov.a).collect();
    let sigmas: Vec<f64> = variances_us2.iter().map(|variance| SIGMAS * variance.sqrt()).collect();
    let mut narrowed = own.clone();
    // Runs of waves that the same clock goes through over the same path.
    let parted = |w: usize| {
        let restless = engine.chain.noise[w] > super::noise::from_si(RESTLESS);
        let doubted = doubts[w].is_some() || doubts[w - 1].is_some();
        restless || doubted || cuts.binary_search(&w).is_ok() || engine.path(w) != engine.path(w - 1)
    };
    let begins: Vec<usize> = (1..n).filter(|&w| parted(w)).collect();
    for (from, to) in super::pieces(&begins, n).filter(|(from, to)| to - from >= MIN_RUN) {
        for w in from..to {
            for v in w.saturating_sub(REACH).max(from)..(w + REACH + 1).min(to) {
                if v != w {
                    let slack = sigmas[v] + sigmas[w];
                    narrowed[w].0 = narrowed[w].0.min(own[v].0 + slack);
                    narrowed[w].1 = narrowed[w].1.min(own[v].1 + slack);
                }
            }
        }
    }
    for (variance, doubt) in variances_us2.iter_mut().zip(&doubts) {
        *variance += doubt.map_or(0.0, |doubt| doubt * doubt);
    }
    let steady = steady_rates(engine);
    let corridors = (0..n)
        .map(|w| Corridor {
            below_s: narrowed[w].0 * 1e-6,
            above_s: narrowed[w].1 * 1e-6,
            steady_slopes: steady[w].map(|rate| rate / (1.0 - rate)),
        })
        .collect();
    Allowed { corridors, variances_us2 }
}

/// Of every wave, how much faster the host's clock runs than the device's until the next one: a rate at which
/// it did run for a while. If it ran at another in part of the time, it went from one wave's interval to the
/// next one's in one direction, seen from this rate. Where the seconds around show another rate than the
/// minutes, by more than a crystal wanders, it may be either.
fn steady_rates(engine: &Engine) -> Vec<[f64; 2]> {
    let waves = &engine.waves.waves;
    let n = waves.len();
    let mut rates: Vec<f64> = Vec::new();
    let mut usual = |range: std::ops::RangeInclusive<usize>| {
        rates.clear();
        rates.extend(engine.smoother.states[range].iter().map(|state| state.frequency));
        median(&mut rates)
    };
    (0..n)
        .map(|w| {
            let around = |reach: usize| w.saturating_sub(reach)..=(w + reach).min(n - 1);
            let close = |v: &usize| (waves[*v].host_s - waves[w].host_s).abs() <= RATE_REACH_S;
            let before = (0..w).rev().take_while(close).count();
            let after = (w + 1..n).take_while(close).count();
            let near = usual(around(before.max(after).clamp(RATE_WAVES, RATE_WIDE)));
            let wide = usual(around(RATE_WIDE));
            let wide = if (wide - near).abs() > MAX_WANDER { wide } else { near };
            [near, wide].map(|rate| (engine.waves.slope + rate) * 1e-6)
        })
        .collect()
}

/// What the best exchange of a wave allows for theta.
fn interval_us(engine: &Engine, w: usize) -> (f64, f64) {
    let probe = engine.waves.probes[engine.waves.waves[w].pick];
    let half_step_us = 0.5 * engine.waves.step_us;
    (probe.lo_us - half_step_us, probe.hi_us + half_step_us)
}

/// Of waves that say nothing of others, a sigma of what theta may be off by for that: those whose delays the
/// estimate would make shorter than the path's, so that it is wrong there; and those of which nobody can say
/// on which side of an event they are, for their exchanges allow the other side's clock too, as far as it is
/// known there, or much of the way to it.
fn doubts(engine: &Engine, cuts: &[usize], inflations: &[f64]) -> Vec<Option<f64>> {
    let waves = &engine.waves;
    let states = &engine.smoother.states;
    let n = states.len();
    // What the delays of a wave leave for theta, and by how much they may be shorter than the path's.
    let left = |w: usize| {
        let edges = engine.edges(w);
        let low = edges.iter().map(|e| e.low_us).fold(f64::NEG_INFINITY, f64::max);
        let high = edges.iter().map(|e| e.high_us).fold(f64::INFINITY, f64::min);
        let sigma = (inflations[w] * states[w].cov.a).sqrt();
        let half_us = engine.paths[engine.path(w)].half_us;
        let margin = SIGMAS * sigma + BLURS * engine.edge_us + SHARE * half_us + 0.5 * waves.step_us;
        (low, high, margin)
    };
    let mut out: Vec<Option<f64>> = (0..n)
        .map(|w| {
            let (low, high, margin) = left(w);
            let too_short = (low - states[w].theta).max(states[w].theta - high);
            (too_short > margin).then_some(too_short)
        })
        .collect();
    // How far a wave's clock may be on its way to the one by which the wave `by` goes on.
    let open = |w: usize, by: usize| {
        if waves.waves[w].epoch != waves.waves[by].epoch {
            return None;
        }
        let state = states[by];
        let dt_s = waves.waves[w].host_s - waves.waves[by].host_s;
        let there = state.theta + dt_s * state.frequency;
        let variance = state.cov.a + dt_s * (2.0 * state.cov.b + dt_s * state.cov.d);
        let spread = SIGMAS * (inflations[by] * variance.max(0.0)).sqrt();
        let here = states[w].theta;
        let towards = |(low, high): (f64, f64)| if there > here { high - here } else { here - low };
        let (lo_us, hi_us) = interval_us(engine, w);
        let far = MAX_ROOM * engine.paths[engine.path(w)].half_us + waves.step_us;
        let allowed = towards((lo_us, hi_us)) > far || (lo_us - spread <= there && there <= hi_us + spread);
        // Anywhere on that way, as far as its delays let it.
        let (low, high, margin) = left(w);
        let room = (towards((low, high)) + margin).max(0.0);
        allowed.then(|| room.min((there - here).abs()) / 12f64.sqrt())
    };
    for (i, &cut) in cuts.iter().enumerate() {
        let from = i.checked_sub(1).map_or(0, |before| cuts[before]);
        let to = cuts.get(i + 1).copied().unwrap_or(n);
        let before = (from..cut).rev().map_while(|w| open(w, cut).map(|doubt| (w, doubt)));
        let after = (cut..to).map_while(|w| open(w, cut - 1).map(|doubt| (w, doubt)));
        for (w, doubt) in before.chain(after) {
            out[w] = Some(out[w].unwrap_or(0.0).max(doubt));
        }
    }
    out
}
