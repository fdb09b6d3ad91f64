//! Numbers and texts in frames.

use super::BadFrame;

/// Appends to a frame.
#[derive(Debug)]
pub struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_ne_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_ne_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_ne_bytes());
    }

    /// A length too large for its number makes the frame too long, which is refused as a whole.
    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Takes apart what a frame has.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], BadFrame> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(BadFrame::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadFrame> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(BadFrame::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, BadFrame> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BadFrame> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, BadFrame> {
        self.array().map(u64::from_ne_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, BadFrame> {
        self.array().map(f64::from_ne_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, BadFrame> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(BadFrame::Number(other.into())),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], BadFrame> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, BadFrame> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BadFrame::Text)
    }

    pub(super) fn owned(&mut self) -> Result<String, BadFrame> {
        self.text().map(str::to_owned)
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, BadFrame>,
    ) -> Result<Option<T>, BadFrame> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A list of which each entry has `least_bytes` at least: no more room is made than what is there can fill.
    pub(super) fn list<T>(
        &mut self,
        least_bytes: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, BadFrame>,
    ) -> Result<Vec<T>, BadFrame> {
        let length = self.u32()? as usize;
        if length > self.0.len() / least_bytes.max(1) {
            return Err(BadFrame::Short);
        }
        (0..length).map(|_| read(self)).collect()
    }

    /// As many doubles.
    pub(super) fn numbers(&mut self, count: usize) -> Result<Numbers<'a>, BadFrame> {
        let bytes = count.checked_mul(size_of::<f64>()).ok_or(BadFrame::Short)?;
        self.take(bytes).map(Numbers)
    }

    /// All was read.
    pub(super) fn end(&self) -> Result<(), BadFrame> {
        if self.0.is_empty() { Ok(()) } else { Err(BadFrame::Long(self.0.len())) }
    }
}

/// Doubles as they stand in a frame, aligned or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    /// Of bytes that are whole doubles; what is over is left out.
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self(&bytes[..bytes.len() - bytes.len() % size_of::<f64>()])
    }

    /// How many.
    pub fn count(self) -> usize {
        self.0.len() / size_of::<f64>()
    }

    /// Each.
    pub fn iter(self) -> impl Iterator<Item = f64> + 'a {
        self.0.as_chunks::<{ size_of::<f64>() }>().0.iter().map(|bytes| f64::from_ne_bytes(*bytes))
    }

    /// All of them instead of what was in `out`.
    pub fn copy_to(self, out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.iter());
    }

    pub(super) fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}
