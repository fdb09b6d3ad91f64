//! Addresses in options.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lockstep_plugin_api::Error;

/// "IP:PORT" or "PORT", the latter on loopback.
pub fn listen(text: &str) -> Result<SocketAddr, Error> {
    let parsed = match text.parse::<u16>() {
        Ok(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => text.parse().ok(),
    };
    match parsed {
        Some(address) if address.port() == 0 => {
            Err(Error::option("/listen", "port 0 would be a random one; give the port the device sends to"))
        }
        Some(address) => Ok(address),
        None => Err(Error::option(
            "/listen",
            format!(
                "\"{text}\" is not an address and port; give \"127.0.0.1:5005\" (this machine), \
                 \"0.0.0.0:5005\" (all networks) or \"[::1]:5005\" (IPv6)"
            ),
        )),
    }
}

/// Multicast groups, joined on a socket that is bound to `listen`.
pub fn groups(texts: &[String], listen: SocketAddr) -> Result<Vec<IpAddr>, Error> {
    let group = |(index, text): (usize, &String)| {
        let wrong = |message: String| Error::option(format!("/multicast/{index}"), message);
        let ip: IpAddr = text.parse().map_err(|_| {
            wrong(format!("\"{text}\" is not an IP address; give a group without a port, as \"239.1.2.3\""))
        })?;
        if !ip.is_multicast() {
            return Err(wrong(format!(
                "{ip} is not a multicast group (224.0.0.0 to 239.255.255.255, or ff00::/8)"
            )));
        }
        if ip.is_ipv4() != listen.is_ipv4() {
            return Err(wrong(format!(
                "{ip} and the listen address {listen} are not of the same IP version"
            )));
        }
        Ok(ip)
    };
    let groups: Vec<IpAddr> = texts.iter().enumerate().map(group).collect::<Result<_, _>>()?;
    let reached = listen.ip().is_unspecified() || listen.ip().is_multicast();
    if !groups.is_empty() && !reached {
        let all = if listen.is_ipv4() { "0.0.0.0" } else { "[::]" };
        return Err(Error::option(
            "/listen",
            format!(
                "datagrams to a multicast group do not reach {listen}; listen on \"{all}:{}\"",
                listen.port()
            ),
        ));
    }
    Ok(groups)
}

/// Senders that are allowed.
pub fn senders(texts: &[String]) -> Result<Vec<IpAddr>, Error> {
    let sender = |(index, text): (usize, &String)| {
        text.parse::<IpAddr>().map(|ip| ip.to_canonical()).map_err(|_| {
            Error::option(
                format!("/allow_from/{index}"),
                format!("\"{text}\" is not an IP address; give one without a port, as \"192.168.1.20\""),
            )
        })
    };
    texts.iter().enumerate().map(sender).collect()
}

/// Where a device answers exchanges.
pub fn device(text: &str) -> Result<SocketAddr, Error> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 && !address.ip().is_unspecified() => Ok(address),
        _ => Err(Error::option(
            "/exchange/address",
            format!(
                "\"{text}\" is not the IP address and port of a device; give for example \"192.168.1.20:5006\""
            ),
        )),
    }
}
