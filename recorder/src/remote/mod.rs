//! Remote control: `lockstep record` waits for commands by TCP, line by line, as LabRecorder takes them,
//! and answers each of them.
//!
//! [`protocol`] reads a line and writes an answer, [`lines`] cuts what comes into lines; both know no
//! network. The [`server`] has a thread of its own, so that a client that is silent, slow or floods the
//! port meets bounds there and never the recording. The `gate`
//! lets only those in who say the [`token`], where there is one. The [`desk`] knows what is selected and how the file
//! is named, and [`serve`] makes one recording after the other from it. The [`network`] is asked which streams there are. The
//! [`board`] is what `status` shows.

pub mod address;
pub mod board;
pub mod desk;
mod gate;
pub mod lines;
pub mod naming;
pub mod network;
pub mod protocol;
pub mod selection;
mod serve;
pub mod server;
pub mod token;

pub use serve::{ServeError, serve};
