//! The C functions of a source, called as a host calls them, and worse.

use std::ptr::{null, null_mut, without_provenance, without_provenance_mut};

use super::*;

struct Silent;

impl Source for Silent {
    const ID: &'static CStr = c"silent-one";
    const VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Does nothing";
    type Options = Option<u32>;

    fn create(_host: Host, _options: Option<u32>) -> Result<Self, Error> {
        Ok(Self)
    }
    fn start(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn get_extension(name: &CStr) -> *const c_void {
        assert!(name != c"panic");
        if name == c"seven" { std::ptr::from_ref(&7u32).cast() } else { null() }
    }
}

fn host() -> sys::Host {
    let mut table = std::mem::MaybeUninit::<sys::Host>::zeroed();
    // SAFETY: zero is a valid table: one without functions.
    unsafe {
        (*table.as_mut_ptr()).struct_size = size_of::<sys::Host>() as u32;
        (*table.as_mut_ptr()).abi_major = sys::ABI_MAJOR;
        table.assume_init()
    }
}

#[test]
fn bad_pointers_are_an_answer_and_not_a_crash() {
    let (host, json) = (host(), sys::Str::new("null"));
    let mut made = null_mut();
    // SAFETY: valid arguments, or such that must not be read or written.
    unsafe {
        assert_eq!(Shim::<Silent>::create(null(), json, &mut made), sys::EINVAL);
        assert_eq!(Shim::<Silent>::create(without_provenance(4097), json, &mut made), sys::EINVAL);
        assert_eq!(Shim::<Silent>::create(&host, json, null_mut()), sys::EINVAL);
        assert_eq!(Shim::<Silent>::create(&host, json, without_provenance_mut(4097)), sys::EINVAL);
        let lost = sys::Str { ptr: null(), len: 4 };
        assert_eq!(Shim::<Silent>::create(&host, lost, &mut made), sys::EINVAL);
        assert!(made.is_null());
        assert_eq!(Shim::<Silent>::start(null_mut()), sys::EINVAL);
        assert_eq!(Shim::<Silent>::start(without_provenance_mut(4097)), sys::EINVAL);
        Shim::<Silent>::destroy(null_mut());
        Shim::<Silent>::destroy(without_provenance_mut(4097));
        assert_eq!(Shim::<Silent>::create(&host, json, &mut made), sys::OK);
        assert_eq!(Shim::<Silent>::start(made), sys::OK);
        assert_eq!(Shim::<Silent>::stop(made), sys::OK);
        Shim::<Silent>::destroy(made);
    }
}

#[test]
fn extensions_are_found_by_name() {
    let call = Shim::<Silent>::TABLE.get_extension.expect("wired");
    // SAFETY: NULL, or terminated names.
    unsafe {
        assert_eq!(*call(c"seven".as_ptr()).cast::<u32>(), 7);
        assert!(call(c"eight".as_ptr()).is_null());
        assert!(call(c"panic".as_ptr()).is_null());
        assert!(call(null()).is_null());
    }
}

#[test]
fn an_entry_has_the_name_of_its_source() {
    assert!(entry_is_of("lks_plugin_entry_silent_one", Silent::ID));
    assert!(!entry_is_of("lks_plugin_entry_silent", Silent::ID));
    assert!(!entry_is_of("lks_plugin_entry_silent_two", Silent::ID));
    assert!(!entry_is_of("lks_plugin_entri_silent_one", Silent::ID));
    assert!(!entry_is_of("", c""));
}
