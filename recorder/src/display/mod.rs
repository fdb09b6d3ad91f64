//! Showing a recording: a live table on a terminal, plain lines elsewhere, JSON
//! for machines; all from the same [`Status`].

pub mod format;
mod json;
mod live;
mod plain;
pub mod rows;
mod screen;
pub mod table;
mod verdict;

pub use screen::Screen;

use crate::recording::notice::Notice;
use crate::recording::status::Status;
use crate::recording::verdict::Verdict;

/// One of the ways to show a recording.
#[derive(Debug)]
pub enum Display {
    /// A table that is drawn anew in place.
    Live(live::Live),
    /// Lines, one after another.
    Plain(plain::Plain),
    /// JSON objects, one a line.
    Json(json::Json),
}

impl Display {
    /// JSON when asked for, else what the terminal can show.
    pub fn choose(json: bool) -> Self {
        if json {
            Self::Json(json::Json::default())
        } else if console::Term::stderr().is_term() {
            Self::Live(live::Live::default())
        } else {
            Self::Plain(plain::Plain::default())
        }
    }

    /// What became of it.
    fn verdict(&mut self, verdict: &Verdict) {
        match self {
            Self::Live(live) => live.clear(),
            Self::Plain(_) => {}
            Self::Json(json) => return json.verdict(verdict),
        }
        print_out(&verdict::render(verdict));
    }
}

impl Display {
    fn notice(&mut self, notice: &Notice) {
        match self {
            Self::Live(live) => live.notice(notice),
            Self::Plain(plain) => plain.notice(notice),
            Self::Json(json) => json.notice(notice),
        }
    }

    fn status(&mut self, status: &Status) {
        match self {
            Self::Live(live) => live.status(status),
            Self::Plain(plain) => plain.status(status),
            Self::Json(json) => json.status(status),
        }
    }
}

/// Say something that is of no recording: a line of text, or with `json` an object of this kind.
pub fn announce(json: bool, kind: &str, value: &impl serde::Serialize, text: &str) {
    if json { json::Json::line(kind, value) } else { print_err(text) }
}

/// Results go to standard output. A reader that has gone away is no failure of
/// a recording.
pub fn print_out(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{}", text.strip_suffix('\n').unwrap_or(text)).and_then(|()| out.flush()));
}

/// What goes on goes to standard error.
pub fn print_err(text: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr().lock(), "{}", text.strip_suffix('\n').unwrap_or(text)));
}
