//! The new file: written under another name, read once more, and only then given its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lockstep_xdf::{Damage, DamageReason, SampleChunk, Scan, encode};

use super::header::{self, Origin};
use super::stream::Piece;
use super::{Progress, Recovery};
use crate::{FileSource, Recording};

/// Bytes copied at once.
const BLOCK_BYTES: usize = 1 << 20;
/// Bytes gathered before the system gets them.
const BUFFER_BYTES: usize = 1 << 18;
/// Between two marks at which readers of damaged files find their way back.
const BOUNDARY_BYTES: u64 = 16 << 20;
/// Between two reports of progress.
const PROGRESS_BYTES: u64 = 4 << 20;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// It is there already.
    #[error("{path} exists", path = .0.display())]
    Exists(PathBuf),
    /// The damaged file cannot be read.
    #[error("{path}: cannot be read at byte {offset}: {source}", path = .path.display())]
    Read {
        /// The damaged file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The new file cannot be written.
    #[error("{path}: cannot be written: {source}", path = .path.display())]
    Write {
        /// The new file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing to write.
    #[error("{path}: no stream has a header that can be read, so that nothing can be recovered", path = .0.display())]
    Nothing(PathBuf),
    /// What was written does not read as it should.
    #[error("{path}: what was written is not what was to be written: {what}", path = .path.display())]
    NotAsPlanned {
        /// The new file, which was deleted.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Where a recording is recovered to unless another place is named: `NAME_recovered.xdf` beside it.
pub fn default_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    let end = [".xdf.gz", ".xdfz", ".xdf"].iter().find(|end| lower.ends_with(**end));
    let stem = &name[..name.len() - end.map_or(0, |end| end.len())];
    path.with_file_name(format!("{stem}_recovered.xdf"))
}

/// CRC-32 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn crc32_of(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(size) => hasher.update(&block[..size]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Write what is recovered to `output`, which must not exist. It has that name only when it is whole and
/// on the disk.
///
/// # Errors
/// [`RecoverError`]; then there is no new file.
pub fn write(
    recording: &Recording,
    recovery: &Recovery,
    origin: &Origin,
    output: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RecoverError> {
    let failed = |source| RecoverError::Write { path: output.to_owned(), source };
    if recovery.streams.is_empty() {
        return Err(RecoverError::Nothing(recording.path.clone()));
    }
    // A link that leads nowhere is something, too.
    if output.symlink_metadata().is_ok() {
        return Err(RecoverError::Exists(output.to_owned()));
    }
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut name = tempfile::Builder::new();
    name.prefix(".lockstep-recover-").suffix(".partial");
    #[cfg(unix)]
    name.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut partial = name.tempfile_in(folder).map_err(failed)?;
    write_into(recording, recovery, origin, partial.as_file_mut(), output, progress)?;
    partial.as_file().sync_all().map_err(failed)?;
    verify(partial.as_file().try_clone().map_err(failed)?, recovery, output)?;
    partial.persist_noclobber(output).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => RecoverError::Exists(output.to_owned()),
        _ => failed(error.error),
    })?;
    // So that the name is on the disk, too.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(())
}

/// Write what is recovered to `out`; `output` is what it is called when something fails.
///
/// # Errors
/// [`RecoverError`].
pub fn write_into(
    recording: &Recording,
    recovery: &Recovery,
    origin: &Origin,
    out: impl Write,
    output: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RecoverError> {
    let out = io::BufWriter::with_capacity(BUFFER_BYTES, out);
    let (buffer, block) = (Vec::new(), Vec::new());
    let mut writer = Writer { recording, recovery, output, out, buffer, block, since_boundary: 0 };
    writer.write_all(&header::file_header(recording, recovery, origin), progress)
}

/// Reads the new file as anybody would.
fn verify(file: File, recovery: &Recovery, output: &Path) -> Result<(), RecoverError> {
    let failed = |source| RecoverError::Write { path: output.to_owned(), source };
    let source = FileSource::new(file).map_err(failed)?;
    let wrong = |what: String| RecoverError::NotAsPlanned { path: output.to_owned(), what };
    let scan: Scan = lockstep_xdf::scan(&source, &mut |_| {}).map_err(|error| wrong(error.to_string()))?;
    let is_kept = |damage: &&Damage| matches!(damage.reason, DamageReason::UnknownTag(_));
    if let Some(damage) = scan.damage.iter().find(|damage| !is_kept(damage)) {
        return Err(wrong(damage.to_string()));
    }
    let is_as_planned = scan.streams.len() == recovery.streams.len()
        && scan.streams.iter().zip(&recovery.streams).all(|(found, planned)| {
            found.id == planned.id
                && found.sample_count == planned.samples
                && found.clock_offsets.len() as u64 == planned.clock_offsets
                && found.footer.as_ref().is_some_and(|footer| footer.sample_count == planned.samples)
        });
    if is_as_planned { Ok(()) } else { Err(wrong("streams, samples or footers are missing".to_owned())) }
}

/// Something in the old file, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Header,
    Chunk(usize),
    Offset(usize),
    Boundary(usize),
    Unknown(usize),
}

struct Writer<'a, W: Write> {
    recording: &'a Recording,
    recovery: &'a Recovery,
    output: &'a Path,
    out: io::BufWriter<W>,
    buffer: Vec<u8>,
    block: Vec<u8>,
    since_boundary: u64,
}

impl<W: Write> Writer<'_, W> {
    fn write_all(
        &mut self,
        file_header: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), RecoverError> {
        encode::file_header(&mut self.buffer, file_header);
        self.put()?;
        let scan = &self.recording.scan;
        // The next of everything, by its place in the old file.
        let mut next = BinaryHeap::new();
        for (index, stream) in scan.streams.iter().enumerate() {
            next.push(Reverse((stream.header_offset, Item::Header, index)));
            self.queue(&mut next, Item::Chunk(0), index);
            self.queue(&mut next, Item::Offset(0), index);
        }
        self.queue(&mut next, Item::Boundary(0), 0);
        self.queue(&mut next, Item::Unknown(0), 0);
        let mut told = 0;
        while let Some(Reverse((place, item, index))) = next.pop() {
            self.item(item, index)?;
            match item {
                Item::Header => {}
                Item::Chunk(at) => self.queue(&mut next, Item::Chunk(at + 1), index),
                Item::Offset(at) => self.queue(&mut next, Item::Offset(at + 1), index),
                Item::Boundary(at) => self.queue(&mut next, Item::Boundary(at + 1), index),
                Item::Unknown(at) => self.queue(&mut next, Item::Unknown(at + 1), index),
            }
            if place >= told + PROGRESS_BYTES {
                told = place;
                progress(Progress::Writing { done: place, of: scan.bytes });
            }
        }
        for stream in &self.recovery.streams {
            encode::stream_footer(&mut self.buffer, stream.id, &stream.footer_xml);
            self.put()?;
        }
        self.out.flush().map_err(|source| self.failed(source))
    }

    fn queue(&self, next: &mut BinaryHeap<Reverse<(u64, Item, usize)>>, item: Item, index: usize) {
        let scan = &self.recording.scan;
        let stream = scan.streams.get(index);
        let place = match item {
            Item::Header => stream.map(|stream| stream.header_offset),
            Item::Chunk(at) => stream.and_then(|stream| stream.chunks.get(at)).map(|chunk| chunk.file_offset),
            Item::Offset(at) => {
                stream.and_then(|stream| stream.clock_offsets.get(at)).map(|offset| offset.file_offset)
            }
            Item::Boundary(at) => scan.boundaries.get(at).copied(),
            Item::Unknown(at) => scan.unknown_chunks.get(at).map(|chunk| chunk.file_offset),
        };
        next.extend(place.map(|place| Reverse((place, item, index))));
    }

    fn item(&mut self, item: Item, index: usize) -> Result<(), RecoverError> {
        match item {
            Item::Boundary(_) => return self.boundary(),
            Item::Unknown(at) => {
                let chunk = self.recording.scan.unknown_chunks[at];
                return self.copy(chunk.file_offset, chunk.file_offset + chunk.bytes);
            }
            _ => {}
        }
        let stream = &self.recording.scan.streams[index];
        let id = self.recovery.streams[index].id;
        match item {
            Item::Header => {
                encode::stream_header(&mut self.buffer, id, &header::sound(&stream.header_xml));
                self.put()?;
            }
            Item::Chunk(at) => {
                let whole = stream.chunks[at];
                match self.recovery.samples[index].parts.get(&at) {
                    Some(pieces) => self.samples(id, pieces)?,
                    None => self.samples(id, &[piece(&whole)])?,
                }
            }
            Item::Offset(at) => {
                let offset = &stream.clock_offsets[at];
                if !self.recovery.dropped_offsets.contains(&offset.file_offset) {
                    encode::clock_offset(&mut self.buffer, id, offset.collection_time_s, offset.offset_s);
                    self.put()?;
                }
            }
            Item::Boundary(_) | Item::Unknown(_) => {}
        }
        if self.since_boundary >= BOUNDARY_BYTES {
            self.boundary()?;
        }
        Ok(())
    }

    fn boundary(&mut self) -> Result<(), RecoverError> {
        encode::boundary(&mut self.buffer);
        self.put()?;
        self.since_boundary = 0;
        Ok(())
    }

    /// One chunk of all these samples.
    fn samples(&mut self, id: u32, pieces: &[Piece]) -> Result<(), RecoverError> {
        let samples = pieces.iter().map(|piece| piece.samples).sum();
        let bytes = |piece: &Piece| piece.bytes + if piece.stamp_s.is_some() { 8 } else { 0 };
        if samples == 0 {
            return Ok(());
        }
        encode::samples_head(&mut self.buffer, id, samples, pieces.iter().map(bytes).sum::<u64>() as usize);
        self.put()?;
        for piece in pieces {
            let (mut from, to) = (piece.offset, piece.offset + piece.bytes);
            if let Some(stamp_s) = piece.stamp_s {
                self.buffer.push(8);
                self.buffer.extend_from_slice(&stamp_s.to_le_bytes());
                self.put()?;
                // The mark that there is no stamp.
                from += 1;
            }
            self.copy(from, to)?;
        }
        Ok(())
    }

    fn copy(&mut self, mut from: u64, to: u64) -> Result<(), RecoverError> {
        while from < to {
            let wanted = usize::try_from(to - from).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            self.block.resize(wanted.max(self.block.len()), 0);
            let read = self.recording.source().read_at(from, &mut self.block[..wanted]);
            let failed =
                |source| RecoverError::Read { path: self.recording.path.clone(), offset: from, source };
            match read {
                Ok(0) => return Err(failed(io::Error::other("the file has become shorter"))),
                Ok(size) => {
                    let block = std::mem::take(&mut self.block);
                    let done = self.out.write_all(&block[..size.min(wanted)]);
                    self.block = block;
                    done.map_err(|source| self.failed(source))?;
                    from += size as u64;
                    self.since_boundary += size as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn put(&mut self) -> Result<(), RecoverError> {
        let done = self.out.write_all(&self.buffer);
        self.since_boundary += self.buffer.len() as u64;
        self.buffer.clear();
        done.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> RecoverError {
        RecoverError::Write { path: self.output.to_owned(), source }
    }
}

fn piece(chunk: &SampleChunk) -> Piece {
    Piece {
        offset: chunk.body_offset(),
        bytes: u64::from(chunk.body_bytes),
        samples: u64::from(chunk.samples),
        stamp_s: None,
    }
}
