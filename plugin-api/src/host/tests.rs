//! Hosts of other versions, and hosts that are none.

use std::ffi::{CStr, c_char, c_void};

use super::*;

unsafe extern "C" fn now(_ctx: *mut c_void) -> f64 {
    12.5
}

/// The extensions of a host of some later version.
#[repr(C)]
struct LaterSettings {
    now: sys::ProbeSettings,
    added: f64,
}

static LATER: LaterSettings = LaterSettings {
    now: sys::ProbeSettings {
        struct_size: size_of::<LaterSettings>() as u32,
        probes_per_burst: 3,
        interval_s: 0.5,
    },
    added: 1.0,
};

unsafe extern "C" fn get_extension(_ctx: *mut c_void, name: *const c_char) -> *const c_void {
    // SAFETY: a terminated name, by the header.
    match unsafe { CStr::from_ptr(name) } {
        name if name == sys::EXT_PROBE_SETTINGS => std::ptr::from_ref(&LATER.now).cast(),
        // Of another major version for all one can tell: too short.
        name if name == sys::EXT_SOURCE_INFO => std::ptr::from_ref(&8u64).cast(),
        _ => std::ptr::null(),
    }
}

fn table(struct_size: usize, abi_major: u32) -> sys::Host {
    sys::Host {
        struct_size: struct_size as u32,
        abi_major,
        abi_minor: 9,
        reserved: 0,
        ctx: std::ptr::null_mut(),
        now: Some(now),
        add_clock: None,
        add_stream: None,
        push_chunk: None,
        push_exchanges: None,
        clock_reset: None,
        report_gap: None,
        set_state: None,
        event: None,
        log: None,
        config_error: None,
        get_extension: Some(get_extension),
    }
}

fn host(struct_size: usize, abi_major: u32) -> Option<Host> {
    // SAFETY: a whole table; its functions are this program's. The copy outlives it on purpose.
    unsafe { Host::from_raw(&table(struct_size, abi_major)) }
}

#[test]
fn a_host_is_taken_from_version_1_0_on_and_copied() {
    const LEAST: usize = <sys::Host as sys::Versioned>::BYTES_1_0;
    assert_eq!(host(LEAST, 1).expect("1.0").now_s(), 12.5);
    assert_eq!(host(LEAST - 1, 1).map(|h| h.now_s()), None);
    assert_eq!(host(LEAST, 2).map(|h| h.now_s()), None);
    // SAFETY: nothing is read through either pointer.
    unsafe {
        assert!(Host::from_raw(std::ptr::null()).is_none());
        assert!(Host::from_raw(std::ptr::without_provenance(4097)).is_none());
    }
}

#[test]
fn a_later_host_is_read_as_far_as_it_is_known() {
    #[repr(C)]
    struct Later {
        now: sys::Host,
        added: usize,
    }
    let later = Later { now: table(size_of::<Later>(), 1), added: usize::MAX };
    // SAFETY: a whole table of some later version.
    let host = unsafe { Host::from_raw(&raw const later.now) }.expect("a host");
    assert_eq!(later.added, usize::MAX);
    assert_eq!(host.probe_settings(), ProbeSettings { interval_s: 0.5, probes_per_burst: 3 });
    assert_eq!(LATER.added, 1.0);
}

#[test]
fn an_extension_that_cannot_be_read_is_none() {
    let host = host(size_of::<sys::Host>(), 1).expect("a host");
    assert_eq!(host.source_name(), "");
}

#[test]
fn what_a_host_does_not_have_is_an_error_and_not_a_crash() {
    let host = host(size_of::<sys::Host>(), 1).expect("a host");
    assert_eq!(host.event("e", &serde_json::Value::Null), Err(Error::NotRunning));
    assert!(host.stream::<i32>("s", 1).add().is_err());
    host.log(LogLevel::Error, "to no one");
    host.set_state(State::Failed, "to no one");
}
