//! A source without a recording around it, and what a plugin says of a stream, for the tests of the host.

use std::ptr::null;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use lockstep_plugin_api::sys;

use super::HostTable;
use crate::recording::events::Events;
use crate::recording::header::Identity;
use crate::recording::intake::{Shared, SourceHeader, SourceIntake};
use crate::recording::notice::{Notice, Notices};

/// A running source named "it", its table, and the lines that are shown.
pub fn source() -> (HostTable, Arc<SourceIntake>, Receiver<Notice>) {
    let identity = Identity::default();
    let (notices, shown) = Notices::channel();
    let events = Events::new(&identity, "");
    let shared = Shared::new(events, notices, identity, bounded(1).0);
    let source = SourceIntake::new(shared, "it", true, 1 << 20, SourceHeader::default());
    source.open();
    (HostTable::new(source.clone(), 8, 5.0), source, shown)
}

/// A stream of one channel at no rate, of which nothing more is said.
pub fn stream_info(name: sys::Str, format: u32) -> sys::StreamInfo {
    sys::StreamInfo {
        struct_size: size_of::<sys::StreamInfo>() as u32,
        format,
        channel_count: 1,
        clock: 0,
        nominal_rate_hz: 0.0,
        name,
        r#type: sys::Str::EMPTY,
        source_id: sys::Str::EMPTY,
        desc_xml: sys::Str::EMPTY,
        channels: null(),
        synchronization: null(),
        may_be_silent: 0,
        reserved1: 0,
        label: sys::Str::EMPTY,
        origin_xml: sys::Str::EMPTY,
    }
}
