//! Times and errors of consecutive samples, one column each.

use lockstep_clock::Estimate;

/// Times of consecutive samples on the synchronized axis and how far they can be off, in seconds; all
/// columns of the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times {
    /// Synchronized time.
    pub time_s: Vec<f64>,
    /// One sigma of the statistical error, as if paths were symmetric. Infinite: nothing was measured.
    pub sigma_relative_s: Vec<f64>,
    /// One sigma of everything to be expected.
    pub sigma_total_s: Vec<f64>,
    /// The largest error there can be.
    pub bound_s: Vec<f64>,
    /// Where the clock was stepped or slewed and nothing shows when: the bound is not certain.
    pub flagged: Vec<bool>,
}

impl Times {
    /// How many samples.
    pub fn len(&self) -> usize {
        self.time_s.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.time_s.is_empty()
    }

    /// Forget all and keep the memory.
    pub fn clear(&mut self) {
        self.time_s.clear();
        self.sigma_relative_s.clear();
        self.sigma_total_s.clear();
        self.bound_s.clear();
        self.flagged.clear();
    }

    /// Times that are the stamps, all with this error (0 or infinite).
    pub(crate) fn push_as_they_are(&mut self, stamps_s: &[f64], error_s: f64) {
        self.time_s.extend_from_slice(stamps_s);
        let len = self.time_s.len();
        self.sigma_relative_s.resize(len, error_s);
        self.sigma_total_s.resize(len, error_s);
        self.bound_s.resize(len, error_s);
        self.flagged.resize(len, false);
    }

    pub(crate) fn push(&mut self, estimates: &[Estimate]) {
        self.time_s.extend(estimates.iter().map(|e| e.host_time_s));
        self.sigma_relative_s.extend(estimates.iter().map(|e| e.relative_s));
        self.sigma_total_s.extend(estimates.iter().map(|e| e.total_s));
        self.bound_s.extend(estimates.iter().map(|e| e.bound_s));
        self.flagged.extend(estimates.iter().map(|e| e.flagged));
    }

    /// Keep the samples whose place in `keep` is true.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        retain(&mut self.time_s, keep);
        retain(&mut self.sigma_relative_s, keep);
        retain(&mut self.sigma_total_s, keep);
        retain(&mut self.bound_s, keep);
        retain(&mut self.flagged, keep);
    }
}

/// Keep the items whose place in `keep` is true; those beyond its end go.
fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(false));
}
