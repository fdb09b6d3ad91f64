//! Reading the structs of a sender that is older or newer: by value, as far as
//! both sides know them.
//!
//! A struct that starts with `struct_size` may grow at its end within a major
//! version. What a reader demands is therefore not the size that the struct has
//! today, but the one it had in version 1.0, frozen here for ever; what its
//! sender did not know is zero (a number) or NULL (a pointer or function).

use std::mem::{MaybeUninit, offset_of};

use super::{
    Chunk, ClockInfo, Host, Plugin, ProbeSettings, SideFile, SideFiles, SourceInfo, StreamInfo,
    Synchronization,
};

/// A struct of the header that starts with its own size.
///
/// # Safety
/// The type must be `repr(C)`, start with `struct_size: u32`, be valid when all
/// of its bytes are zero, and stay valid when any leading part of it is
/// overwritten with the same part of a value its sender made, up to the end of a
/// member; [`Versioned::BYTES_1_0`] must lie at the end of a member.
pub unsafe trait Versioned: Copy {
    /// As the header calls it.
    const C_NAME: &'static str;
    /// Bytes that every version has: the end of its last member in version 1.0.
    /// Never changes.
    const BYTES_1_0: usize;
}

/// Why a struct cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadStruct {
    /// There is none.
    Null,
    /// The pointer is not at a multiple of the alignment of its members.
    Misaligned,
    /// It is smaller than it was in version 1.0.
    TooSmall {
        /// Its `struct_size`.
        bytes: usize,
        /// What it was in version 1.0.
        needed: usize,
    },
}

impl std::fmt::Display for BadStruct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => write!(f, "the pointer is NULL"),
            Self::Misaligned => write!(f, "the pointer is not aligned"),
            Self::TooSmall { bytes, needed } => write!(
                f,
                "struct_size is {bytes}, and version 1.0 has {needed}; set it to the size of the whole struct"
            ),
        }
    }
}

impl std::error::Error for BadStruct {}

/// A copy of the struct at `ptr`, with zero for members its sender did not know
/// and without those that are not known here. `struct_size` is the sender's.
///
/// # Errors
/// [`BadStruct`].
///
/// # Safety
/// `ptr` must be NULL, misaligned, or point to a struct made for `T` of any
/// version 1.x that starts with its size and has as many readable bytes.
pub unsafe fn read<T: Versioned>(ptr: *const T) -> Result<T, BadStruct> {
    if ptr.is_null() {
        return Err(BadStruct::Null);
    }
    if !ptr.is_aligned() {
        return Err(BadStruct::Misaligned);
    }
    // SAFETY: not NULL, aligned, and its size stands first.
    let bytes = unsafe { ptr.cast::<u32>().read() } as usize;
    if bytes < T::BYTES_1_0 {
        return Err(BadStruct::TooSmall { bytes, needed: T::BYTES_1_0 });
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: `bytes` are readable and `T` is writable; a zeroed T with a part of a T over it is a T
    // by the contract of `Versioned`.
    unsafe {
        std::ptr::copy_nonoverlapping(
            ptr.cast::<u8>(),
            value.as_mut_ptr().cast::<u8>(),
            bytes.min(size_of::<T>()),
        );
        Ok(value.assume_init())
    }
}

/// Size of the member that `_of` borrows.
const fn size_of_member<T, M>(_of: fn(&T) -> &M) -> usize {
    size_of::<M>()
}

macro_rules! versioned {
    ($($c_name:literal $name:ident ended in 1.0 with $last:ident;)*) => {$(
        // SAFETY: a mirror of the header: repr(C), its size first, and made of integers, floats,
        // pointers, `Str`s and optional functions, for all of which zero is valid.
        unsafe impl Versioned for $name {
            const C_NAME: &'static str = $c_name;
            const BYTES_1_0: usize = offset_of!($name, $last) + size_of_member(|s: &$name| &s.$last);
        }
    )*};
}

// The last member each struct had in version 1.0, or in the first release that had the struct. Lines are added, and never changed.
versioned! {
    "lks_synchronization" Synchronization ended in 1.0 with offset_95_centile_s;
    "lks_clock_info" ClockInfo ended in 1.0 with name;
    "lks_stream_info" StreamInfo ended in 1.0 with synchronization;
    "lks_chunk" Chunk ended in 1.0 with data_bytes;
    "lks_host" Host ended in 1.0 with get_extension;
    "lks_probe_settings" ProbeSettings ended in 1.0 with interval_s;
    "lks_source_info" SourceInfo ended in 1.0 with name;
    "lks_side_file" SideFile ended in 1.0 with file_name;
    "lks_side_files" SideFiles ended in 1.0 with append;
    "lks_plugin" Plugin ended in 1.0 with get_extension;
}

#[cfg(test)]
mod tests;
