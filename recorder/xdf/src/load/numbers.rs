//! Columns of numbers that several threads fill at once.

use crate::layout::Value;
use crate::scan::SampleChunk;

use super::rows::Rows;
use super::{Chosen, LoadError, Run};

/// Bytes of samples that are one piece of work.
const PIECE_BYTES: u64 = 4 << 20;
/// A piece has at least that many samples per column, so that the list of pieces stays small
/// beside the columns.
const PIECE_SAMPLES: u64 = 64;

/// Chunks that one thread reads, and where their samples go.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) chunks: std::ops::Range<usize>,
    /// Samples before it, as the chunks' heads say.
    first: usize,
    /// Samples of it, as the chunks' heads say.
    samples: usize,
}

/// What a thread found in a piece.
pub(super) struct Done {
    filled: usize,
    pending: usize,
    last_s: Option<f64>,
}

/// Cuts a stream into pieces.
pub(super) fn pieces(chunks: &[SampleChunk]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut begin, mut bytes, mut first, mut samples) = (0, 0, 0usize, 0usize);
    for (index, chunk) in chunks.iter().enumerate() {
        bytes += u64::from(chunk.body_bytes);
        samples += chunk.samples as usize;
        if (bytes >= PIECE_BYTES && samples as u64 >= PIECE_SAMPLES) || index + 1 == chunks.len() {
            pieces.push(Piece { chunks: begin..index + 1, first, samples });
            (begin, bytes, first, samples) = (index + 1, 0, first + samples, 0);
        }
    }
    pieces
}

/// The columns of a stream cut so that every piece has its part.
pub(super) fn split<'t, T: Value>(
    stamps: &'t mut [f64],
    columns: &'t mut [Vec<T>],
    pieces: &[Piece],
) -> Vec<Rows<'t, T>> {
    let mut stamps_left = stamps;
    let mut columns_left: Vec<&'t mut [T]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
    let mut all = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let (stamps, rest) = std::mem::take(&mut stamps_left).split_at_mut(piece.samples);
        stamps_left = rest;
        let columns = columns_left
            .iter_mut()
            .map(|left| {
                let (part, rest) = std::mem::take(left).split_at_mut(piece.samples);
                *left = rest;
                part
            })
            .collect();
        all.push(Rows { stamps, columns, filled: 0 });
    }
    all
}

/// Reads one piece.
pub(super) fn read<T: Value>(run: &mut Run<'_>, mut rows: Rows<'_, T>) -> Result<Done, LoadError> {
    run.fill(&mut rows)?;
    // There may be no room left before the last chunk's damage is seen.
    run.finish()?;
    Ok(Done { filled: rows.filled, pending: run.clock.pending, last_s: run.clock.last_s })
}

/// Closes the gaps that damaged samples left, and computes the stamps that depend on the piece
/// before.
pub(super) fn join<T: Value>(
    stamps: &mut Vec<f64>,
    columns: &mut [Vec<T>],
    pieces: &[Piece],
    done: &[Option<Done>],
    interval_s: f64,
) {
    let mut last_s = 0.0;
    let mut end = 0;
    for (piece, done) in pieces.iter().zip(done) {
        let Some(done) = done else {
            continue;
        };
        let filled = piece.first..piece.first + done.filled;
        if end != piece.first {
            stamps.copy_within(filled.clone(), end);
            for column in columns.iter_mut() {
                column.copy_within(filled.clone(), end);
            }
        }
        for stamp_s in &mut stamps[end..end + done.pending.min(done.filled)] {
            last_s += interval_s;
            *stamp_s = last_s;
        }
        last_s = done.last_s.unwrap_or(last_s);
        end += done.filled;
    }
    stamps.truncate(end);
    for column in columns {
        column.truncate(end);
    }
}

/// Makes room for all samples; the system gives the memory when it is written.
pub(super) fn make_room<T: Value>(stamps: &mut Vec<f64>, columns: &mut [Vec<T>], samples: usize) {
    *stamps = vec![0.0; samples];
    for column in columns {
        *column = vec![T::default(); samples];
    }
}

/// Samples of a stream, as the chunks' heads say.
pub(super) fn claimed(chosen: &Chosen<'_>) -> usize {
    chosen.stream.chunks.iter().map(|chunk| chunk.samples as usize).sum()
}
