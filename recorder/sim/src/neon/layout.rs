//! Sensors, and the layouts of a gaze datum. Pure.

/// What a pair of glasses streams. Audio is not simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sensor {
    /// Where the wearer looks.
    Gaze,
    /// Movements of the head.
    Imu,
    /// Fixations, saccades, blinks.
    EyeEvents,
    /// The scene camera.
    World,
    /// The eye cameras, side by side.
    Eyes,
}

impl Sensor {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gaze, Self::Imu, Self::EyeEvents, Self::World, Self::Eyes];

    /// The name in URLs and in the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaze => "gaze",
            Self::Imu => "imu",
            Self::EyeEvents => "eye_events",
            Self::World => "world",
            Self::Eyes => "eyes",
        }
    }

    /// The RTP payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::World | Self::Eyes => 96,
            Self::Gaze => 99,
            Self::Imu => 100,
            Self::EyeEvents => 101,
        }
    }

    /// Width and height of its pictures, if it is a camera.
    pub const fn picture(self) -> Option<(u16, u16)> {
        match self {
            Self::World => Some((1600, 1200)),
            Self::Eyes => Some((384, 192)),
            _ => None,
        }
    }

    /// The sensor of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sensor| sensor.name() == name)
    }

    /// Its place in [`Sensor::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Every number that a gaze datum can hold, in the order of the truth log.
///
/// Points are pixels of the scene camera, pupils and apertures millimetres, centres of the eyeballs
/// millimetres from the scene camera, axes unit vectors, angles of the lids radians.
pub const GAZE_CHANNELS: [&str; 26] = [
    "x",
    "y",
    "pupil_diameter_left",
    "eyeball_center_left_x",
    "eyeball_center_left_y",
    "eyeball_center_left_z",
    "optical_axis_left_x",
    "optical_axis_left_y",
    "optical_axis_left_z",
    "pupil_diameter_right",
    "eyeball_center_right_x",
    "eyeball_center_right_y",
    "eyeball_center_right_z",
    "optical_axis_right_x",
    "optical_axis_right_y",
    "optical_axis_right_z",
    "eyelid_angle_top_left",
    "eyelid_angle_bottom_left",
    "eyelid_aperture_left",
    "eyelid_angle_top_right",
    "eyelid_angle_bottom_right",
    "eyelid_aperture_right",
    "gaze_mono_left_x",
    "gaze_mono_left_y",
    "gaze_mono_right_x",
    "gaze_mono_right_y",
];

/// The values of [`GAZE_CHANNELS`].
pub(super) type GazeValues = [f32; GAZE_CHANNELS.len()];

/// Where the points of the single eyes begin among [`GAZE_CHANNELS`].
const MONOCULAR: usize = 22;
/// Where the lids begin.
const LIDS: usize = 16;

/// What a gaze datum holds; readers tell layouts apart by their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// 9 bytes: the point of both eyes.
    Binocular,
    /// 17 bytes: a point for each eye, and none for both.
    DualMonocular,
    /// 25 bytes: the point of both eyes and one for each.
    BinocularMonocular,
    /// 65 bytes: the point of both eyes, pupils, eyeballs and optical axes.
    EyeState,
    /// 89 bytes: the same and the lids.
    EyeStateLids,
    /// 105 bytes: the same and a point for each eye.
    Full,
}

impl Layout {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::Binocular,
        Self::DualMonocular,
        Self::BinocularMonocular,
        Self::EyeState,
        Self::EyeStateLids,
        Self::Full,
    ];

    /// The name on the command line and in truth logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binocular => "binocular",
            Self::DualMonocular => "dual-monocular",
            Self::BinocularMonocular => "binocular-monocular",
            Self::EyeState => "eye-state",
            Self::EyeStateLids => "eye-state-lids",
            Self::Full => "full",
        }
    }

    /// Bytes of a datum.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Binocular => 9,
            Self::DualMonocular => 17,
            Self::BinocularMonocular => 25,
            Self::EyeState => 65,
            Self::EyeStateLids => 89,
            Self::Full => 105,
        }
    }

    /// The layout of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// Which of [`GAZE_CHANNELS`] come before the byte that says whether the glasses are worn, and
    /// which after it.
    pub(super) fn channels(self) -> (std::ops::Range<usize>, Vec<usize>) {
        let all = GAZE_CHANNELS.len();
        match self {
            Self::Binocular => (0..2, Vec::new()),
            Self::DualMonocular => (MONOCULAR..MONOCULAR + 2, (MONOCULAR + 2..all).collect()),
            Self::BinocularMonocular => (0..2, (MONOCULAR..all).collect()),
            Self::EyeState => (0..2, (2..LIDS).collect()),
            Self::EyeStateLids => (0..2, (2..MONOCULAR).collect()),
            Self::Full => (0..2, (2..all).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_have_the_length_that_tells_them_apart() {
        for layout in Layout::ALL {
            let (before, after) = layout.channels();
            assert_eq!(4 * (before.len() + after.len()) + 1, layout.bytes(), "{layout:?}");
            assert_eq!(Layout::named(layout.name()), Some(layout));
        }
        assert_eq!(Layout::named("nothing"), None);
    }

    #[test]
    fn sensors_are_found_by_name_and_place() {
        for (place, sensor) in Sensor::ALL.into_iter().enumerate() {
            assert_eq!(sensor.index(), place);
            assert_eq!(Sensor::named(sensor.name()), Some(sensor));
        }
    }
}
