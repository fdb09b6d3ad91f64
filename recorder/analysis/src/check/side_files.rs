//! Files beside the recording: are they there, and as long as they were?

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Finding, rules};

/// What the events say of them, by name.
#[derive(Debug, Default)]
pub(super) struct SideFiles(BTreeMap<String, Said>);

#[derive(Debug, Default)]
struct Said {
    /// Its length at the end; `None`: the recording has no end.
    bytes: Option<u64>,
    /// Nothing was ever in it.
    is_removed: bool,
    lost_bytes: u64,
    error: String,
}

impl SideFiles {
    /// A file was made.
    pub(super) fn made(&mut self, name: &str) {
        self.0.entry(name.to_owned()).or_default();
    }

    /// It was closed, as this event says.
    pub(super) fn closed(&mut self, event: &Value) {
        let said = self.0.entry(event["file"].as_str().unwrap_or_default().to_owned()).or_default();
        // What was on its way got there, or the file is too short.
        let pending = event["pending_bytes"].as_u64().unwrap_or(0);
        said.bytes = event["bytes"].as_u64().map(|bytes| bytes.saturating_add(pending));
        said.is_removed = event["removed"] == true;
        said.lost_bytes = event["lost_bytes"].as_u64().unwrap_or(0);
        event["error"].as_str().unwrap_or_default().clone_into(&mut said.error);
    }

    /// Compare with what is beside the recording at `path`.
    pub(super) fn find(&self, path: &Path, out: &mut Vec<Finding>) {
        // A name and no more: the file may come from anywhere.
        let all = self.0.iter().filter_map(|(name, said)| Some((Path::new(name).file_name()?, said)));
        for (name, said) in all.filter(|(_, said)| !said.is_removed) {
            let shown = name.to_string_lossy();
            let problem = match std::fs::metadata(path.with_file_name(name)) {
                Ok(there) => said.bytes.filter(|bytes| *bytes != there.len()).map(|bytes| {
                    format!("{shown} has {} bytes, and had {bytes} when it was closed", there.len())
                }),
                Err(_) => Some(format!("{shown} is not beside the recording")),
            };
            out.extend(problem.map(|what| Finding::new(&rules::SIDE_FILE, what)));
            let what = match (said.lost_bytes, said.error.as_str()) {
                (0, "") => continue,
                (0, error) => format!("{shown} may not be on the disk: {error}"),
                (lost, "") => {
                    format!("{lost} bytes were to be in {shown} and are not: the disk was too slow")
                }
                (lost, error) => format!("{lost} bytes were to be in {shown} and are not: {error}"),
            };
            out.push(Finding::new(&rules::SIDE_FILE_LOST, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(files: &SideFiles, recording: &Path) -> Vec<String> {
        let mut out = Vec::new();
        files.find(recording, &mut out);
        out.into_iter().map(|finding| format!("{}: {}", finding.code, finding.what)).collect()
    }

    #[test]
    fn files_that_are_missing_other_or_were_not_written_whole_are_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let recording = dir.path().join("rec.xdf");
        std::fs::write(dir.path().join("whole"), "abc").expect("a file");
        std::fs::write(dir.path().join("cut"), "ab").expect("a file");
        let mut files = SideFiles::default();
        let closed = |name: &str, lost: u64| json!({"file": name, "bytes": 1, "pending_bytes": 2, "lost_bytes": lost, "error": null});
        files.made("whole");
        files.closed(&closed("whole", 0));
        assert!(found(&files, &recording).is_empty());
        files.closed(&closed("cut", 7));
        files.made("../gone");
        assert_eq!(
            found(&files, &recording),
            [
                "side-file: gone is not beside the recording",
                "side-file: cut has 2 bytes, and had 3 when it was closed",
                "side-file-lost: 7 bytes were to be in cut and are not: the disk was too slow",
            ]
        );
    }
}
