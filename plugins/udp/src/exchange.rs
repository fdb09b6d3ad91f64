//! Measuring the device's clock: two protocols of one question and one answer.

mod client;
mod echo;
pub mod fuzzing;
mod ledger;
mod ntp;

pub use client::Client;
