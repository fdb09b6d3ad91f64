//! Where plugins are found.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lockstep_platform::{LIBRARY_PREFIX, LIBRARY_SUFFIX};

use super::library::{LoadError, Origin, Plugin};

/// Directories that are searched after `--plugin-dir`, separated as in `PATH`.
pub const PLUGIN_PATH_VARIABLE: &str = "LOCKSTEP_PLUGIN_PATH";

/// What a plugin library's name starts with, after the system's own prefix.
const STEM_PREFIX: &str = "lockstep_plugin_";

/// Plugins linked into this binary: used when no library of the name is found.
fn built_in() -> &'static [Plugin] {
    static PLUGINS: OnceLock<Vec<Plugin>> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let tables = [
            lockstep_plugin_lsl::plugin_table(),
            lockstep_plugin_neon::plugin_table(),
            lockstep_plugin_tobii::plugin_table(),
            lockstep_plugin_udp::plugin_table(),
        ];
        tables.into_iter().filter_map(|table| Plugin::built_in(table).ok()).collect()
    })
}

/// Load the plugin `name` from where it was found.
///
/// # Errors
/// It cannot be used.
pub fn load_from(origin: &Origin, name: &str) -> Result<Plugin, LoadError> {
    match origin {
        Origin::File(path) => Plugin::load(path, name),
        Origin::BuiltIn => {
            let found = built_in().iter().find(|p| p.id == name).cloned();
            found.ok_or_else(|| LoadError::InChild(format!("the plugin {name:?} is not built in")))
        }
    }
}

/// File name of the library of a plugin.
pub(super) fn file_name(name: &str) -> String {
    format!("{LIBRARY_PREFIX}{STEM_PREFIX}{}{LIBRARY_SUFFIX}", name.replace('-', "_"))
}

/// The directories in which plugins are looked for, in this order: those of
/// `--plugin-dir`, those of `LOCKSTEP_PLUGIN_PATH`, the directory of the
/// `lockstep` binary, its `deps` (where cargo puts libraries for tests),
/// `../lib/lockstep/plugins` beside it; then the plugins built into the binary.
#[derive(Debug, Clone)]
pub struct PluginSearch {
    directories: Vec<PathBuf>,
}

impl PluginSearch {
    /// With the directories given on the command line first.
    pub fn new(plugin_dirs: &[PathBuf]) -> Self {
        let mut directories = plugin_dirs.to_vec();
        if let Some(path) = std::env::var_os(PLUGIN_PATH_VARIABLE) {
            directories.extend(std::env::split_paths(&path).filter(|p| !p.as_os_str().is_empty()));
        }
        if let Some(beside) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
            directories.push(beside.to_owned());
            directories.push(beside.join("deps"));
            directories.push(beside.join("..").join("lib").join("lockstep").join("plugins"));
        }
        Self { directories }
    }

    /// The directories, in the order of the search.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Find a plugin by its name, and load nothing.
    ///
    /// # Errors
    /// When there is none.
    pub fn locate(&self, name: &str) -> Result<Origin, LoadError> {
        let file_name = file_name(name);
        for directory in &self.directories {
            let path = directory.join(&file_name);
            if path.is_file() {
                // An absolute path: the system's loader must not search on its own.
                return Ok(Origin::File(path.canonicalize().unwrap_or(path)));
            }
        }
        if built_in().iter().any(|p| p.id == name) {
            return Ok(Origin::BuiltIn);
        }
        Err(LoadError::NotFound {
            name: name.to_owned(),
            file_name,
            searched: self.directories.clone(),
            found: self.names(),
        })
    }

    /// Find and load a plugin by its name.
    ///
    /// # Errors
    /// When there is none, or the one found cannot be used: an unusable library
    /// is never passed over silently for another one further down.
    pub fn load(&self, name: &str) -> Result<Plugin, LoadError> {
        load_from(&self.locate(name)?, name)
    }

    /// Names of all plugins there are, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = built_in().iter().map(|p| p.id.clone()).collect();
        for directory in &self.directories {
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            for entry in entries.flatten() {
                let file_name = entry.file_name();
                let stem = file_name.to_str().and_then(|n| {
                    n.strip_prefix(LIBRARY_PREFIX)?.strip_prefix(STEM_PREFIX)?.strip_suffix(LIBRARY_SUFFIX)
                });
                names.extend(stem.map(str::to_owned));
            }
        }
        names.sort();
        names.dedup();
        names
    }
}
