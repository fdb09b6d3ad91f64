//! The methods, and the choice between them.

use crate::{ClockMap, History, methods};

/// How a clock map is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Stamps as they are.
    None,
    /// The last offset for all: what LSL suggests for online use.
    Last,
    /// The mean of all exchanges: what Neon's `TimeOffsetEstimator` returns.
    Mean,
    /// Least squares line through the offsets.
    Linear,
    /// pyxdf's `load_xdf`: clock resets, then a Huber line in each range.
    Robust,
    /// Linear interpolation between synchronization points: what Tobii describes.
    Interpolate,
    /// Ours: a smoother for wandering clocks over networks with one-sided delays.
    #[default]
    Smooth,
}

impl Method {
    /// All of them, simplest first.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Last, Self::Mean, Self::Linear, Self::Robust, Self::Interpolate, Self::Smooth];

    /// As typed: `none`, `last`, `mean`, `linear`, `robust`, `interpolate`, `smooth`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Last => "last",
            Self::Mean => "mean",
            Self::Linear => "linear",
            Self::Robust => "robust",
            Self::Interpolate => "interpolate",
            Self::Smooth => "smooth",
        }
    }
}

/// What happened to a device clock between two pieces of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The clock was set by less than 0.3 s, or its path changed.
    Step,
    /// The clock's rate changed at once: a time service began or ended a slew.
    Slew,
    /// The clock was restarted or set far: before and after have nothing in common.
    Reset,
}

/// A step, a slew's edge or a reset of a device clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// What it was.
    pub kind: EventKind,
    /// It happened after this host time ...
    pub host_from_s: f64,
    /// ... and before this one.
    pub host_to_s: f64,
    /// By how much host minus device changed.
    pub size_s: f64,
}

/// Estimate the map of a clock.
pub fn fit(method: Method, history: &History) -> ClockMap {
    match method {
        Method::None => ClockMap::identity(method),
        Method::Last => methods::last(history),
        Method::Mean => methods::mean(history),
        Method::Linear => methods::linear(history),
        Method::Robust => methods::fit_robust(history, &methods::RobustOptions::default()),
        Method::Interpolate => methods::interpolate(history),
        Method::Smooth => crate::smooth::fit(history),
    }
}
