//! What a child prints, as lines of its source.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use crate::host::arguments::{MAX_TEXT_BYTES, readable};

/// Bytes that are read in one [`WINDOW`]; a child that prints more is slowed down by its own pipe.
const WINDOW_BYTES: usize = 1 << 20;
const WINDOW: Duration = Duration::from_millis(100);
/// Lines kept while there is nobody to tell them to.
const KEPT_LINES: usize = 50;

/// Lines as they come.
#[derive(Debug)]
pub struct Printed {
    line: Vec<u8>,
    window: Instant,
    read_bytes: usize,
    kept: Vec<String>,
}

impl Printed {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { line: Vec::new(), window: Instant::now(), read_bytes: 0, kept: Vec::new() }
    }

    /// When more may be read; `None`: now.
    pub fn pause(&mut self, now: Instant) -> Option<Duration> {
        let over = now.duration_since(self.window);
        if over >= WINDOW {
            (self.window, self.read_bytes) = (now, 0);
        }
        (self.read_bytes >= WINDOW_BYTES).then(|| WINDOW.saturating_sub(over))
    }

    /// Read what is there, and not more than may be now: each line that is complete. Whether the end has come.
    pub fn read(&mut self, pipe: &mut impl Read, mut tell: impl FnMut(&str)) -> bool {
        let mut piece = [0; 16 << 10];
        while self.pause(Instant::now()).is_none() {
            match pipe.read(&mut piece) {
                Ok(0) => return true,
                Ok(read) => {
                    self.read_bytes += read;
                    self.feed(&piece[..read], &mut tell);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return e.kind() != ErrorKind::WouldBlock,
            }
        }
        false
    }

    fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            // A byte more than is shown says that the line was cut.
            let room = (MAX_TEXT_BYTES + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if is_whole {
                self.finish(&mut tell);
            }
        }
    }

    /// The line that has no end.
    pub fn finish(&mut self, mut tell: impl FnMut(&str)) {
        let text = readable(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
        self.line.clear();
        if !text.trim().is_empty() {
            tell(&text);
        }
    }

    /// Keep a line until there is somebody to tell it to.
    pub fn keep(&mut self, line: String) {
        if self.kept.len() < KEPT_LINES {
            self.kept.push(line);
        }
    }

    /// What was kept.
    pub fn take_kept(&mut self) -> Vec<String> {
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut printed, mut told) = (Printed::new(), Vec::new());
        for piece in pieces {
            assert!(printed.read(&mut &**piece, |line| told.push(line.to_owned())));
        }
        printed.finish(|line| told.push(line.to_owned()));
        told
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        assert_eq!(lines(&[b"one\ntw", b"o\r\n\n  \nthree"]), ["one", "two", "three"]);
        assert_eq!(lines(&[b"\x1b[31mred\xff\n"]), ["\u{fffd}[31mred\u{fffd}"]);
        assert!(lines(&[b""]).is_empty());
    }

    #[test]
    fn a_line_without_end_is_cut_and_costs_no_memory() {
        let piece = [b'x'; 100_000];
        let told = lines(&[&piece, &piece, b"\nnext\n"]);
        assert_eq!(told.len(), 2);
        assert!(told[0].len() == MAX_TEXT_BYTES && told[0].ends_with('…'));
        assert_eq!(told[1], "next");
    }

    #[test]
    fn a_flood_is_read_so_fast_and_no_faster() {
        let flood = vec![b'\n'; 3 * WINDOW_BYTES];
        let (mut printed, mut pipe) = (Printed::new(), flood.as_slice());
        assert!(!printed.read(&mut pipe, |_| ()), "not to its end");
        assert!(pipe.len() >= WINDOW_BYTES && printed.pause(Instant::now()).is_some());
        assert_eq!(printed.pause(Instant::now() + WINDOW), None);
    }
}
