//! Lockstep source plugin: Tobii eye trackers.
//!
//! One source is one tracker, with one thread, `tobii`, that does all: Tobii's libraries want to be called by one. What
//! differs between them is behind one trait (`backend`); `stream_engine` and `pro_sdk` go through libraries, each
//! with its layouts in memory and its callbacks, `glasses3` through the network. `sys` is the C side, and has all that is unsafe beside the callbacks.
//! `recorded` makes samples, gaps and clock exchanges of what comes, `streams` says what they are called.
//!
//! None of Tobii's code is here or comes with this: the library that is installed on the machine is used.
#![deny(unsafe_code)]

mod backend;
mod drive;
#[doc(hidden)]
pub mod fuzzing;
mod glasses3;
mod options;
#[allow(unsafe_code)]
mod pro_sdk;
mod recorded;
mod source;
#[allow(unsafe_code)]
mod stream_engine;
mod streams;
#[allow(unsafe_code)]
mod sys;

pub use entry::plugin_table;
pub use source::TobiiSource;

/// The exported entry. The attribute `no_mangle` counts as unsafe because two libraries that
/// export one name clash; this name is the plugin's own.
#[allow(unsafe_code)]
mod entry {
    use crate::TobiiSource;

    lockstep_plugin_api::export_source!(TobiiSource, lks_plugin_entry_tobii);
}
