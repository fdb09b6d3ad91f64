//! Opening a recording: unpacked where it is packed, and scanned.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use lockstep_xdf::packed::{self, Packing, UnpackError};
use lockstep_xdf::{Element, ReadAt, Scan, ScanError};

use crate::source::FileSource;

/// A recording packs to a third or so; one that unpacks to more than this many times its size is made
/// to fill the disk.
const MAX_RATIO: u64 = 100;

/// ... unless it stays below this.
const MIN_LIMIT_BYTES: u64 = 1 << 30;

/// Element of the file header that says what a recording was recovered from.
pub(crate) const RECOVERED: &str = "recovered";

/// A recording that was opened and scanned. It keeps no sample in memory.
pub struct Recording {
    /// The path as given.
    pub path: PathBuf,
    /// How the file on disk is packed.
    pub packing: Packing,
    /// Bytes of the file on disk.
    pub file_bytes: u64,
    /// What was found: headers, footers, clock offsets, where the samples are, damage.
    pub scan: Scan,
    /// Why only a part of a packed file could be unpacked: what came before that was read.
    pub unpack_fault: Option<String>,
    /// A recorder writes it at this moment: it has a lock on it until it has closed it.
    pub is_being_recorded: bool,
    /// The root element of the FileHeader chunk, where there is one that can be read.
    pub header: Option<Element>,
    source: Box<dyn ReadAt>,
}

/// What opening a file is doing, for a progress display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Unpacking gzip or zlib: packed bytes done and altogether.
    Unpacking {
        /// Bytes of the packed file read so far.
        done: u64,
        /// Bytes of the packed file.
        of: u64,
    },
    /// Looking for chunks: bytes done and altogether.
    Scanning {
        /// Bytes scanned so far.
        done: u64,
        /// Bytes of the (unpacked) file.
        of: u64,
    },
}

/// Why a recording cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refuses it.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It has no bytes, or not enough of them for any recording.
    #[error(
        "{path} is empty: it has {bytes} bytes; a recorder that was killed at once, or a copy that failed, leaves such a file",
        path = .path.display()
    )]
    Empty {
        /// The path as given.
        path: PathBuf,
        /// Bytes it has.
        bytes: u64,
    },
    /// It is packed and cannot be unpacked to disk.
    #[error(
        "{path}: cannot be unpacked into the folder for temporary files: {source}; if there is no room, set TMPDIR to a folder that has it",
        path = .path.display()
    )]
    Unpack {
        /// The path as given.
        path: PathBuf,
        /// What went wrong.
        source: UnpackError,
    },
    /// It is no XDF file.
    #[error("{path}: {source}", path = .path.display())]
    Scan {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        source: ScanError,
    },
}

/// Open a recording: any XDF file, plain, gzip or zlib (told apart by their first bytes, not by
/// the name). A packed one is unpacked into a temporary file without a name, which the system
/// deletes when the recording is closed, however the program ends.
///
/// # Errors
/// [`OpenError`]; damage inside the file is no error, it is in `scan.damage`.
pub fn open(path: &Path, progress: &mut dyn FnMut(Opening)) -> Result<Recording, OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let file_bytes = file.metadata().map_err(failed)?.len();
    let mut first = [0; 16];
    let got = read_some(&mut file, &mut first).map_err(failed)?;
    if got < lockstep_xdf::MAGIC.len() {
        return Err(OpenError::Empty { path: path.to_owned(), bytes: got as u64 });
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let is_being_recorded = is_locked(&file);
    let packing = packed::sniff(&first[..got]);
    let (file, unpack_fault) = match packing {
        Packing::None => (file, None),
        _ => unpack(file, file_bytes, progress)
            .map_err(|source| OpenError::Unpack { path: path.to_owned(), source })?,
    };
    let source = FileSource::new(file).map_err(failed)?;
    let of = source.size_bytes();
    let scan = lockstep_xdf::scan(&source, &mut |done| progress(Opening::Scanning { done, of }))
        .map_err(|source| OpenError::Scan { path: path.to_owned(), source })?;
    Ok(Recording {
        packing,
        file_bytes,
        unpack_fault,
        is_being_recorded,
        ..Recording::from_source(path, Box::new(source), scan)
    })
}

impl Recording {
    /// A recording over any bytes, with the scan of them. `path` is only shown.
    pub fn from_source(path: &Path, source: Box<dyn ReadAt>, scan: Scan) -> Self {
        let header = scan.header_xml.as_deref().and_then(|xml| Element::parse(xml).ok());
        let file_bytes = source.size_bytes();
        Self {
            path: path.to_owned(),
            packing: Packing::None,
            file_bytes,
            scan,
            unpack_fault: None,
            is_being_recorded: false,
            header,
            source,
        }
    }

    /// The bytes, unpacked.
    pub fn source(&self) -> &dyn ReadAt {
        &*self.source
    }

    /// The program that recorded it, where the file header says so: what Lockstep writes.
    pub fn recorder(&self) -> Option<&str> {
        self.header.as_ref()?.text_at("recorder")
    }

    /// Recorded by Lockstep, whose clock offsets are only written when they were measured.
    pub fn is_lockstep(&self) -> bool {
        self.recorder().is_some_and(|name| name.starts_with("Lockstep"))
    }

    /// Written by `lockstep recover` out of a damaged file.
    pub fn is_recovered(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.child(RECOVERED).is_some())
    }

    /// Goes on where another file ended, whose disk had failed.
    pub fn is_continuation(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.child("continues").is_some())
    }

    /// Looks like LabRecorder's: the file header has a version and a date and nothing else.
    pub fn is_lab_recorder(&self) -> bool {
        self.header.as_ref().is_some_and(|header| {
            header.child("datetime").is_some()
                && header
                    .children
                    .iter()
                    .all(|child| matches!(child.name.as_str(), "version" | "datetime" | RECOVERED))
        })
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, packing, file_bytes, scan, .. } = self;
        write!(f, "Recording({path:?}, {packing:?}, {file_bytes} bytes, {} streams)", scan.streams.len())
    }
}

fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            // Closing it would do as well.
            drop(file.unlock());
            false
        }
        Err(TryLockError::WouldBlock) => true,
        // Some network file systems have no locks.
        Err(TryLockError::Error(_)) => false,
    }
}

/// Reads until the buffer is full or the file ends.
fn read_some(file: &mut File, buf: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buf.len() {
        match file.read(&mut buf[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// Unpack into a temporary file without a name; also says why not all of it, when what came before
/// can be read.
fn unpack(
    file: File,
    of: u64,
    progress: &mut dyn FnMut(Opening),
) -> Result<(File, Option<String>), UnpackError> {
    let mut into = tempfile::tempfile().map_err(UnpackError::Write)?;
    let limit_bytes = of.saturating_mul(MAX_RATIO).max(MIN_LIMIT_BYTES);
    match packed::unpack(Counted { file, done: 0, of, progress }, &mut into, limit_bytes) {
        Ok(_) => Ok((into, None)),
        Err(fault @ UnpackError::Read { unpacked_bytes: 1.., .. }) => Ok((into, Some(fault.to_string()))),
        Err(fault) => Err(fault),
    }
}

/// Tells how much was read.
struct Counted<'a> {
    file: File,
    done: u64,
    of: u64,
    progress: &'a mut dyn FnMut(Opening),
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buf)?;
        self.done += got as u64;
        (self.progress)(Opening::Unpacking { done: self.done, of: self.of });
        Ok(got)
    }
}
