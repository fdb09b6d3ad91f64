//! Whole streams in memory, synchronized: for programs that work on them at once.
//!
//! The samples are loaded by all threads together, then the streams are timed side by side, then all
//! threads turn the stamps into times, in place: memory is the answer, and little more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_clock::DejitterPlan;
use lockstep_xdf::{Columns, Damage, Selection};

use super::blocks::push_up;
use super::timing::Timing;
use super::{SyncError, Synchronizer, Times};

/// [`Loaded::errors`] has the errors of one of so many samples.
pub const ERRORS_EVERY: usize = 1024;

/// Samples whose stamps are turned into times in one go: they stay in the first caches.
const BLOCK: usize = 1024;
/// Blocks that a thread takes at once.
const PIECE: usize = 256 * BLOCK;

/// One stream in memory.
#[derive(Debug)]
pub struct Loaded {
    /// Index of the stream in `scan.streams`.
    pub stream: usize,
    /// Synchronized time of each sample, in seconds: what [`SyncedBlocks`](super::SyncedBlocks) yields.
    pub time_s: Vec<f64>,
    /// The values, one column for each chosen channel, each as long as `time_s`.
    pub values: Columns,
    /// Times and errors of samples 0, [`ERRORS_EVERY`], and so on. Errors change slowly; a figure for
    /// each sample would take more memory than the samples of many streams.
    pub errors: Times,
    /// Stamp of the first and last sample as recorded, in seconds of the stream's clock.
    pub device_span_s: Option<(f64, f64)>,
    /// Segments without a gap, the effective rate, gaps, dropped frames.
    pub plan: DejitterPlan,
    /// First and last sample of each stretch between two resets or steps of the clock.
    pub clock_segments: Vec<(u64, u64)>,
    /// Times that were pushed up to make them rise, and the largest push in seconds.
    pub pushed_up: (u64, f64),
    /// What could not be read of the samples.
    pub damage: Vec<Damage>,
    /// Damaged places that are not listed, because there are too many.
    pub damage_left_out: u64,
}

/// Load streams and put them on one time axis.
///
/// `wanted`: indices in `scan.streams`, and the channels of each, counted from 0 (`None`: all); the answer
/// is in the same order. `threads` work at once. `progress` is told how many bytes of samples are
/// read so far.
///
/// # Errors
/// When the file cannot be read, or has no such stream or channel; never because of damage.
pub fn load(
    synchronizer: &Synchronizer<'_>,
    wanted: &[(usize, Option<Vec<usize>>)],
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Loaded>, SyncError> {
    let recording = synchronizer.recording;
    let selections: Vec<(usize, Selection)> = wanted
        .iter()
        .map(|(stream, channels)| (*stream, Selection { channels: channels.clone(), time_range_s: None }))
        .collect();
    let mut data = lockstep_xdf::load(recording.source(), &recording.scan, &selections, threads, progress)?;
    for (data, (stream, _)) in data.iter_mut().zip(wanted) {
        let limit = synchronizer.cut[*stream].and_then(|limit| usize::try_from(limit).ok());
        if let Some(limit) = limit.filter(|limit| *limit < data.time_stamps_s.len()) {
            let keep: Vec<bool> = (0..data.time_stamps_s.len()).map(|sample| sample < limit).collect();
            data.retain(&keep);
        }
    }

    let timings = in_parallel(threads, data.len(), |index| {
        Timing::of_stamps(synchronizer, wanted[index].0, &data[index].time_stamps_s)
    });
    let timings = timings.into_iter().collect::<Result<Vec<_>, _>>()?;

    let errors =
        in_parallel(threads, data.len(), |index| errors(&timings[index], &data[index].time_stamps_s));
    {
        // Large pieces of all streams, for whichever thread is free.
        let pieces: Vec<_> = data
            .iter_mut()
            .zip(&timings)
            .flat_map(|(data, timing)| {
                let pieces = data.time_stamps_s.chunks_mut(PIECE).enumerate();
                pieces.map(move |(piece, times_s)| Mutex::new(Some((timing, piece * PIECE, times_s))))
            })
            .collect();
        in_parallel(threads, pieces.len(), |index| {
            let piece = pieces[index].lock().map(|mut piece| piece.take());
            let Ok(Some((timing, first, times_s))) = piece else { return };
            let mut scratch = Vec::with_capacity(BLOCK);
            for (block, times_s) in times_s.chunks_mut(BLOCK).enumerate() {
                timing.apply_in_place((first + block * BLOCK) as u64, times_s, &mut scratch);
            }
        });
    }
    let parts = data.into_iter().zip(timings).zip(errors);
    let loaded = parts.map(|((mut data, timing), errors)| {
        let pushed_up = if synchronizer.options.strictly_increasing {
            let mut last_s = f64::NEG_INFINITY;
            push_up(&mut data.time_stamps_s, &mut last_s)
        } else {
            (0, 0.0)
        };
        Loaded {
            stream: timing.stream,
            time_s: data.time_stamps_s,
            values: data.values,
            errors,
            device_span_s: timing.device_span_s,
            plan: timing.plan,
            clock_segments: timing.clock_segments,
            pushed_up,
            damage: data.damage,
            damage_left_out: data.damage_left_out,
        }
    });
    Ok(loaded.collect())
}

/// Times and errors of one of [`ERRORS_EVERY`] samples.
fn errors(timing: &Timing<'_>, stamps_s: &[f64]) -> Times {
    let (mut errors, mut scratch) = (Times::default(), Vec::new());
    for (index, stamp_s) in stamps_s.iter().enumerate().step_by(ERRORS_EVERY) {
        timing.apply(index as u64, &[*stamp_s], &mut errors, &mut scratch);
    }
    errors
}

/// Do `count` things by several threads; the results in order.
fn in_parallel<T: Send>(threads: usize, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, work(index)));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(take)).collect();
        let mut all = take();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}
