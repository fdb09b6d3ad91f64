//! How much a clock wanders: several filters side by side, each judged by what it predicted.

/// Intensities of the frequency's random walk that are tried, in s^2/s^3: from a crystal in an oven to a phone
/// in the sun.
const Q: [f64; 7] = [1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12];
/// What is likely before anything was seen, and what is forgotten towards: 1e-16, a nat less per decade.
const LIKELY: usize = 2;
/// A wave counts half as much after 69 more.
const KEPT: f64 = 0.99;

/// The candidates and how well each has predicted.
#[derive(Debug, Clone)]
pub(super) struct Wander {
    scores: [f64; Q.len()],
}

impl Default for Wander {
    fn default() -> Self {
        Self { scores: std::array::from_fn(prior) }
    }
}

fn prior(candidate: usize) -> f64 {
    -(candidate.abs_diff(LIKELY) as f64)
}

impl Wander {
    /// The intensity that has predicted best.
    pub(super) fn q(&self) -> f64 {
        let best = (0..Q.len()).max_by(|&a, &b| self.scores[a].total_cmp(&self.scores[b]));
        Q[best.unwrap_or(LIKELY)]
    }

    /// Judge each candidate by a wave: `predict` gives, for an intensity, the innovation and its variance.
    pub(super) fn judge(&mut self, predict: impl Fn(f64) -> (f64, f64)) {
        for (i, score) in self.scores.iter_mut().enumerate() {
            let (innovation_s, variance_s2) = predict(Q[i]);
            // Student-t with 4 degrees of freedom: one bad wave decides nothing.
            let g = innovation_s * innovation_s / variance_s2;
            let log = -0.5 * variance_s2.ln() - 2.5 * (0.25 * g).ln_1p();
            if log.is_finite() {
                *score = KEPT * *score + (1.0 - KEPT) * prior(i) + log;
            }
        }
        // Only differences count.
        let best = self.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.scores.iter_mut().for_each(|score| *score -= best);
    }
}
