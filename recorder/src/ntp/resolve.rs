//! Names to addresses. The system's call can take half a minute and cannot be
//! stopped, so it happens on a thread that is left behind when nobody waits
//! for it any more. There is never more than one of a server.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

use crossbeam_channel::{Receiver, bounded};

use super::Server;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// What a name stands for, or why that is not known.
pub type Resolved = Result<Vec<SocketAddr>, String>;

/// Looks up the addresses of one server.
#[derive(Debug)]
pub struct Resolver {
    server: Server,
    /// The answer of the look-up that is going on.
    pending: Option<Receiver<Resolved>>,
}

impl Resolver {
    /// For `server`.
    pub fn new(server: Server) -> Self {
        Self { server, pending: None }
    }

    /// Begin a look-up, unless one is going on; where its answer will come.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn begin(&mut self) -> io::Result<Receiver<Resolved>> {
        if let Some(pending) = &self.pending {
            return Ok(pending.clone());
        }
        let (tell, answer) = bounded(1);
        if let Some(address) = self.server.address() {
            // There is room for it.
            drop(tell.try_send(Ok(vec![address])));
        } else {
            let (host, port) = (self.server.host(), self.server.port());
            std::thread::Builder::new().name("ntp-resolve".to_owned()).spawn(move || {
                // Whoever asked may be gone.
                drop(tell.try_send(look_up(&host, port)));
            })?;
        }
        self.pending = Some(answer.clone());
        Ok(answer)
    }

    /// The answer was taken: the next look-up is a new one.
    pub fn done(&mut self) {
        self.pending = None;
    }
}

fn look_up(host: &str, port: u16) -> Resolved {
    let found = (host, port).to_socket_addrs().map_err(|e| e.to_string())?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.take(MAX_ADDRESSES) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err("the name has no address".to_owned()) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resolve(text: &str) -> Resolved {
        let mut resolver = Resolver::new(Server::parse(text).expect("a server"));
        let answer = resolver.begin().expect("a thread");
        let again = resolver.begin().expect("the same");
        assert!(answer.same_channel(&again), "one look-up at a time");
        answer.recv_timeout(Duration::from_secs(60)).expect("an answer")
    }

    #[test]
    fn addresses_need_no_look_up_and_names_do() {
        assert_eq!(resolve("127.0.0.1:1123"), Ok(vec![([127, 0, 0, 1], 1123).into()]));
        let local = resolve("localhost:1123").expect("every machine has it");
        assert!(local.iter().all(|a| a.ip().is_loopback() && a.port() == 1123), "{local:?}");
    }
}
