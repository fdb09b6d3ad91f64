//! The files of a recording: one, unless its disk failed it. Who writes, who syncs and who watches share them.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::sync::{Progress, Syncer};

/// Files a recording may have: a disk that comes and goes must not fill a folder with them.
pub const MAX_PARTS: usize = 16;

/// What the configuration says of the files.
#[derive(Debug, Clone, Default)]
pub struct FileSettings {
    /// Where to go on when the first place fails.
    pub second_directory: Option<PathBuf>,
    /// Samples are on the disk when they are so old.
    pub sync: Duration,
    /// Bytes kept in memory while no file can be written.
    pub hold_bytes: usize,
    /// Whether to compute checksums.
    pub checksum: bool,
}

/// One of the files.
#[derive(Debug)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// How far it has come.
    pub progress: Arc<Progress>,
    /// What tells it from another file that may come to have its name.
    identity: Option<(u64, u64)>,
    /// Ends with it.
    _syncer: Syncer,
}

impl Part {
    /// Whether its path leads to it: a file can be moved, or its disk taken away, while it is open.
    pub fn is_there(&self) -> bool {
        let found = std::fs::metadata(&self.path);
        found.is_ok_and(|found| lockstep_platform::file_identity(&found) == self.identity)
    }
}

/// Why nothing can be written at this moment, and what became of the data meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// What the system said.
    pub error: String,
    /// Bytes kept in memory until there is room.
    pub held_bytes: u64,
    /// Samples that had to go to make room for newer ones.
    pub lost_samples: u64,
}

/// All files of one recording.
#[derive(Debug)]
pub struct Files {
    settings: FileSettings,
    /// At least one.
    parts: Mutex<Vec<Arc<Part>>>,
    trouble: Mutex<Option<Trouble>>,
    /// The writer is asked to go on in the second place, and why.
    wanted_move: Mutex<Option<String>>,
    has_move_failed: AtomicBool,
    /// The newest file was deleted and cannot be written anew, or is not where it was; in words.
    deleted: Mutex<Option<String>>,
    has_writer_died: AtomicBool,
}

/// Make a file that must not exist, and its folders. It is locked as long as it is open, so that others can see
/// that it is being written.
///
/// # Errors
/// When it exists or cannot be made; with the path that failed.
pub fn create(path: &Path) -> Result<File, (PathBuf, io::Error)> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| (parent.to_owned(), e))?;
    }
    // It is read when its name has to be given back to it.
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    let file = file.map_err(|e| (path.to_owned(), e))?;
    // Some network file systems have no locks; that it did not exist has kept others out of it.
    drop(file.try_lock());
    Ok(file)
}

/// Whether an error says that there is no room.
pub fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl Files {
    /// The files of a recording that begins in `file` at `path`.
    ///
    /// # Errors
    /// When the system gives no thread or handle.
    pub fn new(file: &File, path: &Path, settings: FileSettings) -> io::Result<Arc<Self>> {
        let part = part(file, path, settings.sync)?;
        part.progress.eager.store(true, Relaxed);
        Ok(Arc::new(Self {
            settings,
            parts: Mutex::new(vec![part]),
            trouble: Mutex::default(),
            wanted_move: Mutex::default(),
            has_move_failed: AtomicBool::new(false),
            deleted: Mutex::default(),
            has_writer_died: AtomicBool::new(false),
        }))
    }

    /// What the configuration says.
    pub fn settings(&self) -> &FileSettings {
        &self.settings
    }

    /// All of them, the first first.
    pub fn parts(&self) -> Vec<Arc<Part>> {
        self.parts.lock().clone()
    }

    fn sum(&self, of: impl Fn(&Progress) -> u64) -> u64 {
        self.parts.lock().iter().map(|part| of(&part.progress)).sum()
    }

    /// Bytes handed to the operating system, in all files.
    pub fn written_bytes(&self) -> u64 {
        self.sum(|progress| progress.written_bytes.load(Relaxed))
    }

    /// Bytes of them that are on the disk.
    pub fn synced_bytes(&self) -> u64 {
        self.sum(|progress| progress.synced_bytes.load(Relaxed))
    }

    /// Why a disk did not keep something, if one did not.
    pub fn sync_error(&self) -> Option<String> {
        self.parts.lock().iter().find_map(|part| part.progress.sync_error())
    }

    /// The file that is written now.
    pub fn current(&self) -> Option<Arc<Part>> {
        self.parts.lock().last().cloned()
    }

    /// Where the file is that is written now.
    pub fn current_path(&self) -> PathBuf {
        self.current().map(|part| part.path.clone()).unwrap_or_default()
    }

    /// Sync only as often as is wanted in the long run: nobody waits any more.
    pub fn begin(&self) {
        self.parts.lock().iter().for_each(|part| part.progress.eager.store(false, Relaxed));
    }

    /// What is wrong with writing at this moment.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<Trouble>) {
        *self.trouble.lock() = trouble;
    }

    /// The thread that writes has panicked.
    pub fn has_writer_died(&self) -> bool {
        self.has_writer_died.load(Relaxed)
    }

    pub(super) fn set_writer_died(&self) {
        self.has_writer_died.store(true, Relaxed);
    }

    /// What is wrong with the newest file: it was deleted and cannot be written anew, or is not where it was.
    pub fn deleted(&self) -> Option<String> {
        self.deleted.lock().clone()
    }

    pub(super) fn set_deleted(&self, why: Option<String>) {
        *self.deleted.lock() = why;
    }

    /// Ask the writer to go on in the second directory. `false`: there is none, it is there already, or it cannot.
    pub fn move_on(&self, why: &str) -> bool {
        let can = self.second_place().is_some() && !self.has_move_failed.load(Relaxed);
        if can {
            self.wanted_move.lock().get_or_insert_with(|| why.to_owned());
        }
        can
    }

    pub(super) fn take_wanted_move(&self) -> Option<String> {
        self.wanted_move.lock().take()
    }

    pub(super) fn set_move_failed(&self) {
        self.has_move_failed.store(true, Relaxed);
    }

    /// The second directory, unless that is where the newest file is.
    pub(super) fn second_place(&self) -> Option<PathBuf> {
        let second = self.settings.second_directory.as_ref()?;
        let is_there = self.current_path().parent() == Some(second);
        (!is_there).then(|| second.clone())
    }

    /// The directory the recording began in, unless that is where the newest file is and `also_here` is not said.
    pub(super) fn first_place(&self, also_here: bool) -> Option<PathBuf> {
        let parts = self.parts.lock();
        let folder = |part: Option<&Arc<Part>>| part.and_then(|p| p.path.parent()).map(Path::to_owned);
        let (first, newest) = (folder(parts.first())?, folder(parts.last()));
        (also_here || newest.as_ref() != Some(&first)).then_some(first)
    }

    /// Make another file in `folder`: `NAME_part-2.xdf`, or the next free number. It joins the others when it has
    /// been begun, by [`Files::join`].
    ///
    /// # Errors
    /// When it cannot be made, or there are too many.
    pub(super) fn make_part(&self, folder: &Path) -> io::Result<(Arc<Part>, File)> {
        let parts = self.parts();
        if parts.len() >= MAX_PARTS {
            return Err(io::Error::other(format!("the recording has {MAX_PARTS} files already")));
        }
        let first = parts.first().map(|part| part.path.clone()).unwrap_or_default();
        let stem = first.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for number in parts.len() + 1..=parts.len() + 2 * MAX_PARTS {
            let path = folder.join(format!("{stem}_part-{number}.xdf"));
            match create(&path) {
                Ok(file) => return Ok((part(&file, &path, self.settings.sync)?, file)),
                Err((_, e)) if e.kind() == ErrorKind::AlreadyExists => {}
                Err((path, e)) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
        Err(io::Error::other("files of such names are there already"))
    }

    pub(super) fn join(&self, part: Arc<Part>) {
        self.parts.lock().push(part);
    }

    /// Give the newest file, which somebody has deleted, its name back: `old` is still open, and all of it is
    /// copied. In the folder it had, or else in the second directory.
    ///
    /// # Errors
    /// When there is no room for it anywhere.
    pub(super) fn give_name_back(&self, old: &File) -> io::Result<(Arc<Part>, File)> {
        let newest = self.current().ok_or(ErrorKind::NotFound)?;
        let name = newest.path.file_name().unwrap_or_default();
        let second = self.second_place().map(|folder| folder.join(name));
        // Somebody may have put another file in its place.
        let stem = newest.path.file_stem().unwrap_or_default().to_string_lossy();
        let other = newest.path.with_file_name(format!("{stem}_restored.xdf"));
        let mut error = io::Error::from(ErrorKind::NotFound);
        for path in [newest.path.clone(), other].into_iter().chain(second) {
            match copy(old, &path).and_then(|file| Ok((part(&file, &path, self.settings.sync)?, file))) {
                Ok((part, file)) => {
                    part.progress.written_bytes.store(newest.progress.written_bytes.load(Relaxed), Relaxed);
                    if let Some(last) = self.parts.lock().last_mut() {
                        *last = Arc::clone(&part);
                    }
                    return Ok((part, file));
                }
                Err(e) => error = io::Error::new(e.kind(), format!("{}: {e}", path.display())),
            }
        }
        Err(error)
    }
}

fn part(file: &File, path: &Path, sync: Duration) -> io::Result<Arc<Part>> {
    let progress = Arc::<Progress>::default();
    let syncer = Syncer::start(file.try_clone()?, path, Arc::clone(&progress), sync)?;
    let identity = lockstep_platform::file_identity(&file.metadata()?);
    Ok(Arc::new(Part { path: path.to_owned(), progress, identity, _syncer: syncer }))
}

/// A copy of all of `old` at `path`, where nothing may be.
fn copy(mut old: &File, path: &Path) -> io::Result<File> {
    use std::io::{Seek, SeekFrom};
    let mut file = create(path).map_err(|(_, e)| e)?;
    let at = old.stream_position()?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if lockstep_platform::free_bytes(folder).is_ok_and(|free| free < at) {
        // It is tried again and again: only where it can succeed.
        drop(std::fs::remove_file(path));
        return Err(ErrorKind::StorageFull.into());
    }
    old.seek(SeekFrom::Start(0))?;
    let copied = io::copy(&mut old, &mut file);
    // It is written on in the old one if this fails.
    old.seek(SeekFrom::Start(at))?;
    if copied.as_ref().is_ok_and(|copied| *copied >= at) {
        return Ok(file);
    }
    drop(std::fs::remove_file(path));
    Err(copied.err().unwrap_or_else(|| ErrorKind::UnexpectedEof.into()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn files(folder: &Path, second: Option<PathBuf>) -> (Arc<Files>, File) {
        let path = folder.join("rec.xdf");
        let file = create(&path).expect("a file");
        let settings = FileSettings { second_directory: second, ..FileSettings::default() };
        (Files::new(&file, &path, settings).expect("files"), file)
    }

    #[test]
    fn another_file_is_made_under_the_next_free_name_in_the_other_place() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (files, _file) = files(one.path(), Some(two.path().join("deep")));
        let second = files.second_place().expect("a second place");
        std::fs::create_dir(&second).expect("a folder");
        std::fs::write(second.join("rec_part-2.xdf"), "of another").expect("a file");
        let (part, _) = files.make_part(&second).expect("a part");
        assert_eq!(part.path, second.join("rec_part-3.xdf"));
        files.join(part);
        assert_eq!(files.second_place(), None, "it is there already");
        assert_eq!(files.first_place(false), Some(one.path().to_owned()));
        assert!(!files.move_on("full"));
    }

    #[test]
    #[cfg(unix)]
    fn a_deleted_file_gets_its_name_back_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (files, mut file) = files(&folder.path().join("sub"), None);
        file.write_all(b"all of it").expect("written");
        std::fs::remove_dir_all(folder.path().join("sub")).expect("removed");
        assert!(lockstep_platform::is_deleted(&file));
        let (part, mut file) = files.give_name_back(&file).expect("a name");
        assert_eq!(part.path, folder.path().join("sub/rec.xdf"));
        file.write_all(b", and more").expect("written");
        let mut text = String::new();
        File::open(&part.path).expect("there").read_to_string(&mut text).expect("text");
        assert_eq!(text, "all of it, and more");
        assert_eq!(files.parts().len(), 1);
    }

    #[test]
    fn a_file_that_is_written_is_locked() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_files, _file) = files(folder.path(), None);
        let other = File::open(folder.path().join("rec.xdf")).expect("there");
        assert!(matches!(other.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)));
        assert_eq!(
            create(&folder.path().join("rec.xdf")).err().map(|e| e.1.kind()),
            Some(ErrorKind::AlreadyExists)
        );
    }
}
