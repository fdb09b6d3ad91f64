//! Lockstep source plugin: any device or program that sends UDP datagrams becomes a stream by
//! configuration alone.
//!
//! Data flows one way: socket (`source`) -> datagram (`pipeline`) -> samples (`decode`) -> order
//! (`sequence`) -> time (`placing`, `stamp`) -> recorder (`sink`). Options become a checked plan
//! (`options`, `layout`) before anything runs. Everything but `source` and `exchange::client` is
//! free of sockets and is tested without them.
#![deny(unsafe_code)]

mod counters;
mod decode;
mod describe;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod layout;
mod limiter;
mod liveness;
mod options;
mod pipeline;
mod placing;
mod reports;
mod sequence;
mod sink;
mod source;
mod stamp;

pub use entry::plugin_table;
pub use source::UdpSource;

/// The exported entry. The attribute `no_mangle` counts as unsafe because two libraries that
/// export one name clash; this name is the plugin's own.
#[allow(unsafe_code)]
mod entry {
    use crate::UdpSource;

    lockstep_plugin_api::export_source!(UdpSource, lks_plugin_entry_udp);
}
