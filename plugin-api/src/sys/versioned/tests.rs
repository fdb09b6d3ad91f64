//! Structs of other versions: shorter, of 1.0, longer, from the past and the future.

use std::ffi::c_void;

use super::super::*;
use super::*;

/// A struct as a later version has it: one more member at its end.
#[repr(C)]
#[derive(Clone, Copy)]
struct Later<T> {
    now: T,
    added: Option<unsafe extern "C" fn(ctx: *mut c_void) -> f64>,
}

// SAFETY: as `T`, and a function that may be NULL.
unsafe impl<T: Versioned> Versioned for Later<T> {
    const C_NAME: &'static str = T::C_NAME;
    const BYTES_1_0: usize = T::BYTES_1_0;
}

unsafe extern "C" fn added(_ctx: *mut c_void) -> f64 {
    7.0
}

fn zeroed<T: Versioned>(bytes: usize) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: zero is a valid T, and its size stands first.
    unsafe {
        value.as_mut_ptr().cast::<u32>().write(bytes as u32);
        value.assume_init()
    }
}

/// `struct_size` of a T.
fn size_in<T: Versioned>(value: &T) -> usize {
    // SAFETY: its size stands first.
    unsafe { std::ptr::from_ref(value).cast::<u32>().read() as usize }
}

fn every_size_is_read_as_it_should<T: Versioned>() {
    let name = T::C_NAME;
    // SAFETY: nothing is read through a pointer that is NULL.
    assert_eq!(unsafe { read::<T>(std::ptr::null()) }.err(), Some(BadStruct::Null), "{name}");
    let value = zeroed::<Later<T>>(T::BYTES_1_0);
    // SAFETY: nothing is read through a pointer that is not aligned.
    let askew = unsafe { read(std::ptr::from_ref(&value).cast::<T>().wrapping_byte_add(1)) };
    assert_eq!(askew.err(), Some(BadStruct::Misaligned), "{name}");
    for bytes in [0, 4, T::BYTES_1_0 - 1] {
        let value = zeroed::<T>(bytes);
        // SAFETY: a whole T.
        let read = unsafe { read(&value) };
        assert_eq!(read.err(), Some(BadStruct::TooSmall { bytes, needed: T::BYTES_1_0 }), "{name}");
    }
    for bytes in [T::BYTES_1_0, size_of::<T>(), size_of::<Later<T>>()] {
        let value = zeroed::<Later<T>>(bytes);
        // SAFETY: a T and more.
        let read = unsafe { read(std::ptr::from_ref(&value).cast::<T>()) }.expect(name);
        assert_eq!(size_in(&read), bytes, "{name}");
    }
    // From the past: the member it did not know is NULL, whatever lies behind it.
    let past = Later { added: Some(added), ..zeroed::<Later<T>>(T::BYTES_1_0) };
    // SAFETY: a whole Later<T> that says that it is a T.
    let read_past = unsafe { read(&past) }.expect(name);
    assert!(read_past.added.is_none(), "{name}");
    let same = Later { added: Some(added), ..zeroed::<Later<T>>(size_of::<Later<T>>()) };
    // SAFETY: a whole Later<T>.
    assert!(unsafe { read(&same) }.expect(name).added.is_some(), "{name}");
}

#[test]
fn structs_may_be_longer_but_not_shorter_than_in_1_0() {
    every_size_is_read_as_it_should::<Synchronization>();
    every_size_is_read_as_it_should::<ClockInfo>();
    every_size_is_read_as_it_should::<StreamInfo>();
    every_size_is_read_as_it_should::<Chunk>();
    every_size_is_read_as_it_should::<super::super::Host>();
    every_size_is_read_as_it_should::<ProbeSettings>();
    every_size_is_read_as_it_should::<SourceInfo>();
    every_size_is_read_as_it_should::<Plugin>();
}

/// What was released may not change: these are the numbers of 64-bit systems, written down.
#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_of_1_0_are_frozen() {
    let sizes = [
        (Synchronization::C_NAME, Synchronization::BYTES_1_0, 48),
        (ClockInfo::C_NAME, ClockInfo::BYTES_1_0, 40),
        (StreamInfo::C_NAME, StreamInfo::BYTES_1_0, 104),
        (Chunk::C_NAME, Chunk::BYTES_1_0, 40),
        (super::super::Host::C_NAME, super::super::Host::BYTES_1_0, 120),
        (ProbeSettings::C_NAME, ProbeSettings::BYTES_1_0, 16),
        (SourceInfo::C_NAME, SourceInfo::BYTES_1_0, 24),
        (Plugin::C_NAME, Plugin::BYTES_1_0, 88),
    ];
    for (name, bytes, frozen) in sizes {
        assert_eq!(bytes, frozen, "{name}");
    }
}

/// What a plugin built with 1.0 leaves out of its streams is "not given", whatever lies behind it.
#[test]
fn members_of_1_1_are_not_given_by_a_plugin_of_1_0() {
    let mut info = zeroed::<StreamInfo>(StreamInfo::BYTES_1_0);
    (info.may_be_silent, info.label, info.origin_xml) = (7, Str::new("l"), Str::new("<a/>"));
    // SAFETY: a whole StreamInfo that says that it is one of 1.0.
    let read_past = unsafe { read(&info) }.expect("1.0 is taken");
    assert_eq!((read_past.may_be_silent, read_past.label.len, read_past.origin_xml.len), (0, 0, 0));
    info.struct_size = size_of::<StreamInfo>() as u32;
    // SAFETY: a whole StreamInfo.
    let read_now = unsafe { read(&info) }.expect("1.1 is taken");
    assert_eq!((read_now.may_be_silent, read_now.label.len, read_now.origin_xml.len), (7, 1, 4));
}
