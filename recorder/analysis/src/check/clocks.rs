//! The measurements of the clocks: offsets that were not measured, exchanges that cannot be.

use lockstep_clock::{EventKind, Exchange, measure};
use lockstep_xdf::{ClockOffset, LoadError, ScannedStream};

use super::Finding;
use super::rules::{self, Rule};
use super::stamps::chunk_of_sample;
use crate::clocks::{Clock, Clocks, EXCHANGE_TYPE, StreamClock, clock_element};
use crate::{Recording, Synchronizer};

/// Offsets beyond this were not measured, whatever the clocks: they have no digits left.
const FARTHEST_S: f64 = 1e12;
/// No clock counts in steps this small: what is left of other numbers in memory.
const SMALLEST_S: f64 = 1e-30;
/// An offset that stands alone by so much is none; what stays is a step of the clock.
const ALONE_S: f64 = 0.1;
/// An offset of a Lockstep file is that of an exchange to within this.
const SAME_S: f64 = 1e-6;

pub(super) fn find(recording: &Recording, clocks: &Clocks, out: &mut Vec<Finding>) -> Result<(), LoadError> {
    let streams = &recording.scan.streams;
    for (index, stream) in streams.iter().enumerate() {
        let has_exchanges = clocks.of(index).is_some_and(|clock| !clock.history.exchanges.is_empty());
        offsets(stream, has_exchanges, out);
        let names_clock = clock_element(stream).is_some() && stream.info.kind != EXCHANGE_TYPE;
        let unknown = clocks.of_stream.get(index) == Some(&StreamClock::Unknown);
        let empty = clocks.of(index).is_some_and(|clock| clock.history.is_empty());
        // Of other programs' streams without any offset nobody can say whose clock stamps them.
        if empty || (unknown && (names_clock || recording.is_lab_recorder()) && !stream.chunks.is_empty()) {
            let finding = Finding::new(&rules::NO_OFFSETS, "the clock was never measured").of(stream);
            out.push(finding.at(stream.header_offset));
        }
    }
    let stale = clocks.list.iter().filter(|clock| clock.history.stale_stamps && clock.companion.is_none());
    let stale: Vec<&str> = stale.map(|clock| clock.name.as_str()).collect();
    if !stale.is_empty() {
        let what = format!("clock offsets as LabRecorder writes them: {}", stale.join(", "));
        out.push(Finding::new(&rules::STALE, what));
    }
    for clock in &clocks.list {
        exchanges(recording, clock, out);
    }
    Ok(())
}

/// Steps, slews and resets.
pub(super) fn find_events(synchronizer: &Synchronizer<'_>, out: &mut Vec<Finding>) {
    for (clock, map) in synchronizer.clocks.list.iter().zip(&synchronizer.maps) {
        for event in &map.events {
            let kind = match event.kind {
                EventKind::Step => "stepped",
                EventKind::Slew => "slewed",
                EventKind::Reset => "reset",
            };
            let what = format!(
                "the clock \"{}\" was {kind} by {:+.6} s between {:.3} and {:.3} s (recorder time)",
                clock.name, -event.size_s, event.host_from_s, event.host_to_s
            );
            out.push(Finding::new(&rules::CLOCK_EVENT, what));
        }
    }
}

/// Whether a number can have been measured at all.
pub(crate) fn possible(offset: &ClockOffset) -> bool {
    let fine = |value: f64| value == 0.0 || (SMALLEST_S..=FARTHEST_S).contains(&value.abs());
    fine(offset.offset_s) && fine(offset.collection_time_s)
}

/// Which of the offsets of a stream were not measured: numbers that cannot be, and those that are far from
/// all around them.
pub(crate) fn unmeasured(all: &[ClockOffset]) -> Vec<usize> {
    let (kept, mut garbage): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&at| possible(&all[at]));
    let offsets: Vec<&ClockOffset> = kept.iter().map(|&at| &all[at]).collect();
    garbage.extend((0..kept.len()).filter(|&at| alone(&offsets, at)).map(|at| kept[at]));
    garbage.sort_unstable();
    garbage
}

fn offsets(stream: &ScannedStream, has_exchanges: bool, out: &mut Vec<Finding>) {
    let all = &stream.clock_offsets;
    let garbage: Vec<&ClockOffset> = unmeasured(all).into_iter().map(|at| &all[at]).collect();
    let kept: Vec<&ClockOffset> = all.iter().filter(|offset| possible(offset)).collect();
    if let Some(first) = garbage.first() {
        let what = format!(
            "{} of {} clock offsets were not measured, the first: {:e} s at {:e} s",
            garbage.len(),
            all.len(),
            first.offset_s,
            first.collection_time_s
        );
        out.push(Finding::new(&rules::OFFSET_GARBAGE, what).of(stream).at(first.file_offset));
    }
    let pairs = || kept.iter().zip(kept.iter().skip(1));
    let back = || pairs().filter(|(a, b)| b.collection_time_s < a.collection_time_s);
    if let Some((before, first)) = back().next() {
        let what = format!(
            "the times of {} clock offsets go back, the first from {} to {} s",
            back().count(),
            before.collection_time_s,
            first.collection_time_s
        );
        out.push(Finding::new(&rules::OFFSET_BACK, what).of(stream).at(first.file_offset));
    }
    // Where there are exchanges, these show what was measured, and coarse clocks repeat themselves.
    if has_exchanges {
        return;
    }
    // A stream on the recorder's clock has nothing but zeros.
    let repeated = || pairs().filter(|(a, b)| a.offset_s == b.offset_s && b.offset_s != 0.0);
    if let Some((_, first)) = repeated().next() {
        let count = repeated().count();
        let many = count >= 3 && count * 10 >= kept.len();
        let rule = if many { &rules::OFFSET_REPEATED } else { &rules::OFFSET_REPEATED_FEW };
        let what = format!("{count} of {} clock offsets are the one before again", kept.len());
        out.push(Finding::new(rule, what).of(stream).at(first.file_offset));
    }
}

/// Whether an offset is far from both of its neighbours, which agree: a step of the clock would stay.
fn alone(offsets: &[&ClockOffset], at: usize) -> bool {
    let (Some(before), Some(after)) = (at.checked_sub(1).and_then(|i| offsets.get(i)), offsets.get(at + 1))
    else {
        // The last one has no neighbour after it: the two before must agree much better.
        let last = at + 1 == offsets.len() && at >= 2;
        return last && {
            let (a, b, c) = (offsets[at - 2].offset_s, offsets[at - 1].offset_s, offsets[at].offset_s);
            (c - b).abs() > 1e3 * (b - a).abs().max(ALONE_S)
        };
    };
    let far_s =
        (offsets[at].offset_s - before.offset_s).abs().min((offsets[at].offset_s - after.offset_s).abs());
    far_s > ALONE_S && far_s > 10.0 * (after.offset_s - before.offset_s).abs()
}

/// Why the stamps of an exchange cannot be; `None` where they can.
fn impossible(exchange: &Exchange, resolution_s: f64) -> Option<&'static str> {
    let Exchange { t0_s, t1_s, t2_s, t3_s } = *exchange;
    if ![t0_s, t1_s, t2_s, t3_s].iter().all(|stamp_s| stamp_s.is_finite()) {
        return Some("stamps that are no numbers");
    }
    if t3_s < t0_s {
        return Some("answered before it was asked (t3 < t0)");
    }
    if t2_s < t1_s {
        return Some("the answer left before the question came (t2 < t1)");
    }
    ((t3_s - t0_s) - (t2_s - t1_s) < -resolution_s)
        .then_some("the device held it for longer than it took (t2 - t1 > t3 - t0)")
}

fn exchanges(recording: &Recording, clock: &Clock, out: &mut Vec<Finding>) {
    let Some(companion) = clock.companion.and_then(|index| recording.scan.streams.get(index)) else { return };
    let history = &clock.history;
    let mut kinds: Vec<(&'static str, u64, u64)> = Vec::new();
    for (sample, exchange) in (0..).zip(&history.exchanges) {
        let Some(why) = impossible(exchange, history.reading.resolution_s) else { continue };
        match kinds.iter_mut().find(|kind| kind.0 == why) {
            Some(kind) => kind.2 += 1,
            None => kinds.push((why, sample, 1)),
        }
    }
    for (why, first, count) in kinds {
        let of = history.exchanges.len();
        let what = format!("{count} of {of} exchanges: {why}, the first is sample {first}");
        let offset = chunk_of_sample(&companion.chunks, first);
        out.push(Finding::new(&rules::EXCHANGE_IMPOSSIBLE, what).of(companion).at(offset));
    }
    // What others wrote may be defined otherwise; a file that continues another has its offsets, and not its exchanges;
    // exchanges may have found no room where their offset did.
    let is_all_here = !recording.is_continuation() && !super::losses::has_lost(companion);
    if recording.is_lockstep() && !history.exchanges.is_empty() && is_all_here {
        for &stream in &clock.streams {
            unfounded(&recording.scan.streams[stream], clock, out);
        }
    }
}

/// Offsets of a Lockstep file that no exchange shows.
fn unfounded(stream: &ScannedStream, clock: &Clock, out: &mut Vec<Finding>) {
    let history = &clock.history;
    let mut measured: Vec<(f64, f64)> = history
        .exchanges
        .iter()
        .filter_map(|exchange| measure(exchange, history.reading))
        .map(|measured| (measured.device_time_s, measured.offset_s))
        .collect();
    measured.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Of a file that was cut off, the last exchanges can be missing.
    let last_s = measured.last().map_or(f64::NEG_INFINITY, |last| last.0);
    let founded = |offset: &&ClockOffset| {
        if offset.collection_time_s > last_s + SAME_S {
            return true;
        }
        let from = measured.partition_point(|m| m.0 < offset.collection_time_s - SAME_S);
        measured[from..]
            .iter()
            .take_while(|m| m.0 <= offset.collection_time_s + SAME_S)
            .any(|m| (m.1 - offset.offset_s).abs() <= SAME_S)
    };
    let without: Vec<&ClockOffset> = stream.clock_offsets.iter().filter(|offset| !founded(offset)).collect();
    if let Some(first) = without.first() {
        let what = format!(
            "{} of {} clock offsets agree with no exchange, the first: {} s at {} s",
            without.len(),
            stream.clock_offsets.len(),
            first.offset_s,
            first.collection_time_s
        );
        let rule: &Rule = &rules::OFFSET_UNFOUNDED;
        out.push(Finding::new(rule, what).of(stream).at(first.file_offset));
    }
}
