//! Writing SVG: the few shapes that a figure needs. Text is left to the viewer's fonts.

use std::fmt::Write;

/// Points of a cloud that are drawn; of more, the extremes of each short stretch.
const MAX_DOTS: usize = 4000;

/// A picture being drawn.
#[derive(Debug)]
pub(super) struct Svg {
    out: String,
}

/// Where a text stands about its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 \
             {width} {height}\" font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        Self { out }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), size: f64, anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" {style}>{}</text>",
            escape(text)
        );
    }

    /// Text that reads upwards.
    pub(super) fn text_up(&mut self, (x, y): (f64, f64), size: f64, text: &str) {
        let style = format!("fill=\"#222222\" transform=\"rotate(-90 {x:.1} {y:.1})\"");
        self.text((x, y), size, Anchor::Middle, &style, text);
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let _ = writeln!(
            self.out,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), style: &str) {
        let _ = writeln!(
            self.out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {style}/>"
        );
    }

    /// What is drawn until [`end_clip`](Self::end_clip) shows only inside this rectangle.
    pub(super) fn clip(&mut self, id: usize, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let _ = writeln!(
            self.out,
            "<clipPath id=\"c{id}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"/></clipPath>\n<g clip-path=\"url(#c{id})\">"
        );
    }

    pub(super) fn end_clip(&mut self) {
        self.out.push_str("</g>\n");
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &[(f64, f64)], style: &str) {
        if points.len() > 1 {
            let _ = writeln!(self.out, "<path d=\"{}\" fill=\"none\" {style}/>", through(points));
        }
    }

    /// The area between two lines, the second one given from its end.
    pub(super) fn band(&mut self, upper: &[(f64, f64)], lower: &[(f64, f64)], style: &str) {
        if upper.len() > 1 {
            let around: Vec<_> = upper.iter().chain(lower.iter().rev()).copied().collect();
            let _ = writeln!(self.out, "<path d=\"{}Z\" stroke=\"none\" {style}/>", through(&around));
        }
    }

    /// Round dots of this diameter, in order of x; of very many only some.
    pub(super) fn dots(&mut self, points: &[(f64, f64)], diameter: f64, style: &str) {
        let mut d = String::new();
        for (x, y) in thinned(points, MAX_DOTS) {
            let _ = write!(d, "M{x:.1} {y:.1}h.01");
        }
        if !d.is_empty() {
            let _ = writeln!(
                self.out,
                "<path d=\"{d}\" fill=\"none\" stroke-width=\"{diameter}\" stroke-linecap=\"round\" {style}/>"
            );
        }
    }
}

fn through(points: &[(f64, f64)]) -> String {
    let mut d = String::with_capacity(12 * points.len());
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    d
}

/// At most about `most` points: of each stretch the lowest, the highest and the one in the middle.
pub(super) fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = (3 * points.len()).div_ceil(most).max(3);
    let mut kept = Vec::with_capacity(most);
    for some in points.chunks(stretch) {
        let extreme = |highest: bool| {
            let order = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
            if highest { some.iter().max_by(order) } else { some.iter().min_by(order) }
        };
        kept.extend(extreme(false));
        kept.extend(some.get(some.len() / 2));
        kept.extend(extreme(true));
    }
    kept
}

/// Text as XML; control characters, which XML cannot hold, are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
