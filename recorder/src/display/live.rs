//! The live table.

use std::time::{Duration, Instant};

use console::{Term, style, truncate_str};

use super::rows;
use crate::recording::notice::{Level, Notice};
use crate::recording::status::Status;

/// Between two drawings.
const PERIOD: Duration = Duration::from_millis(400);

/// Alarms that are shown below the table.
const SHOWN_ALARMS: usize = 4;

/// A table that is drawn anew in place, with what happens scrolling by above it.
#[derive(Debug)]
pub struct Live {
    term: Term,
    drawn: Vec<String>,
    last: Option<Instant>,
}

impl Default for Live {
    fn default() -> Self {
        Self { term: Term::stderr(), drawn: Vec::new(), last: None }
    }
}

/// A notice as a line.
pub fn notice_line(notice: &Notice) -> String {
    let time = jiff::Zoned::now().strftime("%H:%M:%S");
    let of = if notice.source.is_empty() { String::new() } else { format!("{}: ", notice.source) };
    let text = format!("{time}  {of}{}", notice.text);
    match notice.level {
        Level::Error => style(format!("✗ {text}")).for_stderr().red().to_string(),
        Level::Warning => style(format!("! {text}")).for_stderr().yellow().to_string(),
        Level::Info | Level::Debug => format!("  {text}"),
    }
}

impl Live {
    pub(super) fn notice(&mut self, notice: &Notice) {
        if notice.level == Level::Debug {
            return;
        }
        let lines = std::mem::take(&mut self.drawn);
        self.erase(lines.len());
        drop(self.term.write_line(&notice_line(notice)));
        self.draw(lines);
    }

    pub(super) fn status(&mut self, status: &Status) {
        if self.last.is_some_and(|last| last.elapsed() < PERIOD) {
            return;
        }
        self.last = Some(Instant::now());
        let mut lines = vec![String::new()];
        lines.extend(rows::heading(status));
        let width = usize::from(self.term.size().1);
        lines.extend(rows::stream_table(status).narrowed(width, &rows::DISPENSABLE).lines());
        for alarm in status.alarms.iter().take(SHOWN_ALARMS) {
            lines.push(style(format!("! {alarm}")).for_stderr().red().to_string());
        }
        lines.push(style("Ctrl-C stops").dim().to_string());
        self.clear();
        self.draw(lines);
    }

    /// Take the table away.
    pub(super) fn clear(&mut self) {
        let drawn = std::mem::take(&mut self.drawn).len();
        self.erase(drawn);
    }

    fn erase(&self, lines: usize) {
        drop(self.term.clear_last_lines(lines));
    }

    fn draw(&mut self, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let (rows, columns) = self.term.size();
        // A line that wraps, or a table longer than the screen, could not be erased again.
        let fits = lines.len().min(usize::from(rows).saturating_sub(1));
        let shown = lines[..fits].iter().map(|line| truncate_str(line, usize::from(columns), "…"));
        let text: Vec<String> = shown.map(std::borrow::Cow::into_owned).collect();
        drop(self.term.write_line(&text.join("\n")));
        self.drawn = lines;
        self.drawn.truncate(fits);
    }
}
