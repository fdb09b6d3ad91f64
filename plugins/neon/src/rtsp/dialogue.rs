//! What is asked of the phone in which order, until it sends.

use rtsp_types::{Method, Request, Response, Url, Version, headers};

use super::{Medium, media};

/// How packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// By UDP, to these ports of ours: RTP, RTCP.
    Udp(u16, u16),
    /// Within the connection.
    Tcp,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Options,
    Describe,
    Setup,
    Play,
    Playing,
}

/// A session as it comes about.
#[derive(Debug)]
pub struct Dialogue {
    step: Step,
    url: Url,
    /// Where SETUP and PLAY go.
    base: Url,
    carrier: Carrier,
    sequence: u32,
    session: String,
    /// What is sent, once that is known.
    pub medium: Option<Medium>,
    /// Ports the phone sends from, RTP and RTCP, where it says so.
    pub server_ports: Option<(u16, u16)>,
    /// The session ends when nothing was asked for so long.
    pub timeout_s: u32,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// Sessions end after this time where the phone does not say.
const TIMEOUT_S: u32 = 60;

impl Dialogue {
    /// For what is at `url`.
    ///
    /// # Errors
    /// It is no address.
    pub fn new(url: &str, carrier: Carrier) -> Result<Self, Refused> {
        let url = Url::parse(url).map_err(|error| Refused(format!("{url} is no address: {error}")))?;
        Ok(Self {
            step: Step::Options,
            base: url.clone(),
            url,
            carrier,
            sequence: 0,
            session: String::new(),
            medium: None,
            server_ports: None,
            timeout_s: TIMEOUT_S,
        })
    }

    /// Whether the phone was told to send, and agreed.
    pub fn is_playing(&self) -> bool {
        self.step == Step::Playing
    }

    /// What to send now: the next request, or, once it plays, one that keeps the session alive.
    pub fn request(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let request = match self.step {
            Step::Options => self.begin(Method::Options, &self.url.clone()),
            Step::Describe => {
                self.begin(Method::Describe, &self.url.clone()).header(headers::ACCEPT, "application/sdp")
            }
            Step::Setup => {
                let transport = match self.carrier {
                    Carrier::Udp(rtp, rtcp) => format!("RTP/AVP;unicast;client_port={rtp}-{rtcp}"),
                    Carrier::Tcp => "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned(),
                };
                let at = self.control();
                self.begin(Method::Setup, &at).header(headers::TRANSPORT, transport)
            }
            Step::Play => self.begin(Method::Play, &self.base.clone()).header(headers::RANGE, "npt=now-"),
            Step::Playing => self.begin(Method::Options, &self.base.clone()),
        };
        let request: Request<rtsp_types::Empty> = request.empty();
        // Into memory nothing can fail.
        let _ = request.write(&mut bytes);
        bytes
    }

    /// What ends the session.
    pub fn teardown(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.begin(Method::Teardown, &self.base.clone()).empty().write(&mut bytes);
        bytes
    }

    /// The phone answered; whether there is a next request to send now.
    ///
    /// # Errors
    /// It refused, in its own words.
    pub fn answer(&mut self, answer: &Response<Vec<u8>>) -> Result<bool, Refused> {
        let number = |name| answer.header(name).and_then(|value| value.as_str().trim().parse::<u32>().ok());
        // Answers to nothing that was asked, such as the ones that are put into packets.
        if number(&headers::CSEQ) != Some(self.sequence) {
            return Ok(false);
        }
        if !answer.status().is_success() {
            let code = u16::from(answer.status());
            let asked = match self.step {
                Step::Options => "OPTIONS",
                Step::Describe => "DESCRIBE",
                Step::Setup => "SETUP",
                Step::Play => "PLAY",
                // It still sends, so that is its affair.
                Step::Playing => return Ok(false),
            };
            return Err(Refused(format!("it answers {asked} with {code} {}", answer.reason_phrase())));
        }
        self.step = match self.step {
            Step::Options => Step::Describe,
            Step::Describe => {
                self.described(answer)?;
                Step::Setup
            }
            Step::Setup => {
                self.set_up(answer)?;
                Step::Play
            }
            Step::Play | Step::Playing => {
                self.step = Step::Playing;
                return Ok(false);
            }
        };
        Ok(true)
    }

    fn described(&mut self, answer: &Response<Vec<u8>>) -> Result<(), Refused> {
        let sdp = String::from_utf8_lossy(answer.body());
        let nothing = || Refused("its description names nothing that is sent".to_owned());
        // With the pictures of a camera there may be sound.
        let mut all = media(&sdp);
        let first = all.iter().position(Medium::is_picture).unwrap_or(0);
        self.medium = Some(if first < all.len() { all.swap_remove(first) } else { return Err(nothing()) });
        let base = answer.header(&headers::CONTENT_BASE).and_then(|base| Url::parse(base.as_str()).ok());
        // Some put an address there at which they cannot be reached; the connection stands.
        if let Some(base) = base {
            self.base = base;
        }
        Ok(())
    }

    fn set_up(&mut self, answer: &Response<Vec<u8>>) -> Result<(), Refused> {
        let session = answer.header(&headers::SESSION).map(|value| value.as_str()).unwrap_or_default();
        let mut parts = session.split(';').map(str::trim);
        parts.next().unwrap_or_default().clone_into(&mut self.session);
        if self.session.is_empty() {
            return Err(Refused("its answer to SETUP names no session".to_owned()));
        }
        let timeout = parts.find_map(|part| part.strip_prefix("timeout=")?.parse().ok());
        self.timeout_s = timeout.filter(|seconds| *seconds > 0).unwrap_or(TIMEOUT_S);
        let transport = answer.header(&headers::TRANSPORT).map(|value| value.as_str()).unwrap_or_default();
        self.server_ports = transport.split(';').find_map(|part| {
            let (rtp, rtcp) = part.trim().strip_prefix("server_port=")?.split_once('-')?;
            Some((rtp.parse().ok()?, rtcp.parse().ok()?))
        });
        Ok(())
    }

    /// Pictures and sound are set up by their track; everything else as a whole, for the phone knows no track of it.
    fn control(&self) -> Url {
        let track = self
            .medium
            .as_ref()
            .filter(|medium| medium.is_picture())
            .filter(|medium| !medium.control.is_empty());
        track.and_then(|medium| self.base.join(&medium.control).ok()).unwrap_or_else(|| self.base.clone())
    }

    fn begin(&mut self, method: Method, at: &Url) -> rtsp_types::RequestBuilder {
        self.sequence += 1;
        let request = Request::builder(method, Version::V1_0)
            .request_uri(at.clone())
            .header(headers::CSEQ, self.sequence.to_string())
            .header(headers::USER_AGENT, "Lockstep");
        if self.session.is_empty() {
            request
        } else {
            request.header(headers::SESSION, self.session.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use rtsp_types::Message;

    use super::*;

    const SDP: &str = "v=0\r\nm=application 0 RTP/AVP 99\r\na=rtpmap:99 com.pupillabs.gaze1/90000\r\n\
                       a=control:trackID=0\r\n";

    fn answer(sequence: u32, status: &str, headers: &str, body: &str) -> Response<Vec<u8>> {
        let text = format!(
            "RTSP/1.0 {status}\r\nCseq: {sequence}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match Message::parse(text.as_bytes()).expect("an answer").0 {
            Message::Response(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn request(dialogue: &mut Dialogue) -> String {
        String::from_utf8(dialogue.request()).expect("text")
    }

    fn play(carrier: Carrier, sdp: &str) -> (Dialogue, Vec<String>) {
        let mut dialogue = Dialogue::new("rtsp://10.0.0.7:8086/?camera=gaze", carrier).expect("an address");
        let mut asked = vec![request(&mut dialogue)];
        let base = "Content-Base: rtsp://10.0.0.7:8086/\r\n";
        let transport =
            "Session: 7a;timeout=30\r\nTransport: RTP/AVP/UDP;unicast;server_port=50000-50001;mode=play\r\n";
        for (sequence, headers, body) in
            [(1, "Public: DESCRIBE,SETUP\r\n", ""), (2, base, sdp), (3, transport, ""), (4, "", "")]
        {
            if dialogue.answer(&answer(sequence, "200 OK", headers, body)).expect("no refusal") {
                asked.push(request(&mut dialogue));
            }
        }
        (dialogue, asked)
    }

    #[test]
    fn a_session_comes_about_as_the_phone_wants_it() {
        let (mut dialogue, asked) = play(Carrier::Udp(5004, 5005), SDP);
        assert!(dialogue.is_playing());
        let first_lines: Vec<&str> = asked.iter().filter_map(|text| text.lines().next()).collect();
        assert_eq!(
            first_lines,
            [
                "OPTIONS rtsp://10.0.0.7:8086/?camera=gaze RTSP/1.0",
                "DESCRIBE rtsp://10.0.0.7:8086/?camera=gaze RTSP/1.0",
                "SETUP rtsp://10.0.0.7:8086/ RTSP/1.0",
                "PLAY rtsp://10.0.0.7:8086/ RTSP/1.0",
            ]
        );
        assert!(asked[2].contains("Transport: RTP/AVP;unicast;client_port=5004-5005\r\n"));
        assert!(asked[3].contains("Session: 7a\r\n"));
        assert_eq!((dialogue.timeout_s, dialogue.server_ports), (30, Some((50_000, 50_001))));
        assert!(request(&mut dialogue).starts_with("OPTIONS "), "it is kept alive");
        assert!(String::from_utf8(dialogue.teardown()).expect("text").starts_with("TEARDOWN "));
    }

    #[test]
    fn pictures_are_set_up_by_their_track_and_tcp_is_asked_for_as_such() {
        let sdp = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n";
        let (_, asked) = play(Carrier::Tcp, sdp);
        assert!(asked[2].starts_with("SETUP rtsp://10.0.0.7:8086/trackID=0 RTSP/1.0"), "{}", asked[2]);
        assert!(asked[2].contains("RTP/AVP/TCP;unicast;interleaved=0-1"));
    }

    #[test]
    fn refusals_are_told_and_answers_to_nothing_are_not_taken() {
        let mut dialogue =
            Dialogue::new("rtsp://10.0.0.7:8086/?camera=gaze", Carrier::Tcp).expect("an address");
        request(&mut dialogue);
        assert_eq!(dialogue.answer(&answer(9, "400 Bad Request", "", "")), Ok(false));
        assert_eq!(dialogue.answer(&answer(1, "200 OK", "", "")), Ok(true));
        request(&mut dialogue);
        let refused = dialogue.answer(&answer(2, "500 Internal Server Error", "", "")).unwrap_err();
        assert_eq!(refused.0, "it answers DESCRIBE with 500 Internal Server Error");
        assert!(Dialogue::new("nonsense", Carrier::Tcp).is_err());
    }
}
