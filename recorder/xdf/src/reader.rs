//! Read chunks one after the other from anything that gives bytes.

use std::io::{self, Read};

use crate::decode::{self, Chunk, DecodeError, Frame, Step};
use crate::encode::{BOUNDARY_UUID, MAGIC};

/// Bytes asked for at once; also how far the buffer grows ahead of the data.
const BLOCK_BYTES: usize = 256 * 1024;

/// Why no further chunk could be read. Offsets count bytes from the start of the input.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input could not be read.
    #[error("cannot read the file at byte {offset}: {source}")]
    Io {
        /// Where the next bytes would have come from.
        offset: u64,
        /// The system's answer.
        source: io::Error,
    },
    /// The input does not begin with [`MAGIC`].
    #[error("not an XDF file: it begins with bytes {found:02x?}, not with \"XDF:\"{}", packed_hint(found))]
    NotXdf {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The input ends inside a chunk: the recorder was stopped hard, or a copy is incomplete.
    #[error(
        "the file ends inside the chunk at byte {offset}: {have} of at least {need} bytes are there; everything before it is whole"
    )]
    Torn {
        /// Where the chunk begins.
        offset: u64,
        /// How many of its bytes are there.
        have: usize,
        /// How many it has at least.
        need: usize,
    },
    /// The bytes are no chunk.
    #[error("the file is damaged at byte {offset}: {reason}")]
    Corrupt {
        /// Where the chunk should begin.
        offset: u64,
        /// What is wrong.
        reason: DecodeError,
    },
}

fn packed_hint(found: &[u8; 4]) -> &'static str {
    match found {
        [0x1f, 0x8b, ..] => "; it is packed with gzip: unpack it first",
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => "; it looks packed with zlib: unpack it first",
        _ => "",
    }
}

/// Reads the chunks of one XDF file in order.
///
/// Holds at most the current chunk and one block of input. The buffer grows as bytes arrive, so a
/// wrong length costs no memory that the file does not have.
#[derive(Debug)]
pub struct ChunkReader<R> {
    input: R,
    /// Input from `offset - start` on.
    buffer: Vec<u8>,
    /// Where the current chunk begins in `buffer`.
    start: usize,
    /// Where the current chunk begins in the input.
    offset: u64,
    /// Bytes of the chunk last returned; passed when the next one is asked for.
    returned_bytes: usize,
    magic_seen: bool,
}

impl<R: Read> ChunkReader<R> {
    /// A reader at the start of a file.
    ///
    /// `input` needs no buffer of its own: it is read in blocks of 256 KiB. So on a live pipe a chunk
    /// comes out only when its block is full or the pipe is closed.
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), start: 0, offset: 0, returned_bytes: 0, magic_seen: false }
    }

    /// The next chunk and where it begins in the file, or `None` at a clean end.
    ///
    /// # Errors
    /// [`ReadError`]. The position stays at the chunk that failed: asking again tries it again
    /// (with more bytes, if the file has grown), [`resync`](Self::resync) leaves it.
    pub fn next_chunk(&mut self) -> Result<Option<(u64, Chunk<'_>)>, ReadError> {
        self.pass_returned();
        self.pass_magic()?;
        let mut need = 1;
        let end = loop {
            if !self.fill(need)? {
                return match self.unread().len() {
                    0 => Ok(None),
                    _ => Err(self.torn(need)),
                };
            }
            match decode::frame(self.unread()) {
                Ok(Frame::NeedMore { at_least }) => need = at_least,
                Ok(Frame::Whole { content, .. }) => break content.end,
                Err(reason) => return Err(self.corrupt(reason)),
            }
        };
        let offset = self.offset;
        match decode::next_chunk(&self.buffer[self.start..]) {
            Ok(Step::Chunk { chunk, consumed }) => {
                self.returned_bytes = consumed;
                Ok(Some((offset, chunk)))
            }
            Ok(Step::NeedMore { at_least }) => Err(ReadError::Torn { offset, have: end, need: at_least }),
            Err(reason) => Err(ReadError::Corrupt { offset, reason }),
        }
    }

    /// Goes on after the next boundary mark, searched from the start of the chunk that was last
    /// returned or failed. Returns how many bytes were passed, the mark included.
    ///
    /// Without a mark the position is then the end of the file, and the next chunk is `None`.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn resync(&mut self) -> Result<u64, ReadError> {
        let from = self.offset;
        self.returned_bytes = 0;
        self.magic_seen = true;
        loop {
            let unread = self.unread();
            let found = unread.windows(BOUNDARY_UUID.len()).position(|window| window == BOUNDARY_UUID);
            if let Some(at) = found {
                self.pass(at + BOUNDARY_UUID.len());
                break;
            }
            // The last bytes may be the first of a mark whose rest is not read yet.
            let keep = unread.len().min(BOUNDARY_UUID.len() - 1);
            self.pass(self.unread().len() - keep);
            if !self.fill(keep + 1)? {
                self.pass(self.unread().len());
                break;
            }
        }
        Ok(self.offset - from)
    }

    /// The bytes read from the current chunk on: after [`ReadError::Torn`] all that is left of the
    /// file, for [`decode::torn_samples`].
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Where the chunk that was last returned or failed begins in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn pass_magic(&mut self) -> Result<(), ReadError> {
        if self.magic_seen {
            return Ok(());
        }
        if !self.fill(MAGIC.len())? {
            return Err(self.torn(MAGIC.len()));
        }
        if let Some(found) = self.unread().first_chunk()
            && found != MAGIC
        {
            return Err(ReadError::NotXdf { found: *found });
        }
        self.pass(MAGIC.len());
        self.magic_seen = true;
        Ok(())
    }

    fn pass_returned(&mut self) {
        let passed = std::mem::take(&mut self.returned_bytes);
        self.pass(passed);
    }

    fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until `need` bytes are unread; `false` if the input ends before.
    fn fill(&mut self, need: usize) -> Result<bool, ReadError> {
        while self.unread().len() < need {
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            // The next chunks come along in the same read, but never more than a block.
            self.buffer.reserve(BLOCK_BYTES);
            let mut block = (&mut self.input).take(BLOCK_BYTES as u64);
            match block.read_to_end(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(source) => {
                    return Err(ReadError::Io { offset: self.offset + self.buffer.len() as u64, source });
                }
            }
        }
        Ok(true)
    }

    #[cold]
    fn torn(&self, need: usize) -> ReadError {
        ReadError::Torn { offset: self.offset, have: self.unread().len(), need }
    }

    #[cold]
    fn corrupt(&self, reason: DecodeError) -> ReadError {
        ReadError::Corrupt { offset: self.offset, reason }
    }
}

#[cfg(test)]
mod tests;
