//! Stand-in until the clock crate has it.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DejitterMethod {
    None,
    Pyxdf,
    #[default]
    Relative,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DejitterOptions {
    pub method: DejitterMethod,
    pub nominal_rate_hz: f64,
    pub can_drop_samples: bool,
    pub break_threshold_s: f64,
    pub break_threshold_samples: u64,
}

#[derive(Debug)]
pub struct DejitterFit {
    count: u64,
    first: f64,
    last: f64,
}

#[derive(Debug, Default)]
pub struct DejitterPlan {
    pub segments: Vec<(u64, u64)>,
    pub effective_rate_hz: f64,
    pub dropped: u64,
}

impl DejitterFit {
    pub fn new(_options: DejitterOptions) -> Self {
        Self { count: 0, first: 0.0, last: 0.0 }
    }
    pub fn push(&mut self, _device: &[f64], host: &[f64]) {
        if self.count == 0 && !host.is_empty() {
            self.first = host[0];
        }
        self.last = host.last().copied().unwrap_or(self.last);
        self.count += host.len() as u64;
    }
    pub fn finish(self) -> DejitterPlan {
        DejitterPlan {
            segments: if self.count > 0 { vec![(0, self.count - 1)] } else { Vec::new() },
            effective_rate_hz: (self.count as f64 - 1.0) / (self.last - self.first),
            dropped: 0,
        }
    }
}

impl DejitterPlan {
    pub fn apply(&self, _first: u64, _host: &mut [f64]) {}
}

impl DejitterMethod {
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pyxdf => "pyxdf",
            Self::Relative => "relative",
        }
    }
}
