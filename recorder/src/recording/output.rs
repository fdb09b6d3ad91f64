//! One file, as the thread that writes it sees it: whole chunks go in, or nothing.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::sync::Progress;

/// Blocks from this size on are written directly instead of being gathered.
const DIRECT_BYTES: usize = 64 << 10;
/// Room is kept this far ahead at once.
const ROOM_STEP_BYTES: u64 = 1 << 20;

/// Whole chunks that are not in the file: it has no room for them, or cannot be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Unwritten(pub Vec<u8>);

/// CRC-32 of a part of the file that ends and begins with whole chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// First byte.
    pub from_byte: u64,
    /// First byte behind it.
    pub to_byte: u64,
    /// CRC-32 as in zlib and PNG.
    pub crc32: u32,
}

/// A file of chunks. A failed write is undone, so that the file ends with a whole chunk, and nothing more is
/// written until [`Output::try_again`].
#[derive(Debug)]
pub struct Output {
    file: File,
    /// Bytes of whole chunks in the file.
    bytes: u64,
    gathered: Vec<u8>,
    progress: Arc<Progress>,
    error: Option<io::Error>,
    /// Behind the last whole chunk is a piece of another, which could not be cut off.
    is_torn: bool,
    /// Room behind the end that is kept for what has to be written even when the disk is full. `None`: the disk
    /// cannot do that.
    reserve: Option<Reserve>,
    checksum: Option<(u64, crc32fast::Hasher)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reserve {
    wanted_bytes: u64,
    /// The disk keeps room up to here.
    end: u64,
}

impl Output {
    /// An empty file.
    pub fn new(file: File, progress: Arc<Progress>) -> Self {
        Self {
            file,
            bytes: 0,
            gathered: Vec::with_capacity(2 * DIRECT_BYTES),
            progress,
            error: None,
            is_torn: false,
            reserve: None,
            checksum: None,
        }
    }

    /// Compute checksums from here on.
    pub fn with_checksums(mut self) -> Self {
        self.checksum = Some((self.bytes, crc32fast::Hasher::new()));
        self
    }

    /// Keep room for `bytes` more than what is written; 0: use what was kept.
    pub fn reserve(&mut self, bytes: u64) {
        self.reserve.get_or_insert_default().wanted_bytes = bytes;
    }

    /// Where to append whole chunks, or the beginning of one whose rest is given
    /// to [`Output::write`] next.
    pub fn chunks(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Append the rest of a chunk. Whether everything so far has gone to the
    /// operating system (`None`: it is still gathered).
    pub fn write(&mut self, rest: &[u8]) -> Option<Result<(), Unwritten>> {
        if rest.len() < DIRECT_BYTES {
            self.gathered.extend_from_slice(rest);
            return (self.gathered.len() >= DIRECT_BYTES).then(|| self.flush());
        }
        Some(self.flush_with(rest))
    }

    /// Hand what is gathered to the operating system.
    ///
    /// # Errors
    /// With what is not in the file.
    pub fn flush(&mut self) -> Result<(), Unwritten> {
        self.flush_with(&[])
    }

    fn flush_with(&mut self, rest: &[u8]) -> Result<(), Unwritten> {
        let more = (self.gathered.len() + rest.len()) as u64;
        if more > 0 && self.error.is_none() {
            match self.append(rest, more) {
                Ok(()) => {
                    self.bytes += more;
                    self.progress.written_bytes.fetch_add(more, Relaxed);
                    if let Some((_, hasher)) = &mut self.checksum {
                        hasher.update(&self.gathered);
                        hasher.update(rest);
                    }
                }
                Err(e) => {
                    self.error = Some(e);
                    self.progress.failed.store(true, Relaxed);
                }
            }
        }
        if self.error.is_some() {
            let mut unwritten = std::mem::take(&mut self.gathered);
            unwritten.extend_from_slice(rest);
            return Err(Unwritten(unwritten));
        }
        self.gathered.clear();
        Ok(())
    }

    fn append(&mut self, rest: &[u8], more: u64) -> io::Result<()> {
        if self.is_torn {
            self.cut_back()?;
        }
        self.keep_room(more)?;
        let written = self.file.write_all(&self.gathered).and_then(|()| self.file.write_all(rest));
        written.inspect_err(|_| {
            // Whatever was written of the chunk is cut off; should that fail too, it is tried again before
            // anything else is written, and else readers find a torn chunk at the end.
            drop(self.cut_back());
        })
    }

    /// Find out before it is begun whether a write would use up the reserve.
    fn keep_room(&mut self, more: u64) -> io::Result<()> {
        let Some(reserve) = self.reserve.filter(|r| r.wanted_bytes > 0) else { return Ok(()) };
        let needed = self.bytes + more + reserve.wanted_bytes;
        if needed <= reserve.end {
            return Ok(());
        }
        let keep = |to| lockstep_platform::keep_room(&self.file, reserve.end.max(self.bytes), to);
        let (end, kept) = match keep(needed + ROOM_STEP_BYTES) {
            Ok(kept) => (needed + ROOM_STEP_BYTES, kept),
            Err(_) => (needed, keep(needed)?),
        };
        // On a disk that cannot keep room, all that is asked is never asked again.
        let end = if kept { end } else { u64::MAX };
        self.reserve = Some(Reserve { end, ..reserve });
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.is_torn = true;
        self.file.set_len(self.bytes)?;
        if let Some(reserve) = &mut self.reserve
            && reserve.end != u64::MAX
        {
            // What was kept behind the end went with it.
            reserve.end = self.bytes;
        }
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.is_torn = false;
        Ok(())
    }

    /// Bytes of whole chunks in the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Why writing failed, if it did.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Take up writing again after a failure: there may be room now.
    pub fn try_again(&mut self) {
        self.error = None;
        self.progress.failed.store(false, Relaxed);
    }

    /// The checksum of what was written since the last one, if there is any and checksums are wanted.
    pub fn take_checksum(&mut self) -> Option<Checksum> {
        let (from_byte, hasher) = self.checksum.as_mut().filter(|(from, _)| *from < self.bytes)?;
        let hasher = std::mem::replace(hasher, crc32fast::Hasher::new());
        let from_byte = std::mem::replace(from_byte, self.bytes);
        Some(Checksum { from_byte, to_byte: self.bytes, crc32: hasher.finalize() })
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Go on in `file`, which holds all that was written, at its end.
    pub fn go_on_in(&mut self, file: File, progress: Arc<Progress>) {
        (self.file, self.progress) = (file, progress);
        if let Some(reserve) = &mut self.reserve {
            reserve.end = 0;
        }
    }

    /// Give back the room that was kept, and make the disk keep all that was written.
    ///
    /// # Errors
    /// When the disk does not confirm it.
    pub fn close(&mut self) -> io::Result<()> {
        self.give_back_room();
        self.sync()
    }

    /// Give back the room that was kept.
    pub fn give_back_room(&mut self) {
        if self.reserve.take().is_some() || self.is_torn {
            // It cuts off what is behind the end. Should it fail, only room is wasted.
            drop(self.file.set_len(self.bytes));
        }
    }

    /// Make the disk keep all that was written.
    ///
    /// # Errors
    /// When the disk does not confirm it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_counts_nothing_as_written_and_gives_the_bytes_back() {
        let progress = Arc::<Progress>::default();
        let full = File::options().write(true).open("/dev/full").expect("there");
        let mut output = Output::new(full, Arc::clone(&progress));
        output.chunks().extend_from_slice(b"chunk");
        assert_eq!(output.flush(), Err(Unwritten(b"chunk".to_vec())));
        assert!(output.error().is_some() && progress.failed.load(Relaxed));
        assert_eq!(output.bytes(), 0);
        let more = output.write(&[0; DIRECT_BYTES]);
        assert_eq!(more, Some(Err(Unwritten(vec![0; DIRECT_BYTES]))), "a failed writer stays failed");
    }

    #[test]
    fn small_chunks_are_gathered_and_large_ones_written_at_once_in_order() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut output = Output::new(file.try_clone().expect("a clone"), Arc::default()).with_checksums();
        output.reserve(1000);
        output.chunks().extend_from_slice(b"a");
        assert_eq!(output.write(b"b"), None);
        assert_eq!((output.bytes(), output.take_checksum()), (0, None));
        output.chunks().extend_from_slice(b"c");
        assert_eq!(output.write(&vec![b'd'; DIRECT_BYTES]), Some(Ok(())));
        output.chunks().extend_from_slice(b"e");
        assert_eq!(output.flush(), Ok(()));
        let first = output.take_checksum().expect("of what was written");
        output.chunks().extend_from_slice(b"123456789");
        assert_eq!(output.flush(), Ok(()));
        let second = output.take_checksum().expect("of the rest");
        output.close().expect("synced");
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).expect("start");
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, format!("abc{}e123456789", "d".repeat(DIRECT_BYTES)));
        assert_eq!(output.bytes(), text.len() as u64, "room that was kept is no part of it");
        assert_eq!((first.from_byte, first.to_byte), (0, text.len() as u64 - 9));
        assert_eq!(first.crc32, crc32fast::hash(&text.as_bytes()[..text.len() - 9]));
        // The check value of this CRC.
        assert_eq!((second.from_byte, second.crc32), (first.to_byte, 0xcbf4_3926));
    }
}
