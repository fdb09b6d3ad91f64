//! Channel values as a pure function of seed, sample index and channel.
//!
//! A test can compute any value again without keeping it. Floats look like a recording: two sines
//! of different frequency per channel, and noise. Integers swing over their whole range and touch
//! both ends now and then. Strings are markers with everything a text format must quote.

use std::f64::consts::TAU;

use crate::format::{Format, Value};
use crate::rng::{derive_seed, mix, unit_from_bits};

/// One integer in this many is the smallest or the largest of its type.
const EXTREME_EVERY: u64 = 64;

/// Texts of string channels: ASCII, commas, quotes, spaces and several scripts.
const MARKERS: [&str; 8] = [
    "stim/left",
    "stim/right",
    "response/key=F, rt=0.412",
    "note/\"stop\" was said",
    "block/Übung",
    "λέξη/νέα",
    "指示/開始",
    "rest 🌿 30 s",
];

/// The signal of one stream.
#[derive(Debug, Clone)]
pub struct Signal {
    seed: u64,
    format: Format,
    /// Cycles of the slow sine per sample, for channel 0.
    cycles_per_sample: f64,
}

impl Signal {
    /// A signal in `format`; `rate_hz` is the (mean) sampling rate, which sets the sines.
    pub fn new(format: Format, rate_hz: f64, seed: u64) -> Self {
        let cycles_per_sample = if rate_hz > 4.0 { 1.0 / rate_hz } else { 0.25 };
        Self { seed: derive_seed(seed, "signal"), format, cycles_per_sample }
    }

    /// The value of sample `index` of `channel`; the same arguments always give the same value.
    pub fn value(&self, index: u64, channel: usize) -> Value {
        let noise = Noise::new(self.seed, index, channel);
        match self.format {
            Format::Float32 => Value::Float32(self.microvolts(&noise) as f32),
            Format::Double64 => Value::Double64(self.microvolts(&noise)),
            Format::String => Value::String(marker(&noise)),
            Format::Int8 => Value::Int8(self.integer(&noise, i8::MIN.into(), i8::MAX.into()) as i8),
            Format::Int16 => Value::Int16(self.integer(&noise, i16::MIN.into(), i16::MAX.into()) as i16),
            Format::Int32 => Value::Int32(self.integer(&noise, i32::MIN.into(), i32::MAX.into()) as i32),
            Format::Int64 => Value::Int64(self.integer(&noise, i64::MIN, i64::MAX)),
        }
    }

    /// A biosignal in microvolts: 40 at the slow sine, 10 at the fast one, noise of 5.
    fn microvolts(&self, noise: &Noise) -> f64 {
        let slow = self.sine(noise, 1.0 + (noise.channel % 20) as f64);
        let fast = self.sine(noise, 0.37);
        40.0 * slow + 10.0 * fast + 5.0 * noise.symmetric()
    }

    /// An integer of `min..=max`: a sine over nearly half the range plus as much noise.
    fn integer(&self, noise: &Noise, min: i64, max: i64) -> i64 {
        if noise.word(1).is_multiple_of(EXTREME_EVERY) {
            return if noise.word(2) & 1 == 0 { min } else { max };
        }
        let swing = 0.45 * self.sine(noise, 1.0 + (noise.channel % 20) as f64);
        let share = swing + 0.45 * (2.0 * unit_from_bits(noise.word(3)) - 1.0);
        // f64 cannot reach the low bits of an i64, so they are drawn; the rest saturates safely.
        let coarse = (share * max as f64) as i64;
        let low_bits = if max > i64::from(i32::MAX) { (noise.word(4) & 0xffff) as i64 } else { 0 };
        coarse.saturating_add(low_bits).clamp(min, max)
    }

    /// A sine of `multiple` times the base frequency, with a phase of the channel's own.
    fn sine(&self, noise: &Noise, multiple: f64) -> f64 {
        let cycles = noise.index as f64 * self.cycles_per_sample * multiple;
        (TAU * (cycles.fract() + noise.channel as f64 * 0.131)).sin()
    }
}

/// Independent random words for one value, by hashing its coordinates.
struct Noise {
    index: u64,
    channel: u64,
    hash: u64,
}

impl Noise {
    fn new(seed: u64, index: u64, channel: usize) -> Self {
        let channel = channel as u64;
        Self { index, channel, hash: mix(mix(seed ^ mix(index)) ^ channel) }
    }

    fn word(&self, purpose: u64) -> u64 {
        mix(self.hash ^ purpose.wrapping_mul(0xa076_1d64_78bd_642f))
    }

    /// Between -1 and 1 with zero mean, triangular: the sum of two uniform draws.
    fn symmetric(&self) -> f64 {
        unit_from_bits(self.word(1)) + unit_from_bits(self.word(2)) - 1.0
    }
}

fn marker(noise: &Noise) -> String {
    let text = MARKERS[(noise.word(1) % MARKERS.len() as u64) as usize];
    // The index makes every marker of a channel unique, so a test can match them one by one.
    if noise.channel == 0 {
        format!("{text}/{}", noise.index)
    } else {
        format!("{text}/{}/c{}", noise.index, noise.channel)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_depends_on_its_coordinates_alone(
            seed in any::<u64>(), index in any::<u64>(), channel in 0_usize..64,
            format in proptest::sample::select(&Format::ALL),
        ) {
            let one = Signal::new(format, 250.0, seed).value(index, channel);
            let signal = Signal::new(format, 250.0, seed);
            let _ = signal.value(index.wrapping_add(1), channel);
            prop_assert_eq!(&one, &signal.value(index, channel));
            match one {
                Value::Float32(v) => prop_assert!(v.abs() < 60.0),
                Value::Double64(v) => prop_assert!(v.abs() < 60.0),
                Value::String(v) => prop_assert!(!v.is_empty() && !v.contains(['\n', '\r'])),
                _ => {}
            }
        }
    }

    #[test]
    fn int64_reaches_both_ends_and_uses_its_low_bits() {
        let signal = Signal::new(Format::Int64, 100.0, 1);
        let values: Vec<Value> = (0..2000).map(|index| signal.value(index, 0)).collect();
        assert!(values.contains(&Value::Int64(i64::MIN)));
        assert!(values.contains(&Value::Int64(i64::MAX)));
        assert!(values.iter().any(|v| matches!(v, Value::Int64(v) if v % 2 == 1 && *v != i64::MAX)));
    }

    #[test]
    fn int8_covers_its_range() {
        let signal = Signal::new(Format::Int8, 100.0, 1);
        let mut seen = std::collections::HashSet::new();
        for index in 0..20_000 {
            if let Value::Int8(value) = signal.value(index, 3) {
                seen.insert(value);
            }
        }
        assert!(seen.len() > 220 && seen.contains(&i8::MIN) && seen.contains(&i8::MAX));
    }

    #[test]
    fn strings_need_quoting_now_and_then() {
        let signal = Signal::new(Format::String, 1.0, 1);
        let all: Vec<Value> = (0..200).map(|index| signal.value(index, 0)).collect();
        for wanted in [",", "\"", "指", "🌿"] {
            assert!(all.iter().any(|v| matches!(v, Value::String(v) if v.contains(wanted))));
        }
        assert_ne!(signal.value(5, 0), signal.value(5, 1));
    }
}
