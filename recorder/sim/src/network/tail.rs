//! Distributions of a delay beyond its minimum.

use crate::rng::Draws;

/// What is added to the shortest delay of every packet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tail {
    /// Exponential of this mean, in seconds.
    Exponential(f64),
    /// Gamma: a soft edge, for few packets come close to the minimum.
    Gamma { shape: f64, scale_s: f64 },
    /// Weibull: with a shape below 1 a sharp edge and a long tail.
    Weibull { shape: f64, scale_s: f64 },
    /// Two routes: an exponential of `first_s`, or with probability `second` one of `second_s` that
    /// begins `apart_s` later.
    Bimodal { first_s: f64, second: f64, apart_s: f64, second_s: f64 },
}

impl Tail {
    /// One draw, in seconds, 0 or more.
    pub(super) fn draw(self, draws: &mut Draws) -> f64 {
        match self {
            Self::Exponential(mean_s) => draws.exponential(mean_s),
            Self::Gamma { shape, scale_s } => scale_s * gamma(shape, draws),
            // Inversion of the distribution function, on a standard exponential.
            Self::Weibull { shape, scale_s } => scale_s * draws.exponential(1.0).powf(1.0 / shape),
            Self::Bimodal { first_s, second, apart_s, second_s } => {
                if draws.chance(second) {
                    apart_s + draws.exponential(second_s)
                } else {
                    draws.exponential(first_s)
                }
            }
        }
    }
}

/// Standard gamma of a shape of 1 or more (Marsaglia and Tsang 2000).
fn gamma(shape: f64, draws: &mut Draws) -> f64 {
    let d = shape.max(1.0) - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = draws.normal();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - draws.unit()).ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(tail: Tail) -> (f64, f64, f64) {
        let mut draws = Draws::new(3, "tail");
        let all: Vec<f64> = (0..50_000).map(|_| tail.draw(&mut draws)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / all.len() as f64;
        (mean, variance, all.iter().copied().fold(f64::INFINITY, f64::min))
    }

    #[test]
    fn tails_have_their_moments() {
        let (mean, variance, least) = moments(Tail::Gamma { shape: 3.0, scale_s: 2.0 });
        assert!((mean - 6.0).abs() < 0.1 && (variance - 12.0).abs() < 0.6, "{mean} {variance}");
        assert!(least > 0.0);
        // A Weibull of shape 1/2 and scale 1: mean 2, variance 20.
        let (mean, variance, _) = moments(Tail::Weibull { shape: 0.5, scale_s: 1.0 });
        assert!((mean - 2.0).abs() < 0.1 && (variance - 20.0).abs() < 3.0, "{mean} {variance}");
        let two = Tail::Bimodal { first_s: 1.0, second: 0.25, apart_s: 8.0, second_s: 2.0 };
        assert!((moments(two).0 - (0.75 + 2.5)).abs() < 0.06);
    }
}
