//! Sequence numbers: putting datagrams back in order, and telling lost from late from repeated.
//!
//! Pure: time comes in with each call. A datagram carries a run of consecutive numbers (one per
//! sample, or one for itself). One that is ahead of what is expected is held until the missing ones
//! come, at most [`Limits::window_ns`] long and [`Limits::held`] many; then what is missing is
//! declared lost. Whatever was delivered is never delivered again, and order is never broken.
//!
//! Numbers far from what is expected are not believed at once (RFC 3550, appendix A.1, does
//! likewise): only when [`CONFIRM`] datagrams agree, or nothing else comes for [`SETTLE_NS`], the
//! sender has restarted or a long outage is over. One stray datagram therefore moves nothing.

use std::collections::{BTreeMap, VecDeque};

use lockstep_plugin_api::wrap;

/// Datagrams behind the expected number by which a number is too old to be a late one.
const FAR_BEHIND: i64 = 64;
/// Datagrams ahead of the expected number by which a number has to be confirmed.
const FAR_AHEAD: i64 = 4096;
/// Datagrams that have to agree on a far number.
const CONFIRM: usize = 3;
/// After this long without an expected number a number behind may be a restart.
const SETTLE_NS: i64 = 1_000_000_000;
/// Numbers ahead up to which a confirmed jump is an outage whose loss is known.
const LONGEST_OUTAGE: i64 = 1 << 24;
/// Gaps remembered, by which a late datagram is told from a repeated one.
const GAPS_REMEMBERED: usize = 256;

/// How long and how many datagrams wait for one that is missing.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait, in nanoseconds.
    pub window_ns: i64,
    /// Most datagrams that wait.
    pub held: usize,
}

/// What became of numbers that were received and not delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Had been delivered before.
    pub duplicate: u64,
    /// Came after they had been declared lost.
    pub late: u64,
    /// Far from all others, and never confirmed.
    pub stray: u64,
}

impl Rejected {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.duplicate + self.late + self.stray
    }
}

/// What to do next, in this order.
#[derive(Debug, PartialEq)]
pub enum Step<T> {
    /// These numbers are lost: from the first, up to but without the second.
    Gap(i64, i64),
    /// Record the item, but for the first `skip.total()` of its numbers.
    Deliver {
        /// The item.
        item: T,
        /// Its first number.
        first: i64,
        /// When it arrived; not later than any of those that were sent after it.
        arrival_ns: i64,
        /// Numbers at its start that are not to be recorded.
        skip: Rejected,
    },
    /// Do not record it.
    Reject {
        /// The item.
        item: T,
        /// Why.
        why: Rejected,
    },
    /// The sender counts anew: `found` came where `expected` was due. What is delivered next
    /// stands in no known relation to what was before.
    Restart {
        /// The number that was due.
        expected: i64,
        /// The number that came.
        found: i64,
    },
}

#[derive(Debug)]
struct Held<T> {
    len: i64,
    arrival_ns: i64,
    item: T,
}

/// Follows the numbers of one sender.
#[derive(Debug)]
pub struct Tracker<T> {
    bits: u32,
    limits: Limits,
    /// The number that is due; `None` until the first datagrams have settled.
    next: Option<i64>,
    held: BTreeMap<i64, Held<T>>,
    /// Datagrams with far numbers that wait for confirmation, in order of arrival.
    jump: Vec<(i64, Held<T>)>,
    /// The first number that was delivered, of this start of the sender.
    start: i64,
    /// Numbers declared lost, oldest gap first.
    lost: VecDeque<(i64, i64)>,
    /// When a datagram last had an expected number.
    accepted_ns: i64,
    /// Longest run of numbers in a datagram.
    longest: i64,
    reordered: u64,
}

impl<T> Tracker<T> {
    /// For a counter of `bits` bits.
    pub fn new(bits: u32, limits: Limits) -> Self {
        Self {
            bits,
            limits,
            next: None,
            held: BTreeMap::new(),
            jump: Vec::new(),
            start: i64::MIN,
            lost: VecDeque::new(),
            accepted_ns: 0,
            longest: 1,
            reordered: 0,
        }
    }

    /// Datagrams that had been overtaken and were put back in order.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// When [`Self::expire`] has something to do, unless more arrives before.
    pub fn deadline_ns(&self) -> Option<i64> {
        let held = self.oldest_held_ns().map(|at| at.saturating_add(self.limits.window_ns));
        let jump = self.jump.first().map(|(_, first)| first.arrival_ns.saturating_add(SETTLE_NS));
        held.into_iter().chain(jump).min()
    }

    /// A datagram arrived whose numbers are `len` in a row, the first one reading `reading`.
    pub fn offer(&mut self, reading: i64, len: u32, arrival_ns: i64, item: T, steps: &mut Vec<Step<T>>) {
        let len = i64::from(len.max(1));
        self.longest = self.longest.max(len);
        let held = Held { len, arrival_ns, item };
        match self.next {
            None => {
                let near = self.held.keys().next().copied();
                let first = near.map_or_else(
                    || wrap::first(reading, self.bits),
                    |near| wrap::nearest(reading, near, self.bits),
                );
                self.hold(first, held, steps);
            }
            Some(next) => {
                let first = wrap::nearest(reading, next, self.bits);
                let ahead = first.saturating_sub(next);
                if self.is_far(first, ahead, arrival_ns) {
                    self.doubt(reading, first, held, steps);
                } else if ahead.saturating_add(len) <= 0 {
                    let why = self.classify(first, first.saturating_add(len));
                    steps.push(Step::Reject { item: held.item, why });
                } else {
                    self.accepted_ns = arrival_ns;
                    self.reject_doubted(steps);
                    if ahead <= 0 {
                        self.reordered += u64::from(!self.held.is_empty());
                        self.deliver(first, held, steps);
                        self.release(steps);
                    } else {
                        self.hold(first, held, steps);
                    }
                }
            }
        }
        self.expire(arrival_ns, steps);
    }

    /// Give up waiting for what has not come by `now_ns`. Only to be called when everything that
    /// arrived before has been offered.
    pub fn expire(&mut self, now_ns: i64, steps: &mut Vec<Step<T>>) {
        while self.oldest_held_ns().is_some_and(|at| now_ns.saturating_sub(at) >= self.limits.window_ns) {
            self.give_up(steps);
        }
        if self.jump.first().is_some_and(|(_, h)| now_ns.saturating_sub(h.arrival_ns) >= SETTLE_NS) {
            self.jump(steps);
        }
    }

    /// Nothing more will come: deliver all that is held. A far number that was not confirmed is
    /// believed if it came after a pause.
    pub fn finish(&mut self, steps: &mut Vec<Step<T>>) {
        let first_ns = self.jump.first().map(|(_, held)| held.arrival_ns);
        if first_ns.is_some_and(|at| at.saturating_sub(self.accepted_ns) >= SETTLE_NS) {
            self.jump(steps);
        } else {
            self.reject_doubted(steps);
        }
        while !self.held.is_empty() {
            self.give_up(steps);
        }
    }

    fn is_far(&self, first: i64, ahead: i64, arrival_ns: i64) -> bool {
        if ahead >= 0 {
            return ahead > FAR_AHEAD.saturating_mul(self.longest);
        }
        let after_silence = arrival_ns.saturating_sub(self.accepted_ns) >= SETTLE_NS;
        let old = after_silence || ahead < -FAR_BEHIND.saturating_mul(self.longest);
        old && !self.lost.iter().any(|&(from, to)| (from..to).contains(&first))
    }

    /// Keep a datagram whose number is far from what is expected until others confirm it.
    fn doubt(&mut self, reading: i64, first: i64, held: Held<T>, steps: &mut Vec<Step<T>>) {
        let first = match self.jump.last() {
            Some((last, last_held)) => {
                let due = last.saturating_add(last_held.len);
                let placed = wrap::nearest(reading, due, self.bits);
                let on = placed.saturating_sub(due);
                if (-FAR_BEHIND.saturating_mul(self.longest)..0).contains(&on) {
                    let why = Rejected { duplicate: held.len as u64, ..Rejected::default() };
                    steps.push(Step::Reject { item: held.item, why });
                    return;
                }
                if on < 0 || on > FAR_BEHIND.saturating_mul(self.longest) {
                    self.reject_doubted(steps);
                    first
                } else {
                    placed
                }
            }
            None => first,
        };
        self.jump.push((first, held));
        if self.jump.len() >= CONFIRM {
            self.jump(steps);
        }
    }

    fn reject_doubted(&mut self, steps: &mut Vec<Step<T>>) {
        for (first, held) in std::mem::take(&mut self.jump) {
            let behind = self.next.is_some_and(|next| first < next);
            let count = held.len as u64;
            let why = if behind {
                Rejected { duplicate: count, ..Rejected::default() }
            } else {
                Rejected { stray: count, ..Rejected::default() }
            };
            steps.push(Step::Reject { item: held.item, why });
        }
    }

    /// Believe the far numbers.
    fn jump(&mut self, steps: &mut Vec<Step<T>>) {
        let believed = std::mem::take(&mut self.jump);
        let Some(&(found, _)) = believed.first() else { return };
        while !self.held.is_empty() {
            self.give_up(steps);
        }
        if let Some(next) = self.next {
            if (1..=LONGEST_OUTAGE).contains(&found.saturating_sub(next)) {
                self.lose(next, found, steps);
            } else {
                self.lost.clear();
                self.start = found;
                steps.push(Step::Restart { expected: next, found });
            }
        }
        self.next = Some(found);
        for (first, held) in believed {
            self.accepted_ns = self.accepted_ns.max(held.arrival_ns);
            self.hold(first, held, steps);
        }
        self.release(steps);
    }

    fn hold(&mut self, first: i64, held: Held<T>, steps: &mut Vec<Step<T>>) {
        let overtaken = self.held.keys().next_back().is_some_and(|&last| last > first);
        let rejected = match self.held.get(&first) {
            Some(there) if there.len >= held.len => Some(held),
            _ => self.held.insert(first, held),
        };
        match rejected {
            Some(repeated) => {
                let why = Rejected { duplicate: repeated.len as u64, ..Rejected::default() };
                steps.push(Step::Reject { item: repeated.item, why });
            }
            None => self.reordered += u64::from(overtaken),
        }
        if self.held.len() > self.limits.held {
            self.give_up(steps);
        }
    }

    /// Declare lost what stands between what is due and what is held, and go on from there.
    fn give_up(&mut self, steps: &mut Vec<Step<T>>) {
        let Some((&first, _)) = self.held.first_key_value() else { return };
        if let Some(next) = self.next
            && next < first
        {
            self.lose(next, first, steps);
        }
        if self.next.is_none() {
            self.start = first;
        }
        self.next = Some(self.next.map_or(first, |next| next.max(first)));
        self.release(steps);
    }

    fn lose(&mut self, from: i64, to: i64, steps: &mut Vec<Step<T>>) {
        if self.lost.len() >= GAPS_REMEMBERED {
            self.lost.pop_front();
        }
        self.lost.push_back((from, to));
        steps.push(Step::Gap(from, to));
    }

    /// Deliver what is held and due.
    fn release(&mut self, steps: &mut Vec<Step<T>>) {
        while let Some(entry) = self.held.first_entry() {
            if self.next.is_none_or(|next| *entry.key() > next) {
                return;
            }
            let (first, held) = entry.remove_entry();
            self.deliver(first, held, steps);
        }
    }

    /// Deliver what of `held` is due, which may be nothing.
    fn deliver(&mut self, first: i64, held: Held<T>, steps: &mut Vec<Step<T>>) {
        let end = first.saturating_add(held.len);
        let next = self.next.unwrap_or(first);
        if end <= next {
            let why = self.classify(first, end);
            steps.push(Step::Reject { item: held.item, why });
            return;
        }
        let skip = if first < next { self.classify(first, next) } else { Rejected::default() };
        self.next = Some(end);
        // What follows in the sequence was sent later, so it cannot have arrived before by its own
        // merit: this one was delayed at least until then.
        let arrival_ns = self.oldest_held_ns().map_or(held.arrival_ns, |at| at.min(held.arrival_ns));
        steps.push(Step::Deliver { item: held.item, first, arrival_ns, skip });
    }

    /// Which of these numbers, all behind what is due, were declared lost or are older than the
    /// first that was delivered. What was lost is late but once: a second copy is a repetition.
    fn classify(&mut self, from: i64, to: i64) -> Rejected {
        let mut late = from.abs_diff(to.min(self.start).max(from));
        let mut rest = VecDeque::with_capacity(self.lost.len());
        for (gap_from, gap_to) in self.lost.drain(..) {
            let (cut_from, cut_to) = (gap_from.max(from), gap_to.min(to));
            if cut_from >= cut_to {
                rest.push_back((gap_from, gap_to));
                continue;
            }
            late += (cut_to - cut_from) as u64;
            rest.extend([(gap_from, cut_from), (cut_to, gap_to)].into_iter().filter(|(f, t)| f < t));
        }
        self.lost = rest;
        Rejected { late, duplicate: to.abs_diff(from) - late, stray: 0 }
    }

    fn oldest_held_ns(&self) -> Option<i64> {
        self.held.values().map(|held| held.arrival_ns).min()
    }
}

#[cfg(test)]
mod tests;
