//! Share the work of a load among threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::columns::{Columns, StreamData};
use crate::damage::DamageList;
use crate::source::ReadAt;

use super::block;
use super::numbers::{self, Done, Piece};
use super::rows::Rows;
use super::{Chosen, LoadError};

/// Texts that are read before progress is told.
const TOLD_SAMPLES: usize = 1 << 14;

/// One thing for one thread to do.
enum Job<'t> {
    /// A part of a stream, whose columns wait for it.
    Piece { stream: usize, piece: usize, chunks: std::ops::Range<usize>, rows: AnyRows<'t> },
    /// A whole stream, into columns that grow.
    Whole { stream: usize, data: &'t mut StreamData },
}

/// [`Rows`] of any kind of number.
enum AnyRows<'t> {
    Int8(Rows<'t, i8>),
    Int16(Rows<'t, i16>),
    Int32(Rows<'t, i32>),
    Int64(Rows<'t, i64>),
    Float32(Rows<'t, f32>),
    Double64(Rows<'t, f64>),
}

/// What the threads found, by stream and piece.
struct Found {
    done: Vec<Vec<Option<Done>>>,
    damage: Vec<Vec<Option<DamageList>>>,
    error: Option<LoadError>,
}

pub(super) fn load(
    source: &dyn ReadAt,
    chosen: &[Chosen<'_>],
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<StreamData>, LoadError> {
    let mut all: Vec<StreamData> = chosen.iter().map(Chosen::empty).collect();
    let pieces: Vec<Vec<Piece>> = chosen
        .iter()
        .map(|chosen| if grows(chosen) { Vec::new() } else { numbers::pieces(&chosen.stream.chunks) })
        .collect();
    let found = Mutex::new(Found {
        done: pieces.iter().map(|list| list.iter().map(|_| None).collect()).collect(),
        damage: pieces.iter().map(|list| vec![None; list.len().max(1)]).collect(),
        error: None,
    });
    {
        let mut jobs = Vec::new();
        for (stream, (chosen, data)) in chosen.iter().zip(&mut all).enumerate() {
            if grows(chosen) {
                jobs.push(Job::Whole { stream, data });
            } else {
                jobs.extend(piece_jobs(stream, chosen, data, &pieces[stream]));
            }
        }
        // Whole streams first: they take longest.
        jobs.sort_by_key(|job| matches!(job, Job::Piece { .. }));
        let workers = threads.clamp(1, 64).min(jobs.len());
        let jobs = Mutex::new(jobs.into_iter());
        let done_bytes = AtomicU64::new(0);
        // A function of its own, so that the lock is not held while the job is done.
        let next_job = || lock(&jobs).next();
        let work = || {
            while let Some(job) = next_job() {
                if lock(&found).error.is_some() {
                    return;
                }
                if let Err(error) = job.run(source, chosen, &found, &done_bytes, progress) {
                    lock(&found).error.get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(work);
            }
            work();
        });
    }
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = found.error {
        return Err(error);
    }
    for (stream, (chosen, data)) in chosen.iter().zip(&mut all).enumerate() {
        join(data, &pieces[stream], &found.done[stream], chosen.layout.interval_s);
    }
    for (data, lists) in all.iter_mut().zip(found.damage) {
        let mut damage = DamageList::default();
        for list in lists.into_iter().flatten() {
            damage.left_out += list.left_out;
            list.list.into_iter().for_each(|one| damage.push(one));
        }
        data.damage = damage.list;
        data.damage_left_out = damage.left_out;
    }
    Ok(all)
}

/// Whether the columns can't be laid out before the samples are read.
fn grows(chosen: &Chosen<'_>) -> bool {
    chosen.layout.value_bytes.is_none() || chosen.time_range_s.is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn piece_jobs<'t>(
    stream: usize,
    chosen: &Chosen<'_>,
    data: &'t mut StreamData,
    pieces: &[Piece],
) -> Vec<Job<'t>> {
    let samples = numbers::claimed(chosen);
    let stamps = &mut data.time_stamps_s;
    macro_rules! rows {
        ($kind:ident, $list:expr) => {{
            numbers::make_room(stamps, $list, samples);
            numbers::split(stamps, $list, pieces).into_iter().map(AnyRows::$kind).collect()
        }};
    }
    let rows: Vec<AnyRows<'t>> = match &mut data.values {
        Columns::Int8(list) => rows!(Int8, list),
        Columns::Int16(list) => rows!(Int16, list),
        Columns::Int32(list) => rows!(Int32, list),
        Columns::Int64(list) => rows!(Int64, list),
        Columns::Float32(list) => rows!(Float32, list),
        Columns::Double64(list) => rows!(Double64, list),
        Columns::Text(_) => Vec::new(),
    };
    let numbered = rows.into_iter().zip(pieces).enumerate();
    numbered
        .map(|(piece, (rows, Piece { chunks, .. }))| Job::Piece {
            stream,
            piece,
            chunks: chunks.clone(),
            rows,
        })
        .collect()
}

fn join(data: &mut StreamData, pieces: &[Piece], done: &[Option<Done>], interval_s: f64) {
    if pieces.is_empty() {
        return;
    }
    let stamps = &mut data.time_stamps_s;
    match &mut data.values {
        Columns::Int8(list) => numbers::join(stamps, list, pieces, done, interval_s),
        Columns::Int16(list) => numbers::join(stamps, list, pieces, done, interval_s),
        Columns::Int32(list) => numbers::join(stamps, list, pieces, done, interval_s),
        Columns::Int64(list) => numbers::join(stamps, list, pieces, done, interval_s),
        Columns::Float32(list) => numbers::join(stamps, list, pieces, done, interval_s),
        Columns::Double64(list) => numbers::join(stamps, list, pieces, done, interval_s),
        Columns::Text(_) => {}
    }
}

impl Job<'_> {
    fn run(
        self,
        source: &dyn ReadAt,
        chosen: &[Chosen<'_>],
        found: &Mutex<Found>,
        done_bytes: &AtomicU64,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), LoadError> {
        let tell = |bytes: u64| progress(done_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes);
        match self {
            Self::Piece { stream, piece, chunks, rows } => {
                let one = &chosen[stream];
                // Only before the first piece there is nothing.
                let last_s = (piece == 0).then_some(0.0);
                let mut run = one.run(source, one.stream.chunks.get(chunks).unwrap_or_default(), last_s);
                let done = match rows {
                    AnyRows::Int8(rows) => numbers::read(&mut run, rows),
                    AnyRows::Int16(rows) => numbers::read(&mut run, rows),
                    AnyRows::Int32(rows) => numbers::read(&mut run, rows),
                    AnyRows::Int64(rows) => numbers::read(&mut run, rows),
                    AnyRows::Float32(rows) => numbers::read(&mut run, rows),
                    AnyRows::Double64(rows) => numbers::read(&mut run, rows),
                }?;
                let mut found = lock(found);
                found.done[stream][piece] = Some(done);
                found.damage[stream][piece] = Some(std::mem::take(&mut run.damage));
                drop(found);
                tell(run.done_bytes);
            }
            Self::Whole { stream, data } => {
                let damage = whole(source, &chosen[stream], data, tell)?;
                lock(found).damage[stream][0] = Some(damage);
            }
        }
        Ok(())
    }
}

/// Reads a whole stream, block after block.
fn whole(
    source: &dyn ReadAt,
    chosen: &Chosen<'_>,
    data: &mut StreamData,
    tell: impl Fn(u64),
) -> Result<DamageList, LoadError> {
    let mut run = chosen.run(source, &chosen.stream.chunks, Some(0.0));
    let samples = numbers::claimed(chosen);
    if chosen.time_range_s.is_none() {
        data.time_stamps_s.reserve_exact(samples);
        run.checked = reserve_text(source, chosen, data, samples)?;
    }
    let mut block = chosen.empty();
    let block_samples = block::samples(chosen);
    let mut told = 0;
    loop {
        let filled = if let (None, Columns::Text(columns)) = (chosen.time_range_s, &mut data.values) {
            let before = data.time_stamps_s.len();
            run.fill_text(&mut data.time_stamps_s, columns, before + TOLD_SAMPLES, usize::MAX)?;
            data.time_stamps_s.len() - before
        } else {
            run.fill_block(&mut block, block_samples)?;
            let filled = block.len();
            if let Some(range) = chosen.time_range_s {
                block::keep_range(&mut block, range);
            }
            data.append(&block);
            filled
        };
        tell(run.done_bytes - told);
        told = run.done_bytes;
        if filled == 0 {
            break;
        }
    }
    run.finish()?;
    Ok(std::mem::take(&mut run.damage))
}

/// Makes room for all texts, so that the columns never grow, which would take memory twice; says
/// whether all chunks are as their heads say.
fn reserve_text(
    source: &dyn ReadAt,
    chosen: &Chosen<'_>,
    data: &mut StreamData,
    samples: usize,
) -> Result<bool, LoadError> {
    let Columns::Text(columns) = &mut data.values else {
        return Ok(false);
    };
    let mut run = chosen.run(source, &chosen.stream.chunks, Some(0.0));
    let (bytes, exact) = run.measure_text()?;
    for (index, column) in columns.iter_mut().enumerate() {
        column.ends.reserve_exact(samples);
        let channel = chosen.channels.of_column(index);
        column.text.reserve_exact(bytes.get(channel).copied().unwrap_or(0));
    }
    Ok(exact)
}
