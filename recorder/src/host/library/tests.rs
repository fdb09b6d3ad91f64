//! Tables of plugins of every version, and tables that are none.

use std::ffi::c_void;
use std::ptr::{null, without_provenance};

use super::*;

unsafe extern "C" fn create(_: *const sys::Host, _: sys::Str, _: *mut *mut c_void) -> sys::Status {
    sys::EIO
}

unsafe extern "C" fn status(_: *mut c_void) -> sys::Status {
    sys::EIO
}

unsafe extern "C" fn destroy(_: *mut c_void) {}

unsafe extern "C" fn any_options() -> *const c_char {
    null()
}

unsafe extern "C" fn latin_options() -> *const c_char {
    c"{\"description\":\"\xe9\"}".as_ptr()
}

unsafe extern "C" fn added() {}

const TABLE: sys::Plugin = sys::Plugin {
    struct_size: size_of::<sys::Plugin>() as u32,
    abi_major: sys::ABI_MAJOR,
    abi_minor: sys::ABI_MINOR,
    reserved: 0,
    id: c"it".as_ptr(),
    version: c"1".as_ptr(),
    description: c"For tests".as_ptr(),
    options_schema: None,
    create: Some(create),
    start: Some(status),
    stop: Some(status),
    destroy: Some(destroy),
    get_extension: None,
};

/// The table of a later version.
#[repr(C)]
struct Later {
    now: sys::Plugin,
    added: Option<unsafe extern "C" fn()>,
}

fn load(table: *const sys::Plugin) -> Result<Plugin, LoadError> {
    Plugin::from_table(table, Origin::BuiltIn)
}

fn reason(table: *const sys::Plugin) -> String {
    load(table).expect_err("not usable").to_string()
}

#[test]
fn a_table_is_taken_from_version_1_0_on_and_copied() {
    const LEAST: usize = <sys::Plugin as sys::Versioned>::BYTES_1_0;
    for (bytes, taken) in [
        (16, false),
        (LEAST - 1, false),
        (LEAST, true),
        (size_of::<sys::Plugin>(), true),
        (size_of::<Later>(), true),
        (size_of::<Later>() + 800, true),
    ] {
        // Large enough for what is read, whatever it says.
        let now = sys::Plugin { struct_size: bytes as u32, abi_minor: 7, ..TABLE };
        let later = Later { now, added: Some(added) };
        let loaded = load(&raw const later.now);
        assert_eq!(loaded.is_ok(), taken, "{bytes} bytes");
        match loaded {
            Ok(plugin) => {
                assert!(!std::ptr::eq(plugin.table, &raw const later.now), "a copy");
                assert_eq!((plugin.id.as_str(), plugin.table.struct_size), ("it", bytes as u32));
            }
            Err(e) => {
                assert!(e.to_string().contains(&format!("{bytes}, and version 1.0 has {LEAST}")), "{e}")
            }
        }
        assert!(later.added.is_some());
    }
}

#[test]
fn tables_that_cannot_be_are_refused_with_the_reason() {
    assert!(matches!(load(null()), Err(LoadError::Declined { .. })));
    assert!(reason(without_provenance(4097)).contains("not aligned"));
    assert!(reason(&sys::Plugin { stop: None, ..TABLE }).contains("its function stop is NULL"));
    assert!(reason(&sys::Plugin { id: null(), ..TABLE }).contains("its id"));
    // Of another version nothing but the version is looked at.
    let other = sys::Plugin { abi_major: 2, abi_minor: 0, struct_size: 4, ..TABLE };
    assert!(reason(&other).contains("was built for plugin ABI 2.0"));
}

#[test]
fn a_plugin_must_be_the_one_its_file_is_named_after() {
    let plugin = load(&sys::Plugin { id: c"eye-tracker".as_ptr(), ..TABLE }).expect("usable");
    assert!(plugin.clone().named("eye-tracker").is_ok());
    assert!(plugin.clone().named("eye_tracker").is_ok(), "as the file name has it");
    let told = plugin.named("tracker").expect_err("another").to_string();
    assert!(told.contains("is the plugin \"eye-tracker\", not \"tracker\""), "{told}");
    assert!(told.contains("lockstep_plugin_eye_tracker"), "{told}");
}

#[test]
fn a_plugin_without_a_schema_takes_any_options() {
    let schema = |options_schema| {
        let table = sys::Plugin { options_schema, ..TABLE };
        load(&table).expect("usable").options_schema()
    };
    assert!(schema(None).expect("none").is_none());
    assert!(schema(Some(any_options)).expect("none").is_none());
    let latin = schema(Some(latin_options)).expect_err("not UTF-8");
    assert!(latin.to_string().contains("its options schema is not UTF-8"), "{latin}");
}

#[test]
fn a_plugin_that_calls_a_vendors_library_says_so() {
    let of = |table| Plugin::built_in(table).expect("usable").has_vendor_code();
    assert!(of(lockstep_plugin_tobii::plugin_table()));
    assert!(!of(lockstep_plugin_udp::plugin_table()));
    assert!(!load(&TABLE).expect("usable").has_vendor_code(), "it has no extensions");
}
