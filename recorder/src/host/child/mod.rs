//! Sources in processes of their own: the same plugin, in the same binary, which says through a pipe what in the
//! recorder's process would be calls. Whatever becomes of it, the other sources feel nothing, and what was said before
//! is in the recording.
//!
//! [`frame`] has the bytes of it; `link` is the child's end and `serve` its life; `parent` starts, watches and ends
//! children on a thread each, `process` is one of them, `receive` passes on what they say, `printed` what they print.

pub mod frame;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod parent;
#[cfg(unix)]
mod printed;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod receive;
#[cfg(unix)]
mod serve;

#[cfg(unix)]
pub use parent::{Child, ChildSpec, Facts, Made};
#[cfg(unix)]
pub use serve::{ServeOptions, serve};

/// Whether this system has processes for sources.
pub const HAS_CHILDREN: bool = cfg!(unix);
