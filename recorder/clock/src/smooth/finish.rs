//! From the smoothed waves to the map.

use super::corridors::Allowed;
use super::engine::Engine;
use super::waves::Waves;
use crate::asymmetry::usual_sigma_s;
use crate::{Assignment, ClockMap, Curve, Event, EventKind, Knot, Method, Piece, Shape};

/// Error of reading and storing time stamps that is always there, in seconds.
const STAMP_SIGMA_S: f64 = 0.02e-6;

/// The map of a finished estimation.
pub(super) fn map(engine: &Engine) -> ClockMap {
    let waves = &engine.waves;
    let n = waves.waves.len();
    let mut cuts: Vec<usize> = engine.events.iter().chain(&engine.resets).copied().collect();
    cuts.sort_unstable();
    cuts.dedup();
    let allowed = super::corridors::of(engine, &cuts);
    let pieces = super::pieces(&cuts, n).map(|(from, to)| piece(engine, from, to, &allowed)).collect();
    let events = cuts.iter().map(|&k| event(engine, k)).collect();
    let mut remarks = Vec::new();
    if waves.straddling > 0 {
        remarks.push(format!("{} bursts left out: the clock was set inside them", waves.straddling));
    }
    ClockMap { method: Method::Smooth, pieces, events, assignment: Assignment::Events, remarks }
}

/// Knot at a wave: absolute numbers through the epoch's references.
fn knot(engine: &Engine, w: usize, variance_us2: f64) -> Knot {
    let waves = &engine.waves;
    let state = engine.smoother.states[w];
    let wave = waves.waves[w];
    let path = engine.paths.iter().find(|p| p.end > w);
    let path_us2 = path.map_or(0.0, |p| p.anchor_us.powi(2) + p.extra_us.powi(2));
    let base_us = waves.slope * (wave.host_s - waves.epoch_host_s(wave.epoch));
    let theta_us = state.theta + base_us;
    // Device time of the knot's host time by the estimate itself: host = device + theta.
    let host_s = wave.host_s - waves.epoch_host_s(wave.epoch);
    let frequency = (waves.slope + state.frequency) * 1e-6;
    let noise = engine.chain.noise.get(w + 1).or(engine.chain.noise.last()).copied().unwrap_or(0.0);
    Knot {
        x_s: host_s - theta_us * 1e-6,
        y_s: theta_us * 1e-6,
        slope: frequency / (1.0 - frequency),
        variance_s2: (variance_us2 + path_us2) * 1e-12,
        covariance_s: state.cov.b * 1e-12,
        slope_variance: state.cov.d * 1e-12,
        noise_s2_per_s3: noise * 1e-12,
    }
}

fn piece(engine: &Engine, from: usize, to: usize, allowed: &Allowed) -> Piece {
    let waves = &engine.waves;
    let epoch = waves.epochs[waves.waves[from].epoch];
    let knots: Vec<Knot> = (from..to).map(|w| knot(engine, w, allowed.variances_us2[w])).collect();
    let device = |k: &Knot| epoch.device_ref_s + k.x_s;
    let host = |w: usize| waves.host_ref_s + waves.waves[w].host_s;
    // Over the best path of the piece: what is known of others does not reach over an event.
    let over = engine.paths.iter().filter(|path| path.first < to && path.end > from);
    let half_us = over.map(|path| path.half_us).fold(f64::INFINITY, f64::min);
    let bound_s = (half_us + 0.5 * waves.step_us) * 1e-6;
    Piece {
        device_span_s: (knots.first().map_or(0.0, device), knots.last().map_or(0.0, device)),
        host_span_s: (host(from), host(to - 1)),
        shape: Shape::Curve(Curve {
            device_ref_s: epoch.device_ref_s,
            host_ref_s: epoch.host_ref_s,
            knots,
            corridors: allowed.corridors[from..to].to_vec(),
        }),
        sigma_s: STAMP_SIGMA_S,
        asymmetry_sigma_s: usual_sigma_s(bound_s, waves.asymmetry_known, engine.unlike),
        bound_s,
    }
}

fn event(engine: &Engine, k: usize) -> Event {
    let waves = &engine.waves;
    let (before, after) = (knot(engine, k - 1, 0.0), knot(engine, k, 0.0));
    let (wave_before, wave_after) = (waves.waves[k - 1], waves.waves[k]);
    let (host_from_s, host_to_s) =
        (waves.host_ref_s + wave_before.host_s, waves.host_ref_s + wave_after.host_s);
    // Host minus device on both sides, carried to the middle.
    let offset = |epoch: usize, y_s: f64| {
        let e = waves.epochs[epoch];
        (e.host_ref_s - e.device_ref_s) + y_s
    };
    let dt_s = host_to_s - host_from_s;
    let drift_s = 0.5 * dt_s * (before.slope + after.slope);
    let size_s = offset(wave_after.epoch, after.y_s) - offset(wave_before.epoch, before.y_s) - drift_s;
    let kind = if wave_before.epoch != wave_after.epoch {
        EventKind::Reset
    } else if (after.slope - before.slope).abs() * dt_s > 0.5 * size_s.abs() {
        EventKind::Slew
    } else {
        EventKind::Step
    };
    Event { kind, host_from_s, host_to_s, size_s }
}

/// Too few waves for anything but a straight line through the picks, with the bound as sigma.
pub(super) fn few(waves: &Waves) -> ClockMap {
    let mut pieces = Vec::new();
    let mut events = Vec::new();
    let half_s = 0.5e-6 * (waves.min_rtt_us + waves.step_us);
    let n = waves.waves.len();
    let mut from = 0;
    while from < n {
        let number = waves.waves[from].epoch;
        let to = (from..n).find(|&w| waves.waves[w].epoch != number).unwrap_or(n);
        let epoch = waves.epochs[number];
        let point = |w: usize| {
            let theta_s = waves.pick_us(w) * 1e-6;
            (waves.waves[w].host_s - waves.epoch_host_s(number) - theta_s, theta_s)
        };
        let (a, b) = (point(from), point(to - 1));
        let slope = if b.0 > a.0 + 1.0 { (b.1 - a.1) / (b.0 - a.0) } else { 0.0 };
        let rtt_s = (from..to).map(|w| waves.pick_rtt_us(w)).fold(0.0, f64::max) * 1e-6;
        let knots = (from..to)
            .map(|w| {
                let (x_s, y_s) = point(w);
                Knot {
                    x_s,
                    y_s,
                    slope,
                    variance_s2: (0.5 * rtt_s).powi(2),
                    covariance_s: 0.0,
                    slope_variance: (50e-6f64).powi(2),
                    noise_s2_per_s3: 1e-14,
                }
            })
            .collect();
        let host = |w: usize| waves.host_ref_s + waves.waves[w].host_s;
        if from > 0 {
            events.push(Event {
                kind: EventKind::Reset,
                host_from_s: host(from - 1),
                host_to_s: host(from),
                size_s: 0.0,
            });
        }
        pieces.push(Piece {
            device_span_s: (epoch.device_ref_s + a.0, epoch.device_ref_s + b.0),
            host_span_s: (host(from), host(to - 1)),
            shape: Shape::Curve(Curve {
                device_ref_s: epoch.device_ref_s,
                host_ref_s: epoch.host_ref_s,
                knots,
                corridors: Vec::new(),
            }),
            sigma_s: STAMP_SIGMA_S,
            asymmetry_sigma_s: usual_sigma_s(half_s, waves.asymmetry_known, 0.0),
            bound_s: half_s,
        });
        from = to;
    }
    let remarks = vec![format!("only {n} bursts of exchanges: a straight line")];
    ClockMap { method: Method::Smooth, pieces, events, assignment: Assignment::Events, remarks }
}
