//! Where plugins are found.

use std::ffi::{OsStr, OsString};
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

/// Whether it can be the name of a plugin: nothing that leads to another folder.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    !name.is_empty() && name.chars().all(fits)
}

/// The plugin that a library's file name names.
fn stem(file_name: &OsStr) -> Option<String> {
    let name = file_name.to_str()?.strip_prefix(LIBRARY_PREFIX)?.strip_prefix(STEM_PREFIX)?;
    name.strip_suffix(LIBRARY_SUFFIX).map(str::to_owned)
}

/// The directories in which plugins are looked for, in this order: those of
/// `--plugin-dir`, those of `LOCKSTEP_PLUGIN_PATH` that are whole paths, the directory of the
/// `lockstep` binary, its `deps` (where cargo puts libraries for tests),
/// `../lib/lockstep/plugins` beside it; then the plugins built into the binary.
#[derive(Debug, Clone)]
pub struct PluginSearch {
    directories: Vec<PathBuf>,
    /// Of `LOCKSTEP_PLUGIN_PATH`, and not looked into.
    relative: Vec<PathBuf>,
}

impl PluginSearch {
    /// With the directories given on the command line first.
    pub fn new(plugin_dirs: &[PathBuf]) -> Self {
        Self::with(plugin_dirs, std::env::var_os(PLUGIN_PATH_VARIABLE))
    }

    fn with(plugin_dirs: &[PathBuf], path: Option<OsString>) -> Self {
        let mut directories = plugin_dirs.to_vec();
        let of_path: Vec<PathBuf> =
            path.iter().flat_map(std::env::split_paths).filter(|p| !p.as_os_str().is_empty()).collect();
        // A relative one would be whatever folder somebody works in.
        let (whole, relative): (Vec<_>, Vec<_>) = of_path.into_iter().partition(|p| p.is_absolute());
        directories.extend(whole);
        if let Some(beside) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
            directories.push(beside.to_owned());
            directories.push(beside.join("deps"));
            directories.push(beside.join("..").join("lib").join("lockstep").join("plugins"));
        }
        Self { directories, relative }
    }

    /// The directories, in the order of the search.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// What is not safe about them, or was not looked into: sentences.
    pub fn doubts(&self) -> Vec<String> {
        let writable = |path: &Path| lockstep_platform::of_anyone(path).is_ok_and(|anyone| anyone.write);
        let mut doubts: Vec<String> = self
            .relative
            .iter()
            .map(|p| {
                let shown = p.display();
                format!("{PLUGIN_PATH_VARIABLE}: {shown} was not looked into, for it is not a whole path")
            })
            .collect();
        for directory in &self.directories {
            let shown = directory.display();
            if writable(directory) {
                doubts.push(format!("{shown}: any user of this machine may put a plugin there"));
            }
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            for entry in entries.flatten().filter(|entry| stem(&entry.file_name()).is_some()) {
                let path = entry.path();
                // A link is followed; where it leads, a library is put in by whoever may write the folder.
                let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                let there =
                    real.parent().filter(|there| directory.canonicalize().ok().as_deref() != Some(*there));
                if writable(&real) || there.is_some_and(writable) {
                    doubts.push(format!(
                        "{}: any user of this machine may replace this plugin",
                        path.display()
                    ));
                }
            }
        }
        doubts.dedup();
        doubts
    }

    /// Find a plugin by its name, and load nothing.
    ///
    /// # Errors
    /// When it is no name, or there is none.
    pub fn locate(&self, name: &str) -> Result<Origin, LoadError> {
        if !is_name(name) {
            return Err(LoadError::Name { name: name.to_owned() });
        }
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
    /// When it is no name, there is none, or the one found cannot be used: an unusable library
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
                names.extend(stem(&entry.file_name()));
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_other_folder() {
        let search = PluginSearch::with(&[], None);
        for name in ["../udp", "a/b", "a\\b", "", "..", "udp\n", "udp\0", "Udp", "C:x", "\u{fc}dp", "a.so"] {
            assert!(matches!(search.load(name), Err(LoadError::Name { .. })), "{name:?}");
        }
        assert!(search.load("udp").is_ok());
    }

    #[test]
    fn of_the_variable_only_whole_paths_are_looked_into() {
        let whole = std::env::temp_dir();
        let path =
            std::env::join_paths([whole.as_path(), Path::new(""), Path::new("plugins"), Path::new(".")]);
        let search = PluginSearch::with(&["here".into()], Some(path.expect("a path")));
        assert_eq!(search.directories[..2], ["here".into(), whole]);
        assert!(!search.directories.contains(&"plugins".into()));
        let doubts = search.doubts().join("\n");
        assert!(doubts.contains("LOCKSTEP_PLUGIN_PATH: plugins was not looked into"), "{doubts}");
    }

    #[cfg(unix)]
    #[test]
    fn what_anyone_may_write_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        let (folder, elsewhere) =
            (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        let here = folder.path();
        let doubts = || {
            let all = PluginSearch::with(&[here.to_owned()], None).doubts();
            all.into_iter().filter(|doubt| doubt.contains(&here.display().to_string())).collect::<Vec<_>>()
        };
        let (own, linked) = (here.join(file_name("own")), here.join(file_name("linked")));
        std::fs::write(&own, "").expect("written");
        std::fs::write(here.join("other.txt"), "").expect("written");
        set(&here.join("other.txt"), 0o666);
        set(&own, 0o644);
        assert_eq!(doubts(), [""; 0]);
        set(here, 0o777);
        assert!(doubts().len() == 1 && doubts()[0].contains("may put a plugin there"), "{:?}", doubts());
        set(here, 0o755);
        set(&own, 0o666);
        assert!(doubts().len() == 1 && doubts()[0].contains("may replace this plugin"), "{:?}", doubts());
        set(&own, 0o644);
        std::fs::write(elsewhere.path().join("x"), "").expect("written");
        std::os::unix::fs::symlink(elsewhere.path().join("x"), &linked).expect("link");
        assert_eq!(doubts(), [""; 0]);
        set(elsewhere.path(), 0o1777);
        assert!(doubts().len() == 1 && doubts()[0].contains("linked"), "{:?}", doubts());
    }
}
