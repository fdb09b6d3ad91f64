//! Changes of the minimum delay: another access point, another route.

use super::delays::low_value;
use super::stats::median;
use super::waves::Waves;

/// A stretch over which the minimum round-trip time is constant.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    /// Its waves.
    pub first: usize,
    pub end: usize,
    /// Half of the minimum round-trip time.
    pub half_us: f64,
    /// End point of the delays of one way, as if both ways were alike.
    pub end_point_us: f64,
    /// By how much theta is off its middle, by the end points.
    pub shift_us: f64,
    /// Asymmetry of its minimum relative to the anchor's: `a1 = a + asy`, `a2 = a - asy`.
    pub asymmetry_us: f64,
    /// Sigma of theta by the end points.
    pub anchor_us: f64,
    /// Sigma because its asymmetry is known by continuity only.
    pub extra_us: f64,
}

impl Path {
    /// End points of the delays there and back.
    pub fn end_points(&self) -> (f64, f64) {
        (self.end_point_us + self.asymmetry_us, self.end_point_us - self.asymmetry_us)
    }

    /// What is left of a shift of theta beyond the path's asymmetry, no more than the path allows.
    pub fn shift_within_reason(&self, shift_us: f64) -> f64 {
        let most = self.half_us.min(200.0 + 0.3 * self.half_us);
        (shift_us - self.asymmetry_us).clamp(-most, most)
    }
}

const MIN_WINDOW: usize = 48;
const MAX_WINDOW: usize = 200;
const APART: usize = 48;
const MIN_ANCHOR: usize = 100;
/// Spread of the delays as a share of the rise of the minimum from which it is load.
const LOADED: f64 = 0.5;

/// Cut the recording where the minimum round-trip time changes.
pub(super) fn find(waves: &Waves) -> Vec<Path> {
    let rtt: Vec<f64> = waves.probes.iter().map(|p| p.rtt_us()).collect();
    let n = rtt.len();
    let window = (n / 6).clamp(MIN_WINDOW, MAX_WINDOW);
    let rank = (window / 20).max(6);
    let mut scores: Vec<(f64, usize)> = Vec::new();
    let mut room = Vec::with_capacity(window);
    for (w, wave) in waves.waves.iter().enumerate() {
        let cut = wave.first;
        if cut < window.min(MIN_WINDOW) || n - cut < MIN_WINDOW {
            continue;
        }
        let left = &rtt[cut.saturating_sub(window)..cut];
        let right = &rtt[cut..(cut + window).min(n)];
        if left.len() < MIN_WINDOW || right.len() < MIN_WINDOW {
            continue;
        }
        let lowest = |x: &[f64]| x.iter().copied().fold(f64::INFINITY, f64::min);
        let (min_left, min_right) = (lowest(left), lowest(right));
        let scale = 20.0 + 0.05 * min_left.min(min_right);
        // The difference of the minima bounds the score: most cuts are out at once.
        if (min_left - min_right).abs() <= scale {
            continue;
        }
        let mut kth = |x: &[f64]| {
            room.clear();
            room.extend_from_slice(x);
            super::stats::kth_lowest(&mut room, rank - 1)
        };
        let score = (min_right - kth(left)).max(min_left - kth(right)) / scale;
        if score > 1.0 {
            scores.push((score, w));
        }
    }
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut cuts: Vec<usize> = Vec::new();
    for (_, w) in scores {
        let at = waves.waves[w].first;
        if cuts.iter().all(|&c| waves.waves[c].first.abs_diff(at) >= APART) {
            cuts.push(w);
        }
    }
    cuts.sort_unstable();
    merge(waves, &rtt, cuts)
}

/// Join neighbours that do not differ, and paths under load with what they are without. However short a
/// path is: joined to another, it would make that one look as if it were under load, or its end points wrong.
fn merge(waves: &Waves, rtt: &[f64], mut cuts: Vec<usize>) -> Vec<Path> {
    let total = waves.waves.len();
    let probes = |from: usize, to: usize| {
        let end = if to < total { waves.waves[to].first } else { rtt.len() };
        waves.waves[from].first..end
    };
    let low = |from: usize, to: usize| low_value(&mut rtt[probes(from, to)].to_vec());
    let bounds = |cuts: &[usize], i: usize| {
        let from = if i == 0 { 0 } else { cuts[i - 1] };
        (from, cuts.get(i).copied().unwrap_or(total))
    };
    loop {
        let lows: Vec<f64> = (0..=cuts.len())
            .map(|i| {
                let (from, to) = bounds(&cuts, i);
                low(from, to)
            })
            .collect();
        let difference = |i: usize| (lows[i + 1] - lows[i]).abs();
        let alike = (0..cuts.len()).find(|&i| difference(i) < 40.0 + 0.1 * lows[i].min(lows[i + 1]));
        let remove = alike.or_else(|| {
            // A path under load is no other path: its delays are spread wider than its minimum rose.
            (0..=cuts.len()).find_map(|i| {
                let neighbours = [i.checked_sub(1), (i < cuts.len()).then_some(i + 1)];
                let lower = neighbours.into_iter().flatten().min_by(|&a, &b| lows[a].total_cmp(&lows[b]))?;
                let (from, to) = bounds(&cuts, i);
                let spread = median(&mut rtt[probes(from, to)].to_vec()) - lows[i];
                (spread > LOADED * (lows[i] - lows[lower]) && lows[i] > lows[lower]).then_some(i.min(lower))
            })
        });
        match remove {
            Some(i) => drop(cuts.remove(i)),
            None => break,
        }
    }
    (0..=cuts.len())
        .map(|i| {
            let (first, end) = bounds(&cuts, i);
            let half_us =
                0.5 * rtt[probes(first, end)].iter().copied().fold(f64::INFINITY, f64::min).max(0.0);
            Path { first, end, half_us, end_point_us: half_us, ..Path::default() }
        })
        .collect()
}

/// The path whose symmetry is taken for granted: the one with the lowest minimum.
pub(super) fn anchor(waves: &Waves, paths: &[Path]) -> usize {
    let long = |p: &Path| waves.waves[p.end - 1].end - waves.waves[p.first].first >= MIN_ANCHOR;
    let candidates = (0..paths.len()).filter(|&i| long(&paths[i]));
    candidates.min_by(|&a, &b| paths[a].half_us.total_cmp(&paths[b].half_us)).unwrap_or(0)
}
