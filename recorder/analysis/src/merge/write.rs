//! The merged file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use lockstep_xdf::Element;
use lockstep_xdf::part::RECORDERS_PART;

use super::common::Input;
use super::{MergeError, Merged, MergedFile, MergedStream, Related, failed, stream_errors};
use crate::clocks::EXCHANGE_TYPE;
use crate::export::ExportError;
use crate::export::output::Output;
use crate::export::xdf::{Samples, Writer, header};

/// Type of the exchanges of another host than the one whose clock is the axis: their t0 and t3 are not
/// on it, so that no reader should take them for exchanges of this file.
const FOREIGN_EXCHANGE_TYPE: &str = "MergedClockExchange";

/// Write all streams of all recordings, one after another. `progress` is told the stream and how many
/// samples are done.
pub(super) fn write(
    inputs: &[Input<'_>],
    related: Vec<Related<'_>>,
    output: &Path,
    overwrite: bool,
    merged: &mut Merged,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<(), MergeError> {
    let Some(name) = output.file_name().and_then(|name| name.to_str()) else {
        return Err(MergeError::NoName(output.to_owned()));
    };
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut folder = Output::new(folder, overwrite)?;
    let mut file = Writer::new(folder.create(name)?);
    file.begin(Some(&file_header(inputs, &merged.files)))?;
    let mut footers = Vec::new();
    let mut ids = Ids::new(inputs);
    let mut done = 0;
    for (number, (input, mut related)) in inputs.iter().zip(related).enumerate() {
        merged.damage.extend(input.recording.scan.damage.iter().map(|damage| (input.name(), damage.clone())));
        for timing in &input.timings {
            let info = &timing.scanned().info;
            let id = ids.give(timing.scanned().id);
            let uncertainty = stream_errors(timing, &related.bridge);
            let mut stream = MergedStream { name: info.name.clone(), id, samples: 0, uncertainty };
            let about = note(&merged.files[number], &merged.files[0].name, &stream);
            file.header(id, &annotated(header(timing), about, number > 0).to_xml())?;
            let mut samples = Samples::new(id, timing.scanned());
            let mut blocks = timing.blocks(None);
            let mut times_s = Vec::new();
            while let Some(block) = blocks.next_block().map_err(failed(input.recording))? {
                times_s.clear();
                times_s.extend_from_slice(&block.times.time_s);
                related.bridge.apply(&mut times_s);
                samples.write(&mut file, &times_s, block.values)?;
                stream.samples += times_s.len() as u64;
                done += times_s.len() as u64;
                progress(&info.name, done);
            }
            merged.damage.extend(blocks.damage().iter().map(|damage| (input.name(), damage.clone())));
            footers.push((id, samples.footer()));
            merged.files[number].streams.push(stream);
        }
    }
    for (id, footer) in footers {
        file.footer(id, &footer)?;
    }
    file.flush()?;
    drop(file);
    folder.keep()?;
    Ok(())
}

/// The header of the first file, with what was merged.
fn file_header(inputs: &[Input<'_>], files: &[MergedFile]) -> String {
    let first = inputs.first().and_then(|input| input.recording.header.clone());
    let mut info =
        first.unwrap_or_else(|| Element::new("info").with_child(Element::new("version").with_text("1.0")));
    let mut merged = Element::new("merged");
    for file in files {
        merged.push_child(text("file", &file.name));
    }
    info.push_child(merged);
    info.to_xml()
}

/// The header with `desc/lockstep/merge`, and another type for exchanges of another host.
fn annotated(mut info: Element, about: Element, foreign: bool) -> Element {
    if foreign
        && let Some(kind) = info.child_mut("type")
        && kind.text == EXCHANGE_TYPE
    {
        FOREIGN_EXCHANGE_TYPE.clone_into(&mut kind.text);
    }
    if let Some(desc) = info.child_mut("desc") {
        // The last is the recorder's; one before it came with the stream.
        match desc.children.iter_mut().rfind(|child| child.name == RECORDERS_PART) {
            Some(lockstep) => lockstep.push_child(about),
            None => desc.push_child(Element::new(RECORDERS_PART).with_child(about)),
        }
    }
    info
}

fn text(name: &str, text: &str) -> Element {
    Element::new(name).with_text(text)
}

/// Where a stream is from, and how its host was related.
fn note(file: &MergedFile, axis: &str, stream: &MergedStream) -> Element {
    let mut out = Element::new("merge")
        .with_child(text("by", &format!("Lockstep {}", env!("CARGO_PKG_VERSION"))))
        .with_child(text("file", &file.name))
        .with_child(text("file_bytes", &file.bytes.to_string()))
        .with_child(text("file_crc32", &format!("{:08x}", file.crc32)))
        .with_child(text("axis", &format!("clock of the host of {axis}")));
    for how in &file.related_by {
        out.push_child(text("via", how));
    }
    let mut number = |name: &str, value: f64| {
        // What is not known is left out.
        if value.is_finite() {
            out.push_child(text(name, &value.to_string()));
        }
    };
    number("host_offset_s", file.offset_s);
    number("host_drift_ppm", file.drift_ppm.unwrap_or(f64::NAN));
    number("host_sigma_relative_s", file.uncertainty.relative_s);
    number("host_sigma_total_s", file.uncertainty.total_s);
    number("host_bound_s", file.uncertainty.bound_s);
    number("sigma_relative_s", stream.uncertainty.relative_s);
    number("sigma_total_s", stream.uncertainty.total_s);
    number("sigma_total_max_s", stream.uncertainty.total_max_s);
    number("bound_s", stream.uncertainty.bound_s);
    out
}

/// Ids of streams in the merged file: as they were, where they are free.
struct Ids {
    taken: std::collections::HashSet<u32>,
    /// All ids of the recordings: a new one is none of them.
    wanted: std::collections::HashSet<u32>,
    next: u32,
}

impl Ids {
    fn new(inputs: &[Input<'_>]) -> Self {
        let all = inputs.iter().flat_map(|input| input.recording.scan.streams.iter().map(|stream| stream.id));
        Self { taken: Default::default(), wanted: all.collect(), next: 1 }
    }

    fn give(&mut self, id: u32) -> u32 {
        if self.taken.insert(id) {
            return id;
        }
        while self.wanted.contains(&self.next) || !self.taken.insert(self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.next
    }
}

/// CRC-32 of a file on disk.
pub(super) fn crc32(path: &Path) -> Result<u32, MergeError> {
    let read = || -> io::Result<u32> {
        let mut file = File::open(path)?;
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finalize()),
                Ok(got) => hasher.update(&buffer[..got]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    read().map_err(|source| MergeError::Write(ExportError::Write { path: path.to_owned(), source }))
}
