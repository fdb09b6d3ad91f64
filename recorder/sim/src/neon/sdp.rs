//! What a DESCRIBE is answered with: SDP (RFC 8866). Pure.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::h264::{Encoder, PROFILE_LEVEL_ID};
use super::layout::Sensor;
use super::rtp::TICKS_PER_S;

/// The description of a sensor that is streamed from `address`.
///
/// The name of the encoding of gaze is the phone's own; those of the IMU and of eye events are made
/// up after it, for nobody has written them down.
pub(super) fn describe(sensor: Sensor, address: IpAddr, encoder: Option<&Encoder>) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let kind = sensor.payload_type();
    let (media, encoding) = match sensor {
        Sensor::Gaze => ("application", "com.pupillabs.gaze1"),
        Sensor::Imu => ("application", "com.pupillabs.imu1"),
        Sensor::EyeEvents => ("application", "com.pupillabs.eye_events1"),
        Sensor::World | Sensor::Eyes => ("video", "H264"),
    };
    let mut text = format!(
        "v=0\r\no=- 0 0 IN {family} {address}\r\ns=Simulated {}\r\nc=IN {family} {address}\r\nt=0 0\r\n\
         a=recvonly\r\nm={media} 0 RTP/AVP {kind}\r\na=rtpmap:{kind} {encoding}/{TICKS_PER_S}\r\n",
        sensor.name()
    );
    if let Some(encoder) = encoder {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "a=fmtp:{kind} packetization-mode=1;profile-level-id={PROFILE_LEVEL_ID};sprop-parameter-sets={},{}\r\n",
            base64(&encoder.sequence()),
            base64(&encoder.picture_set())
        );
    }
    text.push_str("a=control:trackID=0\r\n");
    text
}

/// RFC 4648, section 4, with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let given = digit <= three.len();
            let value = (word >> (18 - 6 * digit) & 63) as usize;
            text.push(if given { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn base64_is_that_of_its_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn a_description_names_media_type_rate_and_parameter_sets() {
        let gaze = describe(Sensor::Gaze, Ipv4Addr::LOCALHOST.into(), None);
        assert!(gaze.contains("\r\nm=application 0 RTP/AVP 99\r\na=rtpmap:99 com.pupillabs.gaze1/90000\r\n"));
        assert!(gaze.ends_with("a=control:trackID=0\r\n") && !gaze.contains("fmtp"));
        let encoder = Encoder::new((1600, 1200), 30);
        let world = describe(Sensor::World, Ipv4Addr::LOCALHOST.into(), Some(&encoder));
        assert!(world.contains("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"));
        assert!(world.contains("sprop-parameter-sets=Z0LAK"), "{world}");
        assert!(world.lines().all(|line| line.as_bytes()[1] == b'='));
    }
}
