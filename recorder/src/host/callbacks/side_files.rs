//! The extension "lockstep.side-files/1": files beside the recording.

use std::ffi::c_void;

use lockstep_plugin_api::sys;

use super::call;
use crate::host::arguments::{array, sized, text};
use crate::host::sink::Sink;
use crate::recording::intake::Refusal;

/// What a plugin gets.
pub static TABLE: sys::SideFiles = sys::SideFiles {
    struct_size: size_of::<sys::SideFiles>() as u32,
    reserved: 0,
    create: Some(create),
    append: Some(append),
};

unsafe extern "C" fn create(
    ctx: *mut c_void,
    what: sys::Str,
    suffix: sys::Str,
    out: *mut sys::SideFile,
) -> sys::Status {
    let body = |source: &dyn Sink| {
        // SAFETY: the plugin lends the struct and the texts for the call.
        let (mut made, what, suffix) =
            unsafe { (sized(out)?, text(what, "what it holds")?, text(suffix, "its suffix")?) };
        let (id, file_name) = source.add_side_file(what, suffix)?;
        // Kept for ever, as the table that the plugin knows it by.
        let name: &'static str = Box::leak(file_name.into_boxed_str());
        (made.id, made.file_name) = (id, sys::Str::new(name));
        // SAFETY: not NULL, aligned, and as large as version 1.0 of the struct at least, which is all that it has.
        unsafe { out.write(made) };
        Ok(sys::OK)
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "create of a side file", body) }
}

unsafe extern "C" fn append(
    ctx: *mut c_void,
    file: u32,
    bytes: *const c_void,
    byte_count: usize,
    offset: *mut u64,
) -> sys::Status {
    let body = |source: &dyn Sink| {
        if !offset.is_aligned() {
            return Err(Refusal::Invalid("the place for the offset is not aligned".to_owned()));
        }
        // SAFETY: the plugin lends as many bytes for the call.
        let bytes = unsafe { array(bytes.cast::<u8>(), byte_count, "bytes") }?;
        let Some(at) = source.append_side_file(file, bytes)? else { return Ok(sys::AGAIN) };
        if !offset.is_null() {
            // SAFETY: not NULL, aligned, and lent for the call.
            unsafe { offset.write(at) };
        }
        Ok(sys::OK)
    };
    // SAFETY: `ctx` is this table's.
    unsafe { call(ctx, "append to a side file", body) }
}
