//! Version of a library, as both interfaces say it.

use std::ffi::c_int;

/// Version of a library.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version {
    /// Major.
    pub major: c_int,
    /// Minor.
    pub minor: c_int,
    /// Revision.
    pub revision: c_int,
    /// Build.
    pub build: c_int,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.revision, self.build)
    }
}
