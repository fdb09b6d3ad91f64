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
        get_extension: None,
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
        let (false, Some(json)) = (out.is_null(), unsafe { options_json.as_str() }) else {
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
            // SAFETY: `out` is not NULL (checked) and the recorder owns it for the call.
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
        // SAFETY: by this function's contract.
        let Some(instance) = (unsafe { instance.cast::<Instance<S>>().as_mut() }) else {
            return sys::EINVAL;
        };
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
        if instance.is_null() {
            return;
        }
        // SAFETY: the recorder passes the instance of `create` exactly once, and never again.
        let instance = unsafe { Box::from_raw(instance.cast::<Instance<S>>()) };
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
/// The second argument names the exported function:
/// `lks_plugin_entry_` followed by the plugin's name, which must also be in the
/// name of the library (`liblockstep_plugin_NAME.so`). The name is unique per
/// plugin so that several can be linked into one binary.
///
/// Also defines `pub fn plugin_table()`, through which a binary that links the
/// plugin can use it without loading a library.
#[macro_export]
macro_rules! export_source {
    ($source:ty, $entry:ident) => {
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
