//! Rehearsing without hardware: simulated devices, and the configuration that
//! records them.

mod demo;
mod recorder_toml;

pub use demo::{DEMO_DURATION, Demo, DemoReport};
pub use recorder_toml::configuration;
