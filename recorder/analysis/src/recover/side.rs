//! Files beside the recording that its events mention.

use lockstep_xdf::LoadError;

use crate::{Recording, events};

/// More than a recording has.
const MAX_FILES: usize = 1000;

/// Their names, without those that were removed because nothing was ever in them.
pub(super) fn files(recording: &Recording) -> Result<Vec<String>, LoadError> {
    let mut names: Vec<String> = Vec::new();
    events::each(recording, |_, _, text| {
        if !text.contains("side_file") {
            return;
        }
        let Ok(event) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let Some(name) = event["file"].as_str() else { return };
        if event["removed"] == true {
            names.retain(|known| known != name);
        } else if !names.iter().any(|known| known == name) && names.len() < MAX_FILES {
            names.push(name.to_owned());
        }
    })?;
    Ok(names)
}
