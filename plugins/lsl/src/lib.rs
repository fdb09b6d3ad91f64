//! Lockstep source plugin: streams of the Lab Streaming Layer, recorded as their outlets sent them.
//!
//! Three threads (and one, `lsl-names`, where lsl_api.cfg names peers by name). `lsl-discovery` asks the network again and again which streams there are. `lsl-clock`
//! asks the time service of each machine for its time, in bursts. `lsl-streams` owns all connections and
//! never waits for any of them: it takes what `lsl-discovery` finds, has the clock looked at, reads the
//! description, opens the feed, and turns received bytes into chunks.
//!
//! What a peer sends is judged in rooms without sockets: `decode` (samples), `describe` (descriptions),
//! `handshake`, `clock::wire` and `clock::rounds` (exchanges), `registry` (which outlet continues which
//! stream). `net` is the only room that knows the crate labstream; `ask` has the sockets of discovery.
#![deny(unsafe_code)]

mod ask;
mod clock;
mod connection;
mod decode;
mod describe;
mod discovery;
mod found;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod hub;
mod net;
mod options;
mod peers;
mod recorded;
mod registry;
mod source;
mod survey;

pub use entry::plugin_table;
pub use options::{Selection, predicate_fault};
pub use source::LslSource;
pub use survey::{Listed, Seen, seen, survey};

/// The exported entry. The attribute `no_mangle` counts as unsafe because two libraries that
/// export one name clash; this name is the plugin's own.
#[allow(unsafe_code)]
mod entry {
    use crate::LslSource;

    lockstep_plugin_api::export_source!(LslSource, lks_plugin_entry_lsl);
}
