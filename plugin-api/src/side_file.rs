//! Files beside the recording, for what is no stream of samples.

use crate::error::Error;
use crate::host::Host;
use crate::sys;

/// A file beside the recording, which the recorder writes.
#[derive(Debug)]
pub struct SideFile {
    host: Host,
    table: sys::SideFiles,
    id: u32,
    file_name: &'static str,
}

impl Host {
    /// Make a file beside the recording, for `what` it holds, as `scene`, in the format that `suffix` says, as `h264`
    /// (both `[A-Za-z0-9_-]+`). From `start` on. The recorder names it after the recording and the source.
    ///
    /// # Errors
    /// The recorder has no such files (it is older than ABI 1.2), refuses the names, or cannot make it.
    pub fn side_file(&self, what: &str, suffix: &str) -> Result<SideFile, Error> {
        // SAFETY: by the header, the extension of this name is NULL or a static lks_side_files.
        let table = unsafe { self.extension::<sys::SideFiles>(sys::EXT_SIDE_FILES) };
        let none = || Error::io("this recorder keeps no files beside the recording; it is too old");
        let table = table.ok_or_else(none)?;
        let create = table.create.ok_or_else(none)?;
        let mut made = sys::SideFile {
            struct_size: size_of::<sys::SideFile>() as u32,
            id: 0,
            file_name: sys::Str::EMPTY,
        };
        let (what, suffix) = (sys::Str::new(what), sys::Str::new(suffix));
        // SAFETY: the table's function with the host's ctx; texts and place live for the call.
        let status = unsafe { create(self.table().ctx, what, suffix, &mut made) };
        Error::check(status, "side_file")?;
        // SAFETY: by the header, the text is valid as long as the host table, which is for ever.
        let file_name = unsafe { made.file_name.as_str() }.unwrap_or_default();
        Ok(SideFile { host: *self, table, id: made.id, file_name })
    }
}

impl SideFile {
    /// Its name, without the folder, which is that of the recording.
    pub fn file_name(&self) -> &'static str {
        self.file_name
    }

    /// Append `bytes`, all of them or none: where the first of them stands in the file, or `None` when there was no
    /// room for them, which the recorder counted.
    ///
    /// # Errors
    /// The source is not running.
    pub fn append(&mut self, bytes: &[u8]) -> Result<Option<u64>, Error> {
        let Some(append) = self.table.append else { return Err(Error::NotRunning) };
        let mut offset = 0;
        // SAFETY: the table's function with the host's ctx; bytes and place live for the call.
        let status = unsafe {
            append(self.host.table().ctx, self.id, bytes.as_ptr().cast(), bytes.len(), &mut offset)
        };
        Error::check(status, "append")?;
        Ok((status == sys::OK).then_some(offset))
    }
}
