//! The configuration of an experiment as a tree of structs: what may stand in the TOML file.
//!
//! The comments on the fields are the configuration reference: they are published in the JSON
//! Schema of [`Config`] and repeated in error messages.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// One experiment: who and what, where to write, how to measure clocks, and the sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names the experiment and the session; these values name the file and are written into it.
    pub experiment: Experiment,
    /// Where and how to record.
    #[serde(default)]
    pub recording: Recording,
    /// How often the clocks of the devices are compared with the recorder's.
    #[serde(default)]
    pub clock: Clock,
    /// Commands by TCP: another program says when to record, and under what name.
    #[serde(default)]
    pub remote: Remote,
    /// The sources, one `[[source]]` each: what to record. At least one, but with remote control.
    #[serde(default)]
    pub source: Vec<Source>,
}

/// `[experiment]`: what is recorded, and from whom. Keys that are not listed here are free: text,
/// numbers or true/false; they can be used in the file name and are written into the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// Name of the experiment.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Code of the participant, as "P012"; never a person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub participant: Option<String>,
    /// Session of this participant, as "01".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub session: Option<String>,
    /// Task or block, as "gonogo".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub task: Option<String>,
    /// Number of the run, or "auto" for the next free number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// Label of the acquisition (BIDS `acq-`), where one task is recorded in several ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub acquisition: Option<String>,
    /// BIDS modality: the folder and the last part of the file name, as "beh", "eeg", "meg".
    #[serde(default = "default_modality")]
    #[schemars(length(min = 1))]
    pub modality: String,
    /// Free keys.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Scalar>,
}

fn default_modality() -> String {
    "beh".to_owned()
}

/// Number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Run {
    /// A fixed number.
    Number(u32),
    /// One more than the largest number among the files already there.
    Auto(AutoRun),
}

/// The word "auto".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoRun {
    /// Take the next free number.
    #[serde(rename = "auto")]
    Auto,
}

impl JsonSchema for Run {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Run".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": super::filename::MAX_RUN },
                { "const": "auto" },
            ],
        })
    }
}

/// A value of a free key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// true or false.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text; a TOML date or time is kept as its text.
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// `[recording]`: where the file goes, and when to start and stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Folder the file name starts from. A relative one starts from the working directory.
    pub directory: PathBuf,
    /// Template of the file name below `directory`; `/` makes folders. Placeholders:
    /// `{experiment}` `{participant}` `{session}` `{task}` `{run}` (three digits) `{acquisition}`
    /// `{modality}` `{date}` (2026-11-22) `{time}` (142207) `{datetime}` (2026-11-22T142207) and
    /// every free key of `[experiment]`; LabRecorder's `%p %s %b %a %m %r %n` are understood too.
    /// When it is not set: with a participant
    /// `sub-{participant}/ses-{session}/{modality}/sub-{participant}_ses-{session}_task-{task}_acq-{acquisition}_run-{run}_{modality}.xdf`
    /// without the parts that are not set; with no participant `{experiment}_{date}_{time}.xdf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub filename: Option<String>,
    /// What to do when a required source has no sample on disk.
    pub when_missing: WhenMissing,
    /// How long to wait for the first sample of every required source, in seconds.
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub wait_s: f64,
    /// Stop by itself after this time, in seconds. When it is not set, it records until stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub duration_s: Option<f64>,
    /// Memory for samples of one source that wait for the disk, in MiB. When it is full, samples
    /// are dropped and counted.
    #[schemars(range(min = 1, max = 4096))]
    pub queue_mb: u32,
    /// Samples are on the disk, not only with the operating system, when they are so old, in seconds: what a power
    /// cut can cost, on a disk that is quick enough.
    #[schemars(range(min = 0.4, max = 60.0))]
    pub sync_s: f64,
    /// Folder to go on in, in a second file, when the first cannot be written any more (full, gone, broken): best on
    /// another disk. When it is not set, or fails too, the newest `hold_mb` are kept in memory until there is room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_directory: Option<PathBuf>,
    /// Memory for all samples while no file can be written, in MiB. When it is full, the oldest go, and are counted.
    #[schemars(range(min = 1, max = 65536))]
    pub hold_mb: u32,
    /// Below so much free space, in MiB, a recording does not begin, and one that runs goes on in
    /// `second_directory` or is closed while there is room for its end. 0: it runs until the disk is full.
    #[schemars(range(min = 0, max = 1048576))]
    pub min_free_mb: u32,
    /// Write a checksum (CRC-32) of each second of the file into the event stream, for `lockstep check`.
    pub checksum: bool,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("."),
            filename: None,
            when_missing: WhenMissing::default(),
            wait_s: 10.0,
            duration_s: None,
            queue_mb: 64,
            sync_s: 1.0,
            second_directory: None,
            hold_mb: 256,
            min_free_mb: 32,
            checksum: false,
        }
    }
}

/// What to do when a required source has no sample on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenMissing {
    /// Give up with exit code 1 as soon as a required source says that it cannot start, and at the
    /// latest after `wait_s`.
    #[default]
    Fail,
    /// Wait for `wait_s` even when a source says that it cannot start (a device that is switched
    /// on late), then give up with exit code 1.
    Wait,
    /// Record what is there. After `wait_s` a source that is missing is an alarm, until it comes.
    Warn,
}

/// `[clock]`: how often the clock of each device is compared with the recorder's, and this machine's
/// with a master clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// Time from one burst of exchanges to the next, in seconds.
    #[schemars(range(min = 0.5, max = 3600.0))]
    pub interval_s: f64,
    /// Exchanges in a burst; the one with the lowest round-trip time becomes the clock offset.
    #[schemars(range(min = 1, max = 64))]
    pub probes: u32,
    /// Master clock, an SNTP server as "ntp.example.org", "192.168.1.1:1123" or `"[2001:db8::1]"`: this
    /// machine's exchanges with it are recorded as a clock of its own, so that recordings of several
    /// machines can be put on one time axis. When it is not set, there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ntp: Option<String>,
    /// Time from one burst of questions to the master clock to the next, in seconds. A public server
    /// is asked each 64 s at the most, whatever stands here.
    #[schemars(range(min = 4.0, max = 3600.0))]
    pub ntp_interval_s: f64,
    /// Questions in such a burst. A public server is asked 4 at the most, 2 s apart.
    #[schemars(range(min = 1, max = 16))]
    pub ntp_probes: u32,
}

impl Default for Clock {
    fn default() -> Self {
        Self { interval_s: 5.0, probes: 8, ntp: None, ntp_interval_s: 16.0, ntp_probes: 4 }
    }
}

/// `[remote]`: whether `lockstep record` waits for commands by TCP, as LabRecorder's remote control takes
/// them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Remote {
    /// Wait for commands (`start`, `stop`, `select ...`, `filename ...`) instead of recording at once.
    pub enabled: bool,
    /// TCP port on which commands come; 0: any free one, which is told at the start.
    pub port: u16,
    /// Address of this machine on which commands come: "127.0.0.1" for programs of this machine only,
    /// "0.0.0.0" for the whole network. With another than a loopback address clients have to say a token first.
    pub bind: String,
    /// Token that every client says first, as `token SECRET`: 16 to 256 characters without blanks, made by chance. A
    /// recording shows *** in its place. The variable LOCKSTEP_REMOTE_TOKEN goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// File with the token in its first line, in place of `token`; it should be readable for its owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Default for Remote {
    fn default() -> Self {
        Self { enabled: false, port: 22345, bind: "127.0.0.1".to_owned(), token: None, token_file: None }
    }
}

/// `[[source]]`: one device or program to record, through a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the source, shown on the screen; no two sources share one.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Plugin that reads it, as "udp"; `lockstep plugins` lists them.
    #[schemars(
        regex(pattern = "^[a-z0-9_-]+$"),
        extend("x-form" = "small letters, digits, - and _")
    )]
    pub plugin: String,
    /// Whether the recording needs it: see `when_missing` in `[recording]`.
    #[serde(default = "default_required")]
    pub required: bool,
    /// Where its plugin runs. When it is not set: in a process of its own if the plugin says that it calls a
    /// vendor's library, and in the recorder's if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Memory that a process of its own may use, in MiB: one that uses more is ended and started again. When it is
    /// not set: 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 32, max = 1_048_576))]
    pub memory_mb: Option<u32>,
    /// Options of the plugin; `lockstep plugins NAME` explains them.
    #[serde(default)]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Facts about the device (manufacturer, model, serial_number ...): text, numbers or
    /// true/false; written to `desc/acquisition` of each of its streams.
    #[serde(default)]
    pub acquisition: BTreeMap<String, Scalar>,
    /// Known delays of the device; they replace what the plugin declares. They are written to
    /// `desc/synchronization` and never applied to the stored time stamps.
    #[serde(default)]
    pub synchronization: Synchronization,
}

fn default_required() -> bool {
    true
}

/// Where a plugin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In a process of its own: whatever becomes of that one, the others go on, and it is started again.
    Process,
    /// In the recorder's process.
    None,
}

/// Memory of a process of its own when nothing else is said, in MiB.
pub const DEFAULT_MEMORY_MB: u32 = 1024;

/// `[source.synchronization]`: how much later a sample is stamped than it happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Synchronization {
    /// Mean delay, in seconds: to be subtracted from the time stamps by whoever reads the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_mean: Option<f64>,
    /// Root mean square of the delay, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub offset_rms: Option<f64>,
    /// Median delay, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_median: Option<f64>,
    /// 95 % of the delays are greater than this, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_5_centile: Option<f64>,
    /// 95 % of the delays are less than this, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_95_centile: Option<f64>,
    /// Whether samples can be missing though the rate is steady, as frames of a camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_drop_samples: Option<bool>,
}

impl Config {
    /// The JSON Schema of a configuration: for an editor, and for the reference.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }
}
