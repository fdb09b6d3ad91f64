//! One TCP connection to an outlet, which never waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

/// A peer that is gone without a word is noticed after this time without data, and three questions.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// How many of them.
#[cfg(not(windows))]
const KEEPALIVE_RETRIES: u32 = 3;

/// One TCP connection: sends a request, then only receives.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
    sent: usize,
    /// When it was opened.
    pub opened: Instant,
    /// When bytes last came; before, when it was opened.
    pub received: Instant,
    /// There may be something to read.
    pub readable: bool,
    /// The peer will send no more than what is there.
    pub ended: bool,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing more for now.
    Nothing,
    /// The peer has ended the connection.
    End,
}

impl Connection {
    /// Begin to connect.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(at: SocketAddr, request: Vec<u8>, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = TcpStream::connect(at)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
        #[cfg(not(windows))]
        let keepalive = keepalive.with_retries(KEEPALIVE_RETRIES);
        // Without it an outlet whose cable was pulled is found to be gone later.
        drop(SockRef::from(&socket).set_tcp_keepalive(&keepalive));
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let now = Instant::now();
        Ok(Self { socket, request, sent: 0, opened: now, received: now, readable: false, ended: false })
    }

    /// Stop watching it, before another connection takes its token.
    pub fn close(mut self, registry: &Registry) {
        drop(registry.deregister(&mut self.socket));
    }

    /// The system says that it can be written to.
    ///
    /// # Errors
    /// It could not connect, or lost the connection.
    pub fn writable(&mut self) -> io::Result<()> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        while let Some(rest) = self.request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(e) if is_no_news(&e) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Read into `buffer`. What comes short of it is all there is for now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        loop {
            return match self.socket.read(buffer) {
                Ok(0) => Ok(Got::End),
                Ok(count) => {
                    // The end of the connection is news of its own only when it comes after these bytes.
                    self.readable = count == buffer.len() || self.ended;
                    self.received = Instant::now();
                    Ok(Got::Bytes(count))
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if is_no_news(&e) => {
                    self.readable = false;
                    Ok(Got::Nothing)
                }
                Err(e) => Err(e),
            };
        }
    }
}

fn is_no_news(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted)
}
