//! Results in pyxdf's convention, for files that must come out as `load_xdf` (1.17.5) gives them.

mod nearest;
mod truncate;

pub use nearest::{NearestRanges, clock_segments};
pub use truncate::{Truncation, truncate_corrupted_offsets};
