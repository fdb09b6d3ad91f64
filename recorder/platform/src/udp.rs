//! A UDP socket that says when each datagram arrived at the machine, and how
//! many the kernel had to throw away.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
#[cfg(any(test, not(target_os = "linux")))]
use std::slice;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::clock;

/// What a socket is opened for.
#[derive(Debug, Clone)]
pub struct UdpOptions {
    /// Address and port to bind; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Multicast groups to join.
    pub multicast: Vec<IpAddr>,
    /// Receive buffer to ask the kernel for, in bytes; `None` keeps its default.
    pub receive_buffer_bytes: Option<usize>,
}

impl UdpOptions {
    /// Just bind.
    pub fn bind(address: SocketAddr) -> Self {
        Self { bind: address, multicast: Vec::new(), receive_buffer_bytes: None }
    }
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datagram {
    /// Bytes written to the buffer.
    pub len: usize,
    /// Whether it was longer than the buffer and its end is lost.
    pub truncated: bool,
    /// Who sent it.
    pub from: SocketAddr,
    /// When it arrived, in nanoseconds of the monotonic clock.
    pub arrival_ns: i64,
    /// Whether the kernel took that time, at the arrival itself; otherwise it
    /// was taken when this process was woken.
    pub kernel_stamped: bool,
}

/// A bound UDP socket with arrival stamps.
#[derive(Debug)]
pub struct UdpReceiver {
    socket: UdpSocket,
    /// The read timeout that the socket has now.
    timeout: Duration,
    /// Last value of the kernel's drop counter (Linux; wraps at 2^32).
    last_overflow: u32,
    kernel_drops: u64,
}

impl UdpReceiver {
    /// Open a socket.
    ///
    /// # Errors
    /// Those of the system; the operation that failed is named in the message.
    pub fn open(options: &UdpOptions) -> io::Result<Self> {
        let named = |what: &'static str| move |e: io::Error| io::Error::new(e.kind(), format!("{what}: {e}"));
        let domain = Domain::for_address(options.bind);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).map_err(named("socket"))?;
        if !options.multicast.is_empty() {
            // Several programs on one machine may listen to one group.
            socket.set_reuse_address(true).map_err(named("SO_REUSEADDR"))?;
        }
        if let Some(bytes) = options.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes).map_err(named("receive buffer"))?;
        }
        socket.bind(&options.bind.into()).map_err(named("bind"))?;
        for group in &options.multicast {
            match group {
                IpAddr::V4(group) => {
                    let interface = match options.bind.ip() {
                        IpAddr::V4(ip) if !ip.is_multicast() => ip,
                        _ => std::net::Ipv4Addr::UNSPECIFIED,
                    };
                    socket.join_multicast_v4(group, &interface).map_err(named("join multicast group"))?;
                }
                IpAddr::V6(group) => {
                    socket.join_multicast_v6(group, 0).map_err(named("join multicast group"))?;
                }
            }
        }
        let socket = UdpSocket::from(socket);
        #[cfg(target_os = "linux")]
        {
            use nix::sys::socket::{setsockopt, sockopt};
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        }
        Ok(Self { socket, timeout: Duration::ZERO, last_overflow: 0, kernel_drops: 0 })
    }

    /// The socket, for sending and for its address.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Receive buffer the kernel really gave, in bytes (Linux counts its own
    /// bookkeeping in).
    ///
    /// # Errors
    /// Those of the system.
    pub fn receive_buffer_bytes(&self) -> io::Result<usize> {
        socket2::SockRef::from(&self.socket).recv_buffer_size()
    }

    /// Datagrams the kernel threw away because this socket was not read in time,
    /// as far as the system says.
    pub fn kernel_drops(&self) -> u64 {
        self.kernel_drops
    }

    /// Wait for a datagram, `timeout` at the most; `None` when none came. Zero does not wait at all.
    ///
    /// # Errors
    /// Those of the system. Errors that only say that an earlier send found no
    /// listener are not among them.
    pub fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<Option<Datagram>> {
        // The system rounds time-outs up, to milliseconds at least, so none at all is another way of receiving.
        let waits = !timeout.is_zero();
        if waits && timeout != self.timeout {
            self.socket.set_read_timeout(Some(timeout.max(Duration::from_micros(1))))?;
            self.timeout = timeout;
        }
        match self.receive_now(buffer, waits) {
            Ok(datagram) => Ok(Some(datagram)),
            Err(e) => match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(None),
                // An ICMP "port unreachable" for something sent earlier.
                io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Ok(None),
                _ => Err(e),
            },
        }
    }

    #[cfg(target_os = "linux")]
    fn receive_now(&mut self, buffer: &mut [u8], waits: bool) -> io::Result<Datagram> {
        use std::os::fd::AsRawFd;

        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

        let mut iov = [io::IoSliceMut::new(buffer)];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec, u32);
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut iov,
            Some(&mut control),
            if waits { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT },
        )?;
        // The two clocks are read together and the kernel's UTC stamp is carried
        // over by its age, so that a UTC clock that is stepped or slewed shifts
        // nothing but an arrival in this very instant.
        let (now_ns, now_utc_ns) = clock::monotonic_and_utc_ns();
        let mut age_ns = None;
        let mut overflow = None;
        for item in message.cmsgs()? {
            match item {
                ControlMessageOwned::ScmTimestampns(stamp) => {
                    let stamp_ns = stamp.tv_sec() * 1_000_000_000 + stamp.tv_nsec();
                    age_ns = Some(now_utc_ns - stamp_ns);
                }
                ControlMessageOwned::RxqOvfl(count) => overflow = Some(count),
                _ => {}
            }
        }
        // An age below zero or above a minute is a UTC step, not an arrival.
        let plausible = age_ns.filter(|age| (0..60_000_000_000).contains(age));
        let from = message.address.as_ref().and_then(to_std).unwrap_or(UNKNOWN_SENDER);
        let datagram = Datagram {
            len: message.bytes,
            truncated: message.flags.contains(MsgFlags::MSG_TRUNC),
            from,
            arrival_ns: now_ns - plausible.unwrap_or(0),
            kernel_stamped: plausible.is_some(),
        };
        if let Some(count) = overflow {
            self.kernel_drops += u64::from(count.wrapping_sub(self.last_overflow));
            self.last_overflow = count;
        }
        Ok(datagram)
    }

    #[cfg(not(target_os = "linux"))]
    fn receive_now(&mut self, buffer: &mut [u8], waits: bool) -> io::Result<Datagram> {
        if waits {
            return receive_portably(&self.socket, buffer);
        }
        self.socket.set_nonblocking(true)?;
        let received = receive_portably(&self.socket, buffer);
        self.socket.set_nonblocking(false)?;
        received
    }
}

/// Receive by what every system offers. A datagram that is longer than the
/// buffer is a flag on Unix and the error WSAEMSGSIZE on Windows; socket2 makes
/// a flag of both.
#[cfg(any(test, not(target_os = "linux")))]
fn receive_portably(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Datagram> {
    use socket2::{MaybeUninitSlice, SockRef};
    // SAFETY: `MaybeUninit<u8>` is laid out as `u8`, and socket2 promises to write
    // nothing uninitialised into it.
    let slots = unsafe { slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), buffer.len()) };
    let mut slices = [MaybeUninitSlice::new(slots)];
    let (len, flags, from) = SockRef::from(socket).recv_from_vectored(&mut slices)?;
    let arrival_ns = clock::monotonic_ns();
    let from = from.as_socket().unwrap_or(UNKNOWN_SENDER);
    Ok(Datagram { len, truncated: flags.is_truncated(), from, arrival_ns, kernel_stamped: false })
}

const UNKNOWN_SENDER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

#[cfg(target_os = "linux")]
fn to_std(address: &nix::sys::socket::SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::from((a.ip(), a.port()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UdpReceiver, UdpSocket) {
        let receiver = UdpReceiver::open(&UdpOptions::bind(([127, 0, 0, 1], 0).into())).expect("bind");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("bind");
        sender.connect(receiver.socket().local_addr().expect("bound")).expect("connect");
        (receiver, sender)
    }

    #[test]
    fn arrival_is_stamped_when_it_arrives_and_not_when_it_is_read() {
        let (mut receiver, sender) = pair();
        // Linux turns its stamping on a little after the first socket of the machine asks for it, and a
        // machine that is busy may deliver late: one datagram that is stamped in time shows that it works.
        for attempt in 0..20 {
            let before_ns = clock::monotonic_ns();
            sender.send(b"hello").expect("send");
            let after_ns = clock::monotonic_ns();
            std::thread::sleep(Duration::from_millis(50));
            let mut buffer = [0; 64];
            let got = receiver.receive(&mut buffer, Duration::from_secs(1)).expect("ok").expect("arrived");
            assert_eq!(&buffer[..got.len], b"hello");
            assert_eq!(got.from, sender.local_addr().expect("bound"));
            // Loopback delivers within the send call.
            let in_time = got.arrival_ns > before_ns - 1_000_000 && got.arrival_ns < after_ns + 1_000_000;
            if !cfg!(target_os = "linux") || (got.kernel_stamped && in_time) {
                return;
            }
            println!("attempt {attempt}: {} ns after it was sent", got.arrival_ns - before_ns);
        }
        panic!("no datagram was stamped at its arrival");
    }

    #[test]
    fn nothing_comes_and_the_wait_ends() {
        let (mut receiver, _sender) = pair();
        assert_eq!(receiver.receive(&mut [0; 8], Duration::from_millis(5)).expect("ok"), None);
        assert_eq!(receiver.receive(&mut [0; 8], Duration::ZERO).expect("ok"), None);
    }

    #[test]
    fn a_long_datagram_is_marked_truncated() {
        let (mut receiver, sender) = pair();
        sender.send(&[7; 100]).expect("send");
        let got = receiver.receive(&mut [0; 10], Duration::from_secs(1)).expect("ok").expect("arrived");
        assert_eq!((got.len, got.truncated), (10, true));
    }

    #[test]
    fn what_other_systems_use_says_the_same() {
        let (receiver, sender) = pair();
        sender.send(&[7; 100]).expect("send");
        sender.send(b"fits").expect("send");
        let mut buffer = [0; 10];
        let got = receive_portably(&receiver.socket, &mut buffer).expect("ok");
        assert_eq!((got.len, got.truncated, got.kernel_stamped), (10, true, false));
        assert_eq!((buffer, got.from), ([7; 10], sender.local_addr().expect("bound")));
        let got = receive_portably(&receiver.socket, &mut buffer).expect("ok");
        assert_eq!((&buffer[..got.len], got.truncated), (&b"fits"[..], false));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_kernel_drops_is_counted() {
        let mut options = UdpOptions::bind(([127, 0, 0, 1], 0).into());
        options.receive_buffer_bytes = Some(4096);
        let mut receiver = UdpReceiver::open(&options).expect("bind");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("bind");
        let to = receiver.socket().local_addr().expect("bound");
        let sent = 200u64;
        for _ in 0..sent {
            sender.send_to(&[1; 512], to).expect("send");
        }
        let mut got = 0;
        let mut buffer = [0; 600];
        while receiver.receive(&mut buffer, Duration::from_millis(50)).expect("ok").is_some() {
            got += 1;
        }
        // The counter travels with the next datagram that is received.
        sender.send_to(b"after", to).expect("send");
        got += u64::from(receiver.receive(&mut buffer, Duration::from_secs(1)).expect("ok").is_some());
        assert!(receiver.kernel_drops() > 0);
        assert_eq!(got + receiver.kernel_drops(), sent + 1);
    }

    #[test]
    fn ipv6_loopback_works_where_there_is_one() {
        let Ok(mut receiver) = UdpReceiver::open(&UdpOptions::bind("[::1]:0".parse().expect("address")))
        else {
            return; // no IPv6 on this machine
        };
        let sender = UdpSocket::bind("[::1]:0").expect("bind");
        sender.send_to(b"six", receiver.socket().local_addr().expect("bound")).expect("send");
        let got = receiver.receive(&mut [0; 8], Duration::from_secs(1)).expect("ok").expect("arrived");
        assert_eq!((got.len, got.from.is_ipv6()), (3, true));
    }
}
