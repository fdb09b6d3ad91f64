//! RTSP as the phone speaks it, without sockets.
//!
//! The phone's server is of the kind of libstreaming: after DESCRIBE its addresses do not say which sensor is meant, so
//! each sensor has a connection of its own. It knows no GET_PARAMETER, so OPTIONS keeps a session alive. Over TCP it
//! does not repeat `interleaved=`, and may put an answer into the middle of a packet.

pub mod demux;
pub mod dialogue;

/// What a description says of one medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// What packets of it are marked with.
    pub payload_type: u8,
    /// Ticks of its stamps in a second.
    pub rate_hz: u32,
    /// Name of its encoding.
    pub encoding: String,
    /// Where it is controlled; empty: not said.
    pub control: String,
    /// Parameters of its format; empty: none.
    pub format: String,
}

impl Medium {
    /// Whether it is pictures.
    pub fn is_picture(&self) -> bool {
        self.encoding.eq_ignore_ascii_case("H264")
    }
}

/// The media of a description (SDP), in their order. Lines that say nothing of them are passed over.
pub fn media(sdp: &str) -> Vec<Medium> {
    let mut media: Vec<Medium> = Vec::new();
    for line in sdp.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("m=") {
            let payload_type = text.split_whitespace().nth(3).and_then(|number| number.parse().ok());
            media.extend(payload_type.map(|payload_type| Medium {
                payload_type,
                rate_hz: 0,
                encoding: String::new(),
                control: String::new(),
                format: String::new(),
            }));
        }
        let Some(medium) = media.last_mut() else { continue };
        if let Some(text) = line.strip_prefix("a=control:") {
            text.trim().clone_into(&mut medium.control);
        } else if let Some(text) = line.strip_prefix("a=rtpmap:").and_then(|text| of_type(text, medium)) {
            let mut parts = text.split('/');
            parts.next().unwrap_or_default().clone_into(&mut medium.encoding);
            medium.rate_hz = parts.next().and_then(|hz| hz.trim().parse().ok()).unwrap_or(0);
        } else if let Some(text) = line.strip_prefix("a=fmtp:").and_then(|text| of_type(text, medium)) {
            text.clone_into(&mut medium.format);
        }
    }
    media.retain(|medium| medium.rate_hz > 0);
    media
}

/// What follows the payload type of `medium`.
fn of_type<'a>(text: &'a str, medium: &Medium) -> Option<&'a str> {
    let (number, rest) = text.split_once(' ')?;
    (number.parse() == Ok(medium.payload_type)).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_description_is_read_as_far_as_it_is_of_use() {
        let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=recvonly\r\nm=video 0 RTP/AVP 96\r\n\
                   a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0,aM\r\n\
                   a=control:trackID=0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/8000/1\r\n\
                   a=rtpmap:98 other/1\r\na=control:trackID=1\r\nm=message 0 RTP/AVP 111\r\n";
        let media = media(sdp);
        assert_eq!(media.len(), 2, "the last one has no rate");
        assert_eq!(
            (media[0].payload_type, media[0].rate_hz, media[0].encoding.as_str()),
            (96, 90_000, "H264")
        );
        assert_eq!(media[0].control, "trackID=0");
        assert!(media[0].format.ends_with("sprop-parameter-sets=Z0,aM"));
        assert_eq!((media[1].rate_hz, media[1].control.as_str()), (8_000, "trackID=1"));
    }

    proptest! {
        #[test]
        fn no_description_makes_it_panic(text in "(m=|a=rtpmap:|a=control:|v=)?[ -~]{0,40}(\n[ -~]{0,40}){0,5}") {
            media(&text);
        }
    }
}
