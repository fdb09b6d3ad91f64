//! Requests as HTTP/1.1 and RTSP/1.0 write them, and the frames between those of RTSP.
//!
//! Both protocols have the same lines. Everything a client can send is bounded.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Most bytes of the lines before a body.
const MOST_HEAD: usize = 16 * 1024;
/// Most bytes of a body.
const MOST_BODY: usize = 1024 * 1024;
/// The byte that begins a frame.
const FRAME: u8 = b'$';

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// A path, or a whole URL.
    pub(crate) target: String,
    /// Names in small letters.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What can come from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// A request.
    Request(Request),
    /// A frame of RTP or RTCP, of which the simulator makes nothing.
    Frame,
}

impl Request {
    /// The value of a header; its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The path, without host and question, with `%` and two digits made into what they stand for.
    pub(crate) fn path(&self) -> String {
        let target = self
            .target
            .split_once("://")
            .map_or(self.target.as_str(), |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        decode(target.split('?').next().unwrap_or_default(), false)
    }

    /// The names and values after the question mark.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name, true), decode(value, true))
            })
            .collect()
    }

    /// The value of this name after the question mark.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// `%41` as `A`; in a question also `+` as a space.
fn decode(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |place: usize| tail.get(place).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', ..) if plus_is_space => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the first input of `bytes` and how long it is; `None` while it is not whole.
///
/// # Errors
/// What is wrong with it; the connection is of no use any more.
fn parse(bytes: &[u8]) -> Result<Option<(Input, usize)>, &'static str> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let rest = &bytes[blank..];
    if let [FRAME, frame @ ..] = rest {
        let [_, high, low, ..] = frame else { return Ok(None) };
        let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
        return Ok((rest.len() >= length).then_some((Input::Frame, blank + length)));
    }
    let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if rest.len() > MOST_HEAD { Err("the lines before the body are too long") } else { Ok(None) };
    };
    let head = std::str::from_utf8(&rest[..end]).map_err(|_| "the lines before the body are no text")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("the first line is not METHOD TARGET VERSION");
    };
    if !version.starts_with("HTTP/1.") && !version.starts_with("RTSP/1.") {
        return Err("the version is not one of HTTP/1 or RTSP/1");
    }
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request =
        Request { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some() {
        return Err("the body has no length");
    }
    let length = request.header("content-length").map_or(Ok(0), str::parse::<usize>);
    let length = length.ok().filter(|length| *length <= MOST_BODY).ok_or("the body is too long")?;
    let body = end + 4;
    let Some(bytes) = rest.get(body..body + length) else { return Ok(None) };
    request.body = bytes.to_vec();
    Ok(Some((Input::Request(request), blank + body + length)))
}

/// What has come over a connection and was not read yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// The next input; `None` at the end. Nothing is lost when this is cancelled.
    ///
    /// # Errors
    /// Of the connection, and for what is neither of the two protocols.
    pub(crate) async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Input>> {
        loop {
            match parse(&self.bytes) {
                Ok(Some((input, length))) => {
                    self.bytes.drain(..length);
                    return Ok(Some(input));
                }
                Ok(None) => {}
                Err(problem) => return Err(io::Error::new(io::ErrorKind::InvalidData, problem)),
            }
            if stream.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Ok(Some((Input::Request(request), length))) if length == text.len() => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_of_both_protocols_are_read() {
        let post = request(
            "POST /api/camera_control?camera=world&gain=%32+ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        );
        assert_eq!((post.method.as_str(), post.path().as_str()), ("POST", "/api/camera_control"));
        assert_eq!(post.query_value("gain").as_deref(), Some("2 "));
        assert_eq!((post.body.as_slice(), post.header("host")), (&b"{}"[..], Some("a")));
        let options = request("\r\nOPTIONS rtsp://1.2.3.4:8086/?camera=gaze RTSP/1.0\r\nCSeq: 7\r\n\r\n");
        assert_eq!((options.path().as_str(), options.header("cseq")), ("/", Some("7")));
        assert_eq!(options.query_value("camera").as_deref(), Some("gaze"));
        assert_eq!(request("PLAY rtsp://1.2.3.4 RTSP/1.0\r\n\r\n").path(), "/");
        assert_eq!(request("GET /api/recording%3Astart HTTP/1.1\r\n\r\n").path(), "/api/recording:start");
    }

    #[test]
    fn what_is_not_whole_is_waited_for_and_what_is_wrong_is_refused() {
        for start in ["", "GET / HTTP/1.1\r\n", "$\x01\x00", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"]
        {
            assert_eq!(parse(start.as_bytes()), Ok(None), "{start:?}");
        }
        for wrong in [
            "GET /\r\n\r\n",
            "GET / SIP/2.0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(parse(&vec![b'x'; MOST_HEAD + 1]).is_err());
    }

    #[test]
    fn frames_are_stepped_over() {
        let bytes = b"$\x01\x00\x02ab$";
        assert_eq!(parse(bytes), Ok(Some((Input::Frame, 6))));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((_, length))) = parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
