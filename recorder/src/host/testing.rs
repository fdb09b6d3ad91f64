//! A source without a recording around it, for the tests of the host.

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};

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
    (HostTable::new(Arc::clone(&source), 8, 5.0), source, shown)
}
