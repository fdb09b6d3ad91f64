//! The summary as text.

use std::path::Path;

use console::style;
use serde_json::Value;

use super::clocks::MasterFacts;
use super::streams::StreamFacts;
use super::summary::Summary;
use crate::display::format;
use crate::display::rows::lost_cell;
use crate::display::table::{Align, Table};

/// Events that are shown.
const SHOWN_EVENTS: usize = 40;
/// Steps, slews and resets of each clock that are shown.
const SHOWN_CLOCK_EVENTS: usize = 6;

/// The summary as text.
pub fn render(summary: &Summary, path: &Path) -> String {
    let mut lines = vec![style(path.display()).bold().to_string()];
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    lines.push(format!(
        "  {}, begun {}, written by {}",
        format::bytes(summary.bytes as f64),
        or_unknown(&summary.datetime),
        or_unknown(&summary.recorder)
    ));
    lines.push(if summary.is_being_recorded {
        style("  ● being recorded at this moment: its end and its footers are still to come")
            .cyan()
            .to_string()
    } else if summary.closed_cleanly {
        style("  ✓ closed cleanly: every stream has its footer").green().to_string()
    } else {
        let without = summary.streams.iter().filter(|s| !s.has_footer).count();
        let text =
            format!("  ! not closed cleanly: {without} of {} streams have no footer", summary.streams.len());
        style(text).yellow().to_string()
    });
    for damage in &summary.damage {
        let what = damage.bytes.map_or("the rest of the file".to_owned(), |n| match n {
            0 => "this chunk".to_owned(),
            n => format!("{n} bytes"),
        });
        let text = format!("  ✗ at byte {}: {}; {what} could not be read", damage.offset, damage.reason);
        lines.push(style(text).red().to_string());
    }
    lines.push(String::new());
    lines.extend(stream_table(summary).lines().into_iter().map(|l| format!("  {l}")));
    if !summary.clocks.is_empty() {
        lines.push(String::new());
        lines.extend(clock_table(summary).lines().into_iter().map(|l| format!("  {l}")));
        lines.extend(clock_remarks(summary));
    }
    if let Some(master) = &summary.master {
        lines.push(String::new());
        lines.push(master_line(master));
    }
    let offset_means = summary.streams.iter().filter_map(|s| Some((&s.name, s.offset_mean_s?)));
    lines.extend(offset_means.map(|(name, mean_s)| {
        format!("  {name}: its header says offset_mean = {mean_s} s; exports subtract it")
    }));
    if !summary.events.is_empty() {
        lines.push(String::new());
        lines.push(format!("  EVENTS ({})", format::count(summary.event_count)));
        lines.extend(summary.events.iter().take(SHOWN_EVENTS).map(event_line));
        if summary.event_count as usize > SHOWN_EVENTS {
            lines.push(format!("    ... {} more with --json", summary.event_count as usize - SHOWN_EVENTS));
        }
    }
    lines.join("\n")
}

fn stream_table(summary: &Summary) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("ID", Right),
        ("STREAM", Left),
        ("TYPE", Left),
        ("FORMAT", Left),
        ("CH", Right),
        ("SAMPLES", Right),
        ("NOMINAL Hz", Right),
        ("EFFECTIVE", Right),
        ("GAPS", Right),
        ("LASTS", Right),
        ("LOST", Right),
        ("CLOCK", Left),
        ("ERROR", Right),
        ("OFFSETS", Right),
        ("FOOTER", Left),
    ]);
    for s in &summary.streams {
        table.row(stream_row(s));
    }
    table
}

fn stream_row(s: &StreamFacts) -> Vec<String> {
    let lasts = match (s.first_timestamp_s, s.last_timestamp_s) {
        (Some(first), Some(last)) => format::age(last - first),
        _ => "-".to_owned(),
    };
    let footer = match s.footer_agrees {
        None => style("none").yellow().to_string(),
        Some(true) => "agrees".to_owned(),
        Some(false) => style("DIFFERS").red().to_string(),
    };
    vec![
        s.stream_id.to_string(),
        s.name.clone(),
        s.kind.clone(),
        s.format.to_owned(),
        s.channel_count.to_string(),
        format::count(s.samples),
        if s.nominal_rate_hz > 0.0 { format::nominal(s.nominal_rate_hz) } else { "irregular".to_owned() },
        s.synchronized_rate_hz.or(s.effective_rate_hz).map_or_else(|| "-".to_owned(), format::rate),
        gap_cell(s),
        lasts,
        s.lost_samples.map_or_else(|| "?".to_owned(), |n| lost_cell(n, s.gaps_of_unknown_size.unwrap_or(0))),
        s.clock.clone().unwrap_or_else(|| "-".to_owned()),
        match &s.uncertainty {
            _ if s.clock_kind == "recorder" => "-".to_owned(),
            Some(errors) if errors.total_s.is_finite() => format!("±{}", error_time(errors.total_s)),
            _ => "unknown".to_owned(),
        },
        format::count(s.clock_offsets),
        footer,
    ]
}

fn gap_cell(s: &StreamFacts) -> String {
    let frames = s.gaps.dropped_frames;
    match s.gaps.count {
        _ if s.nominal_rate_hz <= 0.0 => "-".to_owned(),
        0 if frames > 0 => format!("{} frames", format::count(frames)),
        0 => "0".to_owned(),
        n => format!("{} ({})", format::count(n), format::short_time(s.gaps.missing_s)),
    }
}

/// An error, in microseconds with a digit where it is small.
fn error_time(seconds: f64) -> String {
    if seconds < 9.95e-6 { format!("{:.1} us", seconds * 1e6) } else { format::short_time(seconds) }
}

/// Steps, slews, resets, and what else is to be known.
fn clock_remarks(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for clock in &summary.clocks {
        for event in clock.study.events.iter().take(SHOWN_CLOCK_EVENTS) {
            lines.push(format!(
                "  {}: {} of {:+.6} s between {:.3} and {:.3} s",
                clock.name, event.kind, event.size_s, event.from_s, event.to_s
            ));
        }
        let more = clock.study.events.len().saturating_sub(SHOWN_CLOCK_EVENTS);
        if more > 0 {
            lines.push(format!("  {}: {more} more with `lockstep clock`", clock.name));
        }
        lines.extend(clock.study.remarks.iter().map(|remark| format!("  {}: {remark}", clock.name)));
    }
    lines
}

fn master_line(master: &MasterFacts) -> String {
    let drift = master.drift_ppm.map_or_else(String::new, |ppm| format!(", drift {ppm:+.3} ppm"));
    let Some(last) = master.host_utc.last() else {
        return format!(
            "  master clock \"{}\"{drift}; this machine's UTC was not compared with it",
            master.clock
        );
    };
    let most = master.host_utc.iter().map(|at| at.host_utc_minus_master_s.abs()).fold(0.0, f64::max);
    format!(
        "  master clock \"{}\"{drift}; this machine's UTC minus it: {:+.3} ms, ±{} (at most {} off), {:.3} ms at most \
         during the recording",
        master.clock,
        1e3 * last.host_utc_minus_master_s,
        error_time(last.total_s),
        error_time(last.bound_s),
        1e3 * most
    )
}

fn clock_table(summary: &Summary) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("CLOCK", Left),
        ("DOMAIN", Left),
        ("RESOLUTION", Right),
        ("STAMP", Left),
        ("EXCHANGES", Right),
        ("RTT MIN", Right),
        ("RTT MAX", Right),
        ("FIRST OFFSET", Right),
        ("LAST OFFSET", Right),
        ("DRIFT", Right),
        ("STEPS", Right),
        ("RELATIVE", Right),
        ("TOTAL", Right),
        ("BOUND", Right),
    ]);
    for clock in &summary.clocks {
        let time = |t: Option<f64>| t.map_or_else(|| "-".to_owned(), format::short_time);
        // The offsets themselves are with the streams of the clock.
        let user = |s: &&StreamFacts| s.clock_stream_id.is_some() && s.clock_stream_id == clock.stream_id;
        let range = summary.streams.iter().find(user).and_then(|s| s.offset_range_s).or(clock.study.offset_s);
        let offset = |t: Option<f64>| t.map_or_else(|| "not measured".to_owned(), |s| format!("{s:+.6} s"));
        let errors = clock.study.uncertainty;
        let error = |e: Option<f64>| match e {
            Some(e) if e.is_finite() => error_time(e),
            _ => "unknown".to_owned(),
        };
        table.row(vec![
            clock.name.clone(),
            clock.domain.clone(),
            match clock.resolution_s {
                Some(0.0) => "fine".to_owned(),
                Some(s) if s < 1e-6 => format!("{:.0} ns", s * 1e9),
                other => time(other),
            },
            clock.stamp.clone(),
            format::count(clock.study.exchanges),
            time(clock.round_trip_min_s),
            time(clock.round_trip_max_s),
            offset(range.map(|r| r.0)),
            offset(range.map(|r| r.1)),
            clock.study.drift_ppm.map_or_else(|| "-".to_owned(), |ppm| format!("{ppm:+.2} ppm")),
            clock.study.events.len().to_string(),
            error(errors.map(|e| e.relative_s)),
            error(errors.map(|e| e.total_s)),
            error(errors.map(|e| e.bound_s)),
        ]);
    }
    table
}

fn event_line(event: &Value) -> String {
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time_s = event.get("time_s").and_then(Value::as_f64).unwrap_or(f64::NAN);
    let known = ["event", "source", "stream", "time_s"];
    let rest: Vec<String> = event
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| !known.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}: {text}"),
            other => format!("{key}: {other}"),
        })
        .collect();
    let whom = [text("source"), text("stream")].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>();
    let line =
        format!("    {time_s:>14.3}  {:<13} {:<16} {}", text("event"), whom.join("/"), rest.join(", "));
    console::truncate_str(line.trim_end(), 160, "…").into_owned()
}
