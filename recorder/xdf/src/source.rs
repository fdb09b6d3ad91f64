//! Random access to the bytes of a file, without knowing files.

use std::io;

/// Bytes that can be read at any place, by several threads at once.
pub trait ReadAt: Send + Sync {
    /// Reads bytes from `offset` on into `buf` and says how many; fewer than asked for is fine, 0
    /// is the end.
    ///
    /// # Errors
    /// Whatever the system answers; [`io::ErrorKind::Interrupted`] is tried again by the caller.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// How many bytes there are.
    fn size_bytes(&self) -> u64;
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.get(from..)).unwrap_or_default();
        let size = rest.len().min(buf.len());
        buf[..size].copy_from_slice(&rest[..size]);
        Ok(size)
    }

    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buf)
    }

    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }

    fn size_bytes(&self) -> u64 {
        (**self).size_bytes()
    }
}

/// Reads until `buf` is full or the source ends; says how many bytes are there.
pub(crate) fn read_full(source: &dyn ReadAt, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match source.read_at(offset + done as u64, &mut buf[done..]) {
            Ok(0) => break,
            // A source that claims more than it was given room for is not believed.
            Ok(size) => done += size.min(buf.len() - done),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_gives_what_is_there() {
        let bytes = vec![1u8, 2, 3];
        let mut buf = [0; 2];
        assert_eq!(read_full(&bytes, 2, &mut buf).unwrap(), 1);
        assert_eq!(buf, [3, 0]);
        assert_eq!(read_full(&bytes, u64::MAX - 1, &mut buf).unwrap(), 0);
    }
}
