//! The recorder behind the binary `lockstep`.
//!
//! Data flows one way: a plugin calls the [`host`], the host hands samples to
//! the [`recording`], the recording writes XDF. The [`config`] says what to
//! record, [`display`] shows how it goes, [`inspect`] reads a file back, the
//! [`rehearsal`] simulates devices, [`ntp`] asks a master clock, [`remote`] takes commands by TCP, [`import`]
//! reads configurations of other recorders, the [`benchmark`] judges clock maps, and [`cli`] only connects them.

pub mod benchmark;
pub mod cli;
pub mod config;
pub mod display;
pub mod host;
pub mod import;
pub mod inspect;
pub mod ntp;
pub mod recording;
pub mod rehearsal;
pub mod remote;
