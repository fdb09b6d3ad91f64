//! The crate labstream, and everything of it that is used: lsl_api.cfg, the query language, the form of
//! questions, of announcements, of a feed's request and answer.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::sync::OnceLock;

use labstream_net::StreamInfo;
use labstream_proto::discovery;
use labstream_proto::feed::FeedParams;
use lockstep_plugin_api::Format;

use crate::found::Found;
use crate::options::predicate_fault;

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

/// Who is asked, as lsl_api.cfg says.
#[derive(Debug)]
pub struct Area {
    /// Whether by IPv4.
    pub v4: bool,
    /// Whether by IPv6.
    pub v6: bool,
    /// Multicast and broadcast addresses.
    pub groups: Vec<IpAddr>,
    /// Their port.
    pub group_port: u16,
    /// Routers a question to them may pass, and one.
    pub hops: u32,
    /// Known peers.
    pub peers: Vec<IpAddr>,
    /// Known peers whose addresses have to be looked up.
    pub names: Vec<String>,
    /// Where outlets listen on each machine.
    pub ports: Range<u16>,
}

/// Who is asked. lsl_api.cfg is read once.
pub fn area() -> &'static Area {
    static AREA: OnceLock<Area> = OnceLock::new();
    AREA.get_or_init(|| {
        let config = labstream_net::config::get();
        let addresses = config.multicast_addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        let is_group = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[3] == 255,
            IpAddr::V6(ip) => ip.is_multicast(),
        };
        let (groups, mut peers): (Vec<IpAddr>, Vec<IpAddr>) = addresses.partition(is_group);
        let mut names = Vec::new();
        for peer in &config.known_peers {
            match peer.parse() {
                Ok(ip) => peers.push(ip),
                Err(_) => names.push(peer.clone()),
            }
        }
        Area {
            v4: config.allow_ipv4,
            v6: config.allow_ipv6,
            groups,
            group_port: config.multicast_port,
            hops: config.multicast_ttl,
            peers,
            names,
            ports: config.base_port..config.base_port.saturating_add(config.port_range),
        }
    })
}

/// What tells the answers to one question from those to others.
pub fn new_query_id() -> String {
    labstream_net::make_query_id()
}

/// The datagram that asks for the streams that fulfil `query`, to be answered to `port`.
pub fn question(query: &str, port: u16, id: &str) -> Vec<u8> {
    discovery::build_query(query, port, id)
}

/// The answer to the question `id` that came from `from`, if it is one.
pub fn answer(bytes: &[u8], id: &str, from: SocketAddr) -> Option<Found> {
    let answer = discovery::parse_answer(bytes).filter(|answer| answer.query_id == id)?;
    let mut info = StreamInfo::from_shortinfo_xml(&answer.xml)?;
    // Outlets leave it to whoever asks.
    match from {
        SocketAddr::V4(from) => info.v4address = from.ip().to_string(),
        SocketAddr::V6(from) if from.scope_id() == 0 => info.v6address = from.ip().to_string(),
        SocketAddr::V6(from) => info.v6address = format!("{}%{}", from.ip(), from.scope_id()),
    }
    found(&info)
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
        elsewhere: Vec::new(),
    })
}

/// What no escape should be stays as it is.
fn unescape(raw: &str) -> String {
    quick_xml::escape::unescape(raw).map_or_else(|_| raw.to_owned(), Into::into)
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
    predicate_fault(predicate).is_none() && info.matches(predicate)
}

/// Whether this machine understands `predicate`. Outlets may understand more.
pub fn is_readable(predicate: &str) -> bool {
    let info = StreamInfo::new("", "", 1, labstream_wire::Format::Int8, 0.0);
    predicate_fault(predicate).is_none() && info.matches(&format!("({predicate}) or true()"))
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
    fn no_predicate_overflows_a_small_stack() {
        let worst = [
            format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000)),
            format!("{}true(){}", "not(".repeat(1_000), ")".repeat(1_000)),
            format!("{}1", "-".repeat(4_000)),
            format!("1{}", "+1".repeat(2_000)),
            format!("true(){}", " or true()".repeat(400)),
            // The largest ones that are read.
            format!("{}1{}", "(".repeat(32), ")".repeat(32)),
            format!("{}1", "-".repeat(599)),
            format!("1{}", "+1".repeat(299)),
            format!("{}(1{})", "not(".repeat(31), format_args!("{}{}", "+1".repeat(200), ")".repeat(31))),
        ];
        std::thread::Builder::new()
            .stack_size(512 << 10)
            .spawn(move || {
                for (number, predicate) in worst.iter().enumerate() {
                    let is_bounded = predicate_fault(predicate).is_none();
                    assert_eq!(is_bounded, number > 4, "{number}");
                    assert!(
                        is_bounded || !is_readable(predicate) && !matches(predicate, &sample("x", "EEG"))
                    );
                    let _ = is_readable(predicate);
                }
            })
            .expect("a thread")
            .join()
            .expect("no panic");
    }

    #[test]
    fn escapes_of_announcements_are_undone_once() {
        assert_eq!(unescape("a &amp;lt; b &lt;&quot;&apos;&gt;&#228;&#xE4;"), "a &lt; b <\"'>\u{e4}\u{e4}");
        assert_eq!(unescape("a & b"), "a & b", "not escaped at all");
    }

    #[test]
    fn an_answer_belongs_to_one_question_and_tells_the_place() {
        let asked = String::from_utf8(question("name='x'", 1234, "id")).expect("text");
        assert_eq!(asked, "LSL:shortinfo\r\nname='x'\r\n1234 id\r\n");
        let mut info = StreamInfo::new("x", "EEG", 2, labstream_wire::Format::Int16, 100.0);
        (info.v4data_port, info.v6data_port, info.v6service_port) = (16572, 16573, 16574);
        let bytes = discovery::build_answer("id", &info.to_shortinfo_xml());
        let from = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(answer(&bytes, "other", from("10.0.0.7:1")), None);
        let by_v4 = answer(&bytes, "id", from("10.0.0.7:1")).expect("an answer");
        assert_eq!(by_v4.data, Some(from("10.0.0.7:16572")));
        let by_v6 = answer(&bytes, "id", from("[fe80::1%3]:1")).expect("an answer");
        assert_eq!(
            (by_v6.data, by_v6.time_service),
            (Some(from("[fe80::1%3]:16573")), Some(from("[fe80::1%3]:16574")))
        );
        assert_eq!(answer(b"id\r\n<info>", "id", from("10.0.0.7:1")), None);
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
