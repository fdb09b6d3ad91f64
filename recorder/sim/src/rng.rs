//! Seeded random draws whose sequence depends on the seed alone.
//!
//! Distributions are computed here from raw 64-bit words, so a seed keeps its meaning when the
//! `rand` crates change their own.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of random draws, independent for each `(seed, purpose)`.
#[derive(Debug, Clone)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// Starts the stream of `purpose` (a fixed name such as `"path"`) under `seed`.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self(ChaCha8Rng::seed_from_u64(derive_seed(seed, purpose)))
    }

    /// Uniform in `[0, 1)`, 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        unit_from_bits(self.0.next_u64())
    }

    /// True with the given probability: 0 is never, 1 is always.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// 1 or -1, equally often.
    pub(crate) fn sign(&mut self) -> f64 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in the logarithm, between two numbers above 0.
    pub(crate) fn log_within(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// Exponentially distributed with the given mean, by inversion of the distribution function.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        // 1 - u lies in (0, 1], so the logarithm is finite.
        -mean * (1.0 - self.unit()).ln()
    }

    /// Standard normal, by the Box-Muller transform (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// A seed for `purpose` that shares nothing visible with the parent seed.
pub(crate) fn derive_seed(seed: u64, purpose: &str) -> u64 {
    // FNV-1a over the name, then mixed with the seed.
    let name = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(seed ^ mix(name))
}

/// The output function of SplitMix64 (Steele, Lea and Flood 2014): a bijection that scatters bits.
pub(crate) fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform in `[0, 1)` from the upper 53 bits of a random word.
pub(crate) fn unit_from_bits(word: u64) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    (word >> 11) as f64 * SCALE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(count: u32, mut draw: impl FnMut() -> f64) -> f64 {
        (0..count).map(|_| draw()).sum::<f64>() / f64::from(count)
    }

    #[test]
    fn same_seed_and_purpose_repeat_and_others_differ() {
        let first: Vec<f64> = (0..8)
            .map({
                let mut d = Draws::new(7, "a");
                move |_| d.unit()
            })
            .collect();
        let again: Vec<f64> = (0..8)
            .map({
                let mut d = Draws::new(7, "a");
                move |_| d.unit()
            })
            .collect();
        assert_eq!(first, again);
        assert_ne!(first[0], Draws::new(7, "b").unit());
        assert_ne!(first[0], Draws::new(8, "a").unit());
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut draws = Draws::new(1, "moments");
        assert!((mean_of(20_000, || draws.unit()) - 0.5).abs() < 0.01);
        assert!((mean_of(20_000, || draws.exponential(3.0)) - 3.0).abs() < 0.1);
        assert!(mean_of(20_000, || draws.normal()).abs() < 0.03);
        assert!((mean_of(20_000, || draws.normal().powi(2)) - 1.0).abs() < 0.05);
    }

    #[test]
    fn chance_is_never_at_zero_and_always_at_one() {
        let mut draws = Draws::new(2, "chance");
        assert!((0..1000).all(|_| !draws.chance(0.0)));
        assert!((0..1000).all(|_| draws.chance(1.0)));
    }
}
