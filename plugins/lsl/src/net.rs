//! The crate labstream, and everything of it that is used: asking the network, the query language, the
//! form of a feed's request and answer.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use labstream_net::StreamInfo;
use labstream_proto::feed::FeedParams;
use lockstep_plugin_api::Format;

use crate::found::Found;

pub use labstream_proto::feed::{FeedClient, TestPatternError};
pub use labstream_proto::header::Error as AnswerError;
pub use labstream_wire::ByteOrder;

/// An outlet may hold this many seconds of a stream for us while we do not read...
const OUTLET_BUFFER_S: f64 = 60.0;
/// ...at least and at most this many samples. Outlets make room for all of them at once.
const OUTLET_BUFFER_SAMPLES: (f64, f64) = (6_000.0, 4_000_000.0);

/// The query for all streams of the session that lsl_api.cfg names.
pub fn session_query() -> String {
    format!("session_id='{}'", labstream_net::config::get().session_id)
}

/// Ask the network once for the streams that fulfil `query`, and collect answers for about `window`.
///
/// # Errors
/// No socket could be opened.
pub fn ask(query: &str, window: Duration) -> io::Result<Vec<Found>> {
    let answers = labstream_net::resolve(query, usize::MAX, window)?;
    Ok(answers.iter().filter_map(found).collect())
}

/// What an announcement or a description says. `None`: of a format nobody can read.
fn found(info: &StreamInfo) -> Option<Found> {
    // Announcements are cut out of XML as they stand there.
    let text = |raw: &str| unescape(raw);
    Some(Found {
        name: text(&info.name),
        kind: text(&info.stream_type),
        channel_count: info.channel_count as usize,
        nominal_rate_hz: info.nominal_srate,
        format: format(info.format)?,
        source_id: text(&info.source_id),
        uid: text(&info.uid),
        session_id: text(&info.session_id),
        hostname: text(&info.hostname),
        created_at_s: info.created_at,
        data: address(info, info.v4data_port, info.v6data_port),
        time_service: address(info, info.v4service_port, info.v6service_port),
    })
}

fn unescape(raw: &str) -> String {
    if !raw.contains('&') {
        return raw.to_owned();
    }
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    named.iter().fold(raw.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

/// The numbers of a stream's value format.
fn format(format: labstream_wire::Format) -> Option<Format> {
    use labstream_wire::Format as Theirs;
    Some(match format {
        Theirs::Float32 => Format::Float32,
        Theirs::Double64 => Format::Double64,
        Theirs::String => Format::String,
        Theirs::Int32 => Format::Int32,
        Theirs::Int16 => Format::Int16,
        Theirs::Int8 => Format::Int8,
        Theirs::Int64 => Format::Int64,
        Theirs::Undefined => return None,
    })
}

fn their_format(format: Format) -> labstream_wire::Format {
    use labstream_wire::Format as Theirs;
    match format {
        Format::Float32 => Theirs::Float32,
        Format::Double64 => Theirs::Double64,
        Format::String => Theirs::String,
        Format::Int32 => Theirs::Int32,
        Format::Int16 => Theirs::Int16,
        Format::Int8 => Theirs::Int8,
        Format::Int64 => Theirs::Int64,
    }
}

/// Where a port of a stream is: by IPv4 where it can be, as liblsl does it.
fn address(info: &StreamInfo, v4_port: u16, v6_port: u16) -> Option<SocketAddr> {
    if let (Ok(ip), true) = (info.v4address.parse::<IpAddr>(), v4_port != 0) {
        return Some(SocketAddr::new(ip, v4_port));
    }
    let (ip, scope) = info.v6address.split_once('%').unwrap_or((&info.v6address, "0"));
    let ip = ip.parse().ok().filter(|_| v6_port != 0)?;
    Some(SocketAddrV6::new(ip, v6_port, 0, scope.parse().unwrap_or(0)).into())
}

/// The facts of a description that must agree with what its outlet announced. Of its `desc` nothing is read:
/// that may be nested as deeply as a peer likes.
pub fn read_description(xml: &str) -> Option<Found> {
    let flat = xml.split_once("<desc").map_or(xml, |(before, _)| before);
    found(&StreamInfo::from_shortinfo_xml(flat)?)
}

/// Whether `found` fulfils `predicate`; one that cannot be read is fulfilled by nothing.
pub fn matches(predicate: &str, found: &Found) -> bool {
    let mut info = StreamInfo::new(
        &found.name,
        &found.kind,
        u32::try_from(found.channel_count).unwrap_or(u32::MAX),
        their_format(found.format),
        found.nominal_rate_hz,
    );
    info.source_id.clone_from(&found.source_id);
    info.uid.clone_from(&found.uid);
    info.session_id.clone_from(&found.session_id);
    info.hostname.clone_from(&found.hostname);
    info.created_at = found.created_at_s;
    info.matches(predicate)
}

/// Whether this machine understands `predicate`. Outlets may understand more.
pub fn is_readable(predicate: &str) -> bool {
    let info = StreamInfo::new("", "", 1, labstream_wire::Format::Int8, 0.0);
    info.matches(&format!("({predicate}) or true()"))
}

/// The client's part of opening the feed of `found`, and the bytes to send first. `hostname` is this machine's.
pub fn open_feed(found: &Found, hostname: &str) -> (FeedClient, Vec<u8>) {
    let format = their_format(found.format);
    let mut wanted = FeedParams::new(&found.uid, format);
    wanted.hostname = hostname.to_owned();
    wanted.source_id.clone_from(&found.source_id);
    wanted.session_id.clone_from(&found.session_id);
    let (least, most) = OUTLET_BUFFER_SAMPLES;
    wanted.max_buffer_length = (OUTLET_BUFFER_S * found.nominal_rate_hz).clamp(least, most) as i32;
    FeedClient::start(wanted, format, found.channel_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::sample;

    #[test]
    fn predicates_are_judged_as_far_as_they_are_understood() {
        let found = Found { name: "A & B".into(), ..sample("x", "EEG") };
        assert!(matches("name='A & B' and type='EEG' and nominal_srate=250", &found));
        assert!(!matches("name='A'", &found));
        assert!(!matches("name[1]='A & B'", &found), "not understood here");
        assert!(is_readable("contains(name,'x') or channel_count > 3"));
        assert!(!is_readable("name[1]='x'"));
        assert!(!is_readable("unknown(name)"));
    }

    #[test]
    fn escapes_of_announcements_are_undone_once() {
        assert_eq!(unescape("a &amp;lt; b &lt;&quot;&apos;&gt;"), "a &lt; b <\"'>");
    }

    #[test]
    fn the_address_is_that_of_the_answer_by_ipv4_first() {
        let mut info = StreamInfo::new("n", "t", 1, labstream_wire::Format::Int8, 0.0);
        assert_eq!(address(&info, 1, 2), None);
        info.v6address = "fe80::1%3".into();
        assert_eq!(address(&info, 1, 2).map(|a| a.to_string()).as_deref(), Some("[fe80::1%3]:2"));
        info.v4address = "10.0.0.7".into();
        assert_eq!(address(&info, 1, 2), "10.0.0.7:1".parse().ok());
        assert_eq!(address(&info, 0, 2).map(|a| a.port()), Some(2), "no port by IPv4");
    }

    #[test]
    fn a_feed_is_asked_for_with_a_bounded_buffer() {
        let text = |rate_hz: f64| {
            let found = Found { nominal_rate_hz: rate_hz, ..sample("x", "EEG") };
            String::from_utf8(open_feed(&found, "me").1).expect("text")
        };
        assert!(text(250.0).starts_with("LSL:streamfeed/110 uid-x\r\n"));
        assert!(text(250.0).contains("Max-Buffer-Length: 15000\r\n"));
        assert!(text(0.0).contains("Max-Buffer-Length: 6000\r\n"));
        assert!(text(1e9).contains("Max-Buffer-Length: 4000000\r\n"));
    }
}
