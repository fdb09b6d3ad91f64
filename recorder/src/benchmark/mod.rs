//! How well clock maps do on simulated recordings whose truth is known: `lockstep benchmark clock`.
//!
//! Each row of the study is recorded with some seeds; each method makes a map of what the recorder
//! would have seen, and its times are compared with the truth at every sample. [`score`] judges one
//! map, [`online`] the causal map, [`run()`] all rows on all cores, and [`render`] shows it. Seeds for
//! reporting were never used for choosing constants (see [`lockstep_sim::study::seeds`]).

pub mod online;
pub mod render;
pub mod run;
pub mod score;
pub mod targets;

#[cfg(test)]
mod tests;

pub use run::{Progress, Row, Settings, run};
