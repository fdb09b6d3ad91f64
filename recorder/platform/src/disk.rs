//! Free space, and space that is kept free for a file.

use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes an ordinary user may still write below `path`, which must exist.
///
/// # Errors
/// When the system does not say: the caller must treat that as unknown, never as full.
#[cfg(unix)]
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    if stat.blocks() == 0 {
        // Some network file systems do not know.
        return Err(io::ErrorKind::Unsupported.into());
    }
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // their width differs between systems
    Ok((stat.blocks_available() as u64).saturating_mul(stat.fragment_size() as u64))
}

/// Bytes an ordinary user may still write below `path`, which must exist.
///
/// # Errors
/// When the system does not say: the caller must treat that as unknown, never as full.
#[cfg(windows)]
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    use std::os::windows::ffi::OsStrExt;
    use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
    let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut available = 0u64;
    // SAFETY: a terminated path, one u64 to write, and NULL for what is not asked.
    let done = unsafe {
        GetDiskFreeSpaceExW(wide.as_ptr(), &mut available, std::ptr::null_mut(), std::ptr::null_mut())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(available) }
}

/// Have the disk keep room for bytes `from..to` of `file`, whose length stays as it is. `false`: the system or
/// its disk cannot do that.
///
/// # Errors
/// When there is no such room.
#[cfg(target_os = "linux")]
pub fn keep_room(file: &File, from: u64, to: u64) -> io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{FallocateFlags, fallocate};
    let (Ok(at), Ok(len)) = (i64::try_from(from), i64::try_from(to.saturating_sub(from))) else {
        return Ok(false);
    };
    match fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, at, len) {
        Ok(()) => Ok(true),
        Err(no_room @ (Errno::ENOSPC | Errno::EDQUOT)) => Err(no_room.into()),
        // It cannot, or it is in a worse state than full: writing tells.
        Err(_) => Ok(false),
    }
}

/// Have the disk keep room for bytes `from..to` of `file`: this system cannot.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn keep_room(_file: &File, _from: u64, _to: u64) -> io::Result<bool> {
    Ok(false)
}

/// Whether `file`, which is open, has been deleted: nobody will find what is written into it.
pub fn is_deleted(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        file.metadata().is_ok_and(|m| m.nlink() == 0)
    }
    #[cfg(not(unix))]
    {
        // An open file cannot be deleted there.
        let _ = file;
        false
    }
}

/// What tells a file from all others of this machine, whatever it is called. `None`: this system does not say.
pub fn file_identity(metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// Make the disk keep the name of a file that was made in `folder`.
///
/// # Errors
/// When the disk does not confirm it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return File::open(folder)?.sync_all();
    #[cfg(not(unix))]
    {
        // A folder cannot be opened there; its journal keeps names.
        let _ = folder;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_some_and_a_missing_one_is_an_error() {
        assert!(free_bytes(&std::env::temp_dir()).expect("readable") > 0);
        assert!(free_bytes(Path::new("/no/such/place/at/all")).is_err());
    }

    #[test]
    fn room_that_is_kept_does_not_change_the_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        let file = File::create(&path).expect("a file");
        keep_room(&file, 0, 100_000).expect("there is room");
        assert_eq!(file.metadata().expect("known").len(), 0);
        sync_folder(folder.path()).expect("synced");
        assert!(!is_deleted(&file));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(is_deleted(&file), cfg!(unix));
    }
}
