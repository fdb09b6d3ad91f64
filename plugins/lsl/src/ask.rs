//! Questions to everybody on the network, and the answers to them: sockets, and nothing that is kept.
//!
//! As liblsl asks (resolve_attempt_udp.cpp): each multicast group on each interface, and every port of the
//! range on this machine and on known peers. Answers come to the socket whose port the question names.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::found::Found;
use crate::net::{self, Area};

/// How long answers are collected: a Wi-Fi access point may hold multicast back for three beacons.
const WINDOW: Duration = Duration::from_millis(400);
/// Longest wait before it is asked whether to go on.
const LOOK: Duration = Duration::from_millis(50);
/// Different streams taken of one question at the most.
const STREAMS: usize = 4096;
/// Errors in a row after which a socket is left alone until the next look: each may be of a port nobody listens at.
const ERRORS: usize = 256;
/// Room for answers: a machine with many streams answers at once.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// Ask the network for the streams that fulfil each of `queries`, and collect answers for 0.4 s, or while `goes_on`
/// says so: the streams that fulfil each, in the order of `queries`. `peers` are known peers by address, beside those
/// that lsl_api.cfg gives so.
///
/// # Errors
/// No socket could be opened.
pub fn ask(queries: &[&str], peers: &[IpAddr], goes_on: impl Fn() -> bool) -> io::Result<Vec<Vec<Found>>> {
    let area = net::area();
    let legs = [(area.v4, false), (area.v6, true)];
    let opened = legs.iter().filter(|(wanted, _)| *wanted).map(|(_, v6)| Leg::open(area, *v6));
    let (mut legs, mut failed) = (Vec::new(), None);
    for leg in opened {
        match leg {
            Ok(leg) => legs.push(leg),
            Err(error) => failed = Some(error),
        }
    }
    if legs.is_empty() {
        return Err(failed.unwrap_or_else(|| io::Error::other("lsl_api.cfg allows neither IPv4 nor IPv6")));
    }
    let asked: Vec<(String, &str)> = queries.iter().map(|query| (net::new_query_id(), *query)).collect();
    for leg in &legs {
        let port = leg.answers.local_addr()?.port();
        for (id, query) in &asked {
            leg.send(area, peers, &net::question(query, port, id));
        }
    }
    let mut found = vec![Vec::new(); queries.len()];
    collect(&legs, &goes_on, |bytes, from| {
        let Some((number, stream)) = asked
            .iter()
            .enumerate()
            .find_map(|(number, (id, _))| net::answer(bytes, id, from).map(|stream| (number, stream)))
        else {
            return;
        };
        if let Some(streams) = found.get_mut(number) {
            add(streams, stream);
        }
    })?;
    Ok(found)
}

/// An outlet answers once for each way the question took.
fn add(streams: &mut Vec<Found>, stream: Found) {
    if let Some(known) = streams.iter_mut().find(|known| known.uid == stream.uid) {
        known.also_at(&stream);
    } else if streams.len() < STREAMS {
        streams.push(stream);
    }
}

/// Sockets of one version of IP.
struct Leg {
    /// Answers come here, and questions to single addresses leave here: a firewall lets their answers pass.
    answers: UdpSocket,
    /// Questions to groups leave here, one socket for each interface.
    interfaces: Vec<UdpSocket>,
    groups: Vec<SocketAddr>,
}

impl Leg {
    fn open(area: &Area, v6: bool) -> io::Result<Self> {
        let any = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let answers = socket(any)?;
        // The system's own size serves as well, with fewer streams.
        drop(SockRef::from(&answers).set_recv_buffer_size(RECEIVE_BUFFER_BYTES));
        let groups = area.groups.iter().filter(|group| group.is_ipv6() == v6);
        let groups: Vec<SocketAddr> = groups.map(|group| SocketAddr::new(*group, area.group_port)).collect();
        let mut interfaces: Vec<UdpSocket> = Vec::new();
        if !groups.is_empty() {
            for (address, index) in addresses(v6) {
                // One that went away just now, or that knows no multicast, is not asked by.
                interfaces.extend(by_interface(area, address, index).ok());
            }
            if interfaces.is_empty() {
                interfaces.extend(by_interface(area, any, None).ok());
            }
        }
        Ok(Self { answers, interfaces, groups })
    }

    /// Send a question to everybody. What cannot be sent reaches nobody there: a network that is down, say.
    fn send(&self, area: &Area, peers: &[IpAddr], question: &[u8]) {
        for socket in &self.interfaces {
            for group in &self.groups {
                let _ = socket.send_to(question, group);
            }
        }
        let v6 = self.answers.local_addr().is_ok_and(|at| at.is_ipv6());
        let this_machine: IpAddr = if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let mut asked = Vec::new();
        for peer in [&this_machine].into_iter().chain(&area.peers).chain(peers) {
            if peer.is_ipv6() == v6 && !asked.contains(peer) {
                asked.push(*peer);
                for port in area.ports.clone() {
                    let _ = self.answers.send_to(question, (*peer, port));
                }
            }
        }
    }
}

/// A socket of its own port that never waits.
fn socket(at: IpAddr) -> io::Result<UdpSocket> {
    let domain = if at.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(at, 0).into())?;
    Ok(socket.into())
}

/// A socket whose questions to groups leave by the interface of `address` (IPv6: number `index`).
fn by_interface(area: &Area, address: IpAddr, index: Option<u32>) -> io::Result<UdpSocket> {
    let opened = match address {
        IpAddr::V4(address) => {
            let opened = socket(address.into())?;
            let options = SockRef::from(&opened);
            options.set_broadcast(true)?;
            options.set_multicast_ttl_v4(area.hops)?;
            options.set_multicast_loop_v4(true)?;
            options.set_multicast_if_v4(&address)?;
            opened
        }
        IpAddr::V6(_) => {
            let opened = socket(Ipv6Addr::UNSPECIFIED.into())?;
            let options = SockRef::from(&opened);
            options.set_multicast_hops_v6(area.hops)?;
            options.set_multicast_loop_v6(true)?;
            if let Some(index) = index {
                options.set_multicast_if_v6(index)?;
            }
            opened
        }
    };
    Ok(opened)
}

/// This machine's addresses and the number of the interface of each, IPv6: one for each interface.
fn addresses(v6: bool) -> Vec<(IpAddr, Option<u32>)> {
    let mut all: Vec<(IpAddr, Option<u32>)> = Vec::new();
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        let (address, index) = (interface.ip(), interface.index);
        let known = all.iter().any(|(a, i)| if v6 { *i == index } else { *a == address });
        if address.is_ipv6() == v6 && !known {
            all.push((address, index));
        }
    }
    all
}

/// Receive for as long as it is worth it.
fn collect(
    legs: &[Leg],
    goes_on: &impl Fn() -> bool,
    mut take: impl FnMut(&[u8], SocketAddr),
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut sockets = Vec::new();
    for (number, leg) in legs.iter().enumerate() {
        let mut socket = mio::net::UdpSocket::from_std(leg.answers.try_clone()?);
        poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
        sockets.push(socket);
    }
    let (mut events, mut buffer, begun) = (Events::with_capacity(8), vec![0; 1 << 16], Instant::now());
    while goes_on() {
        let left = WINDOW.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        match poll.poll(&mut events, Some(left.min(LOOK))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for socket in &sockets {
            let mut errors = 0;
            while errors < ERRORS && begun.elapsed() < WINDOW {
                match socket.recv_from(&mut buffer) {
                    Ok((count, from)) => {
                        errors = 0;
                        take(buffer.get(..count).unwrap_or_default(), from);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // On Windows, that nobody listens where a question went.
                    Err(_) => errors += 1,
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::sample;

    #[test]
    fn an_outlet_that_answers_twice_is_one() {
        let mut streams = Vec::new();
        let by_v6 = Found { data: "[::1]:16572".parse().ok(), ..sample("x", "EEG") };
        add(&mut streams, by_v6.clone());
        add(&mut streams, sample("x", "EEG"));
        add(&mut streams, sample("y", "EEG"));
        assert_eq!(streams.len(), 2);
        assert_eq!(streams[0].data, sample("x", "EEG").data, "by IPv4, where it can be");
        add(&mut streams, by_v6);
        assert_eq!(streams[0].data, sample("x", "EEG").data);
    }

    #[test]
    fn each_address_of_this_machine_is_asked_by_once() {
        let all = addresses(false);
        assert!(all.iter().all(|(address, _)| address.is_ipv4()));
        assert!((1..all.len()).all(|n| all[..n].iter().all(|(address, _)| *address != all[n].0)));
    }
    #[test]
    fn questions_go_as_far_as_the_scope_says() {
        let area = Area {
            v4: true,
            v6: false,
            groups: Vec::new(),
            group_port: 16571,
            hops: 24,
            peers: Vec::new(),
            names: Vec::new(),
            ports: 0..0,
        };
        let socket = by_interface(&area, Ipv4Addr::LOCALHOST.into(), None).expect("a socket");
        assert_eq!(SockRef::from(&socket).multicast_ttl_v4().expect("a number"), 24);
        assert_eq!(SockRef::from(&socket).multicast_if_v4().expect("an address"), Ipv4Addr::LOCALHOST);
    }
}
