//! How often a server may be asked. Pure.
//!
//! A server of one's own, in one's own network, is asked as device clocks are: bursts of questions
//! 0.1 s apart, several bursts soon after the start, then one each interval.
//!
//! A public server is shared with millions. RFC 4330, section 10, forbids an interval below 15 s,
//! and the reference implementation answers `RATE`, or nothing, to whoever asks twice within 2 s or
//! on average more often than each 8 s, with some patience at first. So there the questions of a
//! burst are 2 s apart, and bursts at least 64 s, after two at the start.
//!
//! Which it is shows in the address: private, link-local and loopback addresses are one's own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// From one burst to the next, in seconds.
    pub interval_s: f64,
    /// Questions in a burst, at least 1.
    pub probes: u32,
}

/// When the first bursts come, in seconds after the first, for servers of one's own.
const OWN_START_S: &[f64] = &[0.0, 1.0, 2.0, 5.0, 10.0];
/// The same for public servers.
const PUBLIC_START_S: &[f64] = &[0.0, 16.0];
/// Between two questions of a burst.
const OWN_GAP_S: f64 = 0.1;
/// The same for public servers: less is answered with `RATE`, or not at all.
const PUBLIC_GAP_S: f64 = 2.0;
/// Shortest interval for public servers, on which their operators insist.
pub const PUBLIC_INTERVAL_S: f64 = 64.0;
/// Questions of a burst for public servers.
const PUBLIC_PROBES: u32 = 4;
/// Longest interval to which a server can slow us down.
const LONGEST_INTERVAL_S: f64 = 1024.0;
/// Gaps and intervals are varied by up to this part, so that they beat with nothing periodic.
const DITHER: f64 = 0.2;

/// How often one server is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manners {
    public: bool,
    interval_s: f64,
    probes: u32,
    start_s: &'static [f64],
    /// Bursts begun.
    bursts: usize,
    /// When the first burst came.
    first_s: Option<f64>,
}

impl Manners {
    /// How to ask the server at `address`.
    pub fn new(settings: Settings, address: SocketAddr) -> Self {
        let public = !is_own(address.ip());
        let probes = settings.probes.max(1);
        let (interval_s, probes, start_s) = if public {
            (settings.interval_s.max(PUBLIC_INTERVAL_S), probes.min(PUBLIC_PROBES), PUBLIC_START_S)
        } else {
            (settings.interval_s, probes, OWN_START_S)
        };
        Self { public, interval_s, probes, start_s, bursts: 0, first_s: None }
    }

    /// Whether it is someone else's server.
    pub fn public(&self) -> bool {
        self.public
    }

    /// Questions in a burst.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    /// From one burst to the next once the start is over, in seconds.
    pub fn interval_s(&self) -> f64 {
        self.interval_s
    }

    /// Between two questions of a burst, varied by `unit` (0 to 1, at random).
    pub fn gap(&self, unit: f64) -> Duration {
        let gap_s = if self.public { PUBLIC_GAP_S } else { OWN_GAP_S };
        // A public server's gap is a lower limit.
        let vary = if self.public { DITHER * unit } else { DITHER * (2.0 * unit - 1.0) };
        Duration::from_secs_f64((gap_s * (1.0 + vary)).max(0.0))
    }

    /// A burst begins at `now_s` (seconds of any one clock).
    pub fn begin(&mut self, now_s: f64) {
        self.first_s.get_or_insert(now_s);
        self.bursts += 1;
    }

    /// When the burst after that which began at `begun_s` is due, varied by `unit` (0 to 1).
    pub fn next_s(&self, begun_s: f64, unit: f64) -> f64 {
        match (self.start_s.get(self.bursts), self.first_s) {
            (Some(after_s), Some(first_s)) if after_s - (begun_s - first_s) < self.interval_s => {
                first_s + after_s
            }
            _ => begun_s + self.interval_s * (1.0 + DITHER * unit * if self.public { 1.0 } else { 0.5 }),
        }
    }

    /// Questions of the burst at the stop, whose last question was `idle_s` ago, all at once.
    pub fn last_probes(&self, idle_s: f64) -> u32 {
        match self.public {
            false => self.probes,
            true => u32::from(idle_s >= PUBLIC_GAP_S),
        }
    }

    /// It said that it is asked too often: one question a burst, and twice the interval.
    pub fn slow_down(&mut self) {
        self.public = true;
        self.probes = 1;
        self.start_s = &[];
        self.interval_s = (2.0 * self.interval_s).clamp(PUBLIC_INTERVAL_S, LONGEST_INTERVAL_S);
    }
}

/// Whether the address is of this machine or a network of one's own.
fn is_own(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            // 100.64.0.0/10 (RFC 6598) is shared space of providers, as private as the others.
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 0x40;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manners(address: &str, interval_s: f64, probes: u32) -> Manners {
        Manners::new(Settings { interval_s, probes }, address.parse().expect("an address"))
    }

    fn bursts(manners: &mut Manners, count: usize) -> Vec<f64> {
        let mut due_s = 1000.0;
        (0..count)
            .map(|_| {
                let begun_s = due_s;
                manners.begin(begun_s);
                due_s = manners.next_s(begun_s, 0.0);
                begun_s - 1000.0
            })
            .collect()
    }

    #[test]
    fn a_server_of_ones_own_is_asked_often_at_first() {
        let mut own = manners("192.168.1.1:123", 16.0, 4);
        assert_eq!(bursts(&mut own, 7), [0.0, 1.0, 2.0, 5.0, 10.0, 26.0, 42.0]);
        assert_eq!((own.probes(), own.gap(0.5), own.last_probes(0.0)), (4, Duration::from_millis(100), 4));
    }

    #[test]
    fn a_public_server_is_asked_as_its_operators_want() {
        let mut public = manners("203.0.113.5:123", 4.0, 16);
        assert_eq!(bursts(&mut public, 4), [0.0, 16.0, 80.0, 144.0]);
        assert_eq!((public.probes(), public.gap(0.0)), (4, Duration::from_secs(2)));
        assert_eq!((public.last_probes(1.9), public.last_probes(2.0)), (0, 1));
        assert_eq!(manners("[2001:4860:4860::8888]:123", 3600.0, 2).interval_s(), 3600.0);
    }

    #[test]
    fn own_networks_are_known_by_their_addresses() {
        for own in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.9",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_own(own.parse().expect("an address")), "{own}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_own(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn who_is_told_to_slow_down_does_so_and_more_each_time() {
        let mut slowed = manners("127.0.0.1:123", 4.0, 8);
        slowed.begin(0.0);
        slowed.slow_down();
        assert_eq!((slowed.probes(), slowed.interval_s(), slowed.next_s(0.0, 0.0)), (1, 64.0, 64.0));
        slowed.slow_down();
        assert_eq!(slowed.next_s(10.0, 0.0), 138.0);
        (0..20).for_each(|_| slowed.slow_down());
        assert_eq!(slowed.interval_s(), 1024.0);
    }

    proptest! {
        /// The rule of the reference implementation: each question adds 8 s, each second takes one
        /// off, and above 64 s it refuses.
        #[test]
        fn public_servers_are_never_asked_too_often(
            interval_s in 4.0..200.0_f64, probes in 1u32..17, units in proptest::collection::vec(0.0..1.0_f64, 40),
        ) {
            let mut public = manners("203.0.113.5:123", interval_s, probes);
            let (mut due_s, mut last_s, mut leaky_s) = (0.0_f64, f64::NEG_INFINITY, 0.0_f64);
            for unit in units {
                public.begin(due_s);
                let mut at_s = due_s;
                for _ in 0..public.probes() {
                    prop_assert!(at_s - last_s >= 2.0);
                    leaky_s = (leaky_s - (at_s - last_s)).max(0.0) + 8.0;
                    prop_assert!(leaky_s <= 64.0, "{leaky_s}");
                    last_s = at_s;
                    at_s += public.gap(unit).as_secs_f64();
                }
                due_s = public.next_s(due_s, unit);
            }
        }
    }
}
