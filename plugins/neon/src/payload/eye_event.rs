//! Eye events: what the phone finds in the gaze, sent when it is over, and the onsets of some, sent at once.
//!
//! | type | bytes | content |
//! |---|---|---|
//! | 0 saccade, 1 fixation | 60 | start, end, start x y, end x y, mean x y, amplitude (px, degrees), mean and largest velocity |
//! | 2 saccade onset, 3 fixation onset | 12 | start |
//! | 4 blink | 20 | start, end |
//! | 5 keepalive | any | nothing |

use lockstep_platform::seconds;

use super::Reader;

/// Channels of the stream.
pub const CHANNELS: usize = 13;

/// Label and unit of each channel.
pub const LABELS: [(&str, &str); CHANNELS] = [
    ("type", "0 saccade, 1 fixation, 2 saccade onset, 3 fixation onset, 4 blink"),
    ("start", "seconds since 1970 (device)"),
    ("end", "seconds since 1970 (device)"),
    ("start_x", "pixels"),
    ("start_y", "pixels"),
    ("end_x", "pixels"),
    ("end_y", "pixels"),
    ("mean_x", "pixels"),
    ("mean_y", "pixels"),
    ("amplitude", "pixels"),
    ("amplitude_angle", "degrees"),
    ("mean_velocity", "pixels/second"),
    ("max_velocity", "pixels/second"),
];

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EyeEvent {
    /// One event, as it is recorded; NaN: it does not say.
    Event([f64; CHANNELS]),
    /// A sign of life.
    Keepalive,
}

/// Read a packet. `None`: an event of a type nobody knows, or too short for its type.
pub fn read(bytes: &[u8]) -> Option<EyeEvent> {
    let mut from = Reader(bytes);
    let kind = i32::from_be_bytes(from.take()?);
    let mut event = [f64::NAN; CHANNELS];
    event[0] = kind.into();
    match kind {
        0 | 1 => {
            event[1] = seconds(from.i64()?);
            event[2] = seconds(from.i64()?);
            for channel in event.iter_mut().skip(3) {
                *channel = from.f32()?.into();
            }
        }
        2 | 3 => event[1] = seconds(from.i64()?),
        4 => {
            event[1] = seconds(from.i64()?);
            event[2] = seconds(from.i64()?);
        }
        5 => return Some(EyeEvent::Keepalive),
        _ => return None,
    }
    Some(EyeEvent::Event(event))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: i32, times_ns: &[i64], floats: u8) -> Vec<u8> {
        let times = times_ns.iter().flat_map(|ns| ns.to_be_bytes());
        let floats = (0..floats).flat_map(|n| f32::from(n).to_be_bytes());
        kind.to_be_bytes().into_iter().chain(times).chain(floats).collect()
    }

    fn event(bytes: &[u8]) -> [f64; CHANNELS] {
        match read(bytes) {
            Some(EyeEvent::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_type_says_what_it_says() {
        let ns = 1_700_000_000_123_456_789;
        let fixation = event(&packet(1, &[ns, ns + 250_000_000], 10));
        assert_eq!(fixation[..3], [1.0, 1_700_000_000.123_456_8, 1_700_000_000.373_456_8]);
        assert_eq!(fixation[3..], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let onset = event(&packet(2, &[ns], 0));
        assert!(onset[0] == 2.0 && onset[2..].iter().all(|v| v.is_nan()));
        let blink = event(&packet(4, &[ns, ns], 0));
        assert!(blink[1] == blink[2] && blink[3..].iter().all(|v| v.is_nan()));
        assert_eq!(read(&packet(5, &[], 0)), Some(EyeEvent::Keepalive));
        assert_eq!(read(&packet(6, &[ns], 0)), None);
        assert_eq!(read(&packet(0, &[ns, ns], 9)), None, "cut off");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            read(&bytes);
        }
    }
}
