//! The IMU: a protobuf message in each packet, with a stamp of its own.

use prost::Message;

/// Channels of the stream.
pub const CHANNELS: usize = 10;

/// Label and unit of each channel. The client of the maker says m/s^2 for the acceleration, other material of
/// theirs g: the length of the vector at rest tells, 9.8 or 1.
pub const LABELS: [(&str, &str, &str); CHANNELS] = [
    ("acceleration_x", "as sent: m/s^2 or g", "AccelerationX"),
    ("acceleration_y", "as sent: m/s^2 or g", "AccelerationY"),
    ("acceleration_z", "as sent: m/s^2 or g", "AccelerationZ"),
    ("gyro_x", "degrees/second", "AngularVelocityX"),
    ("gyro_y", "degrees/second", "AngularVelocityY"),
    ("gyro_z", "degrees/second", "AngularVelocityZ"),
    ("quaternion_w", "normalized", "QuaternionW"),
    ("quaternion_x", "normalized", "QuaternionX"),
    ("quaternion_y", "normalized", "QuaternionY"),
    ("quaternion_z", "normalized", "QuaternionZ"),
];

#[derive(Clone, PartialEq, Message)]
struct Vector {
    #[prost(float, tag = "1")]
    x: f32,
    #[prost(float, tag = "2")]
    y: f32,
    #[prost(float, tag = "3")]
    z: f32,
}

#[derive(Clone, PartialEq, Message)]
struct Quaternion {
    #[prost(float, tag = "1")]
    w: f32,
    #[prost(float, tag = "2")]
    x: f32,
    #[prost(float, tag = "3")]
    y: f32,
    #[prost(float, tag = "4")]
    z: f32,
}

#[derive(Clone, PartialEq, Message)]
struct Packet {
    #[prost(uint64, tag = "1")]
    unix_ns: u64,
    #[prost(message, optional, tag = "2")]
    acceleration: Option<Vector>,
    #[prost(message, optional, tag = "3")]
    gyro: Option<Vector>,
    #[prost(message, optional, tag = "4")]
    rotation: Option<Quaternion>,
}

/// A sample: its stamp in nanoseconds since 1970 by the phone's clock, and its channels; NaN: not said. A number
/// that a message leaves out is zero, as protobuf has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The stamp.
    pub unix_ns: i64,
    /// The channels.
    pub values: [f32; CHANNELS],
}

/// Read a packet.
pub fn read(bytes: &[u8]) -> Option<Sample> {
    let packet = Packet::decode(bytes).ok()?;
    let unix_ns = i64::try_from(packet.unix_ns).ok().filter(|ns| *ns > 0)?;
    let vector = |v: Option<Vector>| v.map_or([f32::NAN; 3], |v| [v.x, v.y, v.z]);
    let [ax, ay, az] = vector(packet.acceleration);
    let [gx, gy, gz] = vector(packet.gyro);
    let [w, x, y, z] = packet.rotation.map_or([f32::NAN; 4], |q| [q.w, q.x, q.y, q.z]);
    Some(Sample { unix_ns, values: [ax, ay, az, gx, gy, gz, w, x, y, z] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_packet_is_read_with_its_stamp_and_zeros_that_are_left_out() {
        // 1: varint 5; 2: {2: 1.5}; 4: {1: 1.0, 9: varint 7}; nothing of the gyroscope.
        let mut bytes = vec![0x08, 5, 0x12, 5, 0x15];
        bytes.extend(1.5f32.to_le_bytes());
        bytes.extend([0x22, 7, 0x0d]);
        bytes.extend(1f32.to_le_bytes());
        bytes.extend([0x48, 7]);
        let sample = read(&bytes).expect("a sample");
        assert_eq!(sample.unix_ns, 5);
        assert_eq!(sample.values[..3], [0.0, 1.5, 0.0]);
        assert!(sample.values[3..6].iter().all(|v| v.is_nan()));
        assert_eq!(sample.values[6..], [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(read(&bytes[2..]), None, "no stamp");
        assert_eq!(read(&bytes[..bytes.len() - 4]), None, "cut off");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }
    }
}
