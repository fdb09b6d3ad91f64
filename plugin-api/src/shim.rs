//! The skin between a [`Source`] and the C table: panics are caught here, and
//! every failure becomes a status and a line in the recorder's log.

use std::any::Any;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::host::{Host, LogLevel};
use crate::sys;

/// A kind of device that can be recorded from.
///
/// The recorder calls `create`, `start` and `stop` in this order, never two at
/// once, perhaps from different threads; dropping the value ends the instance.
pub trait Source: Send + Sized + 'static {
    /// As named in configurations: `[a-z0-9_-]+`.
    const ID: &'static CStr;
    /// Version of the plugin.
    const VERSION: &'static CStr;
    /// One sentence on what it records.
    const DESCRIPTION: &'static CStr;
    /// Whether it calls a vendor's library, of which nobody else can say what it does: then it runs in a
    /// process of its own, unless the experiment says otherwise.
    const CALLS_VENDOR_CODE: bool = false;

    /// The options under `[source.options]`. Its JSON Schema (doc comments,
    /// defaults) is the plugin's documentation.
    type Options: DeserializeOwned + JsonSchema;

    /// Make an instance: check the options, keep the host. No I/O, no threads.
    fn create(host: Host, options: Self::Options) -> Result<Self, Error>;
    /// Begin: add streams, start threads, return promptly.
    fn start(&mut self) -> Result<(), Error>;
    /// End: push what is left, join the threads, within half a second. No host
    /// call may follow.
    fn stop(&mut self) -> Result<(), Error>;

    /// A named extension of the plugin, as the header defines those of this name:
    /// a pointer to something that lives for ever, or NULL (the default) for a
    /// name that is not known. May be called from any thread.
    fn get_extension(_name: &CStr) -> *const c_void {
        std::ptr::null()
    }
}

/// Message of a caught panic. The payload is leaked: its `Drop` might panic again.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    std::mem::forget(payload);
    text
}

/// One instance, and whether it has panicked: a poisoned instance is not entered again.
struct Instance<S> {
    host: Host,
    source: S,
    poisoned: bool,
}

fn guarded(host: Host, what: &str, call: impl FnOnce() -> Result<(), Error>) -> sys::Status {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => sys::OK,
        Ok(Err(error)) => {
            match &error {
                Error::Option { path, message } => host.config_error(path, message),
                other => host.log(LogLevel::Error, &format!("{what}: {other}")),
            }
            error.status()
        }
        Err(payload) => {
            host.log(LogLevel::Error, &format!("{what} panicked: {}", panic_text(payload)));
            sys::EPANIC
        }
    }
}

/// Makes the C table of a [`Source`]; used by [`export_source!`](crate::export_source).
pub struct Shim<S>(std::marker::PhantomData<S>);

impl<S: Source> Shim<S> {
    /// The table, as [`export_source!`](crate::export_source) exports it.
    pub const TABLE: sys::Plugin = sys::Plugin {
        struct_size: size_of::<sys::Plugin>() as u32,
        abi_major: sys::ABI_MAJOR,
        abi_minor: sys::ABI_MINOR,
        reserved: 0,
        id: S::ID.as_ptr(),
        version: S::VERSION.as_ptr(),
        description: S::DESCRIPTION.as_ptr(),
        options_schema: None,
        create: Some(Self::create),
        start: Some(Self::start),
        stop: Some(Self::stop),
        destroy: Some(Self::destroy),
        get_extension: Some(Self::get_extension),
    };

    /// The schema of the options, made once into `cell`.
    pub fn schema(cell: &'static OnceLock<CString>) -> *const c_char {
        let made = catch_unwind(|| {
            cell.get_or_init(|| {
                let schema = schemars::schema_for!(S::Options);
                let json = serde_json::to_string(&schema).unwrap_or_default();
                CString::new(json).unwrap_or_default()
            })
            .as_ptr()
        });
        made.unwrap_or(std::ptr::null())
    }

    unsafe extern "C" fn create(
        host: *const sys::Host,
        options_json: sys::Str,
        out: *mut *mut c_void,
    ) -> sys::Status {
        // SAFETY: the recorder gives its own table, which lives for ever.
        let Some(host) = (unsafe { Host::from_raw(host) }) else { return sys::EINVAL };
        // SAFETY: the recorder lends the text for the call.
        let (true, Some(json)) = (!out.is_null() && out.is_aligned(), unsafe { options_json.as_str() })
        else {
            host.log(LogLevel::Error, "create: no place for the instance, or options that are not UTF-8");
            return sys::EINVAL;
        };
        let mut made = None;
        let status = guarded(host, "create", || {
            let json = if json.is_empty() { "{}" } else { json };
            let mut reader = serde_json::Deserializer::from_str(json);
            let options = serde_path_to_error::deserialize(&mut reader)
                .map_err(|e| Error::option(pointer(e.path()), e.inner().to_string()))?;
            let source = S::create(host, options)?;
            made = Some(Box::new(Instance { host, source, poisoned: false }));
            Ok(())
        });
        if let Some(instance) = made {
            // SAFETY: `out` is not NULL and aligned (checked), and the recorder lends it for the call.
            unsafe { *out = Box::into_raw(instance).cast() };
        }
        status
    }

    /// Run `call` on the instance unless it has panicked before.
    ///
    /// # Safety
    /// `instance` must be NULL or come from [`Self::create`], not yet destroyed,
    /// and not be in use by another call.
    unsafe fn enter(
        instance: *mut c_void,
        what: &str,
        call: impl FnOnce(&mut S) -> Result<(), Error>,
    ) -> sys::Status {
        let instance = instance.cast::<Instance<S>>();
        if instance.is_null() || !instance.is_aligned() {
            return sys::EINVAL;
        }
        // SAFETY: not NULL, aligned, and this call's alone by this function's contract.
        let instance = unsafe { &mut *instance };
        if instance.poisoned {
            return sys::EPANIC;
        }
        let status = guarded(instance.host, what, || call(&mut instance.source));
        instance.poisoned = status == sys::EPANIC;
        status
    }

    unsafe extern "C" fn start(instance: *mut c_void) -> sys::Status {
        // SAFETY: the recorder passes the instance of `create`, one call at a time.
        unsafe { Self::enter(instance, "start", S::start) }
    }

    unsafe extern "C" fn stop(instance: *mut c_void) -> sys::Status {
        // SAFETY: the recorder passes the instance of `create`, one call at a time.
        unsafe { Self::enter(instance, "stop", S::stop) }
    }

    unsafe extern "C" fn destroy(instance: *mut c_void) {
        let instance = instance.cast::<Instance<S>>();
        if instance.is_null() || !instance.is_aligned() {
            return;
        }
        // SAFETY: the recorder passes the instance of `create` exactly once, and never again.
        let instance = unsafe { Box::from_raw(instance) };
        let host = instance.host;
        if instance.poisoned {
            // A panic left it half-way: leaking it is safer than running its Drop.
            std::mem::forget(instance);
            return;
        }
        guarded(host, "destroy", move || {
            drop(instance);
            Ok(())
        });
    }
}

impl<S: Source> Shim<S> {
    unsafe extern "C" fn get_extension(name: *const c_char) -> *const c_void {
        if name.is_null() {
            return std::ptr::null();
        }
        // SAFETY: not NULL, and terminated by the header's contract.
        let name = unsafe { CStr::from_ptr(name) };
        if name == sys::EXT_VENDOR_CODE && S::CALLS_VENDOR_CODE {
            return std::ptr::from_ref(&()).cast();
        }
        match catch_unwind(|| S::get_extension(name)) {
            Ok(extension) => extension,
            Err(payload) => {
                drop(panic_text(payload));
                std::ptr::null()
            }
        }
    }
}

/// Whether `entry` is `lks_plugin_entry_` and then `id` with `_` for `-`; for
/// [`export_source!`](crate::export_source).
#[doc(hidden)]
pub const fn entry_is_of(entry: &str, id: &CStr) -> bool {
    let (entry, prefix, id) = (entry.as_bytes(), b"lks_plugin_entry_", id.to_bytes());
    if entry.len() != prefix.len() + id.len() {
        return false;
    }
    let mut at = 0;
    while at < entry.len() {
        let expected = if at < prefix.len() {
            prefix[at]
        } else {
            match id[at - prefix.len()] {
                b'-' => b'_',
                byte => byte,
            }
        };
        if entry[at] != expected {
            return false;
        }
        at += 1;
    }
    true
}

/// `fields[2].kind` of serde as the JSON pointer `/fields/2/kind`.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        out.push('/');
        out.push_str(&part.replace('~', "~0").replace('/', "~1"));
    }
    out
}

/// Export a [`Source`] as a plugin.
///
/// The second argument names the exported function: `lks_plugin_entry_` followed
/// by [`Source::ID`](crate::Source::ID), with `_` for `-`; another name does not
/// compile. The library's name must have it too (`liblockstep_plugin_ID.so`).
/// The name is unique per plugin so that several can be linked into one binary.
///
/// ```compile_fail
/// # use lockstep_plugin_api::{Error, Host, Source, export_source};
/// # struct It;
/// # impl Source for It {
/// #     const ID: &'static std::ffi::CStr = c"it";
/// #     const VERSION: &'static std::ffi::CStr = c"0.1.0";
/// #     const DESCRIPTION: &'static std::ffi::CStr = c"";
/// #     type Options = ();
/// #     fn create(_: Host, (): ()) -> Result<Self, Error> { Ok(Self) }
/// #     fn start(&mut self) -> Result<(), Error> { Ok(()) }
/// #     fn stop(&mut self) -> Result<(), Error> { Ok(()) }
/// # }
/// // `It::ID` is "it".
/// export_source!(It, lks_plugin_entry_that);
/// # fn main() {}
/// ```
///
/// Also defines `pub fn plugin_table()`, through which a binary that links the
/// plugin can use it without loading a library.
#[macro_export]
macro_rules! export_source {
    ($source:ty, $entry:ident) => {
        const _: () = assert!(
            $crate::entry_is_of(stringify!($entry), <$source as $crate::Source>::ID),
            "the entry must be named lks_plugin_entry_ and then Source::ID, with _ for -"
        );

        static LKS_OPTIONS_SCHEMA: ::std::sync::OnceLock<::std::ffi::CString> = ::std::sync::OnceLock::new();

        extern "C" fn lks_options_schema() -> *const ::std::ffi::c_char {
            $crate::Shim::<$source>::schema(&LKS_OPTIONS_SCHEMA)
        }

        static LKS_TABLE: $crate::sys::Plugin = $crate::sys::Plugin {
            options_schema: Some(lks_options_schema),
            ..$crate::Shim::<$source>::TABLE
        };

        /// The plugin's table, for a binary that links it.
        pub fn plugin_table() -> &'static $crate::sys::Plugin {
            &LKS_TABLE
        }

        /// The entry the recorder looks up when it loads the library.
        #[unsafe(no_mangle)]
        pub extern "C" fn $entry(_host_abi_major: u32, _host_abi_minor: u32) -> *const $crate::sys::Plugin {
            &LKS_TABLE
        }
    };
}

#[cfg(test)]
mod tests;
