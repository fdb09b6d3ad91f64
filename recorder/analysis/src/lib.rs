//! Recordings after the fact: open one, find its clocks, put its samples on one time axis, choose
//! streams, write tables.
//!
//! This is what the commands `export`, `clock`, `check`, `recover`, `info`, `lag` and `merge` share. Nothing here
//! prints, and nothing but [`load`] holds a whole stream in memory.
//!
//! ```no_run
//! use lockstep_analysis::{SyncOptions, Synchronizer, open};
//!
//! let recording = open("P01.xdf".as_ref(), &mut |_| {})?;
//! let synchronizer = Synchronizer::new(&recording, SyncOptions::default())?;
//! for stream in 0..recording.scan.streams.len() {
//!     // First pass: where the samples belong, and how regular they are.
//!     let timing = synchronizer.time(stream, &mut |_| {})?;
//!     // Second pass: blocks of synchronized samples.
//!     let mut blocks = timing.blocks(None);
//!     while let Some(block) = blocks.next_block()? {
//!         let _ = (&block.times.time_s, block.values);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod arrival;
pub mod check;
pub mod clocks;
mod events;
pub mod export;
mod file;
pub mod lag;
pub mod merge;
pub mod plot;
mod query;
pub mod recover;
mod report;
mod source;
pub mod sync;

pub use arrival::Timeline;
pub use clocks::{Clock, Clocks, StreamClock};
pub use file::{OpenError, Opening, Recording, open};
pub use query::{Query, QueryError, select};
pub use report::{ASYMMETRY_NOTE, ClockEvent, ClockReport, Spread, Uncertainty};
pub use source::FileSource;
pub use sync::load::{ERRORS_EVERY, Loaded, load};
pub use sync::{SyncError, SyncOptions, SyncedBlock, SyncedBlocks, Synchronizer, Times, Timing};
