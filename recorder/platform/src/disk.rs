//! Free space.

use std::io;
use std::path::Path;

/// Bytes an ordinary user may still write below `path`, which must exist.
///
/// # Errors
/// When the system does not say: the caller must treat that as unknown, never as full.
#[cfg(unix)]
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_some_and_a_missing_one_is_an_error() {
        assert!(free_bytes(&std::env::temp_dir()).expect("readable") > 0);
        assert!(free_bytes(Path::new("/no/such/place/at/all")).is_err());
    }
}
