//! The estimation itself: alternate between what delays are like and where the clock is.

use super::delays::{DelayLaw, growth};
use super::ep::{self, Edges, Grids};
use super::events::{self, EVENT};
use super::kalman::{Chain, Jump, Site, Smoother};
use super::noise;
use super::paths::{self, Path};
use super::stats::{median, quantile};
use super::symmetry::{Edge, symmetric_shift, unlike};
use super::waves::Waves;

const ROUNDS: usize = 3;
/// Statistic from which a transition is an event.
const EVENT_THRESHOLD: f64 = 36.0;
const FIRST_EVENT_THRESHOLD: f64 = 60.0;
/// Exchanges within so many waves of an event are not learnt from.
const EVENT_MARGIN: usize = 3;
/// Exchanges of a class of congestion at least.
const MIN_CLASS: usize = 60;
/// Share of the uncertainty of the end points that is left in theta.
const ANCHOR_SHARE: f64 = 0.4;
/// The same where both ways share a law.
const ALIKE_SHARE: f64 = 0.7;
/// Waves below which the laws are learnt badly.
const FEW_WAVES: f64 = 60.0;
/// More than for so few of them nothing is added.
const MOST_FEW: f64 = 6.0;
/// Variance over the posterior's where the edges of the delays are soft.
const SOFT_INFLATION: f64 = 1.6;
/// Growth of the order statistics below which an edge may be soft.
const SOFT_GROWTH: f64 = 1.95;
/// Log likelihood that a livelier clock must gain for each step of the candidates: while the delay laws
/// are still blurred, and later.
const FIRST_STILLNESS: f64 = 3.0;
const STILLNESS: f64 = 1.0;
/// Largest frequency that is believed while exchanges are moved to their wave's time, us/s.
const MAX_FREQUENCY: f64 = 700.0;

/// State of the estimation.
pub(super) struct Engine {
    pub waves: Waves,
    pub chain: Chain,
    /// Waves right after an event, in order; epochs' beginnings are not among them.
    pub events: Vec<usize>,
    /// Waves that begin an epoch.
    pub resets: Vec<usize>,
    pub paths: Vec<Path>,
    path_of: Vec<usize>,
    class_of: Vec<usize>,
    /// By class and direction.
    laws: Vec<[DelayLaw; 2]>,
    sites: Vec<Site>,
    grids: Grids,
    pub smoother: Smoother,
    /// Variance that each wave's site does not go below.
    min_variance: Vec<f64>,
    /// Blur of the edges of the delays.
    pub edge_us: f64,
    /// The delays of both ways are distributed alike.
    alike: bool,
    /// How differently the delays of both ways are distributed, 0 to 1.
    pub unlike: f64,
}

impl Engine {
    pub fn new(waves: Waves) -> Self {
        let n = waves.waves.len();
        let gap_s = (0..n)
            .map(|w| if w == 0 { 0.0 } else { (waves.waves[w].host_s - waves.waves[w - 1].host_s).max(1e-3) })
            .collect();
        let resets = (1..n).filter(|&w| waves.waves[w].epoch != waves.waves[w - 1].epoch).collect();
        let mut engine = Self {
            chain: Chain { gap_s, noise: vec![noise::from_si(1e-18); n], jumps: vec![Jump::default(); n] },
            events: Vec::new(),
            resets,
            paths: Vec::new(),
            path_of: vec![0; n],
            class_of: vec![0; n],
            laws: Vec::new(),
            sites: Vec::new(),
            grids: Grids::default(),
            smoother: Smoother::default(),
            min_variance: vec![0.04; n],
            edge_us: 0.4,
            alike: false,
            unlike: 0.0,
            waves,
        };
        engine.set_jumps();
        engine
    }

    /// Everything.
    pub fn run(&mut self) {
        self.paths = paths::find(&self.waves);
        for (i, path) in self.paths.iter().enumerate() {
            self.path_of[path.first..path.end].fill(i);
        }
        self.first_pass();
        if self.paths.len() > 1 {
            // Before anything is learnt: what looks like steps where the path changes is none.
            self.balance_paths();
            self.first_pass();
        }
        self.classify();
        for round in 0..ROUNDS {
            self.learn(round);
            self.build_grids();
            self.choose_noise(if round == 0 { FIRST_STILLNESS } else { STILLNESS });
            self.propagate(8);
            if self.find_events() {
                self.set_jumps();
                self.build_grids();
                self.propagate(10);
            }
            if round > 0 {
                self.balance_paths();
            }
        }
        self.learn(ROUNDS);
        self.build_grids();
        self.propagate(25);
    }

    /// Number of the path that a wave went over.
    pub fn path(&self, w: usize) -> usize {
        self.path_of[w]
    }

    fn len(&self) -> usize {
        self.waves.waves.len()
    }

    fn set_jumps(&mut self) {
        self.chain.jumps.fill(Jump::default());
        for &k in self.events.iter().chain(&self.resets) {
            self.chain.jumps[k] = EVENT;
        }
    }

    /// Gaussian sites at the exchanges with the lowest round-trip time of each wave.
    fn first_pass(&mut self) {
        let n = self.len();
        let path = |w: usize| &self.paths[self.path_of[w]];
        let pick = |w: usize| self.waves.pick_us(w) + path(w).asymmetry_us;
        let mut excess: Vec<f64> =
            (0..n).map(|w| self.waves.pick_rtt_us(w) - 2.0 * path(w).half_us).collect();
        let floor_us = quantile(&mut excess.clone(), 0.1).max(2.0);
        let step = self.waves.step_us / 3.0;
        let variance = |excess: f64| (0.3 * floor_us).powi(2) + (0.5 * excess).powi(2) + 1.0 + step * step;
        self.sites = (0..n).map(|w| Site::new(pick(w), variance(excess[w]))).collect();
        for (w, e) in excess.iter_mut().enumerate() {
            *e = variance(*e).max((0.1 * self.waves.pick_rtt_us(w)).powi(2));
        }
        let cautious: Vec<Site> = (0..n).map(|w| Site::new(pick(w), excess[w])).collect();
        self.chain.noise.fill(noise::from_si(1e-13));
        self.events = events::find(&self.chain, &cautious, &self.resets, FIRST_EVENT_THRESHOLD);
        self.set_jumps();
        let q = noise::likeliest(&self.chain, &self.sites);
        self.chain.noise.fill(q);
        self.smoother.run(&self.chain, &self.sites, false);
    }

    /// Classes of congestion: in one, the delays of a wave are nearly independent.
    fn classify(&mut self) {
        let n = self.len();
        let mut rtts = Vec::new();
        let levels: Vec<f64> = (0..n)
            .map(|w| {
                let wave = self.waves.waves[w];
                rtts.clear();
                rtts.extend(self.waves.probes[wave.first..wave.end].iter().map(|p| p.rtt_us()));
                median(&mut rtts) - 2.0 * self.paths[self.path_of[w]].half_us
            })
            .collect();
        let most = (self.waves.probes.len() / 200).clamp(1, 4);
        let limits: Vec<f64> =
            (1..most).map(|k| quantile(&mut levels.clone(), 1.0 - 0.4f64.powi(k as i32))).collect();
        let class = |level: f64| limits.iter().filter(|&&limit| level > limit).count();
        self.class_of = levels.iter().map(|&level| class(level)).collect();
        let mut counts = vec![0; most];
        for (w, &class) in self.class_of.iter().enumerate() {
            counts[class] += self.waves.waves[w].end - self.waves.waves[w].first;
        }
        if counts.iter().any(|&count| count < MIN_CLASS) {
            self.class_of.fill(0);
        }
    }

    /// Variance over the posterior's: what the posterior takes for known was learnt from the same
    /// exchanges. More so with soft edges, and where few waves hold on to each other.
    pub fn inflation(&self, waves: usize) -> f64 {
        let soft = self.laws.iter().any(|[there, back]| there.soft && back.soft);
        let few = FEW_WAVES / waves as f64;
        if soft { SOFT_INFLATION + 2.0 * few.min(MOST_FEW) } else { 1.0 + (few - 0.5).clamp(0.0, 1.0) }
    }

    /// `lo` and `hi` of the probes of a wave, moved to the wave's time.
    fn moved(&self, w: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        let wave = self.waves.waves[w];
        let frequency = self.smoother.states[w].frequency.clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
        self.waves.probes[wave.first..wave.end].iter().map(move |p| {
            let shift = frequency * (p.host_s - wave.host_s);
            (p.lo_us - shift, p.hi_us - shift)
        })
    }

    fn near_event(&self, w: usize) -> bool {
        let near = |list: &[usize]| {
            let at = list.partition_point(|&e| e + EVENT_MARGIN < w);
            list.get(at).is_some_and(|&e| e <= w + EVENT_MARGIN)
        };
        near(&self.events) || near(&self.resets)
    }

    /// End points and delay laws from the residuals of the present estimate.
    fn learn(&mut self, round: usize) {
        let classes = self.class_of.iter().max().map_or(1, |c| c + 1);
        let soft = |direction: usize, laws: &[[DelayLaw; 2]]| laws.iter().any(|law| law[direction].soft);
        let soft = [soft(0, &self.laws), soft(1, &self.laws)];
        let mut residuals: Vec<[Vec<f64>; 2]> = vec![Default::default(); classes];
        let mut anchors = Vec::new();
        let (mut most, mut may_be_soft) = (0, [false; 2]);
        for i in 0..self.paths.len() {
            let (first, end) = (self.paths[i].first, self.paths[i].end);
            let mut used: Vec<usize> = (first..end).filter(|&w| !self.near_event(w)).collect();
            if used.is_empty() {
                used = (first..end).collect();
            }
            let mut delays: [Vec<f64>; 2] = Default::default();
            let mut foretold: Vec<f64> = Vec::new();
            let mut classes_of = Vec::new();
            for &w in &used {
                let theta = self.smoother.states[w].theta;
                // A wave must not shape the law by which it is judged: what the others say of theta.
                let without = self.without(w);
                for (lo, hi) in self.moved(w) {
                    foretold.push(without - theta);
                    delays[0].push(theta - lo);
                    delays[1].push(hi - theta);
                    classes_of.push(self.class_of[w]);
                }
            }
            let path = &mut self.paths[i];
            let edges = Edge::of(&delays, soft, self.waves.step_us, path.half_us);
            path.end_point_us = edges.middle_us;
            path.shift_us = if round >= 1 && classes_of.len() > 60 { edges.shift(path) } else { 0.0 };
            path.anchor_us = ANCHOR_SHARE * edges.sigma_us;
            let alike = symmetric_shift(&delays);
            if let Some((shift_us, sigma_us)) = alike {
                path.shift_us = path.shift_within_reason(shift_us);
                path.anchor_us = ALIKE_SHARE * sigma_us.min(0.5 * edges.sigma_us);
            }
            anchors.push(edges.sigma_us);
            if delays[0].len() > most {
                most = delays[0].len();
                self.alike = alike.is_some();
                self.unlike = unlike(&delays);
                may_be_soft = [0, 1].map(|way| growth(&mut delays[way].clone()) < SOFT_GROWTH);
            }
            let (a1, a2) = path.end_points();
            for (i, &class) in classes_of.iter().enumerate() {
                residuals[class][0].push(delays[0][i] + foretold[i] - a1 - path.shift_us);
                residuals[class][1].push(delays[1][i] - foretold[i] - a2 + path.shift_us);
            }
        }
        self.edge_us = (0.4 + 0.5 * median(&mut anchors)).clamp(0.4, 30.0);
        self.limit_trust();
        // Nothing finer than theta itself can be told from the delays.
        let mut spreads: Vec<f64> = (0..self.len())
            .map(|w| (1.0 / (1.0 / self.smoother.states[w].cov.a - self.sites[w].tau).max(1e-6)).sqrt())
            .collect();
        let finest_us = median(&mut spreads);
        let alike = self.alike;
        self.laws = residuals
            .iter_mut()
            .map(|[there, back]| {
                if alike {
                    // Both ways are alike: they share one law, and that is what centres theta.
                    there.append(back);
                    let may_be_soft = may_be_soft[0] || may_be_soft[1];
                    let law =
                        DelayLaw::learn(there, self.waves.step_us, self.edge_us, finest_us, may_be_soft);
                    return [law.clone(), law];
                }
                let law = |x, direction: usize| {
                    DelayLaw::learn(x, self.waves.step_us, self.edge_us, finest_us, may_be_soft[direction])
                };
                [law(there, 0), law(back, 1)]
            })
            .collect();
    }

    /// No wave is trusted beyond the blur of the edges; and the waves of a path whose end points are
    /// hardly known, such as one under load for a while, not beyond that together.
    fn limit_trust(&mut self) {
        self.min_variance.fill((0.5 * self.edge_us).powi(2));
        let anchor = paths::anchor(&self.waves, &self.paths);
        let usual_us = 5.0 + 3.0 * self.paths[anchor].anchor_us;
        for (i, path) in self.paths.iter().enumerate() {
            if i != anchor && path.anchor_us > usual_us {
                let together = path.anchor_us.powi(2) * (path.end - path.first) as f64;
                self.min_variance[path.first..path.end].fill(together);
            }
        }
    }

    /// Theta of a wave by all others.
    fn without(&self, w: usize) -> f64 {
        let (state, site) = (self.smoother.states[w], self.sites[w]);
        let precision = 1.0 / state.cov.a;
        let cavity = precision - site.tau;
        if cavity < 0.3 * precision {
            return state.theta;
        }
        (precision * state.theta - site.nu) / cavity
    }

    pub fn edges(&self, w: usize) -> Vec<Edges> {
        let (a1, a2) = self.paths[self.path_of[w]].end_points();
        self.moved(w).map(|(lo, hi)| Edges { low_us: lo + a1, high_us: hi - a2 }).collect()
    }

    fn build_grids(&mut self) {
        let mut grids = std::mem::take(&mut self.grids);
        grids.clear();
        for w in 0..self.len() {
            let state = self.smoother.states[w];
            let laws = &self.laws[self.class_of[w]];
            let sd = if self.near_event(w) { 1e4 } else { state.cov.a.sqrt() };
            grids.push(&self.edges(w), [&laws[0], &laws[1]], self.waves.step_us, state.theta, sd);
        }
        self.grids = grids;
        self.sites = ep::alone(&self.grids, &self.min_variance);
    }

    fn propagate(&mut self, iterations: usize) {
        ep::propagate(
            &self.grids,
            &self.chain,
            &mut self.sites,
            &mut self.smoother,
            &self.min_variance,
            iterations,
            None,
        );
    }

    /// Process noise by how well each wave is foretold by the others.
    fn choose_noise(&mut self, stillness: f64) {
        self.chain.noise =
            noise::choose(&self.grids, &self.chain, &self.sites, &self.min_variance, stillness);
    }

    /// Look for events in what is certain: the interval that the edges of a wave leave for theta.
    fn find_events(&mut self) -> bool {
        let sites: Vec<Site> = (0..self.len())
            .map(|w| {
                let edges = self.edges(w);
                let low = edges.iter().map(|e| e.low_us).fold(f64::NEG_INFINITY, f64::max);
                let high = edges.iter().map(|e| e.high_us).fold(f64::INFINITY, f64::min);
                Site::new(
                    0.5 * (low + high),
                    (high - low).powi(2) / 12.0 + 1.0 + self.waves.step_us.powi(2) / 12.0,
                )
            })
            .collect();
        let mut chain = self.chain.clone();
        chain.jumps.fill(Jump::default());
        for q in &mut chain.noise {
            *q = (10.0 * *q).clamp(noise::from_si(1e-16), noise::from_si(1e-13));
        }
        let events = events::find(&chain, &sites, &self.resets, EVENT_THRESHOLD);
        let changed = events != self.events;
        self.events = events;
        changed
    }

    /// Where the path changed and theta seems to jump, the asymmetry changed, not the clock.
    fn balance_paths(&mut self) {
        if self.paths.len() < 2 {
            return;
        }
        let anchor = paths::anchor(&self.waves, &self.paths);
        let mut chain = self.chain.clone();
        for path in &self.paths[1..] {
            let near = |k: &usize| k.abs_diff(path.first) <= 2;
            for k in path.first.saturating_sub(2)..(path.first + 3).min(chain.jumps.len()) {
                if !self.resets.iter().any(near) {
                    chain.jumps[k] = Jump::default();
                }
            }
            chain.jumps[path.first].theta_us2 += 4e6;
        }
        let mut smoother = Smoother::default();
        smoother.run(&chain, &self.sites, false);
        let firsts: Vec<usize> = self.paths.iter().map(|path| path.first).collect();
        let jump = |i: usize| {
            let k = firsts[i];
            let (before, after) = (smoother.states[k - 1], smoother.states[k]);
            let h = chain.gap_s[k];
            after.theta - before.theta - 0.5 * h * (before.frequency + after.frequency)
        };
        let anchor_half = self.paths[anchor].half_us;
        let mut shifts = vec![0.0; self.paths.len()];
        let after = (anchor + 1..self.paths.len()).map(|i| (i, i - 1));
        for (i, nearer) in after.chain((0..anchor).rev().map(|i| (i, i + 1))) {
            let path = &mut self.paths[i];
            let rise = (path.half_us - anchor_half).abs();
            let shift = shifts[nearer] + if nearer < i { -jump(i) } else { jump(nearer) };
            // What no asymmetry can be, the clock did, and the paths beyond count from there.
            if (path.asymmetry_us + shift).abs() <= 1.1 * rise + 2.0 * path.anchor_us + 20.0 {
                for state in &mut self.smoother.states[path.first..path.end] {
                    state.theta += shift;
                }
                path.asymmetry_us += shift;
                shifts[i] = shift;
            }
            path.extra_us = (0.05 * rise).hypot(0.15 * path.asymmetry_us);
        }
        for path in &self.paths[1..] {
            self.events.retain(|k| k.abs_diff(path.first) > 2);
        }
        self.set_jumps();
    }
}
