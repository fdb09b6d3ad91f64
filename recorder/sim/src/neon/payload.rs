//! The payloads of gaze, IMU and eye events, byte by byte. Pure.
//!
//! Gaze and eye events are big-endian; the IMU's are Protocol Buffers, whose floats are
//! little-endian and whose zeros are left out.

use super::layout::{GazeValues, Layout};

/// How the byte that says whether the glasses are worn says so.
const WORN: u8 = 255;
/// Bytes that make a gaze datum one of no known layout.
const ODD_BYTES: [u8; 4] = [0x7f, 0xc0, 0, 0];

/// A gaze datum in a layout. An odd one is longer than any reader expects.
pub(super) fn gaze(layout: Layout, values: &GazeValues, worn: bool, odd: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(layout.bytes() + ODD_BYTES.len());
    let (before, after) = layout.channels();
    for channel in before {
        bytes.extend_from_slice(&values[channel].to_be_bytes());
    }
    bytes.push(if worn { WORN } else { 0 });
    for channel in after {
        bytes.extend_from_slice(&values[channel].to_be_bytes());
    }
    if odd {
        bytes.extend_from_slice(&ODD_BYTES);
    }
    bytes
}

/// What an IMU measures at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ImuValues {
    /// Along x, y, z, in units of standard gravity.
    pub(super) acceleration: [f32; 3],
    /// Around x, y, z, in degrees a second.
    pub(super) rotation: [f32; 3],
    /// The attitude as w, x, y, z.
    pub(super) quaternion: [f32; 4],
}

/// An IMU packet taken at `time_ns` of the phone's clock.
pub(super) fn imu(time_ns: i64, values: &ImuValues) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(80);
    if time_ns != 0 {
        tag(&mut bytes, 1, WireType::Varint);
        // An int as Protocol Buffers have it: two's complement.
        varint(&mut bytes, time_ns as u64);
    }
    for (field, floats) in
        [(2, &values.acceleration[..]), (3, &values.rotation[..]), (4, &values.quaternion[..])]
    {
        tag(&mut bytes, field, WireType::Bytes);
        let message = floats_message(floats);
        varint(&mut bytes, message.len() as u64);
        bytes.extend_from_slice(&message);
    }
    bytes
}

#[derive(Debug, Clone, Copy)]
enum WireType {
    Varint = 0,
    Bytes = 2,
    Fixed32 = 5,
}

fn tag(bytes: &mut Vec<u8>, field: u8, wire_type: WireType) {
    bytes.push((field << 3) | wire_type as u8);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A message whose fields 1, 2, ... are floats.
fn floats_message(floats: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 * floats.len());
    for (field, value) in (1..).zip(floats) {
        // Zero is the default, which is not written; a negative zero is not the default.
        if value.to_bits() != 0 {
            tag(&mut bytes, field, WireType::Fixed32);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// Something the eyes did, as the phone tells it. Times are nanoseconds of the phone's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum EyeEvent {
    /// The eyes moved.
    Saccade(Movement),
    /// The eyes rested.
    Fixation(Movement),
    /// A saccade has begun.
    SaccadeOnset { start_ns: i64 },
    /// A fixation has begun.
    FixationOnset { start_ns: i64 },
    /// The lids were closed.
    Blink { start_ns: i64, end_ns: i64 },
    /// Nothing, so that the connection stays.
    KeepAlive,
}

/// A saccade or a fixation that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Movement {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// Start x, y, end x, y, mean x, y (pixels), amplitude (pixels, degrees), mean and greatest
    /// velocity (pixels a second).
    pub(super) values: [f32; 10],
}

impl EyeEvent {
    /// The number that says which it is.
    pub(super) const fn number(&self) -> i32 {
        match self {
            Self::Saccade(_) => 0,
            Self::Fixation(_) => 1,
            Self::SaccadeOnset { .. } => 2,
            Self::FixationOnset { .. } => 3,
            Self::Blink { .. } => 4,
            Self::KeepAlive => 5,
        }
    }

    /// When it began and ended, as far as it says.
    pub(super) const fn times_ns(&self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Saccade(movement) | Self::Fixation(movement) => {
                (Some(movement.start_ns), Some(movement.end_ns))
            }
            Self::SaccadeOnset { start_ns } | Self::FixationOnset { start_ns } => (Some(*start_ns), None),
            Self::Blink { start_ns, end_ns } => (Some(*start_ns), Some(*end_ns)),
            Self::KeepAlive => (None, None),
        }
    }

    /// Its numbers, if it has any.
    pub(super) const fn values(&self) -> &[f32] {
        match self {
            Self::Saccade(movement) | Self::Fixation(movement) => &movement.values,
            _ => &[],
        }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(60);
        bytes.extend_from_slice(&self.number().to_be_bytes());
        let (start_ns, end_ns) = self.times_ns();
        for time_ns in [start_ns, end_ns].into_iter().flatten() {
            bytes.extend_from_slice(&time_ns.to_be_bytes());
        }
        for value in self.values() {
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaze_has_its_numbers_around_the_byte_that_says_worn() {
        let values: GazeValues = std::array::from_fn(|channel| channel as f32);
        for layout in Layout::ALL {
            let bytes = gaze(layout, &values, true, false);
            assert_eq!(bytes.len(), layout.bytes());
            assert_eq!(bytes[8], WORN);
            let odd = gaze(layout, &values, false, true);
            assert_eq!((odd.len(), odd[8]), (layout.bytes() + 4, 0));
            assert!(Layout::ALL.iter().all(|known| known.bytes() != odd.len()));
        }
        let bytes = gaze(Layout::DualMonocular, &values, true, false);
        let floats = |range: std::ops::Range<usize>| -> Vec<f32> {
            bytes[range].chunks_exact(4).map(|b| f32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect()
        };
        assert_eq!(floats(0..8), [22.0, 23.0]);
        assert_eq!(floats(9..17), [24.0, 25.0]);
    }

    #[test]
    fn an_imu_packet_is_the_message_of_its_description() {
        let values = ImuValues {
            acceleration: [0.0, 1.0, -2.0],
            rotation: [0.0; 3],
            quaternion: [1.0, 0.0, 0.0, -0.0],
        };
        let bytes = imu(300, &values);
        let wanted = [
            &[0x08, 0xac, 0x02][..],
            &[0x12, 10, 0x15, 0, 0, 0x80, 0x3f, 0x1d, 0, 0, 0, 0xc0],
            &[0x1a, 0],
            &[0x22, 10, 0x0d, 0, 0, 0x80, 0x3f, 0x25, 0, 0, 0, 0x80],
        ];
        assert_eq!(bytes, wanted.concat());
        assert_eq!(imu(0, &values)[0], 0x12);
    }

    #[test]
    fn eye_events_have_their_lengths_and_numbers() {
        let movement = Movement { start_ns: -1, end_ns: 2, values: [1.0; 10] };
        for (event, number, length) in [
            (EyeEvent::Saccade(movement), 0, 60),
            (EyeEvent::Fixation(movement), 1, 60),
            (EyeEvent::SaccadeOnset { start_ns: 5 }, 2, 12),
            (EyeEvent::FixationOnset { start_ns: 5 }, 3, 12),
            (EyeEvent::Blink { start_ns: 5, end_ns: 6 }, 4, 20),
            (EyeEvent::KeepAlive, 5, 4),
        ] {
            let bytes = event.encode();
            assert_eq!((bytes.len(), bytes[3]), (length, number), "{event:?}");
        }
        assert_eq!(EyeEvent::Fixation(movement).encode()[4..12], [255; 8]);
    }
}
