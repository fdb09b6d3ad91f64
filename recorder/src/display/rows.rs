//! The rows of a recording's table.

use console::{Style, style};

use super::format;
use super::table::{Align, Table};
use crate::recording::alarms::Severity;
use crate::recording::intake::SourceKind;
use crate::recording::state::State;
use crate::recording::status::{ClockStatus, Phase, SourceStatus, Status, StreamStatus, label};

/// How a stream is doing, in one sign and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Samples arrive and are in the file.
    Good,
    /// Not known: nothing has been seen yet.
    Unknown,
    /// Look at it.
    Warning,
    /// Data are missing.
    Bad,
}

impl Health {
    /// A sign that needs no colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Unknown => "?",
            Self::Warning => "!",
            Self::Bad => "✗",
        }
    }

    /// Its colour.
    pub fn style(self) -> Style {
        match self {
            Self::Good => Style::new().green(),
            Self::Unknown => Style::new().dim(),
            Self::Warning => Style::new().yellow(),
            Self::Bad => Style::new().red().bold(),
        }
    }

    fn of(source: &SourceStatus, stream: &StreamStatus, status: &Status) -> Self {
        let alarm = status
            .alarms
            .iter()
            .filter(|a| a.source == source.name && a.stream == stream.name)
            .map(|a| a.severity)
            .max();
        match (alarm, source.state) {
            (Some(Severity::Failure), _) | (_, State::Failed | State::Lost) => Self::Bad,
            _ if stream.samples == 0 => Self::Unknown,
            (Some(Severity::Warning), _) | (_, State::Degraded) => Self::Warning,
            _ if stream.lost_anything() => Self::Warning,
            _ => Self::Good,
        }
    }
}

/// Columns a narrow terminal can do without, the first to go first.
pub const DISPENSABLE: [&str; 5] = ["STATE", "± AT MOST", "NOMINAL", "RTT", "AGE"];

/// The table of all streams.
pub fn stream_table(status: &Status) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("", Left),
        ("STREAM", Left),
        ("STATE", Left),
        ("SAMPLES", Right),
        ("Hz", Right),
        ("NOMINAL", Right),
        ("LOST", Right),
        ("AGE", Right),
        ("CLOCK OFFSET", Right),
        ("± AT MOST", Right),
        ("RTT", Right),
    ]);
    for source in &status.sources {
        if source.kind == SourceKind::MasterClock {
            table.row(master_clock_row(source));
        } else if source.streams.is_empty() {
            let health = if source.state == State::Failed { Health::Bad } else { Health::Unknown };
            let mut cells = vec![health.style().apply_to(health.sign()).to_string()];
            cells.extend([source.name.clone(), source.state.name().to_owned(), "-".to_owned()]);
            table.row(cells);
        }
        for stream in &source.streams {
            let health = Health::of(source, stream, status);
            table.row(stream_row(source, stream, health));
        }
    }
    table
}

fn stream_row(source: &SourceStatus, stream: &StreamStatus, health: Health) -> Vec<String> {
    let unknown = || "?".to_owned();
    let label = label(&source.name, &stream.name);
    let regular = stream.nominal_rate_hz > 0.0;
    let lost = lost_cell(stream.lost_samples(), stream.gaps_of_unknown_size);
    let lost = if stream.lost_anything() { style(lost).red().to_string() } else { lost };
    let clock = stream.clock.as_ref().map(|name| source.clocks.iter().find(|c| c.name == *name));
    let [offset, bound, rtt] = match clock {
        None => ["recorder time".to_owned(), "-".to_owned(), "-".to_owned()],
        Some(None) => [unknown(), unknown(), unknown()],
        Some(Some(clock)) => clock_cells(clock),
    };
    vec![
        health.style().apply_to(health.sign()).to_string(),
        label,
        source.state.name().to_owned(),
        format::count(stream.samples),
        stream.effective_rate_hz.map_or_else(unknown, format::rate),
        if regular { format::nominal(stream.nominal_rate_hz) } else { "irregular".to_owned() },
        lost,
        stream.newest_age_s.map_or_else(unknown, format::age),
        offset,
        bound,
        rtt,
    ]
}

/// The row of a master clock: its exchanges stand where streams have samples.
fn master_clock_row(source: &SourceStatus) -> Vec<String> {
    let clock = source.clocks.first();
    let measured = clock.is_some_and(|c| c.offsets > 0);
    let health = match source.state {
        State::Failed | State::Lost => Health::Bad,
        State::Degraded => Health::Warning,
        _ if measured => Health::Good,
        _ => Health::Unknown,
    };
    let mut cells = vec![
        health.style().apply_to(health.sign()).to_string(),
        source.name.clone(),
        source.state.name().to_owned(),
        clock.map_or_else(|| "0".to_owned(), |c| format::count(c.exchanges)),
        "-".to_owned(),
        "irregular".to_owned(),
        clock.map_or_else(|| "0".to_owned(), |c| lost_cell(c.exchanges_lost, 0)),
        clock.and_then(|c| c.age_s).map_or_else(|| "?".to_owned(), format::age),
    ];
    cells.extend(clock.map_or_else(|| ["not measured", "?", "?"].map(str::to_owned), clock_cells));
    cells
}

/// Samples that are missing; `+?` where there are gaps of unknown size besides.
pub fn lost_cell(samples: u64, gaps_of_unknown_size: u64) -> String {
    let more = if gaps_of_unknown_size > 0 { "+?" } else { "" };
    format!("{}{more}", format::count(samples))
}

fn clock_cells(clock: &ClockStatus) -> [String; 3] {
    let unknown = || "not measured".to_owned();
    [
        clock.offset_s.map_or_else(unknown, |s| format!("{s:+.6} s")),
        clock.bound_s.map_or_else(|| "?".to_owned(), format::short_time),
        clock.round_trip_s.map_or_else(|| "?".to_owned(), format::short_time),
    ]
}

/// The lines above the table: how far it is, and the file.
pub fn heading(status: &Status) -> Vec<String> {
    let elapsed = format::clock_time(status.elapsed_s);
    let first = match status.phase {
        Phase::Starting => {
            let progress = format!("{} of {} streams on disk", status.on_disk, status.required);
            let missing = status.missing_with_reasons();
            let text = format!("○ STARTING {elapsed}  {progress}; still missing: {missing}");
            style(text).yellow().to_string()
        }
        Phase::Recording if !status.missing.is_empty() => {
            let missing = style(format!("WITHOUT {}", status.missing.join(", "))).red();
            format!("{} {elapsed}  {missing}", style("● REC").red().bold())
        }
        Phase::Recording => format!("{} {elapsed}", style("● REC").red().bold()),
        Phase::Stopping => format!("■ STOPPING {elapsed}"),
    };
    let file = &status.file;
    let mut facts = vec![format::bytes(file.bytes as f64)];
    if let Some(rate) = file.bytes_per_s {
        facts.push(format!("{}/s", format::bytes(rate)));
    }
    let behind = file.bytes.saturating_sub(file.bytes_on_disk);
    facts.push(format!("{} not yet on disk", format::bytes(behind as f64)));
    facts.push(match (file.time_left_s, file.free_bytes) {
        (Some(left_s), _) => format!("disk lasts {}", format::lasting(left_s)),
        (None, Some(free)) => format!("{} free", format::bytes(free as f64)),
        (None, None) => "free space unknown".to_owned(),
    });
    // The path comes last: a narrow terminal cuts the end off.
    facts.push(file.path.display().to_string());
    vec![first, style(facts.join("   ")).dim().to_string()]
}
