//! From exchanges to waves: bursts of exchanges that see the clock at one instant.

use crate::corridor::MAX_RATE;
use crate::{Exchange, History, Reading, measure};

/// Exchanges further apart than this belong to different waves, in seconds.
const WAVE_GAP_S: f64 = 1.0;
/// A wave is no longer than this, in seconds.
const WAVE_LENGTH_S: f64 = 2.05;
/// Readings with finer steps than this count as continuous, in seconds.
const FINE_S: f64 = 2e-7;
/// Times beyond this are not times, in seconds: 30,000 years.
const FARTHEST_S: f64 = 1e12;

/// One exchange, relative to the references of its epoch; microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    /// Host time of its middle, seconds since the first exchange.
    pub host_s: f64,
    /// Host minus device is no less than this: as if the question took no time.
    pub lo_us: f64,
    /// And no more than this: as if the answer took no time.
    pub hi_us: f64,
}

impl Probe {
    pub fn rtt_us(&self) -> f64 {
        self.hi_us - self.lo_us
    }
}

/// A burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    /// Its probes.
    pub first: usize,
    pub end: usize,
    /// The one with the lowest round-trip time.
    pub pick: usize,
    /// Middle of the pick, seconds since the first exchange.
    pub host_s: f64,
    /// Which epoch of the device clock.
    pub epoch: usize,
}

/// What the numbers of an epoch count from: absolute times, and theta there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    pub device_ref_s: f64,
    /// Host time that belongs to it (of the first pick of the epoch).
    pub host_ref_s: f64,
}

/// Waves of all epochs, with a common straight line taken off.
#[derive(Debug)]
pub(super) struct Waves {
    pub host_ref_s: f64,
    pub probes: Vec<Probe>,
    pub waves: Vec<Wave>,
    pub epochs: Vec<Epoch>,
    /// Drift of host minus device that was taken off, us/s, counted from each epoch's host reference.
    pub slope: f64,
    /// Lowest round-trip time.
    pub min_rtt_us: f64,
    /// Step of the readings.
    pub step_us: f64,
    /// The asymmetry of the path was given.
    pub asymmetry_known: bool,
    /// Waves left out because the clock was stepped inside.
    pub straddling: usize,
}

impl Waves {
    /// Sort out the exchanges. Empty when there is nothing to use.
    pub fn new(history: &History) -> Self {
        let reading = history.reading;
        let asymmetry_s = history.known_asymmetry_s.unwrap_or(0.0);
        let mut exchanges: Vec<Exchange> =
            history.exchanges.iter().filter(|e| usable(e, reading)).copied().collect();
        exchanges.sort_by(|a, b| a.t0_s.total_cmp(&b.t0_s));
        let host_ref_s = exchanges.first().map_or(0.0, |e| e.t0_s);
        let step_us = if reading.resolution_s > FINE_S { reading.resolution_s * 1e6 } else { 0.0 };
        let bias_us = reading.bias_s() * 1e6;
        let mut out = Self {
            host_ref_s,
            probes: Vec::with_capacity(exchanges.len()),
            waves: Vec::new(),
            epochs: Vec::new(),
            slope: 0.0,
            min_rtt_us: f64::INFINITY,
            step_us,
            asymmetry_known: history.known_asymmetry_s.is_some(),
            straddling: 0,
        };
        let rtt = |e: &Exchange| (e.t3_s - e.t0_s) - (e.t2_s - e.t1_s);
        out.min_rtt_us = exchanges.iter().map(rtt).fold(f64::INFINITY, f64::min).max(0.0) * 1e6;
        let mut groups: Vec<&[Exchange]> = exchanges
            .chunk_by({
                let mut start_s = host_ref_s;
                move |a, b| {
                    let same = b.t0_s - a.t0_s <= WAVE_GAP_S && b.t3_s - start_s <= WAVE_LENGTH_S;
                    if !same {
                        start_s = b.t0_s;
                    }
                    same
                }
            })
            .collect();
        let all = groups.len();
        let (min_rtt_us, step) = (out.min_rtt_us, step_us);
        groups.retain(|group| !straddles(group, min_rtt_us, step));
        out.straddling = all - groups.len();
        let mut before: Option<(f64, f64, f64)> = None;
        for group in groups {
            let Some(pick) = group.iter().min_by(|a, b| rtt(a).total_cmp(&rtt(b))) else { continue };
            let host_s = 0.5 * (pick.t0_s + pick.t3_s);
            let device_s = 0.5 * (pick.t1_s + pick.t2_s);
            let offset_s = 0.5 * ((pick.t0_s - pick.t1_s) + (pick.t3_s - pick.t2_s));
            let fresh = before.is_none_or(|(host, offset, rtt_s)| {
                let allowed_s = 0.3 + 0.5 * (rtt_s + rtt(pick)) + 1e-3 * (host_s - host);
                (offset_s - offset).abs() > allowed_s
            });
            before = Some((host_s, offset_s, rtt(pick)));
            if fresh {
                out.epochs.push(Epoch { device_ref_s: device_s, host_ref_s: host_s });
            }
            let epoch = out.epochs.len() - 1;
            let Epoch { device_ref_s, host_ref_s } = out.epochs[epoch];
            let first = out.probes.len();
            let shift_us = bias_us - asymmetry_s * 1e6;
            for e in group {
                let there = (e.t0_s - host_ref_s) - (e.t1_s - device_ref_s);
                let back = (e.t3_s - host_ref_s) - (e.t2_s - device_ref_s);
                out.probes.push(Probe {
                    host_s: 0.5 * ((e.t0_s - out.host_ref_s) + (e.t3_s - out.host_ref_s)),
                    lo_us: there * 1e6 - shift_us,
                    hi_us: back * 1e6 - shift_us,
                });
            }
            let pick = (first..out.probes.len())
                .min_by(|&a, &b| out.probes[a].rtt_us().total_cmp(&out.probes[b].rtt_us()))
                .unwrap_or(first);
            out.waves.push(Wave {
                first,
                end: out.probes.len(),
                pick,
                host_s: host_s - out.host_ref_s,
                epoch,
            });
        }
        out.detrend();
        out
    }

    /// Middle of the wave's pick: theta as if the path were symmetric.
    pub fn pick_us(&self, wave: usize) -> f64 {
        let probe = &self.probes[self.waves[wave].pick];
        0.5 * (probe.lo_us + probe.hi_us)
    }

    pub fn pick_rtt_us(&self, wave: usize) -> f64 {
        self.probes[self.waves[wave].pick].rtt_us()
    }

    /// Host time of an epoch's reference, seconds since the first exchange.
    pub fn epoch_host_s(&self, epoch: usize) -> f64 {
        self.epochs[epoch].host_ref_s - self.host_ref_s
    }

    /// Take a robust straight line off: the median slope between picks half a recording apart.
    fn detrend(&mut self) {
        let n = self.waves.len();
        if n < 4 {
            return;
        }
        let mut rtts: Vec<f64> = (0..n).map(|w| self.pick_rtt_us(w)).collect();
        let median_rtt = super::stats::median(&mut rtts);
        // Theta at a pick, made continuous over the epochs.
        let mut carried = 0.0;
        let mut points = Vec::with_capacity(n);
        for w in 0..n {
            if w > 0 && self.waves[w].epoch != self.waves[w - 1].epoch {
                carried += self.pick_us(w - 1) - self.pick_us(w);
            }
            if self.pick_rtt_us(w) <= median_rtt {
                points.push((self.waves[w].host_s, self.pick_us(w) + carried));
            }
        }
        let half = points.len() / 2;
        let mut slopes: Vec<f64> = points
            .iter()
            .zip(&points[half..])
            .filter(|(a, b)| b.0 > a.0)
            .map(|(a, b)| (b.1 - a.1) / (b.0 - a.0))
            .collect();
        self.slope = if slopes.is_empty() { 0.0 } else { super::stats::median(&mut slopes) };
        for w in 0..n {
            let from_s = self.epoch_host_s(self.waves[w].epoch);
            for probe in &mut self.probes[self.waves[w].first..self.waves[w].end] {
                let base = self.slope * (probe.host_s - from_s);
                probe.lo_us -= base;
                probe.hi_us -= base;
            }
        }
    }
}

/// Possible, and not so far off that doubles lose it.
fn usable(e: &Exchange, reading: Reading) -> bool {
    [e.t0_s, e.t1_s, e.t2_s, e.t3_s].iter().all(|t| t.abs() < FARTHEST_S) && measure(e, reading).is_some()
}

/// True when no single offset fits all exchanges of a wave: the clock was stepped inside.
fn straddles(group: &[Exchange], min_rtt_us: f64, step_us: f64) -> bool {
    let half_us = 0.98 * 0.5 * min_rtt_us - 0.5 * step_us;
    let Some(first) = group.first() else { return true };
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    let device_s = first.t1_s;
    for e in group {
        let allowance_us = MAX_RATE * (e.t1_s - device_s).abs() * 1e6;
        let lo = ((e.t0_s - first.t0_s) - (e.t1_s - device_s)) * 1e6;
        let hi = ((e.t3_s - first.t0_s) - (e.t2_s - device_s)) * 1e6;
        low = low.max(lo + half_us - allowance_us);
        high = high.min(hi - half_us + allowance_us);
    }
    low > high + 30.0 + 0.1 * half_us.max(0.0)
}
