//! Where the phone is: by mDNS, unless that is said.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use lockstep_plugin_api::Stop;
use mdns_sd::{ServiceDaemon, ServiceEvent};

use crate::options::Options;
use crate::phone::Status;
use crate::rest;

/// What phones announce themselves as.
const SERVICE: &str = "_http._tcp.local.";
/// How the name of a phone's announcement begins; Neon's as well.
const PREFIX: &str = "PI monitor";
/// Once one is found, others are waited for as long, so that two are noticed.
const OTHERS: Duration = Duration::from_millis(500);
/// How long the network is searched for somebody who waits for it.
const SEARCH: Duration = Duration::from_secs(10);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A phone on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// As its owner calls it.
    pub name: String,
    /// Where its interface is.
    pub at: SocketAddr,
}

/// The name of the phone that announces itself so; `None`: it is something else.
fn phone_name(announced: &str) -> Option<&str> {
    let mut parts = announced.strip_suffix(SERVICE)?.trim_end_matches('.').split(':');
    (parts.next()? == PREFIX).then_some(())?;
    parts.next()
}

/// Look for phones for `how_long`, and a little longer when one is found.
///
/// # Errors
/// The network cannot be asked, in words.
pub fn phones(how_long: Duration, stop: &Stop) -> Result<Vec<Phone>, String> {
    let daemon = ServiceDaemon::new().map_err(|error| format!("cannot look for phones (mDNS): {error}"))?;
    let answers =
        daemon.browse(SERVICE).map_err(|error| format!("cannot look for phones (mDNS): {error}"))?;
    let mut found: Vec<(String, Phone)> = Vec::new();
    let mut until = Instant::now() + how_long;
    while Instant::now() < until && !stop.is_set() {
        let Ok(ServiceEvent::ServiceResolved(service)) = answers.recv_timeout(LOOK) else { continue };
        let addresses = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr);
        let address = addresses.min_by_key(IpAddr::is_ipv6);
        if let (Some(name), Some(ip)) = (phone_name(&service.fullname), address) {
            // It is told again for each network the phone is in; by IPv4 where that can be.
            let phone = Phone { name: name.to_owned(), at: SocketAddr::new(ip, service.port) };
            match found.iter_mut().find(|(fullname, _)| *fullname == service.fullname) {
                Some((_, known)) if known.at.is_ipv6() => *known = phone,
                Some(_) => {}
                None => found.push((service.fullname.clone(), phone)),
            }
            until = until.min(Instant::now() + OTHERS);
        }
    }
    // The thread of the daemon ends by itself when it was told to.
    drop(daemon.shutdown());
    let mut found: Vec<Phone> = found.into_iter().map(|(_, phone)| phone).collect();
    found.sort_by(|a, b| (&a.name, a.at).cmp(&(&b.name, b.at)));
    Ok(found)
}

/// The one of `phones` that is called `wanted` (any: `""`).
///
/// # Errors
/// None, or several, in words.
pub fn choose(phones: &[Phone], wanted: &str) -> Result<Phone, String> {
    let fits: Vec<&Phone> = phones.iter().filter(|p| wanted.is_empty() || p.name == wanted).collect();
    let names: Vec<&str> = phones.iter().map(|phone| phone.name.as_str()).collect();
    match fits[..] {
        [phone] => Ok(phone.clone()),
        [] if phones.is_empty() => Err(
            "no phone is on the network; is its app open, and is this its network? If so, give its address, \
                 which the app shows"
                .to_owned(),
        ),
        [] => Err(format!("{wanted} is not on the network, but {}", names.join(", "))),
        _ => Err(format!(
            "several phones are on the network: {}; say which by its name (`device`)",
            names.join(", ")
        )),
    }
}

/// The phone at `address`, or of the name `device`, or the only one on the network: where it is and what it says of
/// itself.
///
/// # Errors
/// It is not found, in words.
pub fn known(address: &str, device: &str) -> Result<(SocketAddr, Status), String> {
    let options = Options { address: address.to_owned(), device: device.to_owned(), ..Options::default() };
    options.check().map_err(|error| error.to_string())?;
    let at = match options.host_and_port() {
        Some((host, port)) => resolve(&host, port)?,
        None => choose(&phones(SEARCH, &Stop::new())?, device)?.at,
    };
    let mut known = Status::default();
    let text = rest::status(at, PATIENCE)
        .map_err(|why| format!("{at} does not answer ({why}); is the Companion app open?"))?;
    known.take_all(&text).map_err(|why| format!("{at}: {why}"))?;
    Ok((at, known))
}

/// The address of `host`.
///
/// # Errors
/// It has none, in words.
pub fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    addresses.next().ok_or_else(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(name: &str) -> Phone {
        Phone { name: name.to_owned(), at: ([10, 0, 0, 7], 8080).into() }
    }

    #[test]
    fn phones_are_known_by_how_they_announce_themselves() {
        assert_eq!(phone_name("PI monitor:Neon A:4f3a._http._tcp.local."), Some("Neon A"));
        assert_eq!(phone_name("Printer:Neon A:4f3a._http._tcp.local."), None);
        assert_eq!(phone_name("PI monitor:Neon A:4f3a._ipp._tcp.local."), None);
        assert_eq!(phone_name("PI monitor._http._tcp.local."), None);
    }

    #[test]
    fn one_is_chosen_and_more_or_none_are_told() {
        let both = [phone("A"), phone("B")];
        assert_eq!(choose(&both, "B"), Ok(phone("B")));
        assert_eq!(choose(&both[..1], ""), Ok(phone("A")));
        assert!(choose(&both, "").unwrap_err().contains("A, B; say which"));
        assert_eq!(choose(&both, "C").unwrap_err(), "C is not on the network, but A, B");
        assert!(choose(&[], "").unwrap_err().contains("give its address"));
    }
}
