//! When something is so.

/// A stretch of time, in seconds of host time after the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// When it begins.
    pub at_s: f64,
    /// How long it lasts; infinite for ever.
    pub for_s: f64,
}

impl Span {
    /// Whether it holds at this time.
    pub fn holds(&self, elapsed_s: f64) -> bool {
        elapsed_s >= self.at_s && elapsed_s < self.at_s + self.for_s
    }
}
