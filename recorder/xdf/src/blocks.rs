//! Samples of one stream, block after block, in constant memory.

use crate::columns::StreamData;
use crate::load::{LoadError, Selection, load};
use crate::scan::Scan;
use crate::source::ReadAt;

/// Hands out the samples of one stream in blocks of limited size; from [`Scan::blocks`].
pub struct Blocks<'a> {
    scan: &'a Scan,
    source: &'a dyn ReadAt,
    stream: usize,
    selection: Selection,
    done: bool,
    data: Option<StreamData>,
}

/// Samples that follow each other in the file.
#[derive(Clone, Copy, Debug)]
pub struct Block<'b> {
    /// Index of the first sample among those that [`load`] gives for the same selection.
    pub first_sample: u64,
    /// Where the chunk that holds the first sample begins, in bytes from the start of the file.
    pub file_offset: u64,
    /// The samples; never none.
    pub data: &'b StreamData,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(scan: &'a Scan, source: &'a dyn ReadAt, stream: usize, selection: Selection) -> Self {
        Self { scan, source, stream, selection, done: false, data: None }
    }

    /// The next block, or `None` after the last. The buffers are used again for the block after.
    ///
    /// # Errors
    /// [`LoadError`]; never because of damage.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, LoadError> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let wanted = [(self.stream, self.selection.clone())];
        let data = load(self.source, self.scan, &wanted, 1, &|_| {})?.pop();
        self.data = data.filter(|data| !data.is_empty());
        let file_offset =
            self.scan.streams.get(self.stream).and_then(|s| s.chunks.first()).map_or(0, |c| c.file_offset);
        Ok(self.data.as_ref().map(|data| Block { first_sample: 0, file_offset, data }))
    }

    /// Damage found so far in the samples, in blocks or between them.
    pub fn damage(&self) -> &[crate::damage::Damage] {
        self.data.as_ref().map_or(&[], |data| &data.damage)
    }
}
