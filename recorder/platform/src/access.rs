//! Who this process is, and what others may do to its files.

use std::io;
use std::path::Path;

/// What every user of this machine may do with a file or folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfAnyone {
    /// Read it.
    pub read: bool,
    /// Write it; of a folder: put files there.
    pub write: bool,
}

/// What every user of this machine may do with `path`; a link is followed. Nothing where the system has no such
/// notion (Windows: access lists are not read).
///
/// # Errors
/// When the system does not say.
pub fn of_anyone(path: &Path) -> io::Result<OfAnyone> {
    let metadata = std::fs::metadata(path)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&metadata);
        Ok(OfAnyone { read: mode & 0o004 != 0, write: mode & 0o002 != 0 })
    }
    #[cfg(not(unix))]
    {
        drop(metadata);
        Ok(OfAnyone::default())
    }
}

/// Whether this process may do everything on this machine: root. `false` where it is not asked (Windows).
pub fn is_root() -> bool {
    #[cfg(unix)]
    {
        nix::unistd::geteuid().is_root()
    }
    #[cfg(not(unix))]
    {
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_last_digit_of_the_mode_is_anyones() {
        let folder = std::env::temp_dir().join(format!("lockstep-access-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder");
        for (mode, read, write) in [(0o770, false, false), (0o755, true, false), (0o1777, true, true)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).expect("set");
            assert_eq!(of_anyone(&folder).expect("known"), OfAnyone { read, write }, "{mode:o}");
        }
        std::fs::remove_dir(&folder).expect("removed");
        assert!(of_anyone(&folder).is_err());
    }
}
