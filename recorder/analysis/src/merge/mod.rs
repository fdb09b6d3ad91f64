//! Recordings of different machines on one time axis, in one file.
//!
//! The axis is the clock of the machine that recorded the first file. Every other host is related to it
//! through a clock that both have measured:
//!
//! - the clock of an NTP server (`[clock] ntp` in the configurations): host B to server by the inverse of
//!   B's map, server to host A by A's;
//! - a stream that both have recorded, as LSL makes possible: it is the same stream when its uid, or its
//!   source_id and name, are the same and its raw stamps are, for these are the device's own. Its clock
//!   is then the common one. If it is the host's own clock in one of the files, that leg is exact.
//!
//! Of several ways the one with the smallest sigma is taken; a machine that has nothing in common with
//! the first may go through another one. Sigmas of both legs are added in quadrature, for they were
//! measured apart, bounds are added.
//!
//! The stamps in the merged file are the corrected ones, without clock offsets, as in a synchronized
//! export: any tool shows the right times by doing nothing, pyxdf by its defaults as well as without
//! synchronization. The raw stamps stay in the originals, which are only read. Each header says in
//! `desc/lockstep/merge` where the stream is from, how it was related, and with which errors.

mod bridge;
mod common;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use lockstep_clock::Estimate;
use lockstep_xdf::{Damage, LoadError};
use serde::Serialize;

use crate::export::ExportError;
use crate::report::median;
use crate::{Recording, SyncError, SyncOptions, Synchronizer, Timing};
use bridge::{Bridge, Link};
use common::{Candidate, Input, Master, candidates};

/// Through what hosts are related.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Via {
    /// Whatever is there, the best of it.
    #[default]
    Any,
    /// The clock of an NTP server.
    Ntp,
    /// A stream or a clock of this name.
    Named(String),
}

/// How recordings are merged.
#[derive(Debug, Clone, Default)]
pub struct MergeOptions {
    /// Through what hosts are related.
    pub via: Via,
    /// What is done to the stamps of each recording.
    pub sync: SyncOptions,
    /// Replace a file that exists.
    pub overwrite: bool,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub struct Merged {
    /// The file that was written.
    pub path: PathBuf,
    /// One for each recording, in the order given.
    pub files: Vec<MergedFile>,
    /// What should be known.
    pub remarks: Vec<String>,
    /// What was wrong with the recordings: file name and place.
    #[serde(skip)]
    pub damage: Vec<(String, Damage)>,
}

/// One recording in the merged file.
#[derive(Debug, Clone, Serialize)]
pub struct MergedFile {
    /// Its file name.
    pub name: String,
    /// Its size on disk.
    pub bytes: u64,
    /// CRC-32 (ISO-HDLC) of the file on disk.
    pub crc32: u32,
    /// How its host is related to the first one, step by step; empty for the first.
    pub related_by: Vec<String>,
    /// First host minus this one in the middle of the recording, in seconds.
    pub offset_s: f64,
    /// How much slower this host's clock runs than the first one's, in parts per million.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// Errors of the relation of both hosts alone, medians along the recording.
    pub uncertainty: Errors,
    /// Its streams.
    pub streams: Vec<MergedStream>,
}

/// One stream in the merged file.
#[derive(Debug, Clone, Serialize)]
pub struct MergedStream {
    /// Its name.
    pub name: String,
    /// Its id in the merged file.
    pub id: u32,
    /// Samples.
    pub samples: u64,
    /// Errors of its times on the common axis, its own clock included; medians along the recording.
    pub uncertainty: Errors,
}

/// Errors in seconds; infinite (`null` in JSON) where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    /// One sigma, as if paths were symmetric.
    pub relative_s: f64,
    /// One sigma of everything to be expected.
    pub total_s: f64,
    /// The largest error there can be.
    pub bound_s: f64,
    /// The largest `total_s` along the recording.
    pub total_max_s: f64,
}

/// How far a merge is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The stream under way.
    pub stream: &'a str,
    /// Samples done, of both passes.
    pub done: u64,
    /// All samples, twice.
    pub of: u64,
}

/// Why recordings cannot be merged. Nothing of the output stays.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// One of them cannot be synchronized or read.
    #[error("{path}: {source}", path = .path.display())]
    Sync {
        /// The recording.
        path: PathBuf,
        /// Why.
        source: SyncError,
    },
    /// The merged file cannot be written.
    #[error(transparent)]
    Write(#[from] ExportError),
    /// Fewer than two recordings, or more than there is room for.
    #[error("{0} recordings were named; a merge needs at least 2")]
    Few(usize),
    /// One is named twice.
    #[error("{path} is named twice", path = .0.display())]
    Twice(PathBuf),
    /// The output is one of the recordings.
    #[error("{path} is one of the recordings, and recordings are never written to", path = .0.display())]
    OutputIsInput(PathBuf),
    /// The output is no name of a file.
    #[error("{path} names no file", path = .0.display())]
    NoName(PathBuf),
    /// They have nothing in common.
    #[error(
        "{name} has nothing in common with {others} by which both hosts could be related{wanted}\n{found}"
    )]
    Unrelated {
        /// The recording that is left.
        name: String,
        /// Those that are related.
        others: String,
        /// What was asked for.
        wanted: String,
        /// What was found in each, one line each.
        found: String,
    },
}

/// Merge recordings into one file on the clock of the first one's host.
///
/// # Errors
/// [`MergeError`]; damage of the recordings is in the result.
pub fn merge(
    recordings: &[Recording],
    output: &Path,
    options: &MergeOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Merged, MergeError> {
    check_paths(recordings, output)?;
    // What pyxdf does has no common clock to go through.
    let sync = SyncOptions { compat_pyxdf: false, ..options.sync.clone() };
    let mut synchronizers = Vec::new();
    for recording in recordings {
        let made = Synchronizer::new(recording, sync.clone());
        synchronizers.push(made.map_err(failed(recording))?);
    }
    let all = |recording: &Recording| recording.scan.streams.iter().map(|s| s.sample_count).sum::<u64>();
    let of = 2 * recordings.iter().map(all).sum::<u64>().max(1);
    let mut done = 0;
    let mut inputs = Vec::new();
    for (recording, synchronizer) in recordings.iter().zip(&synchronizers) {
        let masters = Master::all(recording, sync.method).map_err(|e| failed(recording)(e.into()))?;
        let mut timings = Vec::new();
        for (index, stream) in recording.scan.streams.iter().enumerate() {
            let name = &stream.info.name;
            let timed = synchronizer
                .time(index, &mut |seen| progress(Progress { stream: name, done: done + seen / 2, of }));
            timings.push(timed.map_err(failed(recording))?);
            done += stream.sample_count;
        }
        inputs.push(Input { recording, synchronizer, masters, timings });
    }
    let mut remarks = Vec::new();
    let related = relate(&inputs, &options.via, &mut remarks)?;
    let mut merged = Merged { path: output.to_owned(), files: Vec::new(), remarks, damage: Vec::new() };
    for (input, related) in inputs.iter().zip(&related) {
        merged.files.push(summary(input, related, &mut merged.remarks)?);
    }
    write::write(&inputs, related, output, options.overwrite, &mut merged, &mut |stream, seen| {
        progress(Progress { stream, done: done + seen, of });
    })?;
    Ok(merged)
}

fn failed(recording: &Recording) -> impl Fn(SyncError) -> MergeError {
    let path = recording.path.clone();
    move |source| MergeError::Sync { path: path.clone(), source }
}

/// No recording twice, and none of them written to.
fn check_paths(recordings: &[Recording], output: &Path) -> Result<(), MergeError> {
    if recordings.len() < 2 {
        return Err(MergeError::Few(recordings.len()));
    }
    // What is not there has no canonical form: then it is no recording either.
    let canonical = |path: &Path| path.canonicalize().ok();
    let written = canonical(output);
    for (index, recording) in recordings.iter().enumerate() {
        let path = canonical(&recording.path);
        if recording.path == output || (path.is_some() && path == written) {
            return Err(MergeError::OutputIsInput(output.to_owned()));
        }
        let earlier = recordings[..index].iter().map(|earlier| canonical(&earlier.path));
        if path.is_some() && earlier.into_iter().any(|earlier| earlier == path) {
            return Err(MergeError::Twice(recording.path.clone()));
        }
    }
    Ok(())
}

/// How a host is related to the first.
struct Related<'a> {
    bridge: Bridge<'a>,
    how: Vec<String>,
}

/// Relates every host to the first: of all that can be reached, the one with the smallest sigma next.
fn relate<'b>(
    inputs: &'b [Input<'_>],
    via: &Via,
    remarks: &mut Vec<String>,
) -> Result<Vec<Related<'b>>, MergeError> {
    let mut related: Vec<Option<Related<'b>>> = Vec::new();
    related.push(Some(Related { bridge: Bridge::default(), how: Vec::new() }));
    related.resize_with(inputs.len(), || None);
    while related.iter().any(Option::is_none) {
        let mut best: Option<(f64, usize, Related<'b>, Option<String>)> = None;
        for from in (0..inputs.len()).filter(|&index| related[index].is_none()) {
            let mut ways: Vec<(f64, Bridge<'b>)> = Vec::new();
            for (to, done) in related.iter().enumerate() {
                let Some(done) = done else { continue };
                let found = candidates(&inputs[from], &inputs[to], via)
                    .map_err(|error: LoadError| failed(inputs[from].recording)(error.into()))?;
                for Candidate { link, how, remark } in found {
                    let links: Vec<Link<'b>> =
                        std::iter::once(link).chain(done.bridge.links.iter().copied()).collect();
                    let bridge = Bridge::new(links);
                    let sigma_s = errors(along(&inputs[from]).into_iter().map(|s| bridge.at(s))).total_s;
                    ways.push((sigma_s, bridge.clone()));
                    // Infinite where nothing is known: worse than any other, but a way.
                    if best.as_ref().is_none_or(|best| sigma_s < best.0) {
                        let how = std::iter::once(how).chain(done.how.iter().cloned()).collect();
                        best = Some((sigma_s, from, Related { bridge, how }, remark));
                    }
                }
            }
            remarks.extend(disagreement(&inputs[from], &ways));
        }
        let Some((_, index, found, remark)) = best else { return Err(unrelated(inputs, &related, via)) };
        remarks.extend(remark);
        related[index] = Some(found);
    }
    remarks.sort();
    remarks.dedup();
    Ok(related.into_iter().flatten().collect())
}

/// Two ways that contradict each other.
fn disagreement(input: &Input<'_>, ways: &[(f64, Bridge<'_>)]) -> Option<String> {
    let instants = along(input);
    let middle_s = *instants.get(instants.len() / 2)?;
    let first = ways.first()?.1.at(middle_s);
    let apart = |(_, bridge): &(f64, Bridge<'_>)| {
        let other = bridge.at(middle_s);
        let apart_s = (other.host_time_s - first.host_time_s).abs();
        (apart_s > other.bound_s + first.bound_s).then_some(apart_s)
    };
    let apart_s = ways[1..].iter().find_map(apart)?;
    Some(format!(
        "{}: two ways to relate its host differ by {:.6} s, more than their bounds allow; choose one with --via",
        input.name(),
        apart_s
    ))
}

fn unrelated(inputs: &[Input<'_>], related: &[Option<Related<'_>>], via: &Via) -> MergeError {
    let names = |there: bool| {
        let chosen = inputs.iter().zip(related).filter(move |(_, related)| related.is_some() == there);
        chosen.map(|(input, _)| input.name()).collect::<Vec<_>>().join(", ")
    };
    let found: Vec<String> =
        inputs.iter().map(|input| format!("  {} has {}", input.name(), input.found())).collect();
    let wanted = match via {
        Via::Any => String::new(),
        Via::Ntp => ", with --via ntp".to_owned(),
        Via::Named(name) => format!(", with --via {name}"),
    };
    MergeError::Unrelated { name: names(false), others: names(true), wanted, found: found.join("\n") }
}

/// Instants along a recording, on the clock of its host.
fn along(input: &Input<'_>) -> Vec<f64> {
    const INSTANTS: u32 = 101;
    let ends = input.timings.iter().flat_map(|timing| [timing.first_time_s, timing.last_time_s]);
    let ends: Vec<f64> = ends.flatten().filter(|time_s| time_s.is_finite()).collect();
    let from_s = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let to_s = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if from_s > to_s {
        return Vec::new();
    }
    (0..INSTANTS).map(|i| from_s + (to_s - from_s) * f64::from(i) / f64::from(INSTANTS - 1)).collect()
}

/// Medians of errors.
fn errors(estimates: impl Iterator<Item = Estimate>) -> Errors {
    let (mut relative_s, mut total_s, mut bound_s) = (Vec::new(), Vec::new(), Vec::new());
    for estimate in estimates {
        relative_s.push(estimate.relative_s);
        total_s.push(estimate.total_s);
        bound_s.push(estimate.bound_s);
    }
    let middle = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        median(values).unwrap_or(f64::INFINITY)
    };
    Errors {
        relative_s: middle(&mut relative_s),
        total_s: middle(&mut total_s),
        bound_s: middle(&mut bound_s),
        total_max_s: total_s.last().copied().unwrap_or(f64::INFINITY),
    }
}

fn summary(
    input: &Input<'_>,
    related: &Related<'_>,
    remarks: &mut Vec<String>,
) -> Result<MergedFile, MergeError> {
    let recording = input.recording;
    let instants = along(input);
    let gained_s = |at: &f64| related.bridge.at(*at).host_time_s - at;
    let ends = instants.first().zip(instants.last()).filter(|(from_s, to_s)| to_s > from_s);
    let uncertainty = match related.bridge.links[..] {
        [] => Errors { relative_s: 0.0, total_s: 0.0, bound_s: 0.0, total_max_s: 0.0 },
        _ => errors(instants.iter().map(|&at_s| related.bridge.at(at_s))),
    };
    if uncertainty.total_max_s > 10.0 * uncertainty.total_s && uncertainty.total_max_s > 1e-3 {
        remarks.push(format!(
            "{}: a part of it lies outside of what was measured of the common clock, and is uncertain by up to \
             {:.1} ms",
            input.name(),
            1e3 * uncertainty.total_max_s
        ));
    }
    Ok(MergedFile {
        name: input.name(),
        bytes: recording.file_bytes,
        crc32: write::crc32(&recording.path)?,
        related_by: related.how.clone(),
        offset_s: instants.get(instants.len() / 2).map_or(0.0, gained_s),
        drift_ppm: ends.map(|(from_s, to_s)| 1e6 * (gained_s(to_s) - gained_s(from_s)) / (to_s - from_s)),
        uncertainty,
        streams: Vec::new(),
    })
}

/// Errors of a stream's times on the common axis.
fn stream_errors(timing: &Timing<'_>, bridge: &Bridge<'_>) -> Errors {
    const INSTANTS: u64 = 101;
    let Some((from_s, to_s)) = timing.device_span_s else { return errors(std::iter::empty()) };
    let (mut times, mut scratch) = (crate::Times::default(), Vec::new());
    for i in 0..INSTANTS {
        let share = i as f64 / (INSTANTS - 1) as f64;
        let sample = ((timing.samples.saturating_sub(1)) as f64 * share) as u64;
        timing.apply(sample, &[from_s + (to_s - from_s) * share], &mut times, &mut scratch);
    }
    errors((0..times.len()).map(|i| {
        let own = Estimate {
            host_time_s: times.time_s[i],
            relative_s: times.sigma_relative_s[i],
            total_s: times.sigma_total_s[i],
            bound_s: times.bound_s[i],
            flagged: times.flagged[i],
        };
        bridge::joined(own, bridge.at(own.host_time_s))
    }))
}
