//! What the operator is told of the source: waiting, streaming, silent.

use std::net::SocketAddr;
use std::time::Duration;

use lockstep_plugin_api::State;

/// Follows whether data come.
#[derive(Debug)]
pub struct Liveness {
    silence_ns: Option<i64>,
    phase: Phase,
    last_data_ns: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was ever received.
    Waiting,
    /// Only datagrams that cannot be read.
    Unreadable,
    Streaming,
    Silent,
}

/// A state to tell, and why.
pub type News = Option<(State, String)>;

impl Liveness {
    /// Call the device lost after `silence` without data; `None`: never.
    pub fn new(silence: Option<Duration>) -> Self {
        let ns = |silence: Duration| i64::try_from(silence.as_nanos()).unwrap_or(i64::MAX);
        Self { silence_ns: silence.map(ns), phase: Phase::Waiting, last_data_ns: 0 }
    }

    /// Samples arrived.
    pub fn data(&mut self, arrival_ns: i64, from: SocketAddr) -> News {
        self.last_data_ns = self.last_data_ns.max(arrival_ns);
        let before = std::mem::replace(&mut self.phase, Phase::Streaming);
        (before != Phase::Streaming).then(|| (State::Streaming, format!("from {from}")))
    }

    /// A datagram arrived that cannot be read.
    pub fn malformed(&mut self, from: SocketAddr, why: &str) -> News {
        (self.phase == Phase::Waiting).then(|| {
            self.phase = Phase::Unreadable;
            (State::Degraded, format!("datagrams come from {from}, but cannot be read: {why}"))
        })
    }

    /// Time went by.
    pub fn tick(&mut self, now_ns: i64) -> News {
        let silent_ns = now_ns.saturating_sub(self.last_data_ns);
        let lost = self.phase == Phase::Streaming && self.silence_ns.is_some_and(|most| silent_ns >= most);
        lost.then(|| {
            self.phase = Phase::Silent;
            (State::Lost, format!("nothing for {:.1} s", silent_ns as f64 / 1e9))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_change_once_each_and_come_back() {
        let from: SocketAddr = "192.168.1.5:1234".parse().expect("address");
        let mut liveness = Liveness::new(Some(Duration::from_secs(2)));
        let s = 1_000_000_000;
        assert_eq!(liveness.tick(100 * s), None);
        let unreadable = liveness.malformed(from, "length").expect("news");
        assert_eq!(unreadable.0, State::Degraded);
        assert_eq!(liveness.malformed(from, "length"), None);
        let streaming = Some((State::Streaming, "from 192.168.1.5:1234".to_owned()));
        assert_eq!(liveness.data(100 * s, from), streaming);
        assert_eq!(liveness.data(101 * s, from), None);
        assert_eq!(liveness.tick(102 * s), None);
        assert_eq!(liveness.tick(103 * s + s / 10), Some((State::Lost, "nothing for 2.1 s".to_owned())));
        assert_eq!(liveness.tick(104 * s), None);
        assert_eq!(liveness.malformed(from, "length"), None);
        assert_eq!(liveness.data(105 * s, from), streaming);
    }

    #[test]
    fn irregular_streams_are_never_lost() {
        let mut liveness = Liveness::new(None);
        assert!(liveness.data(0, ([127, 0, 0, 1], 1).into()).is_some());
        assert_eq!(liveness.tick(i64::MAX), None);
    }
}
