//! Samples of one stream, block after block, in constant memory.

use crate::columns::StreamData;
use crate::damage::Damage;
use crate::load::{Chosen, LoadError, Run, Selection, block};
use crate::scan::Scan;
use crate::source::ReadAt;

/// Hands out the samples of one stream in blocks of limited size; from [`Scan::blocks`].
///
/// A block has at most 65,536 samples and about 4 MiB of values, and the same samples as
/// [`crate::load`] gives.
pub struct Blocks<'a> {
    run: Result<Open<'a>, Option<LoadError>>,
}

/// A stream that is there.
struct Open<'a> {
    run: Run<'a>,
    block: StreamData,
    block_samples: usize,
    time_range_s: Option<(f64, f64)>,
    /// Samples that were handed out.
    handed_out: u64,
    /// Where the chunk of the block's first sample begins.
    file_offset: u64,
}

/// Samples that follow each other in the file.
#[derive(Clone, Copy, Debug)]
pub struct Block<'b> {
    /// Index of the first sample among those that [`crate::load`] gives for the same selection.
    pub first_sample: u64,
    /// Where the chunk that holds the first sample begins, in bytes from the start of the file.
    pub file_offset: u64,
    /// The samples; never none. Its `damage` is empty: see [`Blocks::damage`].
    pub data: &'b StreamData,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(scan: &'a Scan, source: &'a dyn ReadAt, stream: usize, selection: &Selection) -> Self {
        let run = Chosen::new(scan, stream, selection).map_err(Some).map(|chosen| Open {
            run: chosen.run(source, &chosen.stream.chunks, Some(0.0)),
            block: chosen.empty(),
            block_samples: block::samples(&chosen),
            time_range_s: chosen.time_range_s,
            handed_out: 0,
            file_offset: 0,
        });
        Self { run }
    }

    /// The next block, or `None` after the last. The buffers are used again for the block after.
    ///
    /// # Errors
    /// [`LoadError`]; never because of damage. After an error there are no more blocks.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, LoadError> {
        let failed = match &mut self.run {
            Ok(open) => open.next().err(),
            Err(error) => match error.take() {
                Some(error) => return Err(error),
                None => return Ok(None),
            },
        };
        if let Some(error) = failed {
            self.run = Err(None);
            return Err(error);
        }
        Ok(self.run.as_ref().ok().filter(|open| !open.block.is_empty()).map(|open| Block {
            first_sample: open.handed_out - open.block.len() as u64,
            file_offset: open.file_offset,
            data: &open.block,
        }))
    }

    /// Damage found so far in the samples, in blocks or between them; up to
    /// [`crate::MAX_DAMAGE`] places.
    pub fn damage(&self) -> &[Damage] {
        self.run.as_ref().map_or(&[], |open| &open.run.damage.list)
    }
}

impl Open<'_> {
    /// Fills the block with samples, or with none at the end.
    fn next(&mut self) -> Result<(), LoadError> {
        loop {
            let offset = self.run.chunk_offset()?;
            self.run.fill_block(&mut self.block, self.block_samples)?;
            let (Some(file_offset), false) = (offset, self.block.is_empty()) else {
                return self.run.finish();
            };
            self.file_offset = file_offset;
            if let Some(range) = self.time_range_s {
                block::keep_range(&mut self.block, range);
            }
            self.handed_out += self.block.len() as u64;
            if !self.block.is_empty() {
                return Ok(());
            }
        }
    }
}
