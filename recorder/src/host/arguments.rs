//! Arguments of a plugin's calls: what is lent is looked at before it is used,
//! and what cannot be used is a refusal that names it.

use std::slice;

use lockstep_plugin_api::sys;

use crate::recording::intake::Refusal;

/// Longest text for humans that is taken over, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// A text that identifies something: as it is, or not at all.
///
/// # Safety
/// As [`sys::Str::as_bytes`].
pub unsafe fn text<'a>(value: sys::Str, what: &str) -> Result<&'a str, Refusal> {
    // SAFETY: passed on.
    unsafe { value.as_str() }.ok_or_else(|| Refusal::Invalid(format!("{what} is not UTF-8")))
}

/// A text that people read, as far as it can be read: what is not UTF-8 is
/// shown as U+FFFD, and a text of NULL is the empty one.
///
/// # Safety
/// As [`sys::Str::as_bytes`].
pub unsafe fn human(value: sys::Str) -> String {
    // SAFETY: passed on.
    readable(unsafe { value.as_bytes() }.unwrap_or_default())
}

/// `bytes` as a text of one line and [`MAX_TEXT_BYTES`] at the most, harmless
/// on a terminal: white space is a space, other control characters are U+FFFD.
pub fn readable(bytes: &[u8]) -> String {
    // A byte more than fits shows that something is cut off.
    let looked_at = bytes.get(..=MAX_TEXT_BYTES).unwrap_or(bytes);
    let mut text: String = String::from_utf8_lossy(looked_at)
        .chars()
        .map(|c| match c {
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    if text.len() > MAX_TEXT_BYTES {
        const CUT: char = '…';
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES - CUT.len_utf8()));
        text.push(CUT);
    }
    text
}

/// A copy of the struct at a pointer of the plugin, of whatever version.
///
/// # Safety
/// As [`sys::read`].
pub unsafe fn sized<T: sys::Versioned>(ptr: *const T) -> Result<T, Refusal> {
    // SAFETY: passed on.
    unsafe { sys::read(ptr) }.map_err(|e| Refusal::Invalid(format!("{}: {e}", T::C_NAME)))
}

/// The array at a pointer of the plugin.
///
/// # Safety
/// `ptr` must be NULL, misaligned, or point to `len` readable values.
pub unsafe fn array<'a, T>(ptr: *const T, len: usize, what: &str) -> Result<&'a [T], Refusal> {
    if len == 0 {
        return Ok(&[]);
    }
    let wrong = match () {
        () if ptr.is_null() => "is NULL",
        () if !ptr.is_aligned() => "is not aligned",
        () if len > isize::MAX as usize / size_of::<T>() => "is larger than any memory",
        // SAFETY: not NULL, aligned, of a possible size, and readable by this function's contract.
        () => return Ok(unsafe { slice::from_raw_parts(ptr, len) }),
    };
    Err(Refusal::Invalid(format!("{what}, an array of {len}, {wrong}")))
}

/// A place of the plugin for a handle, to be written and not to be read.
pub fn place(out: *mut u32) -> Result<*mut u32, Refusal> {
    if out.is_null() || !out.is_aligned() {
        return Err(Refusal::Invalid("no place for the handle: out is NULL or not aligned".to_owned()));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_without_control_characters() {
        assert_eq!(readable("größe → 7".as_bytes()), "größe → 7");
        assert_eq!(readable(b"a\r\nb\tc"), "a  b c");
        assert_eq!(readable(b"\x1b[31mred\x07\x00"), "\u{fffd}[31mred\u{fffd}\u{fffd}");
        assert_eq!(readable("a\u{9b}b\u{2028}c".as_bytes()), "a\u{fffd}b c");
        assert_eq!(readable(b""), "");
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_shown_as_far_as_it_is() {
        assert_eq!(readable(b"K\xfchler zu hei\xdf"), "K\u{fffd}hler zu hei\u{fffd}");
        // SAFETY: NULL with a length, of which nothing is read.
        assert_eq!(unsafe { human(sys::Str { ptr: std::ptr::null(), len: 9 }) }, "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(readable(&[b'x'; MAX_TEXT_BYTES]).len(), MAX_TEXT_BYTES);
        let cut = readable(&[b'x'; MAX_TEXT_BYTES + 1]);
        assert_eq!(cut.len(), MAX_TEXT_BYTES);
        assert!(cut.ends_with("x…"), "{cut}");
        for lead in 0..5 {
            let cut = readable(["x".repeat(lead), "é€𝄞".repeat(1000)].concat().as_bytes());
            assert!(cut.len() <= MAX_TEXT_BYTES && cut.len() > MAX_TEXT_BYTES - 8);
            assert!(cut.ends_with('…') && !cut.contains('\u{fffd}'), "{cut}");
        }
        // Each of these grows from one byte to three.
        assert!(readable(&[0; MAX_TEXT_BYTES]).len() <= MAX_TEXT_BYTES);
        assert!(readable(&[0xff; 100_000]).len() <= MAX_TEXT_BYTES);
    }

    #[test]
    fn arrays_and_places_that_cannot_be_are_refused() {
        let numbers = [1.0f64, 2.0];
        // SAFETY: two numbers, none, or pointers through which nothing is read.
        unsafe {
            assert_eq!(array(numbers.as_ptr(), 2, "n").expect("an array"), numbers);
            assert!(array::<f64>(std::ptr::null(), 0, "n").expect("none").is_empty());
            assert!(array::<f64>(std::ptr::null(), 1, "n").is_err());
            assert!(array(numbers.as_ptr().wrapping_byte_add(4), 1, "n").is_err());
            assert!(array(numbers.as_ptr(), usize::MAX / 8, "n").is_err());
        }
        let mut handle = 0u32;
        assert!(place(&mut handle).is_ok());
        assert!(place(std::ptr::null_mut()).is_err());
        assert!(place(std::ptr::from_mut(&mut handle).wrapping_byte_add(1)).is_err());
    }
}
