//! Reading a recording back: what is in it, and whether all of it is.

mod clocks;
mod events;
mod render;
mod streams;
mod summary;

pub use clocks::{ClockFacts, MasterFacts, MasterInstant};
pub use render::render;
pub use streams::{GapFacts, StreamFacts};
pub use summary::{Damage, Summary, summarize};
