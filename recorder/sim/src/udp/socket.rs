//! Small helpers around UDP sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

/// Sends at once when the socket takes it, as it nearly always does, and waits otherwise.
pub(super) async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
    match socket.try_send_to(bytes, to) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            socket.send_to(bytes, to).await.map(|_| ())
        }
        sent => sent.map(|_| ()),
    }
}

/// The local address to send from: loopback for a loopback destination, otherwise any.
pub(super) fn local_address(destination: SocketAddr) -> SocketAddr {
    match (destination.ip().is_loopback(), destination.is_ipv4()) {
        (true, true) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        (true, false) => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        (false, true) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        (false, false) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    }
}
