//! One clock in detail: what was measured, what a method makes of it, how far the two are apart; and the
//! figure of it.

mod axis;
mod figure;
mod measured;
mod panels;
mod study;
mod svg;
#[cfg(test)]
mod tests;

pub use figure::{Titles, figure};
pub use measured::{MeasuredClock, Pick, measured_clocks};
pub use study::{Residuals, RoundTrips, Study, study, study_map};
