//! A stream as the network announces it.

use std::net::SocketAddr;

use lockstep_plugin_api::Format;

/// What an outlet says of its stream to everybody.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Name.
    pub name: String,
    /// Content type.
    pub kind: String,
    /// Channels.
    pub channel_count: usize,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// Format of its values.
    pub format: Format,
    /// Identifies the device across restarts; may be empty.
    pub source_id: String,
    /// Identifies this outlet, until it ends.
    pub uid: String,
    /// LSL's session.
    pub session_id: String,
    /// Name of the machine.
    pub hostname: String,
    /// When it was made, in seconds of its own clock.
    pub created_at_s: f64,
    /// Where its data are, if it says so.
    pub data: Option<SocketAddr>,
    /// Where its time service is, if it says so.
    pub time_service: Option<SocketAddr>,
    /// Where it can be reached as well: data and time service.
    pub elsewhere: Vec<(Option<SocketAddr>, Option<SocketAddr>)>,
}

/// Places of one outlet that are kept at the most.
const PLACES: usize = 16;

impl Found {
    /// It answered from another place, too. It is reached by IPv4 where that can be, as liblsl does it, and
    /// otherwise where it answered first.
    pub fn also_at(&mut self, other: &Self) {
        let (mine, theirs) = (self.place(), other.place());
        if mine == theirs || self.elsewhere.contains(&theirs) || self.elsewhere.len() >= PLACES {
            return;
        }
        let by_v4 = |found: &Self| found.data.is_some_and(|at| at.is_ipv4());
        if by_v4(other) && !by_v4(self) {
            (self.data, self.time_service) = theirs;
            self.elsewhere.push(mine);
        } else {
            self.elsewhere.push(theirs);
        }
    }

    /// It has answered again, as `newer` says: it stays where it is reached now if it can.
    pub fn stay_or_move(&mut self, newer: &Self) {
        if self.place() != newer.place() && !newer.elsewhere.contains(&self.place()) {
            (self.data, self.time_service) = newer.place();
        }
    }

    fn place(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        (self.data, self.time_service)
    }

    /// Whether `other` is the same stream, sent by another outlet: after a restart, say.
    pub fn continues(&self, other: &Self) -> bool {
        !self.source_id.is_empty()
            && self.source_id == other.source_id
            && self.name == other.name
            && self.kind == other.kind
            && self.channel_count == other.channel_count
            && self.format == other.format
            && self.nominal_rate_hz.to_bits() == other.nominal_rate_hz.to_bits()
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.hostname)
    }
}

/// For tests: a stream of this machine.
#[cfg(test)]
pub(crate) fn sample(name: &str, kind: &str) -> Found {
    Found {
        name: name.to_owned(),
        kind: kind.to_owned(),
        channel_count: 8,
        nominal_rate_hz: 250.0,
        format: Format::Float32,
        source_id: format!("{name}-1"),
        uid: format!("uid-{name}"),
        session_id: "default".to_owned(),
        hostname: "lab-pc".to_owned(),
        created_at_s: 12.5,
        data: Some(([127, 0, 0, 1], 16572).into()),
        time_service: Some(([127, 0, 0, 1], 16573).into()),
        elsewhere: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: [u8; 4]) -> Found {
        Found { data: Some((ip, 16572).into()), time_service: Some((ip, 16573).into()), ..sample("x", "EEG") }
    }

    #[test]
    fn an_outlet_with_two_addresses_stays_at_one() {
        let mut found = at([10, 0, 0, 1]);
        found.also_at(&at([10, 0, 1, 1]));
        let mut other_way = at([10, 0, 1, 1]);
        other_way.also_at(&at([10, 0, 0, 1]));
        other_way.also_at(&at([10, 0, 0, 1]));
        assert_eq!(other_way.elsewhere.len(), 1);
        found.stay_or_move(&other_way);
        assert_eq!(found.data, at([10, 0, 0, 1]).data);
        found.stay_or_move(&at([10, 0, 1, 1]));
        assert_eq!(found.data, at([10, 0, 1, 1]).data, "the first one is gone");
    }
}
