//! When to ask whom for its time, and which answer belongs to which question: no sockets, no threads.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use lockstep_platform::is_same_peer;
use lockstep_plugin_api::{Exchange, ProbeSchedule, ProbeSettings};

use super::wire::Answer;

/// An answer that takes longer than this is late.
const ANSWER_S: f64 = 0.25;
/// Questions when a new outlet's clock is looked at, and the time between two of them.
const LOOK: (u32, f64) = (8, 0.004);
/// An answer of a look that takes longer than this is late: the stream waits for it.
const LOOK_ANSWER_S: f64 = 0.2;
/// Time between two questions of the last burst, and for all of them.
const LAST_GAP_S: (f64, f64) = (0.006, 0.08);
/// An answer of the last burst that takes longer than this is late.
const LAST_ANSWER_S: f64 = 0.06;
/// Numbers of questions whose late answers are still known as such.
const REMEMBERED: i32 = 4096;

/// Whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// A clock of the recording.
    Clock(usize),
    /// An outlet's that is looked at before its stream is recorded.
    Look(u64),
}

/// What became of a burst.
#[derive(Debug, Clone, PartialEq)]
pub struct Burst {
    /// Whose clock.
    pub whose: Whose,
    /// The exchanges that were completed in time.
    pub exchanges: Vec<Exchange>,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions.
    pub asked: u64,
    /// Answers in time.
    pub answered: u64,
    /// Answers that came too late.
    pub late: u64,
    /// Answers to nothing that was asked, or twice.
    pub unasked: u64,
    /// Answers that cannot be true.
    pub impossible: u64,
}

#[derive(Debug)]
struct Running {
    next_s: f64,
    sent: u32,
    wanted: u32,
    /// `None`: as the schedule has it.
    gap_s: Option<f64>,
    answer_s: f64,
    at: SocketAddr,
    exchanges: Vec<Exchange>,
    open: u32,
    /// A question that follows an answer is due.
    follows: bool,
}

impl Running {
    fn is_over(&self, now_s: f64) -> bool {
        self.sent >= self.wanted && !self.follows && (self.open == 0 || now_s >= self.next_s)
    }
}

/// A question that was asked and may still be answered.
#[derive(Debug, Clone, Copy)]
struct Open {
    whose: Whose,
    asked_s: f64,
    /// It followed an answer at once: the outlet's thread was awake, and so was the radio on the way, which makes its
    /// round trip shorter and more equal both ways. Each question of a burst has one such.
    is_second: bool,
}

#[derive(Debug)]
struct Target {
    members: Vec<SocketAddr>,
    /// Which of them is asked.
    current: usize,
    schedule: ProbeSchedule,
    begun_s: f64,
}

/// All that is being asked.
#[derive(Debug)]
pub struct Rounds {
    settings: ProbeSettings,
    targets: BTreeMap<usize, Target>,
    running: BTreeMap<Whose, Running>,
    open: HashMap<i32, Open>,
    last_id: i32,
    first_id: i32,
    /// What was counted.
    pub counters: Counters,
}

impl Rounds {
    /// Nobody is asked yet. Questions are numbered from `first_id` on, which nobody should foresee.
    pub fn new(settings: ProbeSettings, first_id: i32) -> Self {
        let first_id = first_id.clamp(1, i32::MAX / 2);
        Self {
            settings,
            targets: BTreeMap::new(),
            running: BTreeMap::new(),
            open: HashMap::new(),
            last_id: first_id,
            first_id,
            counters: Counters::default(),
        }
    }

    /// From now on the clock `number` can be asked at these addresses; none: it cannot be asked. One that
    /// can be asked again is measured densely, as at the start.
    pub fn measure(&mut self, number: usize, members: Vec<SocketAddr>, now_s: f64) {
        let settings = self.settings;
        let target = self.targets.entry(number).or_insert_with(|| Target {
            members: Vec::new(),
            current: 0,
            schedule: ProbeSchedule::new(settings),
            begun_s: now_s,
        });
        let came_back = target.members.is_empty() && !members.is_empty();
        if came_back {
            target.schedule.restart(now_s - target.begun_s);
        }
        let asked = target.members.get(target.current).copied();
        // Stay with the one that is asked: its path is known.
        target.current = members.iter().position(|m| Some(*m) == asked).unwrap_or(0);
        target.members = members;
        if target.members.get(target.current).copied() != asked {
            self.running.remove(&Whose::Clock(number));
            self.open.retain(|_, open| open.whose != Whose::Clock(number));
        }
    }

    /// Have a quick look at the clock of an outlet.
    pub fn look(&mut self, token: u64, at: SocketAddr, now_s: f64) {
        let (wanted, gap_s) = LOOK;
        self.begin(Whose::Look(token), at, wanted, Some(gap_s), LOOK_ANSWER_S, now_s);
    }

    /// A last burst to everybody, before the end.
    pub fn last(&mut self, now_s: f64) {
        let wanted = self.settings.probes_per_burst.max(1);
        let gap_s = LAST_GAP_S.0.min(LAST_GAP_S.1 / f64::from(wanted));
        let all: Vec<_> = self
            .targets
            .iter()
            .filter_map(|(&number, t)| Some((number, *t.members.get(t.current)?)))
            .collect();
        for (number, at) in all {
            self.begin(Whose::Clock(number), at, wanted, Some(gap_s), LAST_ANSWER_S, now_s);
        }
        self.targets.clear();
    }

    /// All bursts are over, with what they have.
    pub fn give_up(&mut self) {
        for running in self.running.values_mut() {
            (running.sent, running.open, running.follows) = (running.wanted, 0, false);
        }
    }

    /// Whether anybody is asked by IPv6.
    pub fn asks_v6(&self) -> bool {
        self.running.values().any(|r| r.at.is_ipv6())
    }

    /// Whether a burst is running.
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    fn begin(
        &mut self,
        whose: Whose,
        at: SocketAddr,
        wanted: u32,
        gap_s: Option<f64>,
        answer_s: f64,
        now_s: f64,
    ) {
        // One that was running is given up, and its answers are late; what it brought is kept.
        self.open.retain(|_, open| open.whose != whose);
        let exchanges = self.running.remove(&whose).map(|r| r.exchanges).unwrap_or_default();
        let running = Running {
            next_s: now_s,
            sent: 0,
            wanted,
            gap_s,
            answer_s,
            at,
            exchanges,
            open: 0,
            follows: false,
        };
        self.running.insert(whose, running);
    }

    /// When something is to be done next, in seconds of recorder time.
    pub fn due_s(&self) -> f64 {
        let bursts = self
            .targets
            .iter()
            .filter(|(number, t)| {
                !t.members.is_empty() && !self.running.contains_key(&Whose::Clock(**number))
            })
            .map(|(_, t)| t.begun_s + t.schedule.next_burst_s());
        let running = self.running.values().map(|r| if r.follows { 0.0 } else { r.next_s });
        bursts.chain(running).fold(f64::INFINITY, f64::min)
    }

    /// The next question that is due: its number, and whom to ask. It counts as asked at `now_s`; call
    /// [`Rounds::asked_at`] with the time it really left.
    pub fn next_question(&mut self, now_s: f64) -> Option<(i32, SocketAddr)> {
        self.begin_due(now_s);
        let (&whose, running) =
            self.running.iter_mut().find(|(_, r)| r.follows || (r.sent < r.wanted && r.next_s <= now_s))?;
        running.open += 1;
        let at = running.at;
        if std::mem::take(&mut running.follows) {
            return Some((self.ask(whose, now_s, true), at));
        }
        running.sent += 1;
        let gap_s = match (running.gap_s, whose) {
            (Some(gap_s), _) => gap_s,
            (None, Whose::Clock(number)) => {
                self.targets.get_mut(&number).map_or(0.064, |t| t.schedule.gap_s())
            }
            (None, Whose::Look(_)) => LOOK.1,
        };
        running.next_s = if running.sent < running.wanted { now_s + gap_s } else { now_s + running.answer_s };
        Some((self.ask(whose, now_s, false), at))
    }

    /// The number of a new question.
    fn ask(&mut self, whose: Whose, asked_s: f64, is_second: bool) -> i32 {
        self.last_id = if self.last_id == i32::MAX { self.first_id } else { self.last_id + 1 };
        self.open.insert(self.last_id, Open { whose, asked_s, is_second });
        self.counters.asked += 1;
        self.last_id
    }

    fn begin_due(&mut self, now_s: f64) {
        let due: Vec<(usize, SocketAddr)> = self
            .targets
            .iter_mut()
            .filter(|(number, _)| !self.running.contains_key(&Whose::Clock(**number)))
            .filter_map(|(&number, t)| {
                let at = *t.members.get(t.current)?;
                let elapsed_s = now_s - t.begun_s;
                if elapsed_s < t.schedule.next_burst_s() {
                    return None;
                }
                t.schedule.burst_begun(elapsed_s);
                Some((number, at))
            })
            .collect();
        for (number, at) in due {
            let wanted = self.settings.probes_per_burst.max(1);
            self.begin(Whose::Clock(number), at, wanted, None, ANSWER_S, now_s);
        }
    }

    /// The question `id` left at `t0_s`.
    pub fn asked_at(&mut self, id: i32, t0_s: f64) {
        if let Some(open) = self.open.get_mut(&id) {
            open.asked_s = t0_s;
        }
    }

    /// The question `id` could not be sent.
    pub fn not_sent(&mut self, id: i32) {
        if let Some(open) = self.open.remove(&id)
            && let Some(running) = self.running.get_mut(&open.whose)
        {
            running.open -= 1;
        }
        self.counters.asked -= 1;
    }

    /// An answer arrived from `from` at `t3_s`.
    pub fn answer(&mut self, answer: Answer, from: SocketAddr, t3_s: f64) {
        let Some(&Open { whose, asked_s: t0_s, is_second }) = self.open.get(&answer.id) else {
            let asked = answer.id > self.last_id.saturating_sub(REMEMBERED).max(self.first_id);
            if asked && answer.id <= self.last_id {
                self.counters.late += 1;
            } else {
                self.counters.unasked += 1;
            }
            return;
        };
        let Some(running) = self.running.get_mut(&whose) else { return };
        if !is_same_peer(from, running.at) {
            self.counters.unasked += 1;
            return;
        }
        self.open.remove(&answer.id);
        running.open -= 1;
        running.follows |= !is_second;
        if t3_s - t0_s > running.answer_s {
            self.counters.late += 1;
            return;
        }
        let exchange = Exchange { t0_s, t1_s: answer.t1_s, t2_s: answer.t2_s, t3_s };
        // It cannot have been on its way for less than no time; both clocks are read to about a microsecond.
        let held_s = answer.t2_s - answer.t1_s;
        if held_s < -1e-5 || held_s > (t3_s - t0_s) * 1.01 + 1e-5 {
            self.counters.impossible += 1;
            return;
        }
        self.counters.answered += 1;
        running.exchanges.push(exchange);
    }

    /// The bursts that are over at `now_s`.
    pub fn finished(&mut self, now_s: f64) -> Vec<Burst> {
        let over: Vec<Whose> =
            self.running.iter().filter(|(_, r)| r.is_over(now_s)).map(|(&whose, _)| whose).collect();
        let mut bursts = Vec::new();
        for whose in over {
            let Some(running) = self.running.remove(&whose) else { continue };
            self.open.retain(|_, open| open.whose != whose);
            if let (Whose::Clock(number), true) = (whose, running.exchanges.is_empty())
                && let Some(target) = self.targets.get_mut(&number)
            {
                // Another outlet of the same clock may answer.
                target.current = (target.current + 1) % target.members.len().max(1);
            }
            bursts.push(Burst { whose, exchanges: running.exchanges });
        }
        bursts
    }
}

#[cfg(test)]
mod tests;
