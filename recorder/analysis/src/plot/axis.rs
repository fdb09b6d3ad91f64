//! Axes: from numbers to places, ticks at round numbers, units that suit.

/// How numbers become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// One axis: numbers from `low` to `high` at places from `from` to `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Axis {
    /// Where a number stands. What is far outside stands a little outside, so that no picture has
    /// numbers without end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
            }
        };
        self.from + (self.to - self.from) * share.clamp(-1.0, 2.0)
    }

    /// Round numbers along it.
    pub(super) fn ticks(&self, about: usize) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step((self.high - self.low) / about.max(1) as f64);
                let first = (self.low / step - 1e-9).ceil();
                let count = ((self.high - first * step) / step + 1e-9).floor().clamp(-1.0, 50.0) as i64;
                (0..=count).map(|k| (first + k as f64) * step).collect()
            }
            Scale::Logarithmic => {
                let (low, high) = (self.low.log10(), self.high.log10());
                let mantissas: &[f64] = if high - low < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let decades = (low.floor().max(-300.0) as i32)..=(high.ceil().min(300.0) as i32);
                let all = decades.flat_map(|d| mantissas.iter().map(move |m| m * 10f64.powi(d)));
                all.filter(|t| *t >= self.low * 0.999 && *t <= self.high * 1.001).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, no less than `least`.
pub(super) fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let found = [1.0, 2.0, 5.0].iter().find(|m| **m * power >= least * 0.999_999);
    found.copied().unwrap_or(10.0) * power
}

/// A range that holds all finite values, with some room; never empty.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return (-1.0, 1.0);
    }
    let room = 0.06 * (high - low);
    let least = 1e-9 + 1e-12 * low.abs().max(high.abs());
    if room < least { (low - 10.0 * least, high + 10.0 * least) } else { (low - room, high + room) }
}

/// The unit in which a length of time has a readable number: how many of it make a second, and its name.
pub(super) fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds.abs() {
        s if s < 2e-3 => (1e6, "µs"),
        s if s < 2.0 => (1e3, "ms"),
        _ => (1.0, "s"),
    }
}

/// The unit for the time since the start.
pub(super) fn time_unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s <= 300.0 => (1.0, "s"),
        s if s <= 10_800.0 => (1.0 / 60.0, "min"),
        s if s <= 259_200.0 => (1.0 / 3600.0, "h"),
        _ => (1.0 / 86_400.0, "d"),
    }
}

/// A tick's number without trailing zeros.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.replace('-', "\u{2212}")
}

/// A length of time with its unit: `12.3 µs`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let (per_s, name) = unit(seconds);
    let value = seconds * per_s;
    let digits = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 100.0) };
    format!("{value:.digits$} {name}").replace('-', "\u{2212}")
}
