//! The recorder's own events in a recording: one JSON object a sample.

use lockstep_xdf::{Columns, LoadError, ScannedStream, Selection};

use crate::Recording;

/// XDF type of the recorder's own stream of events.
pub(crate) const EVENTS_TYPE: &str = "RecorderEvents";

/// Tells `visit` the text of each event in file order: its stream, the byte of the file at which its block begins,
/// and the text. Nothing is parsed: most events are of no interest to whoever looks for a few.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn each(
    recording: &Recording,
    mut visit: impl FnMut(&ScannedStream, u64, &str),
) -> Result<(), LoadError> {
    for (index, stream) in recording.scan.streams.iter().enumerate() {
        if stream.info.kind != EVENTS_TYPE {
            continue;
        }
        let mut blocks = recording.scan.blocks(recording.source(), index, Selection::default());
        while let Some(block) = blocks.next_block()? {
            let Columns::Text(columns) = &block.data.values else { continue };
            for text in columns.first().into_iter().flat_map(|column| column.iter()) {
                visit(stream, block.file_offset, text);
            }
        }
    }
    Ok(())
}
