//! Gaze data as they are in memory, 112 bytes since version 2, 136 before. Pure.

use crate::backend::{Eye, Gaze};
use crate::stream_engine::layout::{flag, float, long};

/// How they are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Version 1: with the place of the eye in the track box.
    V1,
    /// Since version 2.
    V2,
}

impl Layout {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        2 * self.eye_bytes() + 16
    }

    const fn eye_bytes(self) -> usize {
        match self {
            Self::V1 => 60,
            Self::V2 => 48,
        }
    }
}

/// A sample; `None`: it is too short.
pub fn gaze(bytes: &[u8], layout: Layout) -> Option<Gaze> {
    let eye = |at: usize| {
        let (float, flag) = (|offset| float(bytes, at + offset), |offset| flag(bytes, at + offset));
        let three = |offset| Some([float(offset)?, float(offset + 4)?, float(offset + 8)?]);
        // gaze point: display 0, user 8, valid 20; pupil: diameter 24, valid 28; origin: user 32, then the place in
        // the track box where there is one, valid.
        let (track_box, origin_valid) = match layout {
            Layout::V1 => (Some((three(44)?, flag(56)?)), flag(56)?),
            Layout::V2 => (None, flag(44)?),
        };
        Some(Eye {
            gaze_on_display: [float(0)?, float(4)?],
            gaze_mm: three(8)?,
            gaze_valid: flag(20)?,
            pupil_mm: float(24)?,
            pupil_valid: flag(28)?,
            origin_mm: three(32)?,
            origin_valid,
            in_track_box: track_box,
            eyeball_centre_mm: None,
        })
    };
    let times = 2 * layout.eye_bytes();
    Some(Gaze {
        eyes: [eye(0)?, eye(layout.eye_bytes())?],
        device_us: long(bytes, times)?,
        system_us: long(bytes, times + 8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_long_as_their_description_says_and_are_read_in_both_layouts() {
        for (layout, length, valid_at) in [(Layout::V1, 136, 56), (Layout::V2, 112, 44)] {
            let mut bytes: Vec<u8> =
                (0..layout.bytes()).step_by(4).flat_map(|at| (at as f32).to_ne_bytes()).collect();
            for flag in [20, 28, valid_at] {
                bytes[flag..flag + 4].copy_from_slice(&1u32.to_ne_bytes());
            }
            let times = bytes.len() - 16;
            bytes[times..times + 8].copy_from_slice(&77i64.to_ne_bytes());
            let gaze = gaze(&bytes, layout).expect("a sample");
            assert_eq!((bytes.len(), gaze.device_us), (length, 77));
            let left = gaze.eyes[0];
            assert_eq!(
                (left.gaze_on_display, left.gaze_mm, left.pupil_mm),
                ([0.0, 4.0], [8.0, 12.0, 16.0], 24.0)
            );
            assert_eq!(left.origin_mm, [32.0, 36.0, 40.0]);
            assert!(left.gaze_valid && left.pupil_valid && left.origin_valid && !gaze.eyes[1].gaze_valid);
            assert_eq!(super::gaze(&bytes[..50], layout), None);
        }
    }
}
