//! The state of the clock from wave to wave: an integrated random walk of the frequency, seen through
//! Gaussian sites; filter forward, adjoint backward (Bryson and Frazier 1963, in the form of de Jong).
//!
//! Units: microseconds and seconds, so that variances stay within a few decades of 1. The smoothed
//! moments are formed from the **filtered** covariance, which is small right after a step although the
//! predicted one is huge: no digits are lost to jumps of 1 s among errors of 0.1 us.

/// A symmetric 2 x 2 matrix.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sym {
    pub a: f64,
    pub b: f64,
    pub d: f64,
}

/// A Gaussian factor on theta: precision and precision times mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Site {
    pub tau: f64,
    pub nu: f64,
}

impl Site {
    pub fn new(mean: f64, variance: f64) -> Self {
        Self { tau: 1.0 / variance, nu: mean / variance }
    }
}

/// Extra variance of the state at the transition into a wave.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Jump {
    pub theta_us2: f64,
    pub frequency: f64,
}

/// What the chain of waves is like, without the data.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// Seconds from the wave before; 0 for the first.
    pub gap_s: Vec<f64>,
    /// Process noise of the transition into the wave, us^2/s^3.
    pub noise: Vec<f64>,
    /// Jumps at the transition into the wave.
    pub jumps: Vec<Jump>,
}

/// Variance of theta (us^2) and of the frequency (us^2/s^2) before anything is known.
const PRIOR: Sym = Sym { a: 1e12, b: 0.0, d: 4e4 };

/// Smoothed moments of a wave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub theta: f64,
    pub frequency: f64,
    pub cov: Sym,
}

/// Room for one run; kept between runs.
#[derive(Debug, Default)]
pub(super) struct Smoother {
    /// Filtered moments, then smoothed ones.
    pub states: Vec<State>,
    /// Gain, innovation over its variance, and measurement share of the update.
    steps: Vec<Update>,
    /// Two degrees of freedom statistic of an impulse at the transition into each wave.
    pub impulse: Vec<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Update {
    keep: f64,
    gain: f64,
    weight: f64,
    innovation: f64,
}

impl Smoother {
    /// Filter and smooth; `with_impulse` also fills the event statistics.
    pub fn run(&mut self, chain: &Chain, sites: &[Site], with_impulse: bool) {
        self.states.clear();
        self.steps.clear();
        let (mut theta, mut freq, mut p) = (0.0, 0.0, PRIOR);
        for (k, site) in sites.iter().enumerate() {
            if k > 0 {
                let h = chain.gap_s[k];
                let q = chain.noise[k];
                theta += h * freq;
                p.a += h * (2.0 * p.b + h * p.d) + q * h * h * h / 3.0;
                p.b += h * p.d + q * h * h / 2.0;
                p.d += q * h;
                p.a += chain.jumps[k].theta_us2;
                p.d += chain.jumps[k].frequency;
            }
            let mut update = Update { keep: 1.0, ..Update::default() };
            if site.tau > 0.0 {
                let r = 1.0 / site.tau;
                let s = p.a + r;
                let e = site.nu / site.tau - theta;
                let (k0, k1) = (p.a / s, p.b / s);
                theta += k0 * e;
                freq += k1 * e;
                update = Update { keep: r / s, gain: k1, weight: 1.0 / s, innovation: e / s };
                p.d = (p.d - k1 * p.b).max(1e-14);
                p.a *= update.keep;
                p.b *= update.keep;
            }
            self.states.push(State { theta, frequency: freq, cov: p });
            self.steps.push(update);
        }
        self.backward(chain, with_impulse);
    }

    /// Log likelihood of the sites' means under the chain.
    pub fn log_likelihood(&mut self, chain: &Chain, sites: &[Site]) -> f64 {
        self.run(chain, sites, false);
        // weight = 1 / S, innovation = e / S
        self.steps
            .iter()
            .filter(|u| u.weight > 0.0)
            .map(|u| 0.5 * (u.weight.ln() - u.innovation * u.innovation / u.weight))
            .sum()
    }

    /// The same of some of the waves, as if there were no others, with jumps of their own.
    pub fn log_likelihood_of(
        &mut self,
        waves: std::ops::Range<usize>,
        chain: &Chain,
        sites: &[Site],
        jumps: impl Fn(usize) -> Jump,
    ) -> f64 {
        let part = Chain {
            gap_s: chain.gap_s[waves.clone()].to_vec(),
            noise: chain.noise[waves.clone()].to_vec(),
            jumps: waves.clone().map(jumps).collect(),
        };
        self.log_likelihood(&part, &sites[waves])
    }

    fn backward(&mut self, chain: &Chain, with_impulse: bool) {
        let n = self.states.len();
        if with_impulse {
            self.impulse.clear();
            self.impulse.resize(n, 0.0);
        }
        let (mut r0, mut r1, mut m) = (0.0, 0.0, Sym::default());
        for k in (0..n).rev() {
            let state = &mut self.states[k];
            let p = state.cov;
            state.theta += p.a * r0 + p.b * r1;
            state.frequency += p.b * r0 + p.d * r1;
            // V = P - P N P
            let (u0, u1) = (m.a * p.a + m.b * p.b, m.b * p.a + m.d * p.b);
            let (v0, v1) = (m.a * p.b + m.b * p.d, m.b * p.b + m.d * p.d);
            state.cov = Sym {
                a: (p.a - (p.a * u0 + p.b * u1)).max(1e-12),
                b: p.b - (p.a * v0 + p.b * v1),
                d: (p.d - (p.b * v0 + p.d * v1)).max(1e-16),
            };
            // Through the update at k.
            let Update { keep, gain, weight, innovation } = self.steps[k];
            (r0, r1) = (keep * r0 - gain * r1 + innovation, r1);
            m = Sym {
                a: keep * keep * m.a - 2.0 * keep * gain * m.b + gain * gain * m.d + weight,
                b: keep * m.b - gain * m.d,
                d: m.d,
            };
            if with_impulse && k > 0 {
                self.impulse[k] = quadratic_inverse(m, r0, r1);
            }
            // Through the transition into k.
            let h = chain.gap_s[k];
            (r0, r1) = (r0, h * r0 + r1);
            m = Sym { a: m.a, b: m.b + h * m.a, d: m.d + h * (2.0 * m.b + h * m.a) };
        }
    }
}

/// r' N^-1 r of a 2 x 2 matrix through its correlation.
fn quadratic_inverse(n: Sym, r0: f64, r1: f64) -> f64 {
    if n.a <= 0.0 || n.d <= 0.0 {
        return if n.a > 0.0 { r0 * r0 / n.a } else { 0.0 };
    }
    let rho = n.b / (n.a * n.d).sqrt();
    let rest = (1.0 - rho * rho).max(1e-12);
    let (z0, z1) = (r0 / n.a.sqrt(), r1 / n.d.sqrt());
    (z0 * z0 - 2.0 * rho * z0 * z1 + z1 * z1) / rest
}
