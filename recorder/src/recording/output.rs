//! The file, as the writer sees it: whole chunks go in, or nothing.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::sync::Progress;

/// Blocks from this size on are written directly instead of being gathered.
const DIRECT_BYTES: usize = 64 << 10;

/// A file of chunks. A failed write is undone, so that the file ends with a
/// whole chunk, and nothing more is written until [`Output::try_again`].
#[derive(Debug)]
pub struct Output {
    file: File,
    gathered: Vec<u8>,
    progress: Arc<Progress>,
    error: Option<String>,
}

impl Output {
    /// An empty file.
    pub fn new(file: File, progress: Arc<Progress>) -> Self {
        Self { file, gathered: Vec::with_capacity(2 * DIRECT_BYTES), progress, error: None }
    }

    /// Where to append whole chunks, or the beginning of one whose rest is given
    /// to [`Output::write`] next.
    pub fn chunks(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Append the rest of a chunk. Whether everything so far has gone to the
    /// operating system (`None`: it is still gathered).
    pub fn write(&mut self, rest: &[u8]) -> Option<bool> {
        if rest.len() < DIRECT_BYTES {
            self.gathered.extend_from_slice(rest);
            return (self.gathered.len() >= DIRECT_BYTES).then(|| self.flush());
        }
        Some(self.flush_with(rest))
    }

    /// Hand what is gathered to the operating system; whether it took it.
    pub fn flush(&mut self) -> bool {
        self.flush_with(&[])
    }

    fn flush_with(&mut self, rest: &[u8]) -> bool {
        if self.error.is_none() {
            let written = self.file.write_all(&self.gathered).and_then(|()| self.file.write_all(rest));
            match written {
                Ok(()) => {
                    self.progress.written_bytes.fetch_add((self.gathered.len() + rest.len()) as u64, Relaxed);
                }
                Err(e) => {
                    self.error = Some(e.to_string());
                    self.progress.failed.store(true, Relaxed);
                    // Whatever was written of the chunk is cut off; should that fail too,
                    // readers find a torn chunk at the end.
                    drop(self.cut_back());
                }
            }
        }
        self.gathered.clear();
        self.error.is_none()
    }

    fn cut_back(&mut self) -> io::Result<()> {
        let good = self.bytes();
        self.file.set_len(good)?;
        self.file.seek(SeekFrom::Start(good)).map(drop)
    }

    /// Bytes of whole chunks in the file.
    pub fn bytes(&self) -> u64 {
        self.progress.written_bytes.load(Relaxed)
    }

    /// Why writing failed, if it did.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Take up writing again after a failure: there may be room for something small.
    pub fn try_again(&mut self) {
        self.error = None;
    }

    /// Make the disk keep it all.
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
    fn a_full_disk_is_told_and_counts_nothing_as_written() {
        let progress = Arc::<Progress>::default();
        let full = File::options().write(true).open("/dev/full").expect("there");
        let mut output = Output::new(full, Arc::clone(&progress));
        output.chunks().extend_from_slice(b"chunk");
        assert!(!output.flush());
        assert!(output.error().is_some() && progress.failed.load(Relaxed));
        assert_eq!(output.bytes(), 0);
        assert_eq!(output.write(&[0; DIRECT_BYTES]), Some(false), "a failed writer stays failed");
    }

    #[test]
    fn small_chunks_are_gathered_and_large_ones_written_at_once_in_order() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut output = Output::new(file.try_clone().expect("a clone"), Arc::default());
        output.chunks().extend_from_slice(b"a");
        assert_eq!(output.write(b"b"), None);
        assert_eq!(output.bytes(), 0);
        output.chunks().extend_from_slice(b"c");
        assert_eq!(output.write(&vec![b'd'; DIRECT_BYTES]), Some(true));
        output.chunks().extend_from_slice(b"e");
        assert!(output.flush());
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).expect("start");
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, format!("abc{}e", "d".repeat(DIRECT_BYTES)));
        assert_eq!(output.bytes(), text.len() as u64);
    }
}
