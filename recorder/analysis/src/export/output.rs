//! Files that are there whole, or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::ExportError;

/// What is added to the names of files that are not whole yet.
const PARTIAL: &str = ".partial";

/// The folder of an export. Files get their names only when all of them are whole; dropped before,
/// they are deleted, and so is the folder when the export made it.
#[derive(Debug)]
pub(crate) struct Output {
    folder: PathBuf,
    overwrite: bool,
    made_folder: bool,
    /// Names of the files so far.
    files: Vec<String>,
}

impl Output {
    pub(crate) fn new(folder: &Path, overwrite: bool) -> Result<Self, ExportError> {
        let made_folder = !folder.exists();
        let failed = |source| ExportError::Write { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), overwrite, made_folder, files: Vec::new() })
    }

    /// Where a file will be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Fails if a file of that name is there and must stay.
    pub(crate) fn check(&self, name: &str) -> Result<(), ExportError> {
        let path = self.path(name);
        // A link that leads nowhere is something, too.
        if !self.overwrite && path.symlink_metadata().is_ok() {
            return Err(ExportError::Exists { path });
        }
        Ok(())
    }

    /// Begin a file.
    pub(crate) fn create(&mut self, name: &str) -> Result<OutputFile, ExportError> {
        self.check(name)?;
        let path = self.path(name);
        let partial = partial(&path);
        match File::create(&partial) {
            Ok(file) => {
                self.files.push(name.to_owned());
                Ok(OutputFile { file, path })
            }
            Err(source) => Err(ExportError::Write { path: partial, source }),
        }
    }

    /// Write a small file at once.
    pub(crate) fn write(&mut self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        use io::Write;
        let OutputFile { mut file, path } = self.create(name)?;
        file.write_all(content).map_err(|source| ExportError::Write { path, source })
    }

    /// All is whole: give the files their names.
    pub(crate) fn keep(mut self) -> Result<Vec<PathBuf>, ExportError> {
        for name in &self.files {
            self.check(name)?;
        }
        let mut kept = Vec::new();
        for name in &self.files {
            let path = self.path(name);
            std::fs::rename(partial(&path), &path)
                .map_err(|source| ExportError::Write { path: path.clone(), source })?;
            kept.push(path);
        }
        self.files.clear();
        self.made_folder = false;
        Ok(kept)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        for name in &self.files {
            drop(std::fs::remove_file(partial(&self.folder.join(name))));
        }
        if self.made_folder {
            // Only if it is empty.
            drop(std::fs::remove_dir(&self.folder));
        }
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PARTIAL);
    name.into()
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct OutputFile {
    /// To be written.
    pub(crate) file: File,
    /// The name it will have.
    pub(crate) path: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        let mut output = Output::new(&folder, false).unwrap();
        output.write("x", b"1").unwrap();
        assert!(!folder.join("x").exists());
        drop(output);
        assert!(!folder.exists(), "nothing of it stays");

        let mut output = Output::new(&folder, false).unwrap();
        output.write("x", b"1").unwrap();
        assert_eq!(output.keep().unwrap(), [folder.join("x")]);
        assert_eq!(std::fs::read(folder.join("x")).unwrap(), b"1");

        let mut output = Output::new(&folder, false).unwrap();
        assert!(matches!(output.write("x", b"2"), Err(ExportError::Exists { .. })));
        drop(output);
        let mut output = Output::new(&folder, true).unwrap();
        output.write("x", b"3").unwrap();
        drop(output);
        assert_eq!(
            std::fs::read(folder.join("x")).unwrap(),
            b"1",
            "the old one stays until the new is whole"
        );
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }
}
