//! What one burst of exchanges says of the clock.

use crate::{Exchange, Reading, measure};

/// No clock of a lab shows more than this, no answer takes longer.
const LARGEST_S: f64 = 1e12;
const LONGEST_TRIP_S: f64 = 60.0;
/// Exchanges of one wave lie this close together; what is farther from the middle one has a broken stamp.
const LONGEST_WAVE_S: f64 = 60.0;
/// No more than this many of one wave are kept, those with the lowest round-trip times.
const MOST: usize = 64;

/// One exchange: host minus device is between the two limits.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limits {
    /// Host time of its middle, since the wave's.
    dt_s: f64,
    lo_s: f64,
    hi_s: f64,
}

/// The usable exchanges of one wave.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wave {
    /// Host time that it tells of: the middle of its exchange with the lowest round-trip time.
    pub host_s: f64,
    limits: Vec<Limits>,
}

/// A wave as one measurement of host minus device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Offset {
    pub host_s: f64,
    pub offset_s: f64,
    pub variance_s2: f64,
    /// Width of the interval that the delays leave.
    pub width_s: f64,
}

/// The fastest delay each way, and how the delays scatter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Delays {
    /// Half the lowest round-trip time.
    pub fastest_s: f64,
    /// By how much the interval's ends may be off.
    pub edge_s: f64,
}

impl Wave {
    /// `None` when no exchange can be used.
    pub(super) fn new(exchanges: &[Exchange], reading: Reading) -> Option<Self> {
        let bias_s = reading.bias_s();
        let mut kept: Vec<(f64, f64, f64)> = exchanges
            .iter()
            .filter(|e| [e.t0_s, e.t1_s, e.t2_s, e.t3_s].iter().all(|t| t.abs() < LARGEST_S))
            .filter(|e| measure(e, reading).is_some_and(|m| m.round_trip_s < LONGEST_TRIP_S))
            .map(|e| (0.5 * (e.t0_s + e.t3_s), e.t0_s - (e.t1_s + bias_s), e.t3_s - (e.t2_s + bias_s)))
            .collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        let middle_s = kept.get(kept.len() / 2)?.0;
        kept.retain(|e| (e.0 - middle_s).abs() <= LONGEST_WAVE_S);
        kept.sort_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)));
        kept.truncate(MOST);
        let host_s = kept.first()?.0;
        let limits = kept.iter().map(|&(t_s, lo_s, hi_s)| Limits { dt_s: t_s - host_s, lo_s, hi_s });
        Some(Self { host_s, limits: limits.collect() })
    }

    pub(super) fn len(&self) -> usize {
        self.limits.len()
    }

    pub(super) fn round_trips_s(&self) -> impl Iterator<Item = f64> + '_ {
        self.limits.iter().map(|l| (l.hi_s - l.lo_s).max(0.0))
    }

    /// The wave as one measurement, for a clock of about this frequency.
    pub(super) fn offset(&self, frequency: f64, delays: Delays, resolution_s: f64) -> Offset {
        let (mut lo_s, mut hi_s) = (f64::NEG_INFINITY, f64::INFINITY);
        for l in &self.limits {
            lo_s = lo_s.max(l.lo_s - frequency * l.dt_s);
            hi_s = hi_s.min(l.hi_s - frequency * l.dt_s);
        }
        let margin_s = delays.fastest_s - 0.5 * resolution_s;
        let width_s = (hi_s - lo_s - 2.0 * margin_s).abs();
        let edge_s = delays.edge_s;
        let variance_s2 = width_s * width_s / 12.0
            + edge_s * edge_s
            + 1e-12
            + resolution_s * resolution_s / (12.0 * self.len() as f64);
        Offset { host_s: self.host_s, offset_s: 0.5 * (lo_s + hi_s), variance_s2, width_s }
    }

    /// How many exchanges can't have happened at an offset, whatever their delays: by more than `margin_s`.
    pub(super) fn excluding(&self, offset_s: f64, frequency: f64, margin_s: f64) -> usize {
        let excludes = |l: &&Limits| {
            let at_s = offset_s + frequency * l.dt_s;
            at_s < l.lo_s - margin_s || at_s > l.hi_s + margin_s
        };
        self.limits.iter().filter(excludes).count()
    }

    /// The clock was stepped between two exchanges of the wave: no offset suits all of them.
    pub(super) fn straddles(&self, frequency: f64, resolution_s: f64) -> bool {
        let lo_s = self.limits.iter().map(|l| l.lo_s - frequency * l.dt_s).fold(f64::NEG_INFINITY, f64::max);
        let hi_s = self.limits.iter().map(|l| l.hi_s - frequency * l.dt_s).fold(f64::INFINITY, f64::min);
        let longest_s = self.limits.iter().map(|l| l.dt_s.abs()).fold(0.0, f64::max);
        lo_s - hi_s > 30e-6 + resolution_s + 600e-6 * longest_s
    }
}
