//! Whether a recording is whole: structure, counts, stamps, clocks, losses.
//!
//! Each finding says where it is, what it means and what to do. Nothing is repaired here; readers pass
//! over damage by themselves.

pub mod checksums;
pub(crate) mod clocks;
pub(crate) mod losses;
mod rules;
mod side_files;
mod stamps;
mod streams;
mod structure;
#[cfg(test)]
mod tests;

use lockstep_clock::Method;
use serde::Serialize;

use crate::clocks::Clocks;
use crate::{Recording, SyncError, SyncOptions, Synchronizer};

pub use losses::{ConfiguredSource, configured_sources, source_of};
pub use rules::{ALL as RULES, Rule};
pub use stamps::{Place, Places, StampFacts};
pub use structure::footer_agrees;
pub(crate) use structure::same;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know: the data are whole.
    Note,
    /// Something is not as it should be; the data may be affected.
    Warning,
    /// Data are lost, damaged or wrong.
    Error,
}

impl Severity {
    /// "note", "warning" or "error".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is: one of [`RULES`]' codes.
    pub code: &'static str,
    /// Where it is, in bytes from the start of the (unpacked) file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many bytes it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Id of its stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<u32>,
    /// Name of its stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Samples that are missing, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_lost: Option<u64>,
    /// What was found.
    pub what: String,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub mend: &'static str,
    /// The first samples concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

impl Finding {
    fn new(rule: &Rule, what: impl Into<String>) -> Self {
        Self {
            severity: rule.severity,
            code: rule.code,
            offset: None,
            bytes: None,
            stream_id: None,
            stream: None,
            samples_lost: None,
            what: what.into(),
            meaning: rule.meaning,
            mend: rule.mend,
            places: Vec::new(),
        }
    }

    fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    fn of(self, stream: &lockstep_xdf::ScannedStream) -> Self {
        Self { stream_id: Some(stream.id), stream: Some(stream.info.name.clone()), ..self }
    }

    fn places(self, places: &Places) -> Self {
        let offset = places.first.first().map(|place| place.chunk_offset);
        Self { offset: offset.or(self.offset), places: places.first.clone(), ..self }
    }
}

/// What a check of one file found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Size of the (unpacked) file in bytes.
    pub bytes: u64,
    /// Streams in it.
    pub streams: u64,
    /// Samples that can be read, all streams together.
    pub samples: u64,
    /// What was found: the worst first, then in the order of the file.
    pub findings: Vec<Finding>,
    /// Damaged places beyond those that are listed.
    pub damage_left_out: u64,
}

impl Checked {
    /// How many findings are as bad as this.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Nothing but notes.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// Check a recording. `progress` is told how many samples are done, and of how many.
///
/// # Errors
/// When the file cannot be read; damage is no error but a finding.
pub fn check(recording: &Recording, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked, SyncError> {
    let scan = &recording.scan;
    let of: u64 = scan.streams.iter().map(|stream| stream.sample_count).sum();
    let mut facts = Vec::with_capacity(scan.streams.len());
    let mut done = 0;
    for (index, stream) in scan.streams.iter().enumerate() {
        facts.push(StampFacts::read(recording, index, &mut |samples| progress(done + samples, of))?);
        done += stream.sample_count;
    }
    let synchronizer =
        Synchronizer::new(recording, SyncOptions { method: Method::Smooth, ..SyncOptions::default() })?;
    let clocks: &Clocks = &synchronizer.clocks;
    let mut findings = Vec::new();
    structure::find(recording, &facts, &mut findings);
    streams::find(recording, &facts, &mut findings);
    losses::find(recording, &facts, &mut findings)?;
    checksums::find(recording, &mut findings)?;
    clocks::find(recording, clocks, &mut findings)?;
    clocks::find_events(&synchronizer, &mut findings);
    findings.sort_by_key(|f| (std::cmp::Reverse(f.severity), f.offset.unwrap_or(u64::MAX), f.stream_id));
    Ok(Checked {
        bytes: scan.bytes,
        streams: scan.streams.len() as u64,
        samples: facts.iter().map(|facts| facts.samples).sum(),
        findings,
        damage_left_out: scan.damage_left_out,
    })
}
