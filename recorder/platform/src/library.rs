//! Loading shared libraries that are never unloaded.

use std::path::Path;

/// What a library's file name starts with: `lib` or nothing.
pub const LIBRARY_PREFIX: &str = std::env::consts::DLL_PREFIX;
/// What a library's file name ends with: `.so`, `.dylib` or `.dll`.
pub const LIBRARY_SUFFIX: &str = std::env::consts::DLL_SUFFIX;

/// Load a library, resolve all of its symbols now, keep them to itself, and
/// never unload it: there is no sound way to unload code that may have started
/// threads or registered thread-local destructors.
///
/// # Safety
/// Loading runs the library's initialisers: it must be code the user trusts to
/// run in this process.
///
/// # Errors
/// Those of the system's loader: not found, not a library, unresolved symbols.
pub unsafe fn open_library(path: &Path) -> Result<&'static libloading::Library, libloading::Error> {
    #[cfg(unix)]
    let library = {
        use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
        #[cfg(target_os = "linux")]
        const NODELETE: i32 = 0x1000;
        #[cfg(not(target_os = "linux"))]
        const NODELETE: i32 = 0;
        // SAFETY: the caller trusts this library.
        libloading::Library::from(unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | NODELETE)? })
    };
    #[cfg(windows)]
    // SAFETY: the caller trusts this library.
    let library = unsafe { libloading::Library::new(path)? };
    // Leaked on purpose: dropping it would unload it.
    Ok(Box::leak(Box::new(library)))
}
