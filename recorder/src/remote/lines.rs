//! Cuts the bytes of a connection into lines, of a bounded length.

/// Longest line, in bytes, without its end.
pub const LINE_MAX_BYTES: usize = 8192;

/// A line, or why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line without its `\n` or `\r\n`.
    Text(String),
    /// It was longer than [`LINE_MAX_BYTES`]; what it said is gone.
    TooLong,
    /// It was not UTF-8.
    NotText,
    /// The connection ended within it.
    CutOff,
}

/// Gathers bytes until a line is whole.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// The lines that end within `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.gather(&rest[..end]);
            lines.push(self.take());
            rest = &rest[end + 1..];
        }
        self.gather(rest);
        lines
    }

    /// The end of the connection: a line that was begun is not obeyed, for nobody knows what it was to be.
    pub fn end(self) -> Option<Line> {
        (self.too_long || !self.begun.is_empty()).then_some(Line::CutOff)
    }

    fn gather(&mut self, bytes: &[u8]) {
        // One byte more, for the `\r` of a line end.
        let room = (LINE_MAX_BYTES + 1).saturating_sub(self.begun.len());
        self.too_long |= bytes.len() > room;
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> Line {
        let mut bytes = std::mem::take(&mut self.begun);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if std::mem::take(&mut self.too_long) || bytes.len() > LINE_MAX_BYTES {
            return Line::TooLong;
        }
        String::from_utf8(bytes).map_or(Line::NotText, Line::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Line {
        Line::Text(line.to_owned())
    }

    #[test]
    fn lines_end_with_either_end_and_come_in_any_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"start\nselect all\r\n\nst"), [text("start"), text("select all"), text("")]);
        assert_eq!(lines.feed(b"o"), []);
        assert_eq!(lines.feed(b"p\r"), []);
        assert_eq!(lines.feed(b"\n"), [text("stop")]);
        assert_eq!(lines.end(), None);
    }

    #[test]
    fn a_line_is_bounded_and_the_next_one_is_read_again() {
        let mut lines = Lines::default();
        let longest = "x".repeat(LINE_MAX_BYTES);
        assert_eq!(lines.feed(format!("{longest}\r\n").as_bytes()), [text(&longest)]);
        assert_eq!(
            lines.feed(format!("{longest}y\n{longest}yz\nstop\n").as_bytes()),
            [Line::TooLong, Line::TooLong, text("stop")]
        );
        for _ in 0..1000 {
            assert_eq!(lines.feed(&[b'x'; 1000]), []);
            assert!(lines.begun.len() <= LINE_MAX_BYTES + 1);
        }
        assert_eq!(lines.feed(b"\nstop\n"), [Line::TooLong, text("stop")]);
    }

    #[test]
    fn what_is_no_text_or_has_no_end_is_told() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"st\xffart\nstart"), [Line::NotText]);
        assert_eq!(lines.end(), Some(Line::CutOff));
    }
}
