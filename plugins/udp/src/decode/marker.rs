//! Datagrams that are one text.

use super::{Batch, Fault, Malformed};

/// Read a marker: the whole datagram, less one line end that tools like `echo` append.
///
/// # Errors
/// Nothing in it, or not UTF-8.
pub fn decode(datagram: &[u8], batch: &mut Batch) -> Result<(), Malformed> {
    let one = |kind, detail: String| Malformed { kind, detail, samples: Some(1) };
    let text = std::str::from_utf8(datagram)
        .map_err(|e| one(Fault::Utf8, format!("not UTF-8 from byte {} on", e.valid_up_to())))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(Malformed::new(Fault::Empty, "an empty marker"));
    }
    batch.texts.extend_empty(1);
    batch.texts.set(0, text);
    batch.samples = 1;
    Ok(())
}
