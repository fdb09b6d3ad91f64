//! How a library gives samples a system time: from the time syncs that it made for itself.

use std::collections::VecDeque;

/// Points that are kept, for a slope over some time.
const KEPT: usize = 8;
/// The slope of points that are closer together is mostly noise.
const SHORTEST_SPAN_US: i64 = 5_000_000;

/// What a library does with its sync points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// One offset, that of the newest point, as the Stream Engine does: it steps at each point.
    Offset,
    /// A line through the points kept, as the Pro SDK says it does: drift is compensated, once it can be
    /// told from noise.
    Drift,
}

/// A conversion with the points that it has.
#[derive(Debug, Clone)]
pub(super) struct Converter {
    conversion: Conversion,
    /// Device time and system time of each, oldest first.
    points: VecDeque<(i64, i64)>,
}

impl Converter {
    pub(super) fn new(conversion: Conversion) -> Self {
        Self { conversion, points: VecDeque::with_capacity(KEPT + 1) }
    }

    /// Takes the result of a time sync.
    pub(super) fn add(&mut self, st1_us: i64, et2_us: i64, st3_us: i64) {
        // A clock that went back has begun again.
        if self.points.back().is_some_and(|(device_us, _)| et2_us <= *device_us) {
            self.points.clear();
        }
        self.points.push_back((et2_us, st1_us + (st3_us - st1_us) / 2));
        if self.points.len() > KEPT {
            self.points.pop_front();
        }
    }

    /// The system time of a device time; without a point they are the same.
    pub(super) fn system_us(&self, device_us: i64) -> i64 {
        let (Some(first), Some(last)) = (self.points.front(), self.points.back()) else {
            return device_us;
        };
        let since_us = device_us - last.0;
        let span_us = last.0 - first.0;
        if self.conversion == Conversion::Offset || span_us < SHORTEST_SPAN_US {
            return last.1 + since_us;
        }
        let gained_us = (last.1 - first.1) - span_us;
        last.1 + since_us + (since_us as f64 * gained_us as f64 / span_us as f64).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_offset_steps_and_knows_of_no_drift() {
        let mut converter = Converter::new(Conversion::Offset);
        assert_eq!(converter.system_us(7), 7);
        converter.add(1000, 100, 1200);
        converter.add(1_001_000, 1_000_050, 1_001_200);
        assert_eq!(converter.system_us(1_000_050), 1_001_100);
        assert_eq!(converter.system_us(2_000_050), 2_001_100);
    }

    #[test]
    fn a_line_knows_the_drift_until_the_clock_begins_again() {
        let mut converter = Converter::new(Conversion::Drift);
        for second in 0..20 {
            // The device loses 50 us a second.
            let device_us = second * 999_950;
            converter.add(second * 1_000_000 - 100, device_us, second * 1_000_000 + 100);
            if second == 3 {
                assert_eq!(converter.system_us(4 * 999_950), 4_000_000 - 50, "not yet");
            }
        }
        assert_eq!(converter.system_us(30 * 999_950), 30_000_000);
        converter.add(40_000_000, 5, 40_000_200);
        assert_eq!(converter.system_us(1005), 40_001_100);
    }
}
