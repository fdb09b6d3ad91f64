//! Which piece of a map each sample of a stream belongs to.
//!
//! A device stamp alone does not say: a clock that was set back shows times twice. The order of the
//! samples and the irregularities of their stamps do: a stream that is sampled regularly shows a step
//! of its clock at the very sample, and a slew as it goes on. Where nothing shows it, samples between
//! the last exchange before an event and the first one after it are flagged.

use crate::compat::NearestRanges;
use crate::{Assignment, ClockMap, Estimate, EventKind, Piece};

#[cfg(test)]
mod tests;

/// Differences of stamps that the usual interval is learnt from.
const RECENT: usize = 64;
/// A difference is irregular if it is off by more than this (and by more than six sigma), in seconds.
const IRREGULAR_S: f64 = 3e-6;
/// Irregular differences kept for one event.
const MAX_ENTRIES: usize = 100_000;
/// A stream may begin so long before the first exchange, in seconds.
const BEFORE_FIRST_S: f64 = 60.0;
/// Steps beyond this are placed by the largest irregularity alone.
const LARGE_STEP_S: f64 = 0.3;

/// First pass over the stamps of a stream, in constant memory.
#[derive(Debug)]
pub struct Survey<'a> {
    map: &'a ClockMap,
    count: u64,
    piece: usize,
    ranges: Vec<Range>,
    /// First sample of the range under way.
    first: u64,
    zone: Option<Zone>,
    recent: Recent,
    nearest: Option<NearestRanges>,
}

/// Where the samples of one stream belong: the second pass asks it.
#[derive(Debug)]
pub struct Placement<'a> {
    map: &'a ClockMap,
    /// Stretches of samples in order, without a hole.
    pub ranges: Vec<Range>,
}

/// Samples of a stream that are timed alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// First sample.
    pub first: u64,
    /// One past the last sample.
    pub end: u64,
    /// Index of the piece; of the earlier one for samples around an event.
    pub piece: usize,
    /// What is done about an event.
    pub around: Around,
}

/// How samples around an event are timed.
#[derive(Debug, Clone, PartialEq)]
pub enum Around {
    /// They are not around one.
    No,
    /// The stream's own stamps show the event: sample from which on, and by how much the stamps had
    /// left the regular ones by then. The rest of the difference of both pieces goes along.
    Shape {
        /// Sample and sum of irregular differences, in seconds.
        entries: Vec<(u64, f64)>,
        /// What is left between the pieces after the last of them.
        rest_s: f64,
    },
    /// The pieces cross: a slew began or ended there.
    Crossing,
    /// The new piece from this sample on.
    Cut(u64),
    /// Nothing shows when: from one piece to the other, linearly.
    Blend,
}

/// Samples between the exchanges on both sides of an event.
#[derive(Debug)]
struct Zone {
    first: u64,
    entries: Vec<(u64, f64)>,
    largest: (f64, u64),
    seen: bool,
    last_device_s: f64,
}

/// The usual interval between stamps, from the last ones.
#[derive(Debug, Default)]
struct Recent {
    differences: Vec<f64>,
    at: usize,
    stale: usize,
    usual_s: f64,
    tolerance_s: f64,
    last_s: Option<f64>,
}

impl Recent {
    /// By how much a stamp is off the regular one; NaN while nothing is known.
    fn off(&self, device_s: f64) -> f64 {
        match self.last_s {
            Some(last_s) if self.tolerance_s > 0.0 => device_s - last_s - self.usual_s,
            _ => f64::NAN,
        }
    }

    fn push(&mut self, device_s: f64) {
        if let Some(last_s) = self.last_s.replace(device_s) {
            let difference = device_s - last_s;
            if self.differences.len() < RECENT {
                self.differences.push(difference);
            } else {
                self.differences[self.at] = difference;
                self.at = (self.at + 1) % RECENT;
            }
            self.stale += 1;
            if self.stale >= RECENT / 4 {
                self.learn();
                self.stale = 0;
            }
        }
    }

    fn learn(&mut self) {
        let mut sorted = self.differences.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        self.usual_s = sorted[sorted.len() / 2];
        for d in &mut sorted {
            *d = (*d - self.usual_s).abs();
        }
        sorted.sort_unstable_by(f64::total_cmp);
        self.tolerance_s = IRREGULAR_S.max(6.0 * 1.4826 * sorted[sorted.len() / 2]);
    }
}

impl<'a> Survey<'a> {
    pub(crate) fn new(map: &'a ClockMap) -> Self {
        let nearest = (map.assignment == Assignment::Nearest).then(|| NearestRanges::new(&map.pieces));
        Self {
            map,
            count: 0,
            piece: usize::MAX,
            ranges: Vec::new(),
            first: 0,
            zone: None,
            recent: Recent::default(),
            nearest,
        }
    }

    /// The next stamps of the stream, as recorded, in file order. `arrived_s`: host time at about which
    /// they were written, where the file shows it (samples cannot be younger than that).
    pub fn push(&mut self, device_times_s: &[f64], arrived_s: Option<f64>) {
        if let Some(nearest) = &mut self.nearest {
            nearest.push(device_times_s);
            self.count += device_times_s.len() as u64;
            return;
        }
        for (i, &device_s) in device_times_s.iter().enumerate() {
            if self.piece == usize::MAX {
                self.piece = self.map.nearest_piece(device_s, arrived_s);
            }
            if self.piece + 1 >= self.map.pieces.len() && self.zone.is_none() {
                self.count += (device_times_s.len() - i) as u64;
                return;
            }
            self.place(device_s, arrived_s);
            if self.zone.is_none() {
                self.recent.push(device_s);
            } else {
                // The usual interval stays that of before the event.
                self.recent.last_s = Some(device_s);
            }
            self.count += 1;
        }
    }

    fn place(&mut self, device_s: f64, arrived_s: Option<f64>) {
        let irregular = self.recent.off(device_s);
        loop {
            let Some(event) = self.map.events.get(self.piece).copied() else { return };
            let left = self.map.in_piece(self.piece, device_s).host_time_s;
            let jumped = irregular.is_finite()
                && irregular.abs() > self.recent.tolerance_s
                && (irregular + event.size_s).abs() < 0.3 * event.size_s.abs();
            let back = self.recent.last_s.is_some_and(|last_s| device_s < last_s - 0.1)
                && (device_s - self.recent.last_s.unwrap_or(0.0) + event.size_s).abs()
                    < 0.3 * event.size_s.abs();
            if self.zone.is_none() {
                if left <= event.host_from_s
                    && !(jumped && left > event.host_from_s - event.size_s.abs())
                    && !back
                {
                    return;
                }
                self.close_range(Around::No, self.count);
                self.zone = Some(Zone {
                    first: self.count,
                    entries: Vec::new(),
                    largest: (0.0, self.count),
                    seen: false,
                    last_device_s: device_s,
                });
            }
            let Some(zone) = &mut self.zone else { return };
            if irregular.is_finite() && irregular.abs() > self.recent.tolerance_s {
                if zone.entries.last().is_none_or(|e| e.0 != self.count) && zone.entries.len() < MAX_ENTRIES {
                    let sum = zone.entries.last().map_or(0.0, |e| e.1);
                    zone.entries.push((self.count, sum + irregular));
                }
                if irregular.abs() > zone.largest.0 {
                    zone.largest = (irregular.abs(), self.count);
                }
            } else if back && zone.largest.0 == 0.0 {
                zone.largest = (event.size_s.abs(), self.count);
            }
            zone.seen |= jumped || back;
            zone.last_device_s = device_s;
            let right = self.map.in_piece(self.piece + 1, device_s).host_time_s;
            let too_young = arrived_s.is_some_and(|arrived_s| right > arrived_s + 1.0);
            if right > event.host_to_s && !too_young && (zone.seen || left > event.host_to_s) {
                self.close_zone(device_s);
                continue;
            }
            return;
        }
    }

    /// The range under way ends before sample `end`.
    fn close_range(&mut self, around: Around, end: u64) {
        if end > self.first {
            self.ranges.push(Range { first: self.first, end, piece: self.piece, around });
        }
        self.first = end;
    }

    /// The event is over at the present sample.
    fn close_zone(&mut self, device_s: f64) {
        let Some(zone) = self.zone.take() else { return };
        let around = self.judge(zone, device_s);
        self.close_range(around, self.count);
        self.piece += 1;
    }

    fn judge(&self, zone: Zone, device_s: f64) -> Around {
        let map = self.map;
        let event = map.events[self.piece];
        let sum_s = zone.entries.last().map_or(0.0, |e| e.1);
        let left = map.in_piece(self.piece, device_s - sum_s);
        let right = map.in_piece(self.piece + 1, device_s);
        let rest_s = right.host_time_s - left.host_time_s;
        let sigma_s = left.relative_s.hypot(right.relative_s);
        if !zone.entries.is_empty() && rest_s.abs() <= 6.0 * sigma_s + 20e-6 + 0.1 * sum_s.abs().min(0.1) {
            return Around::Shape { entries: zone.entries, rest_s };
        }
        if event.kind == EventKind::Reset || event.size_s.abs() > LARGE_STEP_S {
            let at = if zone.largest.0 > 0.0 { zone.largest.1 } else { zone.first };
            return Around::Cut(at);
        }
        let difference = |host_s: f64| {
            let device_s = map.pieces[self.piece].device_time_s(host_s);
            map.in_piece(self.piece + 1, device_s).host_time_s - host_s
        };
        if difference(event.host_from_s) * difference(event.host_to_s) < 0.0 {
            Around::Crossing
        } else {
            Around::Blend
        }
    }

    /// All stamps were given.
    pub fn finish(mut self) -> Placement<'a> {
        if let Some(nearest) = self.nearest.take() {
            return Placement { map: self.map, ranges: nearest.finish() };
        }
        if self.piece == usize::MAX {
            self.piece = 0;
        }
        if let Some(zone) = self.zone.take() {
            let device_s = zone.last_device_s;
            let around = self.judge(zone, device_s);
            self.close_range(around, self.count);
        } else {
            self.close_range(Around::No, self.count);
        }
        Placement { map: self.map, ranges: self.ranges }
    }
}

impl Placement<'_> {
    /// Host times of the stamps that begin at sample `first`. Calls are made in order, or at random.
    pub fn apply(&self, first: u64, device_times_s: &[f64], out: &mut Vec<Estimate>) {
        out.reserve(device_times_s.len());
        let mut at = self.ranges.partition_point(|r| r.end <= first);
        let mut index = first;
        let mut rest = device_times_s;
        while !rest.is_empty() {
            let Some(range) = self.ranges.get(at) else {
                out.extend(rest.iter().map(|&d| self.map.in_piece(self.last_piece(), d)));
                return;
            };
            let take = rest.len().min(range.end.saturating_sub(index) as usize);
            let (now, later) = rest.split_at(take);
            match &range.around {
                Around::No => self.map.extend_in_piece(range.piece, now, out),
                around => out.extend(
                    now.iter()
                        .enumerate()
                        .map(|(i, &d)| self.around(range.piece, around, index + i as u64, d)),
                ),
            }
            index += take as u64;
            rest = later;
            at += 1;
        }
    }

    /// The host times alone, in place: the same doubles that [`apply`](Self::apply) gives, faster.
    pub fn map_in_place(&self, first: u64, times_s: &mut [f64]) {
        let mut at = self.ranges.partition_point(|r| r.end <= first);
        let mut index = first;
        let mut rest = times_s;
        while !rest.is_empty() {
            let range = self.ranges.get(at);
            let (take, piece) = match range {
                Some(range) => (range.end.saturating_sub(index).min(rest.len() as u64), range.piece),
                None => (rest.len() as u64, self.last_piece()),
            };
            let (now, later) = rest.split_at_mut(take as usize);
            match range.map(|range| &range.around) {
                None | Some(Around::No) => {
                    // Without a piece the stamps are taken as they are.
                    if let Some(piece) = self.map.pieces.get(piece) {
                        piece.map_in_place(now);
                    }
                }
                Some(around) => {
                    for (index, time_s) in (index..).zip(now) {
                        *time_s = self.around(piece, around, index, *time_s).host_time_s;
                    }
                }
            }
            index += take;
            rest = later;
            at += 1;
        }
    }

    fn last_piece(&self) -> usize {
        self.ranges.last().map_or(0, |r| r.piece)
    }

    fn around(&self, piece: usize, around: &Around, index: u64, device_s: f64) -> Estimate {
        let map = self.map;
        let left = map.in_piece(piece, device_s);
        let right = map.in_piece(piece + 1, device_s);
        let event = map.events[piece];
        match around {
            Around::No => left,
            Around::Cut(at) => Estimate { flagged: true, ..if index < *at { left } else { right } },
            Around::Crossing => {
                // The later of both for a clock that slowed down, the earlier for one that sped up:
                // before the crossing it is the left piece.
                let before = map.in_piece(piece, map.pieces[piece].device_time_s(event.host_from_s));
                let device_from_s = map.pieces[piece].device_time_s(event.host_from_s);
                let sign = map.in_piece(piece + 1, device_from_s).host_time_s - before.host_time_s;
                let now = right.host_time_s - left.host_time_s;
                Estimate { flagged: true, ..if now * sign > 0.0 { left } else { right } }
            }
            Around::Shape { entries, rest_s } => {
                let at = entries.partition_point(|e| e.0 <= index);
                let sum_s = at.checked_sub(1).map_or(0.0, |i| entries[i].1);
                let total_s = entries.last().map_or(0.0, |e| e.1);
                let share = if total_s == 0.0 { 1.0 } else { (sum_s / total_s).clamp(0.0, 1.0) };
                let moved = map.in_piece(piece, device_s - sum_s);
                let widest = if left.relative_s > right.relative_s { left } else { right };
                Estimate {
                    host_time_s: moved.host_time_s + share * rest_s,
                    // The stamps say how the clock went from one piece to the other.
                    bound_s: map.bound_at_event_s(piece) + rest_s.abs(),
                    ..widest
                }
            }
            Around::Blend => {
                let middle_s = 0.5 * (left.host_time_s + right.host_time_s);
                let length_s = (event.host_to_s - event.host_from_s).max(1e-9);
                let share = ((middle_s - event.host_from_s) / length_s).clamp(0.0, 1.0);
                let gap_s = right.host_time_s - left.host_time_s;
                let extra_s = gap_s.abs() * share.min(1.0 - share);
                let widest = if left.relative_s > right.relative_s { left } else { right };
                Estimate {
                    host_time_s: left.host_time_s + share * gap_s,
                    relative_s: widest.relative_s + extra_s,
                    total_s: widest.total_s + extra_s,
                    bound_s: widest.bound_s + gap_s.abs(),
                    flagged: true,
                }
            }
        }
    }
}

impl ClockMap {
    /// The piece that a stream's first stamp belongs to: the first one whose device times (and host times,
    /// where the arrival is known) are about as near as those of the nearest.
    fn nearest_piece(&self, device_s: f64, arrived_s: Option<f64>) -> usize {
        let outside = |(from, to): (f64, f64), x: f64| (from - x).max(x - to).max(0.0);
        let distance_s = |piece: &Piece| {
            let late_s = arrived_s.map_or(0.0, |a| outside(piece.host_span_s, a));
            outside(piece.device_span_s, device_s) + late_s
        };
        let nearest_s = self.pieces.iter().map(distance_s).fold(f64::INFINITY, f64::min);
        self.pieces.iter().position(|p| distance_s(p) <= nearest_s + BEFORE_FIRST_S).unwrap_or(0)
    }

    /// The wider bound of the last exchange before the event after a piece, and of the first one after it.
    fn bound_at_event_s(&self, piece: usize) -> f64 {
        let bound_s = |piece: usize, device_s: f64| self.in_piece(piece, device_s).bound_s;
        let [before, after] = [piece, piece + 1].map(|piece| self.pieces[piece].device_span_s);
        bound_s(piece, before.1).max(bound_s(piece + 1, after.0))
    }

    /// Estimates of many stamps in one piece; fast for stamps in order.
    fn extend_in_piece(&self, piece: usize, device_times_s: &[f64], out: &mut Vec<Estimate>) {
        out.extend(device_times_s.iter().map(|&d| self.in_piece(piece, d)));
    }
}
