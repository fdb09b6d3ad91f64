//! The C header `include/lockstep_plugin.h`, mirrored in Rust name for name.
//!
//! The header is the contract and holds the documentation; a test compiles it
//! and compares every size, offset and constant with those here. Function
//! pointers are `Option`s because a table made in C may hold NULL, and
//! everything that is an enumeration is an integer because its sender may be
//! newer.
//!
//! # Appending a member
//!
//! Within a major version a struct that starts with `struct_size` grows at its
//! end, and in no other way; the others (`lks_str`, `lks_channel`,
//! `lks_exchange`) never change.
//!
//! 1. Append the member in the header. Zero or NULL must mean "not given", for
//!    that is what a reader sees when the sender is older. No member may come to
//!    lie in padding: fill up to 8 bytes with `reserved` members.
//! 2. Append it to the mirror below; `cargo test` compares the two.
//! 3. Raise `LKS_ABI_MINOR` and [`ABI_MINOR`], once for each release.
//! 4. Leave the frozen sizes in `sys/versioned.rs` alone: plugins and hosts of
//!    1.0 go on working because not more than these is demanded. A new struct
//!    gets a line there, with the last member it has in its first release.
//! 5. Read it everywhere through [`read`], never through the pointer itself, and
//!    treat zero or NULL as "not given".

use std::ffi::{c_char, c_void};

mod versioned;

pub use versioned::{BadStruct, Versioned, read};

macro_rules! constants {
    ($($name:ident : $t:ty = $value:expr;)*) => {
        $(#[doc = concat!("`LKS_", stringify!($name), "` of the header.")] pub const $name: $t = $value;)*

        /// Each numeric constant as `LKS_NAME value`, as a C compiler prints it as
        /// `long long`; for the test that compares them with the header's.
        pub fn constants() -> Vec<(String, i64)> {
            vec![$((concat!("LKS_", stringify!($name)).to_owned(), $name as i64),)*]
        }
    };
}

constants! {
    ABI_MAJOR: u32 = 1;
    ABI_MINOR: u32 = 3;

    OK: i32 = 0;
    AGAIN: i32 = 1;
    EINVAL: i32 = -1;
    ECONFIG: i32 = -2;
    EIO: i32 = -3;
    EPANIC: i32 = -4;
    ESTATE: i32 = -5;
    ENOMEM: i32 = -6;

    FLOAT32: u32 = 1;
    DOUBLE64: u32 = 2;
    STRING: u32 = 3;
    INT32: u32 = 4;
    INT16: u32 = 5;
    INT8: u32 = 6;
    INT64: u32 = 7;

    STATE_IDLE: u32 = 0;
    STATE_CONNECTING: u32 = 1;
    STATE_STREAMING: u32 = 2;
    STATE_DEGRADED: u32 = 3;
    STATE_LOST: u32 = 4;
    STATE_FINISHED: u32 = 5;
    STATE_FAILED: u32 = 6;

    LOG_ERROR: u32 = 1;
    LOG_WARN: u32 = 2;
    LOG_INFO: u32 = 3;
    LOG_DEBUG: u32 = 4;

    DOMAIN_DEVICE: u32 = 1;
    DOMAIN_UNIX: u32 = 2;
    DOMAIN_MONOTONIC: u32 = 3;

    STAMP_EXACT: u32 = 1;
    STAMP_FLOOR: u32 = 2;

    RECORDER_TIME: u32 = 0;
    WHOLE_SOURCE: u32 = 0;
    UNKNOWN_COUNT: u64 = u64::MAX;
}

/// `LKS_EXT_PROBE_SETTINGS` of the header.
pub const EXT_PROBE_SETTINGS: &std::ffi::CStr = c"lockstep.probe-settings/1";

/// `LKS_EXT_SOURCE_INFO` of the header.
pub const EXT_SOURCE_INFO: &std::ffi::CStr = c"lockstep.source-info/1";

/// `LKS_EXT_SIDE_FILES` of the header.
pub const EXT_SIDE_FILES: &std::ffi::CStr = c"lockstep.side-files/1";

/// `LKS_EXT_VENDOR_CODE` of the header: an extension of the plugin.
pub const EXT_VENDOR_CODE: &std::ffi::CStr = c"lockstep.vendor-code/1";

/// Each text constant as `LKS_NAME value`; for the same test.
pub fn texts() -> Vec<(String, &'static std::ffi::CStr)> {
    vec![
        ("LKS_EXT_PROBE_SETTINGS".to_owned(), EXT_PROBE_SETTINGS),
        ("LKS_EXT_SOURCE_INFO".to_owned(), EXT_SOURCE_INFO),
        ("LKS_EXT_SIDE_FILES".to_owned(), EXT_SIDE_FILES),
        ("LKS_EXT_VENDOR_CODE".to_owned(), EXT_VENDOR_CODE),
    ]
}

/// `lks_status` of the header.
pub type Status = i32;

macro_rules! mirror {
    ($($(#[$meta:meta])* $c_name:literal struct $name:ident { $($field:ident : $t:ty,)* })*) => {
        $(
            #[doc = concat!("`", $c_name, "` of the header.")]
            $(#[$meta])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug)]
            pub struct $name {
                $(#[doc = concat!("`", stringify!($field), "` of the header.")] pub $field: $t,)*
            }
        )*

        /// Size of each struct and offset of each member, as `name size` and
        /// `name.member offset`, in the header's order; for the test that
        /// compares them with what a C compiler says.
        pub fn layout() -> Vec<(String, usize)> {
            let mut lines = Vec::new();
            $(
                lines.push(($c_name.to_string(), size_of::<$name>()));
                $(lines.push((
                    format!("{}.{}", $c_name, stringify!($field)),
                    std::mem::offset_of!($name, $field),
                ));)*
            )*
            lines
        }
    };
}

mirror! {
    "lks_str" struct Str {
        ptr: *const c_char,
        len: usize,
    }
    "lks_channel" struct Channel {
        label: Str,
        unit: Str,
        r#type: Str,
    }
    "lks_synchronization" struct Synchronization {
        struct_size: u32,
        can_drop_samples: u32,
        offset_mean_s: f64,
        offset_rms_s: f64,
        offset_median_s: f64,
        offset_5_centile_s: f64,
        offset_95_centile_s: f64,
    }
    "lks_clock_info" struct ClockInfo {
        struct_size: u32,
        domain: u32,
        stamp: u32,
        reserved: u32,
        resolution_s: f64,
        name: Str,
        interval_s: f64,
    }
    "lks_stream_info" struct StreamInfo {
        struct_size: u32,
        format: u32,
        channel_count: u32,
        clock: u32,
        nominal_rate_hz: f64,
        name: Str,
        r#type: Str,
        source_id: Str,
        desc_xml: Str,
        channels: *const Channel,
        synchronization: *const Synchronization,
        may_be_silent: u32,
        reserved1: u32,
        label: Str,
        origin_xml: Str,
    }
    "lks_chunk" struct Chunk {
        struct_size: u32,
        stream: u32,
        sample_count: u32,
        reserved: u32,
        timestamps_s: *const f64,
        data: *const c_void,
        data_bytes: usize,
    }
    #[derive(PartialEq)]
    "lks_exchange" struct Exchange {
        t0_s: f64,
        t1_s: f64,
        t2_s: f64,
        t3_s: f64,
    }
    "lks_host" struct Host {
        struct_size: u32,
        abi_major: u32,
        abi_minor: u32,
        reserved: u32,
        ctx: *mut c_void,
        now: Option<unsafe extern "C" fn(ctx: *mut c_void) -> f64>,
        add_clock: Option<unsafe extern "C" fn(ctx: *mut c_void, info: *const ClockInfo, out: *mut u32) -> Status>,
        add_stream: Option<unsafe extern "C" fn(ctx: *mut c_void, info: *const StreamInfo, out: *mut u32) -> Status>,
        push_chunk: Option<unsafe extern "C" fn(ctx: *mut c_void, chunk: *const Chunk) -> Status>,
        push_exchanges: Option<unsafe extern "C" fn(ctx: *mut c_void, clock: u32, exchanges: *const Exchange, count: usize) -> Status>,
        clock_reset: Option<unsafe extern "C" fn(ctx: *mut c_void, clock: u32, reason: Str) -> Status>,
        report_gap: Option<unsafe extern "C" fn(ctx: *mut c_void, stream: u32, lost_samples: u64, reason: Str) -> Status>,
        set_state: Option<unsafe extern "C" fn(ctx: *mut c_void, stream: u32, state: u32, reason: Str) -> Status>,
        event: Option<unsafe extern "C" fn(ctx: *mut c_void, stream: u32, name: Str, json: Str) -> Status>,
        log: Option<unsafe extern "C" fn(ctx: *mut c_void, level: u32, text: Str)>,
        config_error: Option<unsafe extern "C" fn(ctx: *mut c_void, path: Str, message: Str)>,
        get_extension: Option<unsafe extern "C" fn(ctx: *mut c_void, name: *const c_char) -> *const c_void>,
    }
    "lks_probe_settings" struct ProbeSettings {
        struct_size: u32,
        probes_per_burst: u32,
        interval_s: f64,
    }
    "lks_source_info" struct SourceInfo {
        struct_size: u32,
        reserved: u32,
        name: Str,
    }
    "lks_side_file" struct SideFile {
        struct_size: u32,
        id: u32,
        file_name: Str,
    }
    "lks_side_files" struct SideFiles {
        struct_size: u32,
        reserved: u32,
        create: Option<unsafe extern "C" fn(ctx: *mut c_void, what: Str, suffix: Str, out: *mut SideFile) -> Status>,
        append: Option<unsafe extern "C" fn(ctx: *mut c_void, file: u32, bytes: *const c_void, count: usize, offset: *mut u64) -> Status>,
    }
    "lks_plugin" struct Plugin {
        struct_size: u32,
        abi_major: u32,
        abi_minor: u32,
        reserved: u32,
        id: *const c_char,
        version: *const c_char,
        description: *const c_char,
        options_schema: Option<unsafe extern "C" fn() -> *const c_char>,
        create: Option<unsafe extern "C" fn(host: *const Host, options_json: Str, out: *mut *mut c_void) -> Status>,
        start: Option<unsafe extern "C" fn(instance: *mut c_void) -> Status>,
        stop: Option<unsafe extern "C" fn(instance: *mut c_void) -> Status>,
        destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
        get_extension: Option<unsafe extern "C" fn(name: *const c_char) -> *const c_void>,
    }
}

/// `lks_plugin_entry` of the header.
pub type PluginEntry = unsafe extern "C" fn(host_abi_major: u32, host_abi_minor: u32) -> *const Plugin;

/// The entry symbol a plugin written in C or C++ exports.
pub const ENTRY_SYMBOL: &str = "lks_plugin_entry";

impl Str {
    /// Borrow `text` for the length of a call.
    pub fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr().cast(), len: text.len() }
    }

    /// Borrow bytes that ought to be text for the length of a call.
    pub fn of_bytes(text: &[u8]) -> Self {
        Self { ptr: text.as_ptr().cast(), len: text.len() }
    }

    /// The empty text.
    pub const EMPTY: Self = Self { ptr: std::ptr::null(), len: 0 };

    /// Its bytes, or `None` when the pointer is NULL with a length.
    ///
    /// # Safety
    /// `ptr` must be NULL or point to `len` readable bytes that stay unchanged for `'a`.
    pub unsafe fn as_bytes<'a>(self) -> Option<&'a [u8]> {
        if self.len == 0 {
            return Some(&[]);
        }
        if self.ptr.is_null() || self.len > isize::MAX as usize {
            return None;
        }
        // SAFETY: not NULL, and readable for `len` bytes by this function's contract.
        Some(unsafe { std::slice::from_raw_parts(self.ptr.cast::<u8>(), self.len) })
    }

    /// The text, or `None` when it is not UTF-8 or the pointer is NULL with a length.
    ///
    /// # Safety
    /// As [`Str::as_bytes`].
    pub unsafe fn as_str<'a>(self) -> Option<&'a str> {
        // SAFETY: passed on.
        std::str::from_utf8(unsafe { self.as_bytes() }?).ok()
    }
}

// SAFETY: the table holds pointers to functions and to static strings, which its
// maker promises to keep for the life of the process and callable from any thread.
unsafe impl Sync for Plugin {}
// SAFETY: as above.
unsafe impl Send for Plugin {}
// SAFETY: the host makes it once and keeps it, with the text it points to, for ever.
unsafe impl Sync for SourceInfo {}
// SAFETY: as above.
unsafe impl Send for SourceInfo {}
// SAFETY: the host's table is read-only; its functions may be called from any
// thread, and `ctx` is only ever handed back to them.
unsafe impl Sync for Host {}
// SAFETY: as above.
unsafe impl Send for Host {}
