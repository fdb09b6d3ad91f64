//! What all sources of a recording share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crossbeam_channel::Sender;

use super::Refusal;
use crate::recording::events::{self, Events};
use crate::recording::header::Identity;
use crate::recording::notice::Notices;
use crate::recording::side::SideFiles;
use crate::recording::stream::StreamIntake;
use crate::recording::table::AppendTable;

/// Streams a recording may have.
pub const MAX_STREAMS: usize = 4096;

/// What all sources of a recording share.
#[derive(Debug)]
pub struct Shared {
    /// The event stream.
    pub events: Events,
    /// Lines for whoever watches.
    pub notices: Notices,
    /// Who records.
    pub identity: Identity,
    /// Wakes the writer before its time.
    pub wake: Sender<()>,
    /// Every stream of the recording, in the order in which they were added.
    pub streams: AppendTable<Arc<StreamIntake>>,
    /// Files beside it.
    pub side_files: SideFiles,
    next_stream_id: AtomicU32,
}

impl Shared {
    /// A recording with nothing in it but its event stream.
    pub fn new(events: Events, notices: Notices, identity: Identity, wake: Sender<()>) -> Arc<Self> {
        let streams = AppendTable::new(MAX_STREAMS);
        let next_stream_id = AtomicU32::new(events::STREAM_ID + 1);
        streams.append(|_| Some(Arc::clone(events.stream())));
        let side_files = SideFiles::default();
        Arc::new(Self { events, notices, identity, wake, streams, side_files, next_stream_id })
    }

    /// Add a stream, unless there are too many.
    pub(super) fn add(&self, make: impl FnOnce(u32) -> StreamIntake) -> Result<Arc<StreamIntake>, Refusal> {
        let id = self.next_stream_id.fetch_add(1, Relaxed);
        let added = self.streams.append(|_| Some(Arc::new(make(id))));
        added.cloned().ok_or(Refusal::Limit("streams in a recording", MAX_STREAMS))
    }
}
