//! What the simulated eyes do: values and their validity by index. Pure.

use std::f64::consts::TAU;

use crate::rng::{derive_seed, mix, unit_from_bits};

/// One eye of a sample. What could not be measured is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Eye {
    /// Where it is from the tracker, in mm.
    pub origin_mm: Option<[f32; 3]>,
    /// Where it is in the track box, 0 to 1.
    pub position: Option<[f32; 3]>,
    /// What it looks at.
    pub point: Option<Point>,
    /// The centre of the eyeball from the tracker, in mm.
    pub eyeball_mm: Option<[f32; 3]>,
    /// Diameter of the pupil, in mm.
    pub pupil_mm: Option<f32>,
    /// Between its lids, in mm.
    pub openness_mm: Option<f32>,
}

/// What an eye looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From the tracker, in mm.
    pub mm: [f32; 3],
    /// On the display, 0 to 1 within it.
    pub display: [f32; 2],
}

/// The head of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// Where it is from the tracker, in mm.
    pub position_mm: [f32; 3],
    /// How it is turned about the three axes, in radians.
    pub rotation: [f32; 3],
}

/// All that is measured at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Values {
    /// The left eye.
    pub left: Eye,
    /// The right eye.
    pub right: Eye,
    /// The head.
    pub head: Option<Head>,
}

/// The middle and the swing of what is measured of an eye; x is that of the left eye.
const EYE_SWINGS: [(f64, f64); 16] = [
    (-31.0, 40.0),
    (10.0, 30.0),
    (640.0, 60.0),
    (0.45, 0.2),
    (0.5, 0.2),
    (0.5, 0.25),
    (0.0, 280.0),
    (160.0, 150.0),
    (20.0, 10.0),
    // A little beyond the display now and then.
    (0.5, 0.52),
    (0.5, 0.51),
    (-31.0, 40.0),
    (10.0, 30.0),
    (652.0, 60.0),
    (3.6, 1.1),
    (9.0, 2.0),
];
const HEAD_SWINGS: [(f64, f64); 6] =
    [(0.0, 60.0), (20.0, 40.0), (650.0, 70.0), (0.0, 0.3), (0.0, 0.4), (0.0, 0.2)];
/// Channels of the right eye and of the head begin here.
const RIGHT: u64 = 100;
const HEAD: u64 = 200;
/// In each so long a time there is one blink, of this length.
const BLINK_EVERY_S: f64 = 4.0;
const BLINK_S: f64 = 0.15;
/// One value in so many could not be measured, by itself.
const GLITCH_EVERY: u64 = 500;

/// Values as a function of seed and index.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    seed: u64,
    frequency_hz: f64,
}

impl Signals {
    pub(super) fn new(frequency_hz: f64, seed: u64) -> Self {
        Self { seed: derive_seed(seed, "tobii/values"), frequency_hz }
    }

    /// All of sample `index`, with somebody there.
    pub(super) fn values(&self, index: u64) -> Values {
        let blink = self.is_blink(index);
        let head = (!self.is_glitch(index, HEAD)).then(|| {
            let at: [f32; 6] = std::array::from_fn(|place| self.at(index, HEAD, place, &HEAD_SWINGS));
            Head { position_mm: [at[0], at[1], at[2]], rotation: [at[3], at[4], at[5]] }
        });
        Values { left: self.eye(index, 0, blink), right: self.eye(index, RIGHT, blink), head }
    }

    fn eye(&self, index: u64, first: u64, blink: bool) -> Eye {
        let mut at: [f32; 16] = std::array::from_fn(|place| self.at(index, first, place, &EYE_SWINGS));
        if first == RIGHT {
            // Eyes are about 62 mm apart.
            at[0] += 62.0;
            at[3] += 0.1;
            at[11] += 62.0;
        }
        let glitch = |place: u64| self.is_glitch(index, first + place);
        if blink {
            // A closed eye is seen as such, at times.
            let openness_mm = (!glitch(15)).then_some(0.25);
            return Eye { openness_mm, ..Eye::default() };
        }
        if glitch(1) {
            return Eye::default();
        }
        let point = Point { mm: [at[6], at[7], at[8]], display: [at[9], at[10]] };
        Eye {
            origin_mm: (!glitch(2)).then_some([at[0], at[1], at[2]]),
            position: (!glitch(3)).then_some([at[3], at[4], at[5]]),
            point: (!glitch(4)).then_some(point),
            eyeball_mm: (!glitch(5)).then_some([at[11], at[12], at[13]]),
            pupil_mm: (!glitch(6)).then_some(at[14]),
            openness_mm: (!glitch(7)).then_some(at[15]),
        }
    }

    /// Two sines with a frequency and phase of their own for each channel.
    fn at(&self, index: u64, first: u64, place: usize, swings: &[(f64, f64)]) -> f32 {
        let (middle, swing) = swings[place];
        let channel = first + place as u64;
        let draw = |purpose: u64| unit_from_bits(mix(self.seed ^ mix(channel << 8 | purpose)));
        let time_s = index as f64 / self.frequency_hz;
        let slow = (TAU * (time_s * (0.1 + 0.4 * draw(0)) + draw(1))).sin();
        let fast = (TAU * (time_s * (0.8 + 1.5 * draw(2)) + draw(3))).sin();
        (middle + swing * (0.85 * slow + 0.15 * fast)) as f32
    }

    fn is_blink(&self, index: u64) -> bool {
        let time_s = index as f64 / self.frequency_hz;
        let round = (time_s / BLINK_EVERY_S).floor();
        let from_s = unit_from_bits(mix(self.seed ^ mix(round as u64 + 1))) * (BLINK_EVERY_S - BLINK_S);
        (from_s..from_s + BLINK_S).contains(&(time_s - round * BLINK_EVERY_S))
    }

    fn is_glitch(&self, index: u64, what: u64) -> bool {
        mix(mix(self.seed ^ mix(index)) ^ what).is_multiple_of(GLITCH_EVERY)
    }
}

impl Values {
    /// Whether an eye was found.
    pub fn somebody(&self) -> bool {
        self.left.position.is_some() || self.right.position.is_some()
    }

    /// The middle of what both eyes look at on the display, or of the one that does.
    pub fn display_point(&self) -> Option<[f32; 2]> {
        match (self.left.point, self.right.point) {
            (Some(left), Some(right)) => {
                Some([0, 1].map(|axis: usize| (left.display[axis] + right.display[axis]) / 2.0))
            }
            (Some(one), None) | (None, Some(one)) => Some(one.display),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_depend_on_seed_and_index_alone_and_fail_now_and_then() {
        let signals = Signals::new(600.0, 3);
        let all: Vec<Values> = (0..6000).map(|index| signals.values(index)).collect();
        assert_eq!(all[77], Signals::new(600.0, 3).values(77));
        assert_ne!(all[77], Signals::new(600.0, 4).values(77));
        let share = |what: fn(&Eye) -> bool| {
            all.iter().filter(|values| what(&values.left)).count() as f64 / all.len() as f64
        };
        for what in [
            (|eye: &Eye| eye.origin_mm.is_some()) as fn(&Eye) -> bool,
            |eye| eye.point.is_some(),
            |eye| eye.pupil_mm.is_some(),
            |eye| eye.position.is_some(),
            |eye| eye.eyeball_mm.is_some(),
        ] {
            assert!((0.92..0.99).contains(&share(what)), "{}", share(what));
        }
        assert!(share(|eye| eye.openness_mm == Some(0.25)) > 0.02, "blinks");
        assert!(all.iter().any(|values| values.left.point.is_some() != values.right.point.is_some()));
    }

    #[test]
    fn the_point_on_the_display_is_that_of_the_eyes_that_look() {
        let signals = Signals::new(120.0, 1);
        let mut values =
            (0..).map(|index| signals.values(index)).find(|v| v.display_point().is_some()).expect("one");
        let point = |x: f32| Some(Point { mm: [0.0; 3], display: [x, 0.5] });
        (values.left.point, values.right.point) = (point(0.25), point(0.75));
        assert_eq!(values.display_point(), Some([0.5, 0.5]));
        values.left.point = None;
        assert_eq!(values.display_point(), Some([0.75, 0.5]));
        values.right.point = None;
        assert_eq!(values.display_point(), None);
    }
}
