//! Addresses of peers, which one system writes in several ways.

use std::net::SocketAddr;

/// Whether two addresses mean the same peer: the same port, and the same IP address.
///
/// A socket of IPv6 reports a peer of IPv4 as `::ffff:192.0.2.1`, which is the same as `192.0.2.1`. The scope
/// of an IPv6 address (`%eth0`) and its flow label do not count: a peer that was named without a scope is
/// reported with one.
pub fn is_same_peer(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, SocketAddrV6};

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
    fn scope_and_flow_label_do_not_count() {
        let ip: Ipv6Addr = "fe80::1".parse().expect("an address");
        let with = |flow, scope| SocketAddr::from(SocketAddrV6::new(ip, 5, flow, scope));
        assert!(is_same_peer(with(0, 0), with(7, 3)));
    }
}
