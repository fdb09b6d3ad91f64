//! Addresses of peers, which one system writes in several ways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whether two addresses mean the same peer: the same port, and the same IP address.
///
/// A socket of IPv6 reports a peer of IPv4 as `::ffff:192.0.2.1`, which is the same as `192.0.2.1`. The scope
/// of an IPv6 address (`%eth0`) and its flow label do not count: a peer that was named without a scope is
/// reported with one.
pub fn is_same_peer(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
}

/// Whether only programs of this machine reach `address`, in whatever writing.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Where a socket that asks `peer` is to be bound: a port of its own, and for a peer of this machine its loopback
/// address, so that nobody else reaches it.
pub fn local_for(peer: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match (peer.ip(), peer.ip().is_loopback()) {
        (IpAddr::V4(_), true) => Ipv4Addr::LOCALHOST.into(),
        (IpAddr::V4(_), false) => Ipv4Addr::UNSPECIFIED.into(),
        (IpAddr::V6(_), true) => Ipv6Addr::LOCALHOST.into(),
        (IpAddr::V6(_), false) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let address = |text: &str| text.parse::<SocketAddr>().expect(text);
        let (a, b) = (address(a), address(b));
        assert_eq!(is_same_peer(a, b), is_same_peer(b, a));
        is_same_peer(a, b)
    }

    #[test]
    fn ip_and_port_must_be_the_same() {
        assert!(same("192.0.2.1:5", "192.0.2.1:5"));
        assert!(same("[2001:db8::1]:5", "[2001:db8:0::1]:5"));
        assert!(!same("192.0.2.1:5", "192.0.2.1:6"));
        assert!(!same("192.0.2.1:5", "192.0.2.2:5"));
        assert!(!same("[2001:db8::1]:5", "[2001:db8::2]:5"));
    }

    #[test]
    fn ipv4_is_the_same_in_the_writing_of_ipv6() {
        assert!(same("[::ffff:192.0.2.1]:5", "192.0.2.1:5"));
        assert!(!same("[::ffff:192.0.2.1]:5", "192.0.2.1:6"));
        assert!(!same("[::ffff:192.0.2.1]:5", "192.0.2.2:5"));
        // Each has its own loopback address, and no system reports the older form of an embedded address.
        assert!(!same("[::1]:5", "127.0.0.1:5"));
        assert!(!same("[::192.0.2.1]:5", "192.0.2.1:5"));
    }

    #[test]
    fn who_asks_this_machine_is_reached_by_nobody_else() {
        let local = |peer: &str| local_for(peer.parse().expect(peer)).to_string();
        assert_eq!(local("127.0.0.1:123"), "127.0.0.1:0");
        assert_eq!(local("[::1]:123"), "[::1]:0");
        assert_eq!(local("192.0.2.1:123"), "0.0.0.0:0");
        assert_eq!(local("[2001:db8::1]:123"), "[::]:0");
        for (ip, is) in [
            ("127.0.0.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::", false),
        ] {
            assert_eq!(is_loopback(ip.parse().expect(ip)), is, "{ip}");
        }
    }

    #[test]
    fn scope_and_flow_label_do_not_count() {
        let ip: Ipv6Addr = "fe80::1".parse().expect("an address");
        let with = |flow, scope| SocketAddr::from(SocketAddrV6::new(ip, 5, flow, scope));
        assert!(is_same_peer(with(0, 0), with(7, 3)));
    }
}
