//! A folder of its own for each test, kept for looking at when the test fails.

use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A temporary folder. It is deleted at the end, unless the test panics.
#[derive(Debug)]
pub struct TestDir(Option<tempfile::TempDir>);

impl TestDir {
    /// A new, empty one.
    pub fn new() -> Self {
        Self(Some(tempfile::tempdir().expect("a temporary folder")))
    }

    /// The same in memory, where the system has such a folder. At its end a recording waits for the
    /// disk to confirm it, and a disk that others keep busy takes seconds: where the program's own
    /// time is measured, that is no part of it.
    pub fn in_memory() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::new(), |dir| Self(Some(dir)))
    }

    /// Write a file into it, with the folders on the way.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let folder = path.parent().expect("a path in the folder");
        std::fs::create_dir_all(folder).expect("create a folder");
        std::fs::write(&path, text).expect("write a file");
        path
    }
}

impl Deref for TestDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.as_ref().expect("it is there until it is dropped").path()
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        if let Some(dir) = self.0.take().filter(|_| std::thread::panicking()) {
            eprintln!("the files of this test are kept in {}", dir.keep().display());
        }
    }
}
