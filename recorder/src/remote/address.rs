//! Where commands come in: what `--remote` takes.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// What `--remote` takes, in words.
pub const ACCEPTED: &str = "ADDRESS:PORT, ADDRESS or PORT, as \"127.0.0.1:22345\", \"0.0.0.0\" or \"22345\"";

/// An address and a port, each where it was given; the configuration has the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteAddress {
    /// Address of this machine.
    pub bind: Option<IpAddr>,
    /// TCP port; 0: any.
    pub port: Option<u16>,
}

impl FromStr for RemoteAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { bind: Some(address.ip()), port: Some(address.port()) });
        }
        if let Ok(port) = text.parse::<u16>() {
            return Ok(Self { bind: None, port: Some(port) });
        }
        let plain = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        match plain.parse::<IpAddr>() {
            Ok(bind) => Ok(Self { bind: Some(bind), port: None }),
            Err(_) => Err(format!(
                "write {ACCEPTED}; for the address in the configuration, put --remote behind the name of the file"
            )),
        }
    }
}

impl RemoteAddress {
    /// The overrides of the configuration that it stands for.
    pub fn overrides(&self) -> Vec<String> {
        let mut overrides = vec!["remote.enabled=true".to_owned()];
        overrides.extend(self.bind.map(|bind| format!("remote.bind={bind}")));
        overrides.extend(self.port.map(|port| format!("remote.port={port}")));
        overrides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_port_both_or_none() {
        let overrides =
            |text: &str| text.parse::<RemoteAddress>().map(|address| address.overrides()[1..].join(" "));
        assert_eq!(overrides("").as_deref(), Ok(""));
        assert_eq!(overrides("22345").as_deref(), Ok("remote.port=22345"));
        assert_eq!(overrides("0.0.0.0").as_deref(), Ok("remote.bind=0.0.0.0"));
        assert_eq!(overrides("10.0.0.7:0").as_deref(), Ok("remote.bind=10.0.0.7 remote.port=0"));
        assert_eq!(overrides("[::1]:7000").as_deref(), Ok("remote.bind=::1 remote.port=7000"));
        assert_eq!(overrides("[::1]").as_deref(), Ok("remote.bind=::1"));
        for wrong in ["grip.toml", "localhost:7000", "1.2.3:4", "70000", "127.0.0.1:"] {
            assert!(overrides(wrong).is_err(), "{wrong}");
        }
    }
}
