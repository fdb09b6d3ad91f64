//! What is not safe about the way a recording is started. It is said once, and nothing is refused.

use crate::host::PluginSearch;

/// Sentences for whoever starts it.
pub fn cautions(search: &PluginSearch) -> Vec<String> {
    let mut all = Vec::new();
    if lockstep_platform::is_root() {
        all.push("running as root: nothing here needs that; record as an ordinary user".to_owned());
    }
    all.extend(search.doubts());
    all
}
