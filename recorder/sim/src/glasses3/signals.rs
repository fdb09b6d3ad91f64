//! What the simulated eyes and head do, by index, and how it is said. Pure.
//!
//! Numbers are rounded to 1e-6 of their unit, so that they are short; JSON keeps them bit for bit.

use std::f64::consts::TAU;

use serde_json::{Map, Value, json};

use crate::rng::{derive_seed, mix, unit_from_bits};

/// Between the eyes, in millimetres.
const EYES_APART_MM: f64 = 62.0;
/// The scene camera's picture is so many times as wide and as high as what it shows is far away.
const FIELD: [f64; 2] = [2.18, 1.23];

/// Two sines of a frequency and phase of its own for each channel, between -1 and 1.
#[derive(Debug, Clone)]
struct Waves(u64);

impl Waves {
    fn at(&self, time_s: f64, channel: u64) -> f64 {
        let draw = |purpose: u64| unit_from_bits(mix(self.0 ^ mix(channel << 8 | purpose)));
        let slow = (TAU * (time_s * (0.1 + 0.4 * draw(0)) + draw(1))).sin();
        let fast = (TAU * (time_s * (0.8 + 1.5 * draw(2)) + draw(3))).sin();
        0.85 * slow + 0.15 * fast
    }
}

/// A number that is short in JSON.
fn short(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// One eye, as far as it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Eye {
    /// All of it; the pupil may be hidden.
    Found { origin_mm: [f64; 3], direction: [f64; 3], pupil_mm: Option<f64> },
    /// `{}`.
    Empty,
    /// Not even that.
    Missing,
}

/// One gaze datum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gaze {
    /// In the picture of the scene camera, from its upper left to its lower right corner.
    pub(super) point: Option<[f64; 2]>,
    /// X to the left, Y up, Z ahead of the scene camera.
    pub(super) point_mm: Option<[f64; 3]>,
    pub(super) left: Eye,
    pub(super) right: Eye,
}

/// One message of the IMU: each part may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Imu {
    /// In m/s².
    pub(super) accelerometer: Option<[f64; 3]>,
    /// In degrees a second.
    pub(super) gyroscope: Option<[f64; 3]>,
    /// In microtesla.
    pub(super) magnetometer: Option<[f64; 3]>,
}

/// A change at the sync port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyncPort {
    pub(super) direction: &'static str,
    pub(super) value: u8,
}

impl SyncPort {
    /// Change `index`: three times the input, then once the output, up and down in turn.
    pub(super) fn at(index: u64) -> Self {
        let (round, place) = (index / 4, index % 4);
        let (direction, changes) = if place == 3 { ("out", round) } else { ("in", 3 * round + place) };
        Self { direction, value: u8::from(changes.is_multiple_of(2)) }
    }

    pub(super) fn json(&self) -> Value {
        json!({"direction": self.direction, "value": self.value})
    }
}

/// Gaze and head as functions of the seed.
#[derive(Debug, Clone)]
pub(super) struct Wearer {
    gaze: Waves,
    head: Waves,
    whole: bool,
}

impl Wearer {
    /// One who is seen `whole`: both eyes at all times.
    pub(super) fn new(seed: u64, whole: bool) -> Self {
        Self {
            gaze: Waves(derive_seed(seed, "glasses3/gaze")),
            head: Waves(derive_seed(seed, "glasses3/imu")),
            whole,
        }
    }

    /// Gaze datum `index`, taken at `time_s` of the oscillator.
    pub(super) fn gaze(&self, index: u64, time_s: f64) -> Gaze {
        let wave = |channel| self.gaze.at(time_s, channel);
        let ahead_mm = 1200.0 + 700.0 * wave(0);
        let shown = [0.5 + 0.4 * wave(1), 0.5 + 0.4 * wave(2)];
        let point_mm = [
            short((0.5 - shown[0]) * FIELD[0] * ahead_mm),
            short((0.5 - shown[1]) * FIELD[1] * ahead_mm),
            short(ahead_mm),
        ];
        let eye = |side: f64, channel: u64, pupil: bool| {
            let origin_mm = [
                short(side * EYES_APART_MM / 2.0 + 0.4 * wave(channel)),
                short(-18.0 + 0.4 * wave(channel + 1)),
                short(-28.0 + 0.4 * wave(channel + 2)),
            ];
            let to: [f64; 3] = std::array::from_fn(|axis| point_mm[axis] - origin_mm[axis]);
            let length = to.iter().map(|part| part * part).sum::<f64>().sqrt();
            let pupil_mm = pupil.then(|| short(3.5 + 1.2 * wave(3) + 0.05 * wave(channel + 3)));
            Eye::Found { origin_mm, direction: to.map(|part| short(part / length)), pupil_mm }
        };
        let found = self.found(index);
        let left = if found.left { eye(1.0, 10, !found.pupils_hidden) } else { found.instead() };
        let right = if found.right { eye(-1.0, 20, !found.pupils_hidden) } else { found.instead() };
        Gaze {
            point: (found.left || found.right).then(|| shown.map(short)),
            point_mm: (found.left && found.right).then_some(point_mm),
            left,
            right,
        }
    }

    /// What is found in datum `index`: most of the time all, else something is missing for some data.
    fn found(&self, index: u64) -> Found {
        const DATA: u64 = 64;
        let all = Found { left: true, right: true, pupils_hidden: false, empty: false };
        let bits = mix(self.gaze.0 ^ mix(index / DATA));
        let lost = 4 + bits % 24;
        // The first stretch is whole, so that whoever looks briefly sees something.
        if self.whole || index < DATA || index % DATA >= lost {
            return all;
        }
        let empty = bits >> 32 & 1 == 1;
        match bits >> 40 & 7 {
            0 | 1 => Found { left: false, right: false, empty, ..all },
            2 => Found { left: false, empty, ..all },
            3 => Found { right: false, empty, ..all },
            4 => Found { pupils_hidden: true, ..all },
            _ => all,
        }
    }

    /// What is felt at `time_s` of the oscillator. At rest it would be 1 g upwards, for the axes are
    /// those of the scene camera.
    pub(super) fn accelerometer(&self, time_s: f64) -> [f64; 3] {
        let wave = |channel| self.head.at(time_s, channel);
        [0.5 * wave(0), 9.81 + 0.5 * wave(1), 0.5 * wave(2)].map(short)
    }

    /// How fast the head turns.
    pub(super) fn gyroscope(&self, time_s: f64) -> [f64; 3] {
        let wave = |channel| self.head.at(time_s, channel);
        [40.0 * wave(3), 60.0 * wave(4), 20.0 * wave(5)].map(short)
    }

    /// The magnetic field.
    pub(super) fn magnetometer(&self, time_s: f64) -> [f64; 3] {
        let wave = |channel| self.head.at(time_s, channel);
        [20.0 + 5.0 * wave(6), -42.0 + 5.0 * wave(7), 5.0 * wave(8)].map(short)
    }
}

/// What of the eyes is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    left: bool,
    right: bool,
    pupils_hidden: bool,
    /// An eye that is not found is `{}`, else missing.
    empty: bool,
}

impl Found {
    fn instead(self) -> Eye {
        // Where neither is found, `{}` is all that is said.
        if self.empty && (self.left || self.right) { Eye::Empty } else { Eye::Missing }
    }
}

impl Gaze {
    pub(super) fn json(&self) -> Value {
        let mut object = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                object.insert(key.to_owned(), value);
            }
        };
        set("gaze2d", self.point.map(|point| json!(point)));
        set("gaze3d", self.point_mm.map(|point| json!(point)));
        set("eyeleft", self.left.json());
        set("eyeright", self.right.json());
        object.into()
    }
}

impl Eye {
    fn json(&self) -> Option<Value> {
        match self {
            Self::Found { origin_mm, direction, pupil_mm } => {
                let mut eye = json!({"gazeorigin": origin_mm, "gazedirection": direction});
                if let Some(pupil_mm) = pupil_mm {
                    eye["pupildiameter"] = json!(pupil_mm);
                }
                Some(eye)
            }
            Self::Empty => Some(json!({})),
            Self::Missing => None,
        }
    }
}

impl Imu {
    pub(super) fn json(&self) -> Value {
        let mut object = Map::new();
        let parts = [
            ("accelerometer", self.accelerometer),
            ("gyroscope", self.gyroscope),
            ("magnetometer", self.magnetometer),
        ];
        for (key, part) in parts {
            if let Some(part) = part {
                object.insert(key.to_owned(), json!(part));
            }
        }
        object.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eyes_are_lost_now_and_then_in_every_way() {
        let wearer = Wearer::new(1, false);
        let all: Vec<Gaze> = (0..20_000).map(|index| wearer.gaze(index, index as f64 / 100.0)).collect();
        let share = |is: &dyn Fn(&Gaze) -> bool| all.iter().filter(|gaze| is(gaze)).count();
        assert!(share(&|gaze| gaze.point_mm.is_some()) > 15_000);
        assert!(share(&|gaze| gaze.json() == json!({})) > 200);
        assert!(share(&|gaze| gaze.left == Eye::Empty) > 20);
        assert!(share(&|gaze| gaze.left == Eye::Missing && gaze.point.is_some()) > 20);
        assert!(share(&|gaze| gaze.right == Eye::Empty) > 20);
        let hidden = |gaze: &Gaze| matches!(gaze.left, Eye::Found { pupil_mm: None, .. });
        assert!(share(&hidden) > 20);
        let whole = Wearer::new(1, true);
        assert!((0..2000).all(|index| whole.gaze(index, index as f64 / 100.0).point_mm.is_some()));
    }

    #[test]
    fn both_eyes_look_at_the_same_point_in_the_picture() {
        let wearer = Wearer::new(3, true);
        for index in 0..1000 {
            let gaze = wearer.gaze(index, index as f64 / 50.0);
            let (Some(point), Some(at)) = (gaze.point, gaze.point_mm) else { panic!("{gaze:?}") };
            assert!(point.iter().all(|part| (0.0..=1.0).contains(part)), "{point:?}");
            assert!(((0.5 - point[0]) * FIELD[0] * at[2] - at[0]).abs() < 0.01);
            for (eye, side) in [(gaze.left, 1.0), (gaze.right, -1.0)] {
                let Eye::Found { origin_mm, direction, pupil_mm: Some(pupil_mm) } = eye else {
                    panic!("{gaze:?}")
                };
                assert!(origin_mm[0] * side > 0.0 && (2.0..5.0).contains(&pupil_mm));
                let length: f64 = direction.iter().map(|part| part * part).sum();
                assert!((length - 1.0).abs() < 1e-5, "{length}");
            }
        }
    }

    #[test]
    fn the_sync_port_goes_up_and_down_in_each_direction() {
        let changes: Vec<(&str, u8)> =
            (0..8).map(|index| (SyncPort::at(index).direction, SyncPort::at(index).value)).collect();
        let want = [("in", 1), ("in", 0), ("in", 1), ("out", 1), ("in", 0), ("in", 1), ("in", 0), ("out", 0)];
        assert_eq!(changes, want);
    }
}
