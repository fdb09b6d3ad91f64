//! Gaze: six layouts, told apart by their length.
//!
//! | bytes | content |
//! |---|---|
//! | 9 | x, y, worn |
//! | 17 | left x, y, worn, right x, y: of each eye by itself, and no point of both |
//! | 25 | x, y, worn, left x, y, right x, y |
//! | 65 | x, y, worn, of each eye (left first) pupil diameter, eyeball centre x y z, optical axis x y z |
//! | 89 | the same, of each eye upper and lower eyelid angle and aperture |
//! | 105 | the same, left x, y, right x, y |
//!
//! The phone's user can change the layout at any time, so all of them are one stream, with NaN where a layout says
//! nothing.

use super::Reader;

/// Channels of the stream: those of all layouts.
pub const CHANNELS: usize = 27;

/// Where each part is among the channels.
const X: usize = 0;
const WORN: usize = 2;
const LEFT_X: usize = 3;
const RIGHT_X: usize = 5;
const EYES: usize = 7;
const EYE_CHANNELS: usize = 7;
const EYELIDS: usize = 21;
const EYELID_CHANNELS: usize = 3;

/// Label, unit and kind of each channel, in the words of XDF's gaze meta-data, and the coordinates it is in.
pub const LABELS: [(&str, &str, &str, &str); CHANNELS] = [
    ("x", "pixels", "ScreenX", "world"),
    ("y", "pixels", "ScreenY", "world"),
    ("worn", "255: worn", "Worn", ""),
    ("left_x", "pixels", "ScreenX", "world"),
    ("left_y", "pixels", "ScreenY", "world"),
    ("right_x", "pixels", "ScreenX", "world"),
    ("right_y", "pixels", "ScreenY", "world"),
    ("left_pupil_diameter", "mm", "Diameter", ""),
    ("left_eyeball_center_x", "mm", "PositionX", "world"),
    ("left_eyeball_center_y", "mm", "PositionY", "world"),
    ("left_eyeball_center_z", "mm", "PositionZ", "world"),
    ("left_optical_axis_x", "normalized", "DirectionX", "world"),
    ("left_optical_axis_y", "normalized", "DirectionY", "world"),
    ("left_optical_axis_z", "normalized", "DirectionZ", "world"),
    ("right_pupil_diameter", "mm", "Diameter", ""),
    ("right_eyeball_center_x", "mm", "PositionX", "world"),
    ("right_eyeball_center_y", "mm", "PositionY", "world"),
    ("right_eyeball_center_z", "mm", "PositionZ", "world"),
    ("right_optical_axis_x", "normalized", "DirectionX", "world"),
    ("right_optical_axis_y", "normalized", "DirectionY", "world"),
    ("right_optical_axis_z", "normalized", "DirectionZ", "world"),
    ("left_eyelid_angle_top", "radians", "EyelidAngle", ""),
    ("left_eyelid_angle_bottom", "radians", "EyelidAngle", ""),
    ("left_eyelid_aperture", "mm", "EyelidAperture", ""),
    ("right_eyelid_angle_top", "radians", "EyelidAngle", ""),
    ("right_eyelid_angle_bottom", "radians", "EyelidAngle", ""),
    ("right_eyelid_aperture", "mm", "EyelidAperture", ""),
];

/// A sample as it is recorded.
pub type Sample = [f32; CHANNELS];

/// How far a packet was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Understood {
    /// All of it.
    Whole,
    /// It is of a layout nobody knows, and begins as most known ones do.
    Beginning,
}

/// Read a packet; `None`: nothing in it can be told.
pub fn read(bytes: &[u8]) -> Option<(Sample, Understood)> {
    let mut sample = [f32::NAN; CHANNELS];
    let mut from = Reader(bytes);
    if bytes.len() == 17 {
        from.floats(&mut sample, LEFT_X, 2)?;
        from.worn(&mut sample)?;
        from.floats(&mut sample, RIGHT_X, 2)?;
        return Some((sample, Understood::Whole));
    }
    from.floats(&mut sample, X, 2)?;
    from.worn(&mut sample)?;
    let (eyes, lids, single) = match bytes.len() {
        9 => (false, false, false),
        25 => (false, false, true),
        65 => (true, false, false),
        89 => (true, true, false),
        // Longer ones of a later app are these and more.
        105.. => (true, true, true),
        _ => {
            // The flag is one of two values in all that is known; anything else is no gaze point.
            let is_gaze = [0.0, 255.0].contains(&sample[WORN]);
            return is_gaze.then_some((sample, Understood::Beginning));
        }
    };
    if eyes {
        from.floats(&mut sample, EYES, 2 * EYE_CHANNELS)?;
    }
    if lids {
        from.floats(&mut sample, EYELIDS, 2 * EYELID_CHANNELS)?;
    }
    if single {
        from.floats(&mut sample, LEFT_X, 4)?;
    }
    Some((sample, if from.0.is_empty() { Understood::Whole } else { Understood::Beginning }))
}

impl Reader<'_> {
    fn floats(&mut self, sample: &mut Sample, first: usize, count: usize) -> Option<()> {
        for channel in sample.iter_mut().skip(first).take(count) {
            *channel = self.f32()?;
        }
        Some(())
    }

    fn worn(&mut self, sample: &mut Sample) -> Option<()> {
        let [worn] = self.take()?;
        sample[WORN] = worn.into();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn floats(range: std::ops::Range<u8>) -> Vec<u8> {
        range.flat_map(|n| f32::from(n).to_be_bytes()).collect()
    }

    /// x and y are 1 and 2, everything else counts on from 3.
    fn packet(more: u8) -> Vec<u8> {
        [floats(1..3), vec![255], floats(3..3 + more)].concat()
    }

    fn values(sample: &Sample, channels: std::ops::Range<usize>) -> Vec<f32> {
        sample[channels].to_vec()
    }

    #[test]
    fn each_layout_goes_to_its_channels_and_the_others_are_nan() {
        for (more, said) in [(0, 3), (4, 7), (14, 17), (20, 23), (24, 27)] {
            let (sample, understood) = read(&packet(more)).expect("a sample");
            assert_eq!(understood, Understood::Whole);
            assert_eq!(values(&sample, 0..3), [1.0, 2.0, 255.0]);
            assert_eq!(sample.iter().filter(|v| !v.is_nan()).count(), said, "{more} more");
        }
        let (sample, _) = read(&packet(24)).expect("a sample");
        let counted = |from: u8, to: u8| (from..to).map(f32::from).collect::<Vec<_>>();
        assert_eq!(values(&sample, 7..27), counted(3, 23), "eyes and eyelids come first");
        assert_eq!(values(&sample, 3..7), counted(23, 27), "and then each eye by itself");
    }

    #[test]
    fn each_eye_by_itself_has_no_point_of_both() {
        let bytes = [floats(1..3), vec![0], floats(3..5)].concat();
        let (sample, understood) = read(&bytes).expect("a sample");
        assert_eq!(understood, Understood::Whole);
        assert!(sample[0].is_nan() && sample[1].is_nan());
        assert_eq!(values(&sample, 2..7), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn what_nobody_knows_is_read_as_far_as_it_can_be() {
        let (sample, understood) = read(&packet(30)).expect("the longest, and more");
        assert_eq!((understood, sample[0], sample[26]), (Understood::Beginning, 1.0, 22.0));
        let (sample, understood) = read(&packet(9)).expect("between two known ones");
        assert_eq!((understood, sample[1]), (Understood::Beginning, 2.0));
        assert!(sample[7].is_nan());
        let mut other = packet(9);
        other[8] = 7;
        assert_eq!(read(&other), None);
        assert_eq!(read(&[0; 8]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }
    }
}
