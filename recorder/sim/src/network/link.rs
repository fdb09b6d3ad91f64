//! Kinds of network between a recorder and a device: how long a packet takes, each way.
//!
//! Every figure is a **choice**, made from how such links work; none was measured. "Each way" is
//! the same law in both directions, with draws of their own; a state such as "busy" is shared.
//! `exp m` is an exponential of mean m, `U(a, b)` uniform; "per run" is drawn once for a seed.
//!
//! | Kind | Delay of a packet |
//! |---|---|
//! | `lan` | each way 100 us + exp 30 us; 0.5 % also exp 2 ms |
//! | `usb` | each way 125 us + U(0, 125) us (a microframe) + exp 60 us; 1 % also exp 3 ms |
//! | `wifi` | each way 0.9 ms + exp 0.8 ms; busy 20 % of the time (6 s on average): also exp 25 ms, and for 5 % a lognormal of median 60 ms; 30 % of the packets to the device wait U(0, 102) ms for its radio; 2 to 10 % of round trips lost, per run |
//! | `wifi_asym` | `wifi`, and 1 ms more to the device |
//! | `gamma` | each way 200 us + gamma of shape U(2, 3.5) and mean U(0.4, 1) ms per run: few packets come near the minimum |
//! | `weibull` | each way 1.2 ms + Weibull of shape 0.7 and scale U(2, 5) ms per run |
//! | `bimodal` | each way 0.8 ms + exp 80 us; 40 % take a way that is U(1.5, 4) ms longer, exp 0.3 ms |
//! | `roam` | each way 0.8 ms + exp 0.2 ms + 0 to 5 ms that depend on the place; a place lasts 400 s on average, and its two ways differ by up to 30 % |
//! | `oneway` | each way 0.5 ms + exp 60 us; from the device 40 % of the time (90 s on average) also 4 ms + exp 8 ms |
//! | `queue` | each way 0.6 ms + exp 0.1 ms and a queue that never empties and changes within 5 s: to the device 0.5 ms + a lognormal of median U(0.3, 1) ms, from it three times that, per run |
//! | `usb1k` | asked and answered at the next frame of a grid of 1 ms + 60 us + exp 10 us, the answer needs 30 us + exp 15 us; so the answer always waits almost a frame |
//! | `ble` | the same on a grid of connection intervals, U(7.5, 30) ms in steps of 1.25 ms per run; 400 us + exp 20 us, the answer needs 300 us + exp 100 us; 6 % miss an interval |
//! | `late` | `lan`, stamped late by the host: 15 % of the time (4 s on average) the departure is exp 3 ms before the packet leaves and the arrival 5 ms + exp 15 ms late; else 2 % by exp 1 ms |
//! | `lossy` | `wifi` without waits for the radio, 30 to 60 % of round trips lost, per run |

use super::tail::Tail;
use super::weather::{Levels, OnOff, Queue};
use crate::rng::Draws;

/// A kind of network. The table is at the top of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// A quiet wired network.
    Lan,
    /// A USB cable at high speed.
    Usb,
    /// A busy wireless network.
    Wifi,
    /// The same with 1 ms more to the device.
    WifiAsym,
    /// Delays with a soft edge.
    Gamma,
    /// Delays with a sharp edge and a long tail.
    Weibull,
    /// Two routes.
    Bimodal,
    /// Minimum delays that change.
    Roam,
    /// Load in one direction.
    Oneway,
    /// A queue that never empties.
    Queue,
    /// A USB cable at full speed, polled each millisecond.
    Usb1k,
    /// Bluetooth Low Energy.
    Ble,
    /// A host that stamps late.
    Late,
    /// Heavy loss.
    Lossy,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the recorder to the device.
    ToDevice,
    /// From the device to the recorder.
    ToHost,
}

impl PathKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Lan,
        Self::Usb,
        Self::Wifi,
        Self::WifiAsym,
        Self::Gamma,
        Self::Weibull,
        Self::Bimodal,
        Self::Roam,
        Self::Oneway,
        Self::Queue,
        Self::Usb1k,
        Self::Ble,
        Self::Late,
        Self::Lossy,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Usb => "usb",
            Self::Wifi => "wifi",
            Self::WifiAsym => "wifi_asym",
            Self::Gamma => "gamma",
            Self::Weibull => "weibull",
            Self::Bimodal => "bimodal",
            Self::Roam => "roam",
            Self::Oneway => "oneway",
            Self::Queue => "queue",
            Self::Usb1k => "usb1k",
            Self::Ble => "ble",
            Self::Late => "late",
            Self::Lossy => "lossy",
        }
    }

    /// True when the shortest delays of both directions are equal, so that exchanges can show the
    /// true offset.
    pub const fn is_symmetric(self) -> bool {
        !matches!(self, Self::WifiAsym | Self::Queue | Self::Usb1k | Self::Ble)
    }
}

/// One direction of a network. Pure: it is told every send time, in any order.
#[derive(Debug, Clone)]
pub struct Link {
    direction: Direction,
    draws: Draws,
    min_s: f64,
    /// Width of a uniform delay.
    uniform_s: f64,
    tail: Tail,
    /// Probability and mean of a rare, long delay.
    hiccup: (f64, f64),
    loss: f64,
    /// Probability of a wait for the device's radio.
    power_save: f64,
    busy: Option<Busy>,
    levels: Option<Levels>,
    queue: Option<Queue>,
    poll: Option<Poll>,
}

/// What is added while the network, or the host, is busy.
#[derive(Debug, Clone)]
struct Busy {
    when: OnOff,
    least_s: f64,
    mean_s: f64,
    /// Probability and median of a lognormal besides.
    spike: (f64, f64),
}

/// A link that moves packets at the points of a grid only.
#[derive(Debug, Clone, Copy)]
struct Poll {
    interval_s: f64,
    phase_s: f64,
    /// What must have happened to be in time for a point: least and mean tail.
    ready_s: (f64, f64),
    /// Probability that a packet has to wait for one more point.
    missed: f64,
}

impl Link {
    /// One direction of a network of this kind. Both directions of one network take the same seed.
    pub fn new(kind: PathKind, direction: Direction, seed: u64, horizon_s: f64) -> Self {
        let to_device = direction == Direction::ToDevice;
        let purpose = if to_device { "link/to device" } else { "link/to host" };
        let mut link = Self {
            direction,
            draws: Draws::new(seed, purpose),
            min_s: 100e-6,
            uniform_s: 0.0,
            tail: Tail::Exponential(30e-6),
            hiccup: (0.0, 0.0),
            loss: 0.0,
            power_save: 0.0,
            busy: None,
            levels: None,
            queue: None,
            poll: None,
        };
        // Drawn by both directions alike: what is drawn once per run, and shared states.
        let shared = &mut Draws::new(seed, "link/shared");
        match kind {
            PathKind::Lan => link.hiccup = (0.005, 2e-3),
            PathKind::Usb => {
                (link.min_s, link.uniform_s) = (125e-6, 125e-6);
                link.tail = Tail::Exponential(60e-6);
                link.hiccup = (0.01, 3e-3);
            }
            PathKind::Wifi | PathKind::WifiAsym | PathKind::Lossy => {
                link.wifi(kind, horizon_s, shared);
            }
            PathKind::Gamma => {
                link.min_s = 200e-6;
                let shape = shared.within(2.0, 3.5);
                let mean_s = shared.within(0.4e-3, 1e-3);
                link.tail = Tail::Gamma { shape, scale_s: mean_s / shape };
            }
            PathKind::Weibull => {
                link.min_s = 1.2e-3;
                link.tail = Tail::Weibull { shape: 0.7, scale_s: shared.within(2e-3, 5e-3) };
            }
            PathKind::Bimodal => {
                link.min_s = 0.8e-3;
                let apart_s = shared.within(1.5e-3, 4e-3);
                link.tail = Tail::Bimodal { first_s: 80e-6, second: 0.4, apart_s, second_s: 0.3e-3 };
            }
            PathKind::Roam => {
                (link.min_s, link.tail) = (0.8e-3, Tail::Exponential(0.2e-3));
                link.levels = Some(Levels::new(400.0, 5e-3, horizon_s, shared));
            }
            PathKind::Oneway => {
                (link.min_s, link.tail) = (0.5e-3, Tail::Exponential(60e-6));
                let when = OnOff::new(90.0, 135.0, horizon_s, shared);
                if !to_device {
                    link.busy = Some(Busy { when, least_s: 4e-3, mean_s: 8e-3, spike: (0.0, 0.0) });
                }
            }
            PathKind::Queue => {
                (link.min_s, link.tail) = (0.6e-3, Tail::Exponential(0.1e-3));
                let median_s = shared.within(0.3e-3, 1e-3);
                let times = if to_device { 1.0 } else { 3.0 };
                // Draws of its own, for the two queues have nothing to do with each other.
                let mut draws = Draws::new(seed, if to_device { "queue/to device" } else { "queue/to host" });
                link.queue = Some(Queue::new(times * 0.5e-3, times * median_s, 5.0, horizon_s, &mut draws));
            }
            PathKind::Usb1k => {
                (link.min_s, link.tail) = (60e-6, Tail::Exponential(10e-6));
                link.polled(1e-3, (30e-6, 15e-6), 0.0, shared);
            }
            PathKind::Ble => {
                (link.min_s, link.tail) = (400e-6, Tail::Exponential(20e-6));
                let steps = shared.within(6.0, 25.0).floor().min(24.0);
                link.polled(steps * 1.25e-3, (300e-6, 100e-6), 0.06, shared);
            }
            PathKind::Late => {
                link.hiccup = (0.02, 1e-3);
                let when = OnOff::new(4.0, 23.0, horizon_s, shared);
                let (least_s, mean_s) = if to_device { (0.0, 3e-3) } else { (5e-3, 15e-3) };
                link.busy = Some(Busy { when, least_s, mean_s, spike: (0.0, 0.0) });
            }
        }
        link
    }

    fn wifi(&mut self, kind: PathKind, horizon_s: f64, shared: &mut Draws) {
        let to_device = self.direction == Direction::ToDevice;
        (self.min_s, self.tail) = (0.9e-3, Tail::Exponential(0.8e-3));
        let (least, most) = if kind == PathKind::Lossy { (0.3, 0.6) } else { (0.02, 0.1) };
        // Half of the round trip's loss on each way.
        self.loss = 1.0 - (1.0 - shared.within(least, most)).sqrt();
        let when = OnOff::new(6.0, 24.0, horizon_s, shared);
        self.busy = Some(Busy { when, least_s: 0.0, mean_s: 25e-3, spike: (0.05, 60e-3) });
        if to_device && kind != PathKind::Lossy {
            self.power_save = 0.3;
        }
        if to_device && kind == PathKind::WifiAsym {
            self.min_s += 1e-3;
        }
    }

    /// A grid whose own clock is up to 30 ppm off the host's.
    fn polled(&mut self, interval_s: f64, answer_s: (f64, f64), missed: f64, shared: &mut Draws) {
        let interval_s = interval_s * (1.0 + shared.within(-30e-6, 30e-6));
        let phase_s = interval_s * shared.unit();
        let ready_s = if self.direction == Direction::ToHost { answer_s } else { (0.0, 0.0) };
        self.poll = Some(Poll { interval_s, phase_s, ready_s, missed });
    }

    /// The same network with other luck for each packet.
    pub(super) fn with_luck(mut self, seed: u64) -> Self {
        self.draws = Draws::new(seed, "link/luck");
        self
    }

    /// The shortest delay possible, in seconds; `None` where it depends on a grid or a queue.
    pub fn min_delay_s(&self) -> Option<f64> {
        let least_s = self.levels.as_ref().map_or(0.0, |levels| levels.least_s(self.direction as usize));
        (self.poll.is_none() && self.queue.is_none()).then_some(self.min_s + least_s)
    }

    /// Delay in seconds of a packet that is sent at `elapsed_s`, by any clock that counts seconds; `None` when it is lost.
    pub fn send(&mut self, elapsed_s: f64) -> Option<f64> {
        if self.draws.chance(self.loss) {
            return None;
        }
        let mut delay_s = self.wait_for_poll(elapsed_s);
        delay_s += self.min_s + self.uniform_s * self.draws.unit() + self.tail.draw(&mut self.draws);
        if self.draws.chance(self.hiccup.0) {
            delay_s += self.draws.exponential(self.hiccup.1);
        }
        if self.draws.chance(self.power_save) {
            delay_s += 0.102 * self.draws.unit();
        }
        if let Some(busy) = self.busy.as_ref().filter(|busy| busy.when.on(elapsed_s)) {
            delay_s += busy.least_s + self.draws.exponential(busy.mean_s);
            if self.draws.chance(busy.spike.0) {
                delay_s += busy.spike.1 * (0.7 * self.draws.normal()).exp();
            }
        }
        if let Some(levels) = &self.levels {
            delay_s += levels.added_s(elapsed_s, self.direction as usize);
        }
        if let Some(queue) = &self.queue {
            delay_s += queue.wait_s(elapsed_s);
        }
        Some(delay_s)
    }

    /// Time until the packet is picked up at a point of the grid.
    fn wait_for_poll(&mut self, elapsed_s: f64) -> f64 {
        let Some(poll) = self.poll else {
            return 0.0;
        };
        let ready_s = elapsed_s + poll.ready_s.0 + self.draws.exponential(poll.ready_s.1);
        let mut point = ((ready_s - poll.phase_s) / poll.interval_s).ceil();
        if self.draws.chance(poll.missed) {
            point += 1.0;
        }
        (point * poll.interval_s + poll.phase_s - elapsed_s).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(kind: PathKind, direction: Direction, seed: u64) -> Vec<f64> {
        let mut link = Link::new(kind, direction, seed, 4000.0);
        (0..40_000).filter_map(|index| link.send(f64::from(index) * 0.1003)).collect()
    }

    fn least(all: &[f64]) -> f64 {
        all.iter().copied().fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn no_packet_is_faster_than_the_minimum_and_one_comes_near() {
        for kind in PathKind::ALL {
            for direction in [Direction::ToDevice, Direction::ToHost] {
                let all = delays(kind, direction, 4);
                assert!(all.iter().all(|delay| delay.is_finite() && *delay > 0.0));
                let Some(min_s) = Link::new(kind, direction, 4, 4000.0).min_delay_s() else {
                    continue;
                };
                let near_s = if kind == PathKind::Gamma { 60e-6 } else { 10e-6 };
                let got_s = least(&all);
                assert!(got_s >= min_s && got_s < min_s + near_s, "{kind:?} {direction:?}: {got_s}");
            }
        }
    }

    #[test]
    fn minimum_delays_are_equal_just_where_a_kind_says_so() {
        for kind in PathKind::ALL {
            let mut there = Link::new(kind, Direction::ToDevice, 9, 4000.0);
            let mut back = Link::new(kind, Direction::ToHost, 9, 4000.0);
            let mut least_s = (f64::INFINITY, f64::INFINITY);
            for index in 0..40_000 {
                let at_s = f64::from(index) * 0.1003;
                let Some(there_s) = there.send(at_s) else { continue };
                let Some(back_s) = back.send(at_s + there_s) else { continue };
                least_s = (least_s.0.min(there_s), least_s.1.min(back_s));
            }
            let apart_s = (least_s.0 - least_s.1).abs();
            assert_eq!(apart_s < 100e-6, kind.is_symmetric(), "{kind:?}: {least_s:?}");
        }
    }

    #[test]
    fn losses_have_their_shares() {
        let share = |kind| {
            let both: f64 = (0..20)
                .map(|seed| {
                    let kept = |d| delays(kind, d, seed).len() as f64 / 40_000.0;
                    1.0 - kept(Direction::ToDevice) * kept(Direction::ToHost)
                })
                .sum();
            both / 20.0
        };
        assert_eq!(share(PathKind::Lan), 0.0);
        assert!((share(PathKind::Wifi) - 0.06).abs() < 0.02);
        assert!((share(PathKind::Lossy) - 0.45).abs() < 0.08);
    }

    #[test]
    fn a_polled_answer_waits_almost_a_frame() {
        let all = delays(PathKind::Usb1k, Direction::ToDevice, 1);
        let mean_s = all.iter().sum::<f64>() / all.len() as f64;
        assert!((mean_s - 570e-6).abs() < 20e-6, "half a frame and 70 us: {mean_s}");
    }

    #[test]
    fn both_directions_are_busy_together() {
        let mut there = Link::new(PathKind::Wifi, Direction::ToDevice, 5, 4000.0);
        let mut back = Link::new(PathKind::Wifi, Direction::ToHost, 5, 4000.0);
        there.power_save = 0.0;
        let (mut both, mut one) = (0, 0);
        for index in 0..20_000 {
            let at_s = f64::from(index) * 0.2;
            if let (Some(a), Some(b)) = (there.send(at_s), back.send(at_s)) {
                both += usize::from(a > 0.012 && b > 0.012);
                one += usize::from((a > 0.012) != (b > 0.012));
            }
        }
        assert!(both > 1000 && one < 2 * both, "{both} {one}");
    }
}
