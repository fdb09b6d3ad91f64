//! Measuring the device's clock: two protocols of one question and one answer.

mod client;
mod echo;
mod ledger;
mod ntp;

pub use client::Client;
