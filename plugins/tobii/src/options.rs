//! The options under `[source.options]`; these comments are the documentation users read.

use std::path::PathBuf;

use lockstep_plugin_api::Error;
use schemars::JsonSchema;
use serde::Deserialize;

/// Record a Tobii eye tracker, through the library of Tobii's that is installed on this machine. Lockstep brings none.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Which of Tobii's interfaces.
    pub backend: BackendKind,
    /// File of the library. Without it LOCKSTEP_TOBII_STREAM_ENGINE or LOCKSTEP_TOBII_RESEARCH, then the usual places
    /// are looked at.
    pub library: PathBuf,
    /// Address (URL) of the tracker, where there are several. Of Glasses 3 that of the recording unit, as
    /// "tg03b-080200012345.local" or "192.168.75.51".
    pub address: String,
    /// What the data are for. Tobii forbids to store what was got for interactive use.
    pub field_of_use: FieldOfUse,
    /// File of a licence key, where the tracker needs one.
    pub licence_file: PathBuf,
    /// How gaze data are laid out in memory. auto: by the library's version, and what the data look like.
    pub gaze_data_layout: LayoutChoice,
    /// Take a Stream Engine before version 4, which was never tried.
    pub allow_legacy: bool,
    /// What to record beside gaze.
    pub streams: Streams,
    /// How the clock of the tracker is measured. The Pro SDK does that by itself, and what it measures is recorded.
    pub time_sync: TimeSync,
}

/// Which of Tobii's interfaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// The Stream Engine: libtobii_stream_engine.
    #[default]
    StreamEngine,
    /// The Pro SDK: libtobii_research.
    ProSdk,
    /// Glasses 3, through the network: no library is needed.
    Glasses3,
}

impl BackendKind {
    /// As in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StreamEngine => "stream-engine",
            Self::ProSdk => "pro-sdk",
            Self::Glasses3 => "glasses3",
        }
    }
}

/// What the data are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldOfUse {
    /// They are stored or analysed. Tobii asks for a licence.
    #[default]
    Analytical,
    /// They are not to be stored: refused by this recorder, which stores them.
    Interactive,
}

/// How gaze data are laid out in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LayoutChoice {
    /// By version and data.
    #[default]
    Auto,
    /// 168 bytes, as until version 3.
    V3,
    /// 176 bytes, as since version 4.
    V4,
}

/// What to record beside gaze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Streams {
    /// How far the eyes are open, where the tracker says so.
    pub eye_openness: bool,
    /// The sync port (external signal), where the tracker has one.
    pub external_signal: bool,
    /// Where the head is in the box in front of the tracker.
    pub positioning: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self { eye_openness: true, external_signal: true, positioning: false }
    }
}

/// How the clock of the tracker is measured.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeSync {
    /// Operations in quick succession; that of the lowest round-trip time counts, and all are recorded.
    #[schemars(range(min = 1, max = 100))]
    pub operations: u32,
    /// Seconds between them; at the start, after a reconnect and at the stop they are made at once.
    #[schemars(range(min = 1.0, max = 3600.0))]
    pub interval_s: f64,
}

impl Default for TimeSync {
    fn default() -> Self {
        Self { operations: 4, interval_s: 60.0 }
    }
}

impl Options {
    /// Check what the schema cannot say.
    ///
    /// # Errors
    /// [`Error::Option`] at the place that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        if self.field_of_use == FieldOfUse::Interactive {
            let text = "Tobii forbids to store data that were got for interactive use, and a recorder stores them; \
                        use \"analytical\", for which Tobii asks for a licence";
            return Err(Error::option("/field_of_use", text));
        }
        if !(1..=100).contains(&self.time_sync.operations) {
            return Err(Error::option("/time_sync/operations", "1 to 100 are possible"));
        }
        if !(1.0..=3600.0).contains(&self.time_sync.interval_s) {
            return Err(Error::option("/time_sync/interval_s", "1 to 3600 s are possible"));
        }
        if self.backend == BackendKind::Glasses3 && self.address.is_empty() {
            let text = "give the address of the recording unit, as \"tg03b-080200012345.local\" (its serial number), or \
                        \"192.168.75.51\" on its own Wi-Fi";
            return Err(Error::option("/address", text));
        }
        let is_glasses = self.backend == BackendKind::Glasses3;
        if is_glasses && !self.library.as_os_str().is_empty() {
            return Err(Error::option("/library", "Glasses 3 need no library; leave it out"));
        }
        if is_glasses && self.streams.positioning {
            return Err(Error::option("/streams/positioning", "Glasses 3 do not have it; leave it out"));
        }
        if self.backend != BackendKind::StreamEngine && !self.licence_file.as_os_str().is_empty() {
            let text = "only the Stream Engine takes a licence file; for the Pro SDK put it on the tracker";
            return Err(Error::option("/licence_file", text));
        }
        if self.backend != BackendKind::StreamEngine && self.gaze_data_layout != LayoutChoice::Auto {
            let text = "only the Stream Engine has a layout to choose";
            return Err(Error::option("/gaze_data_layout", text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_place() {
        for (json, place) in [
            (r#"{"field_of_use": "interactive"}"#, "/field_of_use"),
            (r#"{"time_sync": {"operations": 0}}"#, "/time_sync/operations"),
            (r#"{"time_sync": {"interval_s": 0.5}}"#, "/time_sync/interval_s"),
            (r#"{"backend": "pro-sdk", "gaze_data_layout": "v3"}"#, "/gaze_data_layout"),
            (r#"{"backend": "glasses3"}"#, "/address"),
            (r#"{"backend": "glasses3", "address": "a", "library": "x"}"#, "/library"),
            (
                r#"{"backend": "glasses3", "address": "a", "streams": {"positioning": true}}"#,
                "/streams/positioning",
            ),
            (r#"{"backend": "pro-sdk", "licence_file": "x"}"#, "/licence_file"),
        ] {
            match serde_json::from_str::<Options>(json).expect("options").check() {
                Err(Error::Option { path, .. }) => assert_eq!(path, place),
                other => panic!("{json}: {other:?}"),
            }
        }
        assert!(serde_json::from_str::<Options>("{}").expect("options").check().is_ok());
    }
}
