//! The recording: what plugin threads push is encoded at once into bounded
//! buffers ([`intake`]), a writer thread moves them into the file ([`writer`]),
//! another makes the disk keep them ([`sync`]), and [`session`] conducts.

pub mod alarms;
pub mod caution;
pub mod clock;
pub mod conduct;
pub mod driven;
pub mod events;
pub mod files;
pub mod header;
pub mod intake;
pub mod limiter;
pub mod notice;
pub mod output;
pub mod prepare;
pub mod session;
pub mod side;
pub mod space;
pub mod state;
pub mod status;
pub mod stops;
pub mod stream;
pub mod sync;
pub mod table;
pub mod verdict;
pub mod writer;
