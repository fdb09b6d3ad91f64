//! The verdict at the end.

use console::style;

use super::format;
use super::rows::{Health, lost_cell};
use super::table::{Align, Table};
use crate::recording::status::label;
use crate::recording::verdict::{Outcome, Verdict};

fn health(outcome: Outcome) -> Health {
    match outcome {
        Outcome::Complete => Health::Good,
        Outcome::Lossy => Health::Warning,
        Outcome::Failed => Health::Bad,
    }
}

/// The verdict as text.
pub fn render(verdict: &Verdict) -> String {
    let sign = health(verdict.outcome);
    let notes = verdict.streams.iter().any(|s| s.note);
    let headline = match (verdict.outcome, verdict.begun) {
        (Outcome::Complete, _) if notes => "COMPLETE, WITH NOTES: everything that was sent is in the file",
        (Outcome::Complete, _) => "COMPLETE: everything that was sent is in the file",
        (Outcome::Lossy, _) if verdict.streams.iter().all(|s| s.outcome == Outcome::Complete) => {
            "RECORDED, AND NO SAMPLE IS KNOWN TO BE MISSING, BUT SOMETHING WENT WRONG"
        }
        (Outcome::Lossy, _) => "RECORDED, BUT DATA ARE MISSING",
        (Outcome::Failed, false) => "FAILED: the recording never began",
        (Outcome::Failed, true) => "FAILED: nothing of what is required was recorded",
    };
    let mut lines = vec![sign.style().bold().apply_to(format!("{} {headline}", sign.sign())).to_string()];
    let (path, lasted) = (verdict.path.display(), format::clock_time(verdict.duration_s));
    lines.push(if verdict.bytes == 0 {
        format!("  {path} held no sample and was removed")
    } else {
        let size = format::bytes(verdict.bytes as f64);
        format!("  {path}   {size}   recorded for {lasted}, closed in {:.2} s", verdict.stop_s)
    });
    for path in &verdict.continued_in {
        lines.push(format!("  goes on in {}", path.display()));
    }
    for file in &verdict.side_files {
        lines.push(format!("  {}   {}", file.path.display(), format::bytes(file.bytes as f64)));
    }
    lines.push(format!("  ended: {}", verdict.ended_by));
    for problem in &verdict.problems {
        lines.push(style(format!("  ✗ {problem}")).red().to_string());
    }
    let mut table = Table::new(&[
        ("", Align::Left),
        ("STREAM", Align::Left),
        ("IN THE FILE", Align::Right),
        ("NOMINAL", Align::Right),
        ("LOST", Align::Right),
        ("CLOCK OFFSETS", Align::Right),
        ("VERDICT", Align::Left),
    ]);
    for stream in &verdict.streams {
        let sign = if stream.note { Health::Warning } else { health(stream.outcome) };
        let mut cells = vec![sign.style().apply_to(sign.sign()).to_string()];
        cells.push(label(&stream.source, &stream.stream));
        match &stream.status {
            None => cells.extend(std::iter::repeat_n("-".to_owned(), 4)),
            Some(status) => {
                let source = verdict.sources.iter().find(|s| s.name == stream.source);
                let offsets = match (&status.clock, source) {
                    (None, _) => "recorder time".to_owned(),
                    (Some(name), Some(source)) => source
                        .clocks
                        .iter()
                        .find(|c| c.name == *name)
                        .map_or_else(|| "?".to_owned(), |c| format::count(c.offsets)),
                    _ => "?".to_owned(),
                };
                let regular = status.nominal_rate_hz > 0.0;
                cells.extend([
                    format::count(stream.samples_in_file),
                    if regular {
                        format!("{} Hz", format::nominal(status.nominal_rate_hz))
                    } else {
                        "irregular".to_owned()
                    },
                    lost_cell(status.lost_samples(), status.gaps_of_unknown_size),
                    offsets,
                ]);
            }
        }
        cells.push(stream.text.clone());
        table.row(cells);
    }
    lines.push(String::new());
    lines.extend(table.lines().into_iter().map(|line| format!("  {line}")));
    lines.join("\n") + "\n"
}
