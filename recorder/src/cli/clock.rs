//! `lockstep clock`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use lockstep_analysis::plot::{MeasuredClock, Study, Titles, figure, measured_clocks, study};
use lockstep_analysis::{Clocks, Query, Recording, select};
use lockstep_clock::Method;
use serde_json::{Value, json};

use super::Failure;
use super::export::method;
use super::info::open_to_look;
use crate::display::table::{Align, Table};
use crate::display::{format, print_err, print_out};

/// Steps, slews and resets that are listed; all are in --json.
const SHOWN_EVENTS: usize = 30;

/// What every result needs to be read with.
const ASYMMETRY: &str = "\
No exchange can show whether the way to the device takes as long as the way back: half of any difference goes\n\
into the time unseen. RELATIVE (one sigma) is right for comparing streams of one clock; TOTAL (one sigma) allows\n\
for usual asymmetry; BOUND holds whatever it is. To calibrate: record events that both clocks see (a photodiode\n\
against markers) and run `lockstep lag`; put what it finds into the header, or into --asymmetry of `export`.";

/// Show the clocks of a recording: exchanges, round-trip times, the fitted map, what the measurements
/// are off it, errors, steps. With several --sync, the methods beside each other.
#[derive(Debug, Args)]
pub struct ClockArgs {
    /// The recording: any XDF file, packed (.xdfz, .xdf.gz) or not
    pub file: PathBuf,
    /// Only this clock
    #[arg(long, value_name = "NAME", conflicts_with = "stream")]
    pub clock: Option<String>,
    /// Only the clock of these streams: name=EEG, type=Gaze, id=3, or just a name
    #[arg(long, value_name = "QUERY")]
    pub stream: Option<Query>,
    /// How the clock is mapped: smooth (default), robust, interpolate, linear, mean, last, none; may be
    /// repeated, to compare
    #[arg(long, value_name = "METHOD", value_parser = method)]
    pub sync: Vec<Method>,
    /// Draw it, by the first method; of several clocks each gets a file with its name added
    #[arg(long, value_name = "FILE.svg", value_parser = svg_name)]
    pub plot: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// The name of a figure: it is an SVG, and is to say so.
fn svg_name(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg")) {
        return Ok(path);
    }
    Err("the figure is an SVG: give it a name ending in .svg".to_owned())
}

/// Run it.
pub fn run(args: &ClockArgs) -> Result<u8, Failure> {
    let recording = open_to_look(&args.file)?;
    let failed = |e: lockstep_xdf::LoadError| Failure::other(format!("{}: {e}", args.file.display()), "");
    let clocks = Clocks::read(&recording).map_err(failed)?;
    let all = measured_clocks(&recording, &clocks).map_err(failed)?;
    let chosen = choose(args, &recording, &clocks, all)?;
    let methods = if args.sync.is_empty() { vec![Method::default()] } else { args.sync.clone() };
    let studies: Vec<(MeasuredClock, Vec<Study>)> = chosen
        .into_iter()
        .map(|clock| {
            let studies = methods.iter().map(|method| study(&clock.history, *method)).collect();
            (clock, studies)
        })
        .collect();
    if args.json {
        let clocks = studies.iter().map(|(clock, studies)| object(&recording, clock, studies));
        let clocks: Vec<Value> = clocks.collect::<Result<_, _>>().map_err(anyhow::Error::from)?;
        let file = args.file.display().to_string();
        print_out(&json!({"file": file, "clocks": clocks, "note": ASYMMETRY.replace('\n', " ")}).to_string());
    } else {
        for (clock, studies) in &studies {
            print_out(&render(&recording, clock, studies));
        }
        print_out(ASYMMETRY);
    }
    if let Some(path) = &args.plot {
        plot(path, &args.file, &studies)?;
    }
    let damaged = !recording.scan.damage.is_empty() || !clocks.damage.is_empty();
    Ok(if damaged { 3 } else { 0 })
}

fn choose(
    args: &ClockArgs,
    recording: &Recording,
    clocks: &Clocks,
    mut all: Vec<MeasuredClock>,
) -> Result<Vec<MeasuredClock>, Failure> {
    let names: Vec<String> = all.iter().map(|clock| format!("\"{}\"", clock.name)).collect();
    if let Some(name) = &args.clock {
        all.retain(|clock| clock.name == *name);
        if all.is_empty() {
            let known = if names.is_empty() { "none that was measured".to_owned() } else { names.join(", ") };
            let text = format!("no clock is named \"{name}\"; the recording has {known}");
            return Err(Failure::usage(text, ""));
        }
    }
    if let Some(query) = &args.stream {
        let streams = select(&recording.scan, clocks, std::slice::from_ref(query))
            .map_err(|e| Failure::usage(e, ""))?;
        all.retain(|clock| streams.iter().any(|s| clock.streams.contains(s) || clock.companion == Some(*s)));
        if all.is_empty() {
            let text = format!("the clock of `{query}` is the recorder's own, or was never measured");
            return Err(Failure::usage(text, format!("clocks that were measured: {}", names.join(", "))));
        }
    }
    if all.is_empty() {
        let text = format!("{}: no clock was measured in this recording", args.file.display());
        return Err(Failure::other(text, "streams on the recorder's own clock need none"));
    }
    Ok(all)
}

fn object(recording: &Recording, clock: &MeasuredClock, studies: &[Study]) -> serde_json::Result<Value> {
    let streams = &recording.scan.streams;
    let names: Vec<&str> = clock.streams.iter().map(|&i| streams[i].info.name.as_str()).collect();
    Ok(json!({
        "name": clock.name,
        "domain": clock.domain,
        "streams": names,
        "resolution_s": clock.history.reading.resolution_s,
        "stamp": clock.history.reading.stamp.name(),
        "methods": serde_json::to_value(studies)?,
    }))
}

fn time(seconds: f64) -> String {
    match seconds.abs() {
        s if !s.is_finite() => "unknown".to_owned(),
        s if s < 9.95e-6 => format!("{:.2} us", seconds * 1e6),
        _ => format::short_time(seconds),
    }
}

fn render(recording: &Recording, clock: &MeasuredClock, studies: &[Study]) -> String {
    let Some(first) = studies.first() else { return String::new() };
    let streams = &recording.scan.streams;
    let names: Vec<&str> = clock.streams.iter().map(|&i| streams[i].info.name.as_str()).collect();
    let stamps = if names.is_empty() { "no stream".to_owned() } else { names.join(", ") };
    let mut lines = vec![console::style(format!("clock {}", clock.name)).bold().to_string()];
    let domain = clock.domain.as_deref().unwrap_or("not stated");
    lines.push(format!("  stamps {stamps}; its numbers count from: {domain}"));
    if clock.history.reading.resolution_s > 0.0 {
        let reading = clock.history.reading;
        let step = time(reading.resolution_s);
        lines.push(format!("  read in steps of {step} ({})", reading.stamp.name()));
    }
    let bursts =
        if first.exchanges > 0 { format!(" in {} bursts", first.picks.len()) } else { String::new() };
    lines.push(format!(
        "  {} exchanges{bursts} ({} unusable), {} clock offsets{}",
        format::count(first.exchanges),
        first.exchanges_unusable,
        format::count(first.offsets),
        if first.stale_stamps { " (stamped when read, as LabRecorder does)" } else { "" }
    ));
    match first.round_trip_s {
        Some(trips) => lines.push(format!(
            "  round trip: lowest {}, median {}, 95 % below {}, highest {}",
            time(trips.min),
            time(trips.median),
            time(trips.p95),
            time(trips.max)
        )),
        None => lines.push("  round trip: not in the file".to_owned()),
    }
    lines.push(String::new());
    lines.extend(method_table(studies).lines().into_iter().map(|line| format!("  {line}")));
    for study in studies {
        if !study.events.is_empty() {
            lines.push(String::new());
            lines.push(format!("  {} by {}:", events_of(study), study.method));
            lines.extend(event_table(study).lines().into_iter().map(|line| format!("    {line}")));
            let more = study.events.len().saturating_sub(SHOWN_EVENTS);
            if more > 0 {
                lines.push(format!("    ... {more} more with --json"));
            }
        }
        lines.extend(study.remarks.iter().map(|remark| format!("  {}: {remark}", study.method)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn events_of(study: &Study) -> String {
    match study.events.len() {
        1 => "1 event".to_owned(),
        n => format!("{n} events"),
    }
}

fn method_table(studies: &[Study]) -> Table {
    let headings = [
        "DRIFT",
        "LOWEST",
        "HIGHEST",
        "WANDER",
        "RESIDUAL RMS",
        "95 %",
        "LARGEST",
        "EVENTS",
        "RELATIVE",
        "TOTAL",
        "BOUND",
    ];
    let mut columns = vec![("METHOD", Align::Left)];
    columns.extend(headings.map(|heading| (heading, Align::Right)));
    let mut table = Table::new(&columns);
    for study in studies {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let ppm = |ppm: Option<f64>| or_dash(ppm.map(|ppm| format!("{ppm:+.3} ppm")));
        let residual = |of: fn(&lockstep_analysis::plot::Residuals) -> f64| {
            or_dash(study.residuals.as_ref().map(|residuals| time(of(residuals))))
        };
        let error = |of: fn(&lockstep_analysis::Uncertainty) -> f64| {
            study.uncertainty.as_ref().map_or_else(|| "unknown".to_owned(), |errors| time(of(errors)))
        };
        table.row(vec![
            study.method.to_owned(),
            ppm(study.drift_ppm),
            ppm(study.drift_range_ppm.map(|range| range.0)),
            ppm(study.drift_range_ppm.map(|range| range.1)),
            or_dash(study.wander_rms_s.map(time)),
            residual(|r| r.rms),
            residual(|r| r.p95),
            residual(|r| r.max),
            study.events.len().to_string(),
            error(|e| e.relative_s),
            error(|e| e.total_s),
            error(|e| e.bound_s),
        ]);
    }
    table
}

fn event_table(study: &Study) -> Table {
    let mut table = Table::new(&[
        ("WHAT", Align::Left),
        ("AFTER (recorder time)", Align::Right),
        ("BEFORE", Align::Right),
        ("SINCE THE START", Align::Right),
        ("RECORDER MINUS DEVICE", Align::Right),
    ]);
    let start_s = study.host_span_s.map_or(0.0, |span_s| span_s.0);
    for event in study.events.iter().take(SHOWN_EVENTS) {
        table.row(vec![
            event.kind.to_owned(),
            format!("{:.3} s", event.from_s),
            format!("{:.3} s", event.to_s),
            format::clock_time(event.from_s - start_s),
            format!("{:+.6} s", event.size_s),
        ]);
    }
    table
}

/// Writes a figure of each clock.
fn plot(path: &Path, file: &Path, studies: &[(MeasuredClock, Vec<Study>)]) -> Result<(), Failure> {
    let file = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    for (clock, of_clock) in studies {
        let Some(study) = of_clock.first() else { continue };
        let path = if studies.len() == 1 { path.to_owned() } else { named(path, &clock.name) };
        if is_something_else(&path) {
            let text = format!("{} exists and is no SVG; nothing was drawn", path.display());
            return Err(Failure::usage(text, "choose another name for the figure"));
        }
        let titles = Titles { file: file.clone(), clock: clock.name.clone() };
        std::fs::write(&path, figure(study, &titles)).map_err(|e| {
            Failure::other(format!("{}: {e}", path.display()), "is there such a folder, and room?")
        })?;
        print_err(&format!("drawn: {}", path.display()));
    }
    Ok(())
}

/// A figure may be drawn anew; a recording must not be lost to a slip.
fn is_something_else(path: &Path) -> bool {
    let Ok(mut file) = std::fs::File::open(path) else { return false };
    let mut first = [0; 4];
    file.read(&mut first).is_ok_and(|got| got > 0 && &first[..got] != b"<svg")
}

/// `out.svg` as `out-NAME.svg`, with nothing in NAME that is a folder or hidden from some systems.
fn named(path: &Path, name: &str) -> PathBuf {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    path.with_file_name(format!("{stem}-{}.svg", name.chars().map(safe).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_several_clocks_have_names() {
        assert_eq!(named(Path::new("a/out.svg"), "ph/o ne"), Path::new("a/out-ph_o_ne.svg"));
        assert_eq!(named(Path::new("out"), "x"), Path::new("out-x.svg"));
    }

    #[test]
    fn a_figure_is_not_named_as_something_else() {
        assert!(svg_name("a/out.SVG").is_ok());
        assert!(svg_name("out.pdf").is_err() && svg_name("out").is_err());
    }

    #[test]
    fn times_read_well() {
        assert_eq!([time(1.234e-6), time(0.0123), time(f64::INFINITY)], ["1.23 us", "12.30 ms", "unknown"]);
    }
}
