//! Addresses of the known peers that lsl_api.cfg gives by name.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::net;

/// Names are looked up again so often: machines come and move.
const AGAIN: Duration = Duration::from_secs(30);

/// Addresses that the thread `lsl-names` looks up. A name server may take its time, so nobody waits for it.
#[derive(Debug)]
pub struct Peers(Arc<Mutex<Vec<IpAddr>>>);

impl Peers {
    /// Begin to look up, if there is any name.
    pub fn look_up() -> Self {
        let found = Arc::default();
        let names = &net::area().names;
        if !names.is_empty() {
            let weak = Arc::downgrade(&found);
            // Without the thread only these peers are missing; it ends when nobody wants to know any more.
            drop(std::thread::Builder::new().name("lsl-names".to_owned()).spawn(move || run(names, &weak)));
        }
        Self(found)
    }

    /// What is known by now.
    pub fn known(&self) -> Vec<IpAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn run(names: &[String], wanted: &Weak<Mutex<Vec<IpAddr>>>) {
    let mut known = vec![Vec::new(); names.len()];
    loop {
        for (name, of_name) in names.iter().zip(0..) {
            let addresses = addresses(name);
            let Some(found) = wanted.upgrade() else { return };
            // A name server that does not answer now is no reason to forget.
            if let (Some(known), false) = (known.get_mut(of_name), addresses.is_empty()) {
                *known = addresses;
            }
            *found.lock().unwrap_or_else(PoisonError::into_inner) = known.concat();
        }
        std::thread::sleep(AGAIN);
    }
}

fn addresses(name: &str) -> Vec<IpAddr> {
    (name, 0).to_socket_addrs().map_or_else(|_| Vec::new(), |all| all.map(|at| at.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_knows_has_no_address() {
        assert_eq!(addresses("no such name"), Vec::<IpAddr>::new());
        let found = addresses("localhost");
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
