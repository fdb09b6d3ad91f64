//! Lines for logs and pipes.

use std::time::{Duration, Instant};

use super::live::notice_line;
use super::{format, print_err};
use crate::recording::notice::{Level, Notice};
use crate::recording::status::{Phase, Status};

/// Between two lines of status.
const PERIOD: Duration = Duration::from_secs(10);

/// Lines, one after another.
#[derive(Debug)]
pub struct Plain {
    last: Instant,
}

impl Default for Plain {
    fn default() -> Self {
        Self { last: Instant::now() }
    }
}

impl Plain {
    pub(super) fn notice(&mut self, notice: &Notice) {
        if notice.level != Level::Debug {
            print_err(&notice_line(notice));
        }
    }

    pub(super) fn status(&mut self, status: &Status) {
        if self.last.elapsed() < PERIOD {
            return;
        }
        self.last = Instant::now();
        let mut line = format!(
            "  {}  {}  ",
            format::clock_time(status.elapsed_s),
            match status.phase {
                Phase::Starting => "starting",
                Phase::Recording => "recording",
                Phase::Stopping => "stopping",
            }
        );
        if !status.missing.is_empty() {
            let missing = match status.phase {
                Phase::Starting => status.missing_with_reasons(),
                _ => status.missing.join(", "),
            };
            line +=
                &format!("{} of {} streams on disk, missing: {missing}; ", status.on_disk, status.required);
        }
        let streams = status.sources.iter().flat_map(|source| &source.streams).map(|stream| {
            let rate = stream.effective_rate_hz.map_or_else(|| "?".to_owned(), format::rate);
            let lost = match stream.lost_samples() {
                0 if stream.gaps_of_unknown_size > 0 => ", lost some".to_owned(),
                0 => String::new(),
                n => format!(", lost {}", format::count(n)),
            };
            format!("{} {} ({rate} Hz{lost})", stream.name, format::count(stream.samples))
        });
        line += &streams.collect::<Vec<_>>().join(", ");
        line += &format!(", file {}", format::bytes(status.file.bytes as f64));
        print_err(&line);
    }
}
