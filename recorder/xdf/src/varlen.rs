//! The variable-length unsigned integer of XDF: one byte that says 1, 4 or 8, then that many bytes.

/// Appends `value` in the shortest form: 2, 5 or 9 bytes.
pub(crate) fn write(out: &mut Vec<u8>, value: u64) {
    if let Ok(short) = u8::try_from(value) {
        out.extend_from_slice(&[1, short]);
    } else if let Ok(medium) = u32::try_from(value) {
        write_u32(out, medium);
    } else {
        out.push(8);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends `value` in the 5-byte form, whatever its size.
pub(crate) fn write_u32(out: &mut Vec<u8>, value: u32) {
    out.push(4);
    out.extend_from_slice(&value.to_le_bytes());
}

/// What the first bytes of a slice say as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varlen {
    /// The integer, and how many bytes it took.
    Value { value: u64, used: usize },
    /// The slice ends inside it; it needs this many bytes.
    Cut { need: usize },
    /// The first byte is not 1, 4 or 8.
    Bad { first_byte: u8 },
}

/// Reads the integer at the start of `bytes`; longer forms than needed are accepted.
pub(crate) fn read(bytes: &[u8]) -> Varlen {
    let value_at = |size: usize| match bytes.get(1..1 + size) {
        Some(raw) => {
            let mut wide = [0; 8];
            wide[..size].copy_from_slice(raw);
            Varlen::Value { value: u64::from_le_bytes(wide), used: 1 + size }
        }
        None => Varlen::Cut { need: 1 + size },
    };
    match bytes.first() {
        None => Varlen::Cut { need: 1 },
        Some(&size @ (1 | 4 | 8)) => value_at(size.into()),
        Some(&first_byte) => Varlen::Bad { first_byte },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_is_written_and_read_back() {
        for (value, used) in
            [(0, 2), (255, 2), (256, 5), (u64::from(u32::MAX), 5), (1 << 32, 9), (u64::MAX, 9)]
        {
            let mut out = Vec::new();
            write(&mut out, value);
            assert_eq!(read(&out), Varlen::Value { value, used });
            for cut in 0..out.len() {
                let need = if cut == 0 { 1 } else { used };
                assert_eq!(read(&out[..cut]), Varlen::Cut { need });
            }
        }
    }

    #[test]
    fn other_sizes_are_refused() {
        for first_byte in [0, 2, 3, 5, 7, 9, 255] {
            assert_eq!(read(&[first_byte; 12]), Varlen::Bad { first_byte });
        }
    }
}
