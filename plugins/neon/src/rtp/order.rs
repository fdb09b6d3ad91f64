//! Packets as they come become packets in their order: each once, with what is missing told.

use std::collections::{BTreeMap, VecDeque, btree_map::Entry};

use super::Packet;

/// The first packets are collected for so long: which of them is the first is known only then.
const COLLECT_NS: i64 = 100_000_000;
/// Packets that wait for one that is missing, at most.
const HELD: usize = 512;
/// A sequence number that is this far from the one expected is no loss: the sender has started anew.
const FAR: i64 = 3_000;
/// Numbers remembered behind the one expected, to tell a packet that comes twice from one that comes late.
const REMEMBERED: i64 = 4_096;

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The next packet, and when it arrived, in nanoseconds of recorder time.
    Packet(Packet, i64),
    /// So many packets never came.
    Lost(u64),
    /// What follows is of a sender that started anew: numbers and time stamps have no relation to those before.
    Restarted,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came.
    pub received: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came before one that was sent before them.
    pub reordered: u64,
    /// Packets that never came, or too late.
    pub lost: u64,
    /// Those of them that came after they had been given up.
    pub late: u64,
}

/// Puts the packets of one sender into their order.
#[derive(Debug)]
pub struct Order {
    /// A packet that is missing is waited for as long.
    wait_ns: i64,
    ssrc: Option<u32>,
    /// Until then the first packets are collected.
    collects_until_ns: Option<i64>,
    /// The number expected next, not wrapped.
    next: i64,
    held: BTreeMap<i64, (Packet, i64)>,
    /// Numbers that were given up, newest last.
    given_up: VecDeque<i64>,
    /// What was counted.
    pub counters: Counters,
}

impl Order {
    /// A packet that is missing is waited for for `wait_ns` nanoseconds.
    pub fn new(wait_ns: i64) -> Self {
        Self {
            wait_ns,
            ssrc: None,
            collects_until_ns: None,
            next: 0,
            held: BTreeMap::new(),
            given_up: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// A packet arrived at `now_ns`. What can be passed on goes to `out`.
    pub fn push(&mut self, packet: Packet, now_ns: i64, out: &mut Vec<Next>) {
        self.counters.received += 1;
        if self.ssrc != Some(packet.ssrc) {
            if self.ssrc.is_some() {
                self.restart(out);
            }
            self.ssrc = Some(packet.ssrc);
            self.begin(&packet, now_ns);
        }
        let mut number = self.number(packet.sequence);
        if (number - self.next).abs() > FAR {
            self.restart(out);
            self.begin(&packet, now_ns);
            number = self.next;
        }
        if number < self.next && self.collects_until_ns.is_none() {
            let given_up = self.given_up.iter().position(|n| *n == number);
            match given_up.and_then(|at| self.given_up.remove(at)) {
                Some(_) => self.counters.late += 1,
                None => self.counters.duplicates += 1,
            }
            return;
        }
        let overtaken = self.held.keys().next_back().is_some_and(|newest| number < *newest);
        match self.held.entry(number) {
            Entry::Occupied(_) => self.counters.duplicates += 1,
            Entry::Vacant(place) => {
                place.insert((packet, now_ns));
                self.counters.reordered += u64::from(overtaken);
            }
        }
        self.pass(now_ns, out);
    }

    /// It is `now_ns`, and nothing came.
    pub fn pass(&mut self, now_ns: i64, out: &mut Vec<Next>) {
        if self.collects_until_ns.is_some_and(|until_ns| now_ns < until_ns) {
            return;
        }
        self.found_first();
        while let Some((&first, &(_, arrived_ns))) = self.held.first_key_value() {
            if first > self.next {
                let waited_ns = now_ns.saturating_sub(arrived_ns);
                if waited_ns < self.wait_ns && self.held.len() < HELD {
                    return;
                }
                self.give_up(first, out);
            }
            if let Some((_, (packet, arrived_ns))) = self.held.pop_first() {
                self.next = first + 1;
                out.push(Next::Packet(packet, arrived_ns));
            }
        }
    }

    /// Whether packets wait for one that is missing.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Nothing more will come of this connection: pass on what is held.
    pub fn end(&mut self, out: &mut Vec<Next>) {
        self.found_first();
        while let Some((&first, _)) = self.held.first_key_value() {
            if first > self.next {
                self.give_up(first, out);
            }
            if let Some((_, (packet, arrived_ns))) = self.held.pop_first() {
                self.next = first + 1;
                out.push(Next::Packet(packet, arrived_ns));
            }
        }
    }

    fn begin(&mut self, packet: &Packet, now_ns: i64) {
        self.next = packet.sequence.into();
        self.collects_until_ns = Some(now_ns.saturating_add(COLLECT_NS));
    }

    /// The first packet is known now.
    fn found_first(&mut self) {
        if self.collects_until_ns.take().is_some()
            && let Some((&first, _)) = self.held.first_key_value()
        {
            self.next = first;
        }
    }

    fn restart(&mut self, out: &mut Vec<Next>) {
        self.end(out);
        self.given_up.clear();
        out.push(Next::Restarted);
    }

    fn give_up(&mut self, first: i64, out: &mut Vec<Next>) {
        let lost = first.saturating_sub(self.next).unsigned_abs();
        self.counters.lost += lost;
        self.given_up.extend(self.next..first);
        while self.given_up.front().is_some_and(|n| *n < first - REMEMBERED) {
            self.given_up.pop_front();
        }
        out.push(Next::Lost(lost));
        self.next = first;
    }

    /// The sequence number without its wrap: the nearest to the one expected.
    fn number(&self, sequence: u16) -> i64 {
        let expected = self.next as u16;
        self.next + i64::from(sequence.wrapping_sub(expected) as i16)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WAIT_NS: i64 = 200_000_000;

    fn packet(sequence: u16) -> Packet {
        Packet { sequence, timestamp: 0, ssrc: 1, marker: false, payload: Vec::new() }
    }

    /// What comes out when packets come 5 ms apart: their numbers; a loss is told as its negative count.
    fn pass(sequences: &[u16]) -> (Vec<i64>, Counters) {
        let (mut order, mut out) = (Order::new(WAIT_NS), Vec::new());
        for (at, &sequence) in (0..).zip(sequences) {
            order.push(packet(sequence), at * 5_000_000, &mut out);
        }
        order.end(&mut out);
        (out.iter().map(told).collect(), order.counters)
    }

    fn told(next: &Next) -> i64 {
        match next {
            Next::Packet(packet, _) => packet.sequence.into(),
            Next::Lost(count) => -(*count as i64),
            Next::Restarted => i64::MIN,
        }
    }

    #[test]
    fn packets_that_overtake_or_come_twice_are_put_right() {
        let (out, counters) = pass(&[7, 9, 8, 8, 10, 10, 12, 11]);
        assert_eq!(out, [7, 8, 9, 10, 11, 12]);
        assert_eq!((counters.reordered, counters.duplicates, counters.lost), (2, 2, 0));
    }

    #[test]
    fn the_first_ones_may_overtake_one_another() {
        let (out, counters) = pass(&[6, 5, 4, 7]);
        assert_eq!((out, counters.reordered, counters.duplicates), (vec![4, 5, 6, 7], 2, 0));
    }

    #[test]
    fn one_that_never_comes_is_waited_for_and_then_lost_and_late_is_not_twice() {
        let mut sequences: Vec<u16> = vec![0, 1, 3];
        sequences.extend(4..60);
        sequences.extend([2, 5]);
        let (out, counters) = pass(&sequences);
        assert_eq!(out[..4], [0, 1, -1, 3]);
        assert_eq!(out.len(), 60);
        assert_eq!((counters.lost, counters.late, counters.duplicates), (1, 1, 1));
    }

    #[test]
    fn nothing_is_held_for_longer_when_nothing_comes_any_more() {
        let (mut order, mut out) = (Order::new(WAIT_NS), Vec::new());
        order.push(packet(1), 0, &mut out);
        order.push(packet(3), 1, &mut out);
        order.pass(99_000_000, &mut out);
        assert_eq!(out.len(), 0, "the first ones are collected");
        order.pass(101_000_000, &mut out);
        assert_eq!(out.len(), 1);
        order.pass(300_000_000, &mut out);
        assert_eq!(out.iter().map(told).collect::<Vec<_>>(), [1, -1, 3]);
    }

    #[test]
    fn the_number_wraps_and_a_sender_that_starts_anew_is_no_loss() {
        let (out, counters) = pass(&[65_534, 0, 65_535, 1]);
        assert_eq!((out, counters.lost), (vec![65_534, 65_535, 0, 1], 0));
        let (out, counters) = pass(&[10, 11, 30_000, 30_001]);
        assert_eq!((out, counters.lost), (vec![10, 11, i64::MIN, 30_000, 30_001], 0));
        let (mut order, mut out) = (Order::new(WAIT_NS), Vec::new());
        order.push(packet(5), 0, &mut out);
        order.push(Packet { ssrc: 2, ..packet(6) }, 0, &mut out);
        order.end(&mut out);
        assert_eq!(out.iter().map(told).collect::<Vec<_>>(), [5, i64::MIN, 6]);
    }

    proptest! {
        /// Whatever is lost, doubled and swapped: what comes out rises, each once, and losses add up.
        #[test]
        fn order_holds(drops in proptest::collection::vec(0u8..10, 300), first in any::<u16>()) {
            let mut sequences: Vec<u16> = Vec::new();
            for (n, what) in (0u16..).zip(&drops) {
                let sequence = first.wrapping_add(n);
                match what {
                    0 => {}
                    1 => sequences.extend([sequence, sequence]),
                    2 if sequences.len() > 1 => sequences.insert(sequences.len() - 1, sequence),
                    _ => sequences.push(sequence),
                }
            }
            prop_assume!(!sequences.is_empty());
            let (mut order, mut out) = (Order::new(WAIT_NS), Vec::new());
            for (at, &sequence) in (0..).zip(&sequences) {
                order.push(packet(sequence), at * 5_000_000, &mut out);
            }
            order.end(&mut out);
            let kept: Vec<u16> =
                out.iter().filter_map(|n| match n { Next::Packet(p, _) => Some(p.sequence), _ => None }).collect();
            let lost: u64 = out.iter().map(|n| if let Next::Lost(n) = n { *n } else { 0 }).sum();
            let offsets: Vec<u16> = kept.iter().map(|s| s.wrapping_sub(kept[0])).collect();
            prop_assert!(offsets.windows(2).all(|w| w[0] < w[1]));
            prop_assert_eq!(u64::from(offsets[offsets.len() - 1]) + 1, kept.len() as u64 + lost);
        }
    }
}
