//! A file as random access for the format core.

use std::fs::File;
use std::io;

use lockstep_xdf::ReadAt;

/// An open file that several threads read at any place.
///
/// The size is taken when it is opened: of a file that is still being written, what was there then is
/// read.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size_bytes: u64,
}

impl FileSource {
    /// A file that is open for reading.
    ///
    /// # Errors
    /// When the system does not tell its size.
    pub fn new(file: File) -> io::Result<Self> {
        let size_bytes = file.metadata()?.len();
        Ok(Self { file, size_bytes })
    }
}

impl ReadAt for FileSource {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        // It moves the file's own position too, which nobody uses.
        std::os::windows::fs::FileExt::seek_read(&self.file, buf, offset)
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}
