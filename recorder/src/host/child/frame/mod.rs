//! What a recorder and a child of its own say to each other, as bytes: pure, and never trusting what comes.
//!
//! A frame is the number of bytes that follow (u32), one byte that says what it is, and what that one has. Numbers and
//! samples are in the byte order of the machine, which both are on.

mod bytes;
mod from_child;
mod from_parent;

pub use bytes::{Numbers, Writer};
pub use from_child::{Creation, FromChild, Hello};
pub use from_parent::{Answer, FromParent};

/// Of what both must be: raised when a frame changes. They are of one binary, so it never differs but by mistake.
pub const PROTOCOL: u32 = 1;
/// Bytes a frame may have: a sample of as many channels as there may be, or a header of another recording system.
pub const MAX_FRAME_BYTES: usize = 32 << 20;
/// Bytes asked for at a time.
const READ_BYTES: usize = 256 << 10;
/// Room that is kept when nothing waits in it.
const KEPT_BYTES: usize = 1 << 20;
/// The number before each frame.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Of a length that none has.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// Of a kind there is not.
    #[error("a frame of the kind {0}")]
    Kind(u8),
    /// It ends before its contents do.
    #[error("a frame that is cut off")]
    Short,
    /// It goes on after its contents.
    #[error("a frame with {0} bytes too many")]
    Long(usize),
    /// A text that is none.
    #[error("a text that is not UTF-8")]
    Text,
    /// A number that none of its kind has.
    #[error("a number that means nothing: {0}")]
    Number(u32),
}

/// Append a frame: its length, its kind, and what `fill` writes.
///
/// # Errors
/// It would be longer than any may be; nothing is appended then.
fn frame(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Writer<'_>)) -> Result<(), BadFrame> {
    let begin = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.push(kind);
    fill(&mut Writer(out));
    let bytes = out.len() - begin - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_FRAME_BYTES => {
            out[begin..begin + LENGTH_BYTES].copy_from_slice(&length.to_ne_bytes());
            Ok(())
        }
        _ => {
            out.truncate(begin);
            Err(BadFrame::Length(bytes))
        }
    }
}

/// Bytes as they come, and the frames that are complete.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Frames {
    /// Room for what comes next; what was put into it is told to [`Frames::filled`].
    pub fn room(&mut self) -> &mut [u8] {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
            if self.buffer.len() > KEPT_BYTES {
                self.buffer.truncate(KEPT_BYTES);
                self.buffer.shrink_to_fit();
            }
        }
        // No more than what is needed of the frame that has begun, and one read.
        if self.buffer.len() - self.end < READ_BYTES && self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if self.buffer.len() - self.end < READ_BYTES {
            // Twice as much each time, so that a long frame is not moved for each piece of it.
            let more = READ_BYTES.max(self.buffer.len().min(MAX_FRAME_BYTES));
            self.buffer.resize(self.end + more, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// As many bytes were put into the room.
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
    }

    /// The next frame that is complete, without its length.
    ///
    /// # Errors
    /// It says a length that none has. What comes after it cannot be told apart then.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, BadFrame> {
        let waiting = &self.buffer[self.begin..self.end];
        let Some((length, rest)) = waiting.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_ne_bytes(*length) as usize;
        if length == 0 || length > MAX_FRAME_BYTES {
            return Err(BadFrame::Length(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.begin += LENGTH_BYTES + length;
        Ok(Some(&self.buffer[self.begin - length..self.begin]))
    }

    /// Bytes of a frame that is not complete.
    pub fn incomplete_bytes(&self) -> usize {
        self.end - self.begin
    }

    /// Forget what waits.
    pub fn clear(&mut self) {
        (self.begin, self.end) = (0, 0);
    }
}

/// Read `bytes` as what a child may send and as what a parent may, in pieces of `piece` bytes: how many frames of
/// either there are. For tests and fuzzing: whatever the bytes are, it returns.
///
/// # Errors
/// What is no frame.
pub fn read_all(bytes: &[u8], piece: usize) -> Result<usize, BadFrame> {
    let mut frames = Frames::default();
    let mut count = 0;
    for mut piece in bytes.chunks(piece.max(1)) {
        while !piece.is_empty() {
            let room = frames.room();
            let fits = piece.len().min(room.len());
            room[..fits].copy_from_slice(&piece[..fits]);
            frames.filled(fits);
            piece = &piece[fits..];
            while let Some(frame) = frames.next_frame()? {
                let is_either = FromParent::decode(frame).is_ok();
                if !is_either {
                    FromChild::decode(frame)?;
                }
                count += 1;
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
