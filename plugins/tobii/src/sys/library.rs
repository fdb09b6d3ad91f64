//! Finding and opening a library.

use std::path::{Path, PathBuf};

use libloading::Library;

/// A library that is never unloaded, and where it came from.
#[derive(Debug, Clone)]
pub struct Opened {
    library: &'static Library,
    /// Its file, or the name the system found it by.
    pub path: PathBuf,
}

/// Open the library `stem`, as `tobii_stream_engine`: the one that is said, else the one of the environment, else one
/// of the usual places.
///
/// # Errors
/// There is none, or it cannot be opened: what was tried, and what to do.
pub fn open(said: &Path, stem: &str) -> Result<Opened, String> {
    let variable = format!("LOCKSTEP_{}", stem.to_uppercase());
    let of_environment = std::env::var_os(&variable).map(PathBuf::from);
    if let Some(path) = Some(said.to_owned()).filter(|path| !path.as_os_str().is_empty()).or(of_environment) {
        let opened = try_open(&path);
        return opened.map_err(|error| format!("{} cannot be used: {error}", path.display()));
    }
    let mut tried = Vec::new();
    for path in usual_places(stem) {
        match try_open(&path) {
            Ok(opened) => return Ok(opened),
            // What is there and cannot be opened is worth telling, and not what the search passed over.
            Err(error) if path.is_file() => {
                return Err(format!("{} cannot be used: {error}", path.display()));
            }
            Err(error) => tried.push(error),
        }
    }
    Err(format!(
        "Tobii's library {stem} is not installed, or cannot be loaded; install it from Tobii, or name its file by the \
         option `library` or the variable {variable}. What was tried: {}",
        tried.join("; ")
    ))
}

fn usual_places(stem: &str) -> Vec<PathBuf> {
    let file = format!("{}{stem}{}", lockstep_platform::LIBRARY_PREFIX, lockstep_platform::LIBRARY_SUFFIX);
    let mut places = vec![PathBuf::from(&file)];
    if cfg!(windows) {
        places.push(Path::new(r"C:\Program Files\Tobii").join(&file));
    } else {
        // The name with the version of the interface is what a system without the developer's files has.
        places.extend([format!("{file}.2"), format!("{file}.1")].map(PathBuf::from));
        for folder in ["/usr/lib/tobii", "/usr/local/lib/tobiiusb", "/usr/local/lib", "/opt/tobii/lib"] {
            places.push(Path::new(folder).join(&file));
        }
    }
    places
}

fn try_open(path: &Path) -> Result<Opened, String> {
    // SAFETY: that a library's own start-up code is sound is the word of whoever made it; it is the one its user
    // has installed for this tracker, and named.
    let library = unsafe { lockstep_platform::open_library(path) }.map_err(|error| in_words(&error))?;
    Ok(Opened { library, path: path.to_owned() })
}

/// What the system says of a library that it could not load.
fn in_words(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

impl Opened {
    /// The function `name`.
    ///
    /// # Errors
    /// There is none: the name, and what that means.
    ///
    /// # Safety
    /// `F` must be the type of a C function of this name.
    pub unsafe fn function<F: Copy>(&self, name: &str) -> Result<F, String> {
        // SAFETY: passed on; the library is never unloaded.
        let found = unsafe { self.library.get::<F>(name.as_bytes()) };
        found.map(|function| *function).map_err(|_| {
            format!(
                "{} has no function {name}: it is not the library it should be, or too old",
                self.path.display()
            )
        })
    }
}
