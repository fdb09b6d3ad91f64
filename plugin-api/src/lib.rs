//! Write a Lockstep source plugin.
//!
//! A plugin is a shared library that brings one kind of device into the
//! recording. It implements [`Source`], names itself with [`export_source!`],
//! and is built as a `cdylib`. It needs no other crate of Lockstep; what it
//! pushes is recorded unmodified, and time is put right later from the clock
//! exchanges it pushes beside the samples.
//!
//! A whole plugin:
//!
//! ```
//! use lockstep_plugin_api::schemars::{self, JsonSchema};
//! use lockstep_plugin_api::serde::Deserialize;
//! use lockstep_plugin_api::{Error, Host, Source, Stop, export_source};
//!
//! /// Options of the source, as written under `[source.options]`.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "lockstep_plugin_api::serde", deny_unknown_fields)]
//! struct Options {
//!     /// Samples a second.
//!     #[serde(default = "default_rate_hz")]
//!     rate_hz: f64,
//! }
//!
//! fn default_rate_hz() -> f64 {
//!     10.0
//! }
//!
//! struct Counter {
//!     host: Host,
//!     options: Options,
//!     stop: Stop,
//! }
//!
//! impl Source for Counter {
//!     const ID: &'static std::ffi::CStr = c"counter";
//!     const VERSION: &'static std::ffi::CStr = c"0.1.0";
//!     const DESCRIPTION: &'static std::ffi::CStr = c"Counts upwards";
//!     type Options = Options;
//!
//!     fn create(host: Host, options: Options) -> Result<Self, Error> {
//!         if options.rate_hz <= 0.0 {
//!             return Err(Error::option("/rate_hz", "must be above 0"));
//!         }
//!         Ok(Self { host, options, stop: Stop::new() })
//!     }
//!
//!     fn start(&mut self) -> Result<(), Error> {
//!         let rate_hz = self.options.rate_hz;
//!         let mut stream = self.host.stream::<i32>("count", 1).nominal_rate_hz(rate_hz).add()?;
//!         let (host, stop) = (self.host, self.stop.clone());
//!         self.stop.guard(self.host.spawn("counter", move || {
//!             let mut count = 0;
//!             while !stop.wait_s(1.0 / rate_hz) {
//!                 // A sample that was dropped is counted by the recorder.
//!                 let _ = stream.push_sample(host.now_s(), &[count])?;
//!                 count += 1;
//!             }
//!             Ok(())
//!         })?);
//!         Ok(())
//!     }
//!
//!     fn stop(&mut self) -> Result<(), Error> {
//!         self.stop.stop_and_join();
//!         Ok(())
//!     }
//! }
//!
//! export_source!(Counter, lks_plugin_entry_counter);
//! # fn main() {}
//! ```
//!
//! [`serde`], [`schemars`] and [`serde_json`] are those this crate was built
//! with. A plugin that depends on them itself, which lets the derives do without
//! `crate = ...`, must use the same major versions: options of another `serde` or
//! schemas of another `schemars` do not fit [`Source::Options`].
//!
//! The C header `include/lockstep_plugin.h` is the contract itself, with the
//! thread rules of every call; this crate is a safe skin over it, [`sys`] its
//! mirror.

mod beside;
mod clock;
mod corridor;
mod error;
mod host;
mod jump;
mod probe;
mod shim;
mod side_file;
mod stop;
mod stream;
pub mod sys;
pub mod wrap;
mod xml;

pub use {schemars, serde, serde_json};

pub use beside::{unless_stopped, within};
pub use clock::{Clock, ClockInfo, Domain, Exchange, Stamp};
pub use corridor::Corridor;
pub use error::Error;
pub use host::{Host, LogLevel, SourceThread, State};
pub use jump::JumpWatch;
pub use probe::{ProbeSchedule, ProbeSettings, probe_until_stopped};
#[doc(hidden)]
pub use shim::entry_is_of;
pub use shim::{Shim, Source};
pub use side_file::SideFile;
pub use stop::Stop;
pub use stream::{
    Channel, Format, Pushed, RawStream, Sample, Stream, StreamBuilder, Synchronization, TextStream,
};
pub use xml::xml_text;
