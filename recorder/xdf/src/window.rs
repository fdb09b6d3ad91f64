//! A piece of a file in memory that is moved along.

use std::io;

use crate::source::{ReadAt, read_full};

/// Most bytes read ahead of what is asked for.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;
/// Bytes read after a jump, where what follows is not wanted perhaps.
const JUMP_BYTES: usize = 4 * 1024;

/// Bytes of a source around the place that is worked on.
pub(crate) struct Window<'a> {
    source: &'a dyn ReadAt,
    size: u64,
    buffer: Vec<u8>,
    /// Where `buffer` begins in the source.
    begin: u64,
    /// Bytes of `buffer` that are read.
    filled: usize,
    /// How many bytes the next read takes at least.
    ahead: usize,
}

impl<'a> Window<'a> {
    pub(crate) fn new(source: &'a dyn ReadAt) -> Self {
        Self { source, size: source.size_bytes(), buffer: Vec::new(), begin: 0, filled: 0, ahead: JUMP_BYTES }
    }

    /// Size of the source.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes from `offset` on: at least `need` unless the source ends before.
    ///
    /// Reads a little after a jump and more and more while going on straight.
    pub(crate) fn at(&mut self, offset: u64, need: usize) -> io::Result<&[u8]> {
        if !self.holds(offset, need) {
            let end = self.begin + self.filled as u64;
            let near = (self.begin..=end + JUMP_BYTES as u64).contains(&offset);
            self.ahead = if near { (self.ahead * 2).min(BLOCK_BYTES) } else { JUMP_BYTES };
            self.read(offset, need, need.max(self.ahead))?;
        }
        Ok(self.from(offset))
    }

    /// As [`at`](Self::at), for a place from which all is wanted until `end`.
    pub(crate) fn until(&mut self, offset: u64, need: usize, end: u64) -> io::Result<&[u8]> {
        if !self.holds(offset, need) {
            let wanted = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
            self.read(offset, need, need.max(wanted.min(BLOCK_BYTES)))?;
        }
        Ok(self.from(offset))
    }

    fn holds(&self, offset: u64, need: usize) -> bool {
        let end = self.begin + self.filled as u64;
        let wanted_end = offset.saturating_add(need as u64).min(self.size.max(offset));
        (self.begin..=end).contains(&offset) && wanted_end <= end
    }

    fn from(&self, offset: u64) -> &[u8] {
        let from = offset.checked_sub(self.begin).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.buffer.get(from..self.filled)).unwrap_or_default()
    }

    /// Moves to `offset` and reads `wanted` bytes, keeping what is there of them; memory grows
    /// with what the source has.
    fn read(&mut self, offset: u64, need: usize, wanted: usize) -> io::Result<()> {
        let end = self.begin + self.filled as u64;
        let kept = if (self.begin..end).contains(&offset) {
            let from = (offset - self.begin) as usize;
            self.buffer.copy_within(from..self.filled, 0);
            self.filled - from
        } else {
            0
        };
        self.begin = offset;
        self.filled = kept;
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = wanted.min(left).max(need.min(left));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        if kept < wanted {
            self.filled += read_full(self.source, offset + kept as u64, &mut self.buffer[kept..wanted])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_window_shows_the_source(
            size in 0usize..20_000,
            moves in prop::collection::vec((0u64..21_000, 0usize..9000, any::<bool>()), 0..20),
        ) {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 7 + i / 256) as u8).collect();
            let mut window = Window::new(&bytes);
            for (offset, need, straight) in moves {
                let seen = if straight {
                    window.until(offset, need, offset + 500).unwrap()
                } else {
                    window.at(offset, need).unwrap()
                };
                let rest = bytes.get(offset as usize..).unwrap_or_default();
                prop_assert!(seen.len() >= need.min(rest.len()));
                prop_assert!(rest.starts_with(seen));
            }
        }
    }
}
