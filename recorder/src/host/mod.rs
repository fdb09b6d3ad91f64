//! The plugin host: finds plugin libraries, loads them, drives their instances,
//! and receives their calls. The only part of the recorder with `unsafe` in it.

mod callbacks;
mod instance;
mod library;
mod search;

pub use callbacks::{ConfigProblem, HostTable};
pub use instance::{Created, Instance, StopReport};
pub use library::{LoadError, Origin, Plugin};
pub use search::{PLUGIN_PATH_VARIABLE, PluginSearch};
