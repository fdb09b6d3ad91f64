//! The server of the configuration: a name or an address, and a port. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of NTP.
pub const DEFAULT_PORT: u16 = 123;
/// Longest name of the domain name system.
const MAX_NAME: usize = 253;
/// Longest part of it between two dots.
const MAX_LABEL: usize = 63;

/// Where the master clock is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// To be asked of the system: a name, or an IPv6 address with a zone.
    Name(String),
}

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Nothing there.
    #[error("no server is named")]
    Empty,
    /// A blank or control character.
    #[error("a server's name has no blanks in it")]
    Blank,
    /// It looks like a URL.
    #[error("{0:?} is a URL; only the name or address is wanted")]
    Url(String),
    /// The port.
    #[error("{0:?} is no port (1 to 65535)")]
    Port(String),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address stands in brackets: \"[{0}]\"")]
    Brackets(String),
    /// A bracket is missing, or does not hold an IPv6 address.
    #[error("{0:?} is no IPv6 address in brackets")]
    Ipv6(String),
    /// Numbers and dots, but no IPv4 address.
    #[error("{0:?} is no IPv4 address (four numbers from 0 to 255)")]
    Ipv4(String),
    /// Not a name.
    #[error("{0:?} is no name of a machine")]
    Name(String),
    /// An address no machine can have.
    #[error("{0} is not the address of one machine")]
    NoMachine(IpAddr),
}

/// How a server may be written, for error messages.
pub const ACCEPTED: &str = "accepted: a name, an IPv4 address or an IPv6 address in brackets, with :PORT where \
     it is not 123, as \"ntp.example.org\", \"192.168.1.1:1123\", \"[2001:db8::1]\"";

impl Server {
    /// Read the text of the configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ServerError> {
        if text.is_empty() {
            return Err(ServerError::Empty);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(ServerError::Blank);
        }
        if text.contains('/') {
            return Err(ServerError::Url(text.to_owned()));
        }
        let (host, port) = split(text)?;
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => port,
                _ => return Err(ServerError::Port(digits.to_owned())),
            },
        };
        if let Host::Address(address) = host {
            let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
            if address.is_unspecified() || address.is_multicast() || broadcast {
                return Err(ServerError::NoMachine(address));
            }
        }
        Ok(Self { host, port })
    }

    /// Its address, where it was not given by a name.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Address(ip) => Some(SocketAddr::new(ip, self.port)),
            Host::Name(_) => None,
        }
    }

    /// The name to be resolved, or the address as text.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Address(ip) => ip.to_string(),
            Host::Name(name) => name.clone(),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Server {
    /// As it may be written in a configuration: the port only where it is not 123.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
            Host::Address(IpAddr::V4(ip)) => write!(f, "{ip}")?,
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]")?,
            Host::Name(name) => f.write_str(name)?,
        }
        if self.port == DEFAULT_PORT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Host, and the text of the port if there is one.
fn split(text: &str) -> Result<(Host, Option<&str>), ServerError> {
    if let Some(rest) = text.strip_prefix('[') {
        let wrong = || ServerError::Ipv6(text.to_owned());
        let (inside, after) = rest.split_once(']').ok_or_else(wrong)?;
        let port = match after {
            "" => None,
            after => Some(after.strip_prefix(':').ok_or_else(wrong)?),
        };
        return Ok((in_brackets(inside).ok_or_else(wrong)?, port));
    }
    if text.matches(':').count() > 1 {
        return Err(ServerError::Brackets(text.to_owned()));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if host.is_empty() {
        return Err(ServerError::Empty);
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok((Host::Address(ip.into()), port));
    }
    if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(ServerError::Ipv4(host.to_owned()));
    }
    if !is_name(host) {
        return Err(ServerError::Name(host.to_owned()));
    }
    Ok((Host::Name(host.to_owned()), port))
}

fn in_brackets(inside: &str) -> Option<Host> {
    match inside.split_once('%') {
        None => Some(Host::Address(inside.parse::<Ipv6Addr>().ok()?.into())),
        Some((address, zone)) => {
            address.parse::<Ipv6Addr>().ok()?;
            let sound = (1..=MAX_LABEL).contains(&zone.len())
                && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            sound.then(|| Host::Name(inside.to_owned()))
        }
    }
}

fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_are_names_and_addresses_with_and_without_a_port() {
        for (text, host, port) in [
            ("ntp.example.org", "ntp.example.org", 123),
            ("pool.ntp.org.:1123", "pool.ntp.org.", 1123),
            ("master", "master", 123),
            ("192.168.1.1", "192.168.1.1", 123),
            ("192.168.1.1:65535", "192.168.1.1", 65535),
            ("[::1]", "::1", 123),
            ("[2001:db8::1]:1123", "2001:db8::1", 1123),
            ("[fe80::1%eth0]", "fe80::1%eth0", 123),
            ("1und1.de", "1und1.de", 123),
        ] {
            let server = Server::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((server.host().as_str(), server.port()), (host, port), "{text}");
            assert_eq!(server.to_string(), text);
        }
        assert_eq!(Server::parse("10.0.0.1:123").expect("right").to_string(), "10.0.0.1");
        assert_eq!(Server::parse("10.0.0.1").expect("right").address(), Some(([10, 0, 0, 1], 123).into()));
        assert_eq!(Server::parse("master").expect("right").address(), None);
    }

    #[test]
    fn what_names_no_server_is_refused_with_its_reason() {
        for (text, says) in [
            ("", "no server"),
            (":123", "no server"),
            (" ntp.example.org", "blanks"),
            ("ntp\texample", "blanks"),
            ("ntp://ntp.example.org", "URL"),
            ("ntp.example.org:", "no port"),
            ("ntp.example.org:ntp", "no port"),
            ("ntp.example.org:0", "no port"),
            ("ntp.example.org:+123", "no port"),
            ("ntp.example.org:65536", "no port"),
            ("2001:db8::1", "in brackets: \"[2001:db8::1]\""),
            ("[2001:db8::1", "no IPv6 address"),
            ("[2001:db8::1]123", "no IPv6 address"),
            ("[192.168.1.1]", "no IPv6 address"),
            ("[fe80::1%]", "no IPv6 address"),
            ("192.168.1", "no IPv4 address"),
            ("192.168.1.256", "no IPv4 address"),
            ("ntp..org", "no name"),
            ("-ntp.org", "no name"),
            ("ntp_server!.org", "no name"),
            ("0.0.0.0", "not the address of one machine"),
            ("224.0.1.1", "not the address of one machine"),
            ("[ff02::101]", "not the address of one machine"),
            ("255.255.255.255", "not the address of one machine"),
        ] {
            let error = Server::parse(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_shown_as_it_can_be_read_again(text in "[\\[\\]a-z0-9.:%_ /-]{0,30}") {
            if let Ok(server) = Server::parse(&text) {
                prop_assert_eq!(Server::parse(&server.to_string()), Ok(server));
            }
        }
    }
}
