//! A plugin's library: loading it and shaking hands.

use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};

use lockstep_plugin_api::sys;

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A shared library.
    File(PathBuf),
    /// Linked into this binary.
    BuiltIn,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => write!(f, "built in"),
        }
    }
}

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be the name of a plugin.
    #[error("{name:?} is no name of a plugin: that is of small letters, digits, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// There is none of this name.
    #[error("there is no plugin {name:?}")]
    NotFound {
        /// The name.
        name: String,
        /// What was looked for.
        file_name: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
        /// Plugins that were found there.
        found: Vec<String>,
    },
    /// The system's loader refused the library.
    #[error("{path} cannot be loaded: {reason}")]
    Library {
        /// The library.
        path: String,
        /// What the loader said.
        reason: String,
    },
    /// It exports no entry.
    #[error("{path} is not a Lockstep plugin: it exports neither lks_plugin_entry nor {entry}")]
    NoEntry {
        /// The library.
        path: String,
        /// The second entry looked for.
        entry: String,
    },
    /// It does not serve this host.
    #[error(
        "{path} says that it cannot serve plugin ABI {host_major}.{host_minor}, which this Lockstep speaks; \
         get a plugin and a Lockstep that belong together"
    )]
    Declined {
        /// The library.
        path: String,
        /// Major version of this host.
        host_major: u32,
        /// Minor version of this host.
        host_minor: u32,
    },
    /// Built for another major version.
    #[error(
        "{path} was built for plugin ABI {major}.{minor}; this Lockstep speaks {host_major}.{host_minor}. \
         {}", if *major > *host_major { "Update Lockstep, or get an older version of the plugin" }
              else { "Rebuild the plugin with a current lockstep_plugin.h" }
    )]
    Abi {
        /// The library.
        path: String,
        /// Major version of the plugin.
        major: u32,
        /// Minor version of the plugin.
        minor: u32,
        /// Major version of this host.
        host_major: u32,
        /// Minor version of this host.
        host_minor: u32,
    },
    /// It is another plugin than its file name says.
    #[error(
        "{path} is the plugin {id:?}, not {name:?}: the file name must say which plugin it is; rename the file \
         to {file_name}"
    )]
    OtherName {
        /// The library.
        path: String,
        /// What the plugin calls itself.
        id: String,
        /// What was asked for.
        name: String,
        /// The file name by which it would be found.
        file_name: String,
    },
    /// What a process of its own said, or what became of that one.
    #[error("{0}")]
    InChild(String),
    /// Its table is not usable.
    #[error("{path} gave a table that cannot be used: {reason}")]
    Table {
        /// The library.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A plugin that shook hands. It stays loaded for the life of the process.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// As named in configurations.
    pub id: String,
    /// Version of the plugin.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Where it comes from.
    pub origin: Origin,
    /// A copy: the plugin's own may be of another version, and smaller.
    pub(super) table: &'static sys::Plugin,
}

impl Plugin {
    /// Load a library and shake hands. `name` is what the plugin is called in the
    /// configuration and, with `_` for `-`, in the file name; a Rust plugin's
    /// entry ends with it too.
    ///
    /// # Errors
    /// When it cannot be loaded, is no plugin, of another ABI, or of another name.
    pub fn load(path: &Path, name: &str) -> Result<Self, LoadError> {
        let shown = path.display().to_string();
        // SAFETY: the user put this library on the plugin search path, to be run in this process.
        let library = unsafe { lockstep_platform::open_library(path) }
            .map_err(|e| LoadError::Library { path: shown.clone(), reason: e.to_string() })?;
        let suffixed = format!("{}_{}", sys::ENTRY_SYMBOL, name.replace('-', "_"));
        // SAFETY: a symbol of this name is the entry by the header's contract.
        let entry = unsafe {
            let plain = library.get::<sys::PluginEntry>(sys::ENTRY_SYMBOL.as_bytes());
            plain.or_else(|_| library.get::<sys::PluginEntry>(suffixed.as_bytes()))
        };
        let entry = *entry.map_err(|_| LoadError::NoEntry { path: shown.clone(), entry: suffixed })?;
        // SAFETY: the entry may be called at any time, with the host's version.
        let table = unsafe { entry(sys::ABI_MAJOR, sys::ABI_MINOR) };
        Self::from_table(table, Origin::File(path.to_owned()))?.named(name)
    }

    /// Itself, if it is the plugin that was asked for. File names do not tell `-` from `_`.
    fn named(self, name: &str) -> Result<Self, LoadError> {
        if self.id.replace('-', "_") == name.replace('-', "_") {
            return Ok(self);
        }
        Err(LoadError::OtherName {
            path: self.origin.to_string(),
            name: name.to_owned(),
            file_name: super::search::file_name(&self.id),
            id: self.id,
        })
    }

    /// A plugin that is linked into this binary.
    pub fn built_in(table: &'static sys::Plugin) -> Result<Self, LoadError> {
        Self::from_table(table, Origin::BuiltIn)
    }

    fn from_table(table: *const sys::Plugin, origin: Origin) -> Result<Self, LoadError> {
        let path = origin.to_string();
        let (host_major, host_minor) = (sys::ABI_MAJOR, sys::ABI_MINOR);
        if table.is_null() {
            return Err(LoadError::Declined { path, host_major, host_minor });
        }
        let unusable = |reason: String| LoadError::Table { path: path.clone(), reason };
        if !table.is_aligned() {
            return Err(unusable(sys::BadStruct::Misaligned.to_string()));
        }
        // SAFETY: not NULL, aligned; size and version stand first in every version of
        // the struct. Only they are read until the version is known to be ours.
        let (major, minor) = unsafe { ((*table).abi_major, (*table).abi_minor) };
        if major != host_major {
            return Err(LoadError::Abi { path, major, minor, host_major, host_minor });
        }
        // SAFETY: of our major version.
        let table = unsafe { sys::read(table) }.map_err(|e| unusable(e.to_string()))?;
        let missing = [
            ("create", table.create.is_none()),
            ("start", table.start.is_none()),
            ("stop", table.stop.is_none()),
            ("destroy", table.destroy.is_none()),
        ];
        if let Some((name, _)) = missing.iter().find(|(_, missing)| *missing) {
            return Err(unusable(format!("its function {name} is NULL")));
        }
        let text = |ptr: *const c_char, what: &str| {
            // SAFETY: NULL, or a terminated static string by the header's contract.
            unsafe { c_text(ptr) }.ok_or_else(|| unusable(format!("its {what} is not a UTF-8 string")))
        };
        let id = text(table.id, "id")?;
        let (version, description) =
            (text(table.version, "version")?, text(table.description, "description")?);
        // For ever, as the library it is of: threads of its instances may outlive any owner.
        Ok(Self { id, version, description, origin, table: Box::leak(Box::new(table)) })
    }

    /// Whether it calls code of a vendor, of which nobody here can say what it does.
    pub fn has_vendor_code(&self) -> bool {
        let Some(get_extension) = self.table.get_extension else { return false };
        // SAFETY: may be called at any time, with a terminated name.
        !unsafe { get_extension(sys::EXT_VENDOR_CODE.as_ptr()) }.is_null()
    }

    /// JSON Schema of its options, or `None` when it takes any.
    pub fn options_schema(&self) -> Result<Option<serde_json::Value>, LoadError> {
        let Some(schema) = self.table.options_schema else { return Ok(None) };
        let unusable = |reason: String| LoadError::Table { path: self.origin.to_string(), reason };
        // SAFETY: may be called at any time.
        let schema = unsafe { schema() };
        if schema.is_null() {
            return Ok(None);
        }
        // SAFETY: a terminated string that lives for ever, by the header's contract.
        let text = unsafe { c_text(schema) }
            .ok_or_else(|| unusable("its options schema is not UTF-8".to_owned()))?;
        let value = serde_json::from_str(&text)
            .map_err(|e| unusable(format!("its options schema is not JSON: {e}")))?;
        Ok(Some(value))
    }
}

/// The text at a pointer; `None` for NULL and for what is not UTF-8.
///
/// # Safety
/// `ptr` must be NULL or point to a terminated string.
pub(super) unsafe fn c_text(ptr: *const c_char) -> Option<String> {
    if ptr.is_null() {
        return None;
    }
    // SAFETY: not NULL, and terminated by this function's contract.
    unsafe { CStr::from_ptr(ptr) }.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
