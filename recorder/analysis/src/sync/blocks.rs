//! Second pass over a stream: samples with their times.

use lockstep_clock::Estimate;
use lockstep_xdf::{Blocks, Columns, Damage, Selection, TextColumn};

use super::SyncError;
use super::times::Times;
use super::timing::Timing;

/// Synchronized samples that follow each other in the file.
#[derive(Debug, Clone, Copy)]
pub struct SyncedBlock<'b> {
    /// The stamps as recorded, in seconds of the stream's clock.
    pub device_time_s: &'b [f64],
    /// Times on the synchronized axis, and their errors.
    pub times: &'b Times,
    /// The values, one column for each chosen channel.
    pub values: &'b Columns,
}

/// The samples of one stream in constant memory; from [`Timing::blocks`].
pub struct SyncedBlocks<'t> {
    timing: &'t Timing<'t>,
    blocks: Blocks<'t>,
    /// Only samples from the first to before the second time.
    range_s: Option<(f64, f64)>,
    next_sample: u64,
    /// Time of the last sample handed out or left out.
    last_time_s: f64,
    /// Samples whose time was pushed up.
    pushed: u64,
    /// The largest push in seconds.
    pushed_most_s: f64,
    times: Times,
    scratch: Vec<Estimate>,
    keep: Vec<bool>,
    device_time_s: Vec<f64>,
    values: Option<Columns>,
}

impl<'t> SyncedBlocks<'t> {
    pub(super) fn new(timing: &'t Timing<'t>, channels: Option<Vec<usize>>) -> Self {
        let recording = timing.synchronizer.recording;
        let selection = Selection { channels, time_range_s: None };
        Self {
            timing,
            blocks: recording.scan.blocks(recording.source(), timing.stream, selection),
            range_s: None,
            next_sample: 0,
            last_time_s: f64::NEG_INFINITY,
            pushed: 0,
            pushed_most_s: 0.0,
            times: Times::default(),
            scratch: Vec::new(),
            keep: Vec::new(),
            device_time_s: Vec::new(),
            values: None,
        }
    }

    /// Only the samples whose synchronized time is at least `from_s` and below `to_s`.
    #[must_use]
    pub fn within(mut self, from_s: f64, to_s: f64) -> Self {
        self.range_s = Some((from_s, to_s));
        self
    }

    /// The next block, or `None` after the last; never an empty one.
    ///
    /// # Errors
    /// When the file cannot be read; never because of damage.
    pub fn next_block(&mut self) -> Result<Option<SyncedBlock<'_>>, SyncError> {
        let whole = self.range_s.is_none() && self.timing.limit().is_none();
        if whole {
            let Some(block) = self.blocks.next_block()? else { return Ok(None) };
            let stamps_s = &block.data.time_stamps_s;
            self.times.clear();
            self.timing.apply(self.next_sample, stamps_s, &mut self.times, &mut self.scratch);
            self.next_sample += stamps_s.len() as u64;
            if self.timing.synchronizer.options.strictly_increasing {
                let (pushed, most_s) = push_up(&mut self.times.time_s, &mut self.last_time_s);
                self.pushed += pushed;
                self.pushed_most_s = self.pushed_most_s.max(most_s);
            }
            return Ok(Some(SyncedBlock {
                device_time_s: stamps_s,
                times: &self.times,
                values: &block.data.values,
            }));
        }
        self.next_in_range()
    }

    /// The next block with something in it that is wanted.
    fn next_in_range(&mut self) -> Result<Option<SyncedBlock<'_>>, SyncError> {
        let limit = self.timing.limit().unwrap_or(u64::MAX);
        let (from_s, to_s) = self.range_s.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        loop {
            let Some(block) = self.blocks.next_block()? else { return Ok(None) };
            let stamps_s = &block.data.time_stamps_s;
            self.times.clear();
            self.timing.apply(self.next_sample, stamps_s, &mut self.times, &mut self.scratch);
            if self.timing.synchronizer.options.strictly_increasing {
                let (pushed, most_s) = push_up(&mut self.times.time_s, &mut self.last_time_s);
                self.pushed += pushed;
                self.pushed_most_s = self.pushed_most_s.max(most_s);
            }
            self.keep.clear();
            let all = self.range_s.is_none();
            let wanted = |time_s: f64| all || (from_s <= time_s && time_s < to_s);
            let numbered = self.times.time_s.iter().zip(self.next_sample..);
            self.keep.extend(numbered.map(|(&time_s, sample)| sample < limit && wanted(time_s)));
            self.next_sample += stamps_s.len() as u64;
            if !self.keep.contains(&true) {
                continue;
            }
            self.times.retain(&self.keep);
            self.device_time_s.clear();
            let kept = stamps_s.iter().zip(&self.keep).filter(|(_, keep)| **keep);
            self.device_time_s.extend(kept.map(|(stamp_s, _)| *stamp_s));
            self.values = Some(kept_columns(&block.data.values, &self.keep));
            break;
        }
        let (device_time_s, times) = (&self.device_time_s, &self.times);
        Ok(self.values.as_ref().map(|values| SyncedBlock { device_time_s, times, values }))
    }

    /// How many times were pushed up so far to make them rise, and the largest push in seconds.
    pub fn pushed_up(&self) -> (u64, f64) {
        (self.pushed, self.pushed_most_s)
    }

    /// Damage found so far in the samples.
    pub fn damage(&self) -> &[Damage] {
        self.blocks.damage()
    }
}

impl std::fmt::Debug for SyncedBlocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncedBlocks(stream {}, sample {})", self.timing.stream, self.next_sample)
    }
}

/// Makes times rise strictly from `last_s` on: one that does not is set to the next double after the
/// one before it. Says how many, and the largest change.
pub(super) fn push_up(times_s: &mut [f64], last_s: &mut f64) -> (u64, f64) {
    let (mut pushed, mut most_s) = (0, 0.0f64);
    for time_s in times_s {
        if *time_s <= *last_s {
            let up_s = last_s.next_up();
            most_s = most_s.max(up_s - *time_s);
            *time_s = up_s;
            pushed += 1;
        }
        // NaN neither rises nor falls; what comes after it is compared with what was before it.
        if !time_s.is_nan() {
            *last_s = *time_s;
        }
    }
    (pushed, most_s)
}

/// The values whose place in `keep` is true.
fn kept_columns(columns: &Columns, keep: &[bool]) -> Columns {
    fn kept<T: Copy>(list: &[Vec<T>], keep: &[bool]) -> Vec<Vec<T>> {
        let column = |column: &Vec<T>| {
            column.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
        };
        list.iter().map(column).collect()
    }
    match columns {
        Columns::Int8(list) => Columns::Int8(kept(list, keep)),
        Columns::Int16(list) => Columns::Int16(kept(list, keep)),
        Columns::Int32(list) => Columns::Int32(kept(list, keep)),
        Columns::Int64(list) => Columns::Int64(kept(list, keep)),
        Columns::Float32(list) => Columns::Float32(kept(list, keep)),
        Columns::Double64(list) => Columns::Double64(kept(list, keep)),
        Columns::Text(list) => Columns::Text(list.iter().map(|column| kept_texts(column, keep)).collect()),
    }
}

fn kept_texts(column: &TextColumn, keep: &[bool]) -> TextColumn {
    let mut out = TextColumn::default();
    column.iter().zip(keep).filter(|(_, keep)| **keep).for_each(|(text, _)| out.push(text));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pushed_up_times_rise_and_others_stay(
            times_s in proptest::collection::vec(-3i8..3, 0..40),
            cut in 0usize..40,
        ) {
            let before: Vec<f64> = times_s.iter().map(|&t| f64::from(t)).collect();
            let mut after = before.clone();
            let (first, second) = after.split_at_mut(cut.min(before.len()));
            let mut last_s = f64::NEG_INFINITY;
            let pushed = push_up(first, &mut last_s).0 + push_up(second, &mut last_s).0;
            prop_assert!(after.is_sorted_by(|a, b| a < b), "{after:?}");
            let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            prop_assert_eq!(pushed, changed as u64);
            if before.is_sorted_by(|a, b| a < b) {
                prop_assert_eq!(pushed, 0);
            }
        }
    }
}
