//! Files beside the recording that its events mention.

use lockstep_xdf::{Columns, LoadError, Selection};

use crate::Recording;
use crate::check::losses::EVENTS_TYPE;

/// More than a recording has.
const MAX_FILES: usize = 1000;

/// Their names, without those that were removed because nothing was ever in them.
pub(super) fn files(recording: &Recording) -> Result<Vec<String>, LoadError> {
    let mut names: Vec<String> = Vec::new();
    for (index, stream) in recording.scan.streams.iter().enumerate() {
        if stream.info.kind != EVENTS_TYPE {
            continue;
        }
        let mut blocks = recording.scan.blocks(recording.source(), index, Selection::default());
        while let Some(block) = blocks.next_block()? {
            let Columns::Text(columns) = &block.data.values else { continue };
            for text in columns.first().into_iter().flat_map(|column| column.iter()) {
                if !text.contains("side_file") {
                    continue;
                }
                let Ok(event) = serde_json::from_str::<serde_json::Value>(text) else { continue };
                let Some(name) = event["file"].as_str() else { continue };
                if event["removed"] == true {
                    names.retain(|known| known != name);
                } else if !names.iter().any(|known| known == name) && names.len() < MAX_FILES {
                    names.push(name.to_owned());
                }
            }
        }
    }
    Ok(names)
}
