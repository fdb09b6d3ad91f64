//! Reading a recording back: what is in it, and whether all of it is.

mod render;
mod summary;

pub use render::render;
pub use summary::{ClockFacts, Damage, StreamFacts, Summary, summarize};
