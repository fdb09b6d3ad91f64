//! The plugin host: finds plugin libraries, loads them, drives their instances,
//! and receives their calls. The only part of the recorder with `unsafe` in it.

mod arguments;
mod callbacks;
pub mod child;
mod describe;
mod instance;
mod library;
mod search;
mod sink;
#[cfg(test)]
mod testing;

pub use callbacks::{ConfigProblem, HostTable};
pub use instance::{Created, Instance, StopReport};
pub use library::{LoadError, Origin, Plugin};
pub use search::{PLUGIN_PATH_VARIABLE, PluginSearch};
pub use sink::Sink;
