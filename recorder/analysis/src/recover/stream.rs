//! What is kept of the samples of one stream.

use std::collections::BTreeMap;

use lockstep_xdf::{Damage, DamageReason, LoadError, SampleChunk, SampleRun, SampleRuns, ScannedStream};

use crate::Recording;

/// Parts of damaged chunks that are kept of one stream, so that a file made to be slow takes no memory
/// without end; of more, only the first part of each chunk.
const MAX_PIECES: usize = 200_000;

/// Samples that follow each other and are copied as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    /// Where they begin in the file.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) samples: u64,
    /// The stamp that the first of them is given, because what it followed from is gone.
    pub(super) stamp_s: Option<f64>,
}

/// Samples that are whole, and yet cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dropped {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) samples: u64,
    pub(super) why: &'static str,
}

/// What becomes of the samples of one stream.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) count: u64,
    pub(super) first_s: Option<f64>,
    pub(super) last_s: Option<f64>,
    /// Chunks, by index, that are not copied whole, and what is copied of them.
    pub(super) parts: BTreeMap<usize, Vec<Piece>>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) damage: Vec<Damage>,
    pub(super) damage_left_out: u64,
}

/// Why samples without a stamp of their own are dropped.
const UNKNOWN_TIME: &str =
    "samples whose stamps were left out, after a place where samples are missing: their time is not known";
/// Why parts of chunks are dropped.
const TOO_MANY: &str = "more damaged places than can be kept apart";

/// Where samples of any stream may be missing, in the order of the file.
pub(super) fn gaps(recording: &Recording) -> Vec<u64> {
    let scan = &recording.scan;
    let missing = |damage: &&Damage| {
        damage.bytes > 0
            && !matches!(
                damage.reason,
                DamageReason::RepeatedHeader | DamageReason::BadXml { .. } | DamageReason::UnknownTag(_)
            )
    };
    let damaged = scan.damage.iter().filter(missing).map(|damage| damage.offset);
    // Chunks of other kinds are none of ours, unless they can be samples whose tag was changed.
    let unknown = scan.unknown_chunks.iter().filter(|chunk| chunk.like_samples.is_some());
    let mut gaps: Vec<u64> = damaged.chain(unknown.map(|chunk| chunk.file_offset)).collect();
    gaps.sort_unstable();
    gaps
}

/// Decide what is kept of a stream. `progress` is told how many of its samples are done.
///
/// A stamp that was left out is one interval after that of the sample before. Where samples are missing
/// before it, nobody knows when it was, unless the next stamp that was written stands where it would if none
/// were missing: to half an interval, for a sample that is missing moves it by a whole one.
pub(super) fn plan(
    recording: &Recording,
    index: usize,
    gaps: &[u64],
    progress: &mut dyn FnMut(u64),
) -> Result<Samples, LoadError> {
    let stream = &recording.scan.streams[index];
    let runs = || recording.scan.sample_runs(recording.source(), index);
    let mut continues = Vec::new();
    let mut decided = !gaps.is_empty() && !stream.chunks.is_empty();
    if decided {
        continues = decide(runs()?, stream, gaps)?;
    }
    loop {
        let samples = keep(runs()?, stream, gaps, &continues, progress)?;
        if decided || samples.damage.is_empty() {
            return Ok(samples);
        }
        // Samples are missing inside of chunks, which only reading them shows.
        decided = true;
        continues = decide(runs()?, stream, gaps)?;
    }
}

/// Tells where samples are missing before a run.
struct Gaps<'a> {
    gaps: &'a [u64],
    damage: usize,
    /// A stamp that was left out is to be looked at.
    is_open: bool,
    /// Stretches after a gap until now.
    opened: usize,
}

impl<'a> Gaps<'a> {
    fn new(gaps: &'a [u64]) -> Self {
        Self { gaps, damage: 0, is_open: false, opened: 0 }
    }

    /// Passes on to the next run.
    fn pass(&mut self, run: &SampleRun, damage: usize) {
        let passed = self.gaps.partition_point(|&gap| gap < run.offset);
        let is_gap = passed > 0 || damage > self.damage;
        self.gaps = &self.gaps[passed..];
        self.damage = damage;
        if is_gap && !run.is_placed && !self.is_open {
            self.is_open = true;
            self.opened += 1;
        }
    }
}

/// For every stretch without stamps after a gap, whether nothing is missing before it.
fn decide(mut runs: SampleRuns<'_>, stream: &ScannedStream, gaps: &[u64]) -> Result<Vec<bool>, LoadError> {
    let interval_s = 1.0 / stream.info.nominal_rate_hz;
    let mut gaps = Gaps::new(gaps);
    let mut continues = Vec::new();
    let (mut count, mut before) = (0, None::<SampleRun>);
    while let Some(run) = runs.next_run()? {
        gaps.pass(&run, runs.damage().len());
        if gaps.is_open
            && let Some(stamp_s) = run.first_written_s
        {
            let due_s = match before {
                _ if run.bare_samples > 0 => run.first_s + run.bare_samples as f64 * interval_s,
                Some(before) => before.last_s + interval_s,
                None => f64::NAN,
            };
            let regular = interval_s.is_finite() && interval_s > 0.0 && before.is_some();
            continues.push(regular && (stamp_s - due_s).abs() < 0.5 * interval_s);
            gaps.is_open = false;
        }
        count += run.samples;
        before = Some(run);
    }
    if stream.footer.as_ref().is_some_and(|footer| footer.sample_count == count) {
        // All that was recorded is there: what is missing was of other streams.
        return Ok(vec![true; gaps.opened]);
    }
    continues.resize(gaps.opened, false);
    Ok(continues)
}

fn keep(
    mut runs: SampleRuns<'_>,
    stream: &ScannedStream,
    gaps: &[u64],
    continues: &[bool],
    progress: &mut dyn FnMut(u64),
) -> Result<Samples, LoadError> {
    let mut samples = Samples::default();
    let mut parts = Parts::new(&stream.chunks);
    let mut gaps = Gaps::new(gaps);
    while let Some(run) = runs.next_run()? {
        gaps.pass(&run, runs.damage().len());
        let mut piece = Piece { offset: run.offset, bytes: run.bytes, samples: run.samples, stamp_s: None };
        let mut first_s = run.first_s;
        if gaps.is_open {
            if run.bare_samples > 0 && !continues.get(gaps.opened - 1).copied().unwrap_or(true) {
                samples.drop(Dropped {
                    offset: run.offset,
                    bytes: run.bare_bytes,
                    samples: run.bare_samples,
                    why: UNKNOWN_TIME,
                });
                piece.offset += run.bare_bytes;
                piece.bytes -= run.bare_bytes;
                piece.samples -= run.bare_samples;
                first_s = run.first_written_s.unwrap_or(f64::NAN);
            }
            gaps.is_open = run.first_written_s.is_none();
        } else if run.is_placed && run.bare_samples > 0 {
            // Behind damaged samples of a chunk whose other samples say when this one was.
            piece.stamp_s = Some(run.first_s);
        }
        if piece.samples == 0 {
            parts.begin(run.chunk, &mut samples);
            continue;
        }
        if parts.push(run.chunk, piece, &mut samples) {
            samples.first_s = samples.first_s.or(Some(first_s));
            samples.last_s = Some(run.last_s);
            samples.count += piece.samples;
        }
        progress(samples.count);
    }
    parts.begin(stream.chunks.len(), &mut samples);
    samples.damage = runs.damage().to_vec();
    samples.damage_left_out = runs.damage_left_out();
    Ok(samples)
}

impl Samples {
    /// Adds to what was dropped before if it goes on from there.
    fn drop(&mut self, dropped: Dropped) {
        let is_full = self.dropped.len() >= lockstep_xdf::MAX_DAMAGE;
        match self.dropped.last_mut() {
            Some(last) if last.why == dropped.why && last.offset + last.bytes == dropped.offset => {
                last.bytes += dropped.bytes;
                last.samples += dropped.samples;
            }
            _ if is_full => self.damage_left_out += 1,
            _ => self.dropped.push(dropped),
        }
    }
}

/// Gathers what is kept chunk by chunk.
struct Parts<'a> {
    chunks: &'a [SampleChunk],
    chunk: usize,
    pieces: Vec<Piece>,
    total: usize,
}

impl<'a> Parts<'a> {
    fn new(chunks: &'a [SampleChunk]) -> Self {
        Self { chunks, chunk: 0, pieces: Vec::new(), total: 0 }
    }

    /// All chunks before this one are done.
    fn begin(&mut self, chunk: usize, samples: &mut Samples) {
        while self.chunk < chunk {
            let pieces = std::mem::take(&mut self.pieces);
            if let Some(whole) = self.chunks.get(self.chunk)
                && !is_whole(whole, &pieces)
            {
                self.total += pieces.len();
                samples.parts.insert(self.chunk, pieces);
            }
            self.chunk += 1;
        }
    }

    /// Adds a piece; whether there was room.
    fn push(&mut self, chunk: usize, piece: Piece, samples: &mut Samples) -> bool {
        self.begin(chunk, samples);
        if self.total > MAX_PIECES && !self.pieces.is_empty() {
            let Piece { offset, bytes, samples: count, .. } = piece;
            samples.drop(Dropped { offset, bytes, samples: count, why: TOO_MANY });
            return false;
        }
        self.pieces.push(piece);
        true
    }
}

fn is_whole(chunk: &SampleChunk, pieces: &[Piece]) -> bool {
    let whole = Piece {
        offset: chunk.body_offset(),
        bytes: u64::from(chunk.body_bytes),
        samples: u64::from(chunk.samples),
        stamp_s: None,
    };
    chunk.samples > 0 && *pieces == [whole]
}
