//! The panels of the figure.

use lockstep_clock::Piece;

use super::axis::{self, Axis, Scale, number, unit};
use super::study::{Course, INSTANTS, Study, instants, piece_at, quantile, residual_s};
use super::svg::{Anchor, Svg};
use crate::ClockEvent;

/// Colours that people with any colour vision tell apart (Okabe and Ito).
const BLUE: &str = "#0072b2";
const GREEN: &str = "#009e73";
const PINK: &str = "#cc79a7";
const ORANGE: &str = "#d55e00";
const GREY: &str = "#9a9a9a";

/// Half the width of an interval that holds 95 % of a normal distribution, in sigmas.
const SIGMAS_95: f64 = 1.96;
/// Events that are named in the picture; all are marked.
const MAX_NAMED: usize = 12;

/// What all panels share.
pub(super) struct Scene<'a> {
    pub(super) study: &'a Study,
    pub(super) x: Axis,
    /// Host time of the left end.
    pub(super) from_s: f64,
    /// Units of the axis of time in a second.
    pub(super) per_s: f64,
}

/// One entry of a legend.
enum Mark {
    Dot(&'static str),
    Line(&'static str),
    Area(&'static str, f64),
}

impl Scene<'_> {
    fn x_of(&self, host_s: f64) -> f64 {
        self.x.place((host_s - self.from_s) * self.per_s)
    }

    fn per_piece(&self) -> usize {
        (INSTANTS / self.study.map.pieces.len().max(1)).max(4)
    }
}

/// Everything around the data of a panel.
struct Frame<'a> {
    letter: &'a str,
    title: &'a str,
    label: &'a str,
    legend: &'a [(Mark, &'a str)],
    last: bool,
}

/// Draws the frame and begins the clipped part.
fn begin(svg: &mut Svg, scene: &Scene<'_>, y: &Axis, frame: &Frame<'_>) {
    let (left, right, top, bottom) = (scene.x.from, scene.x.to, y.to, y.from);
    for tick in y.ticks(if bottom - top > 200.0 { 6 } else { 4 }) {
        let at = y.place(tick);
        svg.line((left, at), (right, at), "stroke=\"#ececec\"");
        svg.text((left - 8.0, at + 4.0), 11.5, Anchor::End, "fill=\"#333333\"", &number(tick));
    }
    for tick in scene.x.ticks(9) {
        let at = scene.x.place(tick);
        svg.line((at, top), (at, bottom), "stroke=\"#f3f3f3\"");
        svg.line((at, bottom), (at, bottom + 4.0), "stroke=\"#333333\"");
        if frame.last {
            let text = number(tick);
            svg.text((at, bottom + 18.0), 11.5, Anchor::Middle, "fill=\"#333333\"", &text);
        }
    }
    svg.text(
        (left - 60.0, top - 10.0),
        14.0,
        Anchor::Start,
        "fill=\"#111111\" font-weight=\"bold\"",
        frame.letter,
    );
    svg.text((left, top - 10.0), 12.5, Anchor::Start, "fill=\"#111111\"", frame.title);
    svg.text_up((left - 56.0, 0.5 * (top + bottom)), 12.0, frame.label);
    legend(svg, right, top - 10.0, frame.legend);
    svg.clip(top as usize, (left, top), (right - left, bottom - top));
    for event in &scene.study.events {
        let (from, to) = (scene.x_of(event.from_s), scene.x_of(event.to_s));
        let style = format!("fill=\"{ORANGE}\" fill-opacity=\"0.16\"");
        svg.rect((from, top), ((to - from).max(1.0), bottom - top), &style);
        let middle = 0.5 * (from + to);
        let style = format!("stroke=\"{ORANGE}\" stroke-width=\"0.8\" stroke-dasharray=\"3 3\"");
        svg.line((middle, top), (middle, bottom), &style);
    }
}

fn end(svg: &mut Svg, scene: &Scene<'_>, y: &Axis) {
    svg.end_clip();
    let (left, right, top, bottom) = (scene.x.from, scene.x.to, y.to, y.from);
    svg.rect((left, top), (right - left, bottom - top), "fill=\"none\" stroke=\"#333333\"");
}

/// From the right end to the left, for the widths of texts can only be guessed.
fn legend(svg: &mut Svg, right: f64, y: f64, entries: &[(Mark, &str)]) {
    let mut x = right;
    for (mark, text) in entries.iter().rev() {
        svg.text((x, y), 11.5, Anchor::End, "fill=\"#333333\"", text);
        let width = 6.6 * text.chars().count() as f64 + 8.0;
        let (from, to) = (x - width - 18.0, x - width);
        match mark {
            Mark::Dot(colour) => {
                svg.dots(&[(to - 6.0, y - 4.0)], 4.5, &format!("stroke=\"{colour}\""));
            }
            Mark::Line(colour) => {
                let style = format!("stroke=\"{colour}\" stroke-width=\"2\"");
                svg.line((from, y - 4.0), (to, y - 4.0), &style);
            }
            Mark::Area(colour, opacity) => {
                let style = format!("fill=\"{colour}\" fill-opacity=\"{opacity}\"");
                svg.rect((from, y - 9.0), (18.0, 10.0), &style);
            }
        }
        x = from - 14.0;
    }
}

fn nothing(svg: &mut Svg, scene: &Scene<'_>, y: &Axis, text: &str) {
    let at = (0.5 * (scene.x.from + scene.x.to), 0.5 * (y.from + y.to));
    svg.text(at, 13.0, Anchor::Middle, "fill=\"#777777\"", text);
}

/// The line that panel a is about: one slope, and a level for each piece.
struct Line {
    slope: f64,
    levels: Vec<f64>,
    /// Steps were taken out: the levels differ.
    stepped: bool,
}

impl Line {
    fn of(study: &Study, host_0_s: f64) -> Self {
        let courses: Vec<Course> = study.map.pieces.iter().map(Course::of).collect();
        let slope = super::study::drift(&courses).unwrap_or(0.0);
        let level = |p: &(f64, f64)| p.1 - slope * (p.0 - host_0_s);
        let mean = |course: &Course| {
            course.points.iter().map(level).sum::<f64>() / course.points.len().max(1) as f64
        };
        let levels: Vec<f64> = courses.iter().map(mean).collect();
        let within_s = courses.iter().map(|course| {
            let (low, high) = axis::range(course.points.iter().map(level));
            high - low
        });
        let within_s = within_s.fold(0.0, f64::max);
        // Steps so large that nothing but them would be seen.
        let stepped = study.map.events.iter().any(|event| event.size_s.abs() > 3.0 * within_s);
        let common = levels.iter().sum::<f64>() / levels.len().max(1) as f64;
        let levels = if stepped { levels } else { vec![common; levels.len()] };
        Self { slope, levels, stepped }
    }

    fn off_s(&self, scene: &Scene<'_>, piece: usize, host_s: f64, offset_s: f64) -> f64 {
        let level = self.levels.get(piece).copied().unwrap_or(0.0);
        offset_s - level - self.slope * (host_s - scene.from_s)
    }
}

/// (a) The offset.
pub(super) fn course(svg: &mut Svg, scene: &Scene<'_>, (top, bottom): (f64, f64), last: bool) {
    let study = scene.study;
    let pieces = &study.map.pieces;
    let line = Line::of(study, scene.from_s);
    let index_of = |piece: &Piece| pieces.iter().position(|other| std::ptr::eq(other, piece));
    let picks: Vec<(f64, f64)> = study
        .picks
        .iter()
        .filter_map(|pick| {
            let host_s = pick.host_time_s();
            let piece = piece_at(&study.map, host_s).and_then(index_of).unwrap_or(0);
            let off_s = line.off_s(scene, piece, host_s, pick.offset_s);
            off_s.is_finite().then_some((host_s, off_s))
        })
        .collect();
    // Host time, offset about the line, relative and total error.
    let courses: Vec<Vec<[f64; 4]>> = (0..pieces.len())
        .map(|index| {
            let piece = &pieces[index];
            let at = |device_s: f64| {
                let at = piece.at(device_s);
                let off_s = line.off_s(scene, index, at.host_time_s, at.host_time_s - device_s);
                [at.host_time_s, off_s, SIGMAS_95 * at.relative_s, SIGMAS_95 * at.total_s]
            };
            instants(piece, scene.per_piece()).map(at).collect()
        })
        .collect();
    let (low, high) = middle_range(picks.iter().map(|pick| pick.1), 0.1);
    let band = courses.iter().flatten().flat_map(|p| [p[1] - p[3], p[1] + p[3]]);
    let (low, high) = axis::range(band.chain([low, high]));
    let (per_s, name) = unit(high.max(-low));
    let y = Axis { scale: Scale::Linear, low: low * per_s, high: high * per_s, from: bottom, to: top };
    let title = match (line.stepped, study.map.pieces.len()) {
        (_, 0) => "Offset (recorder minus device)",
        (true, _) => "Offset minus a line, steps taken out",
        (false, _) => "Offset minus a straight line",
    };
    let what = if study.exchanges > 0 { "fastest of each burst" } else { "clock offsets" };
    let entries = [
        (Mark::Dot(GREY), what),
        (Mark::Line(BLUE), "map"),
        (Mark::Area(BLUE, 0.45), "relative"),
        (Mark::Area(BLUE, 0.14), "total (95 %)"),
    ];
    let label = format!("Offset ({name})");
    begin(svg, scene, &y, &Frame { letter: "a", title, label: &label, legend: &entries, last });
    let place = |host_s: f64, off_s: f64| (scene.x_of(host_s), y.place(off_s * per_s));
    for course in &courses {
        for (which, opacity) in [(3, 0.14), (2, 0.45)] {
            let upper: Vec<_> = course.iter().map(|p| place(p[0], p[1] + p[which])).collect();
            let lower: Vec<_> = course.iter().map(|p| place(p[0], p[1] - p[which])).collect();
            svg.band(&upper, &lower, &format!("fill=\"{BLUE}\" fill-opacity=\"{opacity}\""));
        }
    }
    let dots: Vec<_> = picks.iter().map(|pick| place(pick.0, pick.1)).collect();
    svg.dots(&dots, dot_size(dots.len()), &format!("stroke=\"{GREY}\" stroke-opacity=\"0.8\""));
    for course in &courses {
        let through: Vec<_> = course.iter().map(|p| place(p[0], p[1])).collect();
        svg.path(&through, &format!("stroke=\"{BLUE}\" stroke-width=\"1.6\""));
    }
    name_events(svg, scene, top, &study.events);
    if picks.is_empty() {
        nothing(svg, scene, &y, "the file has no measurement of this clock");
    }
    end(svg, scene, &y);
}

/// Names of events, in two rows by turns so that neighbours do not cover each other.
fn name_events(svg: &mut Svg, scene: &Scene<'_>, top: f64, events: &[ClockEvent]) {
    for (index, event) in events.iter().take(MAX_NAMED).enumerate() {
        let x = scene.x_of(0.5 * (event.from_s + event.to_s));
        let near_right = x > scene.x.to - 130.0;
        let (x, anchor) = if near_right { (x - 4.0, Anchor::End) } else { (x + 4.0, Anchor::Start) };
        let sign = if event.size_s > 0.0 { "+" } else { "" };
        let text = format!("{} {sign}{}", event.kind, axis::duration(event.size_s));
        let style = format!(
            "fill=\"{ORANGE}\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"3\" stroke-opacity=\"0.8\""
        );
        svg.text((x, top + 15.0 + 14.0 * (index % 3) as f64), 11.5, anchor, &style, &text);
    }
}

/// (b) What the picks are off the map.
pub(super) fn residuals(svg: &mut Svg, scene: &Scene<'_>, (top, bottom): (f64, f64), last: bool) {
    let study = scene.study;
    let off: Vec<(f64, f64)> = study
        .picks
        .iter()
        .filter_map(|pick| Some((pick.host_time_s(), residual_s(&study.map, pick)?)))
        .collect();
    let (low, high) = middle_range(off.iter().map(|o| o.1).chain((!off.is_empty()).then_some(0.0)), 0.005);
    let (low, high) = axis::range([low, high].into_iter());
    let (per_s, name) = unit(high.max(-low));
    let y = Axis { scale: Scale::Linear, low: low * per_s, high: high * per_s, from: bottom, to: top };
    let outside = off.iter().filter(|o| !(low..=high).contains(&o.1)).count();
    let title = match outside {
        0 => "Measurements minus map".to_owned(),
        n => format!("Measurements minus map ({n} outside the picture)"),
    };
    let label = format!("Residual ({name})");
    begin(svg, scene, &y, &Frame { letter: "b", title: &title, label: &label, legend: &[], last });
    let zero = y.place(0.0);
    svg.line((scene.x.from, zero), (scene.x.to, zero), &format!("stroke=\"{BLUE}\" stroke-width=\"1.2\""));
    let dots: Vec<_> = off.iter().map(|o| (scene.x_of(o.0), y.place(o.1 * per_s))).collect();
    svg.dots(&dots, dot_size(dots.len()), "stroke=\"#555555\" stroke-opacity=\"0.75\"");
    if off.is_empty() {
        nothing(svg, scene, &y, "no map, or no measurement");
    }
    end(svg, scene, &y);
}

/// (c) Round-trip times.
pub(super) fn round_trips(svg: &mut Svg, scene: &Scene<'_>, (top, bottom): (f64, f64), last: bool) {
    let study = scene.study;
    let all: &[(f64, f64)] = &study.round_trips;
    let positive = || all.iter().map(|r| r.1).filter(|r| *r > 0.0 && r.is_finite());
    let low = positive().fold(f64::INFINITY, f64::min);
    let high = positive().fold(0.0, f64::max);
    let (low, high) = if low.is_finite() { logarithmic(0.8 * low, 1.25 * high) } else { (1e-4, 1e-2) };
    let (per_s, name) = unit(high);
    let y = Axis { scale: Scale::Logarithmic, low: low * per_s, high: high * per_s, from: bottom, to: top };
    let entries = [(Mark::Dot(GREY), "all exchanges"), (Mark::Dot(BLUE), "fastest of each burst")];
    let legend = if all.is_empty() { &[][..] } else { &entries[..] };
    let label = format!("Round trip ({name})");
    begin(svg, scene, &y, &Frame { letter: "c", title: "Round-trip times", label: &label, legend, last });
    let place = |(host_s, trip_s): (f64, f64)| (scene.x_of(host_s), y.place(trip_s * per_s));
    let dots: Vec<_> = all.iter().map(|r| place(*r)).collect();
    svg.dots(&dots, dot_size(dots.len()), &format!("stroke=\"{GREY}\" stroke-opacity=\"0.55\""));
    let fastest: Vec<_> =
        study.picks.iter().filter_map(|pick| Some(place((pick.host_time_s(), pick.round_trip_s?)))).collect();
    svg.dots(&fastest, dot_size(fastest.len()), &format!("stroke=\"{BLUE}\" stroke-opacity=\"0.85\""));
    if all.is_empty() {
        nothing(svg, scene, &y, "the file keeps no round-trip times");
    }
    end(svg, scene, &y);
}

/// (d) Errors.
pub(super) fn errors(svg: &mut Svg, scene: &Scene<'_>, (top, bottom): (f64, f64), last: bool) {
    let study = scene.study;
    let at: Vec<Vec<[f64; 4]>> = study
        .map
        .pieces
        .iter()
        .map(|piece| {
            let at = |device_s| {
                let at = piece.at(device_s);
                [at.host_time_s, at.relative_s, at.total_s, at.bound_s]
            };
            instants(piece, scene.per_piece()).map(at).collect()
        })
        .collect();
    let fine = || at.iter().flatten().flat_map(|p| p[1..].to_vec()).filter(|e| *e > 0.0 && e.is_finite());
    let (low, high) = (fine().fold(f64::INFINITY, f64::min), fine().fold(0.0, f64::max));
    let known = low.is_finite();
    let (low, high) = if known { logarithmic(0.7 * low, 1.4 * high) } else { (1e-6, 1e-3) };
    let (per_s, name) = unit(high);
    let y = Axis { scale: Scale::Logarithmic, low: low * per_s, high: high * per_s, from: bottom, to: top };
    let entries = [(Mark::Line(BLUE), "relative"), (Mark::Line(GREEN), "total"), (Mark::Line(PINK), "bound")];
    let legend = if known { &entries[..] } else { &[][..] };
    let title = "Uncertainty of the map";
    let label = format!("Error ({name})");
    begin(svg, scene, &y, &Frame { letter: "d", title, label: &label, legend, last });
    for piece in &at {
        for (which, colour) in [(3, PINK), (2, GREEN), (1, BLUE)] {
            let finite = piece.iter().filter(|p| p[which].is_finite());
            let through: Vec<_> = finite.map(|p| (scene.x_of(p[0]), y.place(p[which] * per_s))).collect();
            svg.path(&through, &format!("stroke=\"{colour}\" stroke-width=\"1.6\""));
        }
    }
    if !known {
        nothing(svg, scene, &y, "no error is known");
    }
    end(svg, scene, &y);
}

/// A range that leaves out this share of the values on either side.
fn middle_range(values: impl Iterator<Item = f64>, share: f64) -> (f64, f64) {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    match (quantile(&values, share), quantile(&values, 1.0 - share)) {
        (Some(low), Some(high)) => (low, high),
        _ => (f64::NAN, f64::NAN),
    }
}

/// Ends of a logarithmic axis: nothing shorter than a picosecond, and no more decades than can be read.
fn logarithmic(low: f64, high: f64) -> (f64, f64) {
    let high = high.max(2e-12);
    (low.max(1e-9 * high).max(1e-12).min(0.5 * high), high)
}

fn dot_size(count: usize) -> f64 {
    match count {
        0..=200 => 4.0,
        201..=1500 => 3.0,
        _ => 2.2,
    }
}
