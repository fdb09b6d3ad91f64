//! A Kalman filter for host minus device and its frequency, the frequency a random walk.

use super::wave::Offset;

/// The clock at one instant of host time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub host_s: f64,
    /// Host minus device.
    pub offset_s: f64,
    /// Its derivative by host time.
    pub frequency: f64,
    /// Variance of the offset, covariance, variance of the frequency.
    pub p: (f64, f64, f64),
}

/// No clock runs faster or slower than this against another, slews included.
const FASTEST: f64 = 1e-3;

impl State {
    /// Before a first measurement: the offset may be anything, the frequency is within 100 ppm.
    pub(super) fn before(first: &Offset) -> Self {
        Self { host_s: first.host_s, offset_s: first.offset_s, frequency: 0.0, p: (1.0, 0.0, 1e-8) }
    }

    /// The clock at another time; `q` is the intensity of the frequency's walk in s^2/s^3. Into the past the
    /// walk makes it as uncertain.
    pub(super) fn at(&self, host_s: f64, q: f64) -> Self {
        let h = host_s - self.host_s;
        let (a, b, c) = self.p;
        let walked = q * h.abs();
        Self {
            host_s,
            offset_s: self.offset_s + h * self.frequency,
            frequency: self.frequency,
            p: (a + 2.0 * h * b + h * h * c + walked * h * h / 3.0, b + h * c + 0.5 * walked * h, c + walked),
        }
    }

    /// A predicted state with a measurement at its time.
    pub(super) fn with(&self, measured: &Offset) -> Self {
        let (a, b, c) = self.p;
        let r = measured.variance_s2;
        let s = a + r;
        let innovation_s = measured.offset_s - self.offset_s;
        let (ka, kb) = (a / s, b / s);
        let (a, b, c) = (a * r / s, b * r / s, c - b * kb);
        Self {
            host_s: self.host_s,
            offset_s: self.offset_s + ka * innovation_s,
            frequency: (self.frequency + kb * innovation_s).clamp(-FASTEST, FASTEST),
            // Exactly, the determinant stays positive; rounding must not change that.
            p: (a, b, c.max(b * b / a * (1.0 + 1e-9)).max(1e-24)),
        }
    }
}
