//! The figure of one clock: four panels over one axis of time.

use super::axis::{self, Axis, Scale};
use super::panels::{self, Scene};
use super::study::Study;
use super::svg::{Anchor, Svg};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 88.0;
const GAP: f64 = 40.0;
/// Heights of the panels.
const HEIGHTS: [f64; 4] = [280.0, 150.0, 150.0, 170.0];
const BOTTOM: f64 = 84.0;

/// What the figure is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Titles {
    /// Name of the file.
    pub file: String,
    /// Name of the clock.
    pub clock: String,
}

/// Draw a clock as SVG: (a) its offset about a straight line, with the map and its errors; (b) what the
/// measurements are off the map; (c) round-trip times; (d) errors. Light background, no fonts inside;
/// far below 1 MB however long the recording.
pub fn figure(study: &Study, titles: &Titles) -> String {
    let height = TOP + HEIGHTS.iter().sum::<f64>() + 3.0 * GAP + BOTTOM;
    let mut svg = Svg::new(WIDTH, height);
    head(&mut svg, study, titles);
    let (from_s, to_s) = span(study);
    let (per_s, unit) = axis::time_unit(to_s - from_s);
    let room = 0.015 * (to_s - from_s);
    let x = Axis {
        scale: Scale::Linear,
        low: -room * per_s,
        high: (to_s - from_s + room) * per_s,
        from: LEFT,
        to: WIDTH - RIGHT,
    };
    let scene = Scene { study, x, from_s, per_s };
    let draw = [panels::course, panels::residuals, panels::round_trips, panels::errors];
    let mut top = TOP;
    for (number, (draw, height)) in draw.iter().zip(HEIGHTS).enumerate() {
        let last = number + 1 == HEIGHTS.len();
        draw(&mut svg, &scene, (top, top + height), last);
        top += height + GAP;
    }
    let middle = 0.5 * (LEFT + WIDTH - RIGHT);
    let below = height - BOTTOM;
    let label = format!("Time since the first measurement ({unit})");
    svg.text((middle, below + 36.0), 13.0, Anchor::Middle, "fill=\"#222222\"", &label);
    let notes = [
        "Bands in a: 95 %, of the relative error (dark: as if paths were symmetric) and of the total error (light). Errors in d: one sigma; bound: the largest there can be.",
        "Half of any difference between the ways to the device and back goes into the offset unseen; no exchange can show it. The bound holds whatever it is.",
    ];
    for (line, note) in notes.iter().enumerate() {
        let at = (LEFT - 60.0, below + 58.0 + 15.0 * line as f64);
        svg.text(at, 10.5, Anchor::Start, "fill=\"#666666\"", note);
    }
    svg.finish()
}

fn head(svg: &mut Svg, study: &Study, titles: &Titles) {
    let left = LEFT - 60.0;
    let title = format!("Clock \u{201c}{}\u{201d} in {}", titles.clock, titles.file);
    let title: String =
        if title.chars().count() > 90 { title.chars().take(89).chain(['…']).collect() } else { title };
    svg.text((left, 28.0), 17.0, Anchor::Start, "fill=\"#111111\" font-weight=\"bold\"", &title);
    let n = if study.exchanges > 0 {
        format!("n = {} exchanges in {} bursts", study.exchanges, study.picks.len())
    } else {
        format!("n = {} offsets", study.picks.len())
    };
    let mut facts = vec![format!("method {}", study.method), n];
    if let Some(ppm) = study.drift_ppm {
        facts.push(format!("drift {ppm:+.3} ppm").replace('-', "\u{2212}"));
    }
    if let Some(wander_s) = study.wander_rms_s {
        facts.push(format!("wander {} rms", axis::duration(wander_s)));
    }
    svg.text((left, 49.0), 12.5, Anchor::Start, "fill=\"#333333\"", &facts.join("   ·   "));
}

/// First and last host time of everything that is drawn.
fn span(study: &Study) -> (f64, f64) {
    let picks = study.picks.iter().map(super::Pick::host_time_s);
    let map = study.host_span_s.into_iter().flat_map(|(from_s, to_s)| [from_s, to_s]);
    let (mut from_s, mut to_s) = (f64::INFINITY, f64::NEG_INFINITY);
    for host_s in picks.chain(map).filter(|host_s| host_s.is_finite()) {
        from_s = from_s.min(host_s);
        to_s = to_s.max(host_s);
    }
    match (from_s.is_finite(), to_s > from_s) {
        (true, true) => (from_s, to_s),
        (true, false) => (from_s, from_s + 1.0),
        (false, _) => (0.0, 1.0),
    }
}
