//! Gaze data as they are in memory, 168 or 176 bytes of them. Pure.
//!
//! Version 4 added whether an eye's place in the track box is valid, before that place: all that follows moved by 4
//! bytes an eye. There are libraries that say they are of version 4 and have the older layout, so what the data look
//! like counts more than the version: where one layout has a flag, which is 0 or 1, the other one has a number.

use crate::backend::{Eye, Gaze};

/// How they are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Until version 3.
    V3,
    /// Since version 4.
    V4,
}

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is this one.
    Decided(Layout),
    /// The data will tell.
    Undecided,
}

/// Bytes that both have.
pub const SHORTEST: usize = 168;
/// Where the left eye begins.
const LEFT: usize = 16;

/// Where things are in an eye, and how long it is.
struct Offsets {
    track_box_valid: Option<usize>,
    track_box: usize,
    gaze_valid: usize,
    centre_valid: usize,
    pupil_valid: usize,
    bytes: usize,
}

impl Layout {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        LEFT + 2 * self.offsets().bytes
    }

    const fn offsets(self) -> Offsets {
        match self {
            Self::V3 => Offsets {
                track_box_valid: None,
                track_box: 16,
                gaze_valid: 28,
                centre_valid: 52,
                pupil_valid: 68,
                bytes: 76,
            },
            Self::V4 => Offsets {
                track_box_valid: Some(16),
                track_box: 20,
                gaze_valid: 32,
                centre_valid: 56,
                pupil_valid: 72,
                bytes: 80,
            },
        }
    }

    /// Whether all that is a flag in it is one.
    fn fits(self, bytes: &[u8]) -> bool {
        let of = self.offsets();
        let flags =
            [Some(0), of.track_box_valid, Some(of.gaze_valid), Some(of.centre_valid), Some(of.pupil_valid)];
        let at = |eye: usize, flag: usize| LEFT + eye * of.bytes + flag;
        (0..2).all(|eye| {
            let mut flags = flags.into_iter().flatten().map(|flag| word(bytes, at(eye, flag)));
            // The end of a longer one may not be there.
            flags.all(|flag| flag.is_none_or(|flag| flag <= 1))
        })
    }
}

impl Choice {
    /// Look at the first [`SHORTEST`] bytes of a sample. Where both fit, nothing in it is valid, and nothing is told.
    pub fn look(&mut self, bytes: &[u8]) {
        if *self == Self::Undecided {
            match (Layout::V3.fits(bytes), Layout::V4.fits(bytes)) {
                (true, false) => *self = Self::Decided(Layout::V3),
                (false, true) => *self = Self::Decided(Layout::V4),
                _ => {}
            }
        }
    }
}

/// A sample; `None`: it is too short.
pub fn gaze(bytes: &[u8], layout: Layout) -> Option<Gaze> {
    let of = layout.offsets();
    let eye = |at: usize| {
        let (float, flag) = (|offset| float(bytes, at + offset), |offset| flag(bytes, at + offset));
        let three = |offset| Some([float(offset)?, float(offset + 4)?, float(offset + 8)?]);
        let in_track_box = match of.track_box_valid {
            Some(valid) => Some((three(of.track_box)?, flag(valid)?)),
            // Whether it is valid is not said by itself: as the place of the eye is.
            None => Some((three(of.track_box)?, flag(0)?)),
        };
        Some(Eye {
            origin_valid: flag(0)?,
            origin_mm: three(4)?,
            in_track_box,
            gaze_valid: flag(of.gaze_valid)?,
            gaze_mm: three(of.gaze_valid + 4)?,
            gaze_on_display: [float(of.gaze_valid + 16)?, float(of.gaze_valid + 20)?],
            eyeball_centre_mm: Some((three(of.centre_valid + 4)?, flag(of.centre_valid)?)),
            pupil_valid: flag(of.pupil_valid)?,
            pupil_mm: float(of.pupil_valid + 4)?,
        })
    };
    Some(Gaze {
        device_us: long(bytes, 0)?,
        system_us: long(bytes, 8)?,
        eyes: [eye(LEFT)?, eye(LEFT + of.bytes)?],
    })
}

/// A sample of which only the times can be told: nothing in it is valid.
pub fn blank(bytes: &[u8]) -> Option<Gaze> {
    let eye = Eye {
        gaze_on_display: [f32::NAN; 2],
        gaze_mm: [f32::NAN; 3],
        gaze_valid: false,
        pupil_mm: f32::NAN,
        pupil_valid: false,
        origin_mm: [f32::NAN; 3],
        origin_valid: false,
        in_track_box: Some(([f32::NAN; 3], false)),
        eyeball_centre_mm: Some(([f32::NAN; 3], false)),
    };
    Some(Gaze { device_us: long(bytes, 0)?, system_us: long(bytes, 8)?, eyes: [eye; 2] })
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// An integer of 64 bits.
pub fn long(bytes: &[u8], at: usize) -> Option<i64> {
    part(bytes, at).map(i64::from_ne_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    part(bytes, at).map(u32::from_ne_bytes)
}

/// A float of 32 bits.
pub fn float(bytes: &[u8], at: usize) -> Option<f32> {
    part(bytes, at).map(f32::from_ne_bytes)
}

/// A flag.
pub fn flag(bytes: &[u8], at: usize) -> Option<bool> {
    word(bytes, at).map(|word| word == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A sample in which each number is its place in the eye, and all flags are `valid`.
    fn sample(layout: Layout, valid: u32) -> Vec<u8> {
        let mut bytes = [7i64.to_ne_bytes(), 8i64.to_ne_bytes()].concat();
        for _ in 0..2 {
            let of = layout.offsets();
            let flags = [
                Some(0),
                of.track_box_valid,
                Some(of.gaze_valid),
                Some(of.centre_valid),
                Some(of.pupil_valid),
            ];
            for at in (0..of.bytes).step_by(4) {
                let number = if valid == 0 { f32::NAN } else { at as f32 + 0.5 };
                let is_flag = flags.contains(&Some(at));
                bytes.extend(if is_flag { valid.to_ne_bytes() } else { number.to_ne_bytes() });
            }
        }
        bytes
    }

    #[test]
    fn samples_are_as_long_as_their_description_says_and_are_read_in_both_layouts() {
        for (layout, bytes, pupil) in [(Layout::V3, 168, 72.5), (Layout::V4, 176, 76.5)] {
            let sample = sample(layout, 1);
            assert_eq!((sample.len(), layout.bytes()), (bytes, bytes));
            let gaze = gaze(&sample, layout).expect("a sample");
            assert_eq!((gaze.device_us, gaze.system_us), (7, 8));
            for eye in gaze.eyes {
                assert_eq!(eye.origin_mm, [4.5, 8.5, 12.5]);
                assert_eq!((eye.pupil_mm, eye.pupil_valid, eye.gaze_valid), (pupil, true, true));
                assert_eq!(eye.gaze_on_display[1], eye.gaze_mm[2] + 8.0);
                assert!(eye.in_track_box.is_some_and(|(_, valid)| valid));
            }
            assert_eq!(super::gaze(&sample[..100], layout), None);
        }
    }

    #[test]
    fn the_data_tell_their_layout_as_soon_as_something_is_valid() {
        for layout in [Layout::V3, Layout::V4] {
            let mut choice = Choice::Undecided;
            choice.look(&sample(layout, 0)[..SHORTEST]);
            let decided = choice;
            choice.look(&sample(layout, 1)[..SHORTEST]);
            assert_eq!(choice, Choice::Decided(layout), "after {decided:?}");
            // It stays what it is.
            choice.look(&[0xff; SHORTEST]);
            assert_eq!(choice, Choice::Decided(layout));
        }
        let mut nothing = Choice::Undecided;
        nothing.look(&[0; SHORTEST]);
        assert_eq!(nothing, Choice::Undecided);
        assert!(blank(&[0; SHORTEST]).is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut choice = Choice::Undecided;
            choice.look(&bytes);
            gaze(&bytes, Layout::V3);
            gaze(&bytes, Layout::V4);
            blank(&bytes);
        }
    }
}
